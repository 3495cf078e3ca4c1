"""Manifold: images of a grid of codes in a plane of the latent space, first coarse, then complete.

Arrays of the Result: `pictures` (n, n, H, W, 3) uint8 RGB, the first row at the top, black where `known` (n, n) is not
set; `origin`, `u`, `v` (D,) and `sides` (2, 3), which are low, high and whether spacing is even in probability, for x
and for y: from these `models.latent.plane.Plane` computes the code of any position. With `speed`, once complete, also
`speed` (n, n), how fast the image changes: the length of its gradient along the plane, in values from 0 to 1 per unit
length in the latent space. Meta: `step`, such that every `step`-th row and column is complete; `axes`, the two
dimensions or empty; and `partial` until all are known, since the remaining ones are made while the engine is idle.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.inspection import Inspection
from models.latent import plane as planes
from models.latent.plane import Plane
from models.params import param
from models.runtime.context import go_on
from models.types import Float, Pixels, Refusal, Result

STEPS = (8, 4, 2, 1)
SLICE_S = 0.012  # the engine is busy for about this long at a time
LEAST, MOST = 8, 64
WISH = "which map goes on"


@dataclass(frozen=True)
class Params:
    """The plane, and the part of it to show."""

    code: str = param("seed:0", "Code", "The values of the other dimensions: seed:NUMBER, numbers, or an NPY file.")
    a: int = param(-1, "To the right", "The dimension along the map; -1 is one that matters.", low=-1, high=1e6, step=1)
    b: int = param(-1, "Up", "The dimension up the map; -1 is one that matters.", low=-1, high=1e6, step=1)
    through: str = param("", "Through", "Three codes, separated by semicolons, whose plane is shown instead.")
    x: float = param(0.0, "Middle, right", "The coordinate in the middle of the map.", low=-1e3, high=1e3)
    y: float = param(0.0, "Middle, up", "The coordinate in the middle of the map.", low=-1e3, high=1e3)
    zoom: float = param(1.0, "Zoom", "At 1 the map holds nearly all of the prior.", low=0.1, high=1e3)
    even: str = param(
        "value",
        "Even in",
        "Whether tiles are evenly spaced in value or, for normal dimensions, in the prior's probability.",
        choices=("value", "probability"),
        titles=("Value", "Probability"),
    )
    side: int = param(25, "Tiles a side", "How many rows and columns the map has.", low=2, high=100, step=1)
    speed: bool = param(False, "Speed", "Also show how fast the picture changes at each tile.")


class Tiles:
    """The images of a plane's grid, filled from coarse to fine; `known` marks those that are done."""

    def __init__(self, model: Any, plane: Plane, side: int) -> None:
        self.model, self.side = model, side
        self.codes: Float = plane.codes(plane.grid(side).reshape(-1, 2))
        self.pictures: Pixels = np.zeros((side * side, *model.shape[1:], 3), np.uint8)
        self.known = np.zeros(side * side, np.bool_)
        self.failure: Exception | None = None
        row, column = np.divmod(np.arange(side * side), side)
        turn = np.select([(row % step == 0) & (column % step == 0) for step in STEPS], range(len(STEPS)))
        self._order = np.argsort(turn, kind="stable")
        self._ends = np.cumsum(np.bincount(turn, minlength=len(STEPS)))
        self.first = int(self._ends[0])
        self.done = 0
        self._per_s = 0.0

    @property
    def nbytes(self) -> int:
        """The size of the images and codes in bytes."""
        return self.pictures.nbytes + self.codes.nbytes

    @property
    def complete(self) -> bool:
        """Whether all images are done."""
        return self.done == len(self._order)

    @property
    def fineness(self) -> int:
        """The smallest step such that every step-th row and column is complete."""
        return next(step for step, end in zip(STEPS[::-1], self._ends[::-1], strict=True) if self.done >= end)

    def step(self) -> None:
        """Generate the next tiles, about as many as fit into one time slice."""
        fitting = max(LEAST, min(int(SLICE_S * self._per_s), MOST))
        most = fitting if self.done >= self.first else self.first - self.done
        rows = self._order[self.done : self.done + most]
        begin = time.perf_counter()
        with torch.inference_mode():
            self.pictures[rows] = self.model.pictures(self.codes[rows])
        self._per_s = len(rows) / max(time.perf_counter() - begin, 1e-6)
        self.known[rows] = True
        self.done += len(rows)


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the map as far as it is done. Raises Refusal for codes or dimensions that do not span a plane."""
    plane, axes = _plane(model, params)
    key = (plane.origin.tobytes(), plane.u.tobytes(), plane.v.tobytes(), plane.x, plane.y, params.side)
    tiles: Tiles = stages.run("map", lambda: Tiles(model, plane, params.side), *key)
    idle = stages.context.later is not None
    wanted = tiles.first if idle else params.side**2
    while tiles.done < wanted:
        stages.progress(tiles.done / wanted, "map")
        stages.time("generate", tiles.step)
    go_on(stages, WISH, tiles)
    grid = (params.side, params.side)
    shown = tiles.pictures if tiles.complete else tiles.pictures.copy()  # idle work keeps writing to the original
    sides = [[axis.low, axis.high, axis.normal] for axis in (plane.x, plane.y)]
    arrays = {
        "pictures": shown.reshape(*grid, *tiles.pictures.shape[1:]),
        "known": tiles.known.reshape(grid).copy(),
        "origin": plane.origin,
        "u": plane.u,
        "v": plane.v,
        "sides": np.array(sides, np.float64),
    }
    if params.speed and tiles.complete:
        arrays["speed"] = speed(arrays["pictures"], tiles.codes.reshape(*grid, -1))
    meta = {"kind": "latent", "step": tiles.fineness, "axes": axes, "partial": not tiles.complete}
    return Result(arrays, {**meta, "collected": tiles.done, "of": params.side**2, "unit": "tiles"})


def speed(pictures: Pixels, codes: Float) -> Float:
    """Return how fast the image changes (n, n) at each tile of (n, n, H, W, 3), whose codes are (n, n, D).

    The value is the root of the squared derivatives along the two axes (central differences), summed over all pixels
    and channels; grey images count one channel. It is a coarse |J| on the plane.
    """
    grey = bool((pictures[..., 0] == pictures[..., 1]).all() and (pictures[..., 0] == pictures[..., 2]).all())
    values = (pictures[..., :1] if grey else pictures).reshape(*pictures.shape[:2], -1).astype(np.float32) / 255
    squares = np.zeros(pictures.shape[:2], np.float64)
    for axis in (0, 1):
        moved, way = (np.gradient(each, axis=axis) for each in (values, codes.astype(np.float64)))
        squares += (moved**2).sum(-1) / (way**2).sum(-1)
    return np.sqrt(squares).astype(np.float32)


def _plane(model: Any, params: Params) -> tuple[Plane, tuple[int, ...]]:
    seen = {"x": params.x, "y": params.y, "zoom": params.zoom}
    if params.through:
        codes = model.space.parse(params.through)
        if len(codes) != 3:
            raise Refusal(f"A plane goes through three codes, not {len(codes)}.", advice="Separate them by semicolons.")
        return planes.through(codes, **seen), ()
    codes = model.space.one(params.code)
    a, b = params.a, params.b
    if a < 0 or b < 0:
        own = planes.pair(model.space, model.card.about.get("kl", ()))
        a, b = planes.filled(a, b, own)
    plane = planes.of_dimensions(model.space, codes[0], a, b, **seen, probability=params.even == "probability")
    return plane, (a, b)


def _lacks(model: Any) -> dict[str, str]:
    """Return why a model's latent space has no map."""
    try:
        planes.pair(model.space)
    except Refusal as refusal:
        return {"": f"{refusal} {refusal.advice}"}
    return {}


INSPECTION = Inspection(
    id="manifold",
    title="Manifold map",
    help="Pictures of a grid of codes in a plane of the latent space.",
    needs=("Generates",),
    params=Params,
    answer=answer,
    reads="nothing",
    lacks=_lacks,
)
