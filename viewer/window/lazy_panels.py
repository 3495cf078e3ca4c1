"""The panels of a window, built when first shown or first needed, so that closed ones cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from models.cards.card import task
from viewer.panels.base import Panel
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
}
Furnish = Callable[[Panel], None]


class LazyPanels(Mapping[str, Panel]):
    """Panels by id, in the order of their `kinds`. `furnish` updates a newly built one."""

    def __init__(self, kinds: Sequence[type[Panel]], store: Store) -> None:
        self.kinds = {kind.id: kind for kind in kinds}
        self.furnish: list[Furnish] = []
        self._store = store
        self._built: dict[str, Panel] = {}
        self._slots = {slot: kind.id for kind in kinds for slot, _ in kind.slots()}

    def __getitem__(self, name: str) -> Panel:
        if name not in self._built:
            kind = self.kinds[name]
            self._built[name] = kind(self._store)
            for furnish in self.furnish:
                furnish(self._built[name])
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.kinds)

    def __len__(self) -> int:
        return len(self.kinds)

    def there(self, name: str) -> Panel | None:
        """Return a panel if it has been built, else None."""
        return self._built.get(name)

    @property
    def built(self) -> list[Panel]:
        """The panels that have been built, in order."""
        return [self._built[name] for name in self.kinds if name in self._built]

    def slots(self) -> list[tuple[str, Wants]]:
        """Return every slot in which a panel may have requests."""
        return [slot for kind in self.kinds.values() for slot in kind.slots()]

    def answered(self, slot: str) -> None:
        """Build the panel that a slot belongs to: it has something to show, whether open or not."""
        if slot in self._slots:
            _ = self[self._slots[slot]]

    def call(self, document: Document) -> None:
        """Build the panels that paint something for a document, visible or not."""
        for name, kind in self.kinds.items():
            if kind.called(document):
                _ = self[name]

    def unlikely(self, model: str) -> set[str]:
        """Return the panels that a model, not yet described, is unlikely to support, judged by its task."""
        own = BY_TASK.get(task(model))
        foreign = {need for needs in BY_TASK.values() for need in needs} - {*own} if own else set()
        return {name for name, kind in self.kinds.items() if foreign & {*kind.needs}}

    def with_truth(self) -> None:
        """Build the panels that use ground truth."""
        for name, kind in self.kinds.items():
            if kind.show_truth is not Panel.show_truth:
                _ = self[name]
