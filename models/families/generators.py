"""Generators of GANs: chains of transposed convolutions, and linear layers followed by enlargements and convolutions.

The first are DCGANs, those of PyTorch's example and of a well-known course among them: kernels of 4 x 4 or 3 x 3 whose
strides and paddings lead from 1 px to a usual side. The second begin with a linear layer and double a small map
(PyTorch-GAN, whose normalisation has an epsilon of 0.8).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.families import codes
from models.families.proposal import ACTIVATION, ACTIVATIONS, Proposal, Shapes, choice, place, unit_paths

SIDES = (28, 32, 64, 128, 256)
WAYS = {2: ((2, 0, 0),), 3: ((2, 0, 0), (2, 1, 1), (1, 1, 0), (1, 0, 0)), 4: ((2, 1, 0), (1, 0, 0), (2, 0, 0))}
WAYS |= {5: ((2, 2, 1), (1, 2, 0), (2, 2, 0)), 7: ((1, 0, 0), (1, 3, 0))}
DCGAN = 1, 0, 0  # stride, padding and output padding next to the code
MOST_LAYERS, MOST_STRUCTURES, MOST_CODE = 8, 4, 1024
OUTPUT = choice(
    "Output",
    "The last function of the generator, which gives the range of its pixels.",
    ("tanh", "sigmoid"),
    {"tanh": "tanh, -1 to 1", "sigmoid": "sigmoid, 0 to 1"},
)
EPS = choice("Epsilon", "What batch normalisation adds to the variance.", ("1e-05", "0.8"))
Way = tuple[int, int, int]


class Generator(nn.Module):
    """Layers at the paths they have in the file; `forward` takes codes (N, D)."""

    def __init__(self, steps: Sequence[tuple[str, nn.Module]], *, small: tuple[int, int] | None) -> None:
        super().__init__()
        self._steps: list[str] = []
        self._small = small
        for path, module in steps:
            place(self, path, module)
            self._steps.append(path)

    def forward(self, z: Tensor) -> Tensor:
        x = z.flatten(1)
        if self._small is None:
            x = x[:, :, None, None]
        for at, path in enumerate(self._steps):
            x = self.get_submodule(path)(x)
            if at == 0 and self._small is not None:
                x = x.view(len(x), *self._small, self._small[1])
        return x


class GeneratorOnly(nn.Module):
    """A generator with what Vitrine needs to know of it."""

    def __init__(self, generator: Generator, *, dims: int, output: str, code: str = "plain") -> None:
        super().__init__()
        self.generator = generator
        self.latent = codes.blocks(dims, code)
        self.range = (-1.0, 1.0) if output == "tanh" else (0.0, 1.0)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the generator that has these tensors, None if it is none."""
    units = unit_paths(shapes)
    maps = [unit for unit in units if len(shapes.get(f"{unit}.weight", ())) == 4]
    norms = [unit for unit in units if f"{unit}.running_mean" in shapes]
    linear = [unit for unit in units if len(shapes.get(f"{unit}.weight", ())) == 2]
    if not maps or len(maps) > MOST_LAYERS or {*maps, *norms, *linear} != {*units}:
        return None
    if not linear:
        return _transposed(shapes, units, maps)
    return _enlarged(shapes, units, maps) if linear == units[:1] else None


def _transposed(shapes: Shapes, units: Sequence[str], maps: Sequence[str]) -> Proposal | None:
    sizes = [shapes[f"{unit}.weight"] for unit in maps]
    follows = all(a[1] == b[0] for a, b in itertools.pairwise(sizes))
    if not follows or sizes[-1][1] not in (1, 3) or sizes[0][0] > MOST_CODE or sizes[0][0] in (1, 3):
        return None
    found: dict[tuple[Way, ...], float] = {}
    for ways in itertools.product(*(WAYS.get(size[2], ()) for size in sizes)):
        side = 1
        for (stride, padding, more), size in zip(ways, sizes, strict=True):
            side = (side - 1) * stride - 2 * padding + size[2] + more
        if side in SIDES and all(stride > 1 for stride, _, _ in ways[2:]):
            usual = [DCGAN, *([(2, 1, 0)] * (len(ways) - 1))]
            # A course's generator for 28 px has no padding, and strides 2-1-2-2.
            course = [(2, 0, 0), (1, 0, 0), *([(2, 0, 0)] * (len(ways) - 2))]
            apart = min(sum(a != b for a, b in zip(ways, known, strict=True)) for known in (usual, course))
            found[ways] = apart + 0.1 * SIDES.index(side)
    ranked = sorted(found, key=lambda one: (found[one], one))[:MOST_STRUCTURES]
    if not ranked:
        return None
    keys = {"-".join("".join(map(str, way)) for way in ways): ways for ways in ranked}
    titles = {key: f"strides {'-'.join(str(way[0]) for way in ways)}" for key, ways in keys.items()}
    dims = sizes[0][0]

    def build(assumed: Mapping[str, str]) -> nn.Module:
        ways = keys[assumed.get("structure", next(iter(keys)))]
        layers = [
            nn.ConvTranspose2d(size[0], size[1], size[2], *way, bias=f"{unit}.bias" in shapes)
            for unit, size, way in zip(maps, sizes, ways, strict=True)
        ]
        return _built(shapes, units, dict(zip(maps, layers, strict=True)), {}, assumed, dims=dims, small=None)

    more = {"structure": choice("Structure", "The strides that lead to a picture's side.", tuple(keys), titles)}
    title = f"Generator of {len(maps)} transposed convolutions, DCGAN's kind"
    return _proposal(title, build, shapes, more if len(keys) > 1 else {}, dims=dims, activation="relu", eps="1e-05")


def _enlarged(shapes: Shapes, units: Sequence[str], maps: Sequence[str]) -> Proposal | None:
    sizes = [shapes[f"{unit}.weight"] for unit in maps]
    made, dims = shapes[f"{units[0]}.weight"]
    width = sizes[0][1]
    small = round((made / width) ** 0.5)
    follows = all(a[0] == b[1] for a, b in itertools.pairwise(sizes))
    if not follows or sizes[-1][0] not in (1, 3) or made != width * small * small or dims > MOST_CODE or small < 2:
        return None

    def build(assumed: Mapping[str, str]) -> nn.Module:
        made_layers: dict[str, nn.Module] = {units[0]: nn.Linear(dims, made, bias=f"{units[0]}.bias" in shapes)}
        for unit, size in zip(maps, sizes, strict=True):
            made_layers[unit] = nn.Conv2d(size[1], size[0], size[2], 1, size[2] // 2, bias=f"{unit}.bias" in shapes)
        doubled = {unit: nn.Upsample(scale_factor=2) for unit in maps[:-1]}
        return _built(shapes, units, made_layers, doubled, assumed, dims=dims, small=(width, small))

    title = f"Generator of {len(maps)} convolutions on enlarged maps, PyTorch-GAN's kind"
    return _proposal(title, build, shapes, {}, dims=dims, activation="leaky_relu", eps="0.8")


def _built(
    shapes: Shapes,
    units: Sequence[str],
    layers: Mapping[str, nn.Module],
    doubled: Mapping[str, nn.Module],
    assumed: Mapping[str, str],
    *,
    dims: int,
    small: tuple[int, int] | None,
) -> nn.Module:
    """Return the generator: each layer, its norm if one follows, and the activation; the output's function at the end.

    With `small`, channels and side of the map that the linear layer makes, that layer and a norm of its own have no
    activation, and all other norms may have an unusual epsilon.
    """
    steps: list[tuple[str, nn.Module]] = []
    for at, unit in enumerate(units):
        norm = unit not in layers
        if norm:
            own = small is not None and at == 1  # PyTorch-GAN gives its epsilon to all norms but one of a linear layer
            eps = 1e-5 if own else float(assumed.get("eps", "1e-05"))
            steps.append((unit, nn.BatchNorm2d(shapes[f"{unit}.running_mean"][0], eps)))
        else:
            steps += [(f"enlarged{at}", doubled[unit])] if unit in doubled else []
            steps.append((unit, layers[unit]))
        following = units[at + 1] if at + 1 < len(units) else ""
        linear = small is not None and at == 0
        early = small is not None and norm and at == 1
        if following in layers and not linear and not early:
            steps.append((f"activation{at}", ACTIVATIONS[assumed.get("activation", "relu")]()))
    steps.append(("output", nn.Tanh() if assumed.get("output", "tanh") == "tanh" else nn.Sigmoid()))
    output, code = assumed.get("output", "tanh"), assumed.get("code", "plain")
    return GeneratorOnly(Generator(steps, small=small), dims=dims, output=output, code=code)


def _proposal(
    title: str, build: Any, shapes: Shapes, more: dict[str, Any], *, dims: int, activation: str, eps: str
) -> Proposal | None:
    try:
        with torch.device("meta"):
            build({})
    except (ValueError, KeyError, RuntimeError):
        return None
    ways = (activation, *(way for way in ("relu", "leaky_relu", "leaky_relu_01", "elu") if way != activation))
    offered = {**more, "activation": {**ACTIVATION, "choices": ways}, "output": OUTPUT, **codes.offered(dims, shapes)}
    if any(name.endswith("running_mean") for name in shapes):
        offered["eps"] = {**EPS, "choices": (eps, "0.8" if eps == "1e-05" else "1e-05")}
    normed = "eps" in offered
    return Proposal(
        title=title,
        task="generation",
        build=build,
        offered=offered,
        judged=tuple(name for name in offered if name not in ("output", "code")) if normed else (),
        renamed=lambda state: {f"generator.{name}": tensor for name, tensor in state.items()},
        measure=codes.distance if normed else None,
        evidence="With random codes its normalisation layers get values {number} nats from those in training",
    )
