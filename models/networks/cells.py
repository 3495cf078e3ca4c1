"""The bundled blood cell detector: torchvision's FasterRCNN on our small pyramid. No weights here."""

from __future__ import annotations

from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign

from models.networks.pyramid import Pyramid

SHORT_PX, LONG_PX = 288, 384
CLASSES = ("__background__", "RBC", "WBC", "Platelets")
MEAN, STD = (0.74, 0.70, 0.72), (0.10, 0.15, 0.12)


def cells_faster_rcnn() -> FasterRCNN:
    """Build the blood cell detector: 384x288 input, RPN with 3 scales x 3 ratios on strides 8, 16 and 32."""
    backbone = Pyramid(out_channels=96)
    sizes = ((20, 25, 32), (48, 60, 75), (96, 120, 150))
    anchors = AnchorGenerator(sizes, ((0.7, 1.0, 1.4),) * len(sizes))
    return FasterRCNN(
        backbone,
        num_classes=None,
        min_size=SHORT_PX,
        max_size=LONG_PX,
        image_mean=list(MEAN),
        image_std=list(STD),
        rpn_anchor_generator=anchors,
        rpn_pre_nms_top_n_train=600,
        rpn_post_nms_top_n_train=400,
        rpn_pre_nms_top_n_test=600,
        rpn_post_nms_top_n_test=300,
        rpn_batch_size_per_image=128,
        box_roi_pool=MultiScaleRoIAlign(featmap_names=["0", "1", "2"], output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(backbone.out_channels * 49, 224),
        box_predictor=FastRCNNPredictor(224, len(CLASSES)),
        box_batch_size_per_image=64,
        box_score_thresh=0.5,
        box_detections_per_img=100,
    )
