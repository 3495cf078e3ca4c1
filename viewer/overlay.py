"""From results to layers: what a detection or an anchor looks like, on screen and in every export. No Qt."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.types import Result
from viewer.canvas.layers import Boxes, Heat, Layer, Links, Points

DETECTIONS, REMOVED, ANCHORS = "detections", "removed", "anchors"


def detection_layers(result: Result, *, labels: bool = True, selected: int = -1) -> list[Layer]:
    """Return the shown boxes, and if they were asked for the removed ones, dashed, each linked to its remover.

    `selected` is one of the result's `ids`.
    """
    arrays, classes = result.arrays, result.meta["classes"]
    texts = [_text(classes, k, s) for k, s in zip(arrays["labels"], arrays["scores"], strict=True)]
    layers: list[Layer] = []
    if len(arrays["removed_boxes"]):
        by = arrays["removed_by"]
        gone = [
            f"{_text(classes, k, s)} removed by {_name(classes, arrays['labels'][b])} at IoU {iou:.2f}"
            for k, s, b, iou in zip(
                arrays["removed_labels"], arrays["removed_scores"], by, arrays["removed_iou"], strict=True
            )
        ]
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
        )
    )
    return layers


def row_of(result: Result, selected: int) -> int:
    """Return the row of the detection with an id, or -1 when it is not shown."""
    rows = np.flatnonzero(result.arrays["ids"] == selected)
    return int(rows[0]) if len(rows) else -1


def anchors_at(result: Result, x: float, y: float, *, level: int = -1) -> np.ndarray:
    """Return the rows of the anchors of the cell nearest to a place, on one level or (-1) on each.

    Nearest by the anchors' own centres: whether those lie on cell corners or middles is the model's affair.
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
        f"Level {level}: " + ", ".join(size for size, of in zip(sizes, levels, strict=True) if of == level)
        for level in np.unique(levels)
    ]


def anchor_layers(result: Result, at: tuple[float, float] | None, *, level: int = -1) -> list[Layer]:
    """Return the anchors at a place, one colour per pyramid level, with their centres."""
    if at is None:
        return []
    rows = anchors_at(result, *at, level=level)
    boxes, levels = result.arrays["boxes"][rows], _levels(result, rows)
    centres = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float32)
    layers: list[Layer] = [
        Boxes(ANCHORS, boxes, levels + 1, width=1.5, ids=rows, hoverable=False),
        Points("centres", centres, levels + 1),
    ]
    return layers


def all_anchors_layer(result: Result, *, level: int = -1) -> Boxes:
    """Return the anchors of one level or (-1) of all, one colour per pyramid level, the coarse levels on top."""
    start = result.arrays["start"]
    first, last = (0, len(start) - 1) if level < 0 else (min(level, len(start) - 2), min(level, len(start) - 2) + 1)
    rows = np.arange(start[first], start[last])[::-1]
    boxes = result.arrays["boxes"][rows]
    return Boxes(ANCHORS, boxes, _levels(result, rows) + 1, width=1.0, ids=rows, hoverable=False)


def density_layer(result: Result, *, level: int = -1) -> Heat:
    """Return how many anchors cover each part of the picture, on one level or (-1) on all."""
    density = result.arrays["density"]
    values = density.sum(0) if level < 0 else density[min(level, len(density) - 1)]
    width, height = result.meta["size"]
    return Heat("density", values, (0, 0, width, height), 0.0, float(max(values.max(), 1.0)), opacity=0.7)


def lineage_layers(result: Result, selected: int) -> list[Layer]:
    """Return the anchor and, with two stages, the proposal behind the selected detection: dashed, then solid."""
    row, arrays = row_of(result, selected), result.arrays
    if row < 0 or "anchors" not in arrays:
        return []
    steps = [("anchor", arrays["anchors"][row], 1, f"anchor, level {int(arrays['levels'][row])}")]
    if "proposals" in arrays:
        steps.append(("proposal", arrays["proposals"][row], 2, f"proposal {float(arrays['objectness'][row]):.2f}"))
    return [
        Boxes(f"lineage {name}", box[None], np.array([colour]), [text], dashed=name == "anchor", hoverable=False)
        for name, box, colour, text in steps
    ]


def _levels(result: Result, rows: np.ndarray) -> np.ndarray:
    """Return the pyramid level of each anchor row."""
    return np.searchsorted(result.arrays["start"], rows, side="right") - 1


def _name(classes: tuple[str, ...], label: Any) -> str:
    return classes[label] if label < len(classes) else str(label)


def _text(classes: tuple[str, ...], label: int, score: float) -> str:
    return f"{_name(classes, label)} {score:.2f}"


def lineage_text(result: Result, selected: int) -> str:
    """Return the lineage of a detection in numbers: anchor, proposal, final box, in pixels of the picture."""
    row = row_of(result, selected)
    if row < 0 or "anchors" not in result.arrays:
        return ""
    parts = [f"Anchor on level {int(result.arrays['levels'][row])}: {_box(result.arrays['anchors'][row])}"]
    if "proposals" in result.arrays:
        objectness = float(result.arrays["objectness"][row])
        parts.append(f"Proposal, objectness {objectness:.2f}: {_box(result.arrays['proposals'][row])}")
    name = _text(result.meta["classes"], int(result.arrays["labels"][row]), float(result.arrays["scores"][row]))
    parts.append(f"Detection {name}: {_box(result.arrays['boxes'][row])}")
    return "\n".join(parts)


def _box(box: np.ndarray) -> str:
    x0, y0, x1, y1 = (float(v) for v in box)
    return f"{x1 - x0:.0f}\u00a0×\u00a0{y1 - y0:.0f} at {x0:.0f},\u00a0{y0:.0f}"
