"""The bundled blood cell detector: torchvision's FasterRCNN on a small feature pyramid."""

from __future__ import annotations

from torchvision.models.detection import FasterRCNN

from models.bundled.two_stage import small_faster_rcnn

SHORT_PX, LONG_PX = 288, 384
CLASSES = ("__background__", "RBC", "WBC", "Platelets")
MEAN, STD = (0.74, 0.70, 0.72), (0.10, 0.15, 0.12)


def cells_faster_rcnn() -> FasterRCNN:
    """Build the blood cell detector: 384x288 input, RPN with 3 scales x 3 ratios on strides 8, 16 and 32."""
    return small_faster_rcnn(
        len(CLASSES),
        sizes=((20, 25, 32), (48, 60, 75), (96, 120, 150)),
        ratios=(0.7, 1.0, 1.4),
        short_px=SHORT_PX,
        long_px=LONG_PX,
        mean=MEAN,
        std=STD,
    )
