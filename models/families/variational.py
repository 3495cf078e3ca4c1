"""Variational autoencoders in their usual layouts: layers, two heads for mean and log-variance, and layers back.

Layers are linear, or convolutions that halve the picture and transposed ones that double it. Heads are told by their
names (`fc21` and `fc22`, `mu` and `logvar`, `fc_mean` and `fc_log_var`, `mu` and `sigma`) and their equal shapes. A
conditional one, whose decoder also takes a class, is opened as a generator: its encoder needs the class of a picture.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.families.proposal import ACTIVATION, ACTIVATIONS, Proposal, Shapes, choice, grey, place, unit_paths

MEAN = re.compile(r"(fc21|fc31|.*?(_|\b|z|fc|enc)(mu|mean|means)(_?layer|_?head|_?fc|_?linear)?)(\.0)?", re.I)
SPREAD = re.compile(r"(fc22|fc32|.*?(logvar|log_var|log_?sigma|sigma|var|std|logstd|lv|log_std|logsd).*?)(\.0)?", re.I)
SIDES = (28, 32, 64, 128, 8, 16, 256)
OUTPUTS: dict[str, tuple[Any, tuple[float, float]]] = {
    "sigmoid": (nn.Sigmoid, (0.0, 1.0)),
    "tanh": (nn.Tanh, (-1.0, 1.0)),
    "none": (nn.Identity, (0.0, 1.0)),
}
OUTPUT = choice(
    "Output",
    "The last function of the decoder, which gives the range of its pixels.",
    tuple(OUTPUTS),
    {"sigmoid": "sigmoid, 0 to 1", "tanh": "tanh, -1 to 1", "none": "none"},
)
SPREADS = choice(
    "Second head",
    "What the head beside the mean gives.",
    ("log_variance", "log_sigma"),
    {"log_variance": "logarithm of the variance", "log_sigma": "logarithm of the standard deviation"},
)


UNFOLDED = choice(
    "Between vector and map",
    "Whether the decoder's last linear layer is followed by the activation.",
    ("activated", "plain"),
    {"activated": "the activation", "plain": "nothing"},
)


class LayeredVAE(nn.Module):
    """A VAE of layers at the paths they have in the file."""

    def __init__(self, plan: _Plan, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self._plan = plan
        last, self.range = OUTPUTS[assumed.get("output", "sigmoid")]
        self.likelihood = "bernoulli" if assumed.get("output", "sigmoid") == "sigmoid" else "gaussian"
        self.latent = [{"kind": "gaussian", "size": plan.dims, "name": "z"}]
        self._bare = assumed.get("unfolded") == "plain"
        self._double = assumed.get("spread") == "log_sigma"
        for path in (*plan.encoder, *plan.heads, *plan.decoder):
            place(self, path, _made(shapes, path, plan.kinds[path], loose=plan.loose))
        self.activation, self.last = ACTIVATIONS[assumed.get("activation", "relu")](), last()

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance (N, D) of pictures (N, C, S, S) in the network's own range."""
        x = self._run(self._plan.encoder, x if self._plan.convolutions else x.flatten(1), ends=False).flatten(1)
        mean, spread = (self.get_submodule(path)(x) for path in self._plan.heads)
        return mean, 2 * spread if self._double else spread

    def decode(self, z: Tensor) -> Tensor:
        """Return pictures (N, C, S, S) of codes (N, D)."""
        return self.last(self.logits(z))

    def logits(self, z: Tensor) -> Tensor:
        """Return the numbers (N, C, S, S) before the last function."""
        plan = self._plan
        x = self._run(plan.decoder, z, ends=True)
        return x if x.ndim == 4 else x.view(len(x), plan.channels, plan.side, plan.side)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0])

    def _run(self, paths: Sequence[str], x: Tensor, *, ends: bool) -> Tensor:
        kinds = self._plan.kinds
        for at, path in enumerate(paths):
            if kinds[path] in ("transposed", "kept") and x.ndim == 2:
                width = self._plan.first_width
                side = round((x.shape[1] / width) ** 0.5)
                x = x.view(len(x), width, side, side)
            if kinds[path] == "linear":
                x = x.flatten(1)
            x = self.get_submodule(path)(x)
            following = kinds[paths[at + 1]] if at + 1 < len(paths) else ""
            bare = self._bare and kinds[path] == "linear" and following in ("transposed", "kept")
            if following != "norm" and not bare and not (ends and at + 1 == len(paths)):
                x = self.activation(x)
        return x


class LayeredGenerator(nn.Module):
    """The decoder of a conditional VAE: codes and classes to pictures."""

    def __init__(self, plan: _Plan, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.generator = LayeredVAE(plan, shapes, assumed)
        self.range = self.generator.range
        self.latent = [
            {"kind": "gaussian", "size": plan.dims, "name": "z"},
            {"kind": "categorical", "size": plan.classes, "name": "class"},
        ]
        self.generator.forward = self.generator.decode  # type: ignore[method-assign]

    def forward(self, z: Tensor) -> Tensor:
        return self.generator.decode(z)


class _Plan:
    """The paths of a VAE's layers in order, what they are, and its sizes."""

    def __init__(self, shapes: Shapes) -> None:
        self.encoder: list[str] = []
        self.decoder: list[str] = []
        self.kinds: dict[str, str] = {}
        self.classes = 0
        self.loose = False
        units = unit_paths(shapes)
        self.heads = _heads(shapes, units)
        if not self.heads:
            raise ValueError("no heads")
        first = min(units.index(head) for head in self.heads)
        self.dims, inside = shapes[f"{self.heads[0]}.weight"][:2]
        width = 0
        for at, path in enumerate(unit for unit in units if unit not in self.heads):
            ahead = at < first
            width = self.dims if not ahead and not self.decoder else width
            width = self._add(shapes, path, width, encoder=ahead)
        for head in self.heads:
            self.kinds[head] = "linear"
        self.convolutions = bool(self.encoder) and self.kinds[self.encoder[0]] == "halved"
        self._sizes(shapes, inside)

    def _add(self, shapes: Shapes, path: str, width: int, *, encoder: bool) -> int:
        weight = shapes.get(f"{path}.weight", shapes.get(f"{path}.running_mean"))
        if weight is None or len(weight) not in (1, 2, 4):
            raise ValueError(f"{path} is not a layer of such a network")
        (self.encoder if encoder else self.decoder).append(path)
        if f"{path}.running_mean" in shapes:
            flat = self.kinds.get((self.encoder if encoder else self.decoder)[-2]) == "linear"
            self.kinds[path] = "norm"
            self._flat = {*getattr(self, "_flat", set()), *([path] if flat else [])}
            return width
        if len(weight) == 1:
            raise ValueError(f"{path} is not a layer of such a network")
        if len(weight) == 2:
            self.kinds[path] = "linear"
            return weight[0]
        if encoder:
            self.kinds[path] = "halved"
            return weight[0]
        self.kinds[path] = "transposed" if weight[2] != 3 or weight[1] not in (1, 3) else "kept"
        bias = shapes.get(f"{path}.bias", (0,))[0]
        if weight[0] != weight[1] and bias in weight[:2]:  # a bias is as long as what its layer gives
            self.kinds[path] = "kept" if bias == weight[0] else "transposed"
            return bias
        if self.kinds[path] == "kept" and width % weight[1] and not width % weight[0]:
            self.kinds[path] = "transposed"
        if self.kinds[path] == "transposed" and width % weight[0] and not width % weight[1]:
            self.kinds[path] = "kept"
        return weight[1] if self.kinds[path] == "transposed" else weight[0]

    def _sizes(self, shapes: Shapes, inside: int) -> None:
        """Set the side and channels of pictures. Raises ValueError if encoder and decoder do not fit each other."""
        linear = [path for path in self.decoder if self.kinds[path] == "linear"]
        spatial = [path for path in self.decoder if self.kinds[path] in ("transposed", "kept")]
        if not linear:
            raise ValueError("a decoder without linear layers")
        made = shapes[f"{linear[-1]}.weight"][0]
        if spatial:
            weight = shapes[f"{spatial[0]}.weight"]
            self.first_width = weight[0] if self.kinds[spatial[0]] == "transposed" else weight[1]
            small = round((made / self.first_width) ** 0.5)
            doubled = sum(self.kinds[path] == "transposed" for path in spatial)
            self.loose = small == 1 and all(self.kinds[path] == "transposed" for path in spatial)
            last = shapes[f"{spatial[-1]}.weight"]
            self.channels = last[1] if self.kinds[spatial[-1]] == "transposed" else last[0]
            self.side = small * 2**doubled
            if self.loose:  # from one pixel, without padding, as in World Models (Ha and Schmidhuber 2018)
                self.side = 1
                for path in spatial:
                    self.side = (self.side - 1) * 2 + shapes[f"{path}.weight"][2]
        else:
            self.first_width = 1
            found = [(c, round((made / c) ** 0.5)) for c in (1, 3) if round((made / c) ** 0.5) ** 2 * c == made]
            if not found:
                raise ValueError("no square picture")
            self.channels, self.side = found[0]
        if self.convolutions:
            ends = self.side
            for path in (path for path in self.encoder if self.kinds[path] == "halved"):
                side = shapes[f"{path}.weight"][2]
                ends = (ends - side) // 2 + 1 if self.loose else (ends + 1) // 2
            last = next(path for path in reversed(self.encoder) if self.kinds[path] == "halved")
            after = [path for path in self.encoder if self.kinds[path] == "linear"]
            flat = shapes[f"{after[0]}.weight"][1] if after else inside
            if shapes[f"{self.encoder[0]}.weight"][1] != self.channels:
                raise ValueError("other channels")
            if flat != shapes[f"{last}.weight"][0] * ends * ends:
                raise ValueError("the encoder ends in another size")
        elif self.encoder:
            pixels = self.channels * self.side**2
            self.classes = shapes[f"{self.encoder[0]}.weight"][1] - pixels
        taken = shapes[f"{linear[0]}.weight"][1]
        if self.classes < 0 or taken != self.dims + self.classes or self.channels not in (1, 3):
            raise ValueError("encoder and decoder do not fit each other")


def propose(shapes: Shapes) -> Proposal | None:
    """Return the VAE that has these tensors, None if it is none."""
    try:
        plan = _Plan(shapes)
        kind = LayeredGenerator if plan.classes else LayeredVAE
        with torch.device("meta"):
            kind(plan, shapes, {})
    except (ValueError, KeyError, IndexError, StopIteration, ZeroDivisionError):
        return None
    normed = any(one == "norm" for one in plan.kinds.values())
    ways = ("leaky_relu_01", "relu") if normed and plan.convolutions else ("relu", "leaky_relu_01")
    activations = (*ways, *(way for way in ACTIVATIONS if way not in ways))
    offered: dict[str, dict[str, Any]] = {
        "activation": {**ACTIVATION, "choices": activations},
        "output": {**OUTPUT, "choices": OUTPUT["choices"]},
    }
    if any(one in ("transposed", "kept") for one in plan.kinds.values()):
        first = "plain" if "input" in plan.decoder[0] else "activated"
        ways = (first, *(way for way in UNFOLDED["choices"] if way != first))
        offered["unfolded"] = {**UNFOLDED, "choices": ways}
    judged = tuple(offered)
    if not plan.classes:
        ways = SPREADS["choices"]
        sigma = re.search(r"log_?(sigma|std|sd)", "".join(plan.heads[1:]), re.I)
        offered["spread"] = {**SPREADS, "choices": ways[::-1] if sigma else ways}
    about = "conditional" if plan.classes else "convolutional" if plan.convolutions else "linear"
    return Proposal(
        title=f"VAE of {about} layers, {plan.dims} dimensions",
        task="generation",
        build=lambda assumed: kind(plan, shapes, assumed),
        side=plan.side,
        channels=plan.channels,
        offered=offered,
        judged=() if plan.classes else judged,
        renamed=lambda state: {f"generator.{n}": t for n, t in state.items()} if plan.classes else state,
        measure=None if plan.classes else _reconstruction,
        fits=0.002,
        evidence="Bundled pictures come back with a mean squared error of {number}",
        about={"latent_classes": plan.classes} if plan.classes else {},
    )


def _reconstruction(net: nn.Module, pictures: Tensor) -> float:
    """Return the mean squared error of pictures (N, 3, S, S) from 0 to 1 that pass through the network and back."""
    low, high = net.range  # type: ignore[misc]
    assert isinstance(net, LayeredVAE)
    seen = grey(pictures) if net._plan.channels == 1 else pictures
    made = (net(seen * (high - low) + low) - low) / (high - low)
    return float((made - seen).square().mean())


def _heads(shapes: Shapes, units: Sequence[str]) -> tuple[str, str] | tuple[()]:
    """Return the paths of the heads of mean and spread."""
    found = [unit for unit in units if len(shapes.get(f"{unit}.weight", ())) == 2]
    for at, unit in enumerate(found[:-1]):
        other = found[at + 1]
        if shapes[f"{unit}.weight"] != shapes[f"{other}.weight"]:
            continue
        names = [path.rpartition(".")[2] if not path.endswith(".0") else path.split(".")[-2] for path in (unit, other)]
        if SPREAD.fullmatch(names[1]) and not SPREAD.fullmatch(names[0]) and MEAN.fullmatch(names[0]):
            return unit, other
        if SPREAD.fullmatch(names[0]) and not SPREAD.fullmatch(names[1]) and MEAN.fullmatch(names[1]):
            return other, unit
    for (one, two), after in zip(itertools.pairwise(found), found[2:], strict=False):
        dims, inside = shapes[f"{one}.weight"]
        # No chain has two layers of one shape side by side, unless they are square: both take what came before.
        if shapes[f"{two}.weight"] == (dims, inside) and dims < inside and shapes[f"{after}.weight"][1] == dims:
            return one, two
    return ()


def _made(shapes: Shapes, path: str, kind: str, *, loose: bool = False) -> nn.Module:
    bias = f"{path}.bias" in shapes
    if kind == "norm":
        width = shapes[f"{path}.running_mean"][0]
        return _Norm(width, affine=f"{path}.weight" in shapes)
    weight = shapes[f"{path}.weight"]
    if kind == "linear":
        return nn.Linear(weight[1], weight[0], bias=bias)
    side = weight[2]
    if loose and kind == "halved":
        return nn.Conv2d(weight[1], weight[0], side, 2, bias=bias)
    if loose:
        return nn.ConvTranspose2d(weight[0], weight[1], side, 2, bias=bias)
    if kind == "halved":
        return nn.Conv2d(weight[1], weight[0], side, 2, (side - 1) // 2, bias=bias)
    if kind == "kept":
        return nn.Conv2d(weight[1], weight[0], side, 1, side // 2, bias=bias)
    return nn.ConvTranspose2d(weight[0], weight[1], side, 2, (side - 1) // 2, side % 2, bias=bias)


class _Norm(nn.BatchNorm2d):
    """Batch normalisation of vectors (N, C) or maps (N, C, h, w)."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - the name in torch
        if input.ndim not in (2, 4):
            raise ValueError("vectors or maps are wanted")
