"""Class names that are known by their data set, against torchvision's own lists."""

from __future__ import annotations

import pytest
from torchvision.models import ResNet18_Weights
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights
from torchvision.models.segmentation import FCN_ResNet50_Weights

from models.bundled import photos
from models.cards import class_names
from models.types import Refusal

COCO = tuple(FasterRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"])
VOC = tuple(FCN_ResNet50_Weights.DEFAULT.meta["categories"])


def test_names_are_torchvisions() -> None:
    assert class_names.names("imagenet") == tuple(ResNet18_Weights.DEFAULT.meta["categories"])
    assert class_names.names("coco-91") == COCO and class_names.names("voc-21") == VOC
    assert class_names.names("coco-80") == tuple(name for name in COCO if name not in ("__background__", "N/A"))
    assert class_names.names("voc-20") == VOC[1:] and class_names.names("cifar-10") == photos.CLASSES
    assert len(set(class_names.names("cifar-100"))) == 100 and list(class_names.names("cifar-100")) == sorted(
        class_names.names("cifar-100")
    )
    assert class_names.names("digits") == tuple("0123456789")


def test_every_title_has_its_names() -> None:
    assert {path.stem for path in class_names.FOLDER.glob("*.txt")} == set(class_names.TITLES)


def test_too_many_names_are_refused() -> None:
    with pytest.raises(Refusal, match="too many"):
        class_names.split("a\n" * (class_names.MOST_NAMES + 1))
