"""Patches: where in the pictures every unit of every traced layer has its largest value, in one pass for all of them.

A unit is a channel of a map or of tokens, or a value of a vector; what counts of a picture is its largest value over
the places. A part has these merged arrays, the units of all layers side by side (U,), rows being those of the part:
`patches.top` (K, U) the K largest values, largest first, with `patches.top_row` and `patches.top_at`; `patches.low`
the K smallest of the same values, smallest first, in the same way; `patches.sample` (S, U) those of every `every`-th
picture with `patches.sample_row` (S,) and `patches.sample_at`; `patches.fires` (U,) in how many pictures the value is
above 0; `patches.about`, JSON as bytes: how many `pictures`, the `layers` with id, kind and number of channels, and all
`calls` in order with the layer whose very tensor each returns, as a block returns that of its last module.
Where there are fewer than K pictures, values are NaN and rows -1. A place is row * 65536 + column in the layer's grid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from models.dataset_pass.batch import Batch
from models.dataset_pass.forward import Forward
from models.dataset_pass.product import Array, Collecting
from models.runtime.forward_passes import repetition
from models.tracing.tensor_layout import VECTOR
from models.tracing.traced_calls import Call

KEPT = 9
BUFFERED = 128  # pictures between two merges
SIDE = 65536
SAMPLE = 512  # pictures; twice as many at most
Maxima = tuple[Tensor, Tensor, int]


@dataclass(frozen=True)
class Patches:
    """The `kept` pictures at either end for each unit, and the values of every `every`-th picture."""

    name: ClassVar[str] = "patches"
    version: ClassVar[int] = 1
    every: int = 1
    kept: int = KEPT

    @classmethod
    def of(cls, pictures: int) -> Patches:
        """Return the product for a data set of so many pictures: all of them are sampled up to `SAMPLE`."""
        every = 1
        while pictures > 2 * SAMPLE * every:
            every *= 2
        return cls(1 if pictures <= SAMPLE else every)

    @property
    def wants_inputs(self) -> tuple[str, ...]:
        """No module's inputs."""
        return ()

    def collector(self, forward: Forward) -> Collecting:
        """Return a collector."""
        behaviour = getattr(forward.model, "behaviour", None)
        return _Extremes(self, getattr(behaviour, "repeats", 1))


def planes_of(call: Call, value: Tensor) -> Tensor | None:
    """Return a call's values as (N, C, h, w), a vector as one place; None for a layer without units."""
    if call.layout.name == VECTOR:
        return value[:, :, None, None] if value.ndim == 2 else None
    return call.layout.planes(value) if call.layout.spatial else None


def maxima(planes: Tensor) -> Maxima:
    """Return the largest value (N, C) of each plane, its number in the plane, the first among equals, and columns."""
    count, channels, _, columns = planes.shape
    flat = planes.detach().reshape(count * channels, -1)
    if flat.device.type == "cpu" and flat.dtype == torch.float32:
        seen = flat.numpy()  # whose argmax is several times as fast as torch's, and takes the first among equals too
        best = seen.argmax(1)
        values, at = torch.from_numpy(seen[np.arange(len(seen)), best]), torch.from_numpy(best)
    else:
        values, at = flat.max(1)
    return values.float().cpu().view(count, channels), at.cpu().view(count, channels), columns


def _places(found: Sequence[tuple[Tensor, int]]) -> Tensor:
    """Return the places (N, C) of numbers in planes, each with the columns of these, one after the other."""
    if len({columns for _, columns in found}) == 1:
        found = [(torch.cat([at for at, _ in found]), found[0][1])]
    return torch.cat([at // columns * SIDE + at % columns for at, columns in found])


@dataclass
class _Layer:
    """The units of a layer so far: the ends as (values, numbers of the pictures, places), and what is not merged."""

    kind: str
    channels: int
    kept: int
    ends: dict[str, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)
    fires: Tensor = field(default_factory=lambda: torch.zeros(0))
    waiting: list[tuple[int, Maxima]] = field(default_factory=list)
    sample: list[Maxima] = field(default_factory=list)
    pictures: int = 0

    def add(self, first: int, found: Maxima, sampled: list[int]) -> None:
        """Take in the pictures of a batch, the first of which has the number `first`."""
        self.waiting.append((first, found))
        self.pictures += len(found[0])
        if sampled:
            self.sample.append((found[0][sampled], found[1][sampled], found[2]))
        if sum(len(values) for _, (values, _, _) in self.waiting) >= BUFFERED:
            self.merge()

    def merge(self) -> None:
        """Merge what waits into the ends. Among equal values the earlier picture comes first."""
        if not self.waiting:
            return
        values = torch.cat([values for _, (values, _, _) in self.waiting])
        at = _places([(found, columns) for _, (_, found, columns) in self.waiting])
        numbers = torch.cat([torch.arange(first, first + len(v)) for first, (v, _, _) in self.waiting])
        new = values, numbers[:, None].expand(-1, self.channels), at
        fires = (values > 0).sum(0)
        self.fires = self.fires + fires if len(self.fires) else fires
        for end in ("top", "low"):
            joined = [torch.cat(pair) for pair in zip(self.ends[end], new, strict=True)] if end in self.ends else new
            order = joined[0].sort(dim=0, descending=end == "top", stable=True).indices[: self.kept]
            self.ends[end] = (joined[0].gather(0, order), joined[1].gather(0, order), joined[2].gather(0, order))
        self.waiting = []


class _Extremes(Collecting):
    def __init__(self, product: Patches, repeats: int) -> None:
        super().__init__()
        self._product, self._repeats = product, repeats
        self._seen: dict[str, tuple[str, Any]] = {}
        self._layers: dict[str, _Layer] = {}
        self._calls: dict[str, str] = {}
        self._count = 0
        self._sampled: list[int] = []

    def see(self, call: Call, value: Tensor) -> None:
        """Find the largest values of a call; of averaged passes those of the mean."""
        self._calls[call.id] = call.same or call.id
        if call.same or (planes := planes_of(call, value)) is None or not planes.numel():
            return
        if self._repeats == 1:
            self._seen[call.id] = call.kind, maxima(planes)
        elif repetition() and call.id in self._seen:
            self._seen[call.id] = call.kind, self._seen[call.id][1] + planes.float()
        else:
            self._seen[call.id] = call.kind, planes.float().clone()

    def forget(self) -> None:
        """Drop the values of a pass that failed."""
        self._seen.clear()

    def add(self, batch: Batch) -> None:
        """Keep the values of a batch; a layer that does not give finite ones for each picture is left out from then."""
        sampled = [row for row in range(len(batch)) if (self._count + row) % self._product.every == 0]
        for name, (kind, seen) in self._seen.items():
            found: Maxima = seen if self._repeats == 1 else maxima(seen / self._repeats)
            if len(found[0]) != len(batch) or not _finite(found[0]):
                continue
            channels = found[0].shape[1]
            layer = self._layers.setdefault(name, _Layer(kind, channels, self._product.kept))
            if layer.channels == channels and layer.pictures == self._count:
                layer.add(self._count, found, sampled)
        self._sampled += [self._count + row for row in sampled]
        self._count += len(batch)
        self.forget()

    def merged(self) -> Mapping[str, Array]:
        """Return the merged arrays described above, of the layers that every picture has."""
        whole = {name: layer for name, layer in self._layers.items() if layer.pictures == self._count}
        rows, kept = np.array([*self.rows, -1], np.int32), self._product.kept
        about = {
            "pictures": self._count,
            "layers": [[name, layer.kind, layer.channels] for name, layer in whole.items()],
            "calls": [pair for pair in self._calls.items() if pair[1] in whole],
        }
        found: dict[str, Array] = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
        for layer in whole.values():
            layer.merge()
        for end in ("top", "low"):
            values, numbers, at = (
                np.concatenate([np.zeros((kept, 0)), *(_padded(v.ends[end][part], kept) for v in whole.values())], 1)
                for part in range(3)
            )
            missing = np.arange(kept) >= self._count
            values[missing], numbers[missing], at[missing] = np.nan, -1, 0
            found |= {end: values.astype(np.float32), f"{end}_at": at.astype(np.uint32)}
            found[f"{end}_row"] = rows[numbers.astype(np.int64)]
        sizes = len(self._sampled)
        sampled = [
            (torch.cat([v for v, _, _ in layer.sample]), _places([(at, columns) for _, at, columns in layer.sample]))
            for layer in whole.values()
        ]
        for part, name in enumerate(("sample", "sample_at")):
            pieces = [pair[part].numpy() for pair in sampled]
            joined = np.concatenate([np.zeros((sizes, 0)), *pieces], 1)
            found[name] = joined.astype(np.float32 if name == "sample" else np.uint32)
        found["sample_row"] = rows[np.array(self._sampled, np.int64)]
        found["fires"] = np.concatenate([np.zeros(0), *(v.fires.numpy() for v in whole.values())]).astype(np.int32)
        return {f"patches.{name}": array for name, array in found.items()}


def _finite(values: Tensor) -> bool:
    """Return whether all values are finite; their sum usually shows it."""
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def _padded(values: Tensor, count: int) -> Array:
    """Return (K, C) of (k, C), the missing rows zero; double precision holds every place and number exactly."""
    made = np.zeros((count, values.shape[1]))
    made[: len(values)] = values.numpy()
    return made
