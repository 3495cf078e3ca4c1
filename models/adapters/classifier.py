"""Adapter for classifiers: torchvision's, timm's and our own. One input, one score for each class. No detectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from models.cards import Card
from models.networks.lenet import LeNet
from models.networks.photos import PhotosResNet
from models.preprocess import Preprocess
from models.scored import Scored

FAMILIES = "torchvision.models."
TIMM = "timm.models."
NOT_THESE = ("detection", "segmentation", "video", "optical_flow", "quantization")
IMAGENET = Preprocess()


class ClassifierAdapter(Scored):
    """An opened classifier: stages preprocess, scores."""

    stages: ClassVar[Mapping[str, str]] = {"Detects": "{name} is a classifier: it finds no boxes."}

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net = net.eval()
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


ADAPTER = ClassifierAdapter
