"""Posterior: an encoder's codes over a folder of images: which dimensions it uses, and whether it collapsed.

Arrays of the Result, all (D,): `mean` and `variance` of mu over the images, `sd` of the aggregate posterior, which is 1
where it matches the prior, `kl` the mean divergence from the prior in nats, `active` flags (variance over 0.01, Burda
et al. 2016); also `mu` (N, D) of the images. Meta: the `verdict` in words, `count`, `norm` and `band` of the codes'
lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.inspection import Inspection
from models.latent import real_pictures
from models.latent.posterior import aggregate
from models.params import param
from models.types import Result

SLICE = 64


@dataclass(frozen=True)
class Params:
    """The folder of pictures."""

    folder: str = param("", "Folder", "A folder of pictures like those the model was trained on.")


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the aggregate posterior. Raises Refusal for a folder without pictures."""
    found = real_pictures.real_pictures(model, params.folder, stages)
    channels, parts = model.shape[0], []
    for at in range(0, len(found.pictures), SLICE):
        stages.progress(at / len(found.pictures), "encode pictures")
        x = torch.from_numpy(np.array(found.pictures[at : at + SLICE, ..., :channels])).permute(0, 3, 1, 2)
        mean, log_variance = model.encode(x.to(model.device).float() / 255)
        parts.append(torch.stack([mean, log_variance]).float().cpu().numpy())
    mu, logvar = np.concatenate(parts, 1)
    posterior = aggregate(mu, logvar)
    names = ("mean", "variance", "sd", "kl")
    arrays = {name: np.asarray(getattr(posterior, name), np.float32) for name in names}
    meta = {
        "kind": "latent",
        "verdict": posterior.verdict,
        "count": posterior.count,
        "unreadable": found.unreadable,
        "norm": posterior.norm,
        "band": posterior.band,
    }
    return Result({**arrays, "active": posterior.active, "mu": mu}, meta)


INSPECTION = Inspection(
    id="posterior",
    title="Aggregate posterior",
    help="Over a folder of pictures: which dimensions carry something, and whether the posterior collapsed.",
    needs=("Generates", "Encodes"),
    params=Params,
    answer=answer,
    reads="nothing",
)
