"""Class names of known data sets: ImageNet, COCO, VOC, CIFAR, digits, and the names in a text."""

from __future__ import annotations

from functools import cache

from models.files import ASSETS
from models.types import Refusal

FOLDER = ASSETS / "classes"
TITLES = {
    "imagenet": "ImageNet, 1000 classes",
    "coco-91": "COCO with background and gaps, 91 (torchvision)",
    "coco-80": "COCO, 80 classes",
    "voc-21": "Pascal VOC with background, 21",
    "voc-20": "Pascal VOC, 20 classes",
    "cifar-10": "CIFAR-10",
    "cifar-100": "CIFAR-100",
    "digits": "Digits 0 to 9",
}
MOST_NAMES = 100_000


@cache
def names(data: str) -> tuple[str, ...]:
    """Return the class names of a data set in `TITLES`, in label order."""
    return tuple((FOLDER / f"{data}.txt").read_text(encoding="utf-8").splitlines())


def split(text: str) -> tuple[str, ...]:
    """Return the class names in a text, one per line. Raises Refusal for more than MOST_NAMES."""
    found = tuple(line.strip() for line in text.rstrip().splitlines())
    if len(found) > MOST_NAMES:
        raise Refusal(f"{len(found):,} names are too many.", advice=f"At most {MOST_NAMES:,} can be kept.")
    return found
