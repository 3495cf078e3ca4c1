"""Adapter for torchvision's RetinaNet: one stage, anchors on a pyramid, a sigmoid per class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator

from models.adapters.base.dense_head import Dense
from models.types import Anchors, Pixels


class RetinaNetAdapter(Dense):
    """An opened RetinaNet (Lin et al. 2017, "Focal Loss for Dense Object Detection")."""

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, RetinaNet)

    @classmethod
    def tiny(cls) -> RetinaNet:
        """Return a random-weight miniature for contract tests."""
        from models.bundled.pyramid import Pyramid

        torch.manual_seed(0)
        anchors = AnchorGenerator(((16,), (32,), (64,)), ((0.5, 1.0, 2.0),) * 3)
        sizes: Any = {"min_size": 96, "max_size": 160, "score_thresh": 0.2, "topk_candidates": 60}
        net = RetinaNet(Pyramid(out_channels=16), 4, anchor_generator=anchors, **sizes)
        heads: Any = net.head
        nn.init.zeros_(heads.classification_head.cls_logits.bias)
        return net

    def scores_of(self, output: Mapping[str, Tensor]) -> Tensor:
        """Return the sigmoid of the class logits."""
        return torch.sigmoid(output["cls_logits"])

    def boxes_of(self, output: Mapping[str, Tensor], origins: Tensor) -> Tensor:
        """Return the anchors shifted and scaled by the regression."""
        return self.net.box_coder.decode_single(output["bbox_regression"], origins)

    def anchors(self, pixels: Pixels, stages: Any) -> Anchors:
        """Return the anchors in pixels of the original image."""
        return self.origins(pixels, stages)


ADAPTER = RetinaNetAdapter
