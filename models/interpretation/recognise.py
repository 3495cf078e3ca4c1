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
from models.detection.box_rows import NONE, PROBABILITIES, SIGMOID, SOFTMAX, score_kind
from models.interpretation import anchored_rows, final_rows
from models.interpretation.agreement import ROWS, agreement
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
from models.interpretation.layout import MOST_PROBABILITY, PRODUCT, ROOT, Columns, DetectorLayout
from models.interpretation.tables import DARKNET, Table, gather

Outputs = Sequence[tuple[str, Tensor]]
LEAST_CORRELATION = 0.9
MOSTLY = 0.9
MOST_SHARE = 2.5
BINS = (16, 8, 17, 32)
OBJECTNESS_RATIO, OBJECTNESS_LEAST = 20.0, 0.01
COEFFICIENTS = 32
FAR, LOW = 0.1, 0.05  # medians of an angle's column, and of scores
FACE_COLUMNS = 10
LEAST_AGREEMENT = 0.35
# Anchors that differ from others by a common factor agree as well as those: the commoner ones come first.
LARGER, PRIOR = ("yolov7",), 0.05


@dataclass(frozen=True)
class Stated:
    """What metadata say of a detector: how many `classes` it knows, 0 for unknown, whether boxes are `turned`."""

    classes: int = 0
    turned: bool = False


NOTHING = Stated()


@dataclass(frozen=True)
class Proposal:
    """A layout with how well it fits, from 0 to 1, and what speaks for it."""

    layout: DetectorLayout
    fit: float
    evidence: tuple[str, ...]


def propose(pictures: Sequence[Outputs], size: tuple[int, int], *, stated: Stated = NOTHING) -> list[Proposal]:
    """Return layouts of a detector's outputs for several pictures on an input of `size` (h, w), the best first.

    `stated` is what metadata tell. Empty for what is no detector's.
    """
    found: list[Proposal] = []
    listed = [Proposal(*each) for each in final_rows.propose(pictures, size, classes=stated.classes)]
    if listed and final_rows.may_be(pictures[0]):  # lists of boxes, scores and labels lie on no grid
        return sorted(listed, key=rank, reverse=True)
    for tables in gather(pictures[0], size):
        found += _of_grid(tuple(tables), pictures, size, stated)
    for layout, evidence in anchored_rows.hypotheses(pictures, size):
        own = fit(layout, pictures, size)
        found.append(Proposal(layout, own, (*evidence, f"boxes of neighbouring anchors agree by {own:.2f}")))
    found += listed
    return sorted(found, key=rank, reverse=True)


def rank(proposal: Proposal) -> tuple[bool, int, bool, float]:
    """Order proposals: sound ones, those that explain more outputs, boxes that need no decoding, then by fit."""
    layout = proposal.layout
    sound = proposal.fit > LEAST_AGREEMENT
    outputs = len({view.output for table in layout.tables for view in table.views})
    usual = 0.0 if layout.code.anchors in LARGER else PRIOR
    return sound, outputs * sound, layout.code.decoded and not layout.final, proposal.fit + usual


@dataclass(frozen=True)
class _Seen:
    """What is looked at: the tables of a grid, their rows (P * R, K) over `pictures` pictures, and what is known."""

    tables: tuple[Table, ...]
    rows: tuple[Tensor, ...]
    size: tuple[int, int]
    pictures: int
    prototypes: int
    stated: Stated

    def centres(self, table: int) -> Tensor:
        """Return the centre of each row's cell (P * R, 2) in px of the input."""
        grid = self.tables[table].grid
        assert grid is not None
        cells, strides = grid.corners()
        return ((cells + 0.5) * strides[:, None]).repeat(self.pictures, 1)


def _of_grid(
    tables: tuple[Table, ...], pictures: Sequence[Outputs], size: tuple[int, int], stated: Stated
) -> list[Proposal]:
    made = [[table.rows([t for _, t in one]).float()[0] for table in tables] for one in pictures]
    rows = tuple(torch.cat([r[place] for r in made]) for place in range(len(tables)))
    seen = _Seen(tables, rows, size, len(pictures), _prototypes(pictures[0], size), stated)
    found = []
    for layout, evidence in _one_table(seen) if len(tables) == 1 else _several_tables(seen):
        own = fit(layout, pictures, size)
        found.append(Proposal(layout, own, (*evidence, f"boxes of neighbouring cells agree by {own:.2f}")))
    return found


def fit(layout: DetectorLayout, pictures: Sequence[Outputs], size: tuple[int, int]) -> float:
    """Return the mean agreement over pictures, each weighed by how sure the network is there."""
    centres, strides = _cells(layout, size)
    total = weight = 0.0
    for one in pictures:
        # Neighbours of a peak are silenced: look at the map before.
        scores = replace(layout, peaks=False).scored([t for _, t in one])[0]
        best = scores.max(1).values
        sure = float(best.max())
        order = best.topk(min(2 * ROWS, len(best))).indices
        boxes = layout.boxed([t for _, t in one], size, order)[0]
        own = agreement(boxes, scores[order], centres[order], strides[order], size)
        total += sure * _sparse(best) * own
        weight += sure
    return total / weight if weight > 0 else 0.0


def _sparse(best: Tensor) -> float:
    """Return near 1 where most rows' scores (R,) are far below the best, as with any detector, and 0 where not."""
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


Hypotheses = Iterator[tuple[DetectorLayout, tuple[str, ...]]]


def _one_table(seen: _Seen) -> Hypotheses:
    """Yield layouts of one table that holds boxes and scores side by side."""
    rows, table = seen.rows[0], seen.tables[0]
    width = rows.shape[1]
    if width < 5:
        return
    decoded = _decoded(rows[:, :4], seen.centres(0))
    if decoded:
        yield from _with_scores(seen, *decoded, wide=4)
        return
    for code, why in _raw(table):
        yield from _with_scores(seen, code, why, wide=4)
    for bins in BINS:
        wide = 4 * bins
        if width > wide:
            code, why = BoxCode(DISTRIBUTION, STRIDES, bins=bins), f"distances as distributions over {bins} bins"
            yield from _with_scores(seen, code, why, wide=wide)
            columns = width - wide
            kind, background, about = _scores(rows[:, :columns])
            code = replace(code, cell=0.0)  # NanoDet-Plus measures from the corners of its cells
            boxes, scores = (Columns(0, columns, wide),), Columns(0, 0, columns)
            layout = DetectorLayout(seen.tables, boxes, code, scores, kind, background)
            yield layout, (why, "classes before the distances", about)


def _with_scores(seen: _Seen, code: BoxCode, why: str, *, wide: int) -> Hypotheses:
    """Yield layouts of one table whose first `wide` columns are boxes: what the others are."""
    rows = seen.rows[0]
    base = DetectorLayout(seen.tables, (Columns(0, 0, wide),), code, Columns(0, wide, rows.shape[1] - wide))
    last = rows.shape[1]
    if seen.prototypes and last - wide > seen.prototypes:
        last -= seen.prototypes
        base = replace(base, coefficients=Columns(0, last, seen.prototypes))
    landmarks = _landmarks(rows[:, wide:last], seen.centres(0)) if code.decoded else None
    if landmarks is None and code.decoded and (between := _points_between(rows[:, wide:last], seen.centres(0))):
        yield _face(seen, replace(base, scores=Columns(0, wide, 1)), why, last, between)
        return
    if landmarks is not None:
        begin, columns, each = landmarks
        kind, background, about = _scores(rows[:, wide : wide + begin])
        points = Columns(0, wide + begin, columns)
        layout = replace(base, scores=Columns(0, wide, begin), kind=kind, background=background)
        layout = replace(layout, landmarks=points, point_width=each)
        yield layout, (why, about, f"{columns} columns of points that follow the cells")
        return
    if code.name == YOLOV5 and last - wide >= FACE_COLUMNS + 2:
        yield _face(seen, replace(base, scores=Columns(0, wide, 1)), why, last, (FACE_COLUMNS, 2))
    angle = seen.stated.turned or _angle(rows[:, wide:last])
    if not angle and code.decoded and last - wide >= 3 and not seen.stated.classes and _spread(rows[:, wide:last]):
        # An angle from 0 to 1 looks like a score, but is high nearly everywhere.
        rest = rows[:, wide : last - 1]
        kind, background, about = _scores(rest)
        turned = replace(base, scores=Columns(0, wide, last - 1 - wide), angle=Columns(0, last - 1, 1))
        yield replace(turned, kind=kind, background=background), (why, about, "the last column is as high as no score")
    if angle:
        last -= 1
        base = replace(base, angle=Columns(0, last, 1))
    rest = rows[:, wide:last]
    objectness, because = _objectness(rest, seen.tables[0], seen.stated.classes)
    first = wide + objectness
    kind, background, about = _scores(rows[:, first:last])
    if objectness:
        softmax = seen.tables[0].grid is not None and seen.tables[0].grid.per_cell == DARKNET
        kind = SOFTMAX if softmax and kind == SIGMOID else SIGMOID if kind == SOFTMAX and not softmax else kind
        background = NONE
        object_kind = PROBABILITIES if _within(rest[:, :1]) else SIGMOID
        base = replace(base, objectness=Columns(0, wide, 1), objectness_kind=object_kind)
    layout = replace(base, scores=Columns(0, first, last - first), kind=kind, background=background)
    yield layout, (why, because, about, *(("the last column is an angle in radians",) if angle else ()))


def _face(
    seen: _Seen, base: DetectorLayout, why: str, last: int, points: tuple[int, int]
) -> tuple[DetectorLayout, tuple[str, ...]]:
    """Return YOLOv5-face's layout: box, objectness, `points` (columns, and how many each has), classes."""
    columns, each = points
    wide = base.scores.start
    first = wide + 1 + columns
    kind, _, about = _scores(seen.rows[0][:, first:last])
    object_kind = PROBABILITIES if _within(seen.rows[0][:, wide : wide + 1]) else SIGMOID
    layout = replace(base, scores=Columns(0, first, last - first), kind=SIGMOID if kind == SOFTMAX else kind)
    layout = replace(layout, objectness=Columns(0, wide, 1), objectness_kind=object_kind)
    layout = replace(layout, landmarks=Columns(0, wide + 1, columns), point_width=each)
    words = f"{columns} columns of {columns // each} points between objectness and classes (YOLOv5-face)"
    return layout, (why, about, words)


def _several_tables(seen: _Seen) -> Hypotheses:
    """Yield layouts of tables of which one holds boxes and others scores, objectness or points."""
    widths = [rows.shape[1] for rows in seen.rows]
    twos = [place for place, width in enumerate(widths) if width == 2]
    grid = seen.tables[0].grid
    assert grid is not None
    if len(twos) >= 2 and len(grid.strides) == 1:
        yield from _heat_maps(seen, twos)
    for place, width in enumerate(widths):
        codes: list[tuple[BoxCode, str]] = []
        if width == 4:
            decoded = _decoded(seen.rows[place], seen.centres(place))
            codes = [decoded] if decoded else list(_raw(seen.tables[place]))
        for bins in BINS:
            if width == 4 * bins:
                codes.append(
                    (BoxCode(DISTRIBUTION, STRIDES, bins=bins), f"distances as distributions over {bins} bins")
                )
        if codes:
            yield from _with_tables(seen, place, codes)


def _with_tables(seen: _Seen, place: int, codes: list[tuple[BoxCode, str]]) -> Hypotheses:
    """Yield layouts whose boxes are table `place`: of the others one or two are scores, one may be of points."""
    others = [number for number in range(len(seen.rows)) if number != place]
    widths = [rows.shape[1] for rows in seen.rows]
    ones = [number for number in others if widths[number] == 1]
    for code, why in codes:
        for scores in others:
            rest = [number for number in others if number != scores]
            objectness = next((number for number in ones if number != scores), None)
            if scores in ones and objectness is not None and objectness < scores:
                continue  # the same two the other way round
            if widths[scores] == FACE_COLUMNS and _like_points(seen.rows[scores]):
                continue
            points = next((number for number in rest if number != objectness and widths[number] % 2 == 0), None)
            if len(rest) - (objectness is not None) - (points is not None):
                continue
            kind, background, about = _scores(seen.rows[scores])
            layout = DetectorLayout(
                seen.tables,
                (Columns(place, 0, widths[place]),),
                code,
                Columns(scores, 0, widths[scores]),
                kind,
                background,
                landmarks=Columns(points, 0, widths[points]) if points is not None else None,
            )
            if objectness is not None:
                layout = replace(
                    layout,
                    objectness=Columns(objectness, 0, 1),
                    objectness_kind=PROBABILITIES if _within(seen.rows[objectness]) else SIGMOID,
                    combine=ROOT if widths[scores] == 1 else PRODUCT,
                )
            yield layout, (why, about)


def _like_points(columns: Tensor) -> bool:
    """Return whether ten columns are distances to five points, which have both signs, rather than scores of classes."""
    negative = float((columns < 0).float().mean())
    return not _within(columns) and 0.1 < negative < 0.9


def _heat_maps(seen: _Seen, twos: list[int]) -> Hypotheses:
    """Yield layouts of heat maps with offsets and sizes: CenterNet's and CenterFace's."""
    widths = [rows.shape[1] for rows in seen.rows]
    for scores in range(len(widths)):
        if scores in twos[:2] and len(twos) < 3:
            continue
        pair = [number for number in twos if number != scores][:2]
        kind = PROBABILITIES if _within(seen.rows[scores]) else SIGMOID
        points = next((n for n, width in enumerate(widths) if n not in (scores, *pair) and width >= 4), None)
        for offset, extent in (pair, pair[::-1]):
            for code in (CENTERNET, CENTERFACE):
                layout = DetectorLayout(
                    seen.tables,
                    (Columns(offset, 0, 2), Columns(extent, 0, 2)),
                    BoxCode(code),
                    Columns(scores, 0, widths[scores]),
                    kind,
                    peaks=True,
                    landmarks=Columns(points, 0, widths[points]) if points is not None else None,
                )
                yield layout, ("a heat map of centres with offsets and sizes",)


def _decoded(columns: Tensor, centres: Tensor) -> tuple[BoxCode, str] | None:
    """Return the code of columns (P * R, 4) that hold boxes already, by their correlation with the cells' centres."""
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


def _raw(table: Table) -> Iterator[tuple[BoxCode, str]]:
    """Yield the codes that rows may need when they hold no boxes yet."""
    grid = table.grid
    assert grid is not None
    if grid.per_cell == 1:
        yield BoxCode(YOLOX), "centre and logarithm of the size, both in strides (YOLOX)"
        yield BoxCode(DISTANCES, STRIDES), "distances to the four sides in strides (FCOS)"
        if table.grid is not None and table.grid.strides == (8, 16, 32):
            yield BoxCode(DISTANCES, PIXELS, cell=0.0), "distances to the four sides in pixels, from corners (RTMDet)"
        yield BoxCode(DISTANCES, PIXELS), "distances to the four sides in pixels (FCOS)"
    if grid.per_cell == 2:
        yield BoxCode(DISTANCES, STRIDES, cell=0.0), "distances in strides, two anchors a cell (SCRFD)"
    for name, levels in ANCHORS.items():
        if len(levels) == len(grid.strides) and all(len(level) == grid.per_cell for level in levels):
            if grid.per_cell == DARKNET:
                yield BoxCode(YOLOV3, anchors=name), f"exponentials around the anchors of {name} (YOLOv2)"
                continue
            larger = "; those of yolov7, a fifth larger, agree as well: judge by the boxes' size" * (name == "yolov5")
            yield BoxCode(YOLOV5, anchors=name), f"sigmoids around the anchors of {name} (YOLOv5 and 7){larger}"
            yield BoxCode(YOLOV3, anchors=name), f"exponentials around the anchors of {name} (YOLOv3 and 4){larger}"


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
    if grid is not None and grid.per_cell in (3, DARKNET) and grid.order == ANCHOR_FIRST:
        return True, f"{'three' if grid.per_cell == 3 else 'five'} anchors a cell, whose rows have objectness"
    low = first <= first.median()
    best = float(values[low, 1:].max(1).values.median())
    own = float(first[low].median())
    if best > OBJECTNESS_LEAST and best > OBJECTNESS_RATIO * own:
        return True, f"where the first column is low ({own:.1g}) the others stay high ({best:.2f}): objectness"
    return False, "no column stands out as objectness"


def _scores(columns: Tensor) -> tuple[str, str, str]:
    """Return what scores (R, C) are, where their background is, and why."""
    kind, background = score_kind(columns, most=MOST_PROBABILITY)
    words = f"{columns.shape[1]} {PROBABILITIES if kind == PROBABILITIES else 'logits'}"
    if background != NONE:
        words += f", the {background} wins nearly everywhere: no object"
    return kind, background, words


def _landmarks(rest: Tensor, centres: Tensor) -> tuple[int, int, int] | None:
    """Return where columns of points begin, how many there are, and how many each has: x, y follow the cells."""
    follows = [
        max(_correlation(rest[:, i], centres[:, 0]), _correlation(rest[:, i], centres[:, 1])) > LEAST_CORRELATION
        for i in range(rest.shape[1])
    ]
    if True not in follows:
        return None
    begin = follows.index(True)
    columns = rest.shape[1] - begin
    points = sum(follows)
    if begin < 1 or points < 2 or columns not in (points, points * 3 // 2):
        return None
    return begin, columns, 2 if columns == points else 3


def _points_between(rest: Tensor, centres: Tensor) -> tuple[int, int] | None:
    """Return how many columns hold points and how many each has, where they lie between objectness and classes."""
    count = rest.shape[1]
    along = [
        tuple(_correlation(rest[:, i], centres[:, axis]) > LEAST_CORRELATION for axis in (0, 1)) for i in range(count)
    ]
    for each in (2, 3):
        points = 0
        while 1 + each * (points + 1) <= count and along[1 + each * points][0] and along[2 + each * points][1]:
            points += 1
        if points >= 2 and 1 + each * points < count and not any(along[0]):
            return each * points, each
    return None


def _angle(rest: Tensor) -> bool:
    """Tell whether the last column is an angle in radians: it leaves 0 to 1 while all others stay in it."""
    if rest.shape[1] < 2 or not _within(rest[:, :-1]):
        return False
    last = rest[:, -1]
    return bool(last.abs().max() <= 3.15 and not _within(rest[:, -1:]))


def _spread(rest: Tensor) -> bool:
    """Tell whether the last of the columns is high nearly everywhere while the others are low, as an angle is."""
    if not _within(rest):
        return False
    middle = rest.median(0).values
    return float(middle[-1]) > FAR and float(middle[:-1].max()) < LOW


def _prototypes(outputs: Outputs, size: tuple[int, int]) -> int:
    """Return how many mask prototypes (1, K, h / 4, w / 4) there are, 0 where there are none."""
    for _, tensor in outputs:
        if tensor.ndim == 4 and tensor.shape[1] == COEFFICIENTS and tensor.shape[2:] == (size[0] // 4, size[1] // 4):
            return int(tensor.shape[1])
    return 0


def _within(values: Tensor) -> bool:
    return bool((values >= 0).all() and (values <= MOST_PROBABILITY).all())


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    norm = float(a.norm() * b.norm())
    return float(a @ b) / norm if norm > 0 else 0.0
