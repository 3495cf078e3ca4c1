"""Plain autoencoders, denoising ones too: layers to a code, layers back, and no second head.

Linear layers, convolutions, or convolutions with linear layers between. Strides, paddings and pooling stand in no
tensor: the structures that lead from a usual side to a code and back to that side are enumerated, and pictures that
pass through and back decide between them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from models.families.proposal import (
    ACTIVATION,
    ACTIVATIONS,
    Proposal,
    RebuiltTranslator,
    Shapes,
    choice,
    grey,
    place,
    unit_paths,
)

SIDES = {1: (28, 32, 64, 128, 48), 3: (32, 64, 128, 96, 224, 48, 28, 256)}
MOST_LAYERS, MOST_STRUCTURES, MOST_KEPT = 16, 12, 4
TURNED = re.compile(r"t_?conv|de_?conv|trans|up", re.IGNORECASE)
BACK = re.compile(r"dec|t_?conv|deconv|trans", re.IGNORECASE)
CONV, LARGER, LINEAR, NORM = "conv", "larger", "linear", "norm"
# Stride, padding, and kernel and stride of the pooling after, with how unusual that is.
SPARSE = (((3, 1, 2, 2), 0.4), ((2, 1, 2, 1), 0.4))  # of a much-read tutorial
FAR = 0.05  # mean squared error, as a grey picture in place of each comes to
OUTPUTS: dict[str, tuple[Any, float]] = {  # the last function, and the least value of pictures
    "sigmoid": (nn.Sigmoid, 0.0),
    "tanh": (nn.Tanh, -1.0),
    "none": (nn.Identity, 0.0),
    "none_signed": (nn.Identity, -1.0),
}
OUTPUT = choice(
    "Output",
    "The last function, and how the values of pictures are scaled, going in and coming out.",
    tuple(OUTPUTS),
    {
        "sigmoid": "sigmoid, 0 to 1",
        "tanh": "tanh, -1 to 1",
        "none": "none, 0 to 1",
        "none_signed": "none, -1 to 1",
    },
)
CODE = choice(
    "Code",
    "Whether the layer that gives the code is followed by the activation.",
    ("activated", "plain"),
    {"activated": "the activation", "plain": "nothing"},
)


@dataclass(frozen=True)
class Step:
    """A layer at its path: what it is, its weight's shape, and how many layers without tensors follow (-1: unknown)."""

    path: str
    kind: str
    shape: tuple[int, ...]
    gap: int = -1


@dataclass(frozen=True)
class Plan:
    """The layers in order, the number of the one that gives the code, channels of pictures, and structures by key.

    A structure is the input's side, and for each convolution (stride, padding, more): after one, `more` is kernel and
    stride of a pooling; of a transposed one it is the output padding; before one that enlarges first it is a factor.
    """

    steps: tuple[Step, ...]
    code: int
    channels: int
    structures: Mapping[str, tuple[int, tuple[tuple[int, ...], ...]]]

    @property
    def layers(self) -> list[Step]:
        """The layers that are no norms."""
        return [step for step in self.steps if step.kind != NORM]


class Autoencoder(RebuiltTranslator):
    """Layers at the paths they have in the file; gives back the picture (N, C, S, S) that it takes."""

    def __init__(self, plan: Plan, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.plan, self.channels = plan, plan.channels
        last, self.low = OUTPUTS[assumed.get("output", "sigmoid")]
        self.high = 1.0
        self.side, self._ways = plan.structures[assumed.get("structure", next(iter(plan.structures)))]
        self._plain = assumed.get("code", "activated") == "plain"
        self.activation = ACTIVATIONS[assumed.get("activation", "relu")]()
        self.last = last()
        spatial = iter(self._ways)
        self._way: dict[str, tuple[int, ...]] = {}
        for step in plan.steps:
            if step.kind in (CONV, LARGER):
                self._way[step.path] = next(spatial)
            place(self, step.path, _made(step, shapes, self._way.get(step.path, ())))

    def run(self, x: Tensor) -> Tensor:
        """Return the picture that comes back."""
        layers = self.plan.layers
        for at, step in enumerate(self.plan.steps):
            way, module = self._way.get(step.path, ()), self.get_submodule(step.path)
            if step.kind == LINEAR:
                x = x.flatten(1)
            elif step.kind in (CONV, LARGER) and x.ndim == 2:
                width = step.shape[1] if step.kind == CONV else step.shape[0]
                side = round((x.shape[1] / width) ** 0.5)
                x = x.view(len(x), width, side, side)
            if step.kind == CONV and len(way) == 3 and way[2] > 1:
                x = nn.functional.interpolate(x, scale_factor=way[2], mode="nearest")
            x = module(x)
            following = self.plan.steps[at + 1].kind if at + 1 < len(self.plan.steps) else ""
            if following == NORM:
                continue
            owner = step if step.kind != NORM else self.plan.steps[at - 1]
            place_of = layers.index(owner)
            if following and not (self._plain and place_of == self.plan.code):
                x = self.activation(x)
            pool = self._way.get(owner.path, ())
            if owner.kind == CONV and len(pool) == 4:
                x = nn.functional.max_pool2d(x, pool[2], pool[3])
        x = self.last(x)
        return x if x.ndim == 4 else x.view(len(x), self.channels, self.side, self.side)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the autoencoder that has these tensors, None if it is none."""
    plan = _plan(shapes)
    if plan is None:
        return None
    flat = plan.layers[plan.code].kind == LINEAR
    built = partial(Autoencoder, plan, shapes)
    offered: dict[str, dict[str, Any]] = {
        "activation": {**ACTIVATION, "choices": ("relu", "leaky_relu_01", "leaky_relu", "tanh", "elu", "sigmoid")},
        "output": OUTPUT,
        "code": {**CODE, "choices": ("plain", "activated") if flat else CODE["choices"]},
    }
    if len(plan.structures) > 1:
        titles = {key: _words(*plan.structures[key]) for key in plan.structures}
        help_ = "How convolutions halve and double the picture; all of these lead back to its side."
        offered["structure"] = choice("Structure", help_, tuple(plan.structures), titles)
    try:
        with torch.device("meta"):
            for key in plan.structures:
                net = built({"structure": key})
                if net(torch.empty(1, plan.channels, net.side, net.side)).shape[2] != net.side:
                    return None
    except (ValueError, KeyError, RuntimeError):
        return None

    def stated(assumed: Mapping[str, str]) -> dict[str, Any]:
        side = plan.structures[assumed.get("structure", next(iter(plan.structures)))][0]
        half = 0.5 if OUTPUTS[assumed["output"]][1] < 0 else 0.0
        made = {"resize": side, "crop": side, "mean": [half] * 3, "std": [half or 1.0] * 3}
        return {"preprocessing": made}

    kinds = [step.kind for step in plan.layers]
    spatial = sum(kind in (CONV, LARGER) for kind in kinds)
    parts = [f"{spatial} convolutions"] * bool(spatial) + [f"{kinds.count(LINEAR)} linear layers"] * (LINEAR in kinds)
    return Proposal(
        title=f"Autoencoder of {' and '.join(parts)}",
        task="picture to picture",
        build=built,
        side=next(iter(plan.structures.values()))[0],
        channels=plan.channels,
        offered=offered,
        judged=tuple(offered),
        stated=stated,
        measure=_reconstruction,
        fits=0.002,
        far=FAR,
        evidence="Bundled pictures come back with a mean squared error of {number}",
    )


def _reconstruction(net: nn.Module, pictures: Tensor) -> float:
    """Return the mean squared error of pictures (N, 3, S, S) from 0 to 1 that pass through the network and back."""
    assert isinstance(net, Autoencoder)
    seen = nn.functional.interpolate(pictures, size=(net.side, net.side), mode="bilinear", antialias=True)
    seen = grey(seen) if net.channels == 1 else seen
    made = (net(seen * (net.high - net.low) + net.low) - net.low) / (net.high - net.low)
    return float((made - seen).square().mean())


def _plan(shapes: Shapes) -> Plan | None:
    steps = _steps(shapes)
    layers = [step for step in steps if step.kind != NORM]
    kinds = [step.kind for step in layers]
    if len(layers) < 2 or len(layers) > MOST_LAYERS or steps[0].kind == NORM or steps[-1].kind == NORM:
        return None
    if kinds == [LINEAR] * len(kinds):
        pixels = layers[0].shape[1]
        widths = [step.shape[0] for step in layers]
        found = [(c, s) for c in (1, 3) for s in SIDES[c] if c * s * s == pixels]
        code = widths.index(min(widths))
        if widths[-1] != pixels or not found or widths[code] >= pixels / 2 or code + 1 == len(widths):
            return None
        return Plan(tuple(steps), code, found[0][0], {"": (found[0][1], ())})
    channels = layers[0].shape[1]
    ends = layers[-1].shape[1] if kinds[-1] == LARGER else layers[-1].shape[0]
    if kinds[0] != CONV or channels not in SIDES or ends != channels or kinds[-1] == LINEAR:
        return None
    linear = [at for at, kind in enumerate(kinds) if kind == LINEAR]
    if linear:
        if linear != list(range(linear[0], linear[-1] + 1)):
            return None
        code = min(linear, key=lambda at: layers[at].shape[0])
        turn = linear[0]
    else:
        turned = [at for at, kind in enumerate(kinds) if kind == LARGER or BACK.search(layers[at].path)]
        if not turned or turned[0] == 0:
            return None
        turn, code = turned[0], turned[0] - 1
    front, back = layers[:turn], [step for step in layers[turn:] if step.kind != LINEAR]
    if any(step.kind != CONV for step in front) or not back:
        return None
    taken, given = (layers[linear[0]].shape[1], layers[linear[-1]].shape[0]) if linear else (0, 0)
    found = _structures(front, back, channels, taken, given)
    return Plan(tuple(steps), code, channels, found) if found else None


def _steps(shapes: Shapes) -> list[Step]:
    """Return the layers in the file's order, each of which takes what the one before gives; [] if they do not."""
    found: list[Step] = []
    width = 0
    units = unit_paths(shapes)
    for at, unit in enumerate(units):
        weight = shapes.get(f"{unit}.weight", ())
        gap = _gap(unit, units[at + 1]) if at + 1 < len(units) else -1
        if f"{unit}.running_mean" in shapes:
            if not found or shapes[f"{unit}.running_mean"] not in ((width,), (found[-1].shape[0],)):
                return []
            found.append(Step(unit, NORM, shapes[f"{unit}.running_mean"], gap))
            continue
        bias = shapes.get(f"{unit}.bias", (0,))[0]
        if len(weight) == 2:
            flat = found and next(s for s in reversed(found) if s.kind != NORM).kind != LINEAR
            if found and (weight[1] % width if flat else weight[1] != width):
                return []
            found.append(Step(unit, LINEAR, weight, gap))
            width = weight[0]
        elif len(weight) == 4 and weight[2] == weight[3]:
            linear = bool(found) and next(s for s in reversed(found) if s.kind != NORM).kind == LINEAR
            fits = [CONV] if not found or weight[1] == width or (linear and width % weight[1] == 0) else []
            if found and (weight[0] == width or (linear and width % weight[0] == 0)):
                fits.append(LARGER)
            if bias and weight[0] != weight[1]:
                fits = [kind for kind in fits if bias == (weight[0] if kind == CONV else weight[1])]
            if len(fits) > 1:
                turned = TURNED.search(unit) or (BACK.search(unit) and not re.search("conv", unit, re.IGNORECASE))
                fits = [LARGER if turned else CONV]
            if not fits:
                return []
            found.append(Step(unit, fits[0], weight, gap))
            width = weight[0] if fits[0] == CONV else weight[1]
        else:
            return []
    return found


def _gap(unit: str, following: str) -> int:
    (own, _, a), (other, _, b) = unit.rpartition("."), following.rpartition(".")
    return int(b) - int(a) - 1 if own == other and a.isdigit() and b.isdigit() else -1


def _structures(
    front: Sequence[Step], back: Sequence[Step], channels: int, taken: int, given: int
) -> dict[str, tuple[int, tuple[tuple[int, ...], ...]]]:
    """Return the structures that lead back to the input's side, the usual ones first."""
    found: dict[tuple[int, tuple[tuple[int, ...], ...]], float] = {}
    forward = [[*_ways_in(step)] for step in front]
    backward = [[*_ways_out(step, last=step is back[-1])] for step in back]
    start = 0
    if given:
        width = back[0].shape[1] if back[0].kind == CONV else back[0].shape[0]
        start = round((given / width) ** 0.5)
        if start * start * width != given:
            return {}
    for order, side in enumerate(SIDES[channels]):
        ends: dict[int, list[tuple[float, tuple[tuple[int, ...], ...]]]] = {}
        for ways in itertools.product(*forward):
            small = _forward(side, front, [way for way, _ in ways])
            if small < 1 or (taken and front[-1].shape[0] * small * small != taken):
                continue
            ends.setdefault(small, []).append((sum(cost for _, cost in ways), tuple(way for way, _ in ways)))
        for small, options in ends.items():
            best = sorted(options, key=lambda one: (one[0], [-way[0] for way in one[1]]))[:MOST_KEPT]
            for ways in itertools.product(*backward):
                if _backward(start or small, back, [way for way, _ in ways]) != side:
                    continue
                cost = sum(own for _, own in ways) + 0.5 * order
                for own, first in best:
                    # The way back mostly enlarges as much as the way in makes smaller.
                    uneven = abs(math.log2(_factor(first) / _factor([way for way, _ in ways]))) / 2
                    found[side, (*first, *(way for way, _ in ways))] = own + cost + uneven
    best_of: dict[tuple[tuple[int, ...], ...], tuple[int, tuple[tuple[int, ...], ...]]] = {}
    for one in sorted(found, key=lambda one: (found[one], one[0], [-way[0] for way in one[1]])):
        best_of.setdefault(one[1], one)  # convolutions alone take any side
    ranked = list(best_of.values())[:MOST_STRUCTURES]
    return {f"{side}-" + "-".join("".join(map(str, way)) for way in ways): (side, ways) for side, ways in ranked}


def _ways_in(step: Step) -> list[tuple[tuple[int, ...], float]]:
    """Return how a convolution of the way in may be done, each with how unusual it is."""
    side, gap = step.shape[2], step.gap
    ways: list[tuple[tuple[int, ...], float]] = []
    if side % 2:
        pad = side // 2
        if gap != 1:  # one layer between is the activation alone
            ways.append(((1, pad, 2, 2), 0.0 if gap != 0 else 0.5))
        # With two between there is a pooling too; nothing says so of what is named one by one.
        ways.append(((2, pad), 0.0 if gap == 1 else 0.3 if gap < 0 else 1.0))
        ways.append(((1, pad), 1.0 if gap < 2 else 2.0))
        if side >= 5:
            ways.append(((1, 0), 0.6))
        if side == 3 and gap != 1:
            ways += SPARSE
    elif side == 4:
        ways += [((2, 1), 0.0), ((1, 0), 1.0)]
    else:
        ways += [((2, 0), 0.0), ((2, side // 2 - 1), 0.2)]
    return ways


def _ways_out(step: Step, *, last: bool) -> list[tuple[tuple[int, ...], float]]:
    """Return how a layer of the way back may be done, each with how unusual it is."""
    side = step.shape[2]
    if step.kind == CONV:  # an even kernel keeps no size
        return [((1, side // 2, 1), 0.0 if last else 0.3), ((1, side // 2, 2), 0.2)] if side % 2 else []
    known: dict[int, list[tuple[tuple[int, ...], float]]] = {
        2: [((2, 0, 0), 0.0), ((2, 1, 0), 0.4)],
        3: [((2, 1, 1), 0.0), ((2, 0, 0), 0.2), ((1, 1, 0), 0.8), ((1, 0, 0), 1.5), ((2, 1, 0), 0.6)],
        4: [((2, 1, 0), 0.0), ((1, 0, 0), 1.0)],
        5: [((2, 2, 1), 0.0), ((1, 0, 0), 0.8), ((1, 2, 0), 0.8), ((3, 1, 0), 0.3)],
        6: [((2, 2, 0), 0.0)],
        7: [((1, 0, 0), 0.0), ((1, 3, 0), 0.8), ((2, 3, 1), 0.8)],
    }
    return known.get(side, [])


def _forward(side: int, steps: Sequence[Step], ways: Sequence[tuple[int, ...]]) -> int:
    for step, way in zip(steps, ways, strict=True):
        side = (side + 2 * way[1] - step.shape[2]) // way[0] + 1
        if len(way) == 4:
            side = (side - way[2]) // way[3] + 1
        if side < 1:
            return 0
    return side


def _backward(side: int, steps: Sequence[Step], ways: Sequence[tuple[int, ...]]) -> int:
    for step, (stride, padding, more) in zip(steps, ways, strict=True):
        if step.kind == CONV:
            side *= more
        else:
            side = (side - 1) * stride - 2 * padding + step.shape[2] + more
        if side < 1:
            return 0
    return side


def _factor(ways: Sequence[tuple[int, ...]]) -> int:
    """Return how many times strides and poolings make a side smaller, or larger."""
    return math.prod(way[0] * (way[3] if len(way) == 4 else 1) for way in ways)


def _words(side: int, ways: Sequence[tuple[int, ...]]) -> str:
    strides = "-".join(f"{way[0]}{'p' if len(way) == 4 else ''}" for way in ways)
    return f"{side} px, strides {strides}{' (p: pooled after)' if 'p' in strides else ''}" if ways else f"{side} px"


def _made(step: Step, shapes: Shapes, way: Sequence[int]) -> nn.Module:
    bias = f"{step.path}.bias" in shapes
    if step.kind == NORM:
        return _Norm(step.shape[0], affine=f"{step.path}.weight" in shapes)
    if step.kind == LINEAR:
        return nn.Linear(step.shape[1], step.shape[0], bias=bias)
    a, b, side, _ = step.shape
    if step.kind == CONV:
        return nn.Conv2d(b, a, side, way[0], way[1], bias=bias)
    return nn.ConvTranspose2d(a, b, side, way[0], way[1], way[2], bias=bias)


class _Norm(nn.BatchNorm2d):
    """Batch normalisation of vectors (N, C) or maps (N, C, h, w)."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - the name in torch
        if input.ndim not in (2, 4):
            raise ValueError("vectors or maps are wanted")
