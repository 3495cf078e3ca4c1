"""The order in which the Tab key visits the controls of a widget: that in which they are read."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QAbstractItemView, QAbstractSpinBox, QComboBox, QScrollArea, QWidget

# Their parts are visited as the control itself.
WHOLE = (QAbstractItemView, QAbstractSpinBox, QComboBox)


def put_in_reading_order(widget: QWidget) -> None:
    """Let the Tab key visit the controls inside `widget` row by row from the top, each row from the left.

    Qt's own order is that in which the controls were made, which is another where a form is filled later.
    """
    for before, after in pairwise(in_reading_order(widget)):
        QWidget.setTabOrder(before, after)


def in_reading_order(widget: QWidget) -> list[QWidget]:
    """Return the shown controls inside `widget` that the Tab key visits, as they are read: by the recursive cut.

    Controls that a horizontal line parts are rows, read from the top; within a row those that a vertical line parts are
    columns, read from the left, and so on (Nagy and Seth 1984). A scrolling area is read as a whole, as all of it is.
    """
    visited = [each for each in widget.findChildren(QWidget) if _is_visited(each, widget)]
    areas = {each: _area_around(each, widget) for each in visited}
    items = dict.fromkeys(areas[each] or each for each in visited)
    places = {each: QRect(each.mapTo(widget, QPoint()), each.size()) for each in items}
    for each in items:
        if not isinstance(each, QScrollArea) and any(each.isAncestorOf(other) for other in items if other is not each):
            places[each].setSize(QSize())  # it is visited before what it holds
    found: list[QWidget] = []
    for item in _read(list(items), places, across=False):
        found += [item] if item in areas else []
        inside = item.widget() if isinstance(item, QScrollArea) else None
        found += in_reading_order(inside) if inside is not None else []
    return found


def _read(items: list[QWidget], places: dict[QWidget, QRect], *, across: bool, tried: bool = False) -> list[QWidget]:
    """Return items as they are read, cut into columns (`across`) or rows; `tried` if the other cut parted nothing."""
    if len(items) < 2:
        return items
    parts: list[list[QWidget]] = []
    end = 0
    for each in sorted(items, key=lambda one: places[one].x() if across else places[one].y()):
        place = places[each]
        start, size = (place.x(), place.width()) if across else (place.y(), place.height())
        if not parts or start >= end:
            parts.append([])
            end = start
        parts[-1].append(each)
        end = max(end, start + size)
    if len(parts) == 1 and tried:
        return _in_rows(items, places)
    return [each for part in parts for each in _read(part, places, across=not across, tried=len(parts) == 1)]


def _in_rows(items: list[QWidget], places: dict[QWidget, QRect]) -> list[QWidget]:
    """Return items that no line parts: those with their middle beside the highest that is left, from the left."""
    found, left = [], sorted(items, key=lambda one: (places[one].y(), places[one].x()))
    while left:
        bottom = places[left[0]].bottom()
        row = [one for one in left if one is left[0] or places[one].center().y() <= bottom]
        left = [one for one in left if one not in row]
        found += sorted(row, key=lambda one: (places[one].x(), places[one].y()))
    return found


def _area_around(control: QWidget, widget: QWidget) -> QScrollArea | None:
    """Return the outermost scrolling area inside `widget` that a control is in."""
    found, parent = None, control.parentWidget()
    while parent is not None and parent is not widget:
        found = parent if isinstance(parent, QScrollArea) else found
        parent = parent.parentWidget()
    return found


def _is_visited(control: QWidget, widget: QWidget) -> bool:
    """Tell whether the Tab key stops at a control: shown, with a focus of its own, and no part of another."""
    takes = control.focusPolicy() & Qt.FocusPolicy.TabFocus == Qt.FocusPolicy.TabFocus
    if not takes or control.isWindow() or control.focusProxy() is not None or not control.isVisibleTo(widget):
        return False
    parent = control.parentWidget()
    while parent is not None and parent is not widget:
        if isinstance(parent, WHOLE) or parent.isWindow():
            return False
        parent = parent.parentWidget()
    return True
