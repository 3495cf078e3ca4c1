"""What adapters share whose networks output one vector for the whole image: class scores or features."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from models.cards.card import Card
from models.loading.heads import VALUES, Head
from models.loading.preprocess import Preprocess
from models.runtime.forward_passes import INNOCENT, Behaviour, through
from models.subject import Rect, Subject
from models.types import Float, Pixels


class Seen:
    """An opened network with one number per class or channel: stage preprocess."""

    net: Any
    card: Card
    preprocess: Preprocess
    head: Head = Head()
    behaviour: Behaviour = INNOCENT
    first: bool = True  # explain the first of plain values by default, rather than the largest

    @property
    def device(self) -> torch.device:
        """The device of the network; the CPU if it has no tensors."""
        tensor = next(chain(self.net.parameters(), self.net.buffers()), None)
        return torch.device("cpu") if tensor is None else tensor.device

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to scores (N, C) before the link of the `head`."""
        return through(self.behaviour, self.net)

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain; such a network has no boxes, so `box` and `region` are ignored."""

        def make() -> Subject:
            height, width = pixels.shape[:2]
            with torch.inference_mode(False):
                return Subject(
                    net=self.net,
                    input=self.preprocess.input(pixels, self.device),
                    scores=self.scores,
                    classes=self.card.classes,
                    extent=self.preprocess.extent(width, height),
                    black=self.preprocess.black(self.device),
                    link=self.head.link,
                    **self.behaviour.about,
                    label=0 if self.head.kind == VALUES and self.first else -1,
                )

        return stages.run("preprocess", make)


class Scored(Seen):
    """An opened network with one score per class: stages preprocess, scores."""

    def logits(self, pixels: Pixels, stages: Any) -> Float:
        """Return the scores (C,), before the link of the `head`, for an image (H, W, 3) uint8 RGB."""
        seen = self.subject(pixels, stages)

        def make() -> Tensor:
            with torch.inference_mode(False), torch.no_grad():
                return seen.scores(seen.input)

        return stages.run("scores", make, seen.key)[0].float().cpu().numpy()
