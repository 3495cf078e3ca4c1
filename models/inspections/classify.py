"""Classify: the best classes of the image, or the values of a regression.

Arrays of the Result, best class first: `labels` (K,), `scores` (K,) before softmax or sigmoid, `probabilities` (K,).
For a regression `scores` are the values in the network's order, and there are no probabilities. Meta: `classes` all
names, `extent` of the network's input in pixels of the image, `quantity` (what the numbers are), `head` and `evidence`
(how the network's output is interpreted and why), `distribution` (whether the probabilities sum to 1), `readings`
(what the answer would be under each way to scale values, where that is assumed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inspection import Inspection
from models.loading.heads import SUM_OFF, Head
from models.params import param
from models.quantity import VALUE
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params:
    """The number of classes to return."""

    top: int = param(5, "Best classes", "How many of the best classes are listed.", low=1, high=1000, step=1)


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the best classes of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for a NaN or infinite output."""
    logits = model.logits(pixels, stages).astype(np.float64)
    if not np.isfinite(logits).all():
        raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")
    subject, head = model.subject(pixels, stages), getattr(model, "head", None) or Head()
    meta = {"classes": model.card.classes, "extent": subject.extent, "input": subject.size}
    meta |= {"quantity": head.quantity, "head": head.kind, "evidence": head.evidence}
    meta |= _readings(model, pixels, stages, subject.link, plain=head.quantity == VALUE)
    if head.quantity == VALUE:
        shown = np.arange(min(len(logits), params.top))
        return Result({"labels": shown, "scores": logits[shown]}, meta)
    best = np.argsort(-logits, kind="stable")[: params.top]
    chances = _probabilities(logits, subject.link)
    arrays = {"labels": best, "scores": logits[best], "probabilities": chances[best]}
    return Result(arrays, {**meta, "distribution": head.distribution and abs(float(chances.sum()) - 1) < SUM_OFF})


def _readings(model: Any, pixels: Pixels, stages: Any, link: str, *, plain: bool) -> dict[str, Any]:
    """Return as `readings` what the network would answer under each way to scale values, where one is assumed."""
    if not hasattr(model, "readings"):
        return {}
    assumed, found = model.card.about.get("assumptions", {}), []
    for (name, order), scores in model.readings(pixels, stages).items():
        if not np.isfinite(scores).all():
            continue
        best = 0 if plain else int(scores.argmax())
        row: dict[str, Any] = {"input": name, "colours": order, "title": assumed["input"]["titles"][name]}
        row |= {"label": best, "class": model.card.classes[best], "score": float(scores[best])}
        with np.errstate(over="ignore"):
            chance = float(_probabilities(scores.astype(np.float64), link)[best])
        row["probability"] = None if plain or chance > 1 + SUM_OFF else chance  # what exceeds 1 is no probability
        row["taken"] = (name, order) == (assumed["input"]["value"], model.preprocess.order)
        found.append(row)
    return {"readings": found} if found else {}


def _probabilities(scores: NDArray[np.float64], link: str) -> NDArray[np.float64]:
    """Convert scores (C,) to probabilities (C,); any other link than sigmoid and exp means softmax."""
    match link:
        case "sigmoid":
            return np.asarray(1 / (1 + np.exp(-scores)))
        case "exp":
            return np.exp(scores)
    chances = np.exp(scores - scores.max())
    return chances / chances.sum()


INSPECTION = Inspection(
    id="classify",
    title="Classification",
    help="The classes that the picture is taken for, with their probabilities; of a regression its values.",
    needs=("Classifies",),
    params=Params,
    answer=answer,
)
