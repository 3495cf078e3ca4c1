"""Paths through latent codes: interpolation suited to each block's prior, easing, and frame positions.

A code is a row of D numbers made of blocks, each a (kind, size): "gaussian" z ~ N(0, I), "uniform" on [-1, 1],
"categorical" one-hot over its size, "w" the output of a mapping network. Computed in float64, returned in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.types import Bool, Float, Int, Refusal

Real = NDArray[np.floating[Any]]
Blocks = Sequence[tuple[str, int]]

PARALLEL = 1e-4  # sine of the angle below which slerp falls back to lerp: they then differ by less than its square
ONE_HOT = 1e-6

EASINGS: Mapping[str, Callable[[Real], Real]] = {
    "linear": lambda t: t,
    "easeInQuad": lambda t: t**2,
    "easeOutQuad": lambda t: 1 - (1 - t) ** 2,
    "easeInOutQuad": lambda t: np.where(t < 0.5, 2 * t**2, 1 - 2 * (1 - t) ** 2),
    "easeInCubic": lambda t: t**3,
    "easeOutCubic": lambda t: 1 - (1 - t) ** 3,
    "easeInOutCubic": lambda t: np.where(t < 0.5, 4 * t**3, 1 - 4 * (1 - t) ** 3),
}


def lerp(a: ArrayLike, b: ArrayLike, t: ArrayLike) -> Float:
    """Return the straight line (T, D) from code a (D,) to b at t (T,) in 0 to 1; both ends exact."""
    return _between(_lerp, a, b, t)


def slerp(a: ArrayLike, b: ArrayLike, t: ArrayLike) -> Float:
    """Return (T, D): directions on the great circle from a (D,) to b, with norms linear in t (T,); both ends exact.

    Falls back to lerp where the directions are parallel, a code is zero, or D is 1. Between opposite directions the
    great circle is not unique, and picking one would be arbitrary: raises Refusal. Source: Shoemake 1985 for the
    directions; White 2016 (1609.04468) for latent codes. White applies the formula to the codes themselves; only here
    are the norms linear.
    """
    return _between(_slerp, a, b, t)


def variance_preserving(a: ArrayLike, b: ArrayLike, t: ArrayLike) -> Float:
    """Return ((1 - t) a + t b) / sqrt((1 - t)² + t²) as (T, D), N(0, I) at every t for independent draws a and b (D,).

    Similar codes are not independent draws: between them the norm grows, by a factor of sqrt(2) at most.
    """
    return _between(_variance_preserving, a, b, t)


METHODS = ("prior", "lerp", "slerp", "variance-preserving")


@dataclass(frozen=True)
class Segment:
    """The interpolation from one key to the next: a method for gaussian blocks ("prior" means slerp), and an easing.

    Other blocks have one method that stays on or near their prior: uniform and w blocks use a straight line,
    categorical ones cross-fade over the simplex.
    """

    method: str = "prior"
    easing: str = "linear"


@dataclass(frozen=True)
class Path:
    """A path through K `keys` (K, D), with one segment from each key to the next; `loop` adds one from last to first.

    Positions run from 0 to `span`, the number of segments; key k is at position k. Build it with `path`.
    """

    keys: NDArray[np.float64]
    blocks: Blocks
    segments: tuple[Segment, ...]
    loop: bool

    @property
    def span(self) -> int:
        """The position of the end: the number of segments."""
        return len(self.segments)

    def at(self, positions: ArrayLike) -> Float:
        """Return the codes (N, D) at positions (N,), without easing. Raises Refusal as `slerp` does."""
        segment, t = self.local(positions)
        codes = np.empty((len(segment), self.keys.shape[1]), np.float32)
        for row in np.unique(segment):
            here = segment == row
            a, b = self.keys[row], self.keys[(row + 1) % len(self.keys)]
            codes[here] = _blockwise(a, b, t[here], self.blocks, self.segments[row].method)
        return codes

    def local(self, positions: ArrayLike) -> tuple[Int, NDArray[np.float64]]:
        """Return the segment (N,) of each position (N,), and t (N,) from 0 to 1 within it."""
        at = np.clip(np.atleast_1d(np.asarray(positions, np.float64)), 0, self.span)
        segment = np.minimum(at.astype(np.int64), self.span - 1)
        return segment, at - segment

    def positions(self, frames: int) -> NDArray[np.float64]:
        """Return the position (N,) of each frame: all segments take equal time, each with its own easing.

        The last frame is the last key. In a loop it is the frame before the first key returns. Raises Refusal for fewer
        than one frame.
        """
        segment, t = self.local(shares(frames, loop=self.loop) * self.span)
        for row, one in enumerate(self.segments):
            here = segment == row
            t[here] = EASINGS[one.easing](t[here])
        return np.add(segment, t)

    def off_support(self, codes: Float) -> Bool:
        """Return which codes (N, D) have a categorical block that is not one-hot, unlike the training inputs."""
        off = np.zeros(len(codes), np.bool_)
        for kind, part in parts(self.blocks):
            if kind == "categorical":
                off |= codes[:, part].max(1) < 1 - ONE_HOT
        return off


def path(keys: ArrayLike, blocks: Blocks, *, segments: Sequence[Segment] = (), loop: bool = False) -> Path:
    """Build the path through keys (K, D). Missing segments get the defaults.

    Raises Refusal for fewer than two keys, keys of another length than the blocks, values that are not finite, more
    segments than gaps between keys, and unknown methods, easings or kinds of block.
    """
    rows = np.asarray(keys, np.float64)
    if rows.size == 0 or len(rows) < 2:
        found = "no key" if rows.size == 0 else "one key"
        raise Refusal(f"A path has to lead from one key to another; there is {found}.", advice="Add a key.")
    size = sum(count for _, count in blocks)
    if rows.ndim != 2 or rows.shape[1] != size:
        raise Refusal(
            f"Keys of shape {rows.shape} do not fit: a code here has {size} numbers.", advice="Check the keys."
        )
    if not np.isfinite(rows).all():
        where = ", ".join(str(k + 1) for k in np.flatnonzero(~np.isfinite(rows).all(1)))
        raise Refusal(f"Key {where} has values that are not finite.", advice="Replace it.")
    between = len(rows) - (not loop)
    if len(segments) > between:
        raise Refusal(f"{len(segments)} segments were given for {between} gaps.", advice="Leave some out.")
    for one in segments:
        _known(one.method, METHODS, "way to interpolate")
        _known(one.easing, tuple(EASINGS), "easing")
    for kind, _ in blocks:
        _known(kind, ("gaussian", "uniform", "categorical", "w"), "kind of latent block")
    full = (*segments, *[Segment()] * (between - len(segments)))
    return Path(rows, tuple(blocks), full, loop)


def parts(blocks: Blocks) -> list[tuple[str, slice]]:
    """Return each block's kind and its slice of the code."""
    ends = np.cumsum([0, *(count for _, count in blocks)]).tolist()
    return [(kind, slice(ends[row], ends[row + 1])) for row, (kind, _) in enumerate(blocks)]


def shares(frames: int, *, loop: bool) -> NDArray[np.float64]:
    """Return the time (N,) of each frame as a share of the whole. Raises Refusal for fewer than one frame."""
    if frames < 1:
        raise Refusal(f"A path cannot have {frames} frames.", advice="Ask for one or more.")
    return np.arange(frames) / (frames if loop else max(frames - 1, 1))


def _blockwise(a: Real, b: Real, t: Real, blocks: Blocks, method: str) -> Real:
    ways = {"prior": _slerp, "slerp": _slerp, "lerp": _lerp, "variance-preserving": _variance_preserving}
    codes = np.empty((len(t), len(a)))
    for kind, part in parts(blocks):
        way = ways[method] if kind == "gaussian" else _lerp
        codes[:, part] = way(a[part], b[part], t[:, None])
    return codes


def _between(way: Callable[[Real, Real, Real], Real], a: ArrayLike, b: ArrayLike, t: ArrayLike) -> Float:
    times = np.atleast_1d(np.asarray(t, np.float64))[:, None]
    return way(np.asarray(a, np.float64), np.asarray(b, np.float64), times).astype(np.float32)


def _lerp(a: Real, b: Real, t: Real) -> Real:
    return np.where(t == 1, b, a + t * (b - a))


def _variance_preserving(a: Real, b: Real, t: Real) -> Real:
    return ((1 - t) * a + t * b) / np.sqrt((1 - t) ** 2 + t**2)


def _slerp(a: Real, b: Real, t: Real) -> Real:
    norm_a, norm_b = np.linalg.norm(a), np.linalg.norm(b)
    if len(a) == 1 or norm_a == 0 or norm_b == 0:
        return _lerp(a, b, t)
    u, v = a / norm_a, b / norm_b
    # Kahan's formula for the angle: the arc cosine loses half its digits near 0 and pi, where they matter here.
    omega = 2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    if np.sin(omega) < PARALLEL:
        if omega > 1:
            advice = "Put a key between them, or go straight (lerp)."
            raise Refusal("Two keys lie opposite each other: there is no shortest way round.", advice=advice)
        return _lerp(a, b, t)
    direction = (np.sin((1 - t) * omega) * u + np.sin(t * omega) * v) / np.sin(omega)
    round_ = direction * ((1 - t) * norm_a + t * norm_b)
    return np.where(t == 0, a, np.where(t == 1, b, round_))


def _known(name: str, names: Sequence[str], what: str) -> None:
    if name not in names:
        raise Refusal(f"There is no {what} {name!r}.", advice=f"There are {', '.join(names)}.")
