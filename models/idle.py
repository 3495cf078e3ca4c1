"""Work that continues while the engine is idle; of each kind, only that of the newest request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


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


class _Wish:
    """The current work of a kind, None for none."""

    work: Work | None = None


def go_on(stages: Any, kind: str, work: Work) -> None:
    """Schedule work in the place of earlier work of its kind. Raises the work's failure since the last call, if any."""
    if work.failure is not None:
        failure, work.failure = work.failure, None
        raise failure
    if kind not in stages.cache:
        stages.cache[kind] = _Wish()
    wish: _Wish = stages.cache[kind]
    wish.work = None if work.complete else work
    if wish.work is not None:
        stages.meanwhile(kind, _steps(wish))


def _steps(wish: _Wish) -> Iterator[None]:
    """Do the current work step by step until it is complete or replaced by None."""
    while (work := wish.work) is not None and not work.complete:
        try:
            work.step()
        except Exception as error:
            work.failure = error
            return
        yield
