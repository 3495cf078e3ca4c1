"""Adapter for the bundled stacked hourglass: a heat map for each point of the figure in a box, by each stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from models.adapters.base.scored import Seen
from models.bundled.hourglass import CLASSES, MEAN, SIZE_PX, STD, PuppetsHourglass
from models.cards.card import Card
from models.interpretation.point_codes import peaks
from models.loading.heads import VALUES, Head
from models.loading.preprocess import Preprocess
from models.loading.square_crop import cut_out, square_around
from models.runtime.forward_passes import through
from models.subject import Rect
from models.types import Float, Pixels

ROOM = 1.25  # the side of what is cut out, in longer sides of the box
OWN = Preprocess(resize=SIZE_PX, crop=SIZE_PX, mean=MEAN, std=STD, fit="pad")


class HourglassAdapter(Seen):
    """An opened hourglass: stages preprocess, heat maps. Attributions explain the height of a point's heat map."""

    stages: ClassVar[Mapping[str, str]] = {
        "Detects": "{name} finds the points of one figure: it finds no boxes.",
        "Classifies": "{name} finds points of a figure: it gives no classes.",
    }
    classes: ClassVar[tuple[str, ...]] = CLASSES
    head: Head = Head(VALUES)
    in_regions: ClassVar[bool] = True

    def __init__(self, net: PuppetsHourglass, card: Card) -> None:
        self.net = net.eval()
        self.card = card
        given = card.about.get("preprocessing")
        self.preprocess = Preprocess.of(given) if given and "fit" in given else OWN

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, PuppetsHourglass)

    @staticmethod
    def class_names(net: nn.Module) -> tuple[str, ...]:
        """Return the names of the points of a network that no card names."""
        return CLASSES

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return PuppetsHourglass(width=8, depth=1)

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """The names of the P points, in order: the card's, if it names as many as there are."""
        return self.card.classes if len(self.card.classes) == len(CLASSES) else CLASSES

    @property
    def map_stacks(self) -> int:
        """How many stacks give heat maps of their own."""
        return len(self.net.maps)

    def landmarks(
        self, pixels: Pixels, stages: Any, *, region: Rect | None = None, stack: int = -1
    ) -> tuple[Float, Float | None]:
        """Return the points (P, 3) of the figure in a region, x and y in pixels and score, and heat maps (P, h, w).

        `stack` chooses whose heat maps these are; -1 is the last, whose points are the network's answer.
        """

        def make() -> Tensor:
            way, seen = self.preprocess, pixels
            if region is not None:
                way, seen = self._stretched, cut_out(pixels, square_around(region, ROOM))
            with torch.inference_mode(False), torch.no_grad():
                return self.net(way.input(seen, self.device))

        maps = stages.run("heat maps", make, region or ())[:, stack].float()
        x0, y0, x1, y1 = self.landmarks_extent(pixels.shape[1], pixels.shape[0], region)
        cell = torch.tensor([(x1 - x0) / maps.shape[3], (y1 - y0) / maps.shape[2]])
        found = peaks(maps, cell.to(maps))[0].cpu().numpy()
        return (found + np.array([x0, y0, 0.0])).astype(np.float32), maps[0].cpu().numpy()

    def landmarks_extent(self, width: int, height: int, region: Rect | None) -> Rect:
        """Return where the heat maps lie in a picture of this size, x0 y0 x1 y1."""
        if region is None:
            return self.preprocess.extent(width, height)
        x0, y0, x1, y1 = square_around(region, ROOM)
        return float(x0), float(y0), float(x1), float(y1)

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to the height of each point's heat map by the last stack (N, P)."""
        run = through(self.behaviour, self.net)
        return lambda x: run(x)[:, -1].flatten(2).amax(2)

    @property
    def _stretched(self) -> Preprocess:
        about = {**self.preprocess.about, "fit": "stretch"}
        return Preprocess.of(about)


ADAPTER = HourglassAdapter
