"""Model cards: what is known of a model before its weights are read. No torch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.types import Refusal

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUNDLED = ASSETS / "models"
SAMPLES = ASSETS / "samples"
DEFAULT_MODEL = "digits-faster-rcnn"
BACKGROUND = ("__background__", "background")
GAP = "N/A"
NO_WEIGHTS = "No weights: random numbers. Its anchors are real, its detections are not."

# torchvision's detectors, which open by name without weights too.
ARCHITECTURES = {
    "ssd300_vgg16": "SSD300, VGG-16",
    "ssdlite320_mobilenet_v3_large": "SSDLite320, MobileNet V3",
    "retinanet_resnet50_fpn": "RetinaNet, ResNet-50 FPN",
    "retinanet_resnet50_fpn_v2": "RetinaNet v2, ResNet-50 FPN",
    "fcos_resnet50_fpn": "FCOS, ResNet-50 FPN",
    "fasterrcnn_resnet50_fpn": "Faster R-CNN, ResNet-50 FPN",
    "fasterrcnn_resnet50_fpn_v2": "Faster R-CNN v2, ResNet-50 FPN",
    "fasterrcnn_mobilenet_v3_large_fpn": "Faster R-CNN, MobileNet V3 FPN",
    "fasterrcnn_mobilenet_v3_large_320_fpn": "Faster R-CNN, MobileNet V3 FPN, 320 pixels",
    "maskrcnn_resnet50_fpn": "Mask R-CNN, ResNet-50 FPN",
    "maskrcnn_resnet50_fpn_v2": "Mask R-CNN v2, ResNet-50 FPN",
    "keypointrcnn_resnet50_fpn": "Keypoint R-CNN, ResNet-50 FPN",
}


@dataclass(frozen=True)
class Card:
    """A model's name, task, architecture, class names (index = label id), weights and where they come from."""

    name: str
    title: str = ""
    task: str = "detection"
    architecture: str = ""
    classes: tuple[str, ...] = ()
    weights: Path | None = None
    licence: str = ""
    sha256: str = ""
    bytes: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)


def label_ids(classes: Sequence[str]) -> tuple[int, ...]:
    """Return the label ids that are classes: without a background, which its name at 0 tells, and without gaps.

    Detectors with a softmax have a background at 0; those with sigmoids have none, so their label 0 is a class unless
    it bears that name, as in weights trained on COCO, whose numbering begins at 1 and has gaps.
    """
    return tuple(i for i, name in enumerate(classes) if name != GAP and (i or name not in BACKGROUND))


def read(path: Path) -> Card:
    """Read a card; its `weights` are taken relative to it. Raises Refusal when it is not a card."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Card(
            name=str(raw["name"]),
            title=str(raw.get("title", raw["name"])),
            task=str(raw.get("task", "detection")),
            architecture=str(raw["architecture"]),
            classes=tuple(str(c) for c in raw.get("classes", ())),
            weights=path.parent / raw["weights"],
            licence=str(raw.get("licence", "")),
            sha256=str(raw.get("sha256", "")),
            bytes=int(raw.get("bytes", 0)),
            about=raw,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(
            f"{path.name} is not a model card ({error}).", advice="It needs name, architecture and weights."
        ) from error


def bundled() -> dict[str, Card]:
    """Return the cards of the models that come with Vitrine, by name."""
    cards = [read(path) for path in sorted(BUNDLED.glob("*.json"))]
    return {card.name: card for card in cards}


def untrained(architecture: str) -> Card:
    """Return the card of one of torchvision's architectures without weights."""
    about = {"architecture": architecture, "note": NO_WEIGHTS, "weights": "none"}
    title = f"{ARCHITECTURES[architecture]} (no weights)"
    return Card(architecture, title=title, architecture=architecture, about=about)


def canonical(name: str) -> str:
    """Return a bundled model's name as it is, and a weights file's as an absolute path; never raises."""
    return os.path.abspath(os.path.expanduser(name)) if Path(name).suffix else name  # noqa: PTH100, PTH111


def beside(weights: Path) -> Card | None:
    """Return the card beside a weights file under the same name, if it names that file and no other."""
    path = weights.with_suffix(".json")
    if not path.is_file():
        return None
    try:
        card = read(path)
    except Refusal:
        return None
    return replace(card, weights=weights) if card.about.get("weights") == weights.name else None
