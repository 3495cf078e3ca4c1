"""How a tensor of activations is laid out: which of its dimensions are channels and which are places. No network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

NCHW, NHWC, TOKENS, CLASS_TOKEN, VECTOR, OTHER = "NCHW", "NHWC", "tokens", "class token + tokens", "vector", "other"
MORE_TOKENS = "more tokens + tokens"
SPATIAL = (NCHW, NHWC, TOKENS, CLASS_TOKEN, MORE_TOKENS)
MOST_MORE = 64  # tokens without a place, where a map before tells the grid
MOST_GUESSED = 16  # where nothing does
Grid = tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """A layout's name, its channels, and its grid (h, w) of places; (0, 0) where it has none.

    Tokens that stand for no place, as class tokens and registers, are `before` the places and `after` them.
    """

    name: str
    channels: int = 0
    grid: tuple[int, int] = (0, 0)
    before: int = 0
    after: int = 0

    @property
    def spatial(self) -> bool:
        """Whether there is more than one place."""
        return self.name in SPATIAL and self.grid[0] * self.grid[1] > 1

    def planes(self, value: Tensor) -> Tensor:
        """Return activations of this layout as (N, C, h, w); tokens without a place are left out. Differentiable."""
        h, w = self.grid
        match self.name:
            case "NCHW":
                return value
            case "NHWC":
                return value.permute(0, 3, 1, 2)
            case "tokens" | "class token + tokens" | "more tokens + tokens":
                places = value[:, self.before : self.before + h * w]
                return places.transpose(1, 2).reshape(len(value), -1, h, w)
        raise ValueError(f"{self.name} has no places.")


@lru_cache(4096)
def layout_of(
    shape: tuple[int, ...],
    size: tuple[int, int],
    *,
    channels_last: bool = False,
    grids: tuple[Grid, ...] = (),
    before: int | None = None,
) -> Layout:
    """Tell the layout of a tensor (N, ...) in a network whose input is `size` (h, w).

    Places keep the input's proportions, within one cell of rounding. Where both orders would fit equally well,
    `channels_last` decides. `grids` are those of maps that came before in the same pass: rows of tokens have one of
    them, and any number of tokens more, `before` of which come first (None = all).
    """
    match shape:
        case (_, a, b, c):
            first, last = _misfit((b, c), size), _misfit((a, b), size)
            if min(first, last) == math.inf:
                return Layout(OTHER)
            if last < first or (last == first and channels_last):
                return Layout(NHWC, c, (a, b))
            return Layout(NCHW, a, (b, c))
        case (_, tokens, channels):
            grid = _token_grid(tokens, size, grids)
            if grid is None:
                return Layout(OTHER)
            more = tokens - grid[0] * grid[1]
            first = more if before is None else min(before, more)
            name = {0: TOKENS, 1: CLASS_TOKEN}.get(more, MORE_TOKENS)
            return Layout(name, channels, grid, first, more - first)
        case (_, channels):
            return Layout(VECTOR, channels)
    return Layout(OTHER)


def _token_grid(tokens: int, size: tuple[int, int], grids: tuple[Grid, ...]) -> Grid | None:
    """Return the grid of so many tokens, None where they are no grid of the picture."""
    fitting = [(tokens - h * w, (h, w)) for h, w in grids if 0 <= tokens - h * w <= min(MOST_MORE, h * w)]
    if fitting:
        return min(fitting)[1]
    for more in (0, 1):
        if found := _grid(tokens - more, size):
            return found
    for more in range(2, 0 if grids else MOST_GUESSED + 1):
        found = _grid(tokens - more, size)
        if found and _misfit(found, size) == 0:
            return found
    return None


def _misfit(grid: tuple[int, int], size: tuple[int, int]) -> float:
    """Return how far a grid is from the proportions of the input: 0 is exact, infinite beyond one cell of rounding."""
    (h, w), (height, width) = grid, size
    if h > 2 * height or w > 2 * width:
        return math.inf
    off = abs(h * width - w * height)
    return off / (h * width) if off <= max(height, width) else math.inf


def _grid(count: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the grid of so many places that has the proportions of the input, None if there is none."""
    if count < 2:
        return None
    rows = round(math.sqrt(count * size[0] / size[1]))
    if rows < 1 or count % rows:
        return None
    grid = (rows, count // rows)
    return grid if _misfit(grid, size) < math.inf else None
