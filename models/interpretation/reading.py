"""The reading of a detector's outputs in force: the best proposal, or what the user chose, with every alternative.

What is offered goes into the Model panel and after a model's `?`: `layout`, `input`, `colours`, `fit`, `padding`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from models.cards import class_names
from models.cards.card import Card
from models.interpretation import examine
from models.interpretation.examine import FILLS, Preparation, Run
from models.interpretation.layout import DetectorLayout
from models.interpretation.recognise import Proposal
from models.loading.preprocess import ORDERS, Preprocess
from models.loading.preprocess_presets import COLOURS, INPUT, PRESETS
from models.types import Refusal

LAYOUT = {"title": "Layout", "help": "How the numbers of the output stand for boxes and scores."}
FIT = {
    "title": "Fit",
    "help": "Stretch the picture to the size, or keep its proportions: in the middle, or in the upper left corner.",
    "titles": {"stretch": "stretched", "pad": "padded, in the middle", "corner": "padded, upper left"},
}
PADDING = {
    "title": "Padding",
    "help": "What is put around a picture that keeps its proportions.",
    "titles": {"grey": "grey (114)", "black": "black", "mean": "the mean colour"},
}
FITS = ("stretch", "pad", "corner")
COCO = {80: "coco-80", 91: "coco-91"}


@dataclass(frozen=True)
class Reading:
    """A detector's layout and the preparation of pictures in force, what else is offered, and why, in words."""

    layout: DetectorLayout
    preprocess: Preprocess
    classes: tuple[str, ...]
    offered: dict[str, dict[str, Any]]
    note: str


def read(
    run: Run,
    size: tuple[int, int],
    device: torch.device,
    *,
    given: Mapping[str, str],
    preprocess: Preprocess | None,
    card: Card,
) -> Reading | None:
    """Return the reading of a network's outputs, None where they are no detector's.

    `preprocess` is what the card says, else the usual preparations are tried. Raises Refusal for a layout that is not
    among the proposals.
    """
    found = examine.examine(run, size, device, given=given, preprocess=preprocess, classes=len(card.classes))
    if found is None:
        return None
    slugs = _slugs(found.proposals)
    names = list(slugs)
    if given.get("layout", names[0]) not in slugs:
        raise Refusal(f"layout cannot be {given['layout']!r}.", advice=f"It is one of {', '.join(names)}.")
    proposal = slugs[given.get("layout", names[0])]
    titles = {name: ", ".join(each.evidence) for name, each in slugs.items()}
    offered: dict[str, dict[str, Any]] = {"layout": {**LAYOUT, "choices": tuple(names), "titles": titles}}
    if preprocess is None:
        best = found.preparations[0]
        offered |= _preparation(best)
        preprocess = best.preprocess(size)
    layout = proposal.layout
    return Reading(
        layout,
        preprocess,
        classes=_classes(layout, card),
        offered=offered,
        note=_note(proposal, found.preparations),
    )


def _slugs(proposals: tuple[Proposal, ...]) -> dict[str, Proposal]:
    """Return proposals by short names that differ."""
    named: dict[str, Proposal] = {}
    for proposal in proposals:
        named.setdefault(examine.words(proposal.layout), proposal)
    return named


def _preparation(best: Preparation) -> dict[str, dict[str, Any]]:
    first = {"input": best.values, "colours": best.order, "fit": best.fit, "padding": best.padding}
    known = {"input": tuple(PRESETS), "colours": ORDERS, "fit": FITS, "padding": tuple(FILLS)}
    about = {"input": INPUT, "colours": COLOURS, "fit": FIT, "padding": PADDING}
    return {key: {**about[key], "choices": (first[key], *(c for c in known[key] if c != first[key]))} for key in first}


def _classes(layout: DetectorLayout, card: Card) -> tuple[str, ...]:
    count = layout.class_count
    if len(card.classes) == count:
        return card.classes
    if count in COCO:
        return class_names.names(COCO[count])
    return tuple(f"class {number}" for number in range(count))


def _note(proposal: Proposal, preparations: tuple[Preparation, ...]) -> str:
    family = examine.family(proposal.layout)
    told = f"A detector read by its output{f' ({family})' if family else ''}: {'; '.join(proposal.evidence)}."
    if len(preparations) < 2:
        return told
    best, other = preparations[0], next((p for p in preparations[1:] if p.order != preparations[0].order), None)
    told += f" Of {len(preparations)} usual preparations of pictures this one was answered most surely"
    if other is not None:
        told += f" ({best.order.upper()} {best.merit:.2f}, {other.order.upper()} at best {other.merit:.2f})"
    return told + ": judge it by a picture of yours."
