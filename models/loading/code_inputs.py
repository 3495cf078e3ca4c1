"""Inputs of a generator or decoder: which of them is the code, which the class, and what fills the others.

A code is a vector (N, D) or (N, D, 1, 1), or a small map (N, C, h, w). A class is a whole number, or a one-hot row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.loading.filled_inputs import FilledInput
from models.loading.returned_tensors import leaves
from models.loading.unseen_inputs import AUDIO, POINTS, TEXT, Told, words_of

CODE, INDEX, ONE_HOT, FILLED = "code", "index", "one_hot", "filled"
WHOLE = (torch.int32, torch.int64)
LABELS = {"label", "labels", "class", "classes", "y", "c", "cls", "condition", "cond", "onehot", "category", "target"}
LATENTS = {"z", "latent", "latents", "noise", "code", "codes", "sample", "seed", "w"}
MOST_CODE = 1 << 14
SIDE = 16  # cells of a map of codes whose sides are free


@dataclass(frozen=True)
class CodeInput:
    """One input: its kind, its sizes behind the batch, and how many numbers of a code it takes."""

    kind: str
    sides: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    size: int = 0
    filled: FilledInput | None = None
    batched: bool = True

    def of(self, part: Tensor, codes: Tensor) -> Tensor:
        """Return the input for a part (N, size) of codes (N, D)."""
        if self.kind == FILLED:
            assert self.filled is not None
            return self.filled(codes)
        if self.kind == INDEX:
            index = part.argmax(1).to(self.dtype)
            return index.reshape(len(codes), *self.sides) if self.batched else index.reshape(())
        return part.reshape(len(codes), *self.sides).to(self.dtype)


def inputs_of(told: Told) -> tuple[CodeInput, ...] | None:
    """Return a network's inputs as those of a generator, None if they cannot be: one code, classes, plain numbers.

    The size of an index is 0: how many classes there are is found out by trying.
    """
    found: list[CodeInput] = []
    if any(dtype is None or words_of(name) & (TEXT | AUDIO | POINTS) for name, _, dtype in told):
        return None
    coded = [name for name, shape, dtype in told if dtype is not None and _code(name, shape, dtype) is not None]
    named = [name for name in coded if words_of(name) & LATENTS] or [n for n in coded if not words_of(n) & LABELS]
    code = (named or coded or [""])[0]
    for number, (name, shape, dtype) in enumerate(told, 2):
        assert dtype is not None
        if name == code and (own := _code(name, shape, dtype)) is not None:
            found.append(own)
        elif dtype in WHOLE and (len(shape) <= 1 or (len(shape) == 2 and shape[1] == 1)) and _counts_classes(name):
            found.append(CodeInput(INDEX, tuple(shape[1:]), dtype, batched=bool(shape)))
        elif len(shape) == 2 and shape[1] > 1 and dtype.is_floating_point and name != code:
            found.append(CodeInput(ONE_HOT, (int(shape[1]),), dtype, int(shape[1])))
        else:
            filled = FilledInput(name, shape, dtype, number)
            if not filled.choices:
                return None
            found.append(CodeInput(FILLED, (), dtype, filled=filled))
    return tuple(found) if sum(each.kind == CODE for each in found) == 1 else None


def named_codes(told: Told) -> bool:
    """Return whether the name of one of a network's inputs is that of a code."""
    return any(words_of(name) & LATENTS for name, _, _ in told)


def _counts_classes(name: str) -> bool:
    return not words_of(name) & {"size", "sizes", "shape", "step", "steps", "timestep", "t"}


def _code(name: str, shape: Sequence[int], dtype: torch.dtype) -> CodeInput | None:
    """Return an input as a code, None if it has not the form of one."""
    if not dtype.is_floating_point or len(shape) not in (2, 4):
        return None
    sides = [int(side) for side in shape[1:]]
    latent = bool(words_of(name) & LATENTS)
    if len(shape) == 4 and not (sides[1:] == [1, 1] and sides[0] > 3):
        if not latent or not sides[0] or sides[0] in (1, 3):
            return None
        sides[1:] = [side or SIDE for side in sides[1:]]
        if max(sides[1:]) > 64:
            return None
    if len(shape) == 2 and sides[0] < 2:
        return None
    size = math.prod(sides)
    return CodeInput(CODE, tuple(sides), dtype, size) if 2 <= size <= MOST_CODE else None


class FromCodes(nn.Module):
    """Runs a network on codes (N, D), which hold the parts of its inputs in their order; returns pictures (N, C, h, w).

    `part` is the index of its output that is the picture. A network made for one code at a time is given one at a time.
    """

    def __init__(self, net: nn.Module, inputs: Sequence[CodeInput], *, alone: bool = False) -> None:
        super().__init__()
        self.net, self.inputs, self.alone, self.part = net, tuple(inputs), alone, 0
        self.shape: tuple[int, ...] = ()
        self.channels_last = False
        self.fillings = nn.ModuleList(each.filled for each in inputs if each.filled is not None)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the pictures of codes."""
        if self.alone and len(codes) > 1:
            return torch.cat([self._pictures(row) for row in codes.split(1)])
        return self._pictures(codes)

    def outputs(self, codes: Tensor) -> list[Tensor]:
        """Return every tensor that the network makes of codes."""
        parts = iter(codes.split([each.size for each in self.inputs if each.size], 1))
        given = [each.of(next(parts) if each.size else codes[:, :0], codes) for each in self.inputs]
        return [t for _, t in leaves(self.net(*given)) if isinstance(t, Tensor)]

    def _pictures(self, codes: Tensor) -> Tensor:
        made = self.outputs(codes)[self.part].float()
        made = made.reshape(len(codes), *self.shape)
        return made.permute(0, 3, 1, 2) if self.channels_last else made


def likely_sizes(net: nn.Module) -> list[tuple[int, ...]]:
    """Return the sizes behind the batch that the code of a network without stated sizes may have, by its weights.

    Linear layers take rows of their width; transposed convolutions a code of their channels at one place.
    """
    found: list[tuple[int, ...]] = []
    for name, weight in net.named_parameters():
        if re.search(r"bias|norm|running", name):
            continue
        if weight.ndim == 2 and 2 <= weight.shape[1] <= MOST_CODE:
            found.append((int(weight.shape[1]),))
        elif weight.ndim == 4 and weight.shape[0] > 3:
            found.append((int(weight.shape[0]), 1, 1))
        if len(found) > 3:
            break
    return list(dict.fromkeys(found))
