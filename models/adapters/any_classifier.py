"""Adapter for classifiers of no known family (own code, exported programs) with one score per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.interpreted import Interpreted
from models.adapters.base.scored import Scored
from models.cards.card import Card
from models.loading import preprocess_presets
from models.loading.probe_network import Found
from models.runtime.forward_passes import through
from models.types import Float, Pixels


class AnyClassifierAdapter(Interpreted, Scored):
    """An opened network whose output, when run, is one score per class."""

    serves: ClassVar[str] = "classes"
    stages: ClassVar[Mapping[str, str]] = {"Detects": "{name} gives one score for each class: it finds no boxes."}

    def __init__(self, net: nn.Module, card: Card, found: Found) -> None:
        super().__init__(net, card, found)
        self.head = found.head

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests, with grey input."""
        torch.manual_seed(0)
        conv = nn.Conv2d(1, 4, 5, stride=4)
        return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 4))

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to scores (N, C) before the `link`."""
        found = self._found
        if found.plain and found.channels == 3 and found.head.plain:
            return through(self.behaviour, self.net)
        run = through(self.behaviour, found.runner(self.net))
        return lambda x: found.head.scores(run(x)[found.part].flatten(1).float())

    def readings(self, pixels: Pixels, stages: Any) -> dict[tuple[str, str], Float]:
        """Return the scores (C,) of a picture under each way to scale its values, by its name and the colours' order.

        Nothing where the card says how pictures are prepared: then no way is assumed.
        """
        offered = self.card.about.get("assumptions", {}).get("input", {}).get("choices", ())

        def make() -> dict[tuple[str, str], Float]:
            ways = preprocess_presets.others(self.preprocess, offered if self._found.channels == 3 else ())
            with torch.inference_mode(False), torch.no_grad():
                inputs = {name: way.input(pixels, self.device) for name, way in ways.items()}
                return {name: self.scores(x)[0].float().cpu().numpy() for name, x in inputs.items()}

        return stages.run("readings", make)


ADAPTER = AnyClassifierAdapter
