"""What attribution methods explain: a network's input for one image, and the scores computed from it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Rect = tuple[float, float, float, float]
PARTS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class Subject:
    """A network on one image.

    `input` (1, 3, h, w) is the network's normalised input, float32 and not an inference tensor. `scores(x)` maps inputs
    (N, 3, h, w) to scores (N, C) before the `link` (softmax or sigmoid; "exp" if they are log-probabilities, "none" if
    they never become probabilities), one column for each of `classes`. For a box of a detector four columns follow: x0,
    y0, x1, y1 in pixels of the original image. `scores` is differentiable and does not change the network.

    `extent` is the input's place in pixels of the original image: larger than it where the network pads, smaller where
    it crops. `black` (1, 3, 1, 1) is a normalised black pixel, `mean` a pixel of the training data's mean colour.
    `body` is the path prefix of layers that are maps of the image ("" = any). `key` distinguishes subjects of one model
    and image. `about` describes for people what the scores belong to. `label` is the class explained by default: a
    box's own, or -1 for the highest score. `spread` is the least number of positions of a layer that the scores must
    depend on for the layer to be chosen automatically: if one position of a head produces the scores, the head's own
    layers would show only that position.

    `channels_last`: whether inputs may use that memory format, which is faster, without changing the result. `steady`:
    whether a pass changes no state and draws no random numbers, so that its parts can be run one by one. `alone`:
    whether the network takes one input at a time, so that `scores` runs it once for each. `repeats`: how many passes
    with different random numbers `scores` averages.
    """

    net: nn.Module
    input: Tensor
    scores: Callable[[Tensor], Tensor]
    classes: tuple[str, ...]
    extent: Rect
    black: Tensor
    link: Literal["softmax", "sigmoid", "exp", "none"] = "softmax"
    body: str = ""
    key: Hashable = ()
    about: str = ""
    label: int = -1
    spread: int = 1
    channels_last: bool = True
    steady: bool = True
    alone: bool = False
    repeats: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input, in network pixels."""
        return int(self.input.shape[-2]), int(self.input.shape[-1])

    @property
    def order(self) -> torch.memory_format:
        """The memory format for inputs when many of them are scored."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    @property
    def nbytes(self) -> int:
        """The size of the input in bytes."""
        return self.input.nbytes

    @property
    def mean(self) -> Tensor:
        """A pixel (1, 3, 1, 1) of the mean colour that the preprocessing subtracts."""
        return torch.zeros_like(self.black)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the probabilities (N, C) of the classes from `scores`, without a box's coordinates.

        With the link "none" these are the scores themselves.
        """
        logits = scores[:, : len(self.classes)]
        match self.link:
            case "softmax":
                return logits.softmax(1)
            case "sigmoid":
                return logits.sigmoid()
            case "exp":
                return logits.exp()
        return logits
