"""Anchor designs: the scales and aspect ratios of each pyramid level, parsed from text and written as text."""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.types import Refusal

MOST_NUMBERS = 16
Groups = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Design:
    """Scales and ratios per pyramid level.

    Grid anchors (RPN, RetinaNet, FCOS): a scale is the side, in network pixels, of a square of the same area; a ratio
    is height over width. Default boxes (SSD, `fractions`): one scale per level as a fraction of the input's side, plus
    one after the last level; each ratio is used both ways up, and ratio 1 is always included (Liu et al. 2016,
    section 2.2).
    """

    scales: Groups
    ratios: Groups
    fractions: bool = False

    @property
    def levels(self) -> int:
        """The number of pyramid levels."""
        return len(self.ratios)

    @property
    def per_cell(self) -> list[int]:
        """Anchors per cell of each level."""
        if self.fractions:
            return [2 + 2 * len(ratios) for ratios in self.ratios]
        return [len(scales) * len(ratios) for scales, ratios in zip(self.scales, self.ratios, strict=True)]

    @property
    def texts(self) -> tuple[str, str]:
        """Scales and ratios as text: semicolons between levels, spaces between numbers."""
        return _text(self.scales), _text(self.ratios)


def parse(own: Design, scales: str, ratios: str) -> Design:
    """Parse the scales and ratios of a design; for an empty text keep those of `own`, the model's design.

    A single group applies to every level. Raises Refusal that says which text is wrong and how.
    """
    wanted = _read(scales, len(own.scales), "scales", least=1) if scales.strip() else own.scales
    least = 0 if own.fractions else 1
    shapes = _read(ratios, own.levels, "ratios", least=least) if ratios.strip() else own.ratios
    if own.fractions and any(len(group) != 1 for group in wanted):
        raise Refusal("Default boxes take one scale per level.", advice=f"Write {own.levels + 1} numbers: 0.1; 0.2; …")
    return Design(wanted, shapes, own.fractions)


def _text(groups: Groups) -> str:
    return "; ".join(" ".join(f"{value:.10g}" for value in group) for group in groups)


def _read(text: str, count: int, name: str, *, least: int) -> Groups:
    groups = [group.replace(",", " ").split() for group in text.split(";")]
    if len(groups) == 1:
        groups *= count
    if len(groups) != count:
        raise Refusal(
            f"There are {len(groups)} groups of {name}, but {count} are needed.",
            advice="Separate the levels by semicolons, or give one group for all.",
        )
    try:
        found = tuple(tuple(float(word) for word in group) for group in groups)
    except ValueError:
        raise Refusal(f"{text!r} are not {name}.", advice="Write numbers, such as 0.5 1 2; 0.5 1 2.") from None
    if any(not least <= len(group) <= MOST_NUMBERS for group in found):
        raise Refusal(f"Each level takes {least} to {MOST_NUMBERS} {name}.", advice="Add or remove numbers.")
    if not all(0 < value < math.inf for group in found for value in group):
        raise Refusal(f"All {name} must be above 0.", advice="Correct the numbers.")
    return found
