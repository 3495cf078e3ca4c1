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
from viewer.translation import tr, trn


def caption(
    request: Request, result: Result, look: Look, *, found: Result | None, date: datetime.date, title: str = ""
) -> str:
    """Return a figure's caption; `found` are the detections on the picture, to name the box that is explained.

    `title` is that of the inspection, for an answer that is described by nothing else.
    """
    model, meta = model_name.title(request.model), result.meta
    picture = request.source.name if request.source is not None else tr("generated")
    said = [tr("{what}, by {model}.", what=_what(request, result, found) or title or request.inspection, model=model)]
    if meta.get("kind") == "attribution" and "target" in meta:
        low, high, _ = heatmap.range_of(result.arrays["map"], look)
        how = (
            tr("locked at {scale}", scale=number(look.scale))
            if look.scale > 0
            else tr("the {clip:g} % percentile of their size", clip=look.clip)
        )
        said.append(tr("Colours from {low} to {high}: {how}.", low=number(low), high=number(high), how=how))
    return " ".join([*said, tr("Picture {picture}. {date}.", picture=picture, date=date.isoformat())])


def _what(request: Request, result: Result, found: Result | None) -> str:
    """Return what a result is of, as the beginning of a sentence, "" where its inspection's title says it."""
    meta, arrays = result.meta, result.arrays
    if meta.get("kind") == "attribution" and "target" in meta:
        target = str(meta["target"])
        box = BOX.search(target)
        row = row_of(found, int(box[1])) if box is not None and found is not None else -1
        if found is not None and row >= 0:
            x0, y0, x1, y1 = (round(float(v)) for v in found.arrays["boxes"][row])
            score = float(found.arrays["scores"][row])
            target = tr(
                "{name_of} {score:.2f} at x {x0} to {x1}, y {y0} to {y1}",
                name_of=name_of(found, row),
                score=score,
                x0=x0,
                x1=x1,
                y0=y0,
                y1=y1,
            )
        layer = tr(", layer {layer}", layer=meta["layer"]) if meta.get("layer") else ""
        return tr("{method} for {target}{layer}", method=meta["method"], target=target, layer=layer)
    if request.inspection == "classify":
        label, value = int(arrays["labels"][0]), float(quantity.numbers(result)[0])
        return f"{class_name(result, label)} {quantity.short(value, quantity.of(result))}"
    if request.inspection == "detect":
        count, score = len(arrays["boxes"]), meta.get("parameters", {}).get("score")
        if not isinstance(score, int | float):
            return trn("{n:,} detection", "{n:,} detections", count)
        return trn(
            "{n:,} detection with a score of at least {score:g}",
            "{n:,} detections with a score of at least {score:g}",
            count,
            score=score,
        )
    return ""
