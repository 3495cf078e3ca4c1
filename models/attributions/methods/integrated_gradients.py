"""Integrated gradients: the gradient integrated along the straight path from a baseline to the picture.

The score is known wherever the gradient is, so the error of each interval's attributions against completeness can be
measured. The intervals with the largest error are halved, reusing every gradient, until the total error is within the
tolerance. With a fixed number of steps it is captum's, by Gauss-Legendre quadrature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.attributions import gradients as gradient
from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.captum_passes import drawing, fitting, forward
from models.attributions.perturbation import blurred
from models.attributions.target import TargetParams
from models.params import param
from models.subject import Subject
from models.types import Float

BASELINES = ("black", "mean", "blur", "noise")
TITLES = ("Black", "Mean colour", "Blurred picture", "Noise")
BLUR = 1 / 16  # standard deviation, as a share of the input's shorter side

Double = NDArray[np.float64]

FIRST = 8  # intervals at the start, and how many are halved per round


@dataclass(frozen=True)
class Params(TargetParams):
    """A target, the baseline, and the accuracy of the integral."""

    baseline: str = param("mean", "Baseline", "The input that stands for no picture.", choices=BASELINES, titles=TITLES)
    tolerance: float = param(
        0.01,
        "Tolerance",
        "How far the sum may be from the difference of the scores, as a share of it.",
        low=0.0001,
        high=1.0,
        step=0.001,
    )
    most: int = param(128, "Most steps", "Where it stops if the tolerance is not reached.", low=8, high=256, step=8)
    steps: int = param(
        0, "Steps", "A fixed number of steps instead of a tolerance; 0 goes by the tolerance.", low=0, high=1024, step=1
    )
    seed: int = param(
        0, "Seed", "The same seed draws the same noise.", low=0, high=9999, step=1, only=("baseline", "noise")
    )


@attribution(
    id="integrated_gradients",
    title="Integrated gradients",
    help="What each pixel adds on the way from a baseline to the picture; the sum is the difference of the scores.",
    cite="Sundararajan et al. 2017.",
    params=Params,
    verdict=gradient.verdict,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return integrated gradients (h, w), summed over colour channels (equation 1), with their completeness error."""
    start = baseline(probe.subject, params.baseline, seed=params.seed)
    if params.steps:
        values, steps = _fixed(probe, start, params.steps), params.steps
        with torch.no_grad():
            promised = probe.score - float(probe.of(start)[0])
    else:
        values, steps, promised = _adaptive(probe, start, params)
    delta = abs(float(values.sum()) - promised) / max(abs(promised), 1e-12)
    more = {"steps": steps, "baseline": params.baseline, "promised": promised}
    return Heatmap(values.astype(np.float32), probe.subject.extent, delta, more)


def _fixed(probe: Probe, start: Tensor, steps: int) -> Double:
    """Return the attributions by captum, with its default quadrature (Gauss-Legendre)."""
    import captum.attr

    x = probe.subject.input.detach().clone()

    def attempt(batch: int) -> Tensor:
        with drawing():
            method: Any = captum.attr.IntegratedGradients(
                forward(probe, f"Integrated gradients: {steps} steps", total=steps)
            )
            return method.attribute(x, start, n_steps=steps, internal_batch_size=batch)

    found = fitting(attempt, gradient.batch_of(probe.subject), least=1)
    return found.detach().sum(1)[0].double().cpu().numpy()


def _adaptive(probe: Probe, start: Tensor, params: Params) -> tuple[Double, int, float]:
    """Return the attributions by the trapezoid rule, the number of steps, and the sum that completeness requires."""
    alpha, planes, scores = np.zeros(0), [], np.zeros(0)
    fresh = np.arange(FIRST + 1) / FIRST
    while True:
        found = list(_along(probe, start, fresh, params.most, fast=True))
        order = np.argsort(alpha := np.append(alpha, fresh))
        alpha = alpha[order]
        planes = [[*planes, *(plane for plane, _ in found)][i] for i in order]
        scores = np.append(scores, [score for _, score in found])[order]
        slopes, widths = np.array([plane.sum(dtype=np.float64) for plane in planes]), np.diff(alpha)
        misses = widths * (slopes[1:] + slopes[:-1]) / 2 - np.diff(scores)
        promised, steps = float(scores[-1] - scores[0]), len(widths)
        if abs(misses.sum()) <= params.tolerance * abs(promised) or steps >= params.most:
            weights = (np.append(widths, 0) + np.insert(widths, 0, 0)) / 2
            return _added(weights, planes), steps, promised
        worst = np.argsort(-np.abs(misses))[: min(FIRST, params.most - steps)]
        fresh = (alpha[worst] + alpha[worst + 1]) / 2


def _along(probe: Probe, start: Tensor, alpha: Double, most: int, *, fast: bool) -> Iterator[tuple[Float, float]]:
    """Yield for each position `alpha` (0 to 1) on the path.

    Gradient times (picture - baseline), (h, w), and the score.
    """
    way, batch = probe.subject.input - start, gradient.batch_of(probe.subject)
    for done in range(0, len(alpha), batch):
        probe.stages.progress(None, f"Integrated gradients: {len(alpha)} of at most {most} steps")
        share = torch.tensor(alpha[done : done + batch], dtype=way.dtype, device=way.device).view(-1, 1, 1, 1)
        gradients, scores = gradient.at(probe, start + share * way, fast=fast)
        yield from zip((way * gradients).sum(1).cpu().numpy(), scores.tolist(), strict=True)


def _added(weights: Double, planes: Iterable[Float]) -> Double:
    """Return the weighted sum of planes (h, w), in double precision."""
    total: Any = np.float64(0)
    for weight, plane in zip(weights, planes, strict=True):
        total = total + weight * plane
    return total


def baseline(subject: Subject, kind: str, *, seed: int = 0) -> Tensor:
    """Return a baseline (1, 3, h, w), normalised as the network expects; noise is uniform over each channel's range."""
    x = subject.input
    match kind:
        case "black":
            return subject.black.expand_as(x)
        case "mean":
            return subject.mean.expand_as(x)
        case "blur":
            sigma = BLUR * min(subject.size)
            reach = min(int(3 * sigma), min(subject.size) - 1)
            return blurred(x, sigma, reach)
    # Drawn on the CPU, so that a seed gives the same noise on every device.
    drawn = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)).to(x)
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return low + drawn * (high - low)
