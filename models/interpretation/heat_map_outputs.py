"""The outputs of a heat-map detector as heat maps, centres and boxes by cell, and as corners with embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.detection.peaks import Corners, HeatMaps
from models.interpretation.layout import DetectorLayout
from models.types import Float

# Corner by corner, or kind of map by kind of map; upper left corners come first.
ORDERS = tuple(
    order
    for own in (("scores", "tags", "offsets"), ("scores", "offsets", "tags"))
    for order in (own * 2, tuple(name for name in own for _ in range(2)))
)
Place = Callable[[Float], Float]


def read(layout: DetectorLayout, outputs: Sequence[Tensor], size: tuple[int, int], place: Place) -> HeatMaps:
    """Return what a layout with peaks finds in outputs (1, ...) for an input of `size` (h, w), before peaks are taken.

    `place` converts points and boxes from pixels of the input to pixels of the picture.
    """
    grid = layout.grid
    assert grid is not None
    ((height, width),) = grid.shapes
    boxes, scores = replace(layout, peaks=False).decode(outputs, size)
    box = boxes[0].float().cpu().numpy()
    cells, strides = grid.corners()
    middle = ((cells + 0.5) * strides[:, None]).numpy()
    return HeatMaps(
        scores[0].T.unflatten(1, (height, width)).float().cpu().numpy(),
        place(middle),
        place(((box[:, :2] + box[:, 2:]) / 2).astype(np.float32)),
        place(box),
        ((box[:, 2:] - box[:, :2]) / strides[:, None].numpy()).astype(np.float32),
        corners(layout, outputs, place),
    )


def corners(layout: DetectorLayout, outputs: Sequence[Tensor], place: Place) -> tuple[Corners, Corners] | None:
    """Return the corners among the outputs that the layout does not use, None if there are none.

    There are two maps of the classes, two with one channel, the embeddings, and two offsets, upper left ones first.
    """
    used = {view.output for table in layout.tables for view in table.views}
    grid = layout.grid
    assert grid is not None
    (shape,), (stride,) = grid.shapes, grid.strides
    rest = [t for at, t in enumerate(outputs) if at not in used and t.ndim == 4 and t.shape[2:] == shape]
    wanted = {"scores": layout.scores.count, "tags": 1, "offsets": 2}
    order = next((each for each in ORDERS if [t.shape[1] for t in rest] == [wanted[name] for name in each]), None)
    if order is None:
        return None
    found = {name: [t[0].float().cpu() for t, own in zip(rest, order, strict=True) if own == name] for name in wanted}
    y, x = torch.meshgrid(torch.arange(shape[0]), torch.arange(shape[1]), indexing="ij")
    cell = torch.stack([x, y], -1).reshape(-1, 2)
    made = []
    for scores, tags, offsets in zip(*(found[name] for name in ("scores", "tags", "offsets")), strict=True):
        chances = scores if bool((scores >= 0).all() and (scores <= 1).all()) else scores.sigmoid()
        points = (cell + offsets.flatten(1).T) * stride
        made.append(Corners(chances.numpy(), place(points.numpy().astype(np.float32)), tags.flatten().numpy()))
    return made[0], made[1]
