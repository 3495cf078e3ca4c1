"""The audit of key points as layers and as rows of tables: rules, frames, stacks, figures and points."""

from __future__ import annotations

import numpy as np

from models.types import Result
from viewer.canvas.layers import MISSED, TRUTH, WRONG, Heat, Layer, Links, Points, Skeletons
from viewer.engine_texts import shown
from viewer.translation import tr

HEAT, ANNOTATED, FOUND, APART, SECOND = "audited heat", "annotated points", "audited points", "errors", "second peak"
RING_PX, SECOND_PX = 5.0, 7.0
UNKNOWN = -1.0
Rows = list[tuple[str, ...]]


def layers(result: Result, *, point: int = -1, heat: bool = True) -> list[Layer]:
    """Return the found and the annotated points of all figures; of `point` also its heat map and second peak."""
    arrays, meta = result.arrays, result.meta
    found: list[Layer] = []
    points = arrays["points"][meta["rule"]]
    chosen = 0 <= point < points.shape[1]
    if chosen and heat:
        values = np.asarray(arrays["heat"][point], np.float32)
        low, high = float(values.min()), float(values.max())
        extent = tuple(float(v) for v in meta["extent"])
        low = low if meta["logits"] else min(low, 0.0)
        found.append(Heat(HEAT, values, extent, low, max(high, low + 1e-9), opacity=0.7, fade=True))  # type: ignore[arg-type]
    known = arrays["truth"][..., 2] > 0
    texts = [tr("figure {number}", number=number) for number in range(len(points))]
    faint = known & (arrays["errors"][meta["rule"]] < 0)
    names = {"texts": texts, "points": meta["point_names"]}
    found.append(Skeletons(FOUND, points.astype(np.float32), faint, meta["limbs"], **names))
    if known.any():
        truth = arrays["truth"][known][:, :2]
        lines = np.concatenate([truth, points[known]], 1).astype(np.float32)
        found.append(Links(APART, lines, np.full(len(lines), WRONG)))
        found.append(Points(ANNOTATED, truth.astype(np.float32), np.full(len(truth), TRUTH), RING_PX, hollow=True))
    if chosen:
        second = arrays["second_places"][meta["figure"], point][None].astype(np.float32)
        if arrays["second"][meta["figure"], point] > 0:
            found.append(Points(SECOND, second, np.array([MISSED]), SECOND_PX, hollow=True))
    return found


def rules(result: Result) -> Rows:
    """Return each rule with its mean error here, and on maps drawn between cells and on cells."""
    arrays = result.arrays
    columns = zip(arrays["cost"].tolist(), arrays["drawn_between"].tolist(), arrays["drawn_on"].tolist(), strict=True)
    names = zip(result.meta["rules"], columns, strict=True)
    return [(shown(str(name)), *(_px(value) for value in values)) for name, values in names]


def frames(result: Result) -> Rows:
    """Return each frame with its mean error and its median signed error to the right and down."""
    arrays, meta = result.arrays, result.meta
    made: Rows = []
    for row, title in enumerate(meta["frames"]):
        cost = float(arrays["frame_cost"][row])
        x, y = (f"{value:+.2f}" if cost >= 0 else "" for value in arrays["frame_shift"][row].tolist())
        mark = " ✓" if row == meta["found_frame"] and meta["sure"] else ""
        made.append((f"{title}{mark}", _px(cost), x, y))
    return made


def stacks(result: Result) -> Rows:
    """Return each stack with its mean error and mean peak."""
    pairs = zip(result.arrays["stack_cost"].tolist(), result.arrays["stack_peak"].tolist(), strict=True)
    return [(str(row), _px(cost), f"{peak:.2f}") for row, (cost, peak) in enumerate(pairs)]


def figures(result: Result) -> Rows:
    """Return each figure with the number of its annotated points, its mean error and its OKS."""
    arrays, rule = result.arrays, result.meta["rule"]
    made: Rows = []
    for row, truth in enumerate(arrays["truth"]):
        errors = arrays["errors"][rule, row]
        known = errors[errors >= 0]
        cost = _px(float(known.mean()) if len(known) else UNKNOWN)
        oks = float(arrays["oks"][row])
        made.append((str(row), str(int((truth[:, 2] > 0).sum())), cost, f"{oks:.3f}" if oks >= 0 else ""))
    return made


def points(result: Result) -> Rows:
    """Return the points of the chosen figure: error, peak, and the second peak as a share of the first."""
    arrays, meta = result.arrays, result.meta
    at = meta["figure"]
    columns = (arrays["errors"][meta["rule"], at], arrays["peaks"][at], arrays["second"][at])
    rows = zip(meta["point_names"], *(each.tolist() for each in columns), strict=True)
    return [(str(name), _px(error), f"{peak:.2f}", f"{second:.0%}") for name, error, peak, second in rows]


def _px(value: float) -> str:
    return f"{value:.2f}" if value >= 0 else ""
