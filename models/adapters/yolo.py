"""Adapter for the bundled one-tensor detector: rows on three levels with objectness, classes and mask coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from models import model_name
from models.adapters.base.known_rows import KnownRows
from models.adapters.base.yolo_layout import yolo_layout
from models.bundled.yolo import MEAN, PROTOTYPES, STD, STRIDES, DigitsYolo
from models.cards.card import Card
from models.interpretation.layout import DetectorLayout
from models.loading.preprocess import Preprocess

DECODED, RAW = "decoded", "raw"
ROWS_HELP = {
    "title": "Rows",
    "help": "Whether the network's rows hold boxes in pixels and probabilities, or what its head says before that.",
    "choices": (DECODED, RAW),
}


class YoloAdapter(KnownRows):
    """An opened one-tensor detector of YOLO's kind; `rows` says whether its rows are decoded or raw."""

    classes: tuple[str, ...] = ("a", "b", "c")  # of the miniature

    def __init__(self, net: DigitsYolo, card: Card) -> None:
        given = card.about.get("preprocessing")
        own = Preprocess(crop=net.size_px, resize=net.size_px, mean=MEAN, std=STD, fit="stretch")
        preprocess = Preprocess.of(given) if given and "fit" in given else own
        super().__init__(net, card, layout(net.classes, preprocess.size, raw=net.raw), preprocess)

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, DigitsYolo)

    @classmethod
    def assuming(cls, net: DigitsYolo, card: Card, given: Mapping[str, str]) -> YoloAdapter:
        """Return the adapter for the rows that the user chose. Raises Refusal for choices that are not offered."""
        assumed = model_name.check(given, {"rows": ROWS_HELP}, name=card.name)
        net.raw = assumed["rows"] == RAW
        items = {"rows": {**ROWS_HELP, "value": assumed["rows"]}}
        return cls(net, replace(card, about={**card.about, "assumptions": items}))

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        net = DigitsYolo(classes=len(cls.classes), size_px=96)
        with torch.no_grad():
            for head in net.heads:
                head.bias[4] = 0.0  # pyright: ignore[reportIndexIssue] - so that something is found without training
        return net


def layout(classes: int, size: tuple[int, int], *, raw: bool) -> DetectorLayout:
    """Return the layout of the output `rows` for an input of `size` (h, w)."""
    return yolo_layout(classes, size, strides=STRIDES, prototypes=PROTOTYPES, raw=raw)


ADAPTER = YoloAdapter
