"""Plays frames that are all there: the clock says which is due on the screen. Files count frames, not time."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal

LOOK_MS = 4  # often enough for no frame of a screen to be late


def due(first: int, seconds: float, *, fps: float, count: int, loop: bool) -> int:
    """Return the frame due some seconds after `first` was: of a loop round and round, else the last at most."""
    number = first + int(seconds * fps + 1e-6)
    return number % count if loop else min(number, count - 1)


class Player(QObject):
    """Says by `frame` which one is due, each once; `ended` when the last was shown and there is no loop."""

    frame = Signal(int)
    ended = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._clock = QElapsedTimer()
        self._first, self._shown = 0, -1
        self._fps, self._count, self._loop = 1.0, 0, False

    @property
    def playing(self) -> bool:
        """Whether frames are being shown."""
        return self._timer.isActive()

    def play(self, first: int, *, count: int, fps: float, loop: bool) -> None:
        """Begin at a frame, or go on from it where a path became another one."""
        self._first, self._shown = min(first, count - 1), -1
        self._count, self._fps, self._loop = count, fps, loop
        self._clock.start()
        self._timer.start()
        self._look()

    def stop(self) -> None:
        """Show no further frame."""
        self._timer.stop()

    def _look(self) -> None:
        seconds = self._clock.nsecsElapsed() / 1e9
        number = due(self._first, seconds, fps=self._fps, count=self._count, loop=self._loop)
        if number != self._shown:
            self._shown = number
            self.frame.emit(number)
        if not self._loop and number == self._count - 1 and self.playing:
            self.stop()
            self.ended.emit()
