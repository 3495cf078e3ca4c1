"""What a Document's values can be beyond their types: choices and ranges, for what comes from a file. No Qt."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from viewer.document import Document, Maps, View
from viewer.explain import PARTS
from viewer.fields import Tell, mapped
from viewer.heat import COLOUR_MAPS, SIGNS, Look
from viewer.maps import SCALES


def _one(*choices: str) -> Callable[[Any], bool]:
    return lambda value: value in choices


def _within(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high


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
    (Look, "sign"): _one(*SIGNS),
    (Look, "colours"): _one(*COLOUR_MAPS),
    (Document, "part"): _one(*PARTS),
    (Document, "frame"): _within(-1, 2**31 - 1),
}


def checked(document: Document, tell: Tell) -> Document:
    """Return a document whose values can be: others are the defaults, which `tell` hears of in a sentence."""

    def change(value: Any) -> Any:
        wrong = {
            name: getattr(type(value)(), name)
            for (kind, name), holds in SOUND.items()
            if type(value) is kind and not holds(getattr(value, name))
        }
        for name in wrong:
            tell(f"{name} cannot be {getattr(value, name)!r:.60}; it was left at its default.")
        return dataclasses.replace(value, **wrong) if wrong else value

    document = mapped(document, change)
    current = max(0, min(document.current, len(document.sources) - 1))
    return document if current == document.current else dataclasses.replace(document, current=current)
