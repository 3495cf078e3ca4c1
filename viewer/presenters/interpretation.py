"""What a network's outputs are taken for, as layers, words and names of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models import model_name
from models.types import Pixels, Result
from viewer.canvas.layers import Boxes, Heat, Labels, Layer, Points, Skeletons
from viewer.presenters import detections
from viewer.translation import tr

INSPECTION = "interpretation"
NAME = "interpretation"
READING, PREPARATION = "reading", "preparation"
MOST_LABELLED = 6
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """One alternative: a `title`, what it `finds` on the picture, the `assume`d choices of it, and why, in `tip`.

    `layers` are drawn over the picture, `over` (h, w, 3) uint8 with its `extent` is a picture drawn in its place.
    """

    key: str
    title: str
    finds: str
    tip: str
    assume: tuple[tuple[str, str], ...]
    chosen: bool
    layers: tuple[Layer, ...] = ()
    over: Pixels | None = None
    extent: tuple[float, float, float, float] | None = None


def choices(result: Result, kind: str) -> list[Choice]:
    """Return the readings or the preparations of a result, the likeliest first."""
    rows: Sequence[Row] = result.meta["readings" if kind == READING else "preparations"]
    return [_choice(result, row, f"{kind} {place}") for place, row in enumerate(rows)]


def _choice(result: Result, row: Row, key: str) -> Choice:
    parts = [str(row.get("kind_title", "")), *map(str, row.get("evidence", ()))]
    tip = "\n".join(part for part in (str(row["title"]), str(row["finds"]), *parts) if part)
    found = Choice(key, str(row["title"]), str(row["finds"]), tip, pairs(row["assume"]), bool(row["chosen"]))
    arrays = {name: result.arrays[array] for name, array in row["arrays"].items()}
    if row["shows"] == "picture":
        return Choice(**{**found.__dict__, "over": arrays["picture"], "extent": tuple(result.meta["extent"])})
    return Choice(**{**found.__dict__, "layers": tuple(_layers(str(row["shows"]), arrays, result.meta))})


def pairs(assume: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return assumptions as pairs of texts."""
    return tuple((str(key), str(value)) for key, value in assume.items())


def _layers(shows: str, arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> list[Layer]:
    """Return what is drawn over the picture for a kind of finding; [] for one that is only told."""
    x0, y0, x1, y1 = (float(v) for v in meta["extent"])
    extent = (x0, y0, x1, y1)
    found: list[Layer] = []
    match shows:
        case "boxes":
            return _boxes(arrays, meta["classes"])
        case "points":
            points = arrays["points"]
            found = [Points(f"{NAME} points", points[:, :2], np.arange(len(points)) % 8, radius=3.0)]
        case "labels":
            labels = arrays["labels"]
            names = [str(number) for number in range(int(labels.max(initial=0)) + 1)]
            found = [Labels(f"{NAME} labels", labels, np.ones(labels.shape, np.float32), extent, names)]
        case "map":
            values = arrays["map"]
            low, high = float(values.min()), float(values.max())
            found = [Heat(f"{NAME} map", values, extent, low, max(high, low + 1e-9), opacity=0.85)]
    return found


def _boxes(arrays: Mapping[str, Any], classes: Sequence[str]) -> list[Layer]:
    labels, scores = arrays["labels"], arrays["scores"]
    names = [classes[k] if k < len(classes) else tr("class {k}", k=k) for k in labels.tolist()]
    texts = [f"{name} {score:.2f}" for name, score in zip(names, scores.tolist(), strict=True)]
    angles = arrays.get("angles")
    corners = detections.oriented(arrays["boxes"], angles) if angles is not None and len(angles) else None
    few = len(texts) <= MOST_LABELLED
    found: list[Layer] = [Boxes(f"{NAME} boxes", arrays["boxes"], labels, texts, labelled=few, corners=corners)]
    if "points" in arrays and len(arrays["points"]):
        points = arrays["points"]
        found.append(Skeletons(f"{NAME} points", points[..., :2], np.zeros(points.shape[:2], bool), radius=2.0))
    return found


def flipped(model: str, choice: Choice, drops: Sequence[str]) -> str:
    """Return the full name of a model under another choice; `drops` are left out where the reading changes."""
    base, given = model_name.split(model)
    assume = dict(choice.assume)
    kept = {key: value for key, value in given.items() if READING not in assume or key not in drops}
    return model_name.join(base, {**kept, **assume})


def headline(result: Result) -> str:
    """Return what the outputs are taken for, with how well that fits."""
    row = next((row for row in result.meta["readings"] if row["chosen"]), None)
    if row is None:
        return tr("Its outputs have no recognised meaning.")
    return tr(
        "{title}\n{kind_title!s}; fits by {fit:.2f} of 1",
        title=row["title"],
        kind_title=row["kind_title"],
        fit=row["fit"],
    )


def evidence(result: Result) -> str:
    """Return why, a line for each sentence."""
    row = next((row for row in result.meta["readings"] if row["chosen"]), None)
    return "\n".join(f"• {sentence}" for sentence in row["evidence"]) if row else ""


def input_line(result: Result) -> str:
    """Return how pictures reach the network, in a line."""
    network_input = result.meta["input"]
    way = network_input["preprocessing"]
    size = f"{network_input['width']:,} × {network_input['height']:,} px"
    colours = "grey" if network_input["channels"] == 1 else str(way.get("order", "rgb")).upper()
    mean, std = (", ".join(f"{float(v):g}" for v in way.get(name, ())) for name in ("mean", "std"))
    top = float(way.get("range", 1.0))
    line = tr(
        "Input {size}, {colours}, values 0 to {top:g}, minus {mean}, over {std}",
        size=size,
        colours=colours,
        top=top,
        mean=mean,
        std=std,
    )
    return "\n".join(part for part in (line, str(network_input.get("filled", ""))) if part)


def output_line(row: Row) -> tuple[str, str]:
    """Return an output's name and, below it, its shape, type and range."""
    shape = " × ".join(f"{n:,}" for n in row["shape"])
    if not row["finite"]:
        return str(row["name"]), tr(
            "{shape}, {dtype}, has numbers that are not finite", shape=shape, dtype=row["dtype"]
        )
    return str(row["name"]), tr(
        "{shape}, {dtype}, {low:.4g} to {high:.4g}, mean {mean:.3g}",
        shape=shape,
        dtype=row["dtype"],
        low=row["low"],
        high=row["high"],
        mean=row["mean"],
    )


def as_text(result: Result) -> str:
    """Return everything as text for the clipboard."""
    lines = [headline(result), evidence(result), input_line(result), "", tr("Outputs")]
    lines += ["\t".join(output_line(row)) for row in result.meta["outputs"]]
    for title, kind in ((tr("Readings"), READING), (tr("Preparations"), PREPARATION)):
        rows = choices(result, kind)
        if rows:
            lines += ["", title]
            lines += [f"{'* ' if row.chosen else '  '}{row.title}\t{row.finds}" for row in rows]
    return "\n".join(lines) + "\n"
