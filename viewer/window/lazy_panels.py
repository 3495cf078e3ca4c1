"""The panels of a window: imported and built when first shown or first needed, so that closed ones cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module

from models.cards.card import task
from models.inspection import Description
from models.requests import Request
from viewer.panels.base import Panel
from viewer.panels.registry import PanelEntry
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wants

# Panels that only models of a task need.
BY_TASK = {
    "detection": ("Detects", "HasAnchors", "Explains"),
    "classification": ("Classifies", "Explains"),
    "segmentation": ("SegmentsPicture", "Explains"),
    "features": ("Explains",),
    "generation": ("Generates", "Encodes", "Scores"),
    "likelihood": ("EstimatesLikelihood",),
    "picture to picture": ("Translates", "Explains"),
    "landmarks": ("FindsLandmarks", "Explains"),
    "depth": ("EstimatesDepth", "Explains"),
}
# What few models of any task can, and one that can is read before it is asked.
RARE = {"Segments", "FindsKeyPoints"}
Furnish = Callable[[Panel], None]


class LazyPanels(Mapping[str, Panel]):
    """Panels by id, in the order of their `entries`. `furnish` updates a newly built one."""

    def __init__(self, entries: Sequence[PanelEntry], store: Store) -> None:
        self.entries = {entry.id: entry for entry in entries}
        self.on_built: list[Furnish] = []
        self._store = store
        self._built: dict[str, Panel] = {}
        self._owners: dict[str, str] = {}  # panel ids by the slots in which they have had requests

    def __getitem__(self, name: str) -> Panel:
        if name not in self._built:
            self._built[name] = self.kind(name)(self._store)
            for on_built in self.on_built:
                on_built(self._built[name])
        return self._built[name]

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a panel, without building it, which the method of Mapping would do."""
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def kind(self, name: str) -> type[Panel]:
        """Return the class of a panel, imported now unless it has been."""
        module, _, kind = self.entries[name].place.partition(".")
        return getattr(import_module(f"viewer.panels.{module}"), kind)

    def there(self, name: str) -> Panel | None:
        """Return a panel if it has been built, else None."""
        return self._built.get(name)

    @property
    def built(self) -> list[Panel]:
        """The panels that have been built, in order."""
        return [self._built[name] for name in self.entries if name in self._built]

    def wants(self) -> list[tuple[str, Wants]]:
        """Return for each panel the function that returns its requests for a document, by slot."""
        return [(name, partial(self._requests, name)) for name in self.entries]

    def _requests(self, name: str, document: Document, description: Description | None) -> dict[str, Request]:
        """Return a panel's requests by slot. A panel that cannot have any for the document is not even imported."""
        entry = self.entries[name]
        if not entry.may_ask(document):
            return {}
        if description is None and (entry.described or name in self.unlikely(document.model)):
            return {}
        if description is not None and entry.lacking(description):
            return {}
        found: dict[str, Request] = {}
        for slot, want in self.kind(name).slots():
            wanted = want(document, description)
            found |= wanted if isinstance(wanted, Mapping) else {slot: wanted} if wanted is not None else {}
        self._owners |= dict.fromkeys(found, name)
        return found

    def answered(self, slot: str) -> None:
        """Build the panel that a slot belongs to: it has something to show, whether open or not."""
        if slot in self._owners:
            _ = self[self._owners[slot]]

    def build_painting(self, document: Document) -> None:
        """Build the panels that paint something for a document, visible or not."""
        for name, entry in self.entries.items():
            if entry.may_paint(document):
                _ = self[name]

    def unlikely(self, model: str) -> set[str]:
        """Return the panels that a model, not yet described, is unlikely to support, judged by its task."""
        own = {*BY_TASK.get(task(model), ())}
        foreign = {*RARE, *(need for needs in BY_TASK.values() for need in needs)} - own if own else set()
        return {
            name for name, entry in self.entries.items() if foreign & {*entry.needs} and not own & {*entry.suffices}
        }
