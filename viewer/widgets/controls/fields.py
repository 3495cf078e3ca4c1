"""Rows for settings that are not numbers: a switch, a choice, a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRectF,
    QSignalBlocker,
    QSize,
    Qt,
)
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QCompleter, QLineEdit, QSizePolicy, QWidget

from viewer import theme
from viewer.translation import tr
from viewer.widgets.controls.row import Row

SWITCH = QSize(32, 16)  # pixels


class CheckRow(Row):
    """A switch; clicking the title toggles it too."""

    def __init__(
        self,
        title: str,
        *,
        value: bool = False,
        help: str = "",  # noqa: A002 - the name it has in Parameter
        key: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, value, key=key, help=help, parent=parent)
        self.box = _Switch(self)
        self.box.setChecked(value)
        self._place(self.box, column=1, span=2)
        self.box.clicked.connect(self._clicked)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Toggle the switch on a click on the title. A double click toggles twice here instead of resetting the row."""
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
            if isinstance(event, QMouseEvent) and event.button() == Qt.MouseButton.LeftButton:
                self.box.click()
            return True
        return QWidget.eventFilter(self, watched, event)

    def _show(self, value: object) -> None:
        self.box.setChecked(bool(value))

    def _default_text(self) -> str:
        return tr("on") if self._default else tr("off")

    def _clicked(self, checked: bool) -> None:
        self._user(checked, final=True)


class ChoiceRow(Row):
    """A choice of several words, displayed as `titles` if given."""

    def __init__(
        self,
        title: str,
        *,
        choices: Sequence[str],
        titles: Sequence[str] = (),
        value: str = "",
        help: str = "",  # noqa: A002 - the name it has in Parameter
        key: str = "",
        parent: QWidget | None = None,
    ) -> None:
        self._titles = dict(zip(choices, titles or choices, strict=True))
        super().__init__(title, value or choices[0], key=key, help=help, parent=parent)
        self.box = _Choice(self)
        for choice, name in self._titles.items():
            self.box.addItem(name, choice)
        self._place(self.box, column=1, span=2)
        self._show(self._value)
        self.box.activated.connect(self._chosen)

    def _show(self, value: object) -> None:
        with QSignalBlocker(self.box):
            self.box.setCurrentIndex(self.box.findData(str(value)))

    def _default_text(self) -> str:
        return self._titles.get(str(self._default), str(self._default))

    def _chosen(self, index: int) -> None:
        self._user(str(self.box.itemData(index)), final=True)


class TextRow(Row):
    """A line of text. If a check is set, its message appears under the line and invalid text is not reported."""

    def __init__(
        self,
        title: str,
        *,
        value: str = "",
        help: str = "",  # noqa: A002 - the name it has in Parameter
        key: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, value, key=key, help=help, parent=parent)
        self.line = QLineEdit(value, self)
        self._check: Callable[[str], str] | None = None
        self._place(self.line, column=1, span=2)
        self.line.textEdited.connect(self._typed)
        self.line.editingFinished.connect(self._finish)

    def set_check(self, check: Callable[[str], str], *, words: Sequence[str] = (), between: str = "") -> None:
        """Validate text with `check` and complete `words` between any of the separator characters `between`.

        `check` returns what is wrong with a text, or "".
        """
        self._check = check
        self.line.setCompleter(_Words(words, between, parent=self.line))

    def set_value(self, value: object) -> None:
        """Show a text without emitting a signal, unless the user is typing an invalid text, which is kept."""
        if not (self.line.hasFocus() and self._wrong(self.line.text())):
            super().set_value(value)

    def _show(self, value: object) -> None:
        self.line.setText(str(value))
        self._say(self._wrong(str(value)))

    def _default_text(self) -> str:
        return str(self._default) or tr("empty")

    def _typed(self, text: str) -> None:
        wrong = self._wrong(text)
        self._say(wrong)
        if not wrong:
            self._user(text, final=False)

    def _finish(self) -> None:
        if not self._wrong(self.line.text()):
            self._user(self.line.text(), final=True)

    def _wrong(self, text: str) -> str:
        return self._check(text) if self._check is not None else ""

    def _say(self, wrong: str) -> None:
        if self.label.isEnabled():
            self.reason.setText(wrong)
            self.reason.setVisible(bool(wrong))


class _Words(QCompleter):
    """Completes the last word typed instead of the whole line."""

    def __init__(self, words: Sequence[str], between: str, *, parent: QWidget) -> None:
        super().__init__(list(words), parent)
        self._between = f"[{re.escape(between)}]" if between else "$^"
        self.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)

    def splitPath(self, path: str) -> list[str]:
        """Return the part of the text to complete."""
        return [re.split(self._between, path)[-1].strip()]

    def pathFromIndex(self, index: QModelIndex | QPersistentModelIndex) -> str:
        """Return the whole line with its last word completed."""
        widget = self.widget()
        text = widget.text() if isinstance(widget, QLineEdit) else ""
        typed = re.split(self._between, text)[-1].lstrip()
        return text[: len(text) - len(typed)] + super().pathFromIndex(index)


class _Switch(QCheckBox):
    """A check box painted as a switch, visible on dark backgrounds too."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(SWITCH.width(), 3 * SWITCH.height() // 2)

    def hitButton(self, position: QPoint) -> bool:
        return position.x() <= SWITCH.width()

    def paintEvent(self, event: QPaintEvent) -> None:
        colours, on = theme.colours(), self.isChecked()
        main = colours.border if not self.isEnabled() else colours.accent if on or self.hasFocus() else colours.muted
        track = QRectF(1, (self.height() - SWITCH.height()) / 2, SWITCH.width() - 2, SWITCH.height())
        radius = track.height() / 2
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(main, 1.5))
        painter.setBrush(main if on else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(track, radius, radius)
        painter.setPen(QPen(colours.text, 1) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(colours.panel if on else main)
        middle = QPointF(track.right() - radius if on else track.left() + radius, track.center().y())
        painter.drawEllipse(middle, radius - 3, radius - 3)


class _Choice(QComboBox):
    """A combo box that can shrink, and that scrolls only when focused."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
