"""Adapter for torchvision's semantic segmentation networks (FCN, DeepLabV3, LR-ASPP): a class for each pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.segmentation.fcn import FCN, FCNHead
from torchvision.models.segmentation.lraspp import LRASPP

from models.adapters.base.class_maps import ClassMaps
from models.cards.card import Card
from models.loading.preprocess import Preprocess

FAMILIES = "torchvision.models.segmentation."
VOC = Preprocess(resize=520, fit="whole")


class SegmenterAdapter(ClassMaps):
    """An opened segmentation network of torchvision's."""

    body = "backbone"

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net = net.eval()
        self.card = card
        given = card.about.get("preprocessing")
        self.preprocess = Preprocess.of(given) if given else VOC

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return type(net).__module__.startswith(FAMILIES)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        stem = nn.Sequential(nn.Conv2d(3, 8, 7, stride=8, padding=3), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
        return FCN(_Named(stem), FCNHead(8, 4))

    def _coarse(self, x: Tensor) -> Tensor:
        """Return the scores (N, C, h', w') for inputs (N, 3, h, w), at the network's own coarse resolution."""
        maps = self.net.backbone(x)
        return self.net.classifier(maps if isinstance(self.net, LRASPP) else maps["out"])


class _Named(nn.Module):
    """A backbone that names its output map as torchvision's segmentation networks expect."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"out": self.body(x)}


ADAPTER = SegmenterAdapter
