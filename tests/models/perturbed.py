"""What the tests of perturbations share: a linear classifier, whose every attribution is known in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.attributions import attribution
from models.attributions.attribution import Heatmap, Probe, probe_of
from models.bundled.photos import PhotosResNet
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.params import parameters
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.subject import Subject
from models.types import Pixels

CLASSES = ("a", "b", "c", "d")


class Linear(PhotosResNet):
    """Scores that are linear in the input (N, 3, size, size), or the square of that; opened like our own classifier."""

    def __init__(self, size: int, *, square: bool = False) -> None:
        super().__init__(width=2, blocks=1, classes=4)
        self.size, self.square = size, square
        self.head = nn.Linear(3 * size * size, 4)

    def forward(self, x: Tensor) -> Tensor:
        value = self.head(x.flatten(1))
        return value.square() if self.square else value

    @property
    def weight(self) -> np.ndarray:
        """The weights (C, 3, h, w)."""
        return self.head.weight.detach().numpy().reshape(4, 3, self.size, self.size)


def picture(size: int, seed: int = 0) -> Pixels:
    """Patches of colour with a little noise."""
    rng = np.random.default_rng(seed)
    large = np.kron(rng.integers(0, 255, (4, 4, 3)), np.ones((-(-size // 4), -(-size // 4), 1)))[:size, :size]
    return (large + rng.integers(-9, 9, (size, size, 3))).clip(0, 255).astype(np.uint8)


def opened(net: nn.Module, size: int) -> Any:
    """Return the adapter of a network for inputs of `size`, which it takes as they are."""
    about = {"preprocessing": {"resize": size, "crop": size}}
    return registry.adapt(net.eval().requires_grad_(False), Card("tiny", classes=CLASSES, about=about))


def engine_of(net: nn.Module, size: int) -> Engine:
    """Return an engine in which the network is the model "tiny"."""
    made = Engine(threads=1)
    made._models["tiny"] = opened(net, size)
    return made


def probed(model: Any, pixels: Pixels, name: str, **params: Any) -> tuple[Heatmap, Subject, Probe]:
    """Return the whole map of a method, and what it was made of."""
    method = registry.all_attributions()[name]
    stages = CachedStages(Cache(), "test", Context())
    values = {p.name: p.default for p in parameters(method.params)} | params
    made = method.params(**values)
    subject = attribution.subject_of(model, pixels, made, stages)
    with torch.no_grad():
        probe = probe_of(subject, made, stages, pixels)
        return method.attribute(probe, made), subject, probe
