"""Box codes: how four numbers of a row, or a distribution over distances, stand for a box.

Every code is differentiable, so that a box can be attributed to pixels.

- centre: centre x, centre y, width, height; corners: x0 y0 x1 y1; corner_size: x0 y0 width height; yx: y0 x0 y1 x1
- yolox: (xy + cell) * stride, exp(wh) * stride (Ge et al. 2021)
- yolov5: (2 s(xy) - 0.5 + cell) * stride, (2 s(wh))^2 * anchor, s the sigmoid
- yolov3: (s(xy) + cell) * stride, exp(wh) * anchor
- distances: left, top, right, bottom from the cell's centre, in strides or px (FCOS, Tian et al. 2019)
- distribution: the same four as the expectation of a softmax over bins (Li et al. 2020, generalised focal loss)
- offsets: from anchors of a known set (Liu et al. 2016, SSD)
- centernet: centre (cell + offset) * stride, sizes in cells (Zhou et al. 2019); centerface: sizes exp'd, y before x
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.detection.anchor_sets import KNOWN
from models.interpretation.grids import Grid

PIXELS, SHARES, STRIDES = "pixels", "shares", "strides"
CENTRE, CORNERS, CORNER_SIZE, YX = "centre", "corners", "corner_size", "yx"
YOLOX, YOLOV5, YOLOV3 = "yolox", "yolov5", "yolov3"
DISTANCES, DISTRIBUTION = "distances", "distribution"
CENTERNET, CENTERFACE, OFFSETS = "centernet", "centerface", "offsets"
DECODED = (CENTRE, CORNERS, CORNER_SIZE, YX)
LARGEST_LOG = 8.0  # exp of more is no box
# Of YOLOv5 6.0 (YOLOv3's are the same, YOLOv4's those of YOLOv7), YOLOv7 and Darknet, in px of the input, by level.
ANCHORS = {
    "yolov5": (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326))),
    "yolov7": (((12, 16), (19, 36), (40, 28)), ((36, 75), (76, 55), (72, 146)), ((142, 110), (192, 243), (459, 401))),
    "yolov3-tiny": (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (344, 319))),
    "yolov2": (((18.33, 21.68), (59.98, 66.0), (106.83, 175.18), (252.25, 112.89), (312.66, 293.38)),),
    "yolov2-voc": (((42.31, 55.41), (102.17, 128.3), (161.79, 259.17), (303.08, 154.9), (359.56, 320.23)),),
    "tiny-yolov2-voc": (((34.56, 38.08), (109.44, 141.12), (212.16, 364.16), (301.44, 163.52), (531.84, 336.64)),),
    "yolov5-face": (((4, 5), (8, 10), (13, 16)), ((23, 29), (43, 55), (73, 105)), ((146, 217), (231, 300), (335, 433))),
}


@dataclass(frozen=True)
class BoxCode:
    """How numbers stand for boxes: the code's `name`, the `unit` of decoded coordinates and distances.

    `cell` is where in its cell a row's centre is, 0.5 or 0. `anchors` names a set of ANCHORS. `bins` is how many bins
    each of the four distances has.
    """

    name: str
    unit: str = PIXELS
    cell: float = 0.5
    anchors: str = ""
    bins: int = 0

    @property
    def width(self) -> int:
        """How many columns hold a box."""
        return 4 * self.bins if self.name == DISTRIBUTION else 4

    @property
    def decoded(self) -> bool:
        """Whether rows hold boxes that need no grid."""
        return self.name in DECODED

    @property
    def anchored(self) -> bool:
        """Whether rows are offsets from anchors, each row from its own."""
        return self.name == OFFSETS

    def corners(self, rows: Tensor, size: tuple[int, int], grid: Grid | None, order: Tensor | None = None) -> Tensor:
        """Return rows (..., R, width) as boxes x0 y0 x1 y1 (..., R, 4) in pixels of an input of `size` (h, w).

        `order` (R,) says which rows of the grid they are, where they are not all of them.
        """
        if self.decoded:
            return _decoded(self.name, rows, self.unit, size)
        if self.name == OFFSETS:
            return KNOWN[self.anchors].decode(rows, size)
        assert grid is not None
        cells, strides = (t.to(rows) if order is None else t.to(rows)[order] for t in grid.corners())
        stride = strides[:, None]
        if self.name in (DISTANCES, DISTRIBUTION):
            sides = rows if self.name == DISTANCES else _expected(rows, self.bins)
            sides = sides * stride if self.unit == STRIDES else sides
            centre = (cells + self.cell) * stride
            return torch.cat([centre - sides[..., :2], centre + sides[..., 2:]], -1)
        first, second = rows[..., :2], rows[..., 2:]
        if self.name == YOLOX:
            return _around((first + cells) * stride, second.clamp_max(LARGEST_LOG).exp() * stride)
        if self.name == CENTERNET:
            return _around((first + cells) * stride, second * stride)
        if self.name == CENTERFACE:
            return _around(
                (first.flip(-1) + cells + 0.5) * stride, second.flip(-1).clamp_max(LARGEST_LOG).exp() * stride
            )
        anchors = self.anchor_sides(grid).to(rows)
        anchors = anchors if order is None else anchors[order]
        if self.name == YOLOV5:
            return _around((first.sigmoid() * 2 - 0.5 + cells) * stride, (second.sigmoid() * 2) ** 2 * anchors)
        return _around((first.sigmoid() + cells) * stride, second.clamp_max(LARGEST_LOG).exp() * anchors)

    def anchor_sides(self, grid: Grid) -> Tensor:
        """Return width and height (R, 2) in px of the anchor of each row of a grid."""
        known = torch.tensor(ANCHORS[self.anchors]).float()
        level, anchor = grid.anchor_of_rows()
        return known[level, anchor]


def _decoded(name: str, rows: Tensor, unit: str, size: tuple[int, int]) -> Tensor:
    first, second = rows[..., :2], rows[..., 2:]
    if name == YX:
        first, second = first.flip(-1), second.flip(-1)
    elif name == CENTRE:
        first, second = first - second / 2, first + second / 2
    elif name == CORNER_SIZE:
        second = first + second
    found = torch.cat([first, second], -1)
    return found * found.new_tensor((*size[::-1], *size[::-1])) if unit == SHARES else found


def _expected(rows: Tensor, bins: int) -> Tensor:
    shares = rows.unflatten(-1, (4, bins)).softmax(-1)
    return shares @ torch.arange(bins, dtype=rows.dtype, device=rows.device)


def _around(centre: Tensor, sides: Tensor) -> Tensor:
    return torch.cat([centre - sides / 2, centre + sides / 2], -1)
