"""Random data sets with ground truth for the figures' tests: no pictures, just boxes. Not a test itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.evaluation.matched import Matched, Setting, match
from models.evaluation.measure import Measured, measure
from models.evaluation.table import Table, assemble
from models.truth.types import Annotated
from models.types import Candidates

CLASSES = 4
SIDE_PX = 200


@dataclass(frozen=True)
class Dataset:
    """Annotated pictures and the candidates on each; labels are 1 to CLASSES, those of the truth 0 to CLASSES - 1."""

    truth: list[Annotated]
    candidates: list[Candidates]

    @property
    def label_ids(self) -> np.ndarray:
        return np.arange(1, CLASSES + 1)

    def measured(self) -> list[Measured]:
        return [measure(c, None, t) for c, t in zip(self.candidates, self.truth, strict=True)]

    def table(self) -> Table:
        return assemble(self.measured(), self.truth, self.label_ids)


def candidates(boxes: np.ndarray, score: np.ndarray, label: np.ndarray) -> Candidates:
    none, empty = np.full(len(score), -1, np.int64), np.zeros((0, 4), np.float32)
    boxes, score = boxes.astype(np.float32).reshape(-1, 4), score.astype(np.float32)
    return Candidates(boxes, boxes, score, label.astype(np.int64), none, none, empty, empty[:, 0])


def dataset(seed: int, *, pictures: int = 12, crowds: float = 0.1, tied: bool = False, whole: bool = False) -> Dataset:
    """Make a data set: boxes jittered off the objects, doubles, wrong classes and stray ones.

    The last class has no object, the first picture nothing at all, the second no object, the third no candidate.
    `tied` rounds scores so that many are equal, `whole` puts boxes on whole pixels so that IoUs meet thresholds.
    """
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for number in range(pictures):
        count = 0 if number in (0, 1) else int(rng.integers(1, 9))
        corner, size = rng.uniform(0, SIDE_PX, (count, 2)), np.exp(rng.uniform(np.log(8), np.log(120), (count, 2)))
        objects = np.concatenate([corner, corner + size], 1)
        labels = rng.integers(0, CLASSES - 1, count)
        copies = rng.integers(0, 5, count) if number != 2 else np.zeros(count, int)
        owner = np.repeat(np.arange(count), copies)
        around = objects[owner] + rng.normal(0, 0.12, (len(owner), 4)) * np.tile(size[owner], 2)
        stray = rng.uniform(0, SIDE_PX, (0 if number in (0, 2) else 6, 2))
        boxes = np.concatenate([around, np.concatenate([stray, stray + rng.uniform(5, 60, stray.shape)], 1)])
        if whole:
            boxes, objects = np.rint(boxes / 4) * 4, np.rint(objects / 4) * 4
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 4)
        objects[:, 2:] = np.maximum(objects[:, 2:], objects[:, :2] + 4)
        right = np.append(labels[owner] + 1, rng.integers(1, CLASSES + 1, len(stray)))
        label = np.where(rng.random(len(right)) < 0.2, rng.integers(1, CLASSES + 1, len(right)), right)
        score = rng.uniform(0.01, 1, len(boxes))
        score = np.rint(score * 8) / 8 if tied else score
        crowd = rng.random(count) < crowds
        truth.append(Annotated(f"/{number}.png", (0, 0), objects.astype(np.float32), labels.astype(np.int64), crowd))
        found.append(candidates(boxes, score, label))
    return Dataset(truth, found)


def matched(data: Dataset, *, maximum: int = 100, match_iou: float = 0.5, **setting: Any) -> Matched:
    """Match all candidates, as if suppression had kept every one."""
    table = data.table()
    everything = np.ones(len(table.score), np.bool_)
    return match(table, Setting(1.0, False, maximum, match_iou, **setting), everything)


def shown(data: Dataset, score: float = 0.0, maximum: int = 100) -> list[tuple[np.ndarray, ...]]:
    """Return boxes, scores and labels of each picture, best first, above a score and within the maximum."""
    pictures = []
    for c in data.candidates:
        order = np.argsort(-c.score, kind="stable")
        order = order[c.score[order] > np.float32(score)][:maximum]
        pictures.append((c.drawn[order], c.score[order], c.label[order]))
    return pictures
