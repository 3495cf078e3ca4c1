"""How maps stand for a picture: directly or added to the input, on which scale of values, how many times larger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.interpretation.finds import Finds
from models.interpretation.map_codes import as_maps
from models.loading.preprocess import Preprocess

GREY = (0.299, 0.587, 0.114)  # ITU-R 601
DIRECT, ADDED, SUBTRACTED, COLOURED = "direct", "added", "subtracted", "coloured"
INPUT, ZERO_ONE, MINUS_ONE_ONE, ZERO_255 = "input", "zero_one", "minus_one_one", "zero_255"
SCALES = (INPUT, ZERO_ONE, MINUS_ONE_ONE, ZERO_255)
WORDS = {
    INPUT: "on the input's own scale",
    ZERO_ONE: "from 0 to 1",
    MINUS_ONE_ONE: "from -1 to 1",
    ZERO_255: "from 0 to 255",
}
WAYS = {
    DIRECT: "the picture itself",
    ADDED: "what is added to the input",
    SUBTRACTED: "what is taken off the input",
    COLOURED: "the colours of the grey input",
}


@dataclass(frozen=True)
class PictureCode:
    """The maps of output `part` as a picture of `times` the input's sides.

    `way` says whether the output is the picture, or what is added to or taken off the input; `scale` on which scale
    its values are. What is added is on the input's scale.
    """

    part: int
    way: str = DIRECT
    scale: str = ZERO_ONE
    times: float = 1.0
    channels_last: bool = False

    def picture(self, floats: Sequence[Tensor], x: Tensor, preprocess: Preprocess) -> Tensor:
        """Return the picture (N, 3, h, w) RGB, 0 to 1 where it is sound, for input `x` (N, 1 or 3, h, w)."""
        made = as_maps(floats[self.part], channels_last=self.channels_last).float()
        if self.way != DIRECT:
            made = self._base(x, made) + (made if self.way == ADDED else -made)
        return plain(made, INPUT if self.way != DIRECT else self.scale, preprocess)

    def finds(self, floats: Sequence[Tensor], x: Tensor, **more: Any) -> Finds:
        """Return the picture."""
        made = self.picture(floats, x, more["preprocess"])[0]
        height, width = made.shape[1:]
        beyond = float(((made < -0.02) | (made > 1.02)).float().mean())
        text = f"a picture of {width} x {height}" + (f", {beyond:.0%} of it beyond black and white" if beyond else "")
        pixels = (made.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
        return Finds(text, "picture", {"picture": pixels.contiguous().numpy()})

    def _base(self, x: Tensor, made: Tensor) -> Tensor:
        x = x if x.shape[1] == made.shape[1] else grey(x)
        return resized(x, (int(made.shape[-2]), int(made.shape[-1])))


def grey(x: Tensor) -> Tensor:
    """Return inputs (N, 3, h, w) as grey ones (N, 1, h, w), as they are given to a network of one channel."""
    return (x * x.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps (N, C, h, w) at another size, bicubic."""
    if tuple(x.shape[-2:]) == size:
        return x
    return functional.interpolate(x, size=size, mode="bicubic", antialias=True)


def plain(made: Tensor, scale: str, preprocess: Preprocess) -> Tensor:
    """Return maps (N, 1 or 3, h, w) on a scale of values as a picture (N, 3, h, w) RGB from 0 to 1."""
    if scale == MINUS_ONE_ONE:
        made = (made + 1) / 2
    elif scale == ZERO_255:
        made = made / 255
    elif scale == INPUT:
        mean, std = (made.new_tensor(v).view(1, 3, 1, 1) for v in (preprocess.mean, preprocess.std))
        if made.shape[1] == 1:
            mean, std = mean.mean(1, keepdim=True), std.mean(1, keepdim=True)
        made = (made * std + mean) / preprocess.range
    if made.shape[1] == 1:
        return made.expand(-1, 3, -1, -1)
    return made.flip(1) if preprocess.order == "bgr" else made
