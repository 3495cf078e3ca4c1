"""Targets: the single number that an attribution explains: a class, a class against another, a box coordinate."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from models.cards.card import label_ids
from models.params import param
from models.subject import PARTS, Rect, Subject
from models.types import Float, Refusal


@dataclass(frozen=True)
class TargetParams:
    """What to explain. The window fills in `box` and `region` from the selected box and the drawn region."""

    target: str = param("", "Target", "The class to explain, by name; empty is the one that scores highest.")
    against: str = param("", "Against", "Explain what speaks for the target rather than for this class.")
    part: str = param(
        "score",
        "Part of the box",
        "Of a detected box: its class score, or one of its coordinates.",
        choices=("score", *PARTS),
        titles=("Class score", "Left edge", "Upper edge", "Right edge", "Lower edge"),
        needs="Detects",
    )
    box: int = param(
        -1, "Box", "Which detection, by its id; -1 is the best one.", low=-1, high=2**31 - 1, step=1, needs="Detects"
    )
    region: str = param(
        "",
        "Region",
        "x0,y0,x1,y1 in pixels of the picture: explain an object there that was missed.",
        needs="Detects",
    )


@dataclass(frozen=True)
class Target:
    """Column `plus` of a subject's scores, minus column `minus` unless that is -1; `title` is shown to the user."""

    plus: int
    minus: int = -1
    title: str = ""

    def of(self, scores: Tensor) -> Tensor:
        """Return the target's value (N,) from scores (N, C)."""
        value = scores[:, self.plus]
        return value if self.minus < 0 else value - scores[:, self.minus]


def resolve(subject: Subject, params: TargetParams, scores: Float) -> Target:
    """Return the target that the parameters select, given the picture's scores (C,).

    Raises Refusal for a class that does not exist or is compared with itself.
    """
    classes = subject.classes
    if params.part in PARTS:
        return Target(len(classes) + PARTS.index(params.part), title=f"{params.part} of {subject.about}")
    wanted = column(params.target, classes) if params.target else subject.label
    if wanted < 0:
        wanted = max(label_ids(classes), key=lambda label: float(scores[label]))
    about = f" of {subject.about}" if subject.about else ""
    if not params.against:
        return Target(wanted, title=classes[wanted] + about)
    other = column(params.against, classes)
    if other == wanted:
        raise Refusal(f"{classes[wanted]} cannot be set against itself.", advice="Choose another class.")
    return Target(wanted, other, title=f"{classes[wanted]} − {classes[other]}{about}")


def column(name: str, classes: Sequence[str]) -> int:
    """Return the label id of a class given by name or number. Raises Refusal if there is no such class."""
    if name in classes:
        return classes.index(name)
    if name.isascii() and name.isdigit():
        if int(name) < len(classes):
            return int(name)
        raise Refusal(f"There is no class {name}.", advice=f"They go from 0 to {len(classes) - 1}.")
    near = difflib.get_close_matches(name, classes, 3)
    advice = f"Did you mean {' or '.join(near)}?" if near else f"Classes: {', '.join(classes[:12])}…"
    raise Refusal(f"There is no class {name!r}.", advice=advice)


def region_of(text: str) -> Rect | None:
    """Parse a rectangle "x0,y0,x1,y1"; None if the text is empty. Raises Refusal if it is malformed."""
    if not text:
        return None
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise Refusal(f"{text!r} is not a region.", advice="Write x0,y0,x1,y1 in pixels of the picture.") from None
    if not (x0 < x1 and y0 < y1):
        raise Refusal(f"The region {text} is empty.", advice="x1 must be larger than x0, y1 larger than y0.")
    return x0, y0, x1, y1
