"""Which values of a picture a logit depends on: of one place by gradients, of all places by changing values.

A model of an order may use what comes before a value alone. Anything else is a leak: its likelihoods are not
probabilities then, for they do not sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.types import Bool, Int, Real

BASES = 6  # random pictures at which dependence is looked for
TINY = 1e-6  # of the largest change, below which a change is rounding
BATCH = 32
MOST_CHANGED = 196


@dataclass(frozen=True)
class Dependence:
    """What the logits at one place depend on: `strength` (C, H, W), in logits, and the masks of what is `used`.

    `past` marks what comes before the place, `blind` the past that is not used within the square that the used past
    spans, and `future` what is used of the place itself and of what comes after it.
    """

    strength: Real
    used: Bool
    past: Bool
    blind: Bool
    future: Bool


@dataclass(frozen=True)
class Audit:
    """How many of the `changed` values a change of which reached logits at or before its own place.

    `leaks` (H, W) counts for each pixel the earlier or same places that its change reached; `examples` are pairs of
    (channel, row, column): the value that was changed, and the place whose logits moved though they must not.
    """

    changed: int
    leaking: int
    leaks: Int
    examples: tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...]


def bases(model: Any, seed: int, count: int = BASES) -> Tensor:
    """Return random values (N, C, H, W), from sparse to dense."""
    rng = np.random.default_rng(seed)
    share = np.linspace(0.1, 0.9, count)[:, None, None, None]
    full = rng.integers(1, model.levels, (count, *model.shape))
    return torch.from_numpy(np.where(rng.random((count, *model.shape)) < share, full, 0)).float()


def dependence(model: Any, at: tuple[int, int, int], *, seed: int = 0, own: Int | None = None) -> Dependence:
    """Return what the logits at a place (channel, row, column) depend on, over random pictures and `own` (C, H, W)."""
    x = bases(model, seed)
    if own is not None:
        x = torch.cat([x, torch.from_numpy(own)[None].float()])
    strength = _by_gradient(model, x, at)
    if strength is None:
        strength = _by_changes(model, x, at)
    largest = float(strength.max())
    used = strength > TINY * largest if largest > 0 else np.zeros(model.shape, np.bool_)
    past = model.ranks < model.ranks[at]
    return Dependence(strength, used, past, _blind(used & past, past, at), used & ~past)


def _by_gradient(model: Any, x: Tensor, at: tuple[int, int, int]) -> Real | None:
    """Return the largest gradients (C, H, W) of the logits at a place, None if the network has none."""
    with torch.inference_mode(False), torch.enable_grad():
        values = x.clone().to(model.device).requires_grad_()
        logits = model.pixel_logits(values)
        if not logits.requires_grad:
            return None
        found = torch.zeros(model.shape, device=values.device)
        spread = logits[(slice(None), slice(None), *at)]
        spread = spread - spread.mean(1, keepdim=True)  # a shift of all logits changes no probability
        for level in sorted({0, model.levels // 2, model.levels - 1}):
            (gradient,) = torch.autograd.grad(spread[:, level].sum(), values, retain_graph=True, allow_unused=True)
            if gradient is not None:
                found = torch.maximum(found, gradient.abs().amax(0))
    return found.float().cpu().numpy()


def _by_changes(model: Any, x: Tensor, at: tuple[int, int, int]) -> Real:
    """Return the largest changes (C, H, W) of the logits at a place when one value after the other is changed."""
    found = np.zeros(model.ranks.size, np.float32)
    with torch.no_grad():
        for one in x[:: max(1, len(x) // 2)]:
            before = _of_place(model.pixel_logits(one[None]), at)
            for begin in range(0, found.size, BATCH):
                rows = np.arange(begin, min(begin + BATCH, found.size))
                moved = _of_place(model.pixel_logits(_changed(one, rows, model.levels)), at) - before
                found[rows] = np.maximum(found[rows], moved.abs().amax(1).cpu().numpy())
    return found.reshape(model.shape)


def _of_place(logits: Tensor, at: tuple[int, int, int]) -> Tensor:
    own = logits[(slice(None), slice(None), *at)]
    return own - own.mean(1, keepdim=True)


def _changed(one: Tensor, rows: Int, levels: int) -> Tensor:
    """Return copies (N, C, H, W) of values (C, H, W), each with one value moved to the other end of the scale."""
    copies = one.flatten().repeat(len(rows), 1)
    each = torch.arange(len(rows))
    at = torch.from_numpy(rows)
    copies[each, at] = torch.where(copies[each, at] * 2 < levels - 1, float(levels - 1), 0.0)
    return copies.view(len(rows), *one.shape)


def _blind(used: Bool, past: Bool, at: tuple[int, int, int]) -> Bool:
    """Return the past that is not used within the reach of what is used: so far up, and so far to each side."""
    if not used.any():
        return np.zeros_like(past)
    _, rows, columns = np.nonzero(used)
    up, aside = max(at[1] - int(rows.min()), 0), int(np.abs(columns - at[2]).max())
    _, height, width = np.indices(past.shape)
    within = (np.abs(height - at[1]) <= up) & (np.abs(width - at[2]) <= aside)
    return past & within & ~used


def audit(model: Any, stages: Any, *, seed: int = 0, most: int = MOST_CHANGED) -> Audit:
    """Change values one at a time, at most `most` of them spread over the picture, and see which logits move."""
    total = model.ranks.size
    chosen = np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(int))
    ranks = model.ranks.reshape(-1)
    leaks, leaking = np.zeros(total, np.int64), 0
    examples: list[Any] = []
    with torch.no_grad():
        one = bases(model, seed, 3)[1]
        before = model.pixel_logits(one[None])
        before = before - before.mean(1, keepdim=True)
        for begin in range(0, len(chosen), BATCH):
            stages.progress(begin / len(chosen), "change pixels")
            rows = chosen[begin : begin + BATCH]
            after = model.pixel_logits(_changed(one, rows, model.levels))
            moved = (after - after.mean(1, keepdim=True) - before).abs().amax(1).flatten(1).cpu().numpy()
            # Rounding may differ with the place in a batch: what counts is far above it.
            reached = moved > np.maximum(1e-4 * moved.max(1, keepdims=True), 1e-5 * float(before.abs().max()))
            early = reached & (ranks[None] <= ranks[rows][:, None])
            leaking += int(early.any(1).sum())
            leaks[rows] = early.sum(1)
            for number in np.flatnonzero(early.any(1))[: 3 - len(examples)]:
                place = int(np.flatnonzero(early[number])[0])
                examples.append((_index(int(rows[number]), model.shape), _index(place, model.shape)))
    return Audit(len(chosen), leaking, leaks.reshape(model.shape).sum(0), tuple(examples))


def _index(flat: int, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    channel, row, column = (int(each) for each in np.unravel_index(flat, shape))
    return channel, row, column
