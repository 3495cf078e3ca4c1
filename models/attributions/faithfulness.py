"""Measures of how faithful a map is: deletion and insertion curves, compared with those of uninformative maps, and the
similarity to the map of a randomised network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.attributions.attribution import Attribution, Heatmap, Probe
from models.attributions.perturbation import Sweep, baseline
from models.quantity import PROBABILITY, SCORE, VALUE
from models.subject import Rect, Subject
from models.tracing.traced_calls import gradients
from models.types import Bool, Float, Int, Refusal

Real = NDArray[np.floating[Any]]

MAPS = ("the map", "random", "centre")
CENTRE_SPREAD = 0.25  # standard deviation of the centre-Gaussian map, as a share of each side
COARSE = 5  # every fifth level is computed first
MARGIN = 0.01  # differences of area below this share of the curves' span do not count
ALIKE = 0.5  # from this rank correlation on, a map hardly depends on the weights
MOST_DRAWS = 20
# Student's t at 0.975 for 1 to MOST_DRAWS - 1 degrees of freedom.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
STUDENT += (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093)
NOTHING = 0.001  # of the largest absolute value: positions below are ignored
SSIM_SIGMA, SSIM_WINDOW, K1, K2 = 1.5, 11, 0.01, 0.03  # as in Wang et al. 2004


def heat_of(method: Attribution, probe: Probe, params: Any) -> Heatmap:
    """Return a method's map. Raises Refusal if the method does not apply or the map has NaN or infinite values."""
    with gradients() if method.gradient else torch.inference_mode():
        verdict = method.verdict(probe.subject, params, probe.stages)
        if verdict.level == "never":
            raise Refusal(f"{method.title} does not apply. {verdict.reason}", advice="Choose another method.")
        heat = method.attribute(probe, params)
    if not np.isfinite(heat.values).all():
        raise Refusal(f"{method.title} came out with NaN or infinite values.", advice="Try another layer or method.")
    return heat


def on_input(values: Float, extent: Rect, subject: Subject) -> Float:
    """Resample a map, anywhere in the picture, to the subject's input (h, w), bilinear.

    Edge values are repeated outside.
    """
    (x0, y0, x1, y1), (left, top, right, bottom) = extent, subject.extent
    (h, w), (rows, columns) = subject.size, values.shape
    x = (left + (np.arange(w) + 0.5) / w * (right - left) - x0) / (x1 - x0) * columns - 0.5
    y = (top + (np.arange(h) + 0.5) / h * (bottom - top) - y0) / (y1 - y0) * rows - 0.5
    across, down = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    enlarged = cv2.remap(values.astype(np.float32), across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(enlarged).astype(np.float32)


def random_map(like: Float, *, seed: int | Sequence[int]) -> Float:
    """Return a random map (h, w) with the amplitude spectrum of `like` and random phases.

    Same grain, other positions.
    """
    noise = np.fft.fft2(np.random.default_rng(seed).standard_normal(like.shape))
    spectrum = np.abs(np.fft.fft2(like - like.mean()))
    return np.fft.ifft2(spectrum * noise / np.maximum(np.abs(noise), 1e-12)).real.astype(np.float32)


def centre_map(size: tuple[int, int]) -> Float:
    """Return a Gaussian (h, w) around the picture's centre."""
    y, x = (((np.arange(length) + 0.5) / length - 0.5) / CENTRE_SPREAD for length in size)
    return np.exp(-(y[:, None] ** 2 + x**2) / 2).astype(np.float32)


def ranks(values: Float, *, seed: int) -> Int:
    """Return the rank (h, w) of each pixel, 0 for the largest value; ties are broken at random."""
    chance = np.random.default_rng(seed).random(values.size)
    place = np.empty(values.size, np.int64)
    place[np.lexsort((chance, -values.ravel()))] = np.arange(values.size)
    return place.reshape(values.shape)


@dataclass(frozen=True)
class Curves:
    """Inputs of the deletion and insertion curves (Petsiuk et al. 2018) of M maps.

    `places` (M, h, w) are the maps' pixel ranks. Rows are ordered as maps x (deletion, insertion) x (`steps` + 1)
    levels. Deletion replaces the highest-ranked pixels by `filling`; insertion reveals them in `veil`.
    """

    subject: Subject
    places: Int
    steps: int
    filling: Tensor
    veil: Tensor

    @property
    def levels(self) -> Float:
        """Shares of the pixels (L,), 0 to 1."""
        return np.linspace(0, 1, self.steps + 1, dtype=np.float32)

    @property
    def order(self) -> tuple[Int, int]:
        """Return the rows, the coarse levels of every curve first, and the number of coarse rows."""
        level = np.tile(np.arange(self.steps + 1), 2 * len(self.places))
        coarse = (level % COARSE == 0) | (level == self.steps)
        return np.argsort(~coarse, kind="stable"), int(coarse.sum())

    def inputs(self, rows: Int) -> Tensor:
        """Return the inputs (n, 3, h, w) of the given rows."""
        one, level = np.divmod(rows, self.steps + 1)
        picked, insertion = np.divmod(one, 2)
        counts = np.rint(self.levels[level].astype(np.float64) * self.places[0].size).astype(np.int64)
        device = self.subject.input.device
        first = torch.from_numpy(self.places[picked] < counts[:, None, None]).to(device)[:, None]
        adds = torch.from_numpy(insertion.astype(np.bool_)).to(device)[:, None, None, None]
        picture = self.subject.input
        return torch.where(adds, torch.where(first, picture, self.veil), torch.where(first, self.filling, picture))

    def sweep(self, columns: int) -> Sweep:
        """Return the sweep that scores all rows."""
        return Sweep(self.subject, self.inputs, self.order[0], columns=columns)

    def read(self, values: Float, known: Bool) -> tuple[Float, Float]:
        """Return deletion and insertion (M, L) from the values of the rows.

        Levels not computed yet are interpolated.
        """
        curves = values.reshape(-1, self.steps + 1)
        there = known.reshape(-1, self.steps + 1)
        full = [np.interp(self.levels, self.levels[k], v[k]) for v, k in zip(curves, there, strict=True)]
        both = np.array(full, np.float32).reshape(len(self.places), 2, -1)
        return both[:, 0], both[:, 1]


def curves_of(subject: Subject, maps: Sequence[Float], *, steps: int, filling: str, seed: int) -> Curves:
    """Return the curves of maps (h, w) that have the input's size."""
    places = np.stack([ranks(one, seed=seed) for one in maps])
    return Curves(subject, places, steps, baseline(subject, filling), baseline(subject, "blur"))


def explained(probe: Probe, scores: Float) -> Float:
    """Return what the curves show (P,): the probability of the target's class.

    For a class against another the difference of scores, and for a plain value (regression, a box coordinate) the
    value.
    """
    made, target = torch.from_numpy(scores), probe.target
    if target.minus >= 0 or target.plus >= len(probe.subject.classes):
        return target.of(made).numpy()
    return probe.subject.probabilities(made)[:, target.plus].numpy()


def area(levels: Real, curves: Real) -> Real:
    """Return the area (M,) under curves (M, L)."""
    return np.asarray(np.trapezoid(curves, levels, axis=1))


def spearman(a: Real, b: Real) -> float:
    """Return Spearman's rank correlation of two maps, with mean ranks for ties; 0 if one is constant.

    Positions where both maps are nearly zero, such as those far from a detected box, are left out: they agree for any
    weights and would raise the correlation.
    """
    counts = np.logical_or(*(np.abs(v) > NOTHING * np.abs(v).max() for v in (a, b)))
    if counts.sum() < 2:
        return 0.0
    first, second = (_mean_ranks(v[counts]) for v in (a, b))
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def ssim(a: Real, b: Real) -> float:
    """Return the structural similarity (Wang et al. 2004) of two maps (h, w), each rescaled to 0..1."""
    x, y = (_stretched(v) for v in (a, b))

    def blur(v: Real) -> Real:
        size = (SSIM_WINDOW, SSIM_WINDOW)
        return np.asarray(cv2.GaussianBlur(v, size, SSIM_SIGMA, borderType=cv2.BORDER_REFLECT)).astype(np.float64)

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    shared = blur(x * y) - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    found = (2 * mean_x * mean_y + c1) * (2 * shared + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(found.mean())


def quantity(probe: Probe) -> str:
    """Return the name of what the curves show: PROBABILITY, VALUE, or a difference."""
    value = probe.subject.link == "none"
    if probe.target.minus >= 0:
        return f"{VALUE if value else SCORE} difference"
    return VALUE if value else PROBABILITY


def span(curves: Sequence[Real], quantity: str) -> float:
    """Return the range of the curves' values, the unit in which areas are compared; 1 for probabilities."""
    if quantity == PROBABILITY:
        return 1.0
    return float(max(curve.max() for curve in curves) - min(curve.min() for curve in curves))


def reach(draws: Real) -> tuple[float, float]:
    """Return the mean of draws (N,) from one distribution, and how far from it a further one lies with 95 %.

    This is the prediction interval of a normal distribution whose mean and spread are known from the draws alone.
    """
    count = len(draws)
    return float(draws.mean()), float(STUDENT[count - 2] * draws.std(ddof=1) * np.sqrt(1 + 1 / count))


def verdict(own: float, random: Real, centre: float, *, span: float = 1.0) -> tuple[bool, str]:
    """Return whether a map beats the uninformative maps, and say so in words.

    A map's gain is the area under its insertion curve minus that under its deletion curve: `own`, those of `random`
    maps (N,), and that of a map of the centre. `span` is the range of the curves' values.
    """
    mean, away = reach(random)
    beats = own > mean + max(away, MARGIN * span), own > centre + MARGIN * span
    names = f"{len(random)} random maps", "a map of the centre"
    beaten = [name for name, better in zip(names, beats, strict=True) if better]
    missed = [name for name, better in zip(names, beats, strict=True) if not better]
    better = f"Better than {' and '.join(beaten)}" if beaten else ""
    worse = f"no better than {' or '.join(missed)}" if missed else ""
    said = ", but ".join(text for text in (better, worse) if text)
    numbers = f"{own:.3f} against {mean:.3f} ± {away:.3f} and {centre:.3f}"
    return all(beats), f"{said[0].upper()}{said[1:]}: {numbers}."


def twin_words(correlation: float) -> str:
    """Say what the rank correlation with the map of one network with random weights means."""
    alike = abs(correlation) >= ALIKE
    depends, found = ("hardly depends", "much the same") if alike else ("depends", "another")
    return f"It {depends} on the weights: one random draw of them gives {found} map (ρ {correlation:.2f})."


def _mean_ranks(values: Real) -> Real:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[place]


def _stretched(values: Real) -> Real:
    low, high = float(values.min()), float(values.max())
    return (values.astype(np.float64) - low) / max(high - low, 1e-12)
