"""What is looked into: a network's input for one picture, and the scores it leads to. No method of attribution."""

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
    """A network on one picture.

    `input` (1, 3, h, w) is what the network gets, normalised, in float32, no inference tensor. `scores(x)` takes inputs
    (N, 3, h, w) to scores (N, C) before softmax or sigmoid (`link`; "exp" where they are logarithms of probabilities,
    "none" where they make none), one column for each of `classes`; with a box of a detector four columns more, its x0,
    y0, x1, y1 in pixels of the original picture. It is differentiable and touches nothing of the network.

    `extent` is where the input lies in pixels of the original picture: beyond it where the network pads, inside it
    where it crops. `black` (1, 3, 1, 1) is a black pixel as the network gets it, `mean` one of its training's mean
    colour. `body` is the path that layers must begin with to be maps of the picture ("" = any). `key` tells apart
    subjects of one model and picture, `about` says for people what the scores are of, `label` is the class that is
    explained by itself, a box's own, -1 for the one that scores highest. `spread` is of how many places of a layer the
    scores must depend, at the least, for it to be taken by itself: where one place of a head makes them, the head's own
    layers would show nothing but that place.

    `channels_last` tells whether inputs may lie so in memory, which is faster: the network answers alike. `steady`
    tells that a pass leaves nothing behind and draws nothing: its parts may be followed one by one.
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

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input, in network pixels."""
        return int(self.input.shape[-2]), int(self.input.shape[-1])

    @property
    def order(self) -> torch.memory_format:
        """How inputs lie in memory where many of them are scored."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    @property
    def nbytes(self) -> int:
        """The size of the input."""
        return self.input.nbytes

    @property
    def mean(self) -> Tensor:
        """A pixel (1, 3, 1, 1) of the mean colour that the network's preprocessing subtracts."""
        return torch.zeros_like(self.black)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the probabilities (N, C) of the classes from `scores`, without a box's coordinates.

        Without a `link` they are the scores themselves.
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
