"""The colours of a map's points: by class, prediction, right or wrong, or any column of numbers, with their legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from models.types import Result
from viewer import theme
from viewer.translation import tr

LABEL, PREDICTION, RIGHT, CONFIDENCE, KEPT = "label", "prediction", "right", "confidence", "kept"
COLUMN = "column."
UNKNOWN = -1
MOST_NAMED = 12  # classes in the legend
TITLES = {
    LABEL: tr("Class"),
    PREDICTION: tr("Prediction"),
    RIGHT: tr("Right or wrong"),
    CONFIDENCE: tr("Confidence"),
    KEPT: tr("True neighbours kept"),
}


@dataclass(frozen=True)
class Coloured:
    """The colours (N,) 0xffRRGGBB of points. Either `names`, each with its colour, or the `ends` of a colour bar."""

    colours: NDArray[np.uint32]
    names: tuple[tuple[str, QColor], ...] = ()
    further: int = 0  # classes that are not named
    ends: tuple[float, float] | None = None


def choices(result: Result) -> list[tuple[str, str]]:
    """Return by what the points can be coloured: titles and keys, the likeliest first."""
    arrays = result.arrays
    there = {
        LABEL: bool((arrays["label"] >= 0).any()),
        PREDICTION: bool((arrays["prediction"] >= 0).any()),
        RIGHT: bool((arrays["right"] >= 0).any()),
        CONFIDENCE: bool((arrays["prediction"] >= 0).any()),
        KEPT: bool((arrays["kept"] >= 0).any()),
    }
    found = [(TITLES[key], key) for key, known in there.items() if known]
    columns = [name for name in arrays if name.startswith(COLUMN) and len(np.unique(arrays[name])) > 1]
    return [*found, *((name.removeprefix(COLUMN), name) for name in columns)]


def coloured(result: Result, key: str) -> Coloured:
    """Return the points' colours by one of the choices; all alike where there is none."""
    arrays, now = result.arrays, theme.colours()
    if key not in arrays:
        return Coloured(np.full(len(arrays["rows"]), now.accent.rgba(), np.uint32))
    values = arrays[key]
    if key == RIGHT:
        kinds = ((1, tr("Right"), now.success), (0, tr("Wrong"), now.error), (UNKNOWN, tr("Unknown"), now.muted))
        return _named(values, {row: (name, colour) for row, name, colour in kinds})
    if key in (LABEL, PREDICTION):
        names = result.meta["set_classes" if key == LABEL else "classes"]
        return _named(values, _classes(values, names, result.meta))
    return _numbers(values, low=None if key.startswith(COLUMN) else 0.0)


def _classes(values: NDArray[Any], names: Sequence[str], meta: Mapping[str, Any]) -> dict[int, tuple[str, QColor]]:
    """Return names and colours of the rows that occur, the commonest first; a class has its colour in every panel."""
    rows, counts = np.unique(values, return_counts=True)
    model: dict[str, int] = {name: row for row, name in enumerate(meta["classes"])}
    found = {}
    for row in (int(each) for each in rows[np.argsort(-counts, kind="stable")]):
        if 0 <= row < len(names):
            found[row] = names[row], theme.class_colour(model.get(names[row], row))
    if UNKNOWN in rows:
        found[UNKNOWN] = tr("Unknown"), theme.colours().muted
    return found


def _named(values: NDArray[Any], kinds: Mapping[int, tuple[str, QColor]]) -> Coloured:
    colours = np.full(len(values), theme.colours().muted.rgba(), np.uint32)
    there = set(np.unique(values).tolist())
    for row, (_, colour) in kinds.items():
        colours[values == row] = colour.rgba()
    named = [kind for row, kind in kinds.items() if row in there]
    return Coloured(colours, tuple(named[:MOST_NAMED]), max(0, len(named) - MOST_NAMED))


def _numbers(values: NDArray[Any], *, low: float | None) -> Coloured:
    """Return the colours of numbers from the least to the largest; -1 is unknown, and grey."""
    known = values != UNKNOWN
    if not known.any():
        return Coloured(np.full(len(values), theme.colours().muted.rgba(), np.uint32))
    least, most = float(values[known].min()) if low is None else low, float(values[known].max())
    part = (values - least) / max(most - least, 1e-12)
    table = theme.heat_lut("viridis").astype(np.uint32)
    packed = 0xFF000000 | table[:, 0] << 16 | table[:, 1] << 8 | table[:, 2]
    colours = packed[(np.clip(np.nan_to_num(part), 0, 1) * (len(packed) - 1)).astype(np.int64)].astype(np.uint32)
    colours[~known] = theme.colours().muted.rgba()
    return Coloured(colours, ends=(least, most))
