"""ONNX operators that gather, scatter and rearrange by indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from models.exported import onnx_functions as fn
from models.exported.onnx_node import Build

REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def gather_nd(x: Tensor, at: Tensor, batch: int = 0) -> Tensor:
    """Select the elements or slices at the index tuples in the last dimension of `at` (GatherND)."""
    places = tuple(_positive(one, x.shape[batch + axis]) for axis, one in enumerate(at.movedim(-1, 0)))
    rows: list[Tensor] = []
    for axis in range(batch):
        shape = [1] * (at.ndim - 1)
        shape[axis] = -1
        rows.append(torch.arange(x.shape[axis], device=x.device).reshape(shape))
    return x[(*rows, *places)]


def scatter_nd(x: Tensor, at: Tensor, values: Tensor, how: str = "none") -> Tensor:
    """Return a copy with values written, or accumulated, at index tuples in the last dimension of `at` (ScatterND)."""
    places = tuple(_positive(one, x.shape[axis]) for axis, one in enumerate(at.movedim(-1, 0)))
    values = values.to(x.dtype)
    if how in ("none", "add"):
        return x.index_put(places, values, accumulate=how == "add")
    width = at.shape[-1]
    flat = torch.arange(x.shape[:width].numel(), device=x.device).reshape(x.shape[:width])[places].flatten()
    rows, given = x.reshape(-1, *x.shape[width:]), values.reshape(-1, *x.shape[width:])
    flat = flat.reshape(-1, *[1] * (rows.ndim - 1)).expand_as(given)
    return rows.scatter_reduce(0, flat, given, REDUCTIONS[how]).reshape(x.shape)


def scatter_elements(x: Tensor, at: Tensor, values: Tensor, axis: int = 0, how: str = "none") -> Tensor:
    """Return a copy with values written, or accumulated, along an axis, each at its own index (ScatterElements)."""
    at = _positive(at, x.shape[axis])
    if how == "none":
        return x.scatter(axis, at, values)
    return x.scatter_reduce(axis, at, values, REDUCTIONS[how])


def _positive(at: Tensor, size: int) -> Tensor:
    return torch.where(at < 0, at + size, at)


def compressed(x: Tensor, chosen: Tensor, axis: int | None) -> Tensor:
    """Return the slices along an axis, or the numbers, that are chosen (Compress)."""
    rows = chosen.nonzero()[:, 0]
    return x.flatten()[rows] if axis is None else x.index_select(axis, rows)


def one_hot(at: Tensor, depth: Any, values: Tensor, axis: int) -> Tensor:
    """Return one of two values at each index, the other elsewhere (OneHot)."""
    count = int(depth)
    rows = _positive(at.long(), count)
    off, on = values[0], values[1]
    hit = rows.unsqueeze(-1) == torch.arange(count, device=at.device)
    return torch.where(hit, on, off).movedim(-1, axis)


def nonzero(x: Tensor) -> Tensor:
    """Return the places of all numbers other than 0, one in each column (NonZero)."""
    return x.nonzero().T


def size(x: Tensor) -> Tensor:
    """Return how many numbers there are (Size)."""
    return torch.tensor(x.numel(), device=x.device)


def reversed_rows(x: Tensor, lengths: Tensor, batch: int, time: int) -> Tensor:
    """Return sequences with the first so many steps of each in reverse (ReverseSequence)."""
    moved = x.movedim((batch, time), (0, 1))
    steps = torch.arange(moved.shape[1], device=x.device)
    until = lengths[:, None].to(steps)
    at = torch.where(steps < until, until - 1 - steps, steps)
    rows = torch.arange(len(moved), device=x.device)[:, None]
    return moved[rows, at].movedim((0, 1), (batch, time))


def centred(x: Tensor, wanted: Any, axes: list[int] | None) -> Tensor:
    """Return the middle, cut or padded with 0 to the wanted sides (CenterCropPad)."""
    given = fn.ints(wanted)
    for axis, side in zip(axes or range(x.ndim), given, strict=True):
        more = side - x.shape[axis]
        if more < 0:
            x = x.narrow(axis, -more // 2, side)
        elif more:
            sides = [0] * (2 * x.ndim)
            place = 2 * (x.ndim - 1 - axis % x.ndim)
            sides[place], sides[place + 1] = more // 2, more - more // 2
            x = F.pad(x, sides)
    return x


def columns_to_image(x: Tensor, sides: Any, block: Any, *, dilation: Any, pads: Any, stride: Any) -> Tensor:
    """Return the sum of blocks at their places (Col2Im of two dimensions)."""
    high, wide = fn.ints(sides)
    kernel: Any = fn.ints(block)
    if pads[: len(pads) // 2] != pads[len(pads) // 2 :]:
        top, left, bottom, right = pads
        whole = (high + top + bottom, wide + left + right)
        found = F.fold(x, whole, kernel, dilation, 0, stride)
        return found[..., top : top + high, left : left + wide]
    return F.fold(x, (high, wide), kernel, dilation, pads[:2], stride)


def unique(x: Tensor, axis: int | None, in_order: bool) -> tuple[Tensor, ...]:
    """Return the different values, sorted or as they come first, their first places, all places' values, counts."""
    values, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True, dim=axis)
    inverse = inverse.flatten()
    places = torch.arange(len(inverse), device=x.device)
    first = places.new_full((len(counts),), len(inverse)).scatter_reduce(0, inverse, places, "amin")
    if in_order:
        order = first.argsort()
        values = values[order] if axis is None else values.index_select(axis, order)
        first, counts, inverse = first[order], counts[order], order.argsort()[inverse]
    return values, first, inverse, counts


def _columns(b: Build) -> Any:
    more = {"dilation": b.get("dilations", [1, 1]), "pads": b.get("pads", [0, 0, 0, 0])}
    return b.call(columns_to_image, b.at(0), b.sides(1, ""), b.sides(2, ""), **more, stride=b.get("strides", [1, 1]))


def _scatter(b: Build) -> Any:
    return b.call(scatter_elements, *b.inputs, b.get("axis", 0), b.get("reduction", "none"))


BUILDERS: dict[str, Callable[[Build], Any]] = {
    "CenterCropPad": lambda b: b.call(centred, b.at(0), b.sides(1, ""), b.get("axes")),
    "Col2Im": _columns,
    "Compress": lambda b: b.call(compressed, *b.inputs, b.get("axis")),
    "GatherND": lambda b: b.call(gather_nd, *b.inputs, b.get("batch_dims", 0)),
    "NonZero": lambda b: b.call(nonzero, b.at(0)),
    "OneHot": lambda b: b.call(one_hot, *b.inputs, b.get("axis", -1)),
    "ReverseSequence": lambda b: b.call(reversed_rows, *b.inputs, b.get("batch_axis", 1), b.get("time_axis", 0)),
    **dict.fromkeys(("Scatter", "ScatterElements"), _scatter),
    "ScatterND": lambda b: b.call(scatter_nd, *b.inputs, b.get("reduction", "none")),
    "Size": lambda b: b.call(size, b.at(0)),
    "Unique": lambda b: b.call(unique, b.at(0), b.get("axis"), not b.get("sorted", 1)),
}
