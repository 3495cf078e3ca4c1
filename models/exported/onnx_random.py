"""ONNX operators that draw random numbers: they draw the same ones at each pass, of a seed that can be chosen.

One row is drawn for all pictures of a batch, so that an answer does not depend on what else is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.exported.onnx_node import TYPES, Build

KEY = "seed"
SEEDS = ("0", "1", "2", "3", "4", "5", "6", "7")
OFFERED: dict[str, Any] = {
    "title": "Random numbers",
    "help": "The network draws random numbers at each pass. Here they are always those of one seed, so that answers "
    "repeat.",
    "choices": SEEDS,
}


class Seed:
    """The seed in force. It has no attributes by name, so that restoring a network's state after a trial leaves it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Drawn(nn.Module):
    """Draws numbers.

    "normal" are those around `low` with the spread `high`, "uniform" those from `low` to `high`, "chance" a yes with
    each number's probability, "choice" `count` class numbers by logits (N, C).
    """

    def __init__(self, kind: str, *, low: float = 0.0, high: float = 1.0, dtype: Any = None, count: int = 1) -> None:
        super().__init__()
        self.kind, self.low, self.high, self.dtype, self.count = kind, low, high, dtype, count
        self.number, self.seed = 0, Seed()

    def forward(self, like: Tensor) -> Tensor:
        """Return numbers of the shape of a tensor (N, …), the same for each of its rows."""
        generator = torch.Generator().manual_seed(1009 * self.seed.value + self.number)
        if self.kind == "choice":
            noise = torch.rand(self.count, like.shape[1], generator=generator).to(like.device)
            best = (like[:, None] - (-noise.clamp_min(1e-20).log()).log()).argmax(-1)  # Gumbel: as if drawn by softmax
            return best.to(self.dtype or torch.int32)
        shape = (1, *like.shape[1:]) if like.ndim else ()
        if self.kind == "normal":
            made = torch.randn(shape, generator=generator) * self.high + self.low
        else:
            made = torch.rand(shape, generator=generator) * (self.high - self.low) + self.low
        made = made.to(like.device)
        if self.kind == "chance":
            return (made < like).to(self.dtype or like.dtype)
        return made.to(self.dtype or like.dtype).expand(like.shape)


def _like(kind: str, *names: str) -> Callable[[Build], Any]:
    def build(b: Build) -> Any:
        low, high = (float(b.get(name, default)) for name, default in zip(names, (0.0, 1.0), strict=True))
        return b.module(Drawn(kind, low=low, high=high, dtype=TYPES.get(b.get("dtype", 0))), b.at(0))

    return build


def _shaped(kind: str, *names: str) -> Callable[[Build], Any]:
    def build(b: Build) -> Any:
        low, high = (float(b.get(name, default)) for name, default in zip(names, (0.0, 1.0), strict=True))
        shape = [int(side) for side in b.get("shape")]
        drawn = Drawn(kind, low=low, high=high, dtype=TYPES.get(b.get("dtype", 1)))
        return b.call(torch.clone, drawn(torch.zeros([1, *shape]))[0])  # a constant: it is drawn once

    return build


BUILDERS: dict[str, Callable[[Build], Any]] = {
    "RandomNormalLike": _like("normal", "mean", "scale"),
    "RandomUniformLike": _like("uniform", "low", "high"),
    "RandomNormal": _shaped("normal", "mean", "scale"),
    "RandomUniform": _shaped("uniform", "low", "high"),
    "Bernoulli": lambda b: b.module(Drawn("chance", dtype=TYPES.get(b.get("dtype", 0))), b.at(0)),
    "Multinomial": lambda b: b.module(
        Drawn("choice", dtype=TYPES.get(b.get("dtype", 6)), count=b.get("sample_size", 1)), b.at(0)
    ),
}


def of(net: nn.Module) -> list[Drawn]:
    """Return what draws random numbers in a network; each draws others than the rest."""
    found = [module for module in net.modules() if isinstance(module, Drawn)]
    for number, each in enumerate(found):
        each.number = number
    return found


def chosen(net: nn.Module, given: Mapping[str, str]) -> None:
    """Put the seed that the user chose in force."""
    for each in of(net):
        if given.get(KEY) in SEEDS:
            each.seed.value = int(given[KEY])


def offered(net: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the assumption on the seed, none for a network that draws nothing."""
    return {KEY: OFFERED} if of(net) else {}


def note(parts: Sequence[Drawn]) -> str:
    """Return in a sentence that a network draws, "" where it does not."""
    return "It draws random numbers, here always those of one seed (Random numbers)." if parts else ""
