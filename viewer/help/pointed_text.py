"""The text under the pointer or of a focused control, for looking words up in the glossary."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6 import QtGui
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextDocument, QTextLayout, QTextOption
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLabel,
    QTabBar,
    QWidget,
)

from viewer.help import glossary
from viewer.help.glossary_term import Term

DISPLAY = Qt.ItemDataRole.DisplayRole


def term_at(widget: QWidget, place: QPoint) -> Term | None:
    """Return the term at a place on screen in the widget under it: the very word if possible, else near it."""
    if isinstance(widget, QLabel):
        text = _readable(widget)
        at = _letter(widget, text, widget.mapFromGlobal(place))
        if (term := glossary.find(text, at=at) if at >= 0 else None) is not None:
            return term
    return _first(_texts_at(widget, place)) or term_of(widget)


def term_of(widget: QWidget) -> Term | None:
    """Return the term of a control: in its name, its text, its description, or those of what it is in."""
    return _first(_texts_of(widget))


def _first(texts: Iterator[str]) -> Term | None:
    return next((term for text in texts if text and (term := glossary.find(text)) is not None), None)


def _texts_at(widget: QWidget, place: QPoint) -> Iterator[str]:
    """Yield the texts at a place of tables, headers and tabs."""
    inside, parent = widget.mapFromGlobal(place), widget.parentWidget()
    header = widget if isinstance(widget, QHeaderView) else parent
    if isinstance(header, QHeaderView):
        section = header.logicalIndexAt(header.viewport().mapFromGlobal(place))
        yield str(header.model().headerData(section, header.orientation(), DISPLAY) or "")
        yield str(header.model().headerData(section, header.orientation(), Qt.ItemDataRole.ToolTipRole) or "")
    elif isinstance(parent, QAbstractItemView):
        index = parent.indexAt(inside)
        if index.isValid():
            model = parent.model()
            yield str(index.data(DISPLAY) or "")
            yield str(index.data(Qt.ItemDataRole.ToolTipRole) or "")
            yield str(model.headerData(index.column(), Qt.Orientation.Horizontal, DISPLAY) or "")
    elif isinstance(widget, QTabBar):
        yield widget.tabText(widget.tabAt(inside))


def _texts_of(widget: QWidget) -> Iterator[str]:
    """Yield the texts of a widget and then of those that it is in, up to the panel."""
    each: QWidget | None = widget
    while each is not None and not each.isWindow() and each.objectName()[:5] != "dock-":
        if isinstance(each, QLabel):
            yield _readable(each)
        elif isinstance(each, QAbstractButton):
            yield each.text()
        elif isinstance(each, QComboBox):
            yield each.currentText()
        elif isinstance(each, QAbstractItemView) and each.currentIndex().isValid():
            yield str(each.currentIndex().data(DISPLAY) or "")
        yield from (each.accessibleName(), each.toolTip())
        each = each.parentWidget()


def _readable(label: QLabel) -> str:
    """Return a label's text without marks of rich text."""
    text = label.text()
    if label.textFormat() == Qt.TextFormat.RichText or (
        label.textFormat() == Qt.TextFormat.AutoText and QtGui.Qt.mightBeRichText(text)
    ):
        document = QTextDocument()
        document.setHtml(text)
        return document.toPlainText()
    return text


def _letter(label: QLabel, text: str, place: QPoint) -> int:
    """Return the index of the letter of a label's text at a place within it, -1 if there is none."""
    area = label.contentsRect()
    layout = QTextLayout(text.replace("\n", "\u2028"), label.font())
    option = QTextOption(label.alignment())
    wrapped = label.wordWrap() or getattr(label, "hasHeightForWidth", lambda: False)()
    option.setWrapMode(
        QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere if wrapped else QTextOption.WrapMode.ManualWrap
    )
    layout.setTextOption(option)
    layout.beginLayout()
    height = 0.0
    lines = []
    while (line := layout.createLine()).isValid():
        line.setLineWidth(max(1, area.width()))
        lines.append((line, height))
        height += line.height()
    layout.endLayout()
    top = area.top()
    if label.alignment() & Qt.AlignmentFlag.AlignVCenter:
        top += int(max(0.0, area.height() - height) / 2)
    elif label.alignment() & Qt.AlignmentFlag.AlignBottom:
        top += int(max(0.0, area.height() - height))
    for line, above in lines:
        x = place.x() - area.left()
        if above <= place.y() - top < above + line.height() and x - line.naturalTextRect().left() >= 0:
            if x > line.naturalTextRect().right():
                return -1
            found = line.xToCursor(x, line.CursorPosition.CursorOnCharacter)
            return int(found[0] if isinstance(found, tuple) else found)
    return -1
