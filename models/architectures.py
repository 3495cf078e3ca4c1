"""Networks that can be built by name or recognised by their tensors: ours and torchvision's SSD and Faster R-CNN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial

import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

from models.networks import cells, digits
from models.types import Refusal

ANY_CLASSES = 3
OWN_CLASSES = {
    "digits_ssd": digits.CLASSES,
    "digits_faster_rcnn": digits.CLASSES,
    "cells_faster_rcnn": cells.CLASSES,
}
COUNTER = ".num_batches_tracked"
COCO = tuple(FasterRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"])


def _torchvision(builder: Callable[..., nn.Module], classes: int) -> nn.Module:
    return builder(weights=None, weights_backbone=None, num_classes=classes)


BUILDERS: dict[str, Callable[[int], nn.Module]] = {
    "digits_ssd": lambda _: digits.digits_ssd(),
    "digits_faster_rcnn": lambda _: digits.digits_faster_rcnn(),
    "cells_faster_rcnn": lambda _: cells.cells_faster_rcnn(),
    "ssd300_vgg16": partial(_torchvision, detection.ssd300_vgg16),
    "ssdlite320_mobilenet_v3_large": partial(_torchvision, detection.ssdlite320_mobilenet_v3_large),
    "fasterrcnn_resnet50_fpn": partial(_torchvision, detection.fasterrcnn_resnet50_fpn),
    "fasterrcnn_resnet50_fpn_v2": partial(_torchvision, detection.fasterrcnn_resnet50_fpn_v2),
    "fasterrcnn_mobilenet_v3_large_fpn": partial(_torchvision, detection.fasterrcnn_mobilenet_v3_large_fpn),
    "fasterrcnn_mobilenet_v3_large_320_fpn": partial(_torchvision, detection.fasterrcnn_mobilenet_v3_large_320_fpn),
}


def build(architecture: str, *, classes: int) -> nn.Module:
    """Build a network by name with `classes` classes, background counted. Raises Refusal for an unknown name."""
    if architecture not in BUILDERS:
        raise Refusal(f"There is no architecture {architecture!r}.", advice=f"Known: {', '.join(BUILDERS)}.")
    return BUILDERS[architecture](classes)


def recognise(state: Mapping[str, Tensor]) -> tuple[str, int]:
    """Return the architecture, and the number of classes with background, whose tensors these are.

    The 320-pixel MobileNet has the same tensors as the larger one, which is proposed. Raises Refusal when none fits,
    with the nearest one and how it differs.
    """
    given = {k: tuple(t.shape) for k, t in state.items() if not k.endswith(COUNTER)}
    nearest, best = "", 0
    for name in BUILDERS:
        wanted = _shapes(name, ANY_CLASSES).keys()
        shared = len(wanted & given.keys())
        if shared > best:
            nearest, best = name, shared
        if shared == len(given) == len(wanted):
            for classes in _class_counts(state):
                if _shapes(name, classes) == given:
                    return name, classes
    hint = f" The nearest is {nearest}: {best} of {len(given)} tensors fit." if best > len(given) // 4 else ""
    raise Refusal(
        f"These weights belong to no network that Vitrine knows.{hint}",
        advice="It opens digits-ssd, digits-faster-rcnn and torchvision's SSD, SSDLite and Faster R-CNN.",
    )


def set_frozen_eps(net: nn.Module, architecture: str, state: Mapping[str, Tensor]) -> None:
    """Use the epsilon of torchvision's published weights where a new network has another.

    Their frozen normalisation leaves no batch counters; for `fasterrcnn_resnet50_fpn` its epsilon was 0.
    """
    if architecture == "fasterrcnn_resnet50_fpn" and not any(k.endswith(COUNTER) for k in state):
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0


def class_names(architecture: str, classes: int) -> tuple[str, ...]:
    """Return names for labels of weights without a card: our own, COCO's where the count fits, or numbers."""
    if architecture in OWN_CLASSES:
        return OWN_CLASSES[architecture]
    if classes == len(COCO):
        return COCO
    return ("__background__", *(f"class {i}" for i in range(1, classes)))


def _class_counts(state: Mapping[str, Tensor]) -> list[int]:
    """Return how many classes the heads in `state` may have."""
    predictor = state.get("roi_heads.box_predictor.cls_score.weight")
    if predictor is not None:
        return [predictor.shape[0]]
    first = "head.classification_head.module_list.0"
    bias = state.get(f"{first}.1.bias", state.get(f"{first}.bias"))
    if bias is None:
        return []
    return [bias.shape[0] // anchors for anchors in (4, 6) if bias.shape[0] % anchors == 0]


@cache
def _shapes(name: str, classes: int) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        net = build(name, classes=classes)
    return {k: tuple(t.shape) for k, t in net.state_dict().items() if not k.endswith(COUNTER)}
