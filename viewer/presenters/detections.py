"""Detections and anchors as layers, for the screen and every export."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.detection.skeleton import COCO_POINTS, limbs
from models.types import Result
from viewer.canvas.layers import Boxes, Heat, Layer, Links, Points, Skeletons, distinct, level_ids
from viewer.session.lookup import row_of
from viewer.translation import tr

DETECTIONS, REMOVED, ANCHORS, POINTS = "detections", "removed", "anchors", "detection points"
LEAST_VISIBLE = 0.5


def detection_layers(result: Result, *, labels: bool = True, selected: int = -1, points: bool = True) -> list[Layer]:
    """Return the shown boxes and, if requested, the removed ones, dashed, each linked to the box that removed it.

    `selected` is one of the result's `ids`; `points` says whether points of the boxes are returned too.
    """
    arrays = result.arrays
    texts = detection_texts(result)
    layers: list[Layer] = []
    if len(arrays["removed_boxes"]):
        by = arrays["removed_by"]
        gone = [_removal(result, row) for row in range(len(by))]
        segments = np.concatenate([arrays["removed_boxes"][:, :2], arrays["boxes"][by][:, :2]], 1)
        removed = Boxes(
            REMOVED,
            arrays["removed_boxes"],
            arrays["removed_labels"],
            gone,
            dashed=True,
            width=1.2,
            opacity=0.75,
            labelled=False,
        )
        layers += [removed, Links("links", segments, arrays["removed_labels"], width=1.0)]
    layers.append(
        Boxes(
            DETECTIONS,
            arrays["boxes"],
            arrays["labels"],
            texts,
            selected=row_of(result, selected),
            ids=arrays["ids"],
            labelled=labels,
            corners=oriented(arrays["boxes"], arrays["angles"]) if "angles" in arrays else None,
        )
    )
    return [*layers, *(point_layers(result) if points else [])]


def oriented(boxes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Return the corners (N, 4, 2) of boxes (N, 4) turned around their centres by `angles` (N,) radians, clockwise."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    along = np.stack([np.cos(angles), np.sin(angles)], 1) * half[:, :1]
    across = np.stack([-np.sin(angles), np.cos(angles)], 1) * half[:, 1:]
    corners = [-along - across, along - across, along + across, across - along]
    return (centre[:, None] + np.stack(corners, 1)).astype(np.float32)


def point_layers(result: Result) -> list[Layer]:
    """Return the points that a detector gives with each box, joined where they are a person's; [] without any."""
    points = result.arrays.get("points")
    if points is None or not len(points):
        return []
    faint, texts = points[..., 2] < LEAST_VISIBLE, detection_texts(result)
    names = COCO_POINTS if points.shape[1] == len(COCO_POINTS) else ()
    return [Skeletons(POINTS, points[..., :2], faint, limbs(names), texts=texts, points=names)]


def detection_texts(result: Result) -> list[str]:
    """Return class and score of each shown box, with the model's own score if suppression changed it."""
    arrays, classes = result.arrays, result.meta["classes"]
    # Plain numbers and each name once: this runs for every box at every move of a slider.
    labels, scores = arrays["labels"].tolist(), arrays["scores"].tolist()
    names = {label: _name(classes, label) for label in set(labels)}
    texts = [f"{names[label]} {score:.2f}" for label, score in zip(labels, scores, strict=True)]
    if "original_scores" not in arrays:
        return texts
    own = [f"{score:.2f}" for score in arrays["original_scores"].tolist()]
    return [
        text if text.endswith(was) else tr("{text}, was {was}", text=text, was=was)
        for text, was in zip(texts, own, strict=True)
    ]


def _removal(result: Result, row: int) -> str:
    """Return what happened to a removed box and which box caused it, in the terms of the suppression method."""
    arrays, classes, by = result.arrays, result.meta["classes"], int(result.arrays["removed_by"][row])
    label, score, iou = (arrays[f"removed_{name}"][row] for name in ("labels", "scores", "iou"))
    text, keeper = _text(classes, label, score), _name(classes, arrays["labels"][by])
    if "removed_left" in arrays:
        left = _text(classes, label, arrays["removed_left"][row])
        return tr(
            "{left}, was {score:.2f} (decayed by {keeper} at IoU {iou:.2f})",
            left=left,
            score=score,
            keeper=keeper,
            iou=iou,
        )
    if "removed_diou" in arrays:
        return tr(
            "{text} removed by {keeper} at DIoU {removed_diou:.2f} (IoU {iou:.2f})",
            text=text,
            keeper=keeper,
            removed_diou=arrays["removed_diou"][row],
            iou=iou,
        )
    if "original_scores" in arrays:
        return tr(
            "{text} fused into {text_2} at IoU {iou:.2f}",
            text=text,
            text_2=_text(classes, arrays["labels"][by], arrays["scores"][by]),
            iou=iou,
        )
    return tr("{text} removed by {keeper} at IoU {iou:.2f}", text=text, keeper=keeper, iou=iou)


def anchors_at(result: Result, x: float, y: float, *, level: int = -1) -> np.ndarray:
    """Return the rows of the anchors in the cell nearest to a place, on one level or (-1) on each.

    The distance is to the anchors' own centres, because models place them at corners or centres of cells.
    """
    boxes, start, per_cell = result.arrays["boxes"], result.arrays["start"], result.arrays["per_cell"]
    rows = []
    for index in range(len(per_cell)) if level < 0 else [min(level, len(per_cell) - 1)]:
        first = boxes[start[index] : start[index + 1] : per_cell[index]]
        distance = np.square((first[:, 0] + first[:, 2]) / 2 - x) + np.square((first[:, 1] + first[:, 3]) / 2 - y)
        cell = int(distance.argmin())
        rows.append(start[index] + cell * per_cell[index] + np.arange(per_cell[index]))
    return np.concatenate(rows)


def anchor_sizes(result: Result, rows: np.ndarray) -> list[str]:
    """Return a line per pyramid level with the sizes of some anchors, in pixels of the picture."""
    boxes, levels = result.arrays["boxes"][rows], _levels(result, rows)
    sizes = [f"{w:.0f}\u00a0×\u00a0{h:.0f}" for w, h in (boxes[:, 2:] - boxes[:, :2]).tolist()]
    return [
        tr("Level {level}: ", level=level)
        + ", ".join(size for size, of in zip(sizes, levels, strict=True) if of == level)
        for level in distinct(levels)
    ]


def anchor_layers(result: Result, at: tuple[float, float] | None, *, level: int = -1) -> list[Layer]:
    """Return the anchors at a place, one colour per pyramid level, with their centres."""
    if at is None:
        return []
    rows = anchors_at(result, *at, level=level)
    boxes, levels = result.arrays["boxes"][rows], _levels(result, rows)
    centres = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float32)
    layers: list[Layer] = [
        Boxes(ANCHORS, boxes, level_ids(levels), width=1.5, ids=rows, hoverable=False),
        Points("centres", centres, level_ids(levels)),
    ]
    return layers


def all_anchors_layer(result: Result, *, level: int = -1) -> Boxes:
    """Return the anchors of one level or (-1) of all, one colour per pyramid level, the coarse levels on top."""
    start = result.arrays["start"]
    first, last = (0, len(start) - 1) if level < 0 else (min(level, len(start) - 2), min(level, len(start) - 2) + 1)
    rows = np.arange(start[first], start[last])[::-1]
    boxes = result.arrays["boxes"][rows]
    return Boxes(ANCHORS, boxes, level_ids(_levels(result, rows)), width=1.0, ids=rows, hoverable=False)


def density_layer(result: Result, *, level: int = -1) -> Heat:
    """Return the number of anchors that cover each part of the picture, on one level or (-1) on all."""
    density = result.arrays["density"]
    values = density.sum(0) if level < 0 else density[min(level, len(density) - 1)]
    width, height = result.meta["size"]
    top = float(max(values.max(), 1.0))
    return Heat("density", values, (0, 0, width, height), 0.0, top, opacity=0.7, smooth=False, fade=True)


def _levels(result: Result, rows: np.ndarray) -> np.ndarray:
    """Return the pyramid level of each anchor row."""
    return np.searchsorted(result.arrays["start"], rows, side="right") - 1


def _name(classes: tuple[str, ...], label: Any) -> str:
    return classes[label] if label < len(classes) else str(label)


def _text(classes: tuple[str, ...], label: int, score: float) -> str:
    return f"{_name(classes, label)} {score:.2f}"
