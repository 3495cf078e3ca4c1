"""Planes through a latent space, spanned by two of its dimensions or by three codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from models.latent.space import Space
from models.types import Float, Refusal

REACH = {"gaussian": 3.0, "w": 3.0, "uniform": 1.0}
REACH_CODES = 1.25  # the three codes are at distance 1 from the centre
NEARLY_A_LINE = 1e-3  # sine of the angle between the two directions
OFF = 1e-3  # as a share of the plane's `measure`
NORMAL = NormalDist()


@dataclass(frozen=True)
class Axis:
    """One side of the map, from `low` to `high`. With `normal` it is spaced evenly in standard normal probability."""

    low: float
    high: float
    normal: bool = False

    def value(self, share: float) -> float:
        """Return the coordinate at a share of the side: 0 is `low`, 1 is `high`."""
        if not self.normal:
            return self.low + (self.high - self.low) * share
        low, high = NORMAL.cdf(self.low), NORMAL.cdf(self.high)
        return NORMAL.inv_cdf(min(max(low + (high - low) * share, 1e-12), 1 - 1e-12))

    def share(self, value: float) -> float:
        """Return the share of the side at which a coordinate lies; below 0 or above 1 outside the map."""
        if not self.normal:
            return (value - self.low) / (self.high - self.low)
        low, high = NORMAL.cdf(self.low), NORMAL.cdf(self.high)
        return (NORMAL.cdf(value) - low) / (high - low)


@dataclass(frozen=True, eq=False)
class Plane:
    """The codes origin + x u + y v, for x and y on the two axes: x to the right, y up.

    `origin`, `u` and `v` are (D,) float32. A place on the map is given as shares of its width and height, from the top
    left.
    """

    origin: Float
    u: Float
    v: Float
    x: Axis
    y: Axis

    def code(self, x: float, y: float) -> Float:
        """Return the code (D,) at a pair of coordinates."""
        return self.codes(np.array([[x, y]]))[0]

    def codes(self, coordinates: np.ndarray) -> Float:
        """Return the codes (N, D) at coordinates (N, 2)."""
        x, y = np.asarray(coordinates, np.float64).T
        made = self.origin + x[:, None] * self.u.astype(np.float64) + y[:, None] * self.v.astype(np.float64)
        return made.astype(np.float32)

    def coordinates(self, across: float, down: float) -> tuple[float, float]:
        """Return the coordinates of a place on the map."""
        return self.x.value(across), self.y.value(1 - down)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a pair of coordinates, which may lie outside the map."""
        return self.x.share(x), 1 - self.y.share(y)

    def grid(self, side: int) -> np.ndarray:
        """Return the coordinates (side, side, 2) of the centres of tiles, first row at the top."""
        middles = (np.arange(side) + 0.5) / side
        x = np.array([self.x.value(share) for share in middles])
        y = np.array([self.y.value(1 - share) for share in middles])
        return np.stack(np.meshgrid(x, y), -1)

    def project(self, codes: Float) -> tuple[np.ndarray, np.ndarray]:
        """Project codes (N, D) onto the plane. Return their coordinates (N, 2) and distances from it (N,)."""
        axes = np.stack([self.u, self.v], 1).astype(np.float64)
        away = np.atleast_2d(codes).astype(np.float64) - self.origin
        found = np.linalg.lstsq(axes, away.T, rcond=None)[0].T
        return found, np.linalg.norm(away - found @ axes.T, axis=1)

    @property
    def measure(self) -> float:
        """The extent of the map in latent space along its shorter side."""
        return float(
            min((axis.high - axis.low) * np.linalg.norm(way) for axis, way in ((self.x, self.u), (self.y, self.v)))
        )

    def holds(self, distance: float) -> bool:
        """Return whether a code at this distance lies in the plane, up to rounding."""
        return distance <= OFF * self.measure


def free(space: Space) -> list[int]:
    """Return the dimensions a code can move along: all except those of categorical blocks."""
    return [row for block, part in space.parts() if block.kind != "categorical" for row in range(part.start, part.stop)]


def pair(space: Space, nats: Sequence[float] | Float = ()) -> tuple[int, int]:
    """Return the two dimensions to show first.

    These are the ones with the largest KL divergence `nats` (D,) if known, else the first two uniform ones (training
    gave them a meaning), else the first two. Raises Refusal if there are fewer than two.
    """
    rows = free(space)
    if len(rows) < 2:
        raise Refusal(
            f"A map needs two dimensions to go along; this model's codes have {'one' if rows else 'none'}.",
            advice="Move its control under Explore.",
        )
    known = np.asarray(nats, np.float64)
    if known.shape == (space.size,):
        best = sorted(rows, key=lambda row: -known[row])
        return best[0], best[1]
    uniform = [row for block, part in space.parts() if block.kind == "uniform" for row in range(part.start, part.stop)]
    first = uniform if len(uniform) >= 2 else rows
    return first[0], first[1]


def filled(a: int, b: int, own: tuple[int, int]) -> tuple[int, int]:
    """Replace each -1 in the pair by one of the model's `own` dimensions, never the same one twice."""
    if a < 0 and b < 0:
        return own
    left = [row for row in own if row not in (a, b)]
    return (left[0], b) if a < 0 else (a, left[0])


def of_dimensions(
    space: Space,
    code: Float,
    a: int,
    b: int,
    *,
    x: float = 0.0,
    y: float = 0.0,
    zoom: float = 1.0,
    probability: bool = False,
) -> Plane:
    """Return the plane of dimensions `a` (right) and `b` (up) centred on (x, y), the others fixed as in `code` (D,).

    With `probability`, gaussian dimensions are spaced evenly in probability (Kingma and Welling 2014, figure 4). Raises
    Refusal for a dimension that cannot be moved along, or the same one twice.
    """
    rows = free(space)
    for row in (a, b):
        if row not in rows:
            known = f"from 0 to {space.size - 1}" + ("" if len(rows) == space.size else ", without those of a category")
            raise Refusal(f"Dimension {row} cannot be an axis.", advice=f"Choose two {known}.")
    if a == b:
        raise Refusal(
            f"Both axes are dimension {a}: that gives a line, not a plane.", advice="Choose another for one of them."
        )
    kinds = {row: block.kind for block, part in space.parts() for row in range(part.start, part.stop)}
    origin, u, v = np.array(code, np.float32), np.zeros(space.size, np.float32), np.zeros(space.size, np.float32)
    origin[[a, b]] = 0
    u[a] = v[b] = 1
    sides = []
    for row, middle in ((a, x), (b, y)):
        half = REACH[kinds[row]] / zoom
        sides.append(Axis(middle - half, middle + half, probability and kinds[row] == "gaussian"))
    return Plane(origin, u, v, *sides)


def through(codes: Float, *, x: float = 0.0, y: float = 0.0, zoom: float = 1.0) -> Plane:
    """Return the plane through three codes (3, D), placed at (-1, -1), (1, -1) and (-1, 1); at (1, 1) lies B + C - A.

    Raises Refusal if they are collinear.
    """
    a, b, c = codes.astype(np.float64)
    u, v = (b - a) / 2, (c - a) / 2
    long = np.linalg.norm(u), np.linalg.norm(v)
    cosine = float(u @ v / (long[0] * long[1])) if min(long) > 0 else 1.0
    if 1 - cosine * cosine < NEARLY_A_LINE**2:
        raise Refusal("The three codes lie on one line, so they span no plane.", advice="Put another code aside.")
    half = REACH_CODES / zoom
    origin, u, v = (each.astype(np.float32) for each in ((b + c) / 2, u, v))
    return Plane(origin, u, v, Axis(x - half, x + half), Axis(y - half, y + half))
