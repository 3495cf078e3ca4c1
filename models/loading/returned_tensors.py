"""Collect the tensors that a network returned, one row per picture, or explain why its output cannot be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

DEEP = 3
MOST_SHAPES = 8
PART = {"title": "Part of the output", "help": "Which of the rows of numbers that the network returns is looked at."}


def tensors_of(output: Any, pictures: int = 1) -> list[tuple[str, Tensor]]:
    """Return the floating-point tensors that a network returned, with their names, in order.

    They are collected from mappings, lists, tuples, data classes and plain objects. Each gets one row per picture: a
    number per picture (N,) becomes (N, 1), and the unbatched output for one picture (C,) becomes (1, C).
    """
    found = [(name, value) for name, value in leaves(output) if isinstance(value, Tensor)]
    return [(name, rows(tensor, pictures)) for name, tensor in found if tensor.is_floating_point()]


def rows(tensor: Tensor, pictures: int) -> Tensor:
    """Return a tensor with a batch dimension added if it has none."""
    if tensor.ndim == 1 and pictures > 1 and len(tensor) == pictures:
        return tensor[:, None]
    return tensor.reshape(1, -1) if tensor.ndim < 2 and pictures == 1 else tensor


def numbers(outputs: Sequence[tuple[str, Tensor]]) -> list[Tensor]:
    """Return the tensors of outputs as numbers: the floating-point ones, else whole numbers such as labels."""
    floats = [t for _, t in outputs if t.is_floating_point()]
    found = floats or [t.float() for _, t in outputs if t.dtype in (torch.int64, torch.int32, torch.uint8, torch.int8)]
    return [t.reshape(1, -1) if t.ndim < 2 else t for t in found]


def leaves(output: Any, name: str = "", depth: int = 0) -> list[tuple[str, Any]]:
    """Return all values in a network's output that are not containers, with names, in order."""
    items: Any = None
    if depth > DEEP or isinstance(output, Tensor | str | bytes | type):
        return [(name, output)]
    if isinstance(output, Mapping):
        items = output.items()
    elif isinstance(output, list | tuple):
        fields = getattr(output, "_fields", None)
        items = zip(fields, output, strict=False) if fields else enumerate(output)
    elif dataclasses.is_dataclass(output):
        items = [(field.name, getattr(output, field.name, None)) for field in dataclasses.fields(output)]
    elif not callable(output) and isinstance(getattr(output, "__dict__", None), dict):
        items = vars(output).items()
    if items is None:
        return [(name, output)]
    return [found for key, value in items for found in leaves(value, f"{name}.{key}".strip("."), depth + 1)]


def is_vector(tensor: Tensor) -> bool:
    """Return whether a tensor for one picture is a vector: (1, C), (1, C, 1, 1) or (1, 1, C)."""
    return len(tensor) == 1 and 0 < tensor.numel() == max(tensor.shape)


def complaint(output: Any) -> tuple[str, str]:
    """Return what is wrong with an output that has no row per picture, and what should be returned instead."""
    found = leaves(output)
    tensors = [value for _, value in found if isinstance(value, Tensor)]
    wanted = "It should return (N, classes), scores (N, R, K) and boxes (N, R, 4), or maps (N, C, h, w)."
    if not tensors:
        kinds = list(dict.fromkeys(_kind(value) for _, value in found)) or [f"an empty {type(output).__name__}"]
        return f"returns {' and '.join(kinds[:3])}, no tensor", wanted
    shapes = ", ".join(_shape(tensor) for tensor in tensors[:MOST_SHAPES])
    if any(t.is_complex() for t in tensors) and not any(t.is_floating_point() for t in tensors):
        return f"returns complex numbers ({shapes})", "Return their magnitude, or real and imaginary part apart."
    if not any(t.is_floating_point() for t in tensors):
        text = f"returns whole numbers ({shapes}), as argmax gives: no scores are left to show or to explain"
        return text, "Return the scores that it takes the best of."
    if not any(t.numel() for t in tensors):
        return f"returns empty tensors ({shapes})", wanted
    return f"gives nothing that belongs to one picture (tensors: {shapes})", wanted


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return {"str": "text", "int": "a number", "float": "a number"}.get(name, f"a {name}")


def _shape(tensor: Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape)) or "one number"
    return shape if tensor.dtype == torch.float32 else f"{shape} {str(tensor.dtype).removeprefix('torch.')}"


def parts(tensors: list[tuple[str, Tensor]], rows: Sequence[int], first: int) -> dict[str, Any]:
    """Return the assumption on which of several vectors to use; choices show position, name and length."""
    titles = {
        str(i + 1): f"{i + 1}: {f'{name}, ' if name and not name.isdigit() else ''}{t.numel():,} numbers"
        for i, (name, t) in enumerate(tensors)
        if i in rows
    }
    return {**PART, "choices": (str(first + 1), *(c for c in titles if c != str(first + 1))), "titles": titles}
