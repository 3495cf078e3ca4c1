"""Adapter for classifiers: torchvision's, timm's and our own. One input, one score for each class. No detectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.cards import Card
from models.networks.lenet import LeNet
from models.networks.photos import PhotosResNet
from models.preprocess import Preprocess
from models.subject import Rect, Subject
from models.types import Float, Pixels

FAMILIES = "torchvision.models."
TIMM = "timm.models."
NOT_THESE = ("detection", "segmentation", "video", "optical_flow", "quantization")
IMAGENET = Preprocess(resize=256, crop=224)


class ClassifierAdapter:
    """An opened classifier: stages preprocess, scores."""

    stages: Mapping[str, str] = {"Detects": "{name} is a classifier: it finds no boxes."}

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net: Any = net.eval()
        self.card = card
        given = card.about.get("preprocessing")
        self.preprocess = Preprocess.of(given) if given else IMAGENET

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Tell whether this adapter serves the network."""
        module = type(net).__module__
        if module.startswith(TIMM):
            return bool(getattr(net, "num_classes", 0))
        family = module.removeprefix(FAMILIES).partition(".")[0] if module.startswith(FAMILIES) else ""
        return isinstance(net, PhotosResNet | LeNet) or (bool(family) and family not in NOT_THESE)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return PhotosResNet(width=4, blocks=1, classes=4)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.net.parameters()).device

    def logits(self, pixels: Pixels, stages: Any) -> Float:
        """Return the scores (C,) before the softmax of a picture (H, W, 3) uint8 RGB."""
        seen = self.subject(pixels, stages)

        def make() -> Tensor:
            with torch.inference_mode(False), torch.no_grad():
                return seen.scores(seen.input)

        return stages.run("scores", make, seen.key)[0].cpu().numpy()

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions look into; a classifier knows no boxes, so both are passed over."""

        def make() -> Subject:
            height, width = pixels.shape[:2]
            with torch.inference_mode(False):
                return Subject(
                    net=self.net,
                    input=self.preprocess.input(pixels, self.device),
                    scores=self.net,
                    classes=self.card.classes,
                    extent=self.preprocess.extent(width, height),
                    black=self.preprocess.black(self.device),
                )

        return stages.run("preprocess", make)


ADAPTER = ClassifierAdapter
