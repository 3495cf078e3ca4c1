"""TCAV (Kim et al. 2018): how often a class's score rises in the direction of a concept, by layer, against chance.

A linear classifier tells the activations of a concept's pictures from those of random ones; its weights are the
concept's direction. The score is the share of the class's pictures whose score has a positive derivative in it. With
several random sets there are several directions, and several between random sets: a two-sided t-test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from models.attributions.captum_passes import Forward, Tapped, drawing
from models.types import Float

Real = NDArray[np.float64]
LEVEL = 0.05
NODES = 256  # of the quadrature of Student's distribution


@dataclass(frozen=True)
class LayerScores:
    """TCAV scores (R,) of one layer against each random set, and the accuracies of the classifiers.

    `chance` and `chance_accuracies` are those of one random set against the next.
    """

    scores: Float
    chance: Float
    accuracies: Float
    chance_accuracies: Float


def features(tapped: Tapped, run: Forward, inputs: Sequence[Tensor], cells: int, batch: int) -> list[Tensor]:
    """Return the activations (N, F) of each tapped layer for inputs (1, 3, h, w) each, on the CPU."""
    import captum.attr

    taps: list[Any] = [*tapped.taps]

    def of(x: Tensor) -> Any:
        method: Any = captum.attr.LayerActivation(run, taps)
        return method.attribute(x)

    with torch.no_grad():
        return _collected(tapped, of, inputs, cells, batch)


def slopes(tapped: Tapped, run: Forward, inputs: Sequence[Tensor], cells: int, batch: int) -> list[Tensor]:
    """Return the gradients (N, F) of `run` at each tapped layer, on the same cells as the activations."""
    import captum.attr

    taps: list[Any] = [*tapped.taps]

    def of(x: Tensor) -> Any:
        method: Any = captum.attr.LayerGradientXActivation(run, taps, multiply_by_inputs=False)
        return method.attribute(x)

    return _collected(tapped, of, inputs, cells, batch)


def _collected(
    tapped: Tapped, of: Callable[[Tensor], Any], inputs: Sequence[Tensor], cells: int, batch: int
) -> list[Tensor]:
    rows: list[list[Tensor]] = [[] for _ in tapped.calls]
    for part in _alike(inputs, batch):
        with drawing():
            found = of(torch.cat(part).detach().clone())
        for kept, call, value in zip(rows, tapped.calls, found, strict=True):
            planes = call.layout.planes(value.detach().float())
            height, width = (min(cells, side) for side in call.layout.grid)
            kept.append(adaptive_avg_pool2d(planes, (height, width)).flatten(1).cpu())
    return [torch.cat(kept) for kept in rows]


def _alike(inputs: Sequence[Tensor], batch: int) -> list[list[Tensor]]:
    """Return batches of inputs of one size, in order."""
    parts: list[list[Tensor]] = []
    for x in inputs:
        if not parts or len(parts[-1]) >= batch or parts[-1][0].shape != x.shape:
            parts.append([])
        parts[-1].append(x)
    return parts


def scored(concept: Tensor, random_sets: Sequence[Tensor], slope: Tensor, *, seed: int = 0) -> LayerScores:
    """Return a layer's scores: activations (N, F) of the concept and of each random set, gradients (M, F)."""
    from models.attributions.concept_classifier import ConceptClassifier

    def run(one: Tensor, other: Tensor) -> tuple[float, float]:
        classifier = ConceptClassifier(seed)
        labels = torch.tensor([1] * len(one) + [0] * len(other))
        trained = classifier.train_and_eval([(torch.cat([one, other]), labels)])
        vector = classifier.weights()[classifier.classes().index(1)]
        return float(((slope @ vector) > 0).double().mean()), float(trained["accs"])

    against = np.array([run(concept, other) for other in random_sets], np.float32)
    turned = [*random_sets[1:], random_sets[0]]
    chance = np.array([run(one, other) for one, other in zip(random_sets, turned, strict=True)], np.float32)
    return LayerScores(against[:, 0], chance[:, 0], against[:, 1], chance[:, 1])


def significant(found: LayerScores, tests: int) -> tuple[float, bool]:
    """Return the p-value of a layer's scores against those of chance, times the number of `tests` (Bonferroni), and
    whether the concept counts: p below 0.05, and a classifier that tells it from random pictures better than chance.

    Pictures of no concept may agree by chance in the direction that they give, but cannot be told apart.
    """
    p = min(1.0, tests * welch(found.scores, found.chance))
    apart = welch(found.accuracies, found.chance_accuracies) * tests < LEVEL
    better = float(found.accuracies.mean()) > float(found.chance_accuracies.mean())
    return p, bool(p < LEVEL and apart and better)


def welch(a: Sequence[float] | Float, b: Sequence[float] | Float) -> float:
    """Return the two-sided p-value of Welch's t-test; with no spread at all, 0 for different means and 1 for equal."""
    one, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    spread = [float(values.var(ddof=1)) / len(values) for values in (one, other)]
    gap = float(one.mean() - other.mean())
    if sum(spread) < 1e-15:
        return 1.0 if abs(gap) < 1e-12 else 0.0
    parts = [s * s / (len(values) - 1) for s, values in zip(spread, (one, other), strict=True)]
    return student(gap / math.sqrt(sum(spread)), sum(spread) ** 2 / sum(parts))


def student(t: float, freedom: float) -> float:
    """Return the two-sided p-value of Student's t with `freedom` degrees, by quadrature of cos(angle)^(freedom - 1).

    With t = √freedom · tan(angle) the density becomes that power of the cosine.
    """
    angle = math.atan(abs(t) / math.sqrt(freedom))
    nodes, weights = np.polynomial.legendre.leggauss(NODES)

    def area(low: float, high: float) -> float:
        at = low + (nodes + 1) / 2 * (high - low)
        return float((weights * np.cos(at) ** (freedom - 1)).sum() * (high - low) / 2)

    return min(1.0, area(angle, math.pi / 2) / area(0.0, math.pi / 2))
