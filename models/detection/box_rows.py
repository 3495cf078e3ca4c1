"""How to read a network's rows of boxes and scores (box form, unit, score scale), guessed from their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from models.detection.anchor_sets import AnchorSet

CORNERS, CENTRE, CORNER_SIZE, OFFSETS = "corners", "centre", "corner_size", "offsets"
SHARE, PIXELS = "normalised", "pixels"
PROBABILITIES, SOFTMAX, SIGMOID = "probabilities", "softmax", "sigmoid"
FIRST, LAST, NONE = "first", "last", "none"
BOXES = {
    "title": "Boxes",
    "help": "Two corners; the centre, or the upper left corner, with width and height; or offsets from anchors.",
}
ANCHORS = {"title": "Anchors", "help": "The anchors that offsets start from: those of the card, or a known set."}
UNIT = {"title": "Unit", "help": "Whether coordinates are fractions of the input's sides, or pixels."}
SCORES = {"title": "Scores", "help": "Probabilities, or numbers that a softmax or sigmoids turn into probabilities."}
BACKGROUND = {"title": "Background", "help": "Which score stands for no object."}
LEAST = 1e-30
MOST_SHARE = 2.0
MOSTLY = 0.9
FAINT = -1.0  # a logit


@dataclass(frozen=True)
class Boxes:
    """How to read boxes and scores; `part` is the index of the box tensor, `anchors` belong to offsets."""

    part: int
    form: str
    unit: str
    scores: str
    background: str
    anchors: AnchorSet | None = None

    @classmethod
    def of(cls, part: int, assumed: Mapping[str, str], sets: Mapping[str, AnchorSet]) -> Boxes:
        """Build it from assumptions by name."""
        form, unit, scores, background = (assumed[name] for name in ("boxes", "unit", "scores", "background"))
        return cls(part, form, unit, scores, background, sets[assumed["anchors"]] if form == OFFSETS else None)

    @property
    def link(self) -> Literal["softmax", "sigmoid"]:
        """The function that turns `logits` into probabilities."""
        return "softmax" if self.scores == SOFTMAX else "sigmoid"

    def corners(self, boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """Convert boxes (..., R, 4) to x0 y0 x1 y1 in pixels of an input of `size` (h, w)."""
        if self.anchors is not None:
            return self.anchors.decode(boxes, size)
        first, second = boxes[..., :2], boxes[..., 2:]
        if self.form == CENTRE:
            first, second = first - second / 2, first + second / 2
        elif self.form == CORNER_SIZE:
            second = first + second
        found = torch.cat([first, second], -1)
        return found * found.new_tensor((*size[::-1], *size[::-1])) if self.unit == SHARE else found

    def probabilities(self, scores: Tensor) -> Tensor:
        """Convert scores (..., K) to probabilities."""
        return {SOFTMAX: scores.softmax(-1), SIGMOID: scores.sigmoid()}.get(self.scores, scores)

    def logits(self, scores: Tensor) -> Tensor:
        """Return the scores before the `link`; for probabilities, their log-odds.

        Where the columns form one distribution, 1 - p is computed as the sum of the other columns, which does not
        round to 0 when the network is certain.
        """
        if self.scores != PROBABILITIES:
            return scores
        rest = scores.sum(-1, keepdim=True) - scores if self.background != NONE else 1 - scores
        if self.background != NONE and scores.shape[-1] == 2:
            rest = scores.flip(-1)
        return scores.clamp_min(LEAST).log() - rest.clamp_min(LEAST).log()


def propose(scores: Tensor, boxes: Tensor, sets: Mapping[str, AnchorSet]) -> dict[str, dict[str, Any]]:
    """Return the assumptions about boxes (R, 4) and scores (R, K) of an image, the likeliest choice of each first.

    `sets` are the anchor sets by name whose count equals the number of boxes.
    """
    share = bool((boxes.abs() <= MOST_SHARE).float().mean() > MOSTLY)
    ordered = bool(((boxes[:, 2:] >= boxes[:, :2]).all(1)).float().mean() > MOSTLY)
    sized = bool((boxes[:, 2:] > 0).all(1).float().mean() > MOSTLY)
    form = CORNERS if ordered else OFFSETS if sets and not sized else CENTRE
    form = OFFSETS if "card" in sets else form
    forms = (CORNERS, CENTRE, CORNER_SIZE, *((OFFSETS,) if sets else ()))
    kind, background = score_kind(scores)
    more = {"anchors": {**ANCHORS, "choices": tuple(sets)}} if sets else {}
    return {
        "boxes": {**BOXES, "choices": _first(form, *forms)},
        **more,
        "unit": {**UNIT, "choices": _first(SHARE if share else PIXELS, SHARE, PIXELS)},
        "scores": {**SCORES, "choices": _first(kind, PROBABILITIES, SOFTMAX, SIGMOID)},
        "background": {**BACKGROUND, "choices": _first(background, FIRST, LAST, NONE)},
    }


def score_kind(scores: Tensor, *, most: float = 1.0) -> tuple[str, str]:
    """Return the kind of scores (R, K) and the position of the background column, which wins nearly everywhere.

    `most` is the highest value that still counts as a probability.
    """
    columns = scores.shape[1]
    winner = scores.argmax(1)
    first, last = (float((winner == column).float().mean()) for column in (0, columns - 1))
    place = NONE if columns < 2 or max(first, last) < MOSTLY else FIRST if first >= last else LAST
    if bool((scores >= 0).all() and (scores <= most).all()):
        one = bool(((scores.sum(1) - 1).abs() < 1e-3).all())
        return PROBABILITIES, place if one else NONE
    # Sigmoids are trained to be low where nothing is, even those of a class that is in every picture; before a softmax
    # the score of no object is high there.
    if columns > 2 and float(scores.max(1).values.median()) < FAINT:
        return SIGMOID, NONE
    return (SIGMOID, NONE) if place == NONE else (SOFTMAX, place)


def _first(guess: str, *choices: str) -> tuple[str, ...]:
    return (guess, *(choice for choice in choices if choice != guess))
