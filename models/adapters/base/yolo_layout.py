"""The layout of rows of YOLO's kind: a box, objectness, classes and coefficients of prototypes, on pyramid levels."""

from __future__ import annotations

from models.detection.box_rows import PROBABILITIES, SIGMOID
from models.interpretation.box_codes import CENTRE, YOLOX, BoxCode
from models.interpretation.grids import Grid
from models.interpretation.layout import Columns, DetectorLayout
from models.interpretation.tables import ROWS, Table, View

BOX, OBJECTNESS = 4, 1  # numbers of a row


def yolo_layout(
    classes: int, size: tuple[int, int], *, strides: tuple[int, ...], prototypes: int, raw: bool
) -> DetectorLayout:
    """Return the layout of the output `rows` for an input of `size` (h, w), on levels of `strides` px."""
    table = Table("rows", (View(0, ROWS),), Grid(size, strides, up=False))
    kind, first = SIGMOID if raw else PROBABILITIES, BOX + OBJECTNESS
    return DetectorLayout(
        (table,),
        (Columns(0, 0, BOX),),
        BoxCode(YOLOX if raw else CENTRE),
        Columns(0, first, classes),
        kind,
        objectness=Columns(0, BOX, OBJECTNESS),
        objectness_kind=kind,
        coefficients=Columns(0, first + classes, prototypes),
    )
