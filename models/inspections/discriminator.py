"""Discriminator: the score of a generated image, compared with the scores of samples and of real images.

Arrays of the Result: `score` (1,) before the sigmoid, `samples` (N,) the scores of a sample of the model, `reals` (M,)
those of real images, empty without a folder; `code` (D,). Meta: `percentile` among the samples and `real_percentile`
among the real images, the percentage with a lower score. The score itself is not calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.inspection import Inspection
from models.latent import real_pictures, typicality
from models.latent.space import CODE_HELP
from models.latent.typicality import percentile
from models.params import param
from models.types import Float, Pixels, Result

SLICE = 64


@dataclass(frozen=True)
class Params:
    """The code, and the real pictures to compare with."""

    code: str = param("seed:0", "Code", CODE_HELP)
    folder: str = param("", "Real pictures", "A folder of real pictures; without one, only samples are compared.")
    truncation: float = param(0.0, "Truncation", "Normal numbers of a seed beyond this are drawn again.", high=4.0)


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the score with those of others. Raises Refusal for an invalid code or a folder without pictures."""
    codes = model.space.one(params.code, truncation=params.truncation)
    score = float(model.score(model.decode(model.tensor(codes)))[0])
    samples = typicality.of_samples(model, stages)
    real, comparison = np.zeros(0, np.float32), {}
    if params.folder:
        found = real_pictures.real_pictures(model, params.folder, stages)
        real = stages.run("scores of reals", lambda: _of_pictures(model, found.pictures, stages), found.paths)
        comparison = {"real_percentile": percentile(score, real), "among": len(real), "unreadable": found.unreadable}
    meta = {"kind": "latent", "percentile": percentile(score, samples), **comparison}
    arrays = {"score": np.array([score], np.float32), "samples": samples, "reals": real, "code": codes[0]}
    return Result(arrays, meta)


def _of_pictures(model: Any, pictures: Pixels, stages: Any) -> Float:
    channels, found = model.shape[0], []
    for at in range(0, len(pictures), SLICE):
        stages.progress(at / len(pictures), "score real pictures")
        x = torch.from_numpy(np.array(pictures[at : at + SLICE, ..., :channels])).permute(0, 3, 1, 2)
        found.append(model.score(x.to(model.device).float() / 255).float().cpu().numpy())
    return np.concatenate(found)


INSPECTION = Inspection(
    id="critic",
    title="Discriminator",
    help="How real the picture is to the discriminator, compared with samples and real pictures.",
    needs=("Generates", "Scores"),
    params=Params,
    answer=answer,
    reads="nothing",
)
