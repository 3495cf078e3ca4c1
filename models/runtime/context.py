"""The context of a running inspection: report progress, notice cancellation, defer work to idle time."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from models.types import Cancelled

Progress = Callable[[float | None, str], None]


def _silent(fraction: float | None, text: str) -> None:
    """Ignore a progress report."""


@dataclass
class Context:
    """The context of one request.

    `made_of` returns the full name of the model that is asked and the files it was opened from. `timings` collects
    milliseconds per stage, without the stages nested in it; cached stages are absent. `odd` lists stages whose output
    held NaN.
    """

    report: Progress = _silent
    cancelled: Callable[[], bool] = lambda: False
    later: Callable[[Hashable, Iterator[None]], None] | None = None
    model: Callable[[str], Any] | None = None
    made_of: Callable[[], tuple[str, tuple[Path, ...]]] = lambda: ("", ())
    timings: dict[str, float] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    _inside_ms: float = 0.0

    def progress(self, fraction: float | None, text: str) -> None:
        """Report the current activity and its fraction (0 to 1, None if unknown). Raises Cancelled."""
        self.check()
        self.report(fraction, text)

    def check(self) -> None:
        """Raise Cancelled if the request was cancelled."""
        if self.cancelled():
            raise Cancelled

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage into `timings`, in ms. Raises Cancelled before it starts if the request was cancelled."""
        self.check()
        start, outer_ms, self._inside_ms = time.perf_counter(), self._inside_ms, 0.0
        yield
        took_ms = (time.perf_counter() - start) * 1000
        self.timings[name] = self.timings.get(name, 0.0) + took_ms - self._inside_ms
        self._inside_ms = outer_ms + took_ms


class Work(Protocol):
    """Work done in steps. An exception is stored in `failure` and raised with the next answer."""

    failure: Exception | None

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        ...

    def step(self) -> None:
        """Do the next part."""
        ...


@runtime_checkable
class Stops(Protocol):
    """Work that holds something while it is going on, such as processes."""

    def stop(self) -> None:
        """Let go of it; the next step may take it up again."""
        ...


class _Wanted:
    """The current work of a kind, None for none."""

    work: Work | None = None


def go_on(stages: Any, kind: str, work: Work) -> None:
    """Schedule work in the place of earlier work of its kind. Raises the work's failure since the last call, if any."""
    if work.failure is not None:
        failure, work.failure = work.failure, None
        raise failure
    if kind not in stages.cache:
        stages.cache[kind] = _Wanted()
    wanted: _Wanted = stages.cache[kind]
    if wanted.work is not work:
        _stop(wanted.work)
    wanted.work = None if work.complete else work
    if wanted.work is not None:
        stages.while_idle(kind, _steps(wanted))


def _steps(wanted: _Wanted) -> Iterator[None]:
    """Do the current work step by step until it is complete or replaced by None."""
    try:
        while (work := wanted.work) is not None and not work.complete:
            try:
                work.step()
            except Exception as error:
                work.failure = error
                return
            yield
    finally:
        _stop(wanted.work)


def _stop(work: Work | None) -> None:
    if isinstance(work, Stops):
        work.stop()
