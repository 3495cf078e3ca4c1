"""ONNX's sequences of tensors, as lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from models.exported import onnx_functions as fn
from models.exported.onnx_node import Build

MOST_PIECES = 10_000


def made(*parts: Tensor) -> list[Tensor]:
    """Return tensors as a sequence (SequenceConstruct)."""
    return list(parts)


def inserted(sequence: list[Tensor], part: Tensor, at: Any = None) -> list[Tensor]:
    """Return a sequence with one more tensor (SequenceInsert)."""
    place = len(sequence) if at is None else int(at)
    place = place + len(sequence) if place < 0 else place
    return [*sequence[:place], part, *sequence[place:]]


def erased(sequence: list[Tensor], at: Any = None) -> list[Tensor]:
    """Return a sequence without one of its tensors, the last unless told (SequenceErase)."""
    place = (len(sequence) - 1 if at is None else int(at)) % len(sequence)
    return [*sequence[:place], *sequence[place + 1 :]]


def taken(sequence: list[Tensor], at: Any) -> Tensor:
    """Return one tensor of a sequence (SequenceAt)."""
    return sequence[int(at)]


def length(sequence: list[Tensor]) -> Tensor:
    """Return the number of tensors in a sequence (SequenceLength)."""
    return torch.tensor(len(sequence))


def joined(sequence: list[Tensor], axis: int, new: bool) -> Tensor:
    """Return the tensors of a sequence as one (ConcatFromSequence)."""
    return torch.stack(sequence, axis) if new else torch.cat(sequence, axis)


def split(x: Tensor, sizes: Any, axis: int, keep: bool) -> list[Tensor]:
    """Return a tensor in pieces (SplitToSequence). Raises ValueError for more pieces than a sequence has."""
    given = fn.ints(sizes) if sizes is not None else [1]
    scalar = sizes is None or (isinstance(sizes, Tensor) and sizes.ndim == 0)
    pieces = x.shape[axis] // max(1, given[0]) if scalar else len(given)
    if pieces > MOST_PIECES:
        raise ValueError(f"{pieces:,} pieces where those of a sequence are expected")
    if sizes is None:
        return list(x.split(1, axis) if keep else x.unbind(axis))
    return list(x.split(given[0] if scalar else given, axis))


BUILDERS: dict[str, Callable[[Build], Any]] = {
    "SequenceConstruct": lambda b: b.call(made, *b.inputs),
    "SequenceEmpty": lambda b: [],
    "SequenceInsert": lambda b: b.call(inserted, *b.inputs),
    "SequenceErase": lambda b: b.call(erased, *b.inputs),
    "SequenceAt": lambda b: b.call(taken, *b.inputs),
    "SequenceLength": lambda b: b.call(length, *b.inputs),
    "ConcatFromSequence": lambda b: b.call(joined, b.inputs[0], b.get("axis", 0), bool(b.get("new_axis", 0))),
    "SplitToSequence": lambda b: b.call(split, b.at(0), b.at(1), b.get("axis", 0), bool(b.get("keepdims", 1))),
}
