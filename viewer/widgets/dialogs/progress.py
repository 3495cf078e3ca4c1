"""The engine's activity in the status bar: text, thin progress bar, Cancel. Short work is not shown."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QToolButton, QWidget

from viewer.translation import tr
from viewer.widgets.controls.elided_label import ElidedLabel

# Work shorter than the first is not shown; the second bridges gaps between requests, so that the bar does not flicker.
DELAY_MS = 150
LINGER_MS = 120
PARTS = 1000
BAR_WIDTH = 120  # pixels, like those below
BAR_HEIGHT = 6
GAP = 8
CANCELLING = tr("Cancelling…")


class Activity(QWidget):
    """Hidden when idle. `cancelled` is emitted at most once per piece of work."""

    cancelled = Signal()

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._busy = False
        self.text = ElidedLabel(parent=self)
        self.text.setProperty("small", True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setFixedSize(BAR_WIDTH, BAR_HEIGHT)
        self.bar.setAccessibleName(tr("Progress"))
        self.cancel = QToolButton(self)
        self.cancel.setText(tr("Cancel"))
        self.cancel.setToolTip(tr("Cancel (Esc)"))
        self.cancel.setAccessibleName(tr("Cancel"))
        self.cancel.setAutoRaise(True)
        self.cancel.clicked.connect(self.ask_to_cancel)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(GAP)
        line.addWidget(self.text, 1)
        line.addWidget(self.bar)
        line.addWidget(self.cancel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._delay = _timer(DELAY_MS, parent=self)
        self._delay.timeout.connect(self.show)
        self._linger = _timer(LINGER_MS, parent=self)
        self._linger.timeout.connect(self.hide)
        self.hide()

    @property
    def busy(self) -> bool:
        """Return whether work is in progress, shown or not."""
        return self._busy

    def start(self, text: str) -> None:
        """Show `text` with an indeterminate bar, once the work has lasted DELAY_MS."""
        self._busy = True
        self._linger.stop()
        self.text.setText(text)
        self.bar.setRange(0, 0)
        self.cancel.setEnabled(True)
        if self.isHidden() and not self._delay.isActive():
            self._delay.start()

    def set_progress(self, fraction: float | None, text: str = "") -> None:
        """Set the fraction done (0 to 1, None if unknown), and the text if given."""
        if not self._busy:
            return
        if fraction is None:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, PARTS)
            self.bar.setValue(round(PARTS * max(0.0, min(1.0, fraction))))
        if text and self.cancel.isEnabled():
            self.text.setText(text)

    def finish(self) -> None:
        """Hide the widget, unless other work starts within LINGER_MS."""
        self._busy = False
        self._delay.stop()
        self.cancel.setEnabled(False)
        self._linger.start()

    def ask_to_cancel(self) -> None:
        """Request cancellation, once."""
        if self._busy and self.cancel.isEnabled():
            self.cancel.setEnabled(False)
            self.text.setText(CANCELLING)
            self.cancelled.emit()


def _timer(interval: int, *, parent: QWidget) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(interval)
    return timer
