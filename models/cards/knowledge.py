"""What a model knows, in a sentence, and which models know everyday photographs, as cards tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models import model_name
from models.cards import card as cards
from models.cards import packaged, zoo_catalogue
from models.cards.card import Card
from models.types import Refusal

PHOTOGRAPHS = "photographs"
NAMED_MOST = 4
DIGITS = [str(digit) for digit in range(10)]
VERBS = {
    "detection": "Finds",
    "classification": "Tells apart",
    "segmentation": "Paints the areas of",
}
UNKNOWN = "Its file does not say what it was trained on."
UNTRAINED = "Its weights are random numbers: it knows nothing yet."
# Published models for everyday photographs, with words for a button: small ones first.
PUBLISHED = {
    "torchvision:ssdlite320_mobilenet_v3_large:COCO_V1": "SSDLite, finds 80 things",
    "torchvision:fasterrcnn_mobilenet_v3_large_320_fpn:COCO_V1": "Faster R-CNN, finds 80 things",
    "torchvision:mobilenet_v3_small:IMAGENET1K_V1": "MobileNet V3, 1,000 classes",
}
OFFERED_MOST = 3


@dataclass(frozen=True)
class Offer:
    """A model that suits a picture: its name, words for its button, and what opening it takes, "" for nothing."""

    name: str
    words: str
    takes: str = ""


def card_of(name: str) -> Card | None:
    """Return the card of a model by name or beside its file, None if there is none. A broken one counts as none."""
    base = model_name.split(name)[0]
    if cards.is_zoo(base):
        return None
    found = {**cards.bundled(), **packaged.cards()}.get(base)
    if found is not None or not cards.is_file(base):
        return found
    file = cards.file_of(name)
    try:
        return cards.beside(file) if file is not None else None
    except Refusal:
        return None


def domain(about: Mapping[str, Any]) -> str:
    """Return the kind of pictures that a model was made for, as its card says it, "" if it does not."""
    return str(about.get("domain", ""))


def sentence(name: str, task: str, classes: Sequence[str], about: Mapping[str, Any]) -> str:
    """Return what a model knows: its card's own words, else its classes, else that it is not known."""
    if about.get("weights") == "none":
        return UNTRAINED
    if about.get("knows"):
        return str(about["knows"])
    named = [classes[label] for label in cards.label_ids(classes)] if task == "detection" else list(classes)
    if task not in VERBS or not named:
        return UNKNOWN
    numbered = all(each.strip().split(" ")[-1].isdigit() and not each.strip().isdigit() for each in named)
    if numbered:
        if len(named) == 1:
            return f"{VERBS[task]} one class that has only a number: its file does not name it."
        return f"{VERBS[task]} {len(named):,} classes that have only numbers: its file does not name them."
    return f"{VERBS[task]} {listed(named)}."


def listed(names: Sequence[str]) -> str:
    """Return names as a list in words, the first few of many."""
    if list(names) == DIGITS:
        return "the digits 0 to 9"
    if len(names) == 1:
        return names[0]
    if len(names) <= NAMED_MOST:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{len(names):,} kinds of things: {', '.join(names[:NAMED_MOST])} and {len(names) - NAMED_MOST:,} more"


def for_photographs(task: str, *, but: Iterable[str], there: Iterable[str] = ()) -> list[Offer]:
    """Return models for everyday photographs, at most `OFFERED_MOST`: of the same task first, then what needs least.

    `but` are names not to offer, `there` the published models that are downloaded.
    """
    without, cached = {*but}, {*there}
    found: list[tuple[bool, int, Offer]] = []
    for name, card in packaged.cards().items():
        ready = packaged.installed(name)
        takes = "" if ready else f"install, {card.bytes / 1e6:.0f} MB"
        offer = Offer(name, "EfficientNet-Lite0, 1,000 classes", takes)
        found.append((card.task != task, 0 if ready else 2, offer))
    for card in cards.bundled().values():
        if domain(card.about) == PHOTOGRAPHS:
            found.append((card.task != task, 1, Offer(card.name, f"{card.name}, {len(card.classes)} classes")))
    for name, words in PUBLISHED.items():
        entry = zoo_catalogue.find(name)
        takes = "" if name in cached else f"download, {entry.bytes / 1e6:.0f} MB"
        found.append((entry.task != task, 1 if not takes else 3, Offer(name, words, takes)))
    found.sort(key=lambda row: row[:2])
    return [offer for *_, offer in found if offer.name not in without][:OFFERED_MOST]
