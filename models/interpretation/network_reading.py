"""What a network's outputs may be taken for: one `Reading` for each possibility, the likeliest first.

Every network of an unknown family has several readings. Each has an `id`, which is written after the model's name as
`?reading=ID`, so that a choice travels with requests, recipes and sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from models import model_name
from models.types import Refusal

KEY = "reading"
BOXES, CLASSES, VALUES, POINTS = "boxes", "classes", "values", "points"
SEGMENTS, PICTURE, DEPTH, TEXT, FEATURES = "segments", "picture", "depth", "text", "features"
LIKELIHOOD = "likelihood"
KINDS = {
    BOXES: "detection: boxes with scores",
    CLASSES: "classification: scores of the picture's classes",
    VALUES: "plain numbers, such as of a regression",
    POINTS: "landmarks: points in the picture",
    SEGMENTS: "segmentation: a class for each pixel",
    PICTURE: "picture to picture",
    DEPTH: "one number for each pixel, such as depth",
    LIKELIHOOD: "likelihood: a distribution for each pixel given those before it",
    TEXT: "a sequence of symbols, such as text",
    FEATURES: "features: channels without a meaning of their own",
}
TITLE = {"title": "Reading", "help": "What the network's outputs are taken for."}
# Assumptions that belong to one reading, and are left out of the model's name when another is chosen.
DEPENDENT = (
    *("scores", "output", "layout", "part", "boxes", "unit", "background", "anchors", "residual", "values"),
    *("lightness", "ab", "bins"),
)
SURE = 0.5  # fit from which a reading counts as recognised


@dataclass(frozen=True)
class Reading:
    """One way to take a network's outputs.

    `id` is short and stable, `title` is for people, `kind` is one of KINDS. `fit` tells from 0 to 1 how well it agrees
    with the numbers, and `evidence` in sentences why. `part` is the index of the tensor that it reads. `how` is what
    decodes the outputs: a DetectorLayout, a Head, or one of the codes of `models.interpretation.map_codes`.
    """

    id: str
    title: str
    kind: str
    fit: float = 0.0
    evidence: tuple[str, ...] = ()
    part: int = 0
    how: Any = None


def ranked(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """Return readings with the best fit first, each id once."""
    found: dict[str, Reading] = {}
    for each in sorted(readings, key=lambda one: -one.fit):
        found.setdefault(each.id, each)
    return tuple(found.values())


def offered(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return the assumption on which of the readings is in force; the first is so unless the user chooses another."""
    titles = {each.id: each.title for each in readings}
    evidence = " ".join(readings[0].evidence) if readings else ""
    return {**TITLE, "choices": tuple(titles), "titles": titles, "evidence": evidence}


def chosen(readings: Sequence[Reading], wanted: str | None, *, name: str) -> Reading:
    """Return the reading of an id, the first for None. Raises Refusal for an id that none of them has."""
    own = {each.id: each for each in readings}
    if wanted is None:
        return readings[0]
    if wanted not in own:
        model_name.check({KEY: wanted}, {KEY: offered(readings)}, name=name)
        raise Refusal(f"{KEY} cannot be {wanted!r}.")
    return own[wanted]
