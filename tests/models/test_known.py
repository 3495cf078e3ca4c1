"""Class names that are known by their data set, against torchvision's own lists."""

from __future__ import annotations

import pytest
from torchvision.models import ResNet18_Weights
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights
from torchvision.models.segmentation import FCN_ResNet50_Weights

from models import known
from models.bundled import photos
from models.types import Refusal

COCO = tuple(FasterRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"])
VOC = tuple(FCN_ResNet50_Weights.DEFAULT.meta["categories"])


def test_names_are_torchvisions() -> None:
    assert known.names("imagenet") == tuple(ResNet18_Weights.DEFAULT.meta["categories"])
    assert known.names("coco-91") == COCO and known.names("voc-21") == VOC
    assert known.names("coco-80") == tuple(name for name in COCO if name not in ("__background__", "N/A"))
    assert known.names("voc-20") == VOC[1:] and known.names("cifar-10") == photos.CLASSES
    assert len(set(known.names("cifar-100"))) == 100 and list(known.names("cifar-100")) == sorted(
        known.names("cifar-100")
    )
    assert known.names("digits") == tuple("0123456789")


def test_every_title_has_its_names() -> None:
    assert {path.stem for path in known.FOLDER.glob("*.txt")} == set(known.TITLES)


def test_too_many_names_are_refused() -> None:
    with pytest.raises(Refusal, match="too many"):
        known.split("a\n" * (known.MOST_NAMES + 1))
