"""Adapter for torchvision's Faster R-CNN: region proposals, then a box head per proposal."""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models.detection import FasterRCNN, KeypointRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign

from models.adapters.base.two_stage import TwoStage


class RcnnAdapter(TwoStage):
    """An opened Faster R-CNN (Ren et al. 2015)."""

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, FasterRCNN) and not isinstance(net, MaskRCNN | KeypointRCNN)

    @classmethod
    def tiny(cls) -> FasterRCNN:
        """Return a random-weight miniature for contract tests."""
        from models.bundled.pyramid import Pyramid

        torch.manual_seed(0)
        anchors = AnchorGenerator(((16,), (32,), (64,)), ((0.5, 1.0, 2.0),) * 3)
        return FasterRCNN(
            Pyramid(out_channels=16),
            num_classes=None,
            min_size=96,
            max_size=160,
            rpn_anchor_generator=anchors,
            box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], 3, 2),
            box_head=TwoMLPHead(16 * 9, 32),
            box_predictor=FastRCNNPredictor(32, 4),
            rpn_pre_nms_top_n_test=60,
            rpn_post_nms_top_n_test=40,
        )


ADAPTER = RcnnAdapter
