"""Work that goes on while the engine is idle: of each kind that of the newest question alone. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


class Work(Protocol):
    """What goes on in steps. What goes wrong stays in `failure`, to be told with the next answer."""

    failure: Exception | None

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        ...

    def step(self) -> None:
        """Do the next part."""
        ...


class _Wish:
    """The work of a kind that is wished for, None for none."""

    work: Work | None = None


def go_on(stages: Any, kind: str, work: Work) -> None:
    """Have work go on instead of the one of its kind before, if any. Raises what went wrong since the last time."""
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
    """Do a part of what is wished for, as long as something is."""
    while (work := wish.work) is not None and not work.complete:
        try:
            work.step()
        except Exception as error:
            work.failure = error
            return
        yield
