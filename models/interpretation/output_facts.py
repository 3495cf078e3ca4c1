"""What can be said of a network's outputs without reading them: name, shape, range, and a small picture of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.types import Pixels

SIDE = 128  # px of the longer side of a small picture
MOST_MAPS = 16  # channels shown side by side
SHORT = 4  # px that one number of a vector is wide at least


@dataclass(frozen=True)
class OutputFacts:
    """An output for one picture: `name`, `shape`, `dtype`, its range, mean, whether all is finite, and a picture.

    `picture` (h, w, 3) uint8 shows maps side by side, a table as an image of rows by columns, a vector as a strip; each
    is scaled to its own range, black the lowest.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    mean: float
    finite: bool
    picture: Pixels


def facts(outputs: Sequence[tuple[str, Tensor]]) -> list[OutputFacts]:
    """Return the facts on the outputs for one picture, in order."""
    return [_of(name or f"output {place}", tensor) for place, (name, tensor) in enumerate(outputs, 1)]


def _of(name: str, tensor: Tensor) -> OutputFacts:
    values = tensor.detach().cpu()
    values = values.abs() if values.is_complex() else values.float()
    sound = values[values.isfinite()]
    low, high, mean = (float(f(sound)) for f in (torch.min, torch.max, torch.mean)) if sound.numel() else (0.0,) * 3
    kind = str(tensor.dtype).removeprefix("torch.")
    finite = sound.numel() == values.numel()
    return OutputFacts(name, tuple(tensor.shape), kind, low, high, mean, finite, small_picture(values))


def small_picture(values: Tensor) -> Pixels:
    """Return a small picture (h, w, 3) uint8 of an output for one picture, whatever its shape."""
    values = values.nan_to_num(0, 0, 0)
    values = values[0] if values.ndim > 2 and len(values) == 1 else values
    sides = [n for n in values.shape if n > 1]
    values = values.reshape(sides) if sides else values.reshape(1)
    if values.ndim == 1:
        return _grey(values[None])
    if values.ndim == 2:
        return _grey(_by_column(values) if _table(values) else values)
    values = values.flatten(0, -3)
    if values.shape[-1] <= 4 < values.shape[0]:  # channels last
        values = values.permute(2, 0, 1)
    return _maps(values[:MOST_MAPS])


def _table(values: Tensor) -> bool:
    """Return whether a matrix is a table of rows, which has far more of one than of the other, rather than a map."""
    rows, columns = values.shape
    return max(rows, columns) > 8 * min(rows, columns) or min(rows, columns) <= 8


def _by_column(values: Tensor) -> Tensor:
    """Scale each column of a table to its own range; the longer side is that of the rows."""
    values = values if len(values) >= values.shape[1] else values.T
    low, high = values.amin(0), values.amax(0)
    return (values - low) / (high - low).clamp_min(1e-12)


def _maps(maps: Tensor) -> Pixels:
    """Return maps (K, h, w) side by side, in as square a block as they make; three as the colours of one picture."""
    if len(maps) == 3:
        return np.stack([_grey(each)[..., 0] for each in maps], -1)
    columns = int(np.ceil(np.sqrt(len(maps))))
    rows = -(-len(maps) // columns)
    cells = [_grey(each, SIDE // max(columns, rows)) for each in maps]
    cells += [np.zeros_like(cells[0])] * (rows * columns - len(cells))
    lines = [np.concatenate(cells[row * columns : (row + 1) * columns], 1) for row in range(rows)]
    return np.concatenate(lines, 0)


def _grey(values: Tensor, side: int = SIDE) -> Pixels:
    """Return a matrix as a grey picture, no side longer than `side` px; a narrow one is stretched to be seen."""
    low, high = values.min(), values.max()
    scaled = (values - low) / (high - low).clamp_min(1e-12)
    height, width = (max(SHORT, min(side, n)) for n in scaled.shape)
    resized = functional.interpolate(scaled[None, None], size=(height, width), mode="area")[0, 0]
    return (resized * 255).round().to(torch.uint8)[..., None].expand(-1, -1, 3).numpy().copy()
