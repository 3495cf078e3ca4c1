"""The smallest change of a picture that flips the answer, by captum's PGD (Madry et al. 2018) and MinParamPerturbation.

All distances are in pixel units, 0 to 255, before the network's own normalisation. "Linf" is the largest change of any
value; "L2" the root mean square change over all values the network sees of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.attributions.attribution import Probe
from models.attributions.captum_passes import drawing, forward
from models.attributions.gradients import batch_of
from models.loading.preprocess import Preprocess
from models.types import Float, Pixels

NORMS = ("Linf", "L2")
FULL = 255.0
REACH = 2.5  # the steps together could lead this many times as far as the ball reaches, as in the paper's code
STEP = 0.25  # pixel units: how finely the smallest epsilon is sought
RANDOM = 20  # random changes of the same size, for comparison


@dataclass(frozen=True)
class Flip:
    """A changed picture and its scores (C,); values are 0 to 1, as the network's input is before normalisation.

    `epsilon` is its size in pixel units, `radius` that of the ball it was sought in, and `found` whether it flips the
    answer. `random_flips` of `RANDOM` random changes of the same size do too.
    """

    plain: Tensor
    changed: Tensor
    scores: Tensor
    rounded_scores: Tensor
    epsilon: float
    radius: float
    found: bool
    random_flips: int


@dataclass(frozen=True)
class Attack:
    """What is sought within `most` pixel units: another answer than `label`, or the class `toward` unless it is -1."""

    label: int
    toward: int = -1
    norm: str = "Linf"
    most: float = 16.0
    steps: int = 20
    seed: int = 0

    def flips(self, scores: Tensor) -> Tensor:
        """Return for scores (N, C) whether each is an answer that is sought, (N,)."""
        best = scores.argmax(1)
        return best == self.toward if self.toward >= 0 else best != self.label

    def margin(self, scores: Tensor, target: Any = None) -> Tensor:
        """Return how far the answer sought leads, (N,); what the attack enlarges."""
        others = scores.clone()
        wanted = self.toward if self.toward >= 0 else self.label
        others[:, wanted] = -math.inf
        lead = others.amax(1) - scores[:, wanted]
        return -lead if self.toward >= 0 else lead


def smallest(probe: Probe, prepared: Preprocess, seen: Tensor, attack: Attack) -> Flip:
    """Return the smallest change within the attack's `most` that flips the answer, or its best try there.

    `seen` (1, 1, h, w) marks what the network sees of the picture, which alone may change.
    """
    import captum.robust

    subject = probe.subject
    classes = len(subject.classes)
    x = subject.input.detach().clone()
    mean, std = (torch.tensor(v).to(x).view(1, 3, 1, 1) for v in (prepared.mean, prepared.std))
    plain = ((x * std + mean) / prepared.range).clamp(0, 1)
    mask = seen.to(x).expand_as(x)
    norm = _length(attack.norm, int(mask.sum()))

    def scored(values: Tensor) -> Tensor:
        return torch.cat([subject.scores((part * prepared.range - mean) / std) for part in values.split(batch)])

    batch = batch_of(subject)
    rounds = math.ceil(math.log2(attack.most / STEP + 1)) + 1
    run = forward(probe, "Robustness", total=(attack.steps + 1) * rounds, run=lambda p: scored(p)[:, :classes])
    pgd: Any = captum.robust.PGD(run, attack.margin, lower_bound=0.0, upper_bound=1.0)

    def perturbed(values: Tensor, units: int) -> Tensor:
        radius = units * STEP / FULL * norm.factor
        if not radius:
            return values
        stride = REACH * units * STEP / FULL / attack.steps
        return pgd.perturb(values, radius, stride, attack.steps, None, norm=attack.norm, mask=mask)

    most = math.ceil(attack.most / STEP)
    with drawing(attack.seed):
        search: Any = captum.robust.MinParamPerturbation(
            run,
            perturbed,
            "units",
            # The search halves an interval whose upper end it does not try itself.
            *(0, most + 1, 1),
            mode="binary",
            correct_fn=lambda scores, **given: not bool(attack.flips(scores).all()),
        )
        changed, units = search.evaluate(plain)
        found = changed is not None
        changed = changed if found else perturbed(plain, most)
    radius = (units if found else most) * STEP
    with torch.no_grad():
        scores, rounded = run(changed), run((changed * FULL).round() / FULL)
        epsilon = norm.of(changed - plain)
        noise = _noises(plain, mask, norm, epsilon, attack.seed)
        flips = int(attack.flips(torch.cat([run(part) for part in noise.split(batch)])).sum())
    return Flip(plain, changed, scores[0], rounded[0], epsilon, radius, found, flips)


@dataclass(frozen=True)
class _Norm:
    """A norm over `count` values. `factor` turns a size per value into captum's radius."""

    name: str
    count: int

    @property
    def factor(self) -> float:
        return math.sqrt(self.count) if self.name == "L2" else 1.0

    def of(self, difference: Tensor) -> float:
        """Return the size of a difference of values 0 to 1, in pixel units."""
        if self.name == "L2":
            return FULL * float(difference.norm()) / self.factor
        return FULL * float(difference.abs().max())


def _length(name: str, count: int) -> _Norm:
    return _Norm(name, max(count, 1))


def _noises(plain: Tensor, mask: Tensor, norm: _Norm, epsilon: float, seed: int) -> Tensor:
    """Return pictures (`RANDOM`, 3, h, w) changed at random by as much."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn((RANDOM, *plain.shape[1:]), generator=generator).to(plain) * mask
    if norm.name == "L2":
        lengths = drawn.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
        return (plain + drawn / lengths * (epsilon / FULL * norm.factor)).clamp(0, 1)
    return (plain + drawn.sign() * (epsilon / FULL)).clamp(0, 1)


def pictures(found: Flip, prepared: Preprocess) -> tuple[Pixels, Pixels, Float]:
    """Return the picture as the network sees it and the changed one (h, w, 3) uint8 RGB, and their exact difference in
    pixel units (h, w, 3).
    """
    order: Callable[[Tensor], Tensor] = (lambda v: v.flip(1)) if prepared.order == "bgr" else (lambda v: v)
    plain, changed = (order(v)[0].permute(1, 2, 0).double().cpu().numpy() * FULL for v in (found.plain, found.changed))
    difference = (changed - plain).astype(np.float32)
    return plain.round().astype(np.uint8), changed.round().astype(np.uint8), difference
