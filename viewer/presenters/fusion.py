"""Panoptic fusion as a layer and as rows of tables: the candidates, the pile at a pixel, and PQ by class."""

from __future__ import annotations

import math

import numpy as np

from models.detection.panoptic_fusion import COVERED, EMPTY, LOW, SMALL, TAKEN, UPSNET
from models.types import Result
from viewer.canvas.layers import Labels, Layer, Points
from viewer.translation import tr

LAYER = "fused segments"
Rows = list[tuple[str, ...]]


def layers(result: Result, *, place: tuple[float, float] | None = None, opacity: float = 0.55) -> list[Layer]:
    """Return the segments over the picture, and the pixel that is explained."""
    arrays, meta = result.arrays, result.meta
    more = {"names": meta["names"], "clear": (0,), "opacity": opacity}
    found: list[Layer] = [Labels(LAYER, arrays["labels"], arrays["probability"], meta["extent"], **more)]
    if place is not None and "pixel" in arrays:
        found.append(Points("fused pixel", np.array([place], np.float32), np.zeros(1, np.int64), 6.0, hollow=True))
    return found


def candidates(result: Result) -> Rows:
    """Return every candidate that was there: its name, score, share of the picture, and what became of it."""
    arrays, meta = result.arrays, result.meta
    count = meta["instances"]
    share = {int(label): float(value) for label, value in zip(arrays["classes"], arrays["share"], strict=True)}
    made: Rows = []
    for row, outcome in enumerate(arrays["outcome"].tolist()):
        if row >= count and outcome not in (TAKEN, SMALL):
            continue
        score = f"{arrays['scores'][row]:.2f}" if row < count else ""
        taken = tr("{share:.1%} of the picture", share=share.get(row + 1, 0.0)) if outcome == TAKEN else ""
        made.append((meta["names"][row + 1], score, taken or _why(result, row)))
    return made


def pile(result: Result) -> Rows:
    """Return what each candidate puts into the pile at the pixel, the largest first, and why it won or not."""
    arrays, meta = result.arrays, result.meta
    if "pixel" not in arrays:
        return []
    values, count = arrays["pixel"], meta["instances"]
    row, column = meta["place"]
    winner = int(arrays["labels"][row, column]) - 1
    by_logit = meta["rule"] == UPSNET
    order = [int(r) for r in np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable") if math.isfinite(values[r])]
    if not by_logit:  # instances come by their score, then the classes
        order = sorted(order, key=lambda r: (r >= count, r if r < count else -float(values[r])))
    made: Rows = []
    for each in order:
        if each == len(values) - 1:
            won = bool(arrays["unknown"][row, column])
            name, why = tr("unknown"), tr("wins: no segment") if won else tr("smaller")
        else:
            name = meta["names"][each + 1]
            why = _here(result, each, winner, float(values[each]), by_logit=by_logit)
        made.append((name, f"{float(values[each]):+.2f}", why))
    return made


def quality(result: Result) -> Rows:
    """Return PQ, SQ and RQ of each class with its counts, and their means."""
    arrays, meta = result.arrays, result.meta
    if "pq" not in arrays:
        return []
    tables = [arrays[name].tolist() for name in ("pq", "sq", "rq", "hits", "extra", "lost")]
    made: Rows = [
        (name, f"{pq:.3f}", f"{sq:.3f}", f"{rq:.3f}", str(hits), str(extra), str(lost))
        for name, pq, sq, rq, hits, extra, lost in zip(meta["measured"], *tables, strict=True)
    ]
    means = [f"{float(np.mean(table)) if table else 0.0:.3f}" for table in tables[:3]]
    return [*made, (tr("mean"), *means, "", "", "")]


def _why(result: Result, row: int) -> str:
    """Return in words what became of a candidate."""
    arrays = result.arrays
    outcome = int(arrays["outcome"][row])
    if outcome == COVERED:
        better = result.meta["names"][int(arrays["by"][row]) + 1]
        return tr("left out: {share:.0%} covered, mostly by {name}", share=float(arrays["covered"][row]), name=better)
    words = {
        TAKEN: tr("segment"),
        LOW: tr("score too low"),
        EMPTY: tr("has no pixel of its own"),
        SMALL: tr("too small"),
    }
    return words.get(outcome, "")


def _here(result: Result, row: int, winner: int, value: float, *, by_logit: bool) -> str:
    """Return in words why a candidate won the pixel or did not."""
    outcome = int(result.arrays["outcome"][row])
    if row == winner:
        return tr("wins")
    instance = row < result.meta["instances"]
    if outcome not in (TAKEN,) and instance:
        return _why(result, row)
    if by_logit:
        return _why(result, row) if outcome == SMALL else tr("smaller")
    if instance:
        return tr("outside its mask") if value <= 0 else tr("a better one has the pixel")
    if 0 <= winner < result.meta["instances"]:
        return tr("behind an instance")
    return _why(result, row) if outcome == SMALL else tr("less likely class")
