"""Readings of outputs as distributions of pixels: told by what each output depends on, not by its numbers alone.

A network of this kind gives every value of a picture logits that use the values before it in an order alone. So a pixel
is changed, and it is seen which outputs move: those after it, and none before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from models.interpretation.finds import Finds
from models.interpretation.network_reading import LIKELIHOOD, Reading
from models.likelihood import pixel_order
from models.quantity import in_digits

LEVELS_FIRST, COLOURS_FIRST, LEVELS_LAST, COLOURS_THEN_LEVELS = "levels_first", "colours_first", "last", "inner"
MOST_LEVELS = 256
PLACES = ((0.5, 0.5), (0.3, 0.6), (0.7, 0.35))  # of the pixels that are changed, in shares of the sides
LEAKING = 0.75  # share of what moves after the pixel, among what moves elsewhere, from which the rest is a leak
LEAST_MOVED = 2
Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class PixelCode:
    """How an output stands for logits: its `part`, `levels`, the `layout` of levels and colours, and the `order`.

    With `single`, one number stands for two levels. `probabilities` says that a softmax or sigmoid was applied.
    """

    part: int
    levels: int
    layout: str = LEVELS_FIRST
    order: str = pixel_order.ROWS
    single: bool = False
    probabilities: bool = False

    def logits(self, output: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """Return logits (N, K, C, H, W) from an output of the network for pictures of `shape` (C, H, W)."""
        x, count = output.float(), len(output)
        if self.single:
            x = x.reshape(count, 1, *shape)
            odds = torch.logit(x.clamp(1e-7, 1 - 1e-7)) if self.probabilities else x
            return torch.cat([torch.zeros_like(odds), odds], 1)
        match self.layout:
            case "levels_first":
                x = x.reshape(count, self.levels, *shape)
            case "colours_first":
                x = x.reshape(count, shape[0], self.levels, *shape[1:]).transpose(1, 2)
            case "inner":
                x = x.reshape(count, *shape[1:], shape[0], self.levels).permute(0, 4, 3, 1, 2)
            case _:
                x = x.reshape(count, *shape, self.levels).permute(0, 4, 1, 2, 3)
        return x.clamp(min=1e-12).log() if self.probabilities else x

    def finds(self, floats: Sequence[Tensor], x: Tensor, **more: Any) -> Finds:
        """Return the entropy of each pixel's distribution, the mean over its colours in bits, and how much it is."""
        (height, width), output = x.shape[-2:], floats[self.part]
        channels = output[0].numel() // ((1 if self.single else self.levels) * height * width)
        logs = self.logits(output, (channels, height, width))[0].log_softmax(0)
        bits = -(logs.exp() * logs).sum(0).mean(0) / math.log(2)
        text = f"{in_digits(float(bits.mean()))} bits expected for each value, of {in_digits(math.log2(self.levels))}"
        return Finds(text, "map", {"map": bits.float().numpy()})


def codes(output: Tensor, part: int, channels: int, size: tuple[int, int]) -> Iterator[PixelCode]:
    """Yield how an output for one picture of `channels` and `size` (h, w) may stand for logits, by its shape alone."""
    shape = tuple(output.shape)
    if not shape or shape[0] != 1:
        return
    inner = shape[1:]
    if inner in (size, (1, *size)) and channels == 1:
        yield PixelCode(part, 2, single=True)
    elif len(inner) == 3 and inner[1:] == size and inner[0] % channels == 0 and inner[0] // channels >= 2:
        levels = inner[0] // channels
        if levels <= MOST_LEVELS:
            yield PixelCode(part, levels)
            if channels > 1:
                yield PixelCode(part, levels, COLOURS_FIRST)
    elif len(inner) == 3 and inner[:2] == size and channels == 1 and 2 <= inner[2] <= MOST_LEVELS:
        yield PixelCode(part, inner[2], COLOURS_THEN_LEVELS)
    elif len(inner) == 4 and inner[2:] == size and inner[1] == channels and 2 <= inner[0] <= MOST_LEVELS:
        yield PixelCode(part, inner[0])
    elif len(inner) == 4 and inner[2:] == size and inner[0] == channels and 2 <= inner[1] <= MOST_LEVELS:
        yield PixelCode(part, inner[1], COLOURS_FIRST)
    elif len(inner) == 4 and inner[:3] == (channels, *size) and 2 <= inner[3] <= MOST_LEVELS:
        yield PixelCode(part, inner[3], LEVELS_LAST)


def reading(run: Run, output: Tensor, part: int, channels: int, size: tuple[int, int]) -> Reading | None:
    """Return the reading of an output as distributions of pixels, None for one of another shape.

    `run` returns this output for inputs (1, C, h, w). The fit is 1 where nothing moved before the pixel that was
    changed, small where what moved lies on both sides of it.
    """
    found = list(codes(output, part, channels, size))
    if not found:
        return None
    shape = (channels, *size)
    x = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)).round()
    moved = [(at, *_moved(run, x, at)) for at in _places(shape)]
    best: tuple[float, int, int, PixelCode] | None = None
    for code in found:
        for order in pixel_order.ORDERS:
            after, before, own = _reached(replace(code, order=order), shape, moved)
            share = after / max(1, after + before)
            if best is None or share > best[0] or (share == best[0] and own < best[2]):
                best = share, after, own, replace(code, order=order)
    assert best is not None
    share, count, own, code = best
    code = replace(code, probabilities=_are_probabilities(code, output, shape))
    words = f"likelihood: {code.levels} levels for each value, {pixel_order.ORDERS[code.order]}"
    if count < LEAST_MOVED or share < LEAKING:
        evidence = ("Its shape would do, but its outputs depend on pixels of all sides.",)
        return Reading(LIKELIHOOD, words, LIKELIHOOD, 0.03, evidence, part, code)
    if share < 1 or own:
        told = (
            f"When a pixel is changed, {share:.0%} of what moves elsewhere comes after it: the rest is a leak."
            if share < 1
            else "What a pixel gives moves with the pixel itself: that is a leak."
        )
        return Reading(LIKELIHOOD, words, LIKELIHOOD, 0.98, (told,), part, code)
    told = "When a pixel is changed, only what comes after it in this order moves."
    return Reading(LIKELIHOOD, words, LIKELIHOOD, 1.0, (told,), part, code)


def _places(shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    last = shape[0] - 1
    return [(min(n, last), int(shape[1] * down), int(shape[2] * across)) for n, (down, across) in enumerate(PLACES)]


def _moved(run: Run, x: Tensor, at: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Return the network's output before, and after the value at a place was changed."""
    changed = x.clone()
    changed[0][at] = 1 - changed[0][at]
    with torch.no_grad():
        return run(x).float().cpu(), run(changed).float().cpu()


def _reached(
    code: PixelCode, shape: tuple[int, int, int], moved: list[tuple[tuple[int, int, int], Tensor, Tensor]]
) -> tuple[int, int, int]:
    """Return how many values have logits that moved after, before and at the values that were changed."""
    ranks = torch.from_numpy(pixel_order.rank(code.order, shape))
    after = before = own = 0
    for at, first, later in moved:
        change = (code.logits(later, shape) - code.logits(first, shape))[0]
        change = (change - change.mean(0, keepdim=True)).abs().amax(0)
        reached = change > 1e-4 * float(change.max())
        after += int((reached & (ranks > ranks[at])).sum())
        before += int((reached & (ranks < ranks[at])).sum())
        own += int(reached[at])
    return after, before, own


def _are_probabilities(code: PixelCode, output: Tensor, shape: tuple[int, int, int]) -> bool:
    """Return whether numbers are from 0 to 1 and, for several levels, sum to 1."""
    if bool((output < 0).any() or (output > 1).any()):
        return False
    if code.single:
        return True
    sums = replace(code, probabilities=False).logits(output, shape).sum(1)
    return bool((sums - 1).abs().max() < 1e-3)
