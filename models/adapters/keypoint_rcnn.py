"""Adapter for torchvision's Keypoint R-CNN: Faster R-CNN with a heat map for each key point of a box."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models.detection import KeypointRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor
from torchvision.models.detection.roi_heads import keypointrcnn_inference
from torchvision.models.detection.transform import resize_keypoints
from torchvision.ops import MultiScaleRoIAlign

from models.adapters.base.detector import front
from models.adapters.base.two_stage import TwoStage
from models.detection.skeleton import COCO_POINTS
from models.subject import Rect
from models.types import Float, Pixels


class KeypointRcnnAdapter(TwoStage):
    """An opened Keypoint R-CNN (He et al. 2017, section 5)."""

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, KeypointRCNN)

    @classmethod
    def tiny(cls) -> KeypointRCNN:
        """Return a random-weight miniature for contract tests."""
        from models.bundled.pyramid import Pyramid

        torch.manual_seed(0)
        levels = ["0", "1", "2"]
        return KeypointRCNN(
            Pyramid(out_channels=16),
            num_classes=None,
            min_size=96,
            max_size=160,
            rpn_anchor_generator=AnchorGenerator(((16,), (32,), (64,)), ((0.5, 1.0, 2.0),) * 3),
            box_roi_pool=MultiScaleRoIAlign(levels, 3, 2),
            box_head=TwoMLPHead(16 * 9, 32),
            box_predictor=FastRCNNPredictor(32, 4),
            keypoint_roi_pool=MultiScaleRoIAlign(levels, 7, 2),
            keypoint_head=KeypointRCNNHeads(16, (16,)),
            keypoint_predictor=KeypointRCNNPredictor(16, len(COCO_POINTS)),
            rpn_pre_nms_top_n_test=60,
            rpn_post_nms_top_n_test=40,
        )

    @property
    def point_names(self) -> tuple[str, ...]:
        """COCO's names if the network has COCO's number of points, otherwise numbers from 1."""
        count = self.net.roi_heads.keypoint_predictor.kps_score_lowres.out_channels
        return COCO_POINTS if count == len(COCO_POINTS) else tuple(f"point {i}" for i in range(1, count + 1))

    def key_points(self, pixels: Pixels, boxes: Float, stages: Any) -> tuple[Float, Float, Float]:
        """Return points (K, P, 3) in original pixels, scores (K, P) and maps (K, P, h, w) of boxes (K, 4)."""
        seen, heads = front(self.net, pixels, stages), self.net.roi_heads
        regions = [torch.from_numpy(boxes).to(seen.images.tensors.device)]
        pooled = heads.keypoint_roi_pool(seen.features, regions, seen.images.image_sizes)
        maps = heads.keypoint_predictor(heads.keypoint_head(pooled))
        points, scores = keypointrcnn_inference(maps, regions)
        points = resize_keypoints(points[0], list(seen.size), list(seen.original))
        return points.cpu().numpy(), scores[0].cpu().numpy(), maps.cpu().numpy()

    def maps_in(self, pixels: Pixels, box: Rect, stages: Any) -> tuple[Float, tuple[float, float]]:
        """Return the heat maps (P, h, w) of the figure in a box of the picture, and the box's width and height in px.

        The latter are pixels of the network's input.
        """
        seen = front(self.net, pixels, stages)
        (tall, wide), (height, width) = seen.size, seen.original
        x0, y0, x1, y1 = box
        scaled = np.array([[x0 * wide / width, y0 * tall / height, x1 * wide / width, y1 * tall / height]], np.float32)
        maps = stages.run("key points of a box", lambda: self.key_points(pixels, scaled, stages)[2], box)[0]
        return maps, (float(scaled[0, 2] - scaled[0, 0]), float(scaled[0, 3] - scaled[0, 1]))


ADAPTER = KeypointRcnnAdapter
