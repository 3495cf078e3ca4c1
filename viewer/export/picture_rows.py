"""The pictures of a result in rows, as one picture: changed beside original, training pictures for and against."""

from __future__ import annotations

import numpy as np

from models.types import Pixels, Result
from viewer.presenters import augmentation

GAP_PX = 4
PAPER = 255
TIMES = 5  # by which the difference after a cycle is enlarged
ROBUSTNESS, INFLUENCE, SYNTHESIS = "robustness", "influence", "synthesise"
NEIGHBOURS, PATCHES, AUGMENTATION = "neighbours", "patches", "augmentation"
STYLE, CYCLE = "style", "cycle"
ROWS = (ROBUSTNESS, INFLUENCE, SYNTHESIS, NEIGHBOURS, PATCHES, AUGMENTATION, CYCLE)
SIDES = {INFLUENCE: ("supporting", "opposing"), SYNTHESIS: ("pictures", "strip")}
SIDES |= {NEIGHBOURS: ("pictures",), PATCHES: ("pictures", "whole")}


def joined(inspection: str, result: Result) -> Pixels:
    """Return the rows of a result (H, W, 3) uint8 on white: for robustness the picture, the changed one and their
    difference around grey; for influence what supports the answer above what opposes it; for class visualization the
    pictures above the way to the first one; for neighbours the nearest pictures; for top patches
    the crops above their pictures; for a cycle the picture, what returned and five times their difference, above what
    was made and its details; for an augmentation before and after with their boxes.
    """
    arrays = result.arrays
    if inspection == ROBUSTNESS:
        change = arrays["difference"]
        end = max(float(np.abs(change).max()), 1e-6)
        grey = (change * (127.5 / end) + 128).clip(0, 255).astype(np.uint8)
        return _row([arrays["picture"], arrays["changed"], grey])
    if inspection == AUGMENTATION:
        pictures = [augmentation.before(result), augmentation.after(result)]
        pictures += [arrays["difference"]] if "difference" in arrays else []
        high = max(picture.shape[0] for picture in pictures)
        padded = [np.pad(p, ((0, high - len(p)), (0, 0), (0, 0)), constant_values=PAPER) for p in pictures]
        return _row(padded)
    if inspection == CYCLE:
        grey = (np.repeat(arrays["difference"][..., None], 3, 2) * (127.5 * TIMES) + 128).clip(0, 255).astype(np.uint8)
        rows = [_row([arrays["input"], arrays["returned"], grey]), _row([arrays["made"], arrays["details"]])]
    else:
        rows = [_row(list(arrays[name])) for name in SIDES[inspection] if len(arrays[name])]
    width = max((row.shape[1] for row in rows), default=1)
    padded = [np.pad(row, ((0, GAP_PX), (0, width - row.shape[1]), (0, 0)), constant_values=PAPER) for row in rows]
    return np.concatenate(padded)[:-GAP_PX] if padded else np.full((1, 1, 3), PAPER, np.uint8)


def _row(pictures: list[Pixels]) -> Pixels:
    parts = [np.pad(one, ((0, 0), (0, GAP_PX), (0, 0)), constant_values=PAPER) for one in pictures]
    return np.concatenate(parts, axis=1)[:, :-GAP_PX]
