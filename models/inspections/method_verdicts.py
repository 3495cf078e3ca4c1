"""Verdicts: which attribution methods are valid for this model, image and layer, checked before any of them runs.

Arrays of the Result: `levels` (M,) 2 applies, 1 partly, 0 not at all. `meta["methods"]` are the M methods, a dictionary
each: id, title, group, cite, layered, level and the reason. `meta["automatic"]` is the layer that methods choose by
themselves, `meta["layer"]` the one they use now, "" where none is suitable.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from models.attributions.attribution import Attribution, Verdict
from models.attributions.target import region_of
from models.engine import registry
from models.inspection import Inspection
from models.params import param
from models.subject import Subject
from models.tracing.layers import automatic, call_of
from models.tracing.traced_calls import gradients
from models.types import Pixels, Refusal, Result

LEVELS = ("never", "partial", "applies")


@dataclass(frozen=True)
class Params:
    """What the methods would explain. The class is not a parameter: it changes no verdict."""

    layer: str = param("", "Layer", "A call from the list of layers, by its id; empty chooses the best one.")
    box: int = param(
        -1, "Box", "Which detection, by its id; -1 is the best one.", low=-1, high=2**31 - 1, step=1, needs="Detects"
    )
    region: str = param("", "Region", "x0,y0,x1,y1 in pixels of the picture: an object missed there.", needs="Detects")


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the verdict on every method for `pixels` (H, W, 3) uint8 RGB."""
    methods = registry.all_attributions().values()
    best, layer = "", ""
    try:
        subject = model.subject(pixels, stages, box=params.box, region=region_of(params.region))
        best = automatic(subject, stages)
        verdicts = [_verdict(method, subject, params, stages) for method in methods]
        layer = params.layer or best
    except Refusal as refusal:
        verdicts = [Verdict("never", _text(refusal))] * len(methods)
    listed = [_plain(method, verdict) for method, verdict in zip(methods, verdicts, strict=True)]
    levels = np.array([LEVELS.index(verdict.level) for verdict in verdicts], np.int64)
    return Result({"levels": levels}, {"methods": listed, "automatic": best, "layer": layer})


def _verdict(method: Attribution, subject: Subject, params: Params, stages: Any) -> Verdict:
    """Return a method's own verdict, after checking that its layer has a map of the image."""
    known = {field.name for field in fields(method.params)}
    given = {name: value for name, value in vars(params).items() if name in known}
    allowed: AbstractContextManager[Any] = gradients() if method.gradient else torch.inference_mode()
    with allowed:
        try:
            if method.layered:
                call_of(subject, params.layer, stages, spatial=True)
            return method.verdict(subject, method.params(**given), stages)
        except Refusal as refusal:
            return Verdict("never", _text(refusal))


def _plain(method: Attribution, verdict: Verdict) -> dict[str, Any]:
    about = {"id": method.id, "title": method.title, "group": method.group, "cite": method.cite}
    return {**about, "layered": method.layered, "level": verdict.level, "reason": verdict.reason}


def _text(refusal: Refusal) -> str:
    return f"{refusal} {refusal.advice}".strip()


INSPECTION = Inspection(
    id="verdicts",
    title="Verdicts",
    help="Which attribution methods are valid for this model, picture and layer, and why.",
    needs=("Explains",),
    params=Params,
    answer=answer,
)
