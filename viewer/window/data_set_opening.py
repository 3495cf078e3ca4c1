"""Opens data sets, and offers to: of what was dropped, once and, if the user took it up, each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QTimer

from models.truth.read import TABLE, recognise
from models.truth.tables import has_boxes
from models.types import Source
from viewer.session.document import Document
from viewer.translation import tr
from viewer.window.context import WindowContext

ALWAYS = "dropped_data_sets"  # among the settings: whether what is dropped opens as a data set by itself
TABLES = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt", ".lst", ".list"}
KEY = "dropped data set"


def open_data_set(context: WindowContext, path: str) -> None:
    """Make a folder, table or ground truth the open data set, and show its panel."""
    source, store = Source.file(path), context.session.store
    context.settings.last_folder = str(Path(path).parent)
    store.update(store.document.with_data_set(source), title=tr("Open the data set {name}", name=source.name))
    context.docks.show("data_set")


def is_table(path: str | Path) -> bool:
    """Tell whether a file can only be opened as a data set: a table or list that is no ground truth of boxes."""
    path = Path(path)
    if path.suffix.lower() not in TABLES or not path.is_file():
        return False
    kind = recognise(path)
    return not kind or (kind == TABLE and not has_boxes(path))


class DataSetOffer:
    """Offers what was dropped as a data set, or opens it if that was chosen before; ground truth once it was read."""

    def __init__(self, context: WindowContext) -> None:
        self._context = context
        self._awaited = ""
        context.session.store.listen(self._changed)

    def dropped(self, paths: Sequence[str | Path]) -> None:
        """Offer the one folder or ground truth among paths."""
        found = [str(Path(path).absolute()) for path in paths if Path(path).is_dir() or recognise(path)]
        self._awaited = ""
        if len(found) == 1:
            if recognise(found[0]):
                self._awaited = found[0]
            else:
                _offer(self._context, found[0])

    def _changed(self, before: Document, after: Document) -> None:
        if self._awaited and after.truth is not None and after.truth != before.truth:
            path, self._awaited = self._awaited, ""
            if after.truth.path == path:
                # Not while the store tells of the change.
                QTimer.singleShot(0, self._context.frame, partial(_offer, self._context, path))


def _offer(context: WindowContext, path: str) -> None:
    name = Path(path).name
    if context.settings.extra.get(ALWAYS):
        open_data_set(context, path)
        text = tr("{name} is open as a data set too, as you chose before.", name=name)
        context.messages.tell(text, key=KEY, action=(tr("Not in future"), partial(_remember, context, False)))
        return
    text = tr("{name} can also be a data set: the model then goes over all of its pictures.", name=name)
    action = (tr("Open as data set, now and in future"), partial(_accept, context, path))
    context.messages.tell(text, key=KEY, action=action, holds=_until_closed(context, path))


def _until_closed(context: WindowContext, path: str) -> Callable[[], bool]:
    """Return what tells whether a folder's pictures, or ground truth, are open or still to be opened."""
    was_open = False

    def holds() -> bool:
        nonlocal was_open
        document, folder = context.session.store.document, Path(path)
        is_truth = document.truth is not None and document.truth.path == path
        is_open = is_truth or any(folder in Path(source.path).parents for source in document.sources)
        was_open |= is_open
        return is_open or not was_open

    return holds


def _accept(context: WindowContext, path: str) -> None:
    _remember(context, True)
    open_data_set(context, path)


def _remember(context: WindowContext, always: bool) -> None:
    context.settings.extra[ALWAYS] = always
    context.settings.save()
