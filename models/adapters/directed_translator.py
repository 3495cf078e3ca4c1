"""Adapter for the bundled networks from pictures to pictures, which have generators for several directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models import model_name
from models.adapters.base.translator import STAGES, Translator
from models.bundled.translation import PhotosColouring, Translating
from models.cards.card import Card
from models.interpretation.picture_codes import DIRECT, ZERO_ONE, PictureCode
from models.loading.preprocess import Preprocess

DIRECTION = "direction"
UNIT = {"mean": [0.0] * 3, "std": [1.0] * 3}
OFFERED = {
    "title": "Direction",
    "help": "Which of its generators is looked at, here and by every other panel.",
}


class DirectedTranslatorAdapter(Translator):
    """An opened network of generators between pictures; one direction at a time is asked, explained and traced."""

    stages: ClassVar[Mapping[str, str]] = STAGES

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net = net.eval()
        self.card = card if card.classes == self.classes else replace(card, classes=self.classes)
        size: Any = self.net.size
        side = {"resize": size, "crop": size, "fit": "stretch"} if size else {"resize": 256, "fit": "whole"}
        self.preprocess = Preprocess.of({**UNIT, **side})
        self.code = PictureCode(0, DIRECT, ZERO_ONE)
        self.directions, self.groups = self.net.directions, self.net.groups
        self.back = self.net.back[0]
        self._sized = bool(size)
        self.run = self.runner(self.net)

    @classmethod
    def assuming(cls, net: nn.Module, card: Card, assumed: Mapping[str, str]) -> DirectedTranslatorAdapter:
        """Return the adapter for one of the network's directions. Raises Refusal for one that it does not have."""
        made = cls(net, card)
        offered = {DIRECTION: {**OFFERED, "choices": made.directions, "known": True}}
        chosen = model_name.check(assumed, offered if len(made.directions) > 1 else {}, name=card.name)
        if chosen:
            made = made.turned(made.directions.index(chosen[DIRECTION]))
            told = {DIRECTION: {**offered[DIRECTION], "value": chosen[DIRECTION]}}
            about = {**made.card.about, "assumptions": {**made.card.about.get("assumptions", {}), **told}}
            made.card = replace(made.card, about=about)
        return made

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, Translating)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return PhotosColouring(width=4)

    def turned(self, direction: int) -> DirectedTranslatorAdapter:
        """Return this adapter for another of the network's directions."""
        made = copy(self)
        made.direction, made.back = direction, self.net.back[direction]
        made.run = made.runner(made.net)
        return made

    def seen_labels(self, plain: Tensor) -> tuple[str, ...]:
        """Return the label of each group that the network's critic finds likeliest, () without such a critic."""
        if not hasattr(self.net, "attributes"):
            return ()
        with torch.inference_mode(False), torch.no_grad():
            logits = self.net.attributes(plain.to(self.device))[0]
        each = logits.split([len(group) for group in self.groups])
        return tuple(group[int(part.argmax())] for group, part in zip(self.groups, each, strict=True))

    def runner(self, net: Any, labels: tuple[float, ...] = ()) -> Callable[[Tensor], list[Tensor]]:
        """Return a function from inputs to the outputs of a network like this one, in the adapter's direction."""
        told = torch.tensor([labels]) if labels else None
        direction = self.direction

        def run(x: Tensor) -> list[Tensor]:
            return [net.translate(x, direction, None if told is None else told.expand(len(x), -1).to(x))]

        return run

    def critic_map(self, plain: Tensor) -> Tensor | None:
        """Return the scores (1, 1, h, w) of patches of a picture from 0 to 1, None for a network without a critic."""
        if not hasattr(self.net, "critic_map"):
            return None
        with torch.inference_mode(False), torch.no_grad():
            return self.net.critic_map(plain.to(self.device), self.direction)


ADAPTER = DirectedTranslatorAdapter
