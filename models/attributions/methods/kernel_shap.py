"""KernelSHAP: Shapley values of superpixels, from a regression over coalitions. They sum to the score's total fall."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.perturbation import Sweep, baseline, progress_of, swept
from models.attributions.regression import complete, explained
from models.attributions.superpixels import PartParams, parts_of
from models.params import param
from models.types import Bool

FIRST = 5  # the coarse map uses one fifth of the coalitions
UNIT = "coalitions"


@dataclass(frozen=True)
class Params(PartParams):
    """A target, the parts, and the number of coalitions."""

    samples: int = param(500, "Coalitions", "Sets of parts that are shown alone.", low=10, high=20_000, step=10)
    seed: int = param(0, "Seed", "Another number draws other coalitions.", low=0, high=2**31 - 1, step=1)


@attribution(
    id="kernel_shap",
    title="KernelSHAP",
    help="What each superpixel adds on average, whichever others are seen: Shapley values, which add up.",
    cite="Lundberg and Lee 2017.",
    params=Params,
    group="Perturbations",
    gradient=False,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) in network pixels of the Shapley values; summed over parts they equal the total fall."""
    subject = probe.subject
    parts = parts_of(subject, probe.pixels, params.segments, probe.stages)
    shown, weights = coalitions(parts.count, params.samples, params.seed)
    filling, columns = baseline(subject, params.baseline), probe.scores.shape[1]

    def make() -> Sweep:
        order = np.arange(len(shown))
        return Sweep(subject, lambda rows: parts.inputs(subject, filling, shown[rows]), order, columns=columns)

    key = (subject.key, params.segments, params.samples, params.seed, params.baseline)
    sweep = swept(probe.stages, "kernel shap", make, *key, first=1 + len(shown) // FIRST, unit=UNIT)
    known = sweep.known.copy()
    y = sweep.of_target(probe.target).astype(np.float64)
    nothing, known[0] = y[0], False
    total = probe.score - nothing
    z, gain, weight = shown[known].astype(np.float64), y[known] - nothing, weights[known]
    values = complete(z, gain, weight, total=total)
    delta = abs(values.sum() - total) / max(abs(total), 1e-12)
    more = {"r2": explained(gain, z @ values, weight), "without": float(nothing), **progress_of(sweep, UNIT)}
    arrays = {"segments": parts.labels}
    partial = not sweep.complete
    return Heatmap(parts.paint(values), subject.extent, delta=delta, more=more, arrays=arrays, partial=partial)


def coalitions(parts: int, samples: int, seed: int) -> tuple[Bool, NDArray[np.float64]]:
    """Return the visible parts (n, M) and the weight (n,) of each coalition; the first, of weight 0, is the empty one.

    If all coalitions fit into `samples` they are enumerated with their kernel weights (theorem 2), which gives exact
    Shapley values. Otherwise they are sampled in proportion to the kernel, each with its complement, and weighted
    equally.
    """
    sizes = np.arange(1, parts)
    if 2**parts - 2 <= samples:
        shown = (np.arange(2**parts - 1)[:, None] >> np.arange(parts) & 1).astype(np.bool_)
        weight = np.array([0.0] + [(parts - 1) / (comb(parts, k) * k * (parts - k)) for k in shown[1:].sum(1)])
        return shown, weight
    rng = np.random.default_rng(seed)
    chance = 1 / (sizes * (parts - sizes))
    chosen = rng.choice(sizes, -(-samples // 2), p=chance / chance.sum())
    half = rng.random((len(chosen), parts)).argsort(1).argsort(1) < chosen[:, None]
    pairs = np.stack([half, ~half], 1).reshape(-1, parts)[:samples]
    return np.concatenate([np.zeros((1, parts), np.bool_), pairs]), np.append(0.0, np.ones(len(pairs)))
