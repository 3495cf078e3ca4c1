"""The caption of a figure: model, method, target, layer, scale, picture and date in one sentence each."""

from __future__ import annotations

import datetime

from models import model_name, quantity
from models.requests import Request
from models.types import Result
from viewer.presenters import heatmap
from viewer.presenters.attribution import BOX, number
from viewer.session.document import Look
from viewer.session.lookup import class_name, name_of, row_of


def caption(request: Request, result: Result, look: Look, *, found: Result | None, date: datetime.date) -> str:
    """Return a figure's caption; `found` are the detections on the picture, to name the box that is explained."""
    model, meta = model_name.title(request.model), result.meta
    picture = request.source.name if request.source is not None else "generated"
    said = [f"{_what(request, result, found)}, by {model}."]
    if meta.get("kind") == "attribution":
        low, high, _ = heatmap.range_of(result.arrays["map"], look)
        how = f"locked at {number(look.scale)}" if look.scale > 0 else f"the {look.clip:g} % percentile of their size"
        said.append(f"Colours from {number(low)} to {number(high)}: {how}.")
    return " ".join([*said, f"Picture {picture}. {date.isoformat()}."])


def _what(request: Request, result: Result, found: Result | None) -> str:
    """Return what a result is of, as the beginning of a sentence."""
    meta, arrays = result.meta, result.arrays
    if meta.get("kind") == "attribution":
        target = str(meta["target"])
        box = BOX.search(target)
        row = row_of(found, int(box[1])) if box is not None and found is not None else -1
        if found is not None and row >= 0:
            x0, y0, x1, y1 = (round(float(v)) for v in found.arrays["boxes"][row])
            score = float(found.arrays["scores"][row])
            target = f"{name_of(found, row)} {score:.2f} at x {x0} to {x1}, y {y0} to {y1}"
        layer = f", layer {meta['layer']}" if meta.get("layer") else ""
        return f"{meta['method']} for {target}{layer}"
    if request.inspection == "classify":
        label, value = int(arrays["labels"][0]), float(quantity.numbers(result)[0])
        return f"{class_name(result, label)} {quantity.short(value, quantity.of(result))}"
    if request.inspection == "detect":
        count, score = len(arrays["boxes"]), meta.get("parameters", {}).get("score")
        above = f" with a score of at least {score:g}" if isinstance(score, int | float) else ""
        return f"{count:,} detection{'' if count == 1 else 's'}{above}"
    return request.inspection.capitalize()
