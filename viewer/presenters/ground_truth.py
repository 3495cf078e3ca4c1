"""Detections compared with ground truth: the outcome of each, in words and as layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.detection import iou as family
from models.detection.matching import Matches, match
from models.truth.types import Annotated, Truth
from models.types import Float, Int, Result
from viewer.canvas.layers import CORRECT, IGNORED, MISSED, TRUTH, WRONG, Boxes, Layer, truth_ids
from viewer.presenters.detections import DETECTIONS
from viewer.translation import tr

MISSES, OUTLINES = "missed", "truth"
LEAST_IOU = 0.1  # below it, a box counts as background (TIDE, Bolya et al. 2020)
KINDS = {"correct": CORRECT, "wrong": WRONG, "missed": MISSED, "truth": TRUTH}


@dataclass(frozen=True, eq=False)
class Outcome:
    """The outcome of a picture's K detections and of the T objects whose class the model knows, at one IoU.

    `judged` (J,) are the result's rows whose class occurs in the ground truth's classes; `objects` (T,) the annotated
    rows whose class the model has and shows; `matches` is between these two. Anything else counts neither as right or
    wrong nor as missed.
    """

    result: Result
    truth: Truth
    annotated: Annotated
    judged: Int
    objects: Int
    matches: Matches
    iou: float

    @property
    def right(self) -> int:
        """Number of correct detections."""
        return int(self.matches.correct.sum())

    @property
    def wrong(self) -> int:
        """Number of wrong detections."""
        return int(self.matches.wrong.sum())

    @property
    def missed(self) -> int:
        """Number of missed objects."""
        return int(self.matches.missed.sum())

    @property
    def missed_rows(self) -> Int:
        """Annotated rows of the missed objects, the largest first."""
        rows = self.objects[self.matches.missed]
        sides = self.annotated.boxes[rows, 2:] - self.annotated.boxes[rows, :2]
        return rows[np.argsort(-sides.prod(1), kind="stable")]

    @property
    def wrong_rows(self) -> Int:
        """The result's rows of the wrong detections, highest score first."""
        return self.judged[self.matches.wrong]

    @cached_property
    def colours(self) -> Int:
        """The colour id of each detection (K,)."""
        found = np.full(len(self.result.arrays["boxes"]), IGNORED, np.int64)
        found[self.judged[self.matches.correct]] = CORRECT
        found[self.judged[self.matches.wrong]] = WRONG
        return found

    @cached_property
    def texts(self) -> list[str]:
        """The outcome of each detection, in words (K,)."""
        texts = [tr("{name}: class not in the ground truth", name=self.name(row)) for row in range(len(self.colours))]
        for place, row in enumerate(self.judged.tolist()):
            texts[row] = f"{self.name(row)} {self._verdict_text(place)}"
        return texts

    def name(self, row: int) -> str:
        """Return class and score of a detection."""
        label, classes = int(self.result.arrays["labels"][row]), self.result.meta["classes"]
        return f"{classes[label]} {float(self.result.arrays['scores'][row]):.2f}"

    def object_name(self, row: int) -> str:
        """Return the class of an annotated object."""
        return self.truth.classes[int(self.annotated.labels[row])]

    def meant(self, row: int) -> str:
        """Return the model's name for the class of an annotated object, "" if it has none."""
        classes = self.result.meta["classes"]
        label = int(self.truth.label_ids(classes)[self.annotated.labels[row]])
        return str(classes[label]) if label >= 0 else ""

    def miss(self, row: int) -> str:
        """Describe a missed object: class, size, and the overlapping box that is matched to another object, if any."""
        x0, y0, x1, y1 = box = self.annotated.boxes[row].tolist()
        text = tr(
            "missed {object_name}, {x1:.0f}\u00a0×\u00a0{y1:.0f}",
            object_name=self.object_name(row),
            x1=x1 - x0,
            y1=y1 - y0,
        )
        arrays, classes = self.result.arrays, self.result.meta["classes"]
        rivals = self.judged[self.matches.correct]
        rivals = rivals[[classes[label] == self.meant(row) for label in arrays["labels"][rivals].tolist()]]
        overlaps = family.iou(arrays["boxes"][rivals].astype(np.float64), np.array(box))
        if not len(rivals) or overlaps.max() < self.iou:
            return text
        return tr("{text}; {name} counts for another", text=text, name=self.name(int(rivals[overlaps.argmax()])))

    def mistake(self, row: int) -> str:
        """Return in words why a detection is wrong."""
        return self._why(int(np.flatnonzero(self.judged == row)[0]))

    def _verdict_text(self, place: int) -> str:
        matches = self.matches
        if matches.correct[place]:
            return f"✓ IoU {matches.iou[place]:.2f}"
        if matches.ignored[place]:
            return tr("not counted: on a crowd or difficult object")
        return tr("wrong: {why}", why=self._why(place))

    def _why(self, place: int) -> str:
        matches, row = self.matches, int(self.matches.truth[place])
        if row < 0 or matches.iou[place] < LEAST_IOU:
            return tr("on nothing")
        name, iou = self.object_name(int(self.objects[row])), float(matches.iou[place])
        known = self.truth.label_ids(self.result.meta["classes"])[self.annotated.labels[self.objects[row]]]
        if known != self.result.arrays["labels"][self.judged[place]]:
            return tr("overlaps {name}, IoU {iou:.2f}", name=name, iou=iou)
        return (
            tr("{name} already found, IoU {iou:.2f}", name=name, iou=iou)
            if iou >= self.iou
            else tr("IoU with {name} only {iou:.2f}", name=name, iou=iou)
        )


def compare(result: Result, truth: Truth, annotated: Annotated, *, iou: float) -> Outcome:
    """Return the outcome of a picture's detections; classes that one side lacks or that are hidden do not count."""
    classes = result.meta["classes"]
    known = truth.label_ids(classes)
    hidden = {n.strip() for n in str(result.meta["parameters"].get("hidden", "")).split(",") if n.strip()}
    off = [label for label, name in enumerate(classes) if name in hidden]
    labels = result.arrays["labels"]
    judged = np.flatnonzero(np.isin(labels, known[known >= 0]))
    meant = known[annotated.labels]
    objects = np.flatnonzero((meant >= 0) & ~np.isin(meant, off))
    matches = match(
        result.arrays["boxes"][judged],
        result.arrays["scores"][judged],
        labels[judged],
        annotated.boxes[objects],
        meant[objects],
        annotated.crowd[objects],
        iou=iou,
    )
    return Outcome(result, truth, annotated, judged, objects, matches, iou)


def layers(outcome: Outcome, shown: Collection[str], *, labels: bool, region: tuple[float, ...] | None) -> list[Layer]:
    """Return the layers beside the detections: dashed outlines of all objects, and the missed ones."""
    boxes, found = outcome.annotated.boxes, []
    if "truth" in shown:
        texts = [outcome.object_name(row) for row in range(len(boxes))]
        colours = np.full(len(boxes), TRUTH)
        found.append(Boxes(OUTLINES, boxes, colours, texts, dashed=True, width=1.2, hoverable=False, labelled=False))
    if "missed" in shown:
        rows = outcome.missed_rows
        texts = [outcome.miss(row).split(",")[0] for row in rows.tolist()]
        colours = np.full(len(rows), MISSED)
        chosen = region_row(boxes[rows], region)
        found.append(
            Boxes(
                MISSES, boxes[rows], colours, texts, dashed=True, selected=chosen, ids=truth_ids(rows), labelled=labels
            )
        )
    return found


def restyled(outcome: Outcome, painted: list[Layer], shown: Collection[str]) -> list[Layer]:
    """Return layers in which detections have the colours and texts of their outcome, without hidden kinds."""
    ids = outcome.result.arrays["ids"]

    def meant(layer: Layer) -> bool:
        # The panel that paints detections may already have newer ones than were compared; those follow shortly.
        return isinstance(layer, Boxes) and layer.id == DETECTIONS and np.array_equal(layer.ids, ids)

    return [_restyle(outcome, layer, shown) if meant(layer) else layer for layer in painted]


def region_row(boxes: Float, region: tuple[float, ...] | None) -> int:
    """Return the row of the box that a region was set to, -1 for none."""
    if region is None or not len(boxes):
        return -1
    same = np.abs(boxes - np.array(region)).max(1) < 1e-3
    return int(same.argmax()) if same.any() else -1


def _restyle(outcome: Outcome, layer: Layer, shown: Collection[str]) -> Boxes:
    assert isinstance(layer, Boxes)
    hidden = [KINDS[kind] for kind in ("correct", "wrong") if kind not in shown]
    rows = np.flatnonzero(~np.isin(outcome.colours, hidden))
    selected = np.flatnonzero(rows == layer.selected)
    return dataclasses.replace(
        layer,
        boxes=layer.boxes[rows],
        colours=outcome.colours[rows],
        texts=[outcome.texts[row] for row in rows.tolist()],
        ids=layer.ids[rows],
        selected=int(selected[0]) if len(selected) else -1,
    )
