"""Opens a torchvision architecture by its bare name, with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from models.cards import card as cards
from models.loading import architectures
from models.loading.opened_model import Opened
from models.runtime.context import Context


def match(base: str) -> bool:
    """Return whether this is the name of an architecture."""
    return base in cards.UNTRAINED


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return the network with seeded random weights, the same ones every time."""
    card = cards.untrained(base)
    if base not in cards.ARCHITECTURES:
        about = architectures.classifier_about(base)
        names = about.pop("classes")
        net = architectures.untrained(base, classes=len(names))
        return Opened(net, replace(card, classes=names, about={**card.about, **about}), assumed=assumed)
    names = architectures.PERSON if base == architectures.KEYPOINTS else architectures.COCO
    return Opened(architectures.untrained(base, classes=len(names)), replace(card, classes=names), assumed=assumed)
