"""Playback of precomputed frames in real time. Late frames are skipped on screen; an exported file has every frame."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal

LOOK_MS = 4  # short enough that a frame is at most a fraction of a screen refresh late


def due(first: int, seconds: float, *, fps: float, count: int, loop: bool) -> int:
    """Return the frame due `seconds` after frame `first`.

    A loop wraps around; otherwise playback stays on the last frame.
    """
    # The product may round to just below the number of a frame that is due now.
    number = first + int(seconds * fps + 1e-6)
    return number % count if loop else min(number, count - 1)


class Player(QObject):
    """Emits each due frame once through `frame`, and `ended` after the last one unless looping."""

    frame = Signal(int)
    ended = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._check_time)
        self._clock = QElapsedTimer()
        self._first, self._shown = 0, -1
        self._fps, self._count, self._loop = 1.0, 0, False

    @property
    def playing(self) -> bool:
        """Return whether playback is running."""
        return self._timer.isActive()

    def play(self, first: int, *, count: int, fps: float, loop: bool) -> None:
        """Start at frame `first`; also used to continue from it when the path changed."""
        self._first, self._shown = min(first, count - 1), -1
        self._count, self._fps, self._loop = count, fps, loop
        self._clock.start()
        self._timer.start()
        self._check_time()

    def stop(self) -> None:
        """Stop playback."""
        self._timer.stop()

    def _check_time(self) -> None:
        seconds = self._clock.nsecsElapsed() / 1e9
        number = due(self._first, seconds, fps=self._fps, count=self._count, loop=self._loop)
        if number != self._shown:
            self._shown = number
            self.frame.emit(number)
        if not self._loop and number == self._count - 1 and self.playing:
            self.stop()
            self.ended.emit()
