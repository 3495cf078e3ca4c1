"""The layout of activation tensors: which dimensions are channels and which are spatial positions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

NCHW, NHWC, TOKENS, CLASS_TOKEN, VECTOR, OTHER = "NCHW", "NHWC", "tokens", "class token + tokens", "vector", "other"
MORE_TOKENS = "more tokens + tokens"
SPATIAL = (NCHW, NHWC, TOKENS, CLASS_TOKEN, MORE_TOKENS)
MOST_MORE = 104  # most tokens without a position if the grid is known from an earlier map: YOLOS has 101
MOST_GUESSED = 16  # the same if the grid has to be guessed
Grid = tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """A layout's name, number of channels, and grid (h, w) of positions; (0, 0) if it has none.

    Tokens without a position, such as class tokens and registers, come `before` or `after` the positions.
    """

    name: str
    channels: int = 0
    grid: tuple[int, int] = (0, 0)
    before: int = 0
    after: int = 0

    @property
    def spatial(self) -> bool:
        """Whether there is more than one position."""
        return self.name in SPATIAL and self.grid[0] * self.grid[1] > 1

    def planes(self, value: Tensor) -> Tensor:
        """Return activations as (N, C, h, w), without the tokens that have no position. Differentiable."""
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
    """Return the layout of a tensor (N, ...) in a network whose input is `size` (h, w).

    Grids must have the input's proportions, up to a rounding of one cell. If both orders fit equally well,
    `channels_last` decides. `grids` are those of earlier maps in the same pass: a sequence of tokens is matched with
    one of them plus any number of extra tokens, `before` of which precede the positions (None = all).
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
    """Return the grid of a sequence of tokens, None if it is no grid of the picture."""
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
    """Return how far a grid deviates from the input's proportions.

    0 is exact, infinite beyond a rounding of one cell.
    """
    (h, w), (height, width) = grid, size
    if h > 2 * height or w > 2 * width:
        return math.inf
    off = abs(h * width - w * height)
    return off / (h * width) if off <= max(height, width) else math.inf


def _grid(count: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the grid of `count` positions that has the input's proportions, None if there is none."""
    if count < 2:
        return None
    rows = round(math.sqrt(count * size[0] / size[1]))
    if rows < 1 or count % rows:
        return None
    grid = (rows, count // rows)
    return grid if _misfit(grid, size) < math.inf else None
