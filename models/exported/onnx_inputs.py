"""The inputs of an ONNX graph: which of them is the picture, in which form, and what the others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.exported.onnx_node import TYPES
from models.loading import filled_inputs
from models.loading.unseen_inputs import described, words_of
from models.types import Refusal

CHANNELS = (1, 3, 4, 2)
WHOLE = (2, 3, 4, 5, 6, 7, 12)  # element types of whole numbers
FLOATS = (1, 10, 11, 16)
LEAST_PX = 8
PICTURES = {"image", "images", "img", "picture", "pixels", "photo"}
CODES = {"z", "latent", "latents", "noise", "code", "codes"}
APART = ("mask", "prev", "state", "noise", "latent", "hidden", "grid", "prior", "anchor")


@dataclass(frozen=True)
class Picture:
    """The input that is a picture: its name, sizes (0 is free), whether channels come last, and its element type.

    `batch` is the number of pictures it states to take, 0 where that is free, -1 where it has no such dimension.
    """

    name: str
    channels: int
    height: int
    width: int
    last: bool
    kind: int
    batch: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width, 0 for what is free."""
        return self.channels, self.height, self.width

    @property
    def odd(self) -> bool:
        """Whether it is anything but a batch (N, C, h, w) in floating point of as many pictures as there are."""
        return self.last or self.whole or self.kind == 11 or self.batch < 0 or self.batch > 1

    @property
    def whole(self) -> bool:
        """Whether it takes whole numbers from 0 to 255."""
        return self.kind in WHOLE


def inputs(graph: Any) -> list[Any]:
    """Return the inputs of a graph that are no constants of it."""
    held = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in held]


def sides(value: Any) -> list[int]:
    """Return the sizes of a graph's input or output, 0 for those that are free."""
    return [max(0, d.dim_value) for d in value.type.tensor_type.shape.dim]


def read(graph: Any, name: str) -> tuple[Picture, list[Any]]:
    """Return a graph's picture, and its other inputs in order. Raises Refusal where none is a picture, or several."""
    values = inputs(graph)
    found = [picture for value in values if (picture := _picture(value)) is not None]
    if len(found) > 1:
        likely = [p for p in found if p.channels in (1, 3) and not any(word in p.name.lower() for word in APART)]
        batched = [p for p in likely if p.batch >= 0] or likely
        coloured = [p for p in batched if p.channels == 3] or batched
        if len(coloured) > 1:
            names = ", ".join(p.name for p in coloured[:4])
            text = f"{name} takes {len(coloured)} pictures at once ({names}), as networks that compare two do."
            raise Refusal(text, advice="Vitrine gives a network one picture. Export the part that sees one.")
        found = coloured or found[:1]
    if not found:
        told = [(value.name, sides(value), value.type.tensor_type.elem_type) for value in values]
        raise described(name, [(n, s, _dtype(kind)) for n, s, kind in told])
    return found[0], [value for value in values if value.name != found[0].name]


def told(graph: Any) -> list[tuple[str, list[int], torch.dtype | None]]:
    """Return name, sizes (0 is free) and type of each of a graph's inputs."""
    return [(v.name, sides(v), _dtype(v.type.tensor_type.elem_type)) for v in inputs(graph)]


def sees_picture(graph: Any) -> bool:
    """Return whether one of a graph's inputs has the form of a picture."""
    return any(_picture(value) is not None for value in inputs(graph))


def _dtype(kind: int) -> torch.dtype | None:
    return TYPES.get(kind)


def _picture(value: Any) -> Picture | None:
    """Return an input as a picture, None if it has not the form of one."""
    kind, shape = value.type.tensor_type.elem_type, sides(value)
    if kind not in (*FLOATS, *WHOLE) or len(shape) not in (3, 4):
        return None
    batch, rest = (shape[0], shape[1:]) if len(shape) == 4 else (-1, shape)
    last = rest[2] in CHANNELS and rest[0] not in CHANNELS
    channels, height, width = (rest[2], rest[0], rest[1]) if last else (rest[0], rest[1], rest[2])
    if (len(shape) == 4 and rest[1:] == [1, 1] and rest[0] > 3) or (
        words_of(value.name) & CODES and channels not in (0, 1, 3)
    ):
        return None  # the code of a generator
    if len(shape) == 3:  # without a batch: sides free or given together, and a name where it could be a sequence
        named = words_of(value.name) & PICTURES
        sure = channels in (3, 4) or (channels == 1 and named)
        if not sure or (height > 0) != (width > 0) or 0 < min(height, width) < LEAST_PX:
            return None
    return Picture(value.name, channels, height, width, last, kind, batch)


class Batch:
    """The number of pictures to which a batch is filled up, 0 for no more than there are.

    It has no attributes by name, so that restoring a network's state after a trial leaves what was found out.
    """

    __slots__ = ("filled",)

    def __init__(self) -> None:
        self.filled = 0


class PictureInput(nn.Module):
    """Turns inputs (N, C, h, w) into the form in which a graph takes its picture."""

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        self.picture = picture
        self.batch = Batch()

    def forward(self, x: Tensor) -> Tensor:
        """Return a batch with its channels last, in whole numbers, filled up or without its first dimension."""
        if self.picture.whole:
            limited = x.clamp(0, 255)
            rounded = limited.round()
            x = limited + (rounded - limited).detach() if x.requires_grad else rounded
        if self.batch.filled and len(x) < self.batch.filled:
            x = torch.cat([x, x[-1:].expand(self.batch.filled - len(x), *x.shape[1:])])
        x = x.permute(0, 2, 3, 1) if self.picture.last else x
        return x.squeeze(0) if self.picture.batch < 0 else x


class PictureOutput(nn.Module):
    """Takes off the outputs what was filled up in a batch, and gives those without a batch one."""

    def __init__(self, entry: PictureInput) -> None:
        super().__init__()
        self.__dict__["entry"] = entry  # not as a module of its own

    def forward(self, made: Tensor, x: Tensor) -> Tensor:
        """Return the outputs that belong to the pictures `x`."""
        entry: PictureInput = self.__dict__["entry"]
        if not isinstance(made, Tensor):
            return made
        if entry.batch.filled and made.ndim and len(made) == entry.batch.filled:
            return made[: len(x)]
        return made[None] if entry.picture.batch < 0 and made.ndim >= 3 else made


def fillings(others: list[Any], name: str) -> list[filled_inputs.FilledInput]:
    """Return the inputs besides the picture, filled in. Raises Refusal for one of which nothing is known."""
    found = []
    told = [(v.name, sides(v), _dtype(v.type.tensor_type.elem_type)) for v in others]
    if any(words_of(v.name) & {"ids", "token", "tokens", "text"} for v in others):
        raise described(name, told, picture=True)
    for number, (own, shape, dtype) in enumerate(told, 2):
        made = filled_inputs.FilledInput(own, shape, dtype or torch.float32, number)
        if not made.choices or dtype is None:
            raise filled_inputs.unknown(name, own, shape, dtype or torch.float32)
        found.append(made)
    return found
