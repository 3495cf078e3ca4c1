"""What an augmentation makes of a picture: boxes drawn into it, with the share of each that is left."""

from __future__ import annotations

import numpy as np

from models.types import Pixels, Result
from viewer.canvas.layers import CORRECT, MISSED, TRUTH, Boxes, Layer
from viewer.canvas.painter import pixels_of, render

ADVERSARIAL = "adversarial"


def after(result: Result) -> Pixels:
    """Return the varied picture with its boxes; those of which little is left are marked."""
    arrays = result.arrays
    colours = np.where(arrays["flagged"], MISSED, CORRECT)
    texts = [label(result, row) for row in range(len(arrays["boxes"]))]
    return drawn(arrays["after"], [Boxes("after", arrays["boxes"], colours, texts)])


def before(result: Result) -> Pixels:
    """Return the picture as it was with its boxes; those that the model then loses are marked."""
    arrays = result.arrays
    lost = arrays.get("lost", np.zeros(len(arrays["given"]), bool))
    return drawn(arrays["before"], [Boxes("before", arrays["given"], np.where(lost, MISSED, TRUTH))])


def label(result: Result, row: int) -> str:
    """Return class and share of a box."""
    arrays, share = result.arrays, float(result.arrays["share"][row])
    named = name(result, int(arrays["labels"][row]))
    return named if result.meta["method"] == ADVERSARIAL or share > 0.995 else f"{named} {share:.0%}"


def name(result: Result, label_id: int) -> str:
    """Return the name of a class."""
    classes = result.meta["classes"]
    return classes[label_id] if 0 <= label_id < len(classes) else str(label_id)


def rows(result: Result) -> list[tuple[str, ...]]:
    """Return the boxes as rows of text: class, picture, share left, weight."""
    arrays, found = result.arrays, []
    for row in np.argsort(arrays["share"], kind="stable").tolist():
        named = name(result, int(arrays["labels"][row]))
        values = f"{float(arrays['share'][row]):.0%}", f"{float(arrays['weight'][row]):.2f}"
        found.append((named, str(int(arrays["origin"][row])), *values))
    return found


def drawn(pixels: Pixels, layers: list[Layer]) -> Pixels:
    """Return a picture with layers painted into it."""
    return pixels_of(render(np.ascontiguousarray(pixels), layers))
