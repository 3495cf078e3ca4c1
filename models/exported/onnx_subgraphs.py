"""ONNX's If, Loop and Scan as modules that run converted subgraphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

from models.types import Refusal

MOST_TURNS = 3_000  # of a loop, with those of the loops in it
KINDS = ("If", "Loop", "Scan")

_turns: ContextVar[list[int] | None] = ContextVar("turns", default=None)


@contextmanager
def _counted() -> Iterator[Callable[[], None]]:
    """Give what counts a turn of a loop, together with those of the loops around it; it raises Refusal for too many."""
    around = _turns.get()
    count = [0] if around is None else around
    token = _turns.set(count)

    def turn() -> None:
        count[0] += 1
        if count[0] > MOST_TURNS:
            raise Refusal(f"A loop of it takes more than {MOST_TURNS:,} turns.", advice="It was stopped.")

    try:
        yield turn
    finally:
        _turns.reset(token)


def several(made: Any) -> list[Any]:
    """Return the results of a subgraph as a list."""
    return list(made) if isinstance(made, tuple | list) else [made]


class Branches(nn.Module):
    """Runs one of two subgraphs, as a condition says (If). Both take the same values of the graph around them."""

    def __init__(self, then_branch: nn.Module, else_branch: nn.Module) -> None:
        super().__init__()
        self.then_branch, self.else_branch = then_branch, else_branch

    def forward(self, condition: Tensor, *outer: Any) -> Any:
        """Return the results of the branch."""
        return (self.then_branch if bool(condition) else self.else_branch)(*outer)


class Repeated(nn.Module):
    """Runs a subgraph again and again (Loop), with `carried` values handed on; its other results are collected."""

    def __init__(self, body: nn.Module, carried: int) -> None:
        super().__init__()
        self.body, self.carried = body, carried

    def forward(self, most: Tensor | None, condition: Tensor | None, *values: Any) -> Any:
        """Return the values carried last, and the results collected. Raises Refusal for turns without end."""
        state, outer = list(values[: self.carried]), values[self.carried :]
        limit = int(most) if most is not None else None
        going, turn = condition is None or bool(condition), 0
        collected: list[list[Tensor]] = []
        with _counted() as count:
            while going and (limit is None or turn < limit):
                count()
                made = several(self.body(torch.tensor(turn), torch.tensor(going), *state, *outer))
                going, state, rest = bool(made[0]), made[1 : 1 + self.carried], made[1 + self.carried :]
                collected = collected or [[] for _ in rest]
                for row, value in zip(collected, rest, strict=True):
                    row.append(value)
                turn += 1
        found = [*state, *(torch.stack(row) for row in collected)]
        return found[0] if len(found) == 1 else tuple(found)


class Scanned(nn.Module):
    """Runs a subgraph over slices of sequences (Scan), with `states` handed on and its other results collected."""

    def __init__(
        self, body: nn.Module, states: int, slices: int, axes: list[list[int]], turned: list[list[bool]]
    ) -> None:
        super().__init__()
        self.body, self.states, self.slices = body, states, slices
        self.axes, self.turned = axes, turned

    def forward(self, *values: Any) -> Any:
        """Return the last states, and the results collected along their axes."""
        state, given = list(values[: self.states]), values[self.states : self.states + self.slices]
        outer = values[self.states + self.slices :]
        longest = max((part.shape[axis] for part, axis in zip(given, self.axes[0], strict=True)), default=0)
        if longest > MOST_TURNS:
            raise Refusal(f"A loop of it takes {longest:,} turns.", advice="It was stopped.")
        parts = [part.unbind(axis) for part, axis in zip(given, self.axes[0], strict=True)]
        parts = [p[::-1] if turn else p for p, turn in zip(parts, self.turned[0], strict=True)]
        collected: list[list[Tensor]] = []
        with _counted() as count:
            for row in zip(*parts, strict=True):
                count()
                made = several(self.body(*state, *row, *outer))
                state, rest = made[: self.states], made[self.states :]
                collected = collected or [[] for _ in rest]
                for kept, value in zip(collected, rest, strict=True):
                    kept.append(value)
        rows = [r[::-1] if turn else r for r, turn in zip(collected, self.turned[1], strict=False)]
        found = [*state, *(torch.stack(row, axis) for row, axis in zip(rows, self.axes[1], strict=False))]
        return found[0] if len(found) == 1 else tuple(found)
