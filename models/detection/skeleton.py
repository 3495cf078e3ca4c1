"""The key points of a figure: COCO's 17 names, the limbs between points, and left and right in a mirror."""

from __future__ import annotations

import re
from collections.abc import Sequence

COCO_POINTS = (
    "nose",
    "left eye",
    "right eye",
    "left ear",
    "right ear",
    "left shoulder",
    "right shoulder",
    "left elbow",
    "right elbow",
    "left wrist",
    "right wrist",
    "left hip",
    "right hip",
    "left knee",
    "right knee",
    "left ankle",
    "right ankle",
)
# The `skeleton` of COCO's person category (Lin et al. 2014), counted from 0.
COCO_LIMBS = (
    (15, 13),
    (13, 11),
    (16, 14),
    (14, 12),
    (11, 12),
    (5, 11),
    (6, 12),
    (5, 6),
    (5, 7),
    (6, 8),
    (7, 9),
    (8, 10),
    (1, 2),
    (0, 1),
    (0, 2),
    (1, 3),
    (2, 4),
    (3, 5),
    (4, 6),
)


# Limbs by the names that points have on either side of a body.
CHAINS = (("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle"))
ACROSS = ("shoulder", "hip")
SIDES = ("left", "right")


def limbs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of points to join: COCO's for 17 points, else those that names of joints tell."""
    if len(names) == len(COCO_POINTS):
        return COCO_LIMBS
    rows = {frozenset(re.findall(r"[a-z]+", name.lower())): row for row, name in enumerate(names)}
    wanted = [(f"{side} {a}", f"{side} {b}") for a, b in CHAINS for side in SIDES]
    wanted += [(f"left {joint}", f"right {joint}") for joint in ACROSS]
    pairs = ((rows.get(frozenset(a.split())), rows.get(frozenset(b.split()))) for a, b in wanted)
    return tuple((a, b) for a, b in pairs if a is not None and b is not None)


def mirrored(names: Sequence[str]) -> tuple[int, ...] | None:
    """Return for each point the row of that which it becomes in a mirror, None if no name says left or right."""
    found = list(range(len(names)))
    rows = {name.strip().lower(): row for row, name in enumerate(names)}
    swap = {"left": "right", "right": "left", "l": "r", "r": "l"}
    for name, row in rows.items():
        other = re.sub(r"(?<![a-z])(left|right|l|r)(?![a-z])", lambda word: swap[word[0]], name)
        found[row] = rows.get(other, row)
    return tuple(found) if found != list(range(len(names))) else None
