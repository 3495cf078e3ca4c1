"""Infidelity and sensitivity of a map (Yeh et al. 2019), by captum.

Infidelity: random squares of the picture are replaced by the baseline, and the map's sum inside each is compared with
what the score loses. It is the mean squared error after the best single factor, because most maps are in no unit of the
score. Sensitivity: the largest relative change of the map when every value of the input is moved a little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.attributions.attribution import Attribution, Probe
from models.attributions.captum_passes import drawing, forward
from models.attributions.faithfulness import heat_of
from models.attributions.gradients import batch_of
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Float, Refusal

SHARE = 6  # the squares' side, as a part of the input's shorter one
STEADY, UNSTEADY = 0.1, 1.0


@dataclass(frozen=True)
class Infidelity:
    """captum's normalised `value`, in squared scores, and the share of the score's changes that the map explains."""

    value: float
    explained: float


def infidelity(probe: Probe, values: Float, filling: Tensor, *, count: int, seed: int) -> Infidelity:
    """Return the infidelity of a map (h, w) in network pixels over `count` squares replaced by `filling`."""
    import captum.metrics

    subject = probe.subject
    x, (h, w) = subject.input.detach(), subject.size
    squares = _squares(count, (h, w), seed).to(x.device)
    at, kept = 0, dict[int, Tensor]()
    score = forward(probe, f"Infidelity: {count} squares", total=count)

    def perturbed(inputs: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal at
        mask = squares[at : at + len(inputs), None]
        at += len(inputs)
        return mask.expand_as(inputs).to(inputs), torch.where(mask, filling.expand_as(inputs), inputs)

    def scored(inputs: Tensor) -> Tensor:
        """Score each batch once, although it is asked for twice in the same order."""
        kept.setdefault(turn[0], score(inputs))
        turn[0] += 1
        return kept[turn[0] - 1]

    def of(attributions: Tensor, *, normalize: bool) -> float:
        nonlocal at
        at, turn[0] = 0, 0
        given = {"n_perturb_samples": count, "max_examples_per_batch": batch_of(subject), "normalize": normalize}
        return float(captum.metrics.infidelity(scored, perturbed, x, attributions, **given)[0])

    turn = [0]
    with drawing(seed), torch.no_grad():
        spread = torch.from_numpy(np.array(values, np.float32)).to(x.device)[None, None].expand_as(x) / x.shape[1]
        value, nothing = of(spread, normalize=True), of(torch.zeros_like(x), normalize=False)
    return Infidelity(value, 1 - value / nothing if nothing > 0 else 0.0)


def _squares(count: int, size: tuple[int, int], seed: int) -> Tensor:
    """Return masks (N, h, w) of random squares, all of one side."""
    rng, (h, w) = np.random.default_rng(seed), size
    side = max(1, round(min(h, w) / SHARE))
    masks = np.zeros((count, h, w), np.bool_)
    corners = zip(rng.integers(0, h - side + 1, count), rng.integers(0, w - side + 1, count), strict=True)
    for mask, (top, left) in zip(masks, corners, strict=True):
        mask[top : top + side, left : left + side] = True
    return torch.from_numpy(masks)


class Nudges:
    """The maps of `count` inputs whose every value is moved by up to `radius`, a share of the input's range.

    They are made one per step, since each costs as much as the map itself.
    """

    def __init__(
        self, method: Attribution, probe: Probe, params: Any, own: Float, *, radius: float, count: int
    ) -> None:
        self.done, self.of = 0, count
        self.failure: Exception | None = None
        self._method, self._probe, self._params, self._radius = method, probe, params, radius
        self._maps = [own]
        self._seed = int(getattr(params, "seed", 0))

    @property
    def complete(self) -> bool:
        """Whether all maps are made."""
        return self.done == self.of

    @property
    def nbytes(self) -> int:
        """Size of the maps in bytes."""
        return sum(one.nbytes for one in self._maps)

    def step(self) -> None:
        """Make the next map."""
        probe, x = self._probe, self._probe.subject.input
        generator = torch.Generator().manual_seed(self.done + 1)
        reach = self._radius * float(x.max() - x.min())
        moved = x + ((torch.rand(x.shape, generator=generator) * 2 - 1) * reach).to(x)
        subject = replace(probe.subject, input=moved.detach())
        own = CachedStages(Cache(), ("nudged", self.done), Context(cancelled=probe.stages.context.cancelled))
        with torch.inference_mode(False), torch.no_grad():
            scores = subject.scores(subject.input)
        heat = heat_of(self._method, Probe(subject, probe.target, scores, own, probe.pixels), self._params)
        if heat.values.shape != self._maps[0].shape:
            raise Refusal("The map has another size for a nudged picture, so that the two cannot be compared.")
        self._maps.append(np.asarray(heat.values, np.float32))
        self.done += 1

    def rest(self) -> Iterator[None]:
        """Make the remaining maps, one per step; an exception is kept in `failure`."""
        try:
            while not self.complete:
                self.step()
                yield
        except Exception as error:
            self.failure = error

    def sensitivity(self) -> float:
        """Return captum's sensitivity of the maps made: the largest |changed map - map| / |map|, in the 2-norm."""
        import captum.metrics

        whole = torch.from_numpy(np.stack(self._maps))[:, None]

        def kept(rows: Any) -> Tensor:
            """Return the map of the input, and then those of the nudged ones, by number."""
            numbers = rows[0] if isinstance(rows, tuple) else rows
            return whole[numbers.long().flatten()]

        def moved(rows: Tensor) -> Tensor:
            return torch.arange(1, len(rows) + 1, dtype=torch.float32)[:, None]

        with torch.inference_mode(False):
            found = captum.metrics.sensitivity_max(kept, torch.zeros(1, 1), moved, n_perturb_samples=self.done)
        return float(found[0])


def infidelity_words(found: Infidelity) -> str:
    """Say what the infidelity means."""
    share = max(0.0, found.explained)
    return (
        f"Infidelity {found.value:.3g}: what the map holds in a square explains {share:.0%} of how the score changes "
        "when that square is taken away."
    )


def sensitivity_words(value: float, radius: float) -> str:
    """Say what the sensitivity means, and for which changes it was measured."""
    said = "steady" if value <= STEADY else "unsteady" if value >= UNSTEADY else "moderately steady"
    return f"Sensitivity {value:.3g}, {said}: so far the map moves if every value of the input does by ±{radius:.0%}."
