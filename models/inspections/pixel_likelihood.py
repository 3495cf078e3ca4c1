"""Likelihood: -log2 p of each pixel of a picture given those before it, in one pass, and what the model expected.

Arrays of the Result: `bits` (H, W) float32 of each pixel, summed over its colours; `entropy` (H, W), the bits that the
model expected there; `map`, the one of both that is `shown`; `picture` (H, W, 3) uint8, the picture as the model got
it; `values` (C, H, W) its values and `probabilities` (K, C, H, W) float32 what the model gives each level. Meta: `nats`
and `bits`, the sums of -log p; `bits_per_value`; `expected`, the sum of the entropies in bits; `levels`, `order` in
words; `note`, how the picture was changed; `extent`, where the maps lie in pixels of the picture; `surprising`, the row
and column of the largest bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.attributions.attribution import KIND
from models.inspection import Inspection
from models.likelihood.pixel_model import chosen, log_probabilities
from models.params import param
from models.types import Pixels, Result

BITS, ENTROPY = "bits", "entropy"


@dataclass(frozen=True)
class Params:
    """What the map shows, and the temperature."""

    shown: str = param(
        BITS,
        "Map",
        "The bits that each pixel took, or the bits that the model expected there.",
        choices=(BITS, ENTROPY),
        titles=("Bits of each pixel", "Expected bits (entropy)"),
    )
    temperature: float = param(
        1.0,
        "Temperature",
        "Logits are divided by it; only at 1 are these the model's own probabilities.",
        low=0.05,
        high=5.0,
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the likelihood of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for a NaN or infinite output."""
    values, note = model.values(pixels)
    x = torch.from_numpy(values)[None]

    def run() -> torch.Tensor:
        with torch.no_grad():
            return model.pixel_logits(x.float()).float().cpu()

    logits = stages.run("logits", run)
    stages.progress(None, "sum up")
    log_p = log_probabilities(logits, temperature=params.temperature)
    own = -chosen(log_p, x)[0] / math.log(2)
    p = log_p.exp()
    entropy = -(p * log_p).sum(1)[0] / math.log(2)
    bits = float(own.sum())
    each = own.sum(0).float().numpy()
    row, column = np.unravel_index(int(each.argmax()), each.shape)
    expected = entropy.sum(0).float().numpy()
    arrays = {
        "map": expected if params.shown == ENTROPY else each,
        "bits": each,
        "entropy": expected,
        "picture": model.pictures(values[None])[0],
        "values": values,
        "probabilities": p[0].float().numpy(),
    }
    height, width = pixels.shape[:2]
    meta = {
        "kind": KIND,
        "extent": (0.0, 0.0, float(width), float(height)),
        "signed": False,
        "classes": (),
        "nats": bits * math.log(2),
        "bits": bits,
        "bits_per_value": bits / own.numel(),
        "expected": float(entropy.sum()),
        "levels": model.levels,
        "order": model.order_title,
        "note": note,
        "surprising": (int(row), int(column)),
        "temperature": params.temperature,
    }
    return Result(arrays, meta)


INSPECTION = Inspection(
    id="pixel_likelihood",
    title="Likelihood",
    help="The bits of each pixel of a picture given the pixels before it, and their sum.",
    needs=("EstimatesLikelihood",),
    params=Params,
    answer=answer,
)
