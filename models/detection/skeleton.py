"""COCO's 17 key points of a person and the limbs between them."""

from __future__ import annotations

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


def limbs(points: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs of points to join: COCO's for 17 points, else none."""
    return COCO_LIMBS if points == len(COCO_POINTS) else ()
