"""What families of networks from pictures to pictures share: layers in the file's order, and scales of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.proposal import Proposal, RebuiltTranslator, Shapes, choice, grey, unit_paths

SCALES: dict[str, dict[str, Any]] = {
    "zero_one": {"mean": [0.0] * 3, "std": [1.0] * 3},
    "minus_one_one": {"mean": [0.5] * 3, "std": [0.5] * 3},
    "zero_255": {"mean": [0.0] * 3, "std": [1.0] * 3, "range": 255.0},
    "halved": {"mean": [0.5] * 3, "std": [1.0] * 3},
    "imagenet": {},
}
SCALE = choice(
    "Values",
    "How the values of pictures are scaled, going in and coming out.",
    tuple(SCALES),
    {
        "zero_one": "0 to 1",
        "minus_one_one": "-1 to 1",
        "zero_255": "0 to 255",
        "halved": "-0.5 to 0.5",
        "imagenet": "ImageNet's mean and spread",
    },
)
WAY = choice(
    "Gives",
    "What the output is.",
    ("direct", "subtracted", "added"),
    {
        "direct": "the picture itself",
        "subtracted": "what is taken off the input",
        "added": "what is added to the input",
    },
)
NOISE = 25 / 255


@dataclass(frozen=True)
class Unit:
    """A layer with tensors: a convolution's weight shape, or () with the kind of a norm or of a PReLU."""

    path: str
    shape: tuple[int, ...]
    kind: str
    bias: bool = False


def leading(item: Mapping[str, Any], first: str) -> dict[str, Any]:
    """Return an assumption with another choice first."""
    return {**item, "choices": (first, *(one for one in item["choices"] if one != first))}


def units_of(shapes: Shapes) -> list[Unit]:
    """Return the layers in the file's order: "conv", "norm" (with a bias or running statistics), "prelu".

    Raises ValueError for any other.
    """
    found = []
    for path in unit_paths(shapes):
        weight, bias = shapes.get(f"{path}.weight"), f"{path}.bias" in shapes
        if weight is not None and len(weight) == 4:
            found.append(Unit(path, weight, "conv", bias))
        elif f"{path}.running_mean" in shapes or (weight is not None and len(weight) == 1 and bias):
            found.append(Unit(path, shapes.get(f"{path}.running_mean", weight or ()), "norm", bias))
        elif weight is not None and len(weight) == 1:
            found.append(Unit(path, weight, "prelu"))
        else:
            raise ValueError(f"{path} is no layer of such a network")
    return found


def convolution(unit: Unit, *, stride: int = 1, padding: int | None = None) -> nn.Conv2d:
    """Return the convolution of a unit, whose borders are filled with zeros unless `padding` is another."""
    out, inside, side, _ = unit.shape
    padding = side // 2 if padding is None else padding
    return nn.Conv2d(inside, out, side, stride, padding, bias=unit.bias)


def proposal(
    title: str,
    build: Callable[[Mapping[str, str]], RebuiltTranslator],
    *,
    offered: Mapping[str, Mapping[str, Any]],
    channels: int,
    **more: Any,
) -> Proposal | None:
    """Return the proposal of a network from pictures to pictures, None if it cannot be built.

    `offered` has "scale", the usual one first.
    """
    try:
        with torch.device("meta"):
            build({name: item["choices"][0] for name, item in offered.items()})
    except (ValueError, KeyError, IndexError, RuntimeError, ZeroDivisionError):
        return None

    def told(assumed: Mapping[str, str]) -> dict[str, Any]:
        return {"preprocessing": {"resize": 256, "fit": "whole", **SCALES[assumed["scale"]]}}

    return Proposal(
        title=title,
        task="picture to picture",
        build=build,
        side=128,
        channels=channels,
        offered=offered,
        stated=told,
        **more,
    )


def noise_left(scale: Callable[[Tensor], Tensor], net: nn.Module, pictures: Tensor) -> float:
    """Return the mean squared error of noisy pictures (N, 3, S, S) from 0 to 1 that a network cleaned."""
    assert isinstance(net, RebuiltTranslator)
    clean = scale(grey(pictures) if net.channels == 1 else pictures)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(clean) * NOISE
    return float((net.picture(clean + noise) - clean).square().mean())


def detail_lost(times: int, net: nn.Module, pictures: Tensor) -> float:
    """Return the mean squared error of pictures that were made `times` smaller and then larger by a network."""
    assert isinstance(net, RebuiltTranslator)
    clean = grey(pictures) if net.channels == 1 else pictures
    side = clean.shape[-1] // times * times
    clean = clean[..., :side, :side]
    small = functional.interpolate(clean, scale_factor=1 / times, mode="bicubic", antialias=True)
    made = net.picture(small)
    if made.shape != clean.shape:
        return 1e6
    return float((made - clean).square().mean())


def named(shapes: Shapes, steps: Sequence[Unit], paths: Sequence[str]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return a function that gives tensors the paths that a network of ours has for the same layers in order."""
    to = {unit.path: path for unit, path in zip(steps, paths, strict=True)}

    def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, tensor in state.items():
            path, _, last = name.rpartition(".")
            if path in to:
                found[f"{to[path]}.{last}"] = tensor
        return found

    return renamed
