"""Sampling pixel by pixel: one uniform number per value decides it, so that changes are local and films replay exactly.

The value of rank r is the first whose cumulative probability exceeds uniform number r. Where one value is overruled,
all before it stay, and all after it are decided by the same numbers as before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from models.likelihood.pixel_model import log_probabilities
from models.types import Bool, Int, Real

Check = Callable[[int, int], None]


class Conditionals(Protocol):
    """Gives the distribution of one value after the other, in a model's order."""

    def logits(self, index: tuple[int, int, int]) -> Tensor:
        """Return the logits (K,) of the value at (channel, row, column), of which all before it are set."""
        ...

    def set(self, index: tuple[int, int, int], value: int) -> None:
        """Set a value, after its logits were asked for."""
        ...


@dataclass(frozen=True)
class Film:
    """A sampled picture: `values` (C, H, W), and for each the probabilities (K, C, H, W) it was drawn from.

    `uniform` (C, H, W) are the random numbers, `log_p` (C, H, W) the log-probabilities at temperature 1 of what was
    drawn or set, and `given` marks what was not drawn.
    """

    values: Int
    probabilities: Real
    uniform: Real
    log_p: Real
    given: Bool


class WholePasses:
    """Conditionals by a pass over the whole picture for each value: slow, and right for every network."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.values = torch.zeros(1, *model.shape)

    def logits(self, index: tuple[int, int, int]) -> Tensor:
        """Return the logits (K,) of the value at (channel, row, column)."""
        with torch.no_grad():
            return self.model.pixel_logits(self.values)[0, :, index[0], index[1], index[2]].cpu()

    def set(self, index: tuple[int, int, int], value: int) -> None:
        """Set a value."""
        self.values[0][index] = value


def uniform(ranks: Int, seed: int) -> Real:
    """Return one uniform number (C, H, W) for each value; a seed gives the same ones on every machine."""
    return np.random.default_rng(seed).random(ranks.size)[ranks]


def film(
    model: Any,
    conditionals: Conditionals,
    *,
    seed: int,
    temperature: float = 1.0,
    given: Bool | None = None,
    values: Int | None = None,
    check: Check = lambda done, of: None,
) -> Film:
    """Draw a picture. `values` (C, H, W) are taken over where `given` is set; the rest is drawn.

    `check(done, of)` is called for each row, and may raise Cancelled.
    """
    ranks: Int = model.ranks
    numbers = uniform(ranks, seed)
    made = np.zeros(model.shape, np.int64)
    probabilities = np.zeros((model.levels, *model.shape), np.float32)
    log_p = np.zeros(model.shape)
    fixed = np.zeros(model.shape, np.bool_) if given is None else given
    order = np.argsort(ranks, axis=None)
    for done, flat in enumerate(order.tolist()):
        index = tuple(int(each) for each in np.unravel_index(flat, model.shape))
        if done % model.shape[2] == 0:
            check(done, len(order))
        logits = conditionals.logits(index)  # type: ignore[arg-type]
        plain = log_probabilities(logits[None, :, None, None, None])[0, :, 0, 0, 0].numpy()
        p = _softmax(logits.double().numpy() / temperature)
        value = int(values[index]) if values is not None and fixed[index] else draw(p, float(numbers[index]))
        conditionals.set(index, value)  # type: ignore[arg-type]
        made[index], probabilities[(slice(None), *index)], log_p[index] = value, p, plain[value]
    return Film(made, probabilities, numbers, log_p, fixed)


def draw(p: Real, number: float) -> int:
    """Return the value that a uniform number chooses of probabilities (K,)."""
    return min(int(np.searchsorted(np.cumsum(p), number, side="right")), len(p) - 1)


def _softmax(logits: Real) -> Real:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()
