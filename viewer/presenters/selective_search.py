"""Regions of selective search as layers: their outlines in colours, their boxes, and the objects to be reached."""

from __future__ import annotations

import numpy as np

from models.types import Result
from viewer.canvas.layers import NO_CLASS, TRUTH, Boxes, Labels, Layer

REGIONS, BOXES, OBJECTS = "search regions", "search boxes", "search objects"
COLOURS = 24
MOST_BOXES = 300


def layers(result: Result, *, boxes: bool = True, regions: bool = True) -> list[Layer]:
    """Return regions, their boxes and the objects, bottom first."""
    arrays, found = result.arrays, list[Layer]()
    labels = arrays["regions"]
    if regions:
        shades = labels % COLOURS
        names = [str(n) for n in range(COLOURS)]
        sure = np.ones(labels.shape, np.float32)
        found.append(Labels(REGIONS, shades, sure, result.meta["extent"], names, opacity=0.55))
    if boxes:
        shown = arrays["boxes"][:MOST_BOXES]
        found.append(Boxes(BOXES, shown, np.full(len(shown), NO_CLASS), width=1.6, hoverable=False))
    if len(arrays["truth_boxes"]):
        count = len(arrays["truth_boxes"])
        found.append(Boxes(OBJECTS, arrays["truth_boxes"], np.full(count, TRUTH), dashed=True, hoverable=False))
    return found


def curves(result: Result) -> np.ndarray:
    """Return the recall of selective search, and of the RPN where there is one, by the number of boxes (K, P)."""
    names = ("recall", "rpn_recall") if "rpn_recall" in result.arrays else ("recall",)
    return np.stack([result.arrays[name] for name in names])
