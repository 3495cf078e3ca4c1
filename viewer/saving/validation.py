"""Check that a Document from a file has possible values: choices and ranges beyond the types."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from typing import Any

from models.inspection import Offer
from models.params import Value
from viewer.presenters.attribution import PARTS
from viewer.presenters.heatmap import COLOUR_MAPS, SIGNS
from viewer.presenters.map_comparison import SCALES
from viewer.session.dataclass_json import Tell, mapped
from viewer.session.document import Document, Look, Maps, View
from viewer.translation import tr


def _one(*choices: str) -> Callable[[Any], bool]:
    return lambda value: value in choices


def _within(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high


KINDS = {"float": (float, int), "int": (int,), "bool": (bool,), "choice": (str,), "text": (str,)}
SOUND: dict[tuple[type, str], Callable[[Any], bool]] = {
    (View, "anchors"): _one("off", "here", "density", "all", "lineage", "match"),
    (View, "compare"): _one("difference", "a", "b"),
    (View, "figures"): _one("off", "collect", "hold"),
    (View, "truth_iou"): _within(0, 1),
    (View, "mask_opacity"): _within(0, 1),
    (View, "anchor_level"): _within(-1, 99),
    (Maps, "scale"): _one(*SCALES),
    (Maps, "pictures"): _within(1, 999),
    (Look, "opacity"): _within(0, 1),
    (Look, "clip"): _within(0, 100),
    (Look, "scale"): _within(0, sys.float_info.max),
    (Look, "floor"): _within(0, sys.float_info.max),
    (Look, "sign"): _one(*SIGNS),
    (Look, "colours"): _one(*COLOUR_MAPS),
    (Document, "part"): _one(*PARTS),
    (Document, "frame"): _within(-1, 2**31 - 1),
}


def checked(document: Document, tell: Tell) -> Document:
    """Return a document in which impossible values are replaced by defaults.

    `tell` is called with a sentence for each.
    """

    def change(value: Any) -> Any:
        wrong = {
            name: getattr(type(value)(), name)
            for (kind, name), holds in SOUND.items()
            if type(value) is kind and not holds(getattr(value, name))
        }
        for name in wrong:
            tell(
                tr(
                    "{name} cannot be {getattr!r:.60}; it was left at its default.",
                    name=name,
                    getattr=getattr(value, name),
                )
            )
        return dataclasses.replace(value, **wrong) if wrong else value

    document = mapped(document, change)
    current = max(0, min(document.current, len(document.sources) - 1))
    return document if current == document.current else dataclasses.replace(document, current=current)


def settled(document: Document, offers: Mapping[str, Offer], tell: Tell) -> Document:
    """Return a document without settings that have the wrong type for their parameter; `tell` is called for each.

    `offers` may be those of any model, because the type of a parameter does not depend on the model.
    """
    kinds = {(o.id, p.name): KINDS[p.kind] for o in offers.values() for p in o.parameters}

    def holds(inspection: str, name: str, value: Value) -> bool:
        if (inspection, name) not in kinds or type(value) in kinds[inspection, name]:
            return True
        tell(
            tr(
                "{inspection}.{name} cannot be {value!r:.60}; it was left at its default.",
                inspection=inspection,
                name=name,
                value=value,
            )
        )
        return False

    settings = tuple(
        ((model, inspection), tuple((name, value) for name, value in values if holds(inspection, name, value)))
        for (model, inspection), values in document.settings
    )
    pinned = document.pinned
    if pinned is not None:
        pinned = tuple((name, value) for name, value in pinned if holds("detect", name, value))
    return dataclasses.replace(document, settings=settings, pinned=pinned)
