"""Adapter for classifiers from torchvision, timm and Vitrine itself: one input, one score per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models import model_name
from models.adapters.base.scored import Scored
from models.bundled.lenet import LeNet
from models.bundled.photos import PhotosResNet
from models.cards.card import Card
from models.families.proposal import RebuiltClassifier
from models.loading import heads
from models.loading.preprocess import Preprocess
from models.runtime.forward_passes import through

FAMILIES = "torchvision.models."
TIMM = "timm.models."
NOT_THESE = ("detection", "segmentation", "video", "optical_flow", "quantization")
IMAGENET = Preprocess()


class ClassifierAdapter(Scored):
    """An opened classifier: stages preprocess, scores."""

    stages: ClassVar[Mapping[str, str]] = {"Detects": "{name} is a classifier: it finds no boxes."}

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net = net.eval()
        self.card = card
        given = card.about.get("preprocessing")
        self.preprocess = Preprocess.of(given) if given else IMAGENET

    @classmethod
    def assuming(cls, net: nn.Module, card: Card, assumed: Mapping[str, str]) -> ClassifierAdapter:
        """Return the adapter with an interpretation of its numbers: logits, unless card or `assumed` say otherwise.

        Raises Refusal for an assumption that is not offered.
        """
        made = cls(net, card)
        count = len(card.classes)
        found = heads.stated(card.about, count) or heads.usual(count)
        offered = heads.offered(
            found.kind, found.count, found.evidence, known=heads.KEY in card.about or found.kind == heads.LOGITS
        )
        chosen = model_name.check(assumed, {heads.KEY: offered}, name=card.name)[heads.KEY]
        made.head = found.taken_for(chosen)
        about: dict[str, Any] = dict(card.about)
        about["assumptions"] = {**about.get("assumptions", {}), heads.KEY: {**offered, "value": chosen}}
        if made.head.kind != heads.LOGITS:
            about["note"] = " ".join(filter(None, (str(about.get("note", "")), made.head.evidence)))
        made.card = replace(card, classes=made.head.names(card.classes, card.classes), about=about)
        return made

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to scores (N, C) before the link of the `head`."""
        run = through(self.behaviour, self.net)
        return run if self.head.plain else lambda x: self.head.scores(run(x))

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        module = type(net).__module__
        if module.startswith(TIMM):
            return bool(getattr(net, "num_classes", 0))
        family = module.removeprefix(FAMILIES).partition(".")[0] if module.startswith(FAMILIES) else ""
        return isinstance(net, PhotosResNet | LeNet | RebuiltClassifier) or (bool(family) and family not in NOT_THESE)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return PhotosResNet(width=4, blocks=1, classes=4)


ADAPTER = ClassifierAdapter
