"""What a network with several generators, or one that is told labels, would make of a picture otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

DIRECTION, CONDITION = "direction", "condition"


@dataclass(frozen=True, eq=False)
class Alternative:
    """One picture (1, 3, H, W) from 0 to 1: made in another direction, or with one label changed.

    `kind` is the setting that differs, `value` what it is: the direction's name, or the whole condition. `name` is what
    is new in it, and `own` marks what is asked now.
    """

    kind: str
    name: str
    value: str
    picture: Tensor
    own: bool


def alternatives(model: Any, plain: Tensor, condition: tuple[str, ...]) -> list[Alternative]:
    """Return every direction's picture of (1, 3, h, w) from 0 to 1, then all single changes of a condition.

    [] for a network with one direction that is told nothing.
    """
    found = []
    if len(model.directions) > 1:
        for place, name in enumerate(model.directions):
            turned = model.turned(place)
            picture = turned.made_of(plain, turned.labels(", ".join(condition)) if condition else ())
            found.append(Alternative(DIRECTION, name, name, picture, place == model.direction))
    for group in model.groups:
        for name in group:
            told = changed(condition, group, name)
            picture = model.made_of(plain, model.labels(told))
            own = len(group) > 1 and name in condition
            found.append(Alternative(CONDITION, name, told, picture, own))
    return found


def changed(condition: tuple[str, ...], group: tuple[str, ...], name: str) -> str:
    """Return a condition in which a label of a group was chosen: the others of it go; one alone is switched."""
    rest = [one for one in condition if one not in group]
    return ", ".join([*rest, *([] if len(group) == 1 and name in condition else [name])])
