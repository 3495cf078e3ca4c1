"""Adapter for torchvision's Mask R-CNN: Faster R-CNN with a mask head on the final boxes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import maskrcnn_inference
from torchvision.ops import MultiScaleRoIAlign

from models.adapters.base.detector import front
from models.adapters.base.two_stage import TwoStage
from models.types import Float, Int, Pixels


class MaskRcnnAdapter(TwoStage):
    """An opened Mask R-CNN (He et al. 2017)."""

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, MaskRCNN)

    @classmethod
    def tiny(cls) -> MaskRCNN:
        """Return a random-weight miniature for contract tests."""
        from models.bundled.pyramid import Pyramid

        torch.manual_seed(0)
        levels = ["0", "1", "2"]
        return MaskRCNN(
            Pyramid(out_channels=16),
            num_classes=None,
            min_size=96,
            max_size=160,
            rpn_anchor_generator=AnchorGenerator(((16,), (32,), (64,)), ((0.5, 1.0, 2.0),) * 3),
            box_roi_pool=MultiScaleRoIAlign(levels, 3, 2),
            box_head=TwoMLPHead(16 * 9, 32),
            box_predictor=FastRCNNPredictor(32, 4),
            mask_roi_pool=MultiScaleRoIAlign(levels, 14, 2),
            mask_head=MaskRCNNHeads(16, (16,), 1),
            mask_predictor=MaskRCNNPredictor(16, 16, 4),
            rpn_pre_nms_top_n_test=60,
            rpn_post_nms_top_n_test=40,
        )

    def masks(self, pixels: Pixels, boxes: Float, labels: Int, stages: Any) -> Float:
        """Return mask probabilities (K, h, w) within boxes (K, 4) in network pixels, each for its label."""
        seen, heads = front(self.net, pixels, stages), self.net.roi_heads
        device = seen.images.tensors.device
        regions = [torch.from_numpy(boxes).to(device)]
        pooled = heads.mask_roi_pool(seen.features, regions, seen.images.image_sizes)
        logits = heads.mask_predictor(heads.mask_head(pooled))
        return maskrcnn_inference(logits, [torch.from_numpy(labels).to(device)])[0][:, 0].cpu().numpy()


ADAPTER = MaskRcnnAdapter
