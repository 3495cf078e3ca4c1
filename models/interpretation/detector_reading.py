"""The reading of a detector's outputs in force: the best proposal, or what the user chose, with every alternative.

What is offered goes into the Model panel and after a model's `?`: `reading`, `input`, `colours`, `fit`, `padding`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from models.cards import class_names
from models.cards.card import Card
from models.interpretation import examine
from models.interpretation.examine import FILLS, Examined, Preparation, Run
from models.interpretation.layout import DetectorLayout
from models.interpretation.network_reading import BOXES, Reading
from models.interpretation.recognise import Outputs, Proposal, Stated
from models.loading.preprocess import ORDERS, Preprocess
from models.loading.preprocess_presets import COLOURS, INPUT, PRESETS

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
FACES = ("YuNet", "RetinaFace", "Ultra-Light", "CenterFace")
COCO = {80: "coco-80", 91: "coco-91"}


@dataclass(frozen=True)
class DetectorReading:
    """Readings of a detector's outputs, the best first; how pictures are prepared, what is offered, and why."""

    readings: tuple[Reading, ...]
    preprocess: Preprocess
    offered: dict[str, dict[str, Any]]
    note: str
    question: str = ""


def read(
    run: Run,
    size: tuple[int, int],
    device: torch.device,
    *,
    given: Mapping[str, str],
    preprocess: Preprocess | None,
    card: Card,
    wanted: str | None = None,
    first: Outputs = (),
) -> DetectorReading | None:
    """Return the readings of a network's outputs as a detector's, None where they are none.

    `preprocess` is what the card says, else the usual preparations are tried. `wanted` is the id of a reading that is
    looked for also under other preparations than those that the user chose. `first` are the outputs for
    `examine.probe`, where it was run already.
    """
    stated = Stated(len(card.classes), turned=card.about.get("written task") == "obb")
    known: dict[str, Any] = {"preprocess": preprocess, "stated": stated, "first": first}
    found = examine.examine(run, size, device, given=given, **known)
    if found is None and given:  # prepared as the user chose it is sure of nothing, which makes it no less a detector
        free = examine.examine(run, size, device, given={}, **known)
        ways = () if preprocess is not None else tuple(examine.chosen_preparations(given)[:1])
        found = Examined(free.proposals, ways) if free is not None else None
    if found is None:
        return None
    own = {each.id for each in _readings(found.proposals)}
    if wanted is not None and wanted not in own and given:
        free = examine.examine(run, size, device, given={}, **known)
        more = [one for one in free.proposals if _id(one.layout) not in own] if free is not None else []
        found = replace(found, proposals=(*found.proposals, *more))
    offered: dict[str, dict[str, Any]] = {}
    if preprocess is None:
        best = found.preparations[0]
        offered = _preparation(best)
        preprocess = best.preprocess(size)
    note = _note(found.proposals[0], found.preparations)
    asks = "" if {"input", "colours"} & set(given) else found.question  # who chose has judged it by a picture already
    return DetectorReading(_readings(found.proposals), preprocess, offered, note, asks)


def _readings(proposals: tuple[Proposal, ...]) -> tuple[Reading, ...]:
    """Return proposals as readings in their order, each id once."""
    named: dict[str, Reading] = {}
    for proposal in proposals:
        layout = proposal.layout
        name = _id(layout)
        named.setdefault(name, Reading(name, title(layout), BOXES, proposal.fit, proposal.evidence, how=layout))
    return tuple(named.values())


def _id(layout: DetectorLayout) -> str:
    return examine.words(layout).replace(" ", "-")


def title(layout: DetectorLayout) -> str:
    """Return in words how a layout's numbers stand for boxes."""
    family, code = examine.family(layout), layout.code
    count = layout.class_count
    parts = [f"boxes: {code.name.replace('_', ' ')}{f' in {code.unit}' if code.decoded else ''}"]
    parts += [f"anchors of {code.anchors}"] if code.anchors else []
    parts += [f"{code.bins} bins"] if code.bins else []
    parts += ["objectness"] if layout.objectness is not None else []
    parts.append(f"{count:,} class{'es' if count > 1 else ''}")
    parts += ["key points"] if layout.landmarks is not None else []
    parts += ["masks"] if layout.has_masks else []
    parts += ["angle"] if layout.angle is not None else []
    parts += ["suppressed by the network"] if layout.final else []
    return ", ".join(parts) + (f" ({family})" if family else "")


def _preparation(best: Preparation) -> dict[str, dict[str, Any]]:
    first = {"input": best.values, "colours": best.order, "fit": best.fit, "padding": best.padding}
    known = {"input": tuple(PRESETS), "colours": ORDERS, "fit": FITS, "padding": tuple(FILLS)}
    about = {"input": INPUT, "colours": COLOURS, "fit": FIT, "padding": PADDING}
    return {key: {**about[key], "choices": (first[key], *(c for c in known[key] if c != first[key]))} for key in first}


def classes_of(layout: DetectorLayout, card: Card) -> tuple[str, ...]:
    """Return names for the classes of a layout: the card's if their number fits, the family's, COCO's, else numbers."""
    count = layout.class_count
    if len(card.classes) == count:
        return card.classes
    if count == 1 and examine.family(layout) in FACES:
        return ("face",)
    if count in COCO:
        return class_names.names(COCO[count])
    return tuple(f"class {number}" for number in range(count))


def _note(proposal: Proposal, preparations: tuple[Preparation, ...]) -> str:
    family = examine.family(proposal.layout)
    note = f"A detector read by its output{f' ({family})' if family else ''}: {'; '.join(proposal.evidence)}."
    if len(preparations) < 2:
        return note
    best, other = preparations[0], next((p for p in preparations[1:] if p.order != preparations[0].order), None)
    surest = best.merit >= max(each.merit for each in preparations)
    if surest:
        note += f" Of {len(preparations)} usual preparations of pictures this one was answered most surely"
    else:
        note += f" Of {len(preparations)} usual preparations of pictures this one is the usual one for such outputs"
    if other is not None:
        note += f" ({best.order.upper()} {best.merit:.2f}, {other.order.upper()} at best {other.merit:.2f})"
    return note + ": judge it by a picture of yours."
