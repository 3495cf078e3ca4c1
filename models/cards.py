"""Model cards: what is known of a model before its weights are read. No torch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.types import Refusal

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUNDLED = ASSETS / "models"
SAMPLES = ASSETS / "samples"
DEFAULT_MODEL = "digits-faster-rcnn"


@dataclass(frozen=True)
class Card:
    """A model's name, task, architecture, class names (index = label id), weights and where they come from."""

    name: str
    title: str = ""
    task: str = "detection"
    architecture: str = ""
    classes: tuple[str, ...] = ()
    weights: Path | None = None
    licence: str = ""
    sha256: str = ""
    bytes: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)


def read(path: Path) -> Card:
    """Read a card; its `weights` are taken relative to it. Raises Refusal when it is not a card."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Card(
            name=str(raw["name"]),
            title=str(raw.get("title", raw["name"])),
            task=str(raw.get("task", "detection")),
            architecture=str(raw["architecture"]),
            classes=tuple(str(c) for c in raw.get("classes", ())),
            weights=path.parent / raw["weights"],
            licence=str(raw.get("licence", "")),
            sha256=str(raw.get("sha256", "")),
            bytes=int(raw.get("bytes", 0)),
            about=raw,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(
            f"{path.name} is not a model card ({error}).", advice="It needs name, architecture and weights."
        ) from error


def bundled() -> dict[str, Card]:
    """Return the cards of the models that come with Vitrine, by name."""
    cards = [read(path) for path in sorted(BUNDLED.glob("*.json"))]
    return {card.name: card for card in cards}


def canonical(name: str) -> str:
    """Return a bundled model's name as it is, and a weights file's as an absolute path; never raises."""
    return os.path.abspath(os.path.expanduser(name)) if Path(name).suffix else name  # noqa: PTH100, PTH111


def beside(weights: Path) -> Card | None:
    """Return the card beside a weights file under the same name, if it names that file and no other."""
    path = weights.with_suffix(".json")
    if not path.is_file():
        return None
    try:
        card = read(path)
    except Refusal:
        return None
    return replace(card, weights=weights) if card.about.get("weights") == weights.name else None
