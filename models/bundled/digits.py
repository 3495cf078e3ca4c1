"""The two bundled digit detectors: torchvision's SSD and FasterRCNN on a small feature pyramid."""

from __future__ import annotations

from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD

from models.bundled.pyramid import Pyramid
from models.bundled.two_stage import small_faster_rcnn

SIZE_PX = 320
CLASSES = ("__background__", *"0123456789")
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def digits_ssd() -> SSD:
    """Build the one-stage digit detector: 320x320 input, 8,500 default boxes on strides 8, 16, 32 and 64."""
    anchors = DefaultBoxGenerator([[2], [2], [2], [2]], scales=[0.06, 0.11, 0.2, 0.32, 0.45], steps=[8, 16, 32, 64])
    backbone = Pyramid(out_channels=96, extra_level=True)
    backbone.out_channels = [96] * 4  # SSD wants a width per level, FasterRCNN one for all
    return SSD(
        backbone,
        anchors,
        size=(SIZE_PX, SIZE_PX),
        num_classes=len(CLASSES),
        image_mean=list(MEAN),
        image_std=list(STD),
        score_thresh=0.4,
        nms_thresh=0.45,
        detections_per_img=100,
        topk_candidates=300,
    )


def digits_faster_rcnn() -> FasterRCNN:
    """Build the two-stage digit detector: RPN with 3 scales x 3 ratios on each of strides 8, 16 and 32."""
    return small_faster_rcnn(
        len(CLASSES),
        sizes=((16, 20, 25), (32, 40, 51), (64, 81, 102)),
        ratios=(0.5, 1.0, 2.0),
        short_px=SIZE_PX,
        long_px=2 * SIZE_PX,
        mean=MEAN,
        std=STD,
    )
