"""Heat-map detection as layers and as rows of a table: the map, peaks, silenced cells, offsets, boxes, corners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.types import Result
from viewer.canvas.layers import MISSED, WRONG, Boxes, Heat, Layer, Links, Points
from viewer.engine_texts import shown
from viewer.translation import tr

CORNERS = "corners"
BOXES, FAINT = "peak boxes", 0.45
RING_PX, KILLED_PX, CORNER_PX = 6.0, 2.0, 5.0
NEAR = 0.5  # embeddings that differ by less are painted in one colour
Rows = list[tuple[str, ...]]


def layers(result: Result, *, row: int = -1, heat: bool = True) -> list[Layer]:
    """Return the layers of a result; `row` of its table is marked."""
    values = result.arrays["heat"]
    high = float(np.nanmax(values)) if values.size else 0.0
    found: list[Layer] = []
    if heat:
        found.append(Heat("peaks heat", values, result.meta["extent"], 0.0, max(high, 1e-6), opacity=0.7, fade=True))
    if result.meta["what"] == CORNERS:
        return [*found, *_corners(result, row)]
    arrays = result.arrays
    offsets = np.concatenate([arrays["peaks"], arrays["centres"]], 1)
    labels = arrays["labels"]
    return [
        *found,
        Points("killed", arrays["killed"], _all(arrays["killed"], MISSED), KILLED_PX, opacity=FAINT),
        boxes_layer(result, selected=row),
        Links("offsets", offsets, labels),
        Points("surviving", arrays["peaks"], labels, RING_PX, hollow=True),
    ]


def boxes_layer(result: Result, *, selected: int = -1) -> Boxes:
    """Return the boxes with their classes and scores."""
    arrays, names = result.arrays, result.meta["classes"]
    pairs = zip(arrays["labels"].tolist(), arrays["scores"].tolist(), strict=True)
    texts = [f"{_name(names, label)} {score:.2f}" for label, score in pairs]
    return Boxes(BOXES, arrays["boxes"], arrays["labels"], texts, selected=selected, hoverable=False)


def titles(result: Result) -> tuple[str, ...]:
    """Return the titles of the table's columns."""
    if result.meta["what"] == CORNERS:
        return (tr("Pair"), tr("Score"), tr("Distance"), tr("Outcome"))
    return (tr("Peak"), tr("Score"), tr("Radius, published"), tr("Radius, corrected"))


def rows(result: Result) -> Rows:
    """Return the peaks, or the pairs of corners with why they are refused, as texts."""
    arrays, names = result.arrays, result.meta["classes"]
    if result.meta["what"] == CORNERS:
        made: Rows = []
        columns = (arrays["pairs"], arrays["pair_scores"], arrays["distances"], arrays["reasons"])
        for (first, second), score, distance, reason in zip(*(each.tolist() for each in columns), strict=True):
            one, other = (
                _name(names, int(arrays[f"{kind}_labels"][at])) for kind, at in (("first", first), ("second", second))
            )
            words = shown(str(result.meta["reasons"][reason]))
            made.append((f"{one} – {other}", f"{score:.2f}", f"{distance:.2f}", words))
        return made
    columns = (arrays["labels"], arrays["scores"], arrays["radius_published"], arrays["radius_corrected"])
    return [
        (_name(names, label), f"{score:.3f}", f"{published:.2f}", f"{corrected:.2f}")
        for label, score, published, corrected in zip(*(each.tolist() for each in columns), strict=True)
    ]


def _corners(result: Result, row: int) -> list[Layer]:
    arrays = result.arrays
    groups = _groups(np.concatenate([arrays["first_tags"], arrays["second_tags"]]))
    first, second = groups[: len(arrays["first"])], groups[len(arrays["first"]) :]
    pairs, refused = arrays["pairs"], arrays["reasons"] != 0
    lines = np.concatenate([arrays["first"][pairs[:, 0]], arrays["second"][pairs[:, 1]]], 1).astype(np.float32)
    found: list[Layer] = [boxes_layer(result)]
    found.append(Links("paired", lines[~refused], first[pairs[~refused, 0]]))
    if 0 <= row < len(pairs):
        colour = _all(lines[:1], WRONG if refused[row] else int(first[pairs[row, 0]]))
        found.append(Links("chosen pair", lines[row : row + 1], colour, dashed=bool(refused[row]), width=3.0))
    found.append(Points("upper left", arrays["first"], first, CORNER_PX))
    found.append(Points("lower right", arrays["second"], second, CORNER_PX, hollow=True))
    return found


def _groups(tags: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a number for each embedding (N,), the same for those that lie near each other."""
    order = np.argsort(tags, kind="stable")
    step = np.diff(tags[order], prepend=tags[order][:1]) > NEAR
    found = np.zeros(len(tags), np.int64)
    found[order] = np.cumsum(step)
    return found


def _all(values: NDArray[np.generic], colour: int) -> NDArray[np.int64]:
    return np.full(len(values), colour, np.int64)


def _name(names: tuple[str, ...], label: int) -> str:
    return names[label] if label < len(names) else tr("class {label}", label=label)
