"""Usual ways to prepare a picture, offered as assumptions where no card says which one a network was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from models import assume
from models.cards import Card
from models.preprocess import FITS, ORDERS, Preprocess

PRESETS: dict[str, dict[str, Any]] = {
    "imagenet": {},
    "zero_one": {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
    "minus_one_one": {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
    "minus_127": {"mean": (127.0, 127.0, 127.0), "std": (128.0, 128.0, 128.0), "range": 255.0},
    "zero_255": {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "range": 255.0},
    "caffe": {"mean": (103.939, 116.779, 123.68), "std": (1.0, 1.0, 1.0), "range": 255.0},
}
COLOURED = ("imagenet", "caffe")
SMALL_PX = 96
INPUT = {
    "title": "Values",
    "help": "How values are scaled: with ImageNet's mean and spread, 0 to 1, -1 to 1, (x - 127) / 128, 0 to 255, or "
    "0 to 255 less Caffe's mean colour in BGR.",
}
COLOURS = {"title": "Colours", "help": "The order of the colours."}
FIT = {"title": "Fit", "help": "Cut the middle out, stretch to the size, or pad to keep the proportions."}


def propose(
    net: nn.Module, card: Card, given: Mapping[str, str], *, size: tuple[int, int], channels: int, boxes: bool
) -> tuple[Preprocess, dict[str, dict[str, Any]]]:
    """Return what is done to a picture of a network whose input is `size` (h, w), and the assumptions in that.

    What the card says is no assumption. Raises Refusal for a choice that there is not.
    """
    if "preprocessing" in card.about:
        return Preprocess.of(card.about["preprocessing"]), {}
    names = [name for name in PRESETS if channels == 3 or name not in COLOURED]
    first = "imagenet" if channels == 3 and not boxes else "zero_one"
    fits = FITS if size[0] == size[1] and not boxes else ("stretch", "pad", "crop")
    offered: dict[str, dict[str, Any]] = {
        "input": {**INPUT, "choices": (first, *(name for name in names if name != first))},
        "fit": {**FIT, "choices": fits},
    }
    if channels == 3:
        order = ORDERS[::-1] if given.get("input") == "caffe" else ORDERS
        offered["colours"] = {**COLOURS, "choices": order}
    assumed = assume.check({k: v for k, v in given.items() if k in offered}, offered, name=card.name)
    made = Preprocess(
        resize=min(size) if min(size) < SMALL_PX else int(min(size) * 256 / 224),
        crop=size[0] if size[0] == size[1] else size,
        fit=assumed["fit"],
        order=assumed.get("colours", ORDERS[0]),
        **PRESETS[assumed["input"]],
    )
    return made, offered
