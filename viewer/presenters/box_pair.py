"""Two selected boxes compared: their overlap, in numbers and on the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from models.detection import iou as family
from models.detection.iou import Numbers
from viewer.canvas.layers import FIRST_TRUTH, Boxes, Hit, Layer, Links, Note, id_at
from viewer.presenters.detections import DETECTIONS
from viewer.translation import tr

PAIR = "pair"
NONE = "–"


class Pointed(Protocol):
    """The position of a click: the boxes there, the active one first, and whether Ctrl was held."""

    @property
    def hit(self) -> Hit | None: ...
    @property
    def hits(self) -> tuple[Hit, ...]: ...
    @property
    def extend(self) -> bool: ...


def pick(layers: Sequence[Layer], pointer: Pointed) -> int:
    """Return the id of the box that a click selects, -1 for none: the active one if possible, else the smallest.

    Detections can be selected, and as the second box also ground truth.
    """
    for hit in (pointer.hit, *pointer.hits):
        number = id_at(layers, hit) if hit is not None else -1
        if hit is not None and (hit[0] == DETECTIONS or (pointer.extend and number <= FIRST_TRUTH)):
            return number
    return -1


def layers_of(layers: Sequence[Layer], selected: int, second: int) -> list[Layer]:
    """Return extra layers for a second selected box: its halo, a line between the centres, the numbers.

    Both ids are of detections or, from FIRST_TRUTH down, of ground truth. Return [] if one of them is not shown.
    """
    found = [_find(layers, number) for number in (selected, second)]
    if second in (-1, selected) or found[0] is None or found[1] is None:
        return []
    (one, first), (other, row) = found[0], found[1]
    boxes = np.stack([one.boxes[first], other.boxes[row]])
    colours, names = other.colours[[row]], (_name(one, first), _name(other, row))
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float32)
    halo = Boxes(f"{PAIR} second", boxes[1:], colours, width=other.width, selected=0, hoverable=False)
    line = Links(f"{PAIR} line", middle.reshape(1, 4), colours)
    return [halo, line, Note(PAIR, f"{names[0]} and {names[1]}", numbers(*boxes))]


def numbers(a: Numbers, b: Numbers) -> tuple[tuple[str, str], ...]:
    """Return the comparison of two boxes (4,) in pixels of the picture, as names and values."""
    inter, union = family.areas(a, b)
    values = {name: function(a, b) for name, function in _FAMILY.items()}
    return (
        *((name, NONE if np.isnan(value) else f"{float(value):.4f}") for name, value in values.items()),
        (tr("Intersection"), f"{float(inter):,.1f} px²"),
        (tr("Union"), f"{float(union):,.1f} px²"),
        (tr("Between centres"), f"{float(family.centre_distance(a, b)):,.1f} px"),
    )


_FAMILY = {"IoU": family.iou, "GIoU": family.giou, "DIoU": family.diou, "CIoU": family.ciou}


def _find(layers: Sequence[Layer], number: int) -> tuple[Boxes, int] | None:
    """Return layer and row of a detection or of ground truth."""
    for layer in layers:
        if isinstance(layer, Boxes) and (number <= FIRST_TRUTH or (number >= 0 and layer.id == DETECTIONS)):
            rows = np.flatnonzero(layer.ids == number)
            if len(rows):
                return layer, int(rows[0])
    return None


def _name(layer: Boxes, row: int) -> str:
    return layer.text(row).split(",")[0].split(":")[0] or "box"
