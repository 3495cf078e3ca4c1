"""How pictures are prepared for a network that gives boxes and scores as two outputs: told by what it finds in photos.

Queries of DETR's kind come of networks that were trained on ImageNet's values, or on values from 0 to 1; rows on a grid
mostly on those from 0 to 1. Where a network finds something sure with two of them, the user is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.cards.card import PHOTOS
from models.detection import box_rows
from models.detection.anchor_sets import AnchorSet
from models.detection.box_rows import FIRST, NONE, Boxes
from models.loading.preprocess import Preprocess
from models.loading.preprocess_presets import INPUT
from models.pictures import images

PICTURES = ("astronaut", "coffee", "cat")
QUERIES, GRID = ("imagenet", "zero_one"), ("zero_one",)
FURTHER = ("zero_255", "minus_one_one", "imagenet", "imagenet_bgr", "caffe")
SURE, NEARLY = 0.5, 0.7  # a score that is sure; the share of the best one from which another is as good
SMALLEST = 2.0  # px of a box's side
Run = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class Pair:
    """Where scores (1, R, K) and boxes (1, R, 4) are among outputs, the anchor sets that fit, the input's (h, w)."""

    scores: int
    boxes: int
    sets: Mapping[str, AnchorSet]
    size: tuple[int, int]

    def kind(self, outputs: Sequence[Tensor]) -> tuple[str, str]:
        """Return what the scores are by their numbers, and which of them stands for no object."""
        return box_rows.score_kind(outputs[self.scores][0].float().cpu())

    def best(self, outputs: Sequence[Tensor]) -> float:
        """Return the highest score of a class in a box that lies in the picture."""
        scores, boxes = (outputs[at][0].float().cpu() for at in (self.scores, self.boxes))
        own = box_rows.propose(scores, boxes, self.sets)
        how = Boxes.of(self.boxes, {key: item["choices"][0] for key, item in own.items()}, self.sets)
        chances = how.probabilities(scores)
        if how.background != NONE:
            chances = chances[:, 1:] if how.background == FIRST else chances[:, :-1]
        corners = how.corners(boxes, self.size)
        frame = corners.new_tensor([self.size[1], self.size[0]])
        middle = (corners[:, :2] + corners[:, 2:]) / 2
        sound = ((corners[:, 2:] - corners[:, :2]) > SMALLEST).all(1) & ((middle >= 0) & (middle <= frame)).all(1)
        return float(chances[sound].max()) if sound.any() and chances.numel() else 0.0


def chosen(
    run: Run, pair: Pair, prepared: Callable[[str], Preprocess], device: torch.device, *, queries: bool
) -> tuple[str, str]:
    """Return the preset of values to take, and a question where photographs leave two, "" else.

    `prepared` returns how pictures are prepared under a preset. Further presets are tried only where the usual ones
    find nothing sure.
    """
    usual = QUERIES if queries else GRID
    found: dict[str, float] = {}

    def look(names: Sequence[str]) -> None:
        for name in names:
            way = prepared(name)
            with torch.no_grad():
                made = [run(way.input(images.bundled(PHOTOS / f"{photo}.jpg"), device)) for photo in PICTURES]
            # Scores that are of one kind in one photograph and of another in the next are driven beyond their range.
            alike = len({pair.kind(each) for each in made}) == 1
            found[name] = max(pair.best(each) for each in made) if alike else 0.0

    look(usual)
    if max(found.values()) < SURE:
        look([name for name in FURTHER if name not in found])
    best = max(found, key=lambda name: found[name])
    if found[best] < SURE:
        return usual[0], ""
    # More contrast makes any network surer: of the usual ones each that is sure counts as alike.
    alike = [name for name in found if found[name] >= (SURE if name in usual else NEARLY * found[best])]
    first = next((name for name in usual if name in alike), best)
    rivals = [INPUT["titles"][name] for name in alike if name != first]
    if not rivals:
        return first, ""
    return first, (
        f"With values {INPUT['titles'][first]} it is as sure of what it finds in photographs as with {rivals[0]}, so "
        "they do not tell which it was made for. Choose by a picture of yours."
    )
