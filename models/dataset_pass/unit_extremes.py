"""What a pass with the product `Patches` found for the units of one layer, merged from the parts of a data set."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.dataset_pass.products.patches import SIDE
from models.datasets.collected import Collected
from models.types import Float, Int

Places = NDArray[np.uint32]


@dataclass(frozen=True)
class UnitLayer:
    """A layer with units: the id of its call, the kind of its module, its number of channels."""

    id: str
    kind: str
    channels: int


@dataclass(frozen=True, eq=False)
class Ranked:
    """Values with the rows of their pictures in the data set and places in the layer; K by C, or K of one unit."""

    values: Float
    rows: Int
    at: Places

    def of(self, channel: int) -> Ranked:
        """Return those of one unit."""
        return Ranked(self.values[:, channel], self.rows[:, channel], self.at[:, channel])

    def cell(self, rank: int) -> tuple[int, int]:
        """Return row and column in the layer's grid of one unit's value."""
        return int(self.at[rank]) // SIDE, int(self.at[rank]) % SIDE

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class UnitValues:
    """A layer's C units over `pictures` pictures: `top` and `low` (K, C), `sample` (S, C), `fires` (C,) in how many."""

    pictures: int
    top: Ranked
    low: Ranked
    sample: Ranked
    fires: Int

    def median(self, channel: int, count: int) -> Ranked:
        """Return the pictures of the sample around a unit's median, smallest first."""
        one = self.sample.of(channel)
        order = np.lexsort((one.rows, one.values))
        first = max(0, min((len(order) - 1) // 2 - count // 2, len(order) - count))
        chosen = order[first : first + count]
        return Ranked(one.values[chosen], one.rows[chosen], one.at[chosen])


def layers(collected: Collected) -> list[UnitLayer]:
    """Return the layers that every picture has, in the order of the network; none before the first part is done."""
    parts = [about for _, about in _abouts(collected)]
    if not parts:
        return []
    tables = [{name: (kind, channels) for name, kind, channels in about["layers"]} for about in parts]
    calls = [dict(about["calls"]) for about in parts]
    return [
        UnitLayer(name, *tables[0][owner])
        for name, owner in calls[0].items()
        if all(each.get(name) == owner for each in calls) and len({each[owner] for each in tables}) == 1
    ]


def unit_values(collected: Collected, layer: str, *, count: int) -> UnitValues:
    """Return the units of a layer, at most `count` pictures at either end. Raises KeyError for an unknown layer."""
    found: dict[str, list[np.ndarray]] = {}
    pictures = 0
    for first, about in _abouts(collected):
        part = dict(collected.parts)[first].merged
        owner, begin = dict(about["calls"]).get(layer), 0
        for name, _, channels in about["layers"]:
            if name == owner:
                break
            begin += channels
        else:
            raise KeyError(layer)
        span = slice(begin, begin + channels)
        pictures += about["pictures"]
        for end in ("top", "low"):
            rows = np.asarray(part[f"patches.{end}_row"][:, span], np.int64)
            there = rows[:, 0] >= 0 if channels else np.zeros(0, np.bool_)
            found.setdefault(f"{end}_row", []).append(rows[there] + first)
            for name in (end, f"{end}_at"):
                found.setdefault(name, []).append(part[f"patches.{name}"][:, span][there])
        rows = np.asarray(part["patches.sample_row"], np.int64) + first
        found.setdefault("sample_row", []).append(np.broadcast_to(rows[:, None], (len(rows), channels)))
        for name in ("sample", "sample_at"):
            found.setdefault(name, []).append(part[f"patches.{name}"][:, span])
        found.setdefault("fires", []).append(part["patches.fires"][span])
    if not found:
        raise KeyError(layer)
    ends = []
    for end, sign in (("top", -1), ("low", 1)):
        values, rows, at = (np.concatenate(found[name]) for name in (end, f"{end}_row", f"{end}_at"))
        order = np.lexsort((rows, sign * values), axis=0)[:count]
        ends.append(Ranked(*(np.take_along_axis(each, order, 0) for each in (values, rows, at))))
    sample = Ranked(*(np.concatenate(found[name]) for name in ("sample", "sample_row", "sample_at")))
    return UnitValues(pictures, ends[0], ends[1], sample, np.sum(found["fires"], 0).astype(np.int64))


def _abouts(collected: Collected) -> list[tuple[int, dict]]:
    """Return what the parts tell of themselves, with their first rows; parts without a usable picture are left out."""
    told = [(first, json.loads(bytes(np.asarray(each)))) for first, each in collected.merged("patches.about")]
    return [(first, about) for first, about in told if about["pictures"]]
