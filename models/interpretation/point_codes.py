"""How outputs stand for named points of the picture: heat maps, coordinates, or one axis at a time (SimCC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from models.interpretation.finds import Finds, placed
from models.interpretation.map_codes import as_maps
from models.interpretation.network_reading import POINTS, Reading

HEAT_MAPS, COORDINATES, AXES = "heat maps", "coordinates", "axes"
SHARES, PIXELS, CENTRED = "shares", "pixels", "-1 to 1"
XY, YX, APART = "xy", "yx", "x then y"
KNOWN_COUNTS = (4, 5, 14, 16, 17, 19, 21, 29, 33, 42, 68, 98, 106, 133, 194, 468, 478)
# Numbers of points by how many numbers each has: x y; x y z, or with a score; x y z, visibility, presence (BlazePose).
COUNTS = {2: KNOWN_COUNTS, 3: (17, 21, 33, 68, 468, 478), 5: (33, 39)}
LIKELY, ALIKE, POSSIBLE = 0.7, 0.55, 0.3
MANY = 60  # numbers
MOSTLY = 0.6
GROUPS = {2: "pairs", 3: "triples", 5: "quintuples"}
LEAST_SPREAD = 0.11  # of points along each axis, in shares of the picture


@dataclass(frozen=True)
class PointCode:
    """Outputs as points of the input.

    `form` "heat maps": each map of output `part` has its peak at a point. "coordinates": numbers of output `part`, for
    each point `width` of them, in an `order`, in `unit`; the third is a score where `scored`. "axes": outputs `part`
    and `other` have for each point one number for every place along x and along y.
    """

    part: int
    form: str
    unit: str = SHARES
    order: str = XY
    width: int = 2
    scored: bool = False
    other: int = -1
    channels_last: bool = False

    def points(self, floats: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Return x, y in px of an input of `size` (h, w) and score (N, P, 3); the score is 1 where there is none."""
        frame = torch.tensor([size[1], size[0]], dtype=torch.float32)
        if self.form == HEAT_MAPS:
            maps = as_maps(floats[self.part], channels_last=self.channels_last).float()
            return peaks(maps, frame.to(maps) / maps.new_tensor([maps.shape[3], maps.shape[2]]))
        if self.form == AXES:
            x, y = floats[self.part].float(), floats[self.other].float()
            best = torch.stack([x.argmax(-1) / x.shape[-1] * size[1], y.argmax(-1) / y.shape[-1] * size[0]], -1)
            score = torch.minimum(x.amax(-1), y.amax(-1))
            return torch.cat([best, score[..., None]], -1)
        values = floats[self.part].float()
        rows = values.flatten(1)
        if self.order == APART:
            rows = rows.unflatten(1, (2, -1)).transpose(1, 2)
        else:
            rows = rows.unflatten(1, (-1, self.width))
        xy = rows[..., :2].flip(-1) if self.order == YX else rows[..., :2]
        frame = frame.to(xy)
        xy = xy * frame if self.unit == SHARES else (xy + 1) / 2 * frame if self.unit == CENTRED else xy
        score = rows[..., 2:3] if self.scored else torch.ones_like(rows[..., :1])
        return torch.cat([xy, score], -1)

    def maps(self, floats: Sequence[Tensor]) -> Tensor | None:
        """Return the heat maps (N, P, h, w) that points were found in, None for coordinates."""
        return as_maps(floats[self.part], channels_last=self.channels_last) if self.form == HEAT_MAPS else None

    def finds(self, floats: Sequence[Tensor], x: Tensor, **more: Any) -> Finds:
        """Return the points in pixels of the original image."""
        way, found = more["preprocess"], self.points(floats, more["preprocess"].size)[0]
        xy = placed(found[:, :2].numpy(), way, more["picture"])
        points = torch.cat([torch.from_numpy(xy), found[:, 2:]], 1).numpy()
        height, width = way.size
        inside = ((found[:, :2] >= 0) & (found[:, :2] <= found.new_tensor([width, height]))).all(1)
        return Finds(f"{len(points)} points, {int(inside.sum())} of them in the picture", "points", {"points": points})


def peaks(maps: Tensor, cell: Tensor) -> Tensor:
    """Return the peak of each map (N, P, h, w): x, y in px, where a cell is `cell` (w, h) px, and its height (N, P, 3).

    The place between cells is that of a parabola through the peak and its neighbours along each axis, of logarithms
    where all are above 0, which is exact for a Gaussian (Zhang et al. 2020).
    """
    height, width = maps.shape[2:]
    score, at = maps.flatten(2).max(2)
    y, x = at // width, at % width
    moved = []
    for place, side, step in ((x, width, 1), (y, height, width)):
        inner = (place > 0) & (place < side - 1)
        flat = maps.flatten(2)
        ends = [flat.gather(2, (at + sign * step).clamp(0, flat.shape[2] - 1)[..., None])[..., 0] for sign in (-1, 1)]
        before, after = ends
        above = (before > 0) & (after > 0) & (score > 0)
        logs = [torch.where(above, v.clamp_min(1e-12).log(), v) for v in (before, score, after)]
        bend = logs[0] - 2 * logs[1] + logs[2]
        shift = torch.where(bend < 0, (logs[0] - logs[2]) / (2 * bend.clamp_max(-1e-12)), torch.zeros_like(bend))
        moved.append(place + torch.where(inner, shift.clamp(-0.5, 0.5), torch.zeros_like(shift)))
    return torch.stack([(moved[0] + 0.5) * cell[0], (moved[1] + 0.5) * cell[1], score], -1)


def by_shape(floats: Sequence[Tensor], size: tuple[int, int]) -> list[PointCode]:
    """Return the codes that the shapes of outputs allow: (1, P, 2 or 3), (1, 1, P, 3), or two of (1, P, n * side)."""
    found = []
    for part, tensor in enumerate(floats):
        shape = [n for n in tensor.shape[1:] if n != 1]
        if len(shape) == 2 and shape[1] in (2, 3) and 2 <= shape[0] <= 2 * KNOWN_COUNTS[-1] and tensor.ndim < 5:
            found.append(PointCode(part, COORDINATES, width=shape[1]))
        for other, second in enumerate(floats):
            pair = tensor.ndim == second.ndim == 3 and other != part and tensor.shape[1] == second.shape[1]
            fits = pair and tensor.shape[2] / size[1] == second.shape[2] / size[0] in (1, 2, 3, 4)
            if fits and (size[0] != size[1] or part < other):  # of a square input the first is x
                found.append(PointCode(part, AXES, other=other))
    return found


def readings(floats: Sequence[Tensor], size: tuple[int, int]) -> list[Reading]:
    """Return the readings of outputs for one photo on an input of `size` (h, w) as points, by their shapes."""
    found = []
    for code in by_shape(floats, size):
        if code.form == AXES:
            count = floats[code.part].shape[1]
            evidence = f"Two outputs with {count} rows each, as long as the input is wide and high, or a multiple."
            title = f"landmarks: {count} points, one axis at a time (SimCC)"
            found.append(Reading("axes", title, POINTS, 0.85, (evidence,), code.part, code))
        else:
            found += _coordinates(floats[code.part].flatten(1), code, size, fit=LIKELY)
    return found


def may_be(row: Tensor, size: tuple[int, int], *, sure: bool = False) -> bool:
    """Return whether a vector (1, K) for a photograph may be coordinates of points that lie in the picture.

    Where pictures are prepared as in training, which is `sure`, they lie in it and apart. Otherwise prepared they lie
    elsewhere, but still more of them in the picture than out of it.
    """
    if row.shape[1] < 4:
        return False
    own = [PointCode(0, COORDINATES, width=width) for width in widths(row.shape[1])]
    codes = [each.how for code in own for each in _coordinates(row, code, size, fit=LIKELY)]
    return any(_spread(code, row, size) if sure else _inside(code, row, size) > MOSTLY for code in codes)


def widths(count: int) -> list[int]:
    """Return how many numbers each point may have where a vector of `count` is points of a usual number."""
    return [width for width, known in COUNTS.items() if count % width == 0 and count // width in known]


def of_vector(rows: Tensor, part: int, size: tuple[int, int], *, named: bool = False) -> list[Reading]:
    """Return the readings of vectors (N, K) for N photos as coordinates of points, likely ones first.

    Landmarks lie in the picture and hardly differ between photos, while scores of classes do. Those of an output that
    is `named` so need only lie in it.
    """
    count = rows.shape[1]
    own = widths(count) or [2]
    if (own == [2] and count % 2) or count < 4:
        return []
    codes = [PointCode(part, COORDINATES, width=width) for width in own]
    fit = POSSIBLE if widths(count) else 0.15
    spread = rows.std(1).mean()
    moved = (rows - rows.mean(0)).abs().mean() if len(rows) > 1 else spread
    if widths(count) and count >= 8 and moved < 0.5 * spread:
        fit = LIKELY
    found = [each for code in codes for each in _coordinates(rows, code, size, fit=fit)]
    if named:
        return [replace(e, fit=_inside(e.how, rows, size) * (LIKELY if e == found[0] else POSSIBLE)) for e in found]
    if fit < ALIKE and widths(count) and count >= MANY and found and _inside(found[0].how, rows, size) > 0.95:
        found[0] = replace(found[0], fit=ALIKE)  # so many numbers that all lie in the picture are hardly scores: asked
        return found
    return [each if _spread(each.how, rows, size) else replace(each, fit=min(each.fit, POSSIBLE)) for each in found]


def _spread(code: PointCode, rows: Tensor, size: tuple[int, int]) -> bool:
    """Return whether points lie in the picture and apart from each other, as landmarks do; scores of classes do not."""
    points = _shares(code, rows, size)
    return _inside(code, rows, size) > 0.95 and bool(points.std(1).amin() > LEAST_SPREAD)


def _inside(code: PointCode, rows: Tensor, size: tuple[int, int]) -> float:
    """Return the share of points that lie in the picture."""
    points = _shares(code, rows, size)
    return float(((points > -0.02) & (points < 1.02)).all(-1).float().mean())


def _shares(code: PointCode, rows: Tensor, size: tuple[int, int]) -> Tensor:
    floats = [rows] * (code.part + 1)
    return code.points(floats, size)[..., :2] / rows.new_tensor([size[1], size[0]])


def _coordinates(rows: Tensor, code: PointCode, size: tuple[int, int], *, fit: float) -> list[Reading]:
    """Return the readings of numbers (N, K) as coordinates, in the unit that keeps most of them in the picture."""
    columns = rows.unflatten(1, (-1, code.width))[..., :2].flatten()
    low, high = float(columns.quantile(0.02)), float(columns.quantile(0.98))
    units = {SHARES: low >= -0.5 and high <= 1.6, CENTRED: -1.2 <= low < -0.2 and high <= 1.2}
    units[PIXELS] = high > 3 and low > -0.5 * max(size) and high < 1.5 * max(size)
    fitting = [unit for unit, fits in units.items() if fits]
    unit = CENTRED if units[CENTRED] and low < -0.5 else fitting[0] if fitting else PIXELS
    fit = fit if fitting else 0.1
    third = rows.unflatten(1, (-1, code.width))[..., 2] if code.width == 3 else None
    scored = third is not None and bool((third >= 0).all() and (third <= 1 + 1e-4).all())
    count = rows.shape[1] // code.width
    first = YX if scored and unit == SHARES and count == 17 else XY  # MoveNet gives y, x, score
    found = []
    for order in dict.fromkeys((first, XY, YX, *((APART,) if code.width == 2 else ()))):
        own = PointCode(code.part, COORDINATES, unit, order, code.width, scored)
        evidence = f"{count} {GROUPS[code.width]} of numbers from {low:.3g} to {high:.3g}"
        evidence += f", taken as {unit} of the input" if unit != PIXELS else ", taken as pixels of the input"
        title = f"landmarks: coordinates of {count} points in {unit}, {order}"
        name = f"points-{unit.replace(' ', '')}-{order.replace(' ', '-')}"
        found.append(
            Reading(name, title, POINTS, fit if order == first else fit * 0.5, (f"{evidence}.",), code.part, own)
        )
    return found
