"""Generators of GANs that begin with linear layers: these alone, or with transposed convolutions after.

The order of the layers is that of the file. Where the numbers become a map, its side is what the widths leave.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from models.families import codes
from models.families.generators import EPS, OUTPUT
from models.families.proposal import ACTIVATION, ACTIVATIONS, Proposal, Shapes, choice, place, unit_paths

SIDES = (28, 32, 64, 128, 256)
SQUARES = (28, 32, 64, 16, 8)
MOST_UNITS, MOST_CODE, MOST_STRUCTURES = 24, 1024, 4
WAYS = {2: ((2, 0, 0),), 3: ((2, 1, 1), (1, 1, 0), (2, 0, 0)), 4: ((2, 1, 0), (1, 0, 0)), 5: ((2, 2, 1), (1, 2, 0))}
WAYS |= {7: ((1, 3, 0),)}
Way = tuple[int, int, int]


class Unfolding(nn.Module):
    """Layers at the paths of the file, run in order; numbers become a map where a layer of maps begins."""

    def __init__(self, steps: Sequence[tuple[str, nn.Module]], width: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._steps: list[str] = []
        self._width, self._shape = width, shape
        for path, module in steps:
            place(self, path, module)
            self._steps.append(path)

    def forward(self, z: Tensor) -> Tensor:
        x = z.flatten(1)
        for path in self._steps:
            module = self.get_submodule(path)
            if isinstance(module, nn.ConvTranspose2d | nn.BatchNorm2d) and x.ndim == 2:
                side = round((x.shape[1] / self._width) ** 0.5)
                x = x.view(len(x), self._width, side, side)
            x = module(x)
        return x.view(len(x), *self._shape) if x.ndim == 2 else x


class CodeChain(nn.Module):
    """Such a generator with what Vitrine needs to know of it."""

    def __init__(self, generator: Unfolding, *, latent: list[dict[str, Any]], output: str) -> None:
        super().__init__()
        self.generator, self.latent = generator, latent
        self.range = (-1.0, 1.0) if output == "tanh" else (0.0, 1.0)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)


@dataclass(frozen=True)
class Plan:
    """The layers of such a generator in the file's order, and the ways in which its maps may get larger."""

    units: tuple[str, ...]
    norms: tuple[str, ...]
    linear: tuple[str, ...]
    maps: tuple[str, ...]
    width: int
    shape: tuple[int, ...]
    ways: Mapping[str, tuple[Way, ...]]


def propose(shapes: Shapes) -> Proposal | None:
    """Return the generator that has these tensors, None if it is none."""
    plan = _plan(shapes)
    if plan is None:
        return None
    dims = shapes[f"{plan.linear[0]}.weight"][1]
    build = partial(_built, shapes, plan)
    try:
        with torch.device("meta"):
            made = build({})(torch.empty(2, dims))
    except (RuntimeError, ValueError, KeyError):
        return None
    if made.shape[1] not in (1, 3):
        return None
    first = "leaky_relu" if not plan.maps else "relu"
    ways = (first, *(way for way in ("relu", "leaky_relu", "leaky_relu_01", "elu", "tanh") if way != first))
    offered: dict[str, dict[str, Any]] = {"activation": {**ACTIVATION, "choices": ways}, "output": OUTPUT}
    offered |= codes.offered(dims, shapes)
    if len(plan.ways) > 1:
        titles = {key: f"strides {'-'.join(str(way[0]) for way in one)}" for key, one in plan.ways.items()}
        offered["structure"] = choice("Structure", "The strides that lead to a picture's side.", tuple(titles), titles)
    if plan.norms:
        eps = "1e-05" if plan.maps else "0.8"
        offered["eps"] = {**EPS, "choices": (eps, "0.8" if eps == "1e-05" else "1e-05")}
    count = len(plan.linear)
    begins = "Generator of one linear layer" if count == 1 else f"Generator of {count} linear layers"
    title = f"{begins} and {len(plan.maps)} transposed convolutions" if plan.maps else begins
    return Proposal(
        title=title,
        task="generation",
        build=build,
        offered=offered,
        judged=tuple(name for name in offered if name not in ("output", "code")) if plan.norms else (),
        renamed=lambda state: {f"generator.{name}": tensor for name, tensor in state.items()},
        measure=codes.distance if plan.norms else None,
        evidence="With random codes its normalisation layers get values {number} nats from those in training",
    )


def _plan(shapes: Shapes) -> Plan | None:
    """Return the plan of a generator with these layers, None if they do not follow on one another."""
    units = unit_paths(shapes)
    weights = {unit: shapes.get(f"{unit}.weight", ()) for unit in units}
    norms = [unit for unit in units if f"{unit}.running_mean" in shapes]
    linear = [unit for unit in units if len(weights[unit]) == 2]
    maps = [unit for unit in units if len(weights[unit]) == 4]
    layers = [unit for unit in units if unit in linear or unit in maps]
    if not linear or len(units) != len(norms) + len(layers) or layers != [*linear, *maps]:
        return None
    dims, made = weights[linear[0]][1], weights[linear[-1]][0]
    follows = all(weights[a][0] == weights[b][1] for a, b in itertools.pairwise(linear))
    follows &= all(weights[a][1] == weights[b][0] for a, b in itertools.pairwise(maps))
    if not follows or dims > MOST_CODE or dims >= made or units[0] != linear[0] or len(units) > MOST_UNITS:
        return None
    width, shape, ways = 1, next(((c, s, s) for s in SQUARES for c in (1, 3) if c * s * s == made), ()), {"": ()}
    if maps:
        width = weights[maps[0]][0]
        side = round((made / width) ** 0.5)
        if made != width * side * side or side < 2 or weights[maps[-1]][1] not in (1, 3):
            return None
        shape, ways = (), _structures([weights[unit] for unit in maps], side)
    # Layers of a classifier get narrower; those of a generator wider.
    elif not shape or len(linear) < 2 or any(weights[a][0] > weights[b][0] for a, b in itertools.pairwise(linear)):
        return None
    return Plan(tuple(units), tuple(norms), tuple(linear), tuple(maps), width, shape, ways) if ways else None


def _built(shapes: Shapes, plan: Plan, assumed: Mapping[str, str]) -> nn.Module:
    ways = plan.ways[assumed.get("structure", next(iter(plan.ways)))]
    steps: list[tuple[str, nn.Module]] = []
    layers, given = (*plan.linear, *plan.maps), 0
    for at, unit in enumerate(plan.units):
        bias = f"{unit}.bias" in shapes
        if unit in plan.norms:
            size = shapes[f"{unit}.running_mean"][0]
            kind = nn.BatchNorm1d if given == size else nn.BatchNorm2d
            steps.append((unit, kind(size, float(assumed.get("eps", "1e-05")))))
        elif unit in plan.linear:
            given, inside = shapes[f"{unit}.weight"]
            steps.append((unit, nn.Linear(inside, given, bias=bias)))
        else:
            given = 0
            a, b, side, _ = shapes[f"{unit}.weight"]
            steps.append((unit, nn.ConvTranspose2d(a, b, side, *ways[plan.maps.index(unit)], bias=bias)))
        if at + 1 < len(plan.units) and plan.units[at + 1] in layers:
            steps.append((f"activation{at}", ACTIVATIONS[assumed.get("activation", "relu")]()))
    output = assumed.get("output", "tanh")
    steps.append(("output", nn.Tanh() if output == "tanh" else nn.Sigmoid()))
    latent = codes.blocks(shapes[f"{plan.linear[0]}.weight"][1], assumed.get("code", "plain"))
    return CodeChain(Unfolding(steps, plan.width, plan.shape), latent=latent, output=output)


def _structures(sizes: Sequence[tuple[int, ...]], small: int) -> dict[str, tuple[Way, ...]]:
    """Return the ways of transposed convolutions that lead from a small map to a usual side, the usual ones first."""
    found: dict[str, tuple[float, tuple[Way, ...]]] = {}
    for ways in itertools.product(*(WAYS.get(size[2], ()) for size in sizes)):
        side = small
        for (stride, padding, more), size in zip(ways, sizes, strict=True):
            side = (side - 1) * stride - 2 * padding + size[2] + more
        if side in SIDES:
            apart = sum(way != WAYS[size[2]][0] for way, size in zip(ways, sizes, strict=True))
            found["-".join("".join(map(str, way)) for way in ways)] = (apart + 0.1 * SIDES.index(side), ways)
    ranked = sorted(found, key=lambda key: (found[key][0], key))[:MOST_STRUCTURES]
    return {key: found[key][1] for key in ranked}
