"""The radius of the Gaussian drawn around a centre or corner of a box, as published and as meant.

A corner moved by the radius should leave a box whose IoU with the true one is at least `overlap` (Law, Deng 2018). The
formula that CornerNet published, and CenterNet copied, solves its quadratic equations wrongly and gives radii up to
three times too large; CornerNet's authors corrected it in 2019.
"""

from __future__ import annotations

from math import sqrt

PUBLISHED, CORRECTED = "published", "corrected"
FORMULAS = (PUBLISHED, CORRECTED)
OVERLAP = 0.7


def gaussian_radius(width: float, height: float, *, overlap: float = OVERLAP, formula: str = CORRECTED) -> float:
    """Return the radius for a box of `width` and `height`, in their unit, by one of FORMULAS.

    Of the three cases (one corner in and one out, both in, both out) the smallest radius counts.
    """
    sides, area = width + height, width * height
    cases = (
        (1.0, -sides, area * (1 - overlap) / (1 + overlap)),
        (4.0, -2 * sides, (1 - overlap) * area),
        (4 * overlap, 2 * overlap * sides, (overlap - 1) * area),
    )
    found = []
    for place, (a, b, c) in enumerate(cases):
        root = sqrt(max(b * b - 4 * a * c, 0.0))
        if formula == PUBLISHED:
            found.append((root - b) / 2)
        else:
            found.append((-b - root) / (2 * a) if place < 2 else (-b + root) / (2 * a))
    return min(found)
