"""Adapter for timm's encoders without a classification head: one input, unnamed features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.cards.card import Card
from models.loading.preprocess import Preprocess
from models.subject import Rect, Subject
from models.types import Pixels

TIMM = "timm.models."
IMAGENET = Preprocess(resize=256, crop=224)
NOTE = "{name} ends in features: "


class FeaturesAdapter:
    """An opened encoder: stage preprocess. Its features take the place of a classifier's classes."""

    stages: Mapping[str, str] = {
        "Detects": NOTE + "it finds no boxes.",
        "Classifies": NOTE + "it gives no classes.",
    }

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net: Any = net.eval()
        self.card = card
        given = card.about.get("preprocessing")
        self.preprocess = Preprocess.of(given) if given else IMAGENET

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, _Encoder) or (type(net).__module__.startswith(TIMM) and not _classes(net))

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return _Encoder()

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return next(self.net.parameters()).device

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain; an encoder has no boxes, so `box` and `region` are ignored."""

        def make() -> Subject:
            height, width = pixels.shape[:2]
            with torch.inference_mode(False), torch.no_grad():
                image = self.preprocess.input(pixels, self.device)
                count = self._scores(image).shape[1]
                return Subject(
                    net=self.net,
                    input=image,
                    scores=self._scores,
                    classes=tuple(f"feature {number}" for number in range(count)),
                    extent=self.preprocess.extent(width, height),
                    black=self.preprocess.black(self.device),
                )

        return stages.run("preprocess", make)

    def _scores(self, x: Tensor) -> Tensor:
        """Return the features (N, D) of inputs (N, 3, h, w); maps and tokens are averaged over all positions."""
        found = self.net(x)
        if found.ndim == 4:
            return found.mean((2, 3))
        return found.mean(1) if found.ndim == 3 else found


class _Encoder(nn.Module):
    """A miniature encoder: a few convolutions and their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).mean((2, 3))


def _classes(net: nn.Module) -> int:
    return int(getattr(net, "num_classes", 0) or 0)


ADAPTER = FeaturesAdapter
