"""LIME: a local linear model of the score as a function of which superpixels are visible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.perturbation import Sweep, baseline, progress_of, swept
from models.attributions.regression import explained, ridge
from models.attributions.superpixels import PartParams, parts_of
from models.params import param
from models.types import Bool

FIRST = 5  # the coarse map uses one fifth of the samples
PENALTY = 1.0
UNIT = "samples"


@dataclass(frozen=True)
class Params(PartParams):
    """A target, the parts, and the samples used to fit the linear model."""

    samples: int = param(500, "Samples", "Pictures with parts hidden at random.", low=10, high=20_000, step=10)
    width: float = param(
        0.25,
        "Kernel width",
        "How far from the whole picture samples count, as a cosine distance.",
        low=0.01,
        high=10.0,
    )
    seed: int = param(0, "Seed", "Another number draws other samples.", low=0, high=2**31 - 1, step=1)


@attribution(
    id="lime",
    title="LIME",
    help="A linear model of the score over superpixels seen or hidden, with the share R² that it explains.",
    cite="Ribeiro et al. 2016.",
    params=Params,
    group="Perturbations",
    gradient=False,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) in network pixels of the slopes: how much the score rises when a part is visible."""
    subject = probe.subject
    parts = parts_of(subject, probe.pixels, params.segments, probe.stages)
    shown = drawn(parts.count, params.samples, params.seed)
    filling, columns = baseline(subject, params.baseline), probe.scores.shape[1]

    def make() -> Sweep:
        order = np.arange(len(shown))
        return Sweep(subject, lambda rows: parts.inputs(subject, filling, shown[rows]), order, columns=columns)

    key = (subject.key, params.segments, params.samples, params.seed, params.baseline)
    sweep = swept(probe.stages, "lime", make, *key, first=len(shown) // FIRST, unit=UNIT)
    z, y = shown[sweep.known].astype(np.float64), sweep.of_target(probe.target)[sweep.known].astype(np.float64)
    weights = nearness(z, params.width)
    slopes, intercept = ridge(z, y, weights, penalty=PENALTY)
    fit = explained(y, z @ slopes + intercept, weights)
    more = {"r2": fit, "intercept": intercept, **progress_of(sweep, UNIT)}
    arrays = {"segments": parts.labels}
    return Heatmap(parts.paint(slopes), subject.extent, more=more, arrays=arrays, partial=not sweep.complete)


def drawn(parts: int, samples: int, seed: int) -> Bool:
    """Return the visible parts (n, M), each with probability 0.5; in the first sample all are visible."""
    shown = np.random.default_rng(seed).random((samples, parts)) < 0.5
    shown[0] = True
    return shown


def nearness(z: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return the weight (n,) of samples (n, M): sqrt(exp(-d² / width²)), as in the authors' code.

    d is the cosine distance to the sample in which all parts are visible.
    """
    distance = 1 - np.sqrt(z.mean(1))
    return np.sqrt(np.exp(-((distance / width) ** 2)))
