"""Classify: what a classifier takes the picture for.

Arrays of the Result: `labels` (K,), `scores` (K,) before the softmax and `probabilities` (K,) of the best classes, best
first. `meta["classes"]` are all names, `meta["extent"]` is where the network's input lies in pixels of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.inspection import Inspection
from models.params import param
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params:
    """How many classes."""

    top: int = param(5, "Best classes", "How many of the best classes are told.", low=1, high=1000, step=1)


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the best classes of `pixels` (H, W, 3) uint8 RGB. Raises Refusal when the output is not a number."""
    logits = model.logits(pixels, stages).astype(np.float64)
    if not np.isfinite(logits).all():
        raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")
    chances = np.exp(logits - logits.max())
    chances /= chances.sum()
    best = np.argsort(-logits, kind="stable")[: params.top]
    arrays = {"labels": best, "scores": logits[best], "probabilities": chances[best]}
    subject = model.subject(pixels, stages)
    return Result(arrays, {"classes": model.card.classes, "extent": subject.extent, "input": subject.size})


INSPECTION = Inspection(
    id="classify",
    title="Classification",
    help="The classes that the picture is taken for, with their probabilities.",
    needs=("Classifies",),
    params=Params,
    answer=answer,
)
