"""ONNX operators without a PyTorch module, as functions of tensors (opset 7 to 23)."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

MOST_SIDES = 4096  # limit for tensors of sizes, axes or indices


def ints(value: Tensor | list[int]) -> list[int]:
    """Return the integers in a tensor that holds a shape. Raises ValueError if there are more than a shape can have."""
    if not isinstance(value, Tensor):
        return value
    if value.numel() > MOST_SIDES:
        raise ValueError(f"{value.numel():,} numbers where sides of a tensor are expected")
    return [int(v) for v in value.flatten().tolist()]


def shape(x: Tensor, start: int = 0, end: int | None = None) -> Tensor:
    """Return the shape of a tensor as an int64 tensor."""
    return torch.tensor(list(x.shape)[start:end], dtype=torch.int64, device=x.device)


def reshape(x: Tensor, wanted: Tensor | list[int], allow_zero: bool = False) -> Tensor:
    """Reshape; a 0 in the shape copies the input's size unless `allow_zero`."""
    sides = ints(wanted)
    if not allow_zero:
        sides = [x.shape[at] if side == 0 else side for at, side in enumerate(sides)]
    if not x.numel() and -1 in sides and 0 in sides:  # no rows: what is left to tell is what a row holds
        rest = math.prod(side for side in x.shape if side) // math.prod(side for side in sides if side > 0)
        sides = [rest if side == -1 else side for side in sides]
    return torch.reshape(x, sides)


def flatten(x: Tensor, axis: int = 1) -> Tensor:
    """Return a matrix: the dimensions before `axis` and the rest, each flattened."""
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))  # -1 would not do for no rows at all


def squeeze(x: Tensor, axes: Tensor | list[int] | None = None) -> Tensor:
    """Remove dimensions of size 1."""
    return x.squeeze() if axes is None else x.squeeze(tuple(ints(axes)))


def unsqueeze(x: Tensor, axes: Tensor | list[int]) -> Tensor:
    """Insert dimensions of size 1; axes refer to the result."""
    places = ints(axes)
    rank = x.ndim + len(places)
    for axis in sorted(a + rank if a < 0 else a for a in places):
        x = x.unsqueeze(axis)
    return x


def sliced(x: Tensor, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Tensor:
    """Slice along axes; a negative step goes backwards."""
    first, last = ints(starts), ints(ends)
    along = ints(axes) if axes is not None else list(range(len(first)))
    by = ints(steps) if steps is not None else [1] * len(first)
    for axis, start, end, step in zip(along, first, last, by, strict=True):
        size = x.shape[axis]
        if step > 0:
            low, high, _ = slice(start, end, step).indices(size)
            at: Any = [slice(None)] * x.ndim
            at[axis] = slice(low, max(low, high), step)
            x = x[tuple(at)]
        else:
            first_row, last_row, _ = slice(start, end if end > -size - 1 else None, step).indices(size)
            rows = torch.arange(first_row, min(last_row, first_row), step, device=x.device)
            x = x.index_select(axis, rows)
    return x


def gather(x: Tensor, at: Tensor, axis: int = 0) -> Tensor:
    """Select slices along an axis by index (Gather)."""
    axis = axis + x.ndim if axis < 0 else axis
    at = at.to(x.device)
    rows = torch.where(at < 0, at + x.shape[axis], at)
    return x.index_select(axis, rows.flatten()).reshape((*x.shape[:axis], *at.shape, *x.shape[axis + 1 :]))


def gather_elements(x: Tensor, at: Tensor, axis: int = 0) -> Tensor:
    """Select values along an axis, each by its own index (GatherElements)."""
    return x.gather(axis, torch.where(at < 0, at + x.shape[axis], at))


def expand(x: Tensor, wanted: Tensor | list[int]) -> Tensor:
    """Broadcast two-way: dimensions of size 1 in either shape are repeated."""
    return x.expand(torch.broadcast_shapes(x.shape, tuple(ints(wanted))))


def tile(x: Tensor, times: Tensor | list[int]) -> Tensor:
    """Repeat along every dimension."""
    return x.repeat(ints(times))


def filled(sides: Tensor | list[int], value: Tensor) -> Tensor:
    """Return a tensor filled with one value."""
    return value.reshape(()).expand(ints(sides)).clone()


def pad(x: Tensor, pads: Any, value: Tensor | None = None, axes: Any = None, mode: str = "constant") -> Tensor:
    """Pad; `pads` lists the beginnings of all axes, then the ends."""
    given = ints(pads)
    along = [a + x.ndim if a < 0 else a for a in ints(axes)] if axes is not None else list(range(x.ndim))
    sides = [0] * (2 * x.ndim)
    for at, axis in enumerate(along):
        sides[2 * (x.ndim - 1 - axis)], sides[2 * (x.ndim - 1 - axis) + 1] = given[at], given[at + len(along)]
    if mode == "constant":
        return F.pad(x, sides, value=0.0 if value is None or not value.numel() else value.item())
    for axis in range(x.ndim):
        place = 2 * (x.ndim - 1 - axis)
        if sides[place] or sides[place + 1]:
            x = x.index_select(axis, _beyond(x, axis, sides[place], sides[place + 1], mode))
    return x


def _beyond(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    """Return the indices along an axis that continue it on both sides."""
    size = x.shape[axis]
    at = torch.arange(-before, size + after, device=x.device)
    match mode:
        case "edge":
            return at.clamp(0, size - 1)
        case "wrap":
            return at % size
    period = max(1, 2 * (size - 1))
    return (period // 2 - (at % period - period // 2).abs()) if size > 1 else at * 0


def same(x: Tensor, windows: list[tuple[int, int, int]], lower: bool, fill: float) -> Tensor:
    """Pad so that each window (kernel, stride, dilation) gives ceil(input / stride) outputs (auto_pad SAME)."""
    sides: list[int] = []
    for size, (k, s, d) in zip(reversed(x.shape[2:]), reversed(windows), strict=True):
        more = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        sides += [more - more // 2, more // 2] if lower else [more // 2, more - more // 2]
    return F.pad(x, sides, value=fill)


def divide(a: Tensor, b: Tensor) -> Tensor:
    """Divide; integers are truncated towards 0."""
    whole = not (a.is_floating_point() or b.is_floating_point())
    return torch.div(a, b, rounding_mode="trunc" if whole else None)


def modulo(a: Tensor, b: Tensor, fmod: bool = False) -> Tensor:
    """Return the remainder, with the sign of the divisor, or as C's fmod."""
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


def power(a: Tensor, b: Tensor) -> Tensor:
    """Raise to a power; the result has the type of the base."""
    return torch.pow(a, b).to(a.dtype)


def clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Clamp to bounds, either of which may be missing."""
    x = x if low is None else torch.maximum(x, low.to(x))
    return x if high is None else torch.minimum(x, high.to(x))


def where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Select from two tensors by a condition."""
    return torch.where(condition, a, b)


def concat(*parts: Tensor, axis: int) -> Tensor:
    """Concatenate along an axis."""
    return torch.cat(parts, axis)


def split(x: Tensor, sizes: Any = None, axis: int = 0, count: int = 0) -> tuple[Tensor, ...]:
    """Split along an axis, into given sizes or into `count` equal parts of which the last may be smaller."""
    if sizes is not None:
        return x.split(ints(sizes), axis)
    if not 0 < count <= MOST_SIDES:
        raise ValueError(f"{count:,} parts where those of a split are expected")
    return x.split(-(-x.shape[axis] // count), axis)


def only(parts: tuple[Tensor, ...]) -> Tensor:
    """Return the only part of a split."""
    return parts[0]


def reduced(x: Tensor, axes: Any = None, kind: str = "ReduceMean", keep: bool = True, none: bool = False) -> Tensor:
    """Reduce along axes. An empty list of axes means all, or none if `none` (the operator's noop_with_empty_axes)."""
    along = ints(axes) if axes is not None else []
    if not along:
        if none:
            return x
        along = list(range(x.ndim))
    match kind:
        case "ReduceMean":
            return x.mean(along, keepdim=keep)
        case "ReduceSum":
            return x.sum(along, keepdim=keep)
        case "ReduceMax":
            return x.amax(along, keepdim=keep)
        case "ReduceMin":
            return x.amin(along, keepdim=keep)
        case "ReduceL1":
            return x.abs().sum(along, keepdim=keep)
        case "ReduceL2":
            return x.square().sum(along, keepdim=keep).sqrt()
        case "ReduceSumSquare":
            return x.square().sum(along, keepdim=keep)
        case "ReduceLogSum":
            return x.sum(along, keepdim=keep).log()
        case "ReduceLogSumExp":
            return x.logsumexp(along, keepdim=keep)
    for axis in sorted((a % x.ndim for a in along), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def ranged(start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """Return the range from start to end by step."""
    return torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype, device=start.device)


def top(x: Tensor, count: Any, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """Return the `count` largest (or smallest) values along an axis, and their indices; of equal ones the first."""
    values, at = x.sort(dim=axis, descending=largest, stable=True)
    return values.narrow(axis, 0, ints(count)[0]), at.narrow(axis, 0, ints(count)[0])


def best(x: Tensor, axis: int = 0, keep: bool = True, last: bool = False, least: bool = False) -> Tensor:
    """Return the index of the first (or last) of the largest (or smallest) values along an axis."""
    if not last:
        return x.argmin(axis, keepdim=keep) if least else x.argmax(axis, keepdim=keep)
    return x.shape[axis] - 1 - best(x.flip(axis), axis, keep, least=least)


def gemm(a: Tensor, b: Tensor, c: Tensor | None, scales: tuple[float, float], turned: tuple[bool, bool]) -> Tensor:
    """Multiply two matrices, each optionally transposed, and add a third, with a scale for each term (Gemm)."""
    found = scales[0] * ((a.T if turned[0] else a) @ (b.T if turned[1] else b))
    return found if c is None else found + scales[1] * c


def depth_to_space(x: Tensor, block: int, mode: str = "DCR") -> Tensor:
    """Move channels into spatial blocks (DepthToSpace)."""
    n, c, h, w = x.shape
    if mode == "CRD":
        return F.pixel_shuffle(x, block)
    x = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c // block**2, h * block, w * block)


def space_to_depth(x: Tensor, block: int) -> Tensor:
    """Move spatial blocks into channels (SpaceToDepth)."""
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, c * block**2, h // block, w // block)


def softmax_flat(x: Tensor, axis: int, log: bool) -> Tensor:
    """Apply softmax over all dimensions from an axis on, as defined before opset 13."""
    flat = flatten(x, axis)
    return (flat.log_softmax(1) if log else flat.softmax(1)).reshape(x.shape)


def trilu(x: Tensor, k: Any = None, upper: bool = True) -> Tensor:
    """Keep the upper or lower triangle."""
    offset = 0 if k is None else int(k)
    return x.triu(offset) if upper else x.tril(offset)


def summed(*parts: Tensor) -> Tensor:
    """Add tensors."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def averaged(*parts: Tensor) -> Tensor:
    """Average tensors."""
    return summed(*parts) / len(parts)


def largest(*parts: Tensor) -> Tensor:
    """Return the elementwise maximum of tensors."""
    found = parts[0]
    for part in parts[1:]:
        found = torch.maximum(found, part)
    return found


def smallest(*parts: Tensor) -> Tensor:
    """Return the elementwise minimum of tensors."""
    found = parts[0]
    for part in parts[1:]:
        found = torch.minimum(found, part)
    return found
