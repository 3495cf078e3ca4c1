"""Rows that need no grid: boxes suppressed inside the network, and the queries of DETR's kind.

Sources: ultralytics' and YOLOv10's (300, 6), YOLOv7's (n, 7), mmdeploy's (k, 5) with labels, EfficientNMS, the
detection API of TensorFlow, SSD's DetectionOutput (n, 7), RT-DETR's and D-FINE's three outputs, DETR's two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.detection.box_rows import FIRST, LAST, NONE, PROBABILITIES, SIGMOID, SOFTMAX
from models.interpretation.box_codes import CENTRE, CORNERS, PIXELS, SHARES, YX, BoxCode
from models.interpretation.layout import Columns, DetectorLayout
from models.interpretation.tables import BARE, ROWS, Table, View, mask_rows

Outputs = Sequence[tuple[str, Tensor]]
Found = tuple[DetectorLayout, float, tuple[str, ...]]
MOST_ROWS = 1000
MOST_CLASSES = 1000
UNSEEN = 0.6  # fit of the usual code for rows of which there was none
SURE = 0.3
COUNTED = "counted shares"  # shares with a count of boxes are TensorFlow's, whose boxes have y first
LEAST_MASK = 32  # px of a side
USUAL_COUNTS = (100, 400, 1300)  # that labels are counted up to; none is the number of a known data set


@dataclass(frozen=True)
class _Part:
    """An output as rows (R, K) over all pictures."""

    place: int
    name: str
    values: Tensor
    table: Table

    @property
    def width(self) -> int:
        return self.values.shape[1]


def propose(pictures: Sequence[Outputs], size: tuple[int, int], *, classes: int = 0) -> list[Found]:
    """Return layouts of rows that are final, or queries, each with how plausible it is and why."""
    parts = list(_parts(pictures))
    maps = [t for _, t in pictures[0] if t.ndim == 4 and t.shape[2:] == (size[0] // 4, size[1] // 4)]
    prototypes = int(maps[0].shape[1]) if len(maps) == 1 else 0
    found: list[Found] = []
    for part in parts:
        if part.width >= 6:
            found += _row_forms(part, size, classes, prototypes)
    for boxes in parts:
        if boxes.width in (4, 5):
            found += _separate(boxes, [p for p in parts if p.place != boxes.place], size, classes)
    masks = next((place for place, (_, t) in enumerate(pictures[0]) if _whole_masks(t)), -1)
    if masks >= 0:
        rows = len(mask_rows(pictures[0][masks][1]))
        found = [
            (replace(layout, masks=masks), fit, (*why, "a mask of the whole picture for each box"))
            if layout.rows(pictures[0]) == rows
            else (layout, fit, why)
            for layout, fit, why in found
        ]
    return sorted(found, key=lambda one: -one[1])


def _parts(pictures: Sequence[Outputs]) -> Iterator[_Part]:
    for place, (name, tensor) in enumerate(pictures[0]):
        if tensor.ndim < 1 or (tensor.ndim == 4 and min(tensor.shape[2:]) > 1 and tensor.shape[1] != 1):
            continue
        bare = tensor.ndim == 2 and tensor.shape[1] == 4 and _listed(pictures[0], len(tensor))
        view = View(place, BARE if bare else ROWS)
        rows = [view.rows(one[place][1]).float() for one in pictures if one[place][1].ndim == tensor.ndim]
        rows = [r[0] for r in rows if r.ndim == 3 and len(r) == 1]
        if not rows or len({r.shape[1] for r in rows}) != 1 or len(rows[0]) > MOST_ROWS:
            continue
        yield _Part(place, name, torch.cat(rows), Table(name, (view,), None))


def _listed(outputs: Outputs, rows: int) -> bool:
    """Return whether two outputs are lists of one number for each of `rows`, as scores and labels are."""
    return sum(t.ndim == 1 and len(t) == rows for _, t in outputs) >= 2


def may_be(outputs: Outputs) -> bool:
    """Return whether boxes (R, 4) come with lists of scores and labels (R,), as torchvision's detectors give them."""
    return any(t.ndim == 2 and t.shape[1] == 4 and _listed(outputs, len(t)) for _, t in outputs)


def _whole_masks(tensor: Tensor) -> bool:
    """Return whether an output is a mask of the picture, from 0 to 1, for each of some rows."""
    if tensor.ndim < 3 or mask_rows(tensor).ndim != 3 or min(tensor.shape[-2:]) < LEAST_MASK:
        return False
    return not tensor.numel() or _probable(tensor.float())


def _row_forms(part: _Part, size: tuple[int, int], classes: int, prototypes: int) -> list[Found]:
    """Return layouts of rows that hold box, score and class."""
    found = []
    for box, score, label, words in (
        (0, 4, 5, "x0 y0 x1 y1, score, class"),
        (1, 6, 5, "picture, x0 y0 x1 y1, class, score"),
        (1, 5, 6, "picture, y0 x0 y1 x1, score, class"),
        (3, 2, 1, "picture, class, score, x0 y0 x1 y1"),
        (2, 1, 0, "class, score, x0 y0 x1 y1"),
    ):
        if max(box + 4, score + 1, label + 1) > part.width or (box in (1, 3) and part.width != 7):
            continue
        if box == 2 and part.width != 6:
            continue
        scores, labels = part.values[:, score], part.values[:, label]
        used = scores > 0
        if not (_whole(labels[used]) and bool(((scores >= 0) & (scores <= 1.001)).all())):
            continue
        if box in (1, 3) and not bool((part.values[used, 0] == 0).all()):
            continue
        fraction = bool(((scores[used] > 0) & (scores[used] < 1)).float().mean() > 0.5) if used.any() else True
        count = classes or _classes(labels[used])
        name = f"detection_boxes {part.name}" if words.startswith("picture, y0") else part.name
        for code, fit in _codes(part.values[:, box : box + 4], scores, name, size, final=True):
            layout = DetectorLayout(
                (part.table,),
                (Columns(0, box, 4),),
                code,
                Columns(0, score, 1),
                labels=Columns(0, label, 1),
                final=True,
                classes=count,
            )
            layout, more = _with_extras(layout, part.width, prototypes)
            turned = 0.9 if layout.angle is not None and code.name != CENTRE else 1.0
            why = (f"rows of {words}{more}", "suppressed by the network")
            found.append((layout, fit * turned * (1.0 if fraction else 0.4), why))
    return found


def _with_extras(layout: DetectorLayout, width: int, prototypes: int) -> tuple[DetectorLayout, str]:
    """Return a layout of rows of `width` columns with what stands after box, score and class, and that in words."""
    first = 1 + max(layout.scores.start, layout.labels.start if layout.labels is not None else 0)
    rest = width - first
    if rest == prototypes > 0:
        return replace(layout, coefficients=Columns(0, first, rest)), f", {rest} mask coefficients"
    if rest == 1:
        return replace(layout, angle=Columns(0, first, 1)), ", an angle"
    if rest >= 6 and rest % 3 == 0:
        return replace(layout, landmarks=Columns(0, first, rest), point_width=3), f", {rest // 3} points"
    return layout, ""


def _separate(boxes: _Part, others: list[_Part], size: tuple[int, int], classes: int) -> list[Found]:
    """Return layouts of boxes whose scores, and classes, come as outputs of their own."""
    rows = len(boxes.values)
    same = [p for p in others if len(p.values) == rows]
    found: list[Found] = []
    ones = [p for p in same if p.width == 1]
    labels = next((p for p in ones if _whole(p.values[:, 0]) and bool((p.values <= MOST_CLASSES).all())), None)
    if boxes.width == 5 and labels is not None:
        scores = boxes.values[:, 4]
        count = classes or _classes(labels.values)
        for code, fit in _codes(boxes.values[:, :4], scores, boxes.name, size, final=True):
            layout = DetectorLayout(
                (boxes.table, labels.table),
                (Columns(0, 0, 4),),
                code,
                Columns(0, 4, 1),
                labels=Columns(1, 0, 1),
                final=True,
                classes=count,
            )
            found.append((layout, fit, ("boxes with scores, classes apart", "suppressed by the network")))
    if boxes.width != 4:
        return found
    scored = next((p for p in ones if p is not labels and _probable(p.values)), None)
    if labels is not None and scored is not None:
        if _whole(scored.values[:, 0]) and not _whole(labels.values[:, 0]):
            labels, scored = scored, labels
        count = classes or _classes(labels.values)
        counted = any(p.width == 1 and len(p.values) < rows for p in others) and bool((boxes.values.abs() < 2).all())
        tensorflow = "detection_postprocess" in boxes.name.lower()
        name = "detection_boxes" if tensorflow else f"{COUNTED} {boxes.name}" if counted else boxes.name
        for code, fit in _codes(boxes.values, scored.values[:, 0], name, size, final=True):
            layout = DetectorLayout(
                (boxes.table, scored.table, labels.table),
                (Columns(0, 0, 4),),
                code,
                Columns(1, 0, 1),
                labels=Columns(2, 0, 1),
                final=True,
                classes=count,
            )
            found.append((layout, fit, ("boxes, scores and classes apart", "suppressed by the network")))
    for table in same:
        if table.width >= 1 and table is not labels and not (table.width == 1 and labels is not None):
            found += _queries(boxes, table, size)
    return found


def _queries(boxes: _Part, scores: _Part, size: tuple[int, int]) -> list[Found]:
    """Return layouts of DETR's kind: boxes with a score for each class, of which one may be that of no object."""
    values = scores.values
    last = float(values.argmax(1).eq(values.shape[1] - 1).float().mean())
    if _probable(values):
        whole = values.shape[1] > 1 and bool(((values.sum(1) - 1).abs() < 1e-3).all())
        kind, background = PROBABILITIES, LAST if whole and last > 0.5 else FIRST if whole else NONE
    else:
        kind, background = (SOFTMAX, LAST) if values.shape[1] > 1 and last > 0.5 else (SIGMOID, NONE)
    named = ("label" in scores.name or "logit" in scores.name or "score" in scores.name) - ("box" in scores.name)
    best = values.softmax(1)[:, :-1].max(1).values if kind == SOFTMAX else values.max(1).values
    sure = best.sigmoid() if kind == SIGMOID else best
    found: list[Found] = []
    for code, fit in _codes(boxes.values, sure, boxes.name, size, final=False):
        layout = DetectorLayout(
            (boxes.table, scores.table),
            (Columns(0, 0, 4),),
            code,
            Columns(1, 0, values.shape[1]),
            kind,
            background,
            final=True,
        )
        why = f"{len(boxes.values):,} queries with a box and {values.shape[1]} scores each"
        found.append((layout, min(1.0, fit * (1 + 0.1 * named)), (why,)))
    return found


def _codes(
    boxes: Tensor, scores: Tensor, name: str, size: tuple[int, int], *, final: bool
) -> list[tuple[BoxCode, float]]:
    """Return the codes that make boxes in the picture of rows (R, 4), with the share of sure rows for which they do."""
    if not len(boxes):  # it finds nothing in any photograph, so nothing but what is usual tells
        return [(BoxCode(CORNERS, PIXELS), UNSEEN)]
    used = scores > max(SURE * float(scores.max()), 1e-6)
    rows = boxes[used] if used.any() else boxes
    share = bool((rows.abs() <= 2.5).float().mean() > 0.95)
    found = []
    for code in (CORNERS, CENTRE, YX):
        made = BoxCode(code, SHARES if share else PIXELS)
        corners = made.corners(rows[None], size, None)[0]
        wide = corners[:, 2:] - corners[:, :2]
        frame = corners.new_tensor([size[1], size[0]])
        within = (corners[:, :2] > -0.1 * frame).all(1) & (corners[:, 2:] < 1.1 * frame).all(1) & (wide > 1).all(1)
        fit = float(within.float().mean())
        if code in (CORNERS, YX):  # nothing but names tells which of the two comes first
            named, counted = "detection_boxes" in name, COUNTED in name
            fit *= 1.0 if (code == YX) == (named or counted) else 0.97 if counted and not named else 0.95
        if code == CENTRE and final:
            fit *= 0.97
        if code == CORNERS and not final:
            fit *= 0.97
        found.append((made, min(fit, 1.0)))
    return found


def _classes(labels: Tensor) -> int:
    """Return how many classes labels may name: not only those of the few objects that were seen."""
    seen = int(labels.max()) + 1 if labels.numel() else 1
    return next((count for count in USUAL_COUNTS if count >= seen), seen)


def _whole(values: Tensor) -> bool:
    return bool((values == values.round()).all() and (values >= 0).all()) if len(values) else True


def _probable(values: Tensor) -> bool:
    return bool((values >= 0).all() and (values <= 1.001).all())
