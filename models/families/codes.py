"""What the code of a generator is made of: noise, classes and continuous codes, and generators with an embedding.

InfoGAN (Chen et al. 2016) puts one-hot classes and uniform codes beside the noise. A conditional generator with an
embedding of classes puts its row beside the noise, or multiplies the two (ACGAN).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.families.proposal import Shapes, choice
from models.families.statistics import distances

CLASSES, CONTINUOUS = 10, 2
WAYS = {
    "plain": "noise alone",
    "classes": "noise, then ten classes",
    "classes_first": "ten classes, then noise",
    "classes_codes": "noise, ten classes, two continuous codes",
    "codes_classes": "noise, two continuous codes, ten classes",
}
CODE = choice("Code", "What the numbers are that the generator takes.", tuple(WAYS), WAYS)
JOINED = {
    "class_first": "the class's row stands before the noise",
    "noise_first": "the class's row stands after the noise",
    "product": "the class's row times the noise",
}


def usual(dims: int, shapes: Shapes) -> str:
    """Return what a code of `dims` numbers usually is, by the sums that published code has."""
    names = " ".join(shapes)
    if dims == 62 + CLASSES + CONTINUOUS:  # also 64 + 10 in a well-known course
        return "classes_codes" if "conv_blocks." in names else "codes_classes" if "deconv." in names else "classes"
    return "classes" if dims in (62 + CLASSES, 64 + CLASSES, 100 + CLASSES) else "plain"


def offered(dims: int, shapes: Shapes) -> dict[str, dict[str, Any]]:
    """Return the assumption on a code of `dims` numbers, the usual choice first; none where it is too short."""
    if dims <= CLASSES + CONTINUOUS:
        return {}
    first = usual(dims, shapes)
    return {"code": {**CODE, "choices": (first, *(way for way in WAYS if way != first))}}


def blocks(dims: int, way: str) -> list[dict[str, Any]]:
    """Return the blocks of a code in order."""
    classes = {"kind": "categorical", "size": CLASSES, "name": "class"}
    codes = {"kind": "uniform", "size": CONTINUOUS, "name": "code"}
    more = {"classes": [classes], "classes_codes": [classes, codes], "codes_classes": [codes, classes]}.get(way, [])
    if way == "classes_first":
        return [classes, {"kind": "gaussian", "size": dims - CLASSES, "name": "noise"}]
    noise = dims - sum(block["size"] for block in more)
    return [{"kind": "gaussian", "size": noise, "name": "noise"}, *more]


def drawn(latent: Sequence[Mapping[str, Any]], count: int) -> Tensor:
    """Return random codes (count, D), the same each time."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for block in latent:
        size = block["size"]
        if block["kind"] == "categorical":
            parts.append(torch.eye(size)[torch.arange(count) % size])
        elif block["kind"] == "uniform":
            parts.append(torch.rand(count, size, generator=generator) * 2 - 1)
        else:
            parts.append(torch.randn(count, size, generator=generator))
    return torch.cat(parts, 1)


def distance(net: nn.Module, pictures: Tensor) -> float:
    """Return how far what reaches the norms is from what they saw in training, on random codes."""
    latent: Any = net.latent
    return distances(net, drawn(latent, 64).to(pictures.device))[1]


class Conditioned(nn.Module):
    """A generator with an embedding of classes; `forward` takes noise and one-hot classes (N, D + K)."""

    def __init__(self, inner: Any, classes: int, width: int, way: str) -> None:
        super().__init__()
        self.generator = _Joined(inner.generator, classes, width, way)
        dims = inner.latent[0]["size"]
        noise = dims if way == "product" else dims - width
        self.latent = [
            {"kind": "gaussian", "size": noise, "name": "noise"},
            {"kind": "categorical", "size": classes, "name": "class"},
        ]
        self.range = inner.range

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)


class _Joined(nn.Module):
    def __init__(self, inner: nn.Module, classes: int, width: int, way: str) -> None:
        super().__init__()
        self.inner, self.embedding = inner, nn.Embedding(classes, width)
        self.classes, self.way = classes, way

    def forward(self, z: Tensor) -> Tensor:
        noise, hot = z[:, : -self.classes], z[:, -self.classes :]
        row = hot @ self.embedding.weight
        if self.way == "product":
            return self.inner(row * noise)
        return self.inner(torch.cat([row, noise] if self.way == "class_first" else [noise, row], 1))
