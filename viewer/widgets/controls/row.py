"""The base class of labelled settings: title, default value, reset, and the reason why a row is disabled."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from viewer.translation import tr
from viewer.widgets.controls.elided_label import plain

GAP = 8


class Row(QWidget):
    """A title beside a control. Signals report the *user's* edits; values set from code emit nothing.

    Subclasses add their controls with `_place`, show a value in `_show`, and call `_user` when the user changes one.
    """

    default_title = tr("Model's own value")

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
        self._known = (True, "", False)  # the last arguments of set_enabled_reason
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
        """Return the value as last set or entered."""
        return self._value

    @property
    def default(self) -> object:
        """Return the default value."""
        return self._default

    @property
    def differs(self) -> bool:
        """Return whether the value differs from the default."""
        return not same(self._value, self._default)

    def set_value(self, value: object) -> None:
        """Show a value without emitting a signal."""
        if self._value != value:  # an echoed drag value must not count as the drag's final value
            self._value = self._committed = value
            self._show(value)

    def set_default(self, value: object) -> None:
        """Set the value that a double click resets to."""
        self._default = value
        self._describe()

    def reset(self) -> None:
        """Reset to the default, reported like an edit by the user."""
        self._user(self._default, final=True)
        self._show(self._value)

    def set_enabled_reason(self, enabled: bool, reason: str = "", *, quiet: bool = False) -> None:
        """Enable or disable the control, and set the reason shown under it (unless `quiet`) and in its tooltip."""
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
        """Return the width in pixels at which the title fits on one line."""
        return self.label.fontMetrics().horizontalAdvance(self.title) + 2

    def set_label_width(self, width: int) -> None:
        """Give the title a fixed width in pixels, so that the controls of several rows align."""
        self.label.setFixedWidth(width)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Reset to the default on a double click on the title."""
        if event.type() == QEvent.Type.MouseButtonDblClick and self.label.isEnabled():
            self.reset()
            return True
        return super().eventFilter(watched, event)

    def name_of(self, whole: str) -> None:
        """Tell screen readers what the row is of, where rows of other panels have the same title."""
        for control in self._controls:
            control.setAccessibleName(tr("{name} ({panel})", name=control.accessibleName(), panel=whole))

    def _place(self, control: QWidget, *, column: int, span: int = 1, name: str = "") -> None:
        control.setAccessibleName(name or self.title)
        self._controls.append(control)
        self._grid.addWidget(control, 0, column, 1, span)
        self._describe()

    def _show(self, value: object) -> None:
        """Show a value in the control without emitting a signal."""
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
        """Take a value from the user: report it if it changed, and report a final value once."""
        if value != self._value:
            self._value = value
            self.changed.emit(value)
            self.reported.emit(self.key, value, False)
        if final and value != self._committed:
            self._committed = value
            self.committed.emit(value)
            self.reported.emit(self.key, value, True)


def same(a: object, b: object) -> bool:
    """Return whether two values are the same setting; numbers may differ by rounding errors."""
    if isinstance(a, float) and isinstance(b, int | float):
        return abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b))
    return a == b
