"""Charts: the part of a surface that each pixel shows and where on the part's chart it lies, as in DensePose.

Arrays of the Result, on the cells (h, w) of the network's input over `meta["extent"]` in pixels of the picture:
`labels` 0 for no part, else the part + 1, with its `probability`; `u` and `v` from 0 to 1, NaN without a part; `lines`
whether a cell lies on an iso-line of either. `classes` (S,) the labels present, the largest first, with their `share`
and `mean` probability. `unfolded` (P, s, s, 3) uint8, what of the picture each chart shows, rows along u and columns
along v, and `cells` (P, s, s) how many cells of the input fall on each; `dressed` (h, w, 3) uint8, the picture with the
texture on its parts, where one is asked for. With annotated points of DensePose: `points` (D, 2) in pixels of the
picture, `true` (D, 3) and `found` (D, 3) part (from 1, 0 for none), u and v, `error` (D,) in shares of the chart, NaN
where the part is another. Meta: `names`, `part_names`, `text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.cards.card import BACKGROUND
from models.detection import charts
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.truth import surface_points
from models.types import Pixels, Refusal, Result

NOTHING, CHECKERED, OWN = "none", "checkerboard", "picture"


@dataclass(frozen=True)
class Params:
    """The iso-lines, the texture, and the ground truth."""

    lines: int = param(8, "Iso-lines", "Into how many steps u and v are drawn, 0 for none.", low=0, high=32, step=1)
    texture: str = param(
        NOTHING,
        "Texture",
        "What is laid onto the charts: a checkerboard shows where u and v run evenly.",
        choices=(NOTHING, CHECKERED, OWN),
        titles=("None", "Checkerboard", "A picture of your own"),
    )
    file: str = param("", "Picture of the texture", "Path of the picture that is laid onto the charts.")
    part: int = param(-1, "Textured part", "The part that is textured, from 0; -1 is all.", low=-1, high=999, step=1)
    truth: str = param(
        "", "Ground truth", "Path of a COCO file with points of DensePose (dp_x, dp_y, dp_I, dp_U, dp_V)."
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the charts of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for a texture or truth that cannot be read."""
    found = model.charts(pixels, stages)
    names = tuple(model.part_names)
    known = found.part > 0
    u, v = (np.where(known, values, np.nan).astype(np.float32) for values in found.chart)
    unfolded, cells = charts.unfolded(pixels, found, len(names))
    seen = np.bincount(found.part.ravel(), minlength=len(names) + 1)
    order = np.argsort(-seen, kind="stable")[: int((seen > 0).sum())]
    total = np.bincount(found.part.ravel(), found.sure.ravel(), minlength=len(seen))
    arrays = {
        "labels": found.part.astype(np.int16),
        "probability": found.sure.astype(np.float32),
        "u": u,
        "v": v,
        "lines": np.zeros(known.shape, np.bool_),
        "classes": order,
        "share": seen[order] / found.part.size,
        "mean": total[order] / seen[order],
        "unfolded": unfolded,
        "cells": cells,
    }
    if params.lines:
        for values in found.chart:
            arrays["lines"] |= charts.steps(values, known, params.lines)
    texture = None
    if params.texture == CHECKERED:
        texture = charts.checkered()
    elif params.texture == OWN and params.file:
        texture = images.read(params.file).pixels
    if texture is not None:
        arrays["dressed"] = charts.dressed(pixels, found, texture, part=params.part)
    text = f"{int((seen[1:] > 0).sum())} of {len(names)} parts, on {1 - seen[0] / found.part.size:.0%} of the picture."
    if params.truth:
        path = stages.source.path if stages.source is not None else ""
        try:
            more, told = _measured(found, surface_points.of(params.truth, path, progress=stages.progress))
            arrays |= more
            text += told
        except Refusal as refusal:  # the open ground truth may be of another kind
            text += f" The error is not known: {refusal}"
    meta = {"names": (BACKGROUND[1], *names), "part_names": names, "classes": names}
    return Result(arrays, {**meta, "extent": found.extent, "input": found.part.shape, "text": text})


def _measured(found: charts.Charts, true: np.ndarray) -> tuple[dict[str, Any], str]:
    """Return what is said at annotated points (D, 5) x, y, part, u, v, and the errors in words."""
    x0, y0, x1, y1 = found.extent
    height, width = found.part.shape
    column = ((true[:, 0] - x0) / (x1 - x0) * width).astype(np.int64).clip(0, width - 1)
    row = ((true[:, 1] - y0) / (y1 - y0) * height).astype(np.int64).clip(0, height - 1)
    said = np.column_stack([found.part[row, column], *found.chart[:, row, column]])
    same = said[:, 0] == true[:, 2]
    error = np.where(same, np.abs(said[:, 1:] - true[:, 3:]).mean(1), np.nan)
    arrays = {"points": true[:, :2], "true": true[:, 2:], "found": said, "error": error}
    if not same.any():
        return arrays, f" None of {len(true)} annotated points has its part."
    count, share, off = len(true), same.mean(), error[same].mean()
    told = f" Of {count} annotated points {share:.1%} have their part; u and v are off by {off:.3f} on average there."
    return arrays, told


INSPECTION = Inspection(
    id="charts",
    title="Charts",
    help="Parts of a surface and the place of each pixel on their charts (u, v), textures, and the error by points.",
    needs=("MapsSurface",),
    params=Params,
    answer=answer,
)
