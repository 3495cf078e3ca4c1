"""Preparations of pictures, judged by networks that really see: they know three photographs by their own values.

A network here answers by how near its input is to a known photograph. Prepared with other values, another order of
colours, fit or padding, the input is another, and it is less sure or sees nothing. So the best preparation is the one
that it was made with, and its boxes lie where the things are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

from models.cards.card import PHOTOS
from models.interpretation import examine
from models.interpretation.examine import PICTURES, USUAL, Preparation
from models.interpretation.grids import Grid
from models.pictures import images

SIZE = (320, 320)
STRIDES = (8, 16, 32)
# A thing in each of the three photographs, x0 y0 x1 y1 in shares: a face, a cat's head, a cup.
THINGS = {"astronaut": (0.34, 0.12, 0.56, 0.40), "cat": (0.20, 0.10, 0.62, 0.75), "coffee": (0.30, 0.15, 0.75, 0.85)}


@dataclass(frozen=True)
class Seeing:
    """A detector that knows the photographs as they are prepared in one way: YOLOv8's rows, or YOLOX's raw ones."""

    known: tuple[tuple[Tensor, tuple[float, ...]], ...]  # the prepared photograph, and its thing in px of the input
    raw: bool

    def __call__(self, x: Tensor) -> list[tuple[str, Tensor]]:
        """Return rows of box and classes for an input (1, 3, h, w)."""
        cells, stride = Grid(SIZE, STRIDES).corners()
        centres = (cells + 0.5) * stride[:, None]
        boxes = torch.cat([centres, stride[:, None].expand(-1, 2) * 2], 1)
        scores = torch.full((len(cells), len(self.known)), 1e-4)
        for label, (photo, thing) in enumerate(self.known):
            x0, y0, x1, y1 = thing
            off = (x - photo).abs().mean() / photo.std()  # how unlike the known photograph, in its own spread
            sure = float(torch.exp(-6 * off))
            middle = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2])
            away = (centres - middle).abs().amax(1) / stride
            near = away < 2
            shape = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])
            if sure > 0.05:
                boxes[near] = shape + 0.01 * shape[2:].repeat(2) * torch.sin(centres[near].sum(1))[:, None]
                scores[near, label] = sure * torch.exp(-(away[near] ** 2) / 4)
        if self.raw:
            place = torch.cat([boxes[:, :2] / stride[:, None] - cells, (boxes[:, 2:] / stride[:, None]).log()], 1)
            return [("output", torch.cat([place, torch.ones(len(cells), 1), scores], 1)[None])]
        return [("output0", torch.cat([boxes, scores], 1).T[None])]


def placed(way: Preparation, name: str) -> tuple[Tensor, tuple[float, ...]]:
    """A photograph prepared in one way, and its thing in px of the input."""
    pixels, preprocess = images.read(PHOTOS / f"{name}.jpg").pixels, way.preprocess(SIZE)
    x0, y0, x1, y1 = preprocess.extent(pixels.shape[1], pixels.shape[0])
    thing = np.array(THINGS[name]) * np.array([pixels.shape[1], pixels.shape[0]] * 2)
    shift, scale = np.array([x0, y0] * 2), np.array([SIZE[1] / (x1 - x0), SIZE[0] / (y1 - y0)] * 2)
    return preprocess.input(pixels, torch.device("cpu")), tuple(float(v) for v in (thing - shift) * scale)


@pytest.mark.parametrize("raw", [False, True], ids=["decoded", "raw"])
@pytest.mark.parametrize("number", range(len(USUAL)), ids=["-".join(each) for each in USUAL])
def test_the_preparation_that_a_network_was_made_with_is_found(number: int, raw: bool) -> None:
    way = Preparation(*USUAL[number])
    net = Seeing(tuple(placed(way, name) for name in PICTURES), raw)
    found = examine.examine(net, SIZE, torch.device("cpu"), given={})
    assert found is not None
    best = found.preparations[0]
    assert best.preprocess(SIZE).about == way.preprocess(SIZE).about
    layout = found.proposals[0].layout
    for label, name in enumerate(PICTURES):
        pixels, preprocess = images.read(PHOTOS / f"{name}.jpg").pixels, best.preprocess(SIZE)
        boxes, scores = layout.decode([t for _, t in net(preprocess.input(pixels, torch.device("cpu")))], SIZE)
        row = int(scores[0, :, label].argmax())
        wanted = torch.tensor([placed(best, name)[1]])
        assert float(scores[0, row, label]) > 0.3
        assert float(box_iou(boxes[:1, row], wanted)) > 0.8
