"""Heads in a state dict: chains of linear layers and norms that all take the same number of features."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from torch import nn

from models.families.proposal import STATISTICS, Shapes, place, unit_paths

MOST_MORE = 16  # numbers that heads give and a further layer takes beside the features
EMBEDS = re.compile(r"proj|embed|(^|[._])emb([._]|$)|neck|bottleneck|feat", re.IGNORECASE)


@dataclass(frozen=True)
class Unit:
    """A linear layer, or a norm (`out` is 0) of `inside` numbers; `active` says that an activation comes after it."""

    path: str
    inside: int
    out: int
    bias: bool = True
    active: bool = False


@dataclass(frozen=True)
class Head:
    """A chain of layers by their paths in the file."""

    path: str
    units: tuple[Unit, ...]

    @property
    def inside(self) -> int:
        """How many features it takes."""
        return self.units[0].inside

    @property
    def count(self) -> int:
        """How many numbers it gives."""
        return [unit.out for unit in self.units if unit.out][-1]

    @property
    def activated(self) -> bool:
        """Whether it has an activation."""
        return any(unit.active for unit in self.units)

    @property
    def embeds(self) -> bool:
        """Whether its name or a norm at its end says that it gives an embedding rather than scores of classes."""
        return not self.units[-1].out or bool(EMBEDS.search(self.units[-1].path))


@dataclass(frozen=True)
class Heads:
    """The heads of a file, and names of tensors of a layer that takes their answers as well and is left out."""

    heads: tuple[Head, ...]
    spare: tuple[str, ...] = ()


def heads(shapes: Shapes, widths: Collection[int]) -> Heads | None:
    """Return the heads that tensors form which take one of the given numbers of features, None if some fit nowhere."""
    chains: list[list[Unit]] = []
    spare: list[str] = []
    for path in unit_paths({name: shape for name, shape in shapes.items() if not name.endswith(STATISTICS[2])}):
        unit = _unit(shapes, path)
        if unit is None:
            return None
        last = chains[-1] if chains else []
        width = _width(last)
        if last and unit.inside == width and (not unit.out or _follows(last[-1].path, path, width not in widths)):
            last.append(unit)
        elif unit.inside in widths:
            chains.append([unit])
        elif last and any(width < unit.inside <= width + MOST_MORE for width in widths):
            spare += [name for name in shapes if name.rpartition(".")[0] == path]
        else:
            return None
    if any(not any(unit.out for unit in chain) for chain in chains):
        return None
    made = tuple(Head(_name([unit.path for unit in chain]), _activated(chain)) for chain in chains)
    return Heads(made, tuple(spare))


def placed(net: nn.Module, head: Head, activation: Callable[[], nn.Module]) -> list[str]:
    """Put a head's layers into a network at their paths; return these in order, activations among them."""
    steps = []
    for unit in head.units:
        place(net, unit.path, nn.Linear(unit.inside, unit.out, unit.bias) if unit.out else nn.BatchNorm1d(unit.inside))
        steps.append(unit.path)
        if unit.active:
            name = f"{unit.path}_activation".replace(".", "_")
            net.add_module(name, activation())
            steps.append(name)
    return steps


def _unit(shapes: Shapes, path: str) -> Unit | None:
    weight = shapes.get(f"{path}.weight", ())
    if f"{path}.running_mean" in shapes and len(weight) == 1:
        return Unit(path, weight[0], 0)
    if len(weight) == 2 and {n for n in shapes if n.rpartition(".")[0] == path} <= {f"{path}.weight", f"{path}.bias"}:
        return Unit(path, weight[1], weight[0], f"{path}.bias" in shapes)
    return None


def _width(chain: list[Unit]) -> int:
    return next((unit.out for unit in reversed(chain) if unit.out), chain[0].inside if chain else 0)


def _follows(before: str, path: str, different: bool) -> bool:
    """Return whether a linear layer goes on with a chain: in its container, numbered on, or if nothing else fits."""
    parents = before.rpartition(".")[0], path.rpartition(".")[0]
    numbered = re.sub(r"\d+$", "", before) == re.sub(r"\d+$", "", path)
    return different or (bool(parents[0]) and parents[0] == parents[1]) or numbered


def _name(paths: list[str]) -> str:
    """Return what the paths of a head's layers share, the last one's otherwise."""
    first = paths[0].rpartition(".")[0]
    return first if len(paths) > 1 and first and all(p.startswith(f"{first}.") for p in paths) else paths[-1]


def _activated(chain: list[Unit]) -> tuple[Unit, ...]:
    """Return a chain's layers with the activations between: where numbers are left out, else after the norm."""
    linear = [at for at, unit in enumerate(chain) if unit.out]
    active: set[int] = set()
    for at, after in itertools.pairwise(linear):
        between = range(at, after)
        gaps = [_gap(chain[one].path, chain[one + 1].path) for one in between]
        # Without numbers an activation stands before the next linear layer.
        where = next((one for one, gap in zip(between, gaps, strict=True) if gap > 0), -1)
        if where >= 0:
            active.add(where)
        elif any(gap < 0 for gap in gaps):
            active.add(after - 1)
    return tuple(Unit(unit.path, unit.inside, unit.out, unit.bias, at in active) for at, unit in enumerate(chain))


def _gap(before: str, path: str) -> int:
    """Return how many layers without tensors lie between two of a numbered container, -1 if nothing tells it."""
    (parent, _, first), (other, _, second) = before.rpartition("."), path.rpartition(".")
    if parent != other or not (first.isdigit() and second.isdigit()):
        return -1
    return int(second) - int(first) - 1
