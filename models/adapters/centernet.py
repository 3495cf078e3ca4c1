"""Adapter for the bundled heat-map detector: centres with offsets and sizes, and corners with embeddings."""

from __future__ import annotations

import torch
from torch import nn

from models.adapters.base.known_rows import KnownRows
from models.bundled.centernet import MEAN, STD, STRIDE, DigitsCenterNet
from models.cards.card import Card
from models.detection.box_rows import SIGMOID
from models.interpretation.box_codes import CENTERNET, BoxCode
from models.interpretation.grids import Grid
from models.interpretation.layout import Columns, DetectorLayout
from models.interpretation.tables import MAP, Table, View
from models.loading.preprocess import Preprocess
from models.params import Value

USUAL_SCORE = 0.3  # peaks of heat maps are lower than other detectors' scores


class CenterNetAdapter(KnownRows):
    """An opened heat-map detector (Zhou, Wang and Krähenbühl 2019)."""

    classes: tuple[str, ...] = ("a", "b", "c")  # of the miniature

    def __init__(self, net: DigitsCenterNet, card: Card) -> None:
        given = card.about.get("preprocessing")
        own = Preprocess(crop=net.size_px, resize=net.size_px, mean=MEAN, std=STD, fit="stretch")
        preprocess = Preprocess.of(given) if given and "fit" in given else own
        super().__init__(net, card, layout(net.classes, preprocess.size), preprocess)

    @property
    def defaults(self) -> dict[str, Value]:
        """The thresholds of all detectors of rows, with CenterNet's own score of 0.3."""
        return {**super().defaults, "score": USUAL_SCORE}

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, DigitsCenterNet)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return DigitsCenterNet(width=8, classes=len(cls.classes), levels=8, size_px=96)


def layout(classes: int, size: tuple[int, int]) -> DetectorLayout:
    """Return the layout of the outputs `hm`, `wh` and `reg` for an input of `size` (h, w)."""
    grid = Grid(size, (STRIDE,), up=False)
    heat, sides, offsets = (Table(name, (View(at, MAP),), grid) for at, name in enumerate(("hm", "wh", "reg")))
    boxes = (Columns(1, 0, 2), Columns(2, 0, 2))
    code = BoxCode(CENTERNET)
    return DetectorLayout((heat, offsets, sides), boxes, code, Columns(0, 0, classes), SIGMOID, peaks=True)


ADAPTER = CenterNetAdapter
