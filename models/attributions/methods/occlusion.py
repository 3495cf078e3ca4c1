"""Occlusion: the fall of the score when a window hides part of the picture. A coarse map first, then the exact one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.perturbation import Sweep, baseline, baseline_param, progress_of, swept
from models.attributions.target import TargetParams
from models.params import AUTOMATIC, param
from models.subject import Subject
from models.types import Bool, Float, Int, Refusal

FIRST = 0.1  # share of the positions in the coarse map, which incremental inference makes about twice as slow
FEW = 16
UNIT = "positions"


@dataclass(frozen=True)
class Params(TargetParams):
    """A target, the window and its stride."""

    window: int = param(
        -1,
        "Window",
        "Side of the window that hides; automatic (-1) is a seventh of the network's input.",
        low=-1,
        high=4096,
        step=1,
        unit="network px",
        titles=(AUTOMATIC,),
    )
    stride: int = param(
        -1,
        "Stride",
        "How far the window moves each time; automatic (-1) is half its side.",
        low=-1,
        high=4096,
        step=1,
        unit="network px",
        titles=(AUTOMATIC,),
    )
    baseline: str = baseline_param()


@dataclass(frozen=True)
class Windows:
    """The positions of the window: `side` and `stride` in px of an input of `size` (h, w), clipped at the edge."""

    size: tuple[int, int]
    side: int
    stride: int

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of positions; the last ones reach the edge, as in captum."""
        rows, columns = (math.ceil((length - self.side) / self.stride) + 1 for length in self.size)
        return rows, columns

    def spans(self, rows: Int) -> tuple[Int, Int, Int, Int]:
        """Return y0, y1, x0, x1 (n,) of the given positions, which are numbered row by row."""
        y0, x0 = (index * self.stride for index in np.divmod(rows, self.grid[1]))
        return y0, np.minimum(y0 + self.side, self.size[0]), x0, np.minimum(x0 + self.side, self.size[1])

    @property
    def step(self) -> int:
        """Stride of the coarse map, in rows and columns of positions."""
        rows, columns = self.grid
        most = FIRST * rows * columns
        for step in range(2, max(rows, columns)):
            if math.ceil(rows / step) * math.ceil(columns / step) <= most:
                return step
        return 1

    @property
    def order(self) -> tuple[Int, int]:
        """Return the positions, coarse ones first, and the number of coarse ones.

        All count as coarse if there are few.
        """
        rows, columns = self.grid
        if rows * columns <= FEW or self.step == 1:
            return np.arange(rows * columns), rows * columns
        y, x = np.divmod(np.arange(rows * columns), columns)
        fine = (y % self.step != 0) | (x % self.step != 0)
        # Windows at the same distance from the edge affect equally large parts of the network, which makes efficient
        # batches.
        inside = [np.minimum(at, count - 1 - at) for at, count in ((x, columns), (y, rows))]
        return np.lexsort((*inside, fine)), int((~fine).sum())


@attribution(
    id="occlusion",
    title="Occlusion",
    help="How much the score falls when a window hides each place; coarse at first, then exact.",
    cite="Zeiler and Fergus 2014.",
    params=Params,
    group="Perturbations",
    gradient=False,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) in network pixels: the mean fall of the score over the windows that cover the pixel."""
    subject = probe.subject
    windows = _windows(subject.size, params)
    order, first = windows.order

    def make() -> Sweep:
        def hidden(rows: Int) -> Tensor:
            return _hidden(subject, windows, filling, rows)

        return Sweep(subject, hidden, order, columns=columns, boxes=windows.spans)

    filling, columns = baseline(subject, params.baseline), probe.scores.shape[1]
    key = (subject.key, windows, params.baseline)
    sweep = swept(probe.stages, "occlusion", make, *key, first=first, unit=UNIT)
    fall = probe.score - sweep.of_target(probe.target)
    values = _spread(windows, _filled(windows, fall, sweep.known) if not sweep.complete else fall)
    more = {"window": windows.side, "stride": windows.stride, **progress_of(sweep, UNIT)}
    return Heatmap(values, subject.extent, more=more, partial=not sweep.complete)


def _windows(size: tuple[int, int], params: Params) -> Windows:
    """Return the window positions. Raises Refusal if the window does not fit into the input or leaves gaps."""
    side = params.window if params.window >= 0 else max(1, round(min(size) / 7))
    stride = params.stride if params.stride >= 0 else max(1, round(side / 2))
    if side > min(size):
        raise Refusal(
            f"A window of {side} px is larger than the network's input of {size[1]} x {size[0]} px.",
            advice=f"Take at most {min(size)}.",
        )
    if side == 0 or stride == 0:
        name = "window" if side == 0 else "stride"
        raise Refusal(f"{name}=0 hides nothing new.", advice="Take 1 or more, or -1 to have it chosen.")
    if stride > side:
        raise Refusal(f"A window of {side} px that moves by {stride} px leaves gaps.", advice=f"Take stride={side}.")
    return Windows(size, side, stride)


def _hidden(subject: Subject, windows: Windows, filling: Tensor, rows: Int) -> Tensor:
    """Return the inputs (n, 3, h, w) with the window at each of the given positions."""
    inputs = subject.input.repeat(len(rows), 1, 1, 1)
    for at, (y0, y1, x0, x1) in enumerate(zip(*windows.spans(rows), strict=True)):
        inputs[at, :, y0:y1, x0:x1] = filling[0, :, y0:y1, x0:x1]
    return inputs


def _filled(windows: Windows, fall: Float, known: Bool) -> Float:
    """Return the values (P,), those not known yet interpolated between the coarse ones."""
    rows, columns = windows.grid
    step = windows.step
    coarse = fall.reshape(rows, columns)[::step, ::step]
    y, x = np.arange(rows) / step, np.arange(columns) / step
    across = np.stack([np.interp(x, np.arange(coarse.shape[1]), row) for row in coarse])
    between = np.stack([np.interp(y, np.arange(coarse.shape[0]), column) for column in across.T], axis=1)
    return np.where(known, fall, between.ravel())


def _spread(windows: Windows, fall: Float) -> Float:
    """Return the mean (h, w) over each pixel of the values (P,) of the windows that cover it."""
    y0, y1, x0, x1 = windows.spans(np.arange(len(fall)))

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        corners = np.zeros((windows.size[0] + 1, windows.size[1] + 1))
        for y, x, sign in ((y0, x0, 1), (y1, x1, 1), (y0, x1, -1), (y1, x0, -1)):
            np.add.at(corners, (y, x), sign * values)
        return corners.cumsum(0).cumsum(1)[:-1, :-1]

    return (total(fall.astype(np.float64)) / total(np.ones(len(fall)))).astype(np.float32)
