"""The samples of the first page: pictures of ours, each with a model that knows what is on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.cards import packaged
from models.cards.card import CELLS, DIGITS, PHOTOS
from models.cards.card import SAMPLES as BOARDS

PHOTOGRAPHS_MODEL = "photos-resnet"
PICTURES = (".png", ".jpg")


@dataclass(frozen=True)
class Sample:
    """Folders of pictures and the model to open with them, none if it makes its own; `face` is shown for them."""

    title: str
    help: str
    model: str
    face: Path
    pictures: tuple[Path, ...] = ()


SAMPLES = (
    Sample(
        "Digits", "Find handwritten digits with a Faster R-CNN", "digits-faster-rcnn", BOARDS / "board.png", (BOARDS,)
    ),
    Sample(
        "Blood cells",
        "Find cells in a drawn smear, with a Faster R-CNN",
        "cells-faster-rcnn",
        CELLS / "drawn-smear.jpg",
        (CELLS,),
    ),
    Sample("Photographs", "Tell what is on them, and see why", PHOTOGRAPHS_MODEL, PHOTOS / "cat.jpg", (PHOTOS,)),
    Sample("Generate", "Draw digits, and walk between them, in the space of a VAE", "digits-vae-2d", DIGITS / "3.png"),
)


def pictures_of(sample: Sample) -> list[Path]:
    """Return the pictures of a sample, first the one that is shown for it on the first page."""
    files = [file for folder in sample.pictures for file in sorted(folder.iterdir()) if file.suffix in PICTURES]
    return sorted(files, key=lambda file: file != sample.face)


def model_of(sample: Sample) -> str:
    """Return the model to open with a sample: for photographs the one with 1,000 classes, if it is installed."""
    better = next((name for name in packaged.cards() if packaged.installed(name)), "")
    return better if better and sample.model == PHOTOGRAPHS_MODEL else sample.model
