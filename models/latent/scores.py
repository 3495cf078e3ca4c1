"""Discriminator scores of a sample of the model's own pictures, the reference for ranking other scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.types import Float

SAMPLES, SLICE = 256, 64


def of_samples(model: Any, stages: Any) -> Float:
    """Return the discriminator's logits (SAMPLES,) for the pictures of seeds 0, 1, …, computed once per model."""

    def make() -> Float:
        codes = np.concatenate([model.space.draw(seed) for seed in range(SAMPLES)])
        found = []
        for at in range(0, SAMPLES, SLICE):
            stages.progress(at / SAMPLES, "score samples")
            found.append(model.score(model.decode(model.tensor(codes[at : at + SLICE]))).float().cpu().numpy())
        return np.concatenate(found)

    return stages.run("scores of samples", make)
