"""Prior match: codes of real pictures beside a prior, on a plane, with the critic of an adversarial autoencoder.

Arrays of the Result: `density` (n, n) float32 of the prior over the plane of the first two dimensions, the first row at
the top; `critic` (n, n), the critic's probability that a code there is the prior's, where the model has one; `sides`
(2, 2), low and high of x and y; `codes` (N, D) of the pictures in a folder, `label` (N,) the row in the meta's
`classes` or -1, `thumbs` (N, H, W, 3) uint8; `samples` (N, D) of the prior; `mean` (D,) and `covariance` (D, D) of the
codes; `picture` (n, n, 3) uint8, the critic, or without one the density, as grey. Meta: `prior`, `own_prior` the one
that the model was trained for, `mmd`, `bound`, `p` and `within` of the permutation test, `critic_right`, the share of
codes and samples that the critic tells apart, `spread` whether the codes are draws of a posterior with a variance,
`names`, `count` and `text`, the verdict in words. Without a folder there are no codes, and what is said of them is
missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.capabilities import provides
from models.inspection import Inspection
from models.latent import priors, real_pictures
from models.params import param
from models.types import Real, Result

OWN = "own"
REACH = 3.5
SLICE = 64


@dataclass(frozen=True)
class Params:
    """The pictures whose codes are compared, and the prior."""

    folder: str = param(
        "", "Folder", "A folder of pictures like those the model was trained on; subfolders are classes."
    )
    prior: str = param(
        OWN,
        "Prior",
        "What the codes are compared with: the model's own prior, or another one.",
        choices=(OWN, *priors.PRIORS),
        titles=("The model's own", *priors.PRIORS.values()),
    )
    count: int = param(500, "Pictures", "How many pictures are encoded at most.", low=20, high=2000, step=1)
    side: int = param(64, "Cells a side", "How finely the plane is shown.", low=8, high=256, step=1)
    seed: int = param(0, "Seed", "Of the prior's samples and the permutations.", high=999_999_999, step=1)


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the plane and the comparison. Raises Refusal for a folder without pictures."""
    stages.progress(None, "plane")
    size = model.space.size
    own = str(getattr(model, "prior", priors.GAUSSIAN))
    prior = own if params.prior == OWN else params.prior
    middles = ((np.arange(params.side) + 0.5) / params.side * 2 - 1) * REACH
    places = np.zeros((params.side**2, size), np.float32)
    places[:, 0] = np.tile(middles, params.side)
    if size > 1:
        places[:, 1] = np.repeat(-middles, params.side)
    density = priors.density(prior, places[:, :2]).reshape(params.side, params.side).astype(np.float32)
    arrays: dict[str, Any] = {"density": density, "sides": np.array([[-REACH, REACH]] * 2)}
    judges = provides(model, "JudgesCodes")
    stages.progress(None, "critic")
    if judges:
        arrays["critic"] = _critic(model, places).reshape(params.side, params.side)
    shown = arrays["critic"] if judges else density / max(float(density.max()), 1e-30)
    arrays["picture"] = np.repeat((shown * 255).round().astype(np.uint8)[..., None], 3, 2)
    meta: dict[str, Any] = {"kind": "latent", "prior": prior, "own_prior": own, "judges": judges, "text": ""}
    if params.folder:
        more, told = _compared(model, params, prior, stages)
        arrays |= more
        meta |= told
    return Result(arrays, meta)


def _critic(model: Any, codes: Real) -> Real:
    with torch.no_grad():
        return model.judge(model.tensor(codes)).sigmoid().float().cpu().numpy()


def _compared(model: Any, params: Params, prior: str, stages: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the codes of a folder's pictures, and how they compare with the prior."""
    found, classes = real_pictures.with_classes(model, params.folder, stages, most=params.count)
    channels, made = model.shape[0], []
    rng = np.random.default_rng(params.seed)
    with torch.no_grad():
        for at in range(0, len(found.pictures), SLICE):
            stages.progress(at / len(found.pictures), "encode pictures")
            x = torch.from_numpy(np.array(found.pictures[at : at + SLICE, ..., :channels])).permute(0, 3, 1, 2)
            mean, log_variance = model.encode(x.to(model.device).float() / 255)
            spread = (log_variance.float() / 2).exp().cpu().numpy()
            made.append(mean.float().cpu().numpy() + spread * rng.standard_normal(spread.shape).astype(np.float32))
    codes = np.concatenate(made)
    stages.progress(None, "compare with the prior")
    samples = priors.sample(prior, len(codes), rng, dimensions=codes.shape[1])
    test = priors.discrepancy(codes, samples, seed=params.seed)
    arrays: dict[str, Any] = {
        "codes": codes,
        "samples": samples,
        "thumbs": found.pictures,
        "label": np.array([classes.index(Path(path).parent.name) if classes else -1 for path in found.paths], np.int64),
        "mean": codes.mean(0),
        "covariance": np.atleast_2d(np.cov(codes.T)).astype(np.float32),
    }
    meta: dict[str, Any] = {
        "mmd": test.mmd,
        "bound": test.bound,
        "p": test.p,
        "within": test.within,
        "count": len(codes),
        "spread": provides(model, "Encodes"),
        "names": [Path(path).name for path in found.paths],
        "classes": tuple(classes),
    }
    name = priors.PRIORS[prior]
    text = (
        f"As far as {len(codes):,} pictures tell, their codes may be of the prior ({name})."
        if test.within
        else f"The codes of {len(codes):,} pictures are not distributed like the prior ({name})."
    )
    if provides(model, "JudgesCodes"):
        right = float(np.concatenate([_critic(model, codes) < 0.5, _critic(model, samples) >= 0.5]).mean())
        meta["critic_right"] = right
        if abs(right - 0.5) < 0.05 and not test.within:
            text += " The critic does not tell them apart, but it is the weaker judge."
    return arrays, {**meta, "text": text}


def _lacks(model: Any) -> dict[str, str]:
    """Return why a latent space cannot be compared with these priors."""
    if all(block.kind == "gaussian" for block in model.space.blocks):
        return {}
    return {"": f"{model.card.name} has a prior that is not made of normal numbers alone."}


INSPECTION = Inspection(
    id="prior_match",
    title="Prior match",
    help="Codes of real pictures beside the prior, with the critic of an adversarial autoencoder over the plane.",
    needs=("Generates", "FindsCodes"),
    params=Params,
    answer=answer,
    reads="nothing",
    lacks=_lacks,
)
