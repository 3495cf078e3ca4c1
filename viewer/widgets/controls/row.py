"""What every labelled setting has in common: title, default, reset, the reason why it is greyed. Not the control."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from viewer.widgets.plain import plain

GAP = 8


class Row(QWidget):
    """A title beside a control. Signals tell what the *user* did; nothing is emitted for values that are set from code.

    A subclass adds its controls with `_place`, writes a value into them in `_show`, and calls `_user` for a gesture.
    """

    default_title = "Model's own value"

    changed = Signal(object)
    committed = Signal(object)
    reported = Signal(str, object, bool)  # key, value, whether it is final

    def __init__(
        self,
        title: str,
        value: object,
        *,
        key: str = "",
        help: str = "",  # noqa: A002 - the name it has in Parameter
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.key, self.title = key, title
        self._value, self._default, self._committed = value, value, value
        self._help, self._reason = help, ""
        self._known = (True, "", False)  # what set_enabled_reason was last told
        self._controls: list[QWidget] = []
        self.label = QLabel(title, self)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        self.label.installEventFilter(self)
        self.reason = QLabel(self)
        self.reason.setTextFormat(Qt.TextFormat.PlainText)
        self.reason.setWordWrap(True)
        self.reason.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.reason.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GAP)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.label, 0, 0)
        grid.addWidget(self.reason, 1, 0, 1, 3)
        grid.setColumnStretch(1, 1)
        self._grid = grid

    @property
    def value(self) -> object:
        """The value as last set or entered."""
        return self._value

    @property
    def default(self) -> object:
        """The model's own value."""
        return self._default

    @property
    def differs(self) -> bool:
        """Whether the value is another than the model's own."""
        return not same(self._value, self._default)

    def set_value(self, value: object) -> None:
        """Show a value without telling anyone."""
        if self._value != value:  # the echo of a drag must not pass for its end
            self._value = self._committed = value
            self._show(value)

    def set_default(self, value: object) -> None:
        """Set the value that a double click goes back to."""
        self._default = value
        self._describe()

    def reset(self) -> None:
        """Go back to the model's own value, as a gesture of the user."""
        self._user(self._default, final=True)
        self._show(self._value)

    def set_enabled_reason(self, enabled: bool, reason: str = "", *, quiet: bool = False) -> None:
        """Grey the control and say why, under it unless `quiet`, and in its tooltip and accessible description."""
        known = (enabled, reason, quiet)
        if known == self._known:
            return
        self._known = known
        self._reason = "" if enabled else reason
        self.label.setEnabled(enabled)
        for control in self._controls:
            control.setEnabled(enabled)
        self.reason.setText(self._reason)
        self.reason.setVisible(bool(self._reason) and not quiet)
        self._describe()

    def label_hint(self) -> int:
        """Return the width in pixels at which the title stands on one line."""
        return self.label.fontMetrics().horizontalAdvance(self.title) + 2

    def set_label_width(self, width: int) -> None:
        """Give the title a fixed width in pixels, so that the controls of several rows align."""
        self.label.setFixedWidth(width)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Go back to the model's own value on a double click on the title."""
        if event.type() == QEvent.Type.MouseButtonDblClick and self.label.isEnabled():
            self.reset()
            return True
        return super().eventFilter(watched, event)

    def _place(self, control: QWidget, *, column: int, span: int = 1, name: str = "") -> None:
        control.setAccessibleName(name or self.title)
        self._controls.append(control)
        self._grid.addWidget(control, 0, column, 1, span)
        self._describe()

    def _show(self, value: object) -> None:
        """Write a value into the control without emitting."""
        raise NotImplementedError

    def _default_text(self) -> str:
        return str(self._default)

    def _describe(self) -> None:
        own = f"{self.default_title}: {self._default_text()}"
        text = "\n".join(part for part in (self._reason, self._help, own) if part)
        for part in (self, self.label, *self._controls):
            part.setToolTip(plain(text))
            part.setAccessibleDescription(text.replace("\n", " "))

    def _user(self, value: object, *, final: bool) -> None:
        """Take a value from the user: tell of it if it is another one, and of a final one once."""
        if value != self._value:
            self._value = value
            self.changed.emit(value)
            self.reported.emit(self.key, value, False)
        if final and value != self._committed:
            self._committed = value
            self.committed.emit(value)
            self.reported.emit(self.key, value, True)


def same(a: object, b: object) -> bool:
    """Tell whether two values are one setting; numbers may differ by rounding."""
    if isinstance(a, float) and isinstance(b, int | float):
        return abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b))
    return a == b
