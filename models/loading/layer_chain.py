"""Rebuild plain chains of layers from numbered tensors in a state dict: saved generators and discriminators.

Gaps in the numbering are activations, which have no tensors. Strides follow DCGAN (Radford et al. 2016): the layer next
to the code has stride 1 without padding, the others stride 2 with padding 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from models.types import Refusal

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "tanh": nn.Tanh,
    "elu": nn.ELU,
}
OUTPUTS: dict[str, tuple[Callable[[], nn.Module], tuple[float, float]]] = {
    "tanh": (nn.Tanh, (-1.0, 1.0)),
    "sigmoid": (nn.Sigmoid, (0.0, 1.0)),
}
NUMBERED = re.compile(r"(?:(?:main|model|net|layers|gen|disc|generator|discriminator)\.)?(\d+)\.(\w+)")


class Chain(nn.Sequential):
    """A chain of layers from a flat vector (N, D) or a picture, to a picture or a vector.

    With `side` the output is a picture (N, C, side, side), or whatever the last convolution returns; otherwise numbers
    (N,).
    """

    def __init__(self, *layers: nn.Module, side: int = 0, made: bool = False) -> None:
        super().__init__(*layers)
        self.side, self.made = side, made

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in Sequential
        first = next(m for m in self if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d))
        if isinstance(first, nn.Linear):
            input = input.flatten(1)  # noqa: A001
        elif isinstance(first, nn.ConvTranspose2d):
            input = input.flatten(1)[:, :, None, None]  # noqa: A001
        out = super().forward(input)
        if not self.made:
            return out.flatten()
        return out.view(len(out), -1, self.side, self.side) if self.side else out


def numbered(state: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Return the tensors by layer number, {} if they do not form a single plain chain."""
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        match = NUMBERED.fullmatch(name)
        if match is None:
            return {}
        found.setdefault(int(match[1]), {})[match[2]] = tensor
    return dict(sorted(found.items()))


def role(layers: Mapping[int, Mapping[str, Tensor]]) -> str:
    """Return "generator" or "discriminator", "" if a chain is neither."""
    weights = [one["weight"].shape for one in layers.values() if one["weight"].ndim in (2, 4)]
    if not weights:
        return ""
    if all(len(shape) == 2 for shape in weights):
        if weights[-1][0] == 1:
            return "discriminator"
        return "generator" if side_of(weights[-1][0]) and weights[0][1] < weights[-1][0] else ""
    if not all(len(shape) == 4 for shape in weights):
        return ""
    if all(a[1] == b[0] for a, b in pairwise(weights)) and weights[-1][1] in (1, 3):
        return "generator"
    return "discriminator" if weights[-1][0] == 1 and weights[0][1] in (1, 3) else ""


def side_of(pixels: int) -> int:
    """Return the side of a square picture with one or three channels and `pixels` values in all, 0 if there is none."""
    for channels in (1, 3):
        side = round((pixels / channels) ** 0.5)
        if side * side * channels == pixels:
            return side
    return 0


def rebuild(layers: Mapping[int, Mapping[str, Tensor]], assumed: Mapping[str, str]) -> tuple[Chain, int]:
    """Return the chain with its tensors loaded, and the length of its input. Raises Refusal if they do not fit.

    `assumed` has the "activation", for a generator its "output", and the "eps" of batch normalisation.
    """
    makes = role(layers) == "generator"
    numbers = [n for n, one in layers.items() if one["weight"].ndim in (2, 4)]
    made: list[nn.Module] = []
    for number in range(max(layers) + 1):
        one = layers.get(number)
        if one is None:
            made.append(ACTIVATIONS[assumed["activation"]]())
            continue
        shape, bias = one["weight"].shape, "bias" in one
        if len(shape) == 2:
            made.append(nn.Linear(shape[1], shape[0], bias=bias))
        elif len(shape) == 4:
            end = number == (numbers[0] if makes else numbers[-1])
            kind: Any = nn.ConvTranspose2d if makes else nn.Conv2d
            sizes = shape[:2] if makes else (shape[1], shape[0])
            made.append(kind(*sizes, shape[2], 1 if end else 2, 0 if end else 1, bias=bias))
        else:
            flat = layers[max(n for n in numbers if n < number)]["weight"].ndim == 2
            made.append((nn.BatchNorm1d if flat else nn.BatchNorm2d)(shape[0], eps=float(assumed.get("eps", "1e-05"))))
    last = layers[numbers[-1]]["weight"]
    if makes:
        made.append(OUTPUTS[assumed["output"]][0]())
    chain = Chain(*made, side=side_of(last.shape[0]) if makes and last.ndim == 2 else 0, made=makes)
    state = {f"{number}.{name}": tensor for number, one in layers.items() for name, tensor in one.items()}
    try:
        chain.load_state_dict(state)
    except RuntimeError as error:
        text = str(error).splitlines()[-1].strip()
        raise Refusal(
            f"The layers do not follow on one another ({text}).", advice="Describe them in a card."
        ) from error
    first = layers[numbers[0]]["weight"]
    return chain, int(first.shape[0] if makes and first.ndim == 4 else first.shape[1])
