"""A collapsible section of a form."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from viewer.translation import tr

GAP = 8


class Section(QWidget):
    """A title that shows or hides the widgets under it; `toggled` is emitted on the user's click. Starts closed."""

    toggled = Signal(str, bool)

    def __init__(self, title: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self._opened, self._note = False, ""
        self.head = QToolButton(self)
        self.head.setAutoRaise(True)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.head.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.head.setAccessibleName(title)
        self.head.clicked.connect(self._clicked)
        self.body = QWidget(self)
        self.inner = QVBoxLayout(self.body)
        self.inner.setContentsMargins(0, 0, 0, GAP // 2)
        self.inner.setSpacing(GAP)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP // 2)
        column.addWidget(self.head)
        column.addWidget(self.body)
        self.set_note("")
        self.set_open(False)

    @property
    def opened(self) -> bool:
        """Return whether the widgets are shown."""
        return self._opened

    def add(self, widget: QWidget) -> None:
        """Append a widget to the section."""
        self.inner.addWidget(widget)

    def set_open(self, opened: bool) -> None:
        """Show or hide the widgets without emitting a signal."""
        self._opened = opened
        self.head.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.head.setToolTip(tr("Hide these settings") if opened else tr("Show these settings"))
        self._describe()
        self.body.setVisible(opened)

    def set_note(self, note: str) -> None:
        """Show a note beside the title, such as how many settings inside were changed."""
        self._note = note
        self.head.setText(f"{self.title}   {note}".rstrip())
        self._describe()

    def _describe(self) -> None:
        self.head.setAccessibleDescription(f"{tr('unfolded') if self._opened else tr('folded')} {self._note}".rstrip())

    def _clicked(self) -> None:
        self.set_open(not self._opened)
        self.toggled.emit(self.title, self._opened)
