"""torchvision's FasterRCNN on the small feature pyramid, shared by the bundled two-stage detectors."""

from __future__ import annotations

from collections.abc import Sequence

from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign

from models.bundled.pyramid import Pyramid


def small_faster_rcnn(
    classes: int,
    *,
    sizes: tuple[tuple[int, ...], ...],
    ratios: tuple[float, ...],
    short_px: int,
    long_px: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> FasterRCNN:
    """Build a detector of `classes`, including background, with anchors of `sizes` (px) for strides 8, 16 and 32.

    Pictures are resized to `short_px` on the shorter side, with at most `long_px` on the longer.
    """
    backbone = Pyramid(out_channels=96)
    return FasterRCNN(
        backbone,
        num_classes=None,
        min_size=short_px,
        max_size=long_px,
        image_mean=list(mean),
        image_std=list(std),
        rpn_anchor_generator=AnchorGenerator(sizes, (ratios,) * len(sizes)),
        rpn_pre_nms_top_n_train=600,
        rpn_post_nms_top_n_train=400,
        rpn_pre_nms_top_n_test=600,
        rpn_post_nms_top_n_test=300,
        rpn_batch_size_per_image=128,
        box_roi_pool=MultiScaleRoIAlign(featmap_names=["0", "1", "2"], output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(backbone.out_channels * 49, 224),
        box_predictor=FastRCNNPredictor(224, classes),
        box_batch_size_per_image=64,
        box_score_thresh=0.5,
        box_detections_per_img=100,
    )
