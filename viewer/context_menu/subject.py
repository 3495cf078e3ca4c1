"""The subject of a context menu: what lies under the pointer, told by the widget that shows it.

A widget that shows things answers `subject_at(place)`. Tables, lists and trees are read as text; what else is known
of a row, their model tells under the role `KNOWN`, as fields of a Subject. None of them opens a menu: the event goes up
to the panel, and which actions a subject has is one table for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QImage
from PySide6.QtWidgets import QAbstractItemView, QAbstractScrollArea, QApplication, QHeaderView, QListView, QWidget

Offer = tuple[str, Callable[[], object]]
Box = tuple[float, float, float, float]
KNOWN = Qt.ItemDataRole.UserRole + 64
MOST_LEVELS = 32  # of a tree whose rows are listed as text


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """What is known of a thing; each field that is set brings the actions for it.

    `name` names the files that are exported, `text` says in words what it is, `table` returns the text of all rows of
    its list, tab-separated. `path` is the file of a picture, `strip` its number in the film strip. `detection` is the
    id of a box, `label` the name of a class, `box` a rectangle in pixels of the picture that was asked about.
    `picture` is what is seen of it. `offers` is what only its widget can do, `view` how it can be looked at, and
    `export` the id of a command that exports everything its widget shows.
    """

    name: str = ""
    text: str = ""
    table: Callable[[], str] | None = None
    path: str = ""
    strip: int = -1
    detection: int = -1
    label: str = ""
    box: Box | None = None
    picture: QImage | None = None
    offers: Sequence[Offer] = ()
    view: Sequence[Offer] = ()
    export: str = ""


@runtime_checkable
class ShowsSubjects(Protocol):
    """A widget that tells what lies at a place of it, or without a place what is chosen in it; None for nothing."""

    def subject_at(self, place: QPoint | None) -> Subject | None: ...


def find(root: QWidget, event: QContextMenuEvent) -> Subject | None:
    """Return what a context menu event is about: what lies under the pointer, or is chosen where the focus is."""
    by_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
    widget = root.childAt(event.pos()) if by_mouse else QApplication.focusWidget()
    if widget is not None and not root.isAncestorOf(widget):
        return None
    while widget is not None and widget is not root:
        inner = widget.viewport() if isinstance(widget, QAbstractScrollArea) else widget
        place = inner.mapFrom(root, event.pos()) if by_mouse else None
        if isinstance(widget, ShowsSubjects):
            return widget.subject_at(place)
        if isinstance(widget, QAbstractItemView) and not isinstance(widget, QHeaderView):
            return row_of(widget, place)
        widget = widget.parentWidget()
    return None


def row_of(view: QAbstractItemView, place: QPoint | None, **more: Any) -> Subject | None:
    """Return the row of a table, list or tree at a place, or its current one; `more` are further fields of it."""
    if view.model() is None or not view.model().rowCount():
        return None
    index = view.indexAt(place) if place is not None else view.currentIndex()
    fields: dict[str, Any] = {"name": view.accessibleName(), "table": lambda: _table(view)}
    if index.isValid():
        fields |= {"text": "\t".join(_row(view, index)), **(index.data(KNOWN) or {})}
    return Subject(**fields | more)


def _row(view: QAbstractItemView, index: QModelIndex) -> list[str]:
    cells = (index.siblingAtColumn(column) for column in range(_columns(view)))
    return [str(cell.data() or "").replace("\n", " ") for cell in cells]


def _columns(view: QAbstractItemView) -> int:
    """Return the number of columns; models of lists do not tell it."""
    return 1 if isinstance(view, QListView) else view.model().columnCount()


def _table(view: QAbstractItemView) -> str:
    across, head = Qt.Orientation.Horizontal, list[str]()
    if not isinstance(view, QListView):
        titles = [view.model().headerData(column, across) for column in range(_columns(view))]
        head.append("\t".join(str(title or "") for title in titles))
    return "\n".join([*head, *("\t".join(row) for row in _rows(view, QModelIndex()))])


def _rows(view: QAbstractItemView, parent: QModelIndex, level: int = 0) -> Iterator[list[str]]:
    for row in range(view.model().rowCount(parent)):
        index = view.model().index(row, 0, parent)
        yield _row(view, index)
        if level < MOST_LEVELS:
            yield from _rows(view, index, level + 1)
