"""The editable preprocessing of a card, as declared parameters, and the card written from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.cards import card as cards
from models.params import Value, param, parameters
from models.types import Refusal

SIZED = ("crop", "stretch", "pad", "corner", "squash")
FITS = (*SIZED, "whole")
FIT_TITLES = {
    "crop": "Cut the middle out",
    "stretch": "Stretch",
    "pad": "Pad on both sides",
    "corner": "Pad at the right and bottom",
    "squash": "Stretch, then cut the middle out",
    "whole": "Keep the whole picture",
}
INTERPOLATION_TITLES = {
    "bilinear": "Bilinear",
    "bicubic": "Bicubic",
    "nearest": "Nearest pixel",
    "nearest-exact": "Nearest pixel, exact",
}
RANGES = {"1.0": "0 to 1", "255.0": "0 to 255"}


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the network's input, as `models.loading.preprocess.Preprocess` reads it."""

    fit: str = param(
        "crop", "Fit", "How a picture comes to the input's size.", choices=FITS, titles=(*FIT_TITLES.values(),)
    )
    resize: int = param(
        256,
        "Shorter side",
        "Resized to this first.",
        low=1,
        high=4096,
        step=1,
        unit="px",
        only=("fit", "crop", "squash", "whole"),
    )
    width: int = param(
        224, "Input width", "The network's input.", low=1, high=4096, step=1, unit="px", only=("fit", *SIZED)
    )
    height: int = param(
        224, "Input height", "The network's input.", low=1, high=4096, step=1, unit="px", only=("fit", *SIZED)
    )
    interpolation: str = param(
        "bilinear",
        "Interpolation",
        "Between pixels.",
        choices=(*INTERPOLATION_TITLES,),
        titles=(*INTERPOLATION_TITLES.values(),),
    )
    order: str = param("rgb", "Colour order", "OpenCV and Caffe trainings use BGR.", choices=("rgb", "bgr"))
    range: str = param(
        "1.0", "Value range", "Before mean and deviation.", choices=(*RANGES,), titles=(*RANGES.values(),)
    )
    mean: str = param("0.485, 0.456, 0.406", "Mean", "Subtracted from each colour, in the order and values above.")
    std: str = param("0.229, 0.224, 0.225", "Deviation", "What each colour is divided by.")


PARAMETERS = parameters(Preprocessing)


def values(preprocessing: Mapping[str, Any]) -> dict[str, Value]:
    """Return the form's values for a card's preprocessing."""
    own: dict[str, Any] = {p.name: p.default for p in PARAMETERS} | dict(preprocessing)
    crop = own.pop("crop", 224)
    own["height"], own["width"] = crop if isinstance(crop, list | tuple) else (crop, crop)
    for name in ("mean", "std"):
        if not isinstance(own[name], str):
            own[name] = ", ".join(f"{float(v):g}" for v in own[name])
    own["range"] = str(float(own["range"]))
    return {p.name: own[p.name] for p in PARAMETERS}


def preprocessing(shown: Mapping[str, Value]) -> dict[str, Any]:
    """Return a card's preprocessing from the form's values. Raises Refusal for values that cannot be used."""
    made = dict(shown)
    height, width = int(made.pop("height")), int(made.pop("width"))
    found: dict[str, Any] = {**made, "resize": int(made["resize"]), "range": float(made["range"])}
    found["crop"] = height if height == width else [height, width]
    for name, title in (("mean", "mean"), ("std", "deviation")):
        try:
            found[name] = [float(part) for part in str(shown[name]).split(",")]
        except ValueError:
            found[name] = []
        if len(found[name]) != 3 or (name == "std" and not all(found[name])):
            raise Refusal(
                f"The {title} {shown[name]!r} is not three numbers{', none 0' if name == 'std' else ''}.",
                advice="Write them with commas, for example 0.5, 0.5, 0.5.",
            )
    if found["fit"] in ("crop", "squash") and found["resize"] < max(height, width):
        raise Refusal(
            f"A picture resized to {found['resize']} px cannot be cut to {width} x {height} px.",
            advice="Make the shorter side at least as long, or choose another fit.",
        )
    return found


def written(file: Path, changed: Mapping[str, Any]) -> Path:
    """Write the changes into the card of a model's file, and return the card's path.

    Other fields are kept. The card is written beside the file, or in the user's own folder if that cannot be written
    to. Raises Refusal if neither works.
    """
    card = cards.of_file(file)
    about = {"name": file.stem, **({} if card.weights is None else dict(card.about)), **changed, "weights": file.name}
    try:
        return cards.write(file, about)
    except OSError as error:
        raise Refusal(
            f"The card of {file.name} cannot be written ({error}).",
            advice="Make room on the disk, or allow writing to it.",
        ) from error
