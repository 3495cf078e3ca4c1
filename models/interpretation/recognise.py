"""Recognise a detector by its outputs on photographs: propose layouts, the likeliest first, each with its evidence.

No name, no label and no class count is needed. Numbers of rows tell the grid, correlation with the cells' centres tells
decoded boxes, and the agreement of neighbouring rows tells the code of the others. What names and metadata say is used
where numbers leave two readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.detection.anchor_sets import KNOWN
from models.interpretation import anchored_rows, final_rows
from models.interpretation.agreement import agreement
from models.interpretation.box_codes import (
    ANCHORS,
    CENTERFACE,
    CENTERNET,
    CENTRE,
    CORNER_SIZE,
    CORNERS,
    DISTANCES,
    DISTRIBUTION,
    OFFSETS,
    PIXELS,
    SHARES,
    STRIDES,
    YOLOV3,
    YOLOV5,
    YOLOX,
    BoxCode,
)
from models.interpretation.grids import FIRST as ANCHOR_FIRST
from models.interpretation.layout import (
    FIRST,
    LAST,
    NONE,
    PROBABILITIES,
    ROOT,
    SIGMOID,
    SOFTMAX,
    Columns,
    DetectorLayout,
)
from models.interpretation.tables import Table, gather

Outputs = Sequence[tuple[str, Tensor]]
LEAST_CORRELATION = 0.9
MOSTLY = 0.9
MOST_SHARE = 2.5
BINS = (16, 8, 17, 32)
OBJECTNESS_RATIO, OBJECTNESS_LEAST = 20.0, 0.01
COEFFICIENTS = 32
LEAST_AGREEMENT = 0.35


@dataclass(frozen=True)
class Proposal:
    """A layout with how well it fits, from 0 to 1, and what speaks for it."""

    layout: DetectorLayout
    fit: float
    evidence: tuple[str, ...]


def propose(pictures: Sequence[Outputs], size: tuple[int, int], *, classes: int = 0) -> list[Proposal]:
    """Return layouts of a detector's outputs for several pictures on an input of `size` (h, w), the best first.

    `classes` is the number of classes where metadata tell it, else 0. Empty for what is no detector's.
    """
    found: list[Proposal] = []
    for tables in gather(pictures[0], size):
        found += _of_grid(tuple(tables), pictures, size, classes)
    for layout, evidence in anchored_rows.hypotheses(pictures, size):
        own = fit(layout, pictures, size)
        found.append(Proposal(layout, own, (*evidence, f"boxes of neighbouring anchors agree by {own:.2f}")))
    found += [Proposal(*each) for each in final_rows.propose(pictures, size, classes=classes)]
    return sorted(found, key=_rank, reverse=True)


def _rank(proposal: Proposal) -> tuple[bool, int, bool, float]:
    """Order proposals: those that agree, with more of the outputs explained, boxes that need no decoding, then by fit."""
    layout = proposal.layout
    sound = proposal.fit > LEAST_AGREEMENT
    outputs = len({view.output for table in layout.tables for view in table.views})
    return sound, outputs * sound, layout.code.decoded and not layout.final, proposal.fit


def _of_grid(
    tables: tuple[Table, ...], pictures: Sequence[Outputs], size: tuple[int, int], classes: int
) -> list[Proposal]:
    rows = [[table.rows([t for _, t in one]).float() for table in tables] for one in pictures]
    seen = [torch.cat([r[place][0] for r in rows]) for place in range(len(tables))]
    found = []
    for layout, evidence in _hypotheses(tables, seen, size, _prototypes(pictures[0], size), classes, len(pictures)):
        own = fit(layout, pictures, size)
        found.append(Proposal(layout, own, (*evidence, f"boxes of neighbouring cells agree by {own:.2f}")))
    return found


def fit(layout: DetectorLayout, pictures: Sequence[Outputs], size: tuple[int, int]) -> float:
    """Return the mean agreement over pictures, each weighed by how sure the network is there."""
    centres, strides = _cells(layout, size)
    total = weight = 0.0
    for one in pictures:
        boxes, scores = layout.decode([t for _, t in one], size)
        if layout.peaks:  # neighbours of a peak were silenced: look at the map before
            _, scores = replace(layout, peaks=False).decode([t for _, t in one], size)
        sure = float(scores.max())
        total += sure * _sparse(scores[0]) * agreement(boxes[0], scores[0], centres, strides, size)
        weight += sure
    return total / weight if weight > 0 else 0.0


def _sparse(scores: Tensor) -> float:
    """Return near 1 where most rows (R, C) score far below the best, as with any detector, and 0 where they do not."""
    best = scores.max(1).values
    return max(0.0, 1 - 2 * float(best.median()) / max(float(best.max()), 1e-9))


def _cells(layout: DetectorLayout, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the centre (R, 2) of each row's cell, and how far off its neighbours may be (R,), in px of the input."""
    if layout.code.name == OFFSETS:
        anchors = KNOWN[layout.code.anchors].centred(size)
        return anchors[:, :2], anchors[:, 2:].amin(1) / 2
    grid = layout.grid
    assert grid is not None
    cells, strides = grid.corners()
    return (cells + 0.5) * strides[:, None], strides


def _hypotheses(
    tables: tuple[Table, ...],
    seen: Sequence[Tensor],
    size: tuple[int, int],
    prototypes: int,
    classes: int,
    count: int,
) -> Iterator[tuple[DetectorLayout, tuple[str, ...]]]:
    """Yield layouts that may be, with what speaks for each."""
    if len(tables) == 1:
        yield from _one_table(tables, seen[0], size, prototypes, classes, count)
    else:
        yield from _several_tables(tables, seen, size, count)


def _one_table(
    tables: tuple[Table, ...], seen: Tensor, size: tuple[int, int], prototypes: int, classes: int, count: int
) -> Iterator[tuple[DetectorLayout, tuple[str, ...]]]:
    width = seen.shape[1]
    if width < 5:
        return
    grid = tables[0].grid
    assert grid is not None
    decoded = _decoded(seen[:, :4], tables[0], size, count)
    codes = [decoded] if decoded else list(_raw(tables[0], size))
    for code, why in codes:
        yield from _with_scores(tables, seen, code, why, 0, 4, prototypes, classes, count, size)
    if not decoded:
        for bins in BINS:
            if width > 4 * bins:
                code = BoxCode(DISTRIBUTION, STRIDES, bins=bins)
                why = f"distances as distributions over {bins} bins"
                yield from _with_scores(tables, seen, code, why, 0, 4 * bins, prototypes, classes, count, size)
                columns = width - 4 * bins
                kind, background, about = _scores(seen[:, :columns])
                yield (
                    DetectorLayout(
                        tables, (Columns(0, columns, 4 * bins),), code, Columns(0, 0, columns), kind, background
                    ),
                    (why, "classes before the distances", about),
                )


def _with_scores(
    tables: tuple[Table, ...],
    seen: Tensor,
    code: BoxCode,
    why: str,
    start: int,
    wide: int,
    prototypes: int,
    classes: int,
    count: int,
    size: tuple[int, int],
) -> Iterator[tuple[DetectorLayout, tuple[str, ...]]]:
    """Yield the layouts of one table whose boxes are known: objectness or none, classes, landmarks, coefficients."""
    boxes = (Columns(0, start, wide),)
    rest = seen[:, start + wide :]
    first = start + wide
    last = seen.shape[1]
    coefficients = None
    if prototypes and rest.shape[1] > prototypes:
        coefficients = Columns(0, last - prototypes, prototypes)
        last -= prototypes
    landmarks = _landmarks(seen[:, first:last], tables[0], size, count) if code.decoded else None
    if landmarks is not None:
        begin, columns = landmarks
        points = Columns(0, first + begin, columns)
        inner = Columns(0, first, begin)
        kind, background, about = _scores(seen[:, first : first + begin])
        made = DetectorLayout(tables, boxes, code, inner, kind, background, landmarks=points)
        yield made, (why, about, f"{columns} columns of points that follow the cells")
        return
    angle = _angle(seen[:, first:last])
    if angle:
        last -= 1
    rest = seen[:, first:last]
    objectness, because = _objectness(rest, tables[0], classes)
    kind, background, about = _scores(rest[:, int(objectness) :] if rest.shape[1] > 1 else rest)
    if objectness and background != NONE:
        background = NONE
        kind = SIGMOID if kind == SOFTMAX else kind
    one = rest.shape[1] == 1
    yield (
        DetectorLayout(
            tables,
            boxes,
            code,
            Columns(0, first + (objectness and not one), last - first - (objectness and not one)),
            kind,
            background,
            Columns(0, first, 1) if objectness and not one else None,
            PROBABILITIES if _within(rest[:, :1]) else SIGMOID,
            coefficients=coefficients,
            angle=Columns(0, last, 1) if angle else None,
        ),
        (why, because, about, *(("the last column is an angle in radians",) if angle else ())),
    )


def _several_tables(
    tables: tuple[Table, ...], seen: Sequence[Tensor], size: tuple[int, int], count: int
) -> Iterator[tuple[DetectorLayout, tuple[str, ...]]]:
    widths = [s.shape[1] for s in seen]
    twos = [i for i, w in enumerate(widths) if w == 2]
    grid = tables[0].grid
    assert grid is not None
    if len(twos) >= 2 and len(grid.strides) == 1:
        yield from _heat_maps(tables, seen, twos)
    for place, width in enumerate(widths):
        codes: list[tuple[BoxCode, str]] = []
        if width == 4:
            decoded = _decoded(seen[place], tables[place], size, count)
            codes = [decoded] if decoded else list(_raw(tables[place], size))
        for bins in BINS:
            if width == 4 * bins:
                codes.append(
                    (BoxCode(DISTRIBUTION, STRIDES, bins=bins), f"distances as distributions over {bins} bins")
                )
        others = [i for i in range(len(tables)) if i != place]
        if codes:
            yield from _with_tables(tables, seen, place, others, codes)


def _with_tables(
    tables: tuple[Table, ...], seen: Sequence[Tensor], place: int, others: list[int], codes: list[tuple[BoxCode, str]]
) -> Iterator[tuple[DetectorLayout, tuple[str, ...]]]:
    """Yield layouts whose boxes are table `place`: of the others one or two are scores, one may be of points."""
    ones = [i for i in others if seen[i].shape[1] == 1]
    for code, why in codes:
        for scores in others:
            rest = [i for i in others if i != scores]
            objectness = next((i for i in ones if i != scores), None)
            if scores in ones and objectness is not None and objectness < scores:
                continue  # the same two the other way round
            points = next((i for i in rest if i != objectness and seen[i].shape[1] % 2 == 0), None)
            if len(rest) - (objectness is not None) - (points is not None):
                continue
            kind, background, about = _scores(seen[scores])
            columns = seen[scores].shape[1]
            combine = ROOT if objectness is not None and columns == 1 else "product"
            object_kind = PROBABILITIES if objectness is None or _within(seen[objectness]) else SIGMOID
            yield (
                DetectorLayout(
                    tables,
                    (Columns(place, 0, seen[place].shape[1]),),
                    code,
                    Columns(scores, 0, columns),
                    kind,
                    background,
                    Columns(objectness, 0, 1) if objectness is not None else None,
                    object_kind,
                    combine,
                    landmarks=Columns(points, 0, seen[points].shape[1]) if points is not None else None,
                ),
                (why, about),
            )


def _heat_maps(
    tables: tuple[Table, ...], seen: Sequence[Tensor], twos: list[int]
) -> Iterator[tuple[DetectorLayout, tuple[str, ...]]]:
    """Yield layouts of heat maps with offsets and sizes: CenterNet's and CenterFace's."""
    for scores in range(len(tables)):
        if scores in twos[:2] and len(twos) < 3:
            continue
        pair = [i for i in twos if i != scores][:2]
        kind = PROBABILITIES if _within(seen[scores]) else SIGMOID
        points = next((i for i, s in enumerate(seen) if i not in (scores, *pair) and s.shape[1] >= 4), None)
        for offset, extent in (pair, pair[::-1]):
            for code in (CENTERNET, CENTERFACE):
                yield (
                    DetectorLayout(
                        tables,
                        (Columns(offset, 0, 2), Columns(extent, 0, 2)),
                        BoxCode(code),
                        Columns(scores, 0, seen[scores].shape[1]),
                        kind,
                        peaks=True,
                        landmarks=Columns(points, 0, seen[points].shape[1]) if points is not None else None,
                    ),
                    ("a heat map of centres with offsets and sizes",),
                )


def _decoded(columns: Tensor, table: Table, size: tuple[int, int], count: int) -> tuple[BoxCode, str] | None:
    """Return the code of columns (P * R, 4) that hold boxes already, by their correlation with the cells' centres."""
    grid = table.grid
    assert grid is not None
    cells, strides = grid.corners()
    centres = ((cells + 0.5) * strides[:, None]).repeat(count, 1)
    x0, y0, x1, y1 = (_correlation(columns[:, i], centres[:, i % 2]) > LEAST_CORRELATION for i in range(4))
    if not (x0 and y0):
        return None
    share = bool((columns.abs() <= MOST_SHARE).float().mean() > 0.95)
    unit = SHARES if share else PIXELS
    words = "shares of the input's sides" if share else "pixels of the input"
    ordered = float((columns[:, 2:] >= columns[:, :2]).all(1).float().mean()) > MOSTLY
    if x1 and y1 and ordered:
        return BoxCode(CORNERS, unit), f"both corners follow the cells, in {words}"
    middle = _correlation(columns[:, 0] + columns[:, 2] / 2, centres[:, 0])
    centre = _correlation(columns[:, 0], centres[:, 0])
    if middle > centre + 0.002:
        return BoxCode(CORNER_SIZE, unit), f"a corner follows the cells, with width and height, in {words}"
    return BoxCode(CENTRE, unit), f"centres follow the cells, in {words}"


def _raw(table: Table, size: tuple[int, int]) -> Iterator[tuple[BoxCode, str]]:
    """Yield the codes that rows may need when they hold no boxes yet."""
    grid = table.grid
    assert grid is not None
    if grid.per_cell == 1:
        yield BoxCode(YOLOX), "centre and logarithm of the size, both in strides (YOLOX)"
        yield BoxCode(DISTANCES, STRIDES), "distances to the four sides in strides (FCOS)"
        yield BoxCode(DISTANCES, PIXELS), "distances to the four sides in pixels (FCOS)"
    for name, levels in ANCHORS.items():
        if len(levels) == len(grid.strides) and all(len(level) == grid.per_cell for level in levels):
            yield BoxCode(YOLOV5, anchors=name), f"sigmoids around the anchors of {name} (YOLOv5 and 7)"
            yield BoxCode(YOLOV3, anchors=name), f"exponentials around the anchors of {name} (YOLOv3)"


def _objectness(rest: Tensor, table: Table, classes: int) -> tuple[bool, str]:
    """Tell whether the first of the columns after the box is objectness, and why.

    Classes are trained only where there is an object: without one the best class stays high although the objectness is
    low, while a class among classes falls with the others.
    """
    if rest.shape[1] == 1:
        return False, "one column of scores"
    if classes:
        if rest.shape[1] == classes + 1:
            return True, f"one column more than the {classes} classes of the metadata"
        if rest.shape[1] == classes:
            return False, f"as many columns as the {classes} classes of the metadata"
    values = rest if _within(rest) else rest.sigmoid()
    first = values[:, 0]
    if bool((first - 1).abs().max() < 1e-3):
        return True, "the first column is 1 everywhere, as YOLOv6's objectness"
    grid = table.grid
    if grid is not None and grid.per_cell == 3 and grid.order == ANCHOR_FIRST:
        return True, "three anchors a cell, whose rows have objectness"
    low = first <= first.median()
    best = float(values[low, 1:].max(1).values.median())
    own = float(first[low].median())
    if best > OBJECTNESS_LEAST and best > OBJECTNESS_RATIO * own:
        return True, f"where the first column is low ({own:.1g}) the others stay high ({best:.2f}): objectness"
    return False, "no column stands out as objectness"


def _scores(columns: Tensor) -> tuple[str, str, str]:
    """Return what scores are, where their background is, and why."""
    width = columns.shape[1]
    if _within(columns):
        sums = columns.sum(1)
        if width > 1 and bool(((sums - 1).abs() < 1e-3).all()):
            place = _background(columns)
            return PROBABILITIES, place, f"{width} probabilities that sum to 1, the {place} of no object"
        return PROBABILITIES, NONE, f"{width} probabilities"
    place = _background(columns) if width > 1 else NONE
    if place != NONE and float(columns.argmax(1).eq(0 if place == FIRST else width - 1).float().mean()) > MOSTLY:
        return SOFTMAX, place, f"{width} logits, the {place} wins nearly everywhere: no object"
    return SIGMOID, NONE, f"{width} logits"


def _background(columns: Tensor) -> str:
    winner = columns.argmax(1)
    first, last = (float((winner == place).float().mean()) for place in (0, columns.shape[1] - 1))
    if max(first, last) < MOSTLY:
        return NONE
    return FIRST if first >= last else LAST


def _landmarks(rest: Tensor, table: Table, size: tuple[int, int], count: int) -> tuple[int, int] | None:
    """Return where columns of points begin and how many there are: x and y follow the cells."""
    grid = table.grid
    assert grid is not None
    cells, strides = grid.corners()
    centres = ((cells + 0.5) * strides[:, None]).repeat(count, 1)
    follows = [
        max(_correlation(rest[:, i], centres[:, 0]), _correlation(rest[:, i], centres[:, 1])) > LEAST_CORRELATION
        for i in range(rest.shape[1])
    ]
    if True not in follows:
        return None
    begin = follows.index(True)
    columns = rest.shape[1] - begin
    points = sum(follows)
    return (begin, columns) if begin >= 1 and points >= 2 and columns in (points, points * 3 // 2) else None


def _angle(rest: Tensor) -> bool:
    """Tell whether the last column is an angle in radians: it leaves 0 to 1 while all others stay in it."""
    if rest.shape[1] < 2 or not _within(rest[:, :-1]):
        return False
    last = rest[:, -1]
    return bool(last.abs().max() <= 3.15 and not _within(rest[:, -1:]))


def _prototypes(outputs: Outputs, size: tuple[int, int]) -> int:
    """Return how many mask prototypes (1, K, h / 4, w / 4) there are, 0 where there are none."""
    for _, tensor in outputs:
        if tensor.ndim == 4 and tensor.shape[1] == COEFFICIENTS and tensor.shape[2:] == (size[0] // 4, size[1] // 4):
            return int(tensor.shape[1])
    return 0


def _within(values: Tensor) -> bool:
    return bool((values >= 0).all() and (values <= 1 + 1e-4).all())


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    norm = float(a.norm() * b.norm())
    return float(a @ b) / norm if norm > 0 else 0.0
