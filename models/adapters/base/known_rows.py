"""What adapters share whose networks give rows in a layout that is known, so that nothing has to be recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from torch import nn

from models.adapters.base.row_outputs import ONE_STAGE, Rows
from models.cards.card import Card
from models.detection import box_rows
from models.detection.box_rows import Boxes
from models.interpretation import detector_reading, network_reading
from models.interpretation.layout import DetectorLayout
from models.interpretation.network_reading import Reading
from models.loading.preprocess import Preprocess
from models.loading.probe_network import CELLS, Found

DECODED = Boxes(1, box_rows.CORNERS, box_rows.PIXELS, box_rows.PROBABILITIES, box_rows.NONE)


class KnownRows(Rows):
    """An opened one-stage detector whose rows lie on the cells of pyramid levels in a known layout."""

    stages: Mapping[str, str] = {
        "rpn": ONE_STAGE,
        "HasAnchors": "{name} is anchor-free: each cell of its grids gives one box.",
    }
    origin: ClassVar[str] = "cell"

    def __init__(self, net: nn.Module, card: Card, layout: DetectorLayout, preprocess: Preprocess) -> None:
        why = "Its layout is known: nothing was guessed."
        title = detector_reading.title(layout)
        reading = Reading("own", title, network_reading.BOXES, 1.0, (why,), how=layout)
        found = Found(
            CELLS, preprocess, 3, 0, plain=False, boxes=DECODED, layout=layout, readings=(reading,), reading=reading
        )
        names = card.classes or tuple(map(str, range(layout.class_count)))
        super().__init__(net, replace(card, classes=names), found)
