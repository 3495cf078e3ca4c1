"""What a running inspection may ask of its surroundings: report progress, notice a cancel, put work off until idle."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from models.types import Cancelled

Progress = Callable[[float | None, str], None]


def _silent(fraction: float | None, text: str) -> None:
    """Report to nobody."""


@dataclass
class Context:
    """The surroundings of one request. `timings` collects milliseconds per stage, less what stages inside it take.

    Cached stages are absent from it. `odd` are stages that gave what is not a number.
    """

    report: Progress = _silent
    cancelled: Callable[[], bool] = lambda: False
    later: Callable[[Hashable, Iterator[None]], None] | None = None
    model: Callable[[str], Any] | None = None
    timings: dict[str, float] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    _inside_ms: float = 0.0

    def progress(self, fraction: float | None, text: str) -> None:
        """Report what is done now and how much (0 to 1, None for unknown); raises Cancelled when it was called off."""
        self.check()
        self.report(fraction, text)

    def check(self) -> None:
        """Raise Cancelled when the request was called off."""
        if self.cancelled():
            raise Cancelled

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage into `timings`, in ms, after checking for a cancel."""
        self.check()
        start, outer_ms, self._inside_ms = time.perf_counter(), self._inside_ms, 0.0
        yield
        took_ms = (time.perf_counter() - start) * 1000
        self.timings[name] = self.timings.get(name, 0.0) + took_ms - self._inside_ms
        self._inside_ms = outer_ms + took_ms
