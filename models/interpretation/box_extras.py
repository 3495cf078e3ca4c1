"""What a detector gives with each box: points, the angle of an oriented box, coefficients of mask prototypes.

Sources: RetinaFace, YuNet, CenterFace and YOLOv5-face's repositories, ultralytics' exports, YOLACT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.detection.anchor_sets import KNOWN
from models.detection.skeleton import COCO_POINTS
from models.interpretation.box_codes import CENTERFACE, DISTANCES, OFFSETS, SHARES, YOLOV5
from models.interpretation.layout import DetectorLayout
from models.interpretation.tables import mask_rows

FACE_POINTS = ("left eye", "right eye", "nose", "left mouth", "right mouth")  # as seen by the viewer
LONGEST_MASK, LEAST_CHANCE = 320, 1e-4  # px of a side; of a probability
MASK_SIDE = 56  # cells of a mask within its box


@dataclass(frozen=True)
class Extras:
    """What belongs to the rows of one pass: `points` (N, R, P, 3) x, y in px of the input and visibility, `angles`
    (N, R) in radians, `coefficients` (N, R, K) of `prototypes` (N, K, h, w); None for what there is not.
    """

    points: Tensor | None = None
    angles: Tensor | None = None
    coefficients: Tensor | None = None
    prototypes: Tensor | None = None

    @property
    def tensors(self) -> list[Tensor]:
        """Those that there are, in the order of the fields."""
        every = (self.points, self.angles, self.coefficients, self.prototypes)
        return [tensor for tensor in every if tensor is not None]

    @classmethod
    def of(cls, layout: DetectorLayout, tensors: Sequence[Tensor]) -> Extras:
        """Return them from the `tensors` of a layout's extras."""
        left = iter(tensors)
        masked = layout.has_masks
        has = (layout.landmarks is not None, layout.angle is not None, masked, masked)
        return cls(*(next(left) if one else None for one in has))

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return sum(tensor.nbytes for tensor in self.tensors)


def extras(layout: DetectorLayout, outputs: Sequence[Tensor], corners: Tensor, size: tuple[int, int]) -> Extras:
    """Return what a layout gives with its boxes; `corners` (N, R, 4) are its boxes in px of an input of `size`."""
    if layout.landmarks is None and layout.angle is None and not layout.has_masks:
        return Extras()
    rows = [table.rows(outputs).float() for table in layout.tables]
    points = _points(layout, layout.landmarks.of(rows), corners, size) if layout.landmarks is not None else None
    angles = layout.angle.of(rows)[..., 0] if layout.angle is not None else None
    if layout.masks >= 0:
        return Extras(points, angles, *_as_prototypes(outputs[layout.masks].float()))
    if layout.coefficients is None:
        return Extras(points, angles)
    count = layout.coefficients.count
    prototypes = next(t for t in outputs if t.ndim == 4 and t.shape[1] == count and min(t.shape[2:]) > 1)
    return Extras(points, angles, layout.coefficients.of(rows), prototypes.float())


def _as_prototypes(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return an output of masks of R rows as coefficients (1, R, R) of prototypes (1, R, h, w): one of each row."""
    masks = mask_rows(masks)
    shrink = max(masks.shape[-2:]) / LONGEST_MASK
    if shrink > 1 and len(masks):
        masks = functional.interpolate(masks[None], scale_factor=1 / shrink, mode="area")[0]
    logits = torch.logit(masks, eps=LEAST_CHANCE)
    return torch.eye(len(masks), device=masks.device)[None], logits[None]


def point_names(layout: DetectorLayout) -> tuple[str, ...]:
    """Return names for a layout's points: a face's five, a person's of COCO, else numbers from 1."""
    assert layout.landmarks is not None
    count = layout.landmarks.count // layout.point_width
    known = {len(FACE_POINTS): FACE_POINTS, len(COCO_POINTS): COCO_POINTS}
    return known.get(count, tuple(f"point {place}" for place in range(1, count + 1)))


def _points(layout: DetectorLayout, columns: Tensor, corners: Tensor, size: tuple[int, int]) -> Tensor:
    """Return points (N, R, P, 3) in px of the input from their columns (N, R, P * width)."""
    code, split = layout.code, columns.unflatten(-1, (-1, layout.point_width))
    xy = split[..., :2]
    seen = split[..., 2:3] if layout.point_width == 3 else torch.ones_like(split[..., :1])
    if bool((seen < 0).any()) or bool((seen > 1 + 1e-4).any()):
        seen = seen.sigmoid()
    if code.decoded:
        placed = xy * xy.new_tensor([size[1], size[0]]) if code.unit == SHARES else xy
    elif code.name == OFFSETS:
        placed = KNOWN[code.anchors].points(xy, size)
    elif code.name == CENTERFACE:  # y before x, in shares of the box, from its upper left corner
        first, sides = corners[..., None, :2], (corners[..., 2:] - corners[..., :2])[..., None, :]
        placed = first + xy.flip(-1) * sides
    else:
        grid = layout.grid
        assert grid is not None
        cells, strides = (t.to(xy) for t in grid.corners())
        strides = strides[:, None, None]
        if code.name == YOLOV5:
            placed = xy * code.anchor_sides(grid).to(xy)[:, None] + cells[:, None] * strides
        else:
            placed = (xy + cells[:, None] + (code.cell if code.name == DISTANCES else 0)) * strides
    return torch.cat([placed, seen], -1)


def masks(prototypes: Tensor, coefficients: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return mask probabilities (K, s, s) within boxes (K, 4) in px of an input of `size` (h, w), cells evenly spread.

    The mask of a box is the sigmoid of its coefficients (K, P) times the prototypes (P, h, w), interpolated (Bolya et
    al. 2019).
    """
    logits = torch.einsum("kp,phw->khw", coefficients, prototypes)
    at = (torch.arange(MASK_SIDE, dtype=boxes.dtype, device=boxes.device) + 0.5) / MASK_SIDE
    x = boxes[:, None, 0] + at * (boxes[:, None, 2] - boxes[:, None, 0])
    y = boxes[:, None, 1] + at * (boxes[:, None, 3] - boxes[:, None, 1])
    places = torch.stack(
        [
            (2 * x / size[1] - 1)[:, None].expand(-1, MASK_SIDE, -1),
            (2 * y / size[0] - 1)[..., None].expand(-1, -1, MASK_SIDE),
        ],
        -1,
    )
    found = functional.grid_sample(logits[:, None], places, mode="bilinear", padding_mode="border", align_corners=False)
    return found[:, 0].sigmoid()
