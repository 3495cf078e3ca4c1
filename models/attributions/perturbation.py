"""Shared by the perturbation methods: the values that replace parts of the picture, and batched scoring of inputs.

The scores of all classes are kept, so that another target needs no new pass. A sweep continues while the engine is
idle: its first part gives a coarse map, the rest the exact one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from models.attributions.incremental import Box, Incremental, agree, incremental
from models.attributions.target import Target
from models.params import param
from models.runtime.split_batches import in_parts
from models.subject import Subject
from models.types import Bool, Float, Int

BASELINES = ("black", "mean", "blur")
BLUR = 1 / 16  # standard deviation of the blurred baseline, as a share of the input's shorter side
SLICE_S = 0.4  # longest time per batch, during which the engine cannot answer
BATCH_PX = {"cpu": 4 * 224 * 224, "cuda": 32 * 224 * 224}
CHANGED = 0.5  # approximate cost of an input in incremental inference, relative to a plain pass
MOST_SMALL = 128

Make = Callable[[Int], Tensor]
Boxes = Callable[[Int], Box]


def baseline_param(default: str = "mean") -> Any:
    """Declare the parameter that selects what replaces the removed parts."""
    return param(
        default,
        "Baseline",
        "What takes the place of what is hidden: black, the mean colour of the training, or the picture blurred.",
        choices=BASELINES,
        titles=("Black", "Mean colour", "Blurred picture"),
    )


def baseline(subject: Subject, name: str) -> Tensor:
    """Return the replacement of the input (1, 3, h, w), by its name in `BASELINES`."""
    match name:
        case "black":
            return subject.black.expand_as(subject.input)
        case "mean":
            return subject.mean.expand_as(subject.input)
    sigma = max(0.5, BLUR * min(subject.size))
    return blurred(subject.input, sigma, min(round(3 * sigma), min(subject.size) - 1))


def blurred(x: Tensor, sigma: float, reach: int) -> Tensor:
    """Return inputs (N, 3, h, w) blurred by a Gaussian cut off after `reach` pixels, first along rows, then columns.

    torchvision convolves with the whole square at once, which takes seconds for half a megapixel.
    """
    across = gaussian_blur(x, [2 * reach + 1, 1], [sigma, sigma])
    return gaussian_blur(across, [1, 2 * reach + 1], [sigma, sigma])


class Pace:
    """Chooses the batch size by timing two sizes twice each; a batch takes at most about `SLICE_S` seconds.

    `work` is the cost of an input relative to a plain pass.
    """

    def __init__(self, size: tuple[int, int], device: str, *, work: float = 1.0) -> None:
        budget = BATCH_PX.get(device, BATCH_PX["cpu"]) / work
        small = min(MOST_SMALL, max(1, int(budget / (size[0] * size[1]))))
        # The first pass of each size is slower (allocations, kernel selection): time each size twice.
        self._tries = [1, small, small, 2 * small, 2 * small]
        self._least: dict[int, float] = {}

    @property
    def count(self) -> int:
        """Size of the next batch."""
        if not self._least:
            return self._tries[0]
        wanted = self._tries[0] if self._tries else min(self._least, key=self._least.__getitem__)
        return max(1, min(wanted, int(SLICE_S / min(self._least.values()))))

    def record(self, count: int, seconds: float) -> None:
        """Record how long a batch took."""
        self._least[count] = min(self._least.get(count, math.inf), seconds / count)
        self._tries = self._tries[1:]


class Sweep:
    """The scores (P, C) of P changed inputs, filled in the given order; `known` (P,) marks those computed so far.

    `make(rows)` returns the inputs (n, 3, h, w) of the given rows. If each differs from the picture only inside a box,
    `boxes(rows)` returns it as y0, y1, x0, x1 (n,) each, and only what the box affects is computed if the network
    supports that.
    """

    def __init__(self, subject: Subject, make: Make, order: Int, *, columns: int, boxes: Boxes | None = None) -> None:
        self.scores: Float = np.zeros((len(order), columns), np.float32)
        self.known: Bool = np.zeros(len(order), np.bool_)
        self.done = 0
        self.failure: Exception | None = None
        self._order = order
        self._make, self._subject, self._boxes = make, subject, boxes
        self._local: Incremental | None = None
        if boxes is not None:
            with torch.inference_mode():
                self._local = incremental(subject)
        self._pace = Pace(subject.size, subject.input.device.type, work=CHANGED if self._local else 1.0)

    @property
    def of(self) -> int:
        """Number of inputs."""
        return len(self._order)

    @property
    def complete(self) -> bool:
        """Whether all inputs are scored."""
        return self.done == self.of

    @property
    def nbytes(self) -> int:
        """Size of the scores and of the values kept for incremental inference, in bytes."""
        return self.scores.nbytes + (self._local.nbytes if self._local else 0)

    def of_target(self, target: Target) -> Float:
        """Return the target's value (P,) for each input; 0 for those not scored yet."""
        return target.of(torch.from_numpy(self.scores)).numpy()

    def step(self, most: int) -> None:
        """Score the next batch, of at most `most` inputs."""
        rows = self._order[self.done : self.done + min(most, self._pace.count)]
        begin = time.perf_counter()
        with torch.inference_mode():
            # On a CPU, channels last is as fast or faster in every family; `order` falls back where unsupported.
            inputs = self._make(rows).contiguous(memory_format=self._subject.order)
            self.scores[rows] = self._scored(inputs, rows).float().cpu().numpy()
        self._pace.record(len(rows), time.perf_counter() - begin)
        self.known[rows] = True
        self.done += len(rows)
        if self.complete:
            self._local = None

    def _plain(self, inputs: Tensor) -> Tensor:
        return in_parts(lambda part: (self._subject.scores(part),), inputs)[0]

    def _scored(self, inputs: Tensor, rows: Int) -> Tensor:
        if self._local is None or self._boxes is None:
            return self._plain(inputs)
        try:
            scores = self._local(inputs, self._boxes(rows))
            # Check the first two batches (one input, then many) against a plain pass: incremental inference may only be
            # used if it gives the same scores.
            if self.done > 1 or agree(scores[-1:], self._subject.scores(inputs[-1:])):
                return scores
        except (RuntimeError, TypeError, ValueError):
            pass
        self._local = None
        return self._plain(inputs)

    def rest(self) -> Iterator[None]:
        """Score the remaining inputs, one batch per step; an exception is kept in `failure`."""
        try:
            while not self.complete:
                self.step(self.of)
                yield
        except Exception as error:
            self.failure = error


def swept(stages: Any, name: str, make: Callable[[], Sweep], *key: object, first: int, unit: str) -> Sweep:
    """Return the sweep of a stage with at least its `first` inputs scored; the rest follow while the engine is idle.

    If nothing can be deferred, all are scored at once. `unit` is the plural shown to the user for what is counted.
    """
    sweep = stages.run(name, make, *key)
    if sweep.failure is not None:
        failure, sweep.failure = sweep.failure, None
        raise failure
    wanted = min(first, sweep.of) if stages.context.later is not None else sweep.of
    while sweep.done < wanted:
        stages.progress(sweep.done / wanted, f"{name}: {sweep.done:,} of {sweep.of:,} {unit}")
        sweep.step(wanted - sweep.done)
    if not sweep.complete:
        stages.while_idle(f"{name} {id(sweep)}", sweep.rest())
    return sweep


def progress_of(sweep: Sweep, unit: str) -> dict[str, Any]:
    """Return the entries of a Result's meta that report a sweep's progress."""
    return {"collected": sweep.done, "failed": 0, "of": sweep.of, "unit": unit}
