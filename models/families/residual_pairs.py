"""The nine-layer residual network of well-known tutorials: `conv1` to `conv4`, `res1` and `res2`, `classifier`.

Its convolutions have a bias and a norm. Maps are made smaller after `conv2`, `conv3` and `conv4`, and their largest
values go to one linear layer. By how much they are made smaller is not in the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from models.families.named_layers import NamedClassifier, classifier
from models.families.proposal import ACTIVATION, Proposal, Shapes, choice

POOLED = ("conv2", "conv3", "conv4")
ORDER = ("conv1", "conv2", "res1", "conv3", "conv4", "res2")
LEAST = 64  # px that are left when three times a quarter is
SIZES = {"halved": 32, "quartered": 256}
SMALLER = {"halved": "halved three times, for 32 px", "quartered": "a quarter three times, for 256 px"}


class ResidualPairsNet(NamedClassifier):
    """Two pairs of convolutions whose input is added to what they give, between four others."""

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str], *, side: int) -> None:
        super().__init__(shapes, assumed, side=max(side, LEAST))

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        step = 4 if self.assumed.get("smaller") == "quartered" else 2
        for name in ORDER:
            if name.startswith("res"):
                out = x
                for at in self.numbers(name):
                    out = self.through(f"{name}.{at}", out, ends=True)
                x = out + x
            else:
                x = self.through(name, x, ends=True)
                x = functional.max_pool2d(x, step) if name in POOLED else x
        head = next(name for name in self.shapes if name.startswith("classifier."))
        wide = self.shapes[head][1] // x.shape[1]
        side = round(wide**0.5)
        return self.project(head.rpartition(".")[0], functional.adaptive_max_pool2d(x, side).flatten(1))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    if not {"res1.0.0.weight", "res2.1.0.weight", "conv4.0.weight"} <= shapes.keys():
        return None
    wide = next((shape[1] for name, shape in shapes.items() if len(shape) == 2), 0)
    plain = wide == shapes["conv4.0.weight"][0]
    offered: dict[str, Mapping[str, Any]] = {"activation": {**ACTIVATION, "choices": ("relu", "leaky_relu_01")}}
    if plain:
        told = "By how much maps are made smaller after three of the convolutions, which follows from their size."
        offered["smaller"] = choice("Made smaller", told, tuple(SIZES), SMALLER)
    about = {"sides": SIZES} if plain else {}
    title = "ResNet-9 for small pictures"
    return classifier(shapes, ResidualPairsNet, title, offered=offered, side=32 if plain else 64, about=about)
