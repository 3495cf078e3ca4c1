"""Plain chains of convolutions and linear layers: LeNets, small VGGs, AlexNets of one's own, perceptrons.

The order of the layers is that of the file, and each must take what the one before returns. The length of the first
linear layer's input bounds where pixels can have been pooled and padded: the structures that fit are enumerated, the
usual ones first, and offered.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from models.families.proposal import (
    ACTIVATION,
    ACTIVATIONS,
    Proposal,
    RebuiltClassifier,
    Shapes,
    choice,
    numbered,
    place,
    unit_paths,
)

SIDES = {1: (28, 32, 64, 48, 128, 224), 3: (32, 64, 224, 28, 128, 96, 48, 150, 256, 160, 100, 50)}
MOST_CONVOLUTIONS, MOST_STRUCTURES = 16, 5
# Names of modules that add to, join with or weigh what they are given: what they do is more than one after another.
BESIDE = re.compile(
    r"(res|residual|resblock|res_block|skip|short_?cut|down_?sample|identity|att|attn|attention|se|cbam)"
    r"(_?(block|layer|conv|connection|unit|module)s?)?_?\d*(_?\d+)?"
)
POOLING = {"max": nn.MaxPool2d, "mean": nn.AvgPool2d}
ORDER = {"norm": "before the activation", "activation": "after the activation"}


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer of a chain, by its path, with the norm and the PReLU after it.

    `gap` is the number of layers without tensors between this and the next in one container, -1 if nothing tells it.
    """

    path: str
    shape: tuple[int, ...]
    bias: bool
    norm: str = ""
    affine: bool = True
    prelu: str = ""
    gap: int = -1
    adjacent: bool = False

    @property
    def side(self) -> int:
        """The side of a convolution's kernels, 0 for a linear layer."""
        return self.shape[2] if len(self.shape) == 4 else 0

    @property
    def stride(self) -> int:
        """The stride of a convolution: kernels of 4 x 4 are made to halve a picture."""
        return 2 if self.side == 4 else 1


@dataclass(frozen=True)
class Structure:
    """Where a chain pools and pads: the input's side, for each convolution its padding and the pooling after it."""

    side: int
    padding: tuple[int, ...]
    pools: tuple[int, ...]
    whole: bool = False  # the mean of each channel is taken at the end

    @property
    def words(self) -> str:
        """A description for the user."""
        padded = "no padding" if not any(self.padding) else "padded" if all(self.padding) else "padded in part"
        places = [str(at + 1) for at, size in enumerate(self.pools) if size > 1]
        after = f"halved after convolution {', '.join(places)}" if places else "nowhere halved"
        return f"{self.side} px, {padded}, {after}{', then averaged' if self.whole else ''}"

    @property
    def key(self) -> str:
        """The structure in letters, for a model's full name."""
        pads = "".join(str(one) for one in self.padding)
        return f"{self.side}-{'g' if self.whole else 'f'}-p{pads}-s{''.join(str(one) for one in self.pools)}"


class ChainClassifier(RebuiltClassifier):
    """A chain of layers at the paths they have in the file; activations and pooling have names of their own."""

    def __init__(
        self, layers: Sequence[Layer], structure: Structure, assumed: Mapping[str, str], channels: int
    ) -> None:
        super().__init__()
        self.channels = channels
        self._steps: list[str] = []
        flat, last = False, len(layers) - 1
        for at, layer in enumerate(layers):
            conv = layer.side > 0
            if not conv and not flat:
                flat = True
                if structure.whole:
                    self._add("averaged", nn.AdaptiveAvgPool2d(1))
                self._add("flattened", nn.Flatten())
            self._put(layer.path, _made(layer, structure.padding[at] if conv else 0))
            after = [("activation", f"activation{at + 1}")] if at < last or conv else []
            if layer.norm:
                kind = nn.BatchNorm2d if conv else nn.BatchNorm1d
                norm = kind(layer.shape[0], affine=layer.affine)
                first = assumed.get("order", "norm") == "norm"
                after = [("norm", layer.norm), *after] if first else [*after, ("norm", layer.norm)]
                self._norm = norm
            for what, path in after:
                if what == "norm":
                    self._put(path, self._norm)
                elif layer.prelu:
                    self._put(layer.prelu, nn.PReLU(layer.shape[0]))
                else:
                    self._add(path, ACTIVATIONS[assumed.get("activation", "relu")]())
            if conv and structure.pools[at] > 1:
                self._add(f"pool{at + 1}", POOLING[assumed.get("pooling", "max")](structure.pools[at]))
        if hasattr(self, "_norm"):
            del self._norm
        if not flat:
            self._add("averaged", nn.AdaptiveAvgPool2d(1))
            self._add("flattened", nn.Flatten())

    def _add(self, name: str, module: nn.Module) -> None:
        while hasattr(self, name):
            name += "_"
        self.add_module(name, module)
        self._steps.append(name)

    def _put(self, path: str, module: nn.Module) -> None:
        place(self, path, module)
        self._steps.append(path)

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        for step in self._steps:
            x = self.get_submodule(step)(x)
        return x


def propose(shapes: Shapes) -> Proposal | None:
    """Return the chain that these tensors form, None if they form none."""
    layers = parse(shapes)
    if not layers or layers[-1].side or layers[-1].norm:
        return None
    convolutions = [layer for layer in layers if layer.side]
    first = layers[0].shape[1]
    if not convolutions:
        return _perceptron(layers)
    if first not in SIDES or len(convolutions) > MOST_CONVOLUTIONS:
        return None
    found = structures(layers, first)
    if not found:
        return None
    count = layers[-1].shape[0]
    by_key = {one.key: one for one in found}
    offered: dict[str, dict[str, Any]] = {}
    if len(found) > 1:
        offered["structure"] = choice(
            "Structure",
            "Where pixels are padded and pooled; these lead to the length that the first linear layer takes.",
            tuple(by_key),
            {one.key: one.words for one in found},
        )
    if not all(layer.prelu for layer in layers[:-1]):
        offered["activation"] = {**ACTIVATION, "choices": tuple(ACTIVATIONS)}
    if any(size > 1 for size in found[0].pools):
        offered["pooling"] = choice("Pooling", "How neighbouring pixels become one.", ("max", "mean"))
    if any(layer.norm and not layer.adjacent for layer in layers):
        offered["order"] = choice("Normalised", "Where batch normalisation stands.", tuple(ORDER), ORDER)

    def build(assumed: Mapping[str, str]) -> nn.Module:
        structure = by_key[assumed["structure"]] if "structure" in assumed else found[0]
        return ChainClassifier(layers, structure, assumed, first)

    inputs = ("mnist", "zero_one", "minus_one_one", "fashion_mnist") if first == 1 else _coloured(found[0].side, layers)
    linear = len(layers) - len(convolutions)
    return Proposal(
        title=f"A chain of {len(convolutions)} convolution{'s' * (len(convolutions) > 1)} and {linear} linear "
        f"layer{'s' * (linear > 1)}",
        task="classification",
        build=build,
        side=found[0].side,
        channels=first,
        classes=numbered(count),
        inputs=inputs,
        offered=offered,
        judged=tuple(offered),
        about={"sides": {one.key: one.side for one in found}},
    )


def _coloured(side: int, layers: Sequence[Layer]) -> tuple[str, ...]:
    """Return how the values of colour pictures are usually scaled: plain small networks are a tutorial's."""
    if side > 48:
        return ("imagenet", "zero_one", "minus_one_one")
    normalised = any(layer.norm for layer in layers)
    first = ("cifar10", "imagenet", "minus_one_one") if normalised else ("minus_one_one", "cifar10", "imagenet")
    return (*first, "zero_one")


def _perceptron(layers: Sequence[Layer]) -> Proposal | None:
    pixels = layers[0].shape[1]
    for channels, side in ((1, 28), (3, 32), (1, 32), (1, 8), (3, 28), (1, 64), (3, 64)):
        if channels * side * side == pixels:
            break
    else:
        return None
    count = layers[-1].shape[0]
    if count >= pixels or len(layers) < 1:
        return None
    offered: dict[str, dict[str, Any]] = {}
    if len(layers) > 1:
        offered["activation"] = {**ACTIVATION, "choices": tuple(ACTIVATIONS)}
    if any(layer.norm for layer in layers):
        offered["order"] = choice("Normalised", "Where batch normalisation stands.", tuple(ORDER), ORDER)
    structure = Structure(side, (), ())
    inputs = ("mnist", "zero_one", "minus_one_one", "fashion_mnist") if channels == 1 else _coloured(side, layers)
    return Proposal(
        title=f"A perceptron of {len(layers)} linear layer{'s' * (len(layers) > 1)}",
        task="classification",
        build=lambda assumed: ChainClassifier(layers, structure, assumed, channels),
        side=side,
        channels=channels,
        classes=numbered(count),
        inputs=inputs,
        offered=offered,
        judged=tuple(offered),
    )


def parse(shapes: Shapes) -> list[Layer]:
    """Return the layers of a chain in order with their norms, [] if the tensors form no chain."""
    units = unit_paths(shapes)
    layers: list[Layer] = []
    norms: list[tuple[int, str]] = []
    for unit in units:
        own = {name.rpartition(".")[2]: shape for name, shape in shapes.items() if name.rpartition(".")[0] == unit}
        weight = own.pop("weight", None)
        bias = own.pop("bias", None)
        if "running_mean" in own:
            norms.append((len(layers) - 1, unit))
            if set(own) - {"running_mean", "running_var", "num_batches_tracked"}:
                return []
        elif weight is None or own or not unit or _in_a_block(unit) or _beside(unit):
            return []
        elif len(weight) == 1 and bias is None and layers and weight == layers[-1].shape[:1] and not layers[-1].prelu:
            layers[-1] = replace(layers[-1], prelu=unit)
        elif len(weight) in (2, 4) and (bias is None or bias == weight[:1]):
            if len(weight) == 4 and (weight[2] != weight[3] or (layers and not layers[-1].side)):
                return []
            layers.append(Layer(unit, weight, bias is not None))
        else:
            return []
    if not layers or not _follow(layers):
        return []
    for before, unit in norms:
        width = shapes[f"{unit}.running_mean"][0]
        at = _owner(layers, before, unit, width)
        if at < 0:
            return []
        close = (
            at == before
            and _container(unit) == _container(layers[at].path)
            and _number(unit) == _number(layers[at].path) + 1
        )
        layers[at] = replace(layers[at], norm=unit, affine=f"{unit}.weight" in shapes, adjacent=close)
    return [replace(one, gap=_gap(one, layers[at + 1])) for at, one in enumerate(layers[:-1])] + [layers[-1]]


def _in_a_block(unit: str) -> bool:
    """Return whether a layer lies in one of several modules of the user's own: what else they do is unknown."""
    parts = unit.split(".")
    return len(parts) > 2 and not parts[-1].isdigit() and any(part.isdigit() for part in parts[:-1])


def _beside(unit: str) -> bool:
    """Return whether a layer lies in a module whose name says that its input goes on beside it, or that it weighs."""
    return any(BESIDE.fullmatch(part.lower()) for part in unit.split("."))


def _follow(layers: Sequence[Layer]) -> bool:
    """Return whether each layer takes what the one before returns."""
    for a, b in itertools.pairwise(layers):
        if a.side and not b.side:
            if b.shape[1] % a.shape[0]:
                return False
        elif b.shape[1] != a.shape[0]:
            return False
    return True


def _owner(layers: Sequence[Layer], before: int, unit: str, width: int) -> int:
    """Return the layer that a norm belongs to, -1 if there is none: the one before, else of the same number."""
    free = [at for at, layer in enumerate(layers) if not layer.norm and layer.shape[0] == width]
    if before in free and (
        before + 1 == len(layers) or _digits(unit) == "" or _container(unit) == _container(layers[before].path)
    ):
        return before
    alike = [at for at in free if _digits(layers[at].path) == _digits(unit)]
    if len(alike) == 1:
        return alike[0]
    return before if before in free else free[0] if free else -1


def _digits(path: str) -> str:
    found = re.findall(r"\d+", path.rpartition(".")[2])
    return found[-1] if found else ""


def _container(path: str) -> str:
    return path.rpartition(".")[0]


def _number(path: str) -> int:
    name = path.rpartition(".")[2]
    return int(name) if name.isdigit() else -9


def _gap(layer: Layer, following: Layer) -> int:
    last = layer.prelu or (layer.norm if layer.adjacent else "") or layer.path
    if _container(last) != _container(following.path) or min(_number(last), _number(following.path)) < 0:
        return -1
    return _number(following.path) - _number(last) - 1


def _made(layer: Layer, padding: int) -> nn.Module:
    if layer.side:
        return nn.Conv2d(layer.shape[1], layer.shape[0], layer.side, layer.stride, padding, bias=layer.bias)
    return nn.Linear(layer.shape[1], layer.shape[0], bias=layer.bias)


def structures(layers: Sequence[Layer], channels: int) -> list[Structure]:
    """Return the structures that lead to the first linear layer's length, the usual ones first."""
    convolutions = [layer for layer in layers if layer.side]
    linear = next(layer for layer in layers if not layer.side)
    area = linear.shape[1] // convolutions[-1].shape[0]
    side = round(area**0.5)
    if side * side != area:
        return []
    found: dict[Structure, float] = {}
    pools = list(_pool_patterns(convolutions))
    for paddings in _paddings(convolutions):
        for pattern in pools:
            for order, start in enumerate(SIDES[channels]):
                end = _run(start, convolutions, paddings, pattern)
                whole = side == 1 and end > 1
                if end == side or whole:
                    made = Structure(start, paddings, pattern, whole)
                    found[made] = _cost(made, convolutions, order)
    return sorted(found, key=lambda one: (found[one], one.key))[:MOST_STRUCTURES]


def _paddings(convolutions: Sequence[Layer]) -> list[tuple[int, ...]]:
    sizes = sorted({layer.side for layer in convolutions})
    ways = itertools.product(*([(0,) if size == 1 else (1, 0) if size == 4 else (0, size // 2) for size in sizes]))
    return [tuple(dict(zip(sizes, way, strict=True))[layer.side] for layer in convolutions) for way in ways]


def _pool_patterns(convolutions: Sequence[Layer]) -> list[tuple[int, ...]]:
    """Return where pixels may be pooled, after each convolution; gaps in the numbering tell more than the rest."""
    count = len(convolutions)
    gaps = [layer.gap for layer in convolutions[:-1]]
    options = [(1,) if gap in (0, 1) else (2, 1) for gap in gaps]
    free = sum(len(one) > 1 for one in options)
    if free > 7:  # too many to try each: after every change of width, or after all of them
        wider = tuple(
            2 if at + 1 == count or convolutions[at + 1].shape[0] != one.shape[0] else 1
            for at, one in enumerate(convolutions)
        )
        pairs = tuple(2 if at % 2 else 1 for at in range(count))
        return list(dict.fromkeys([wider, pairs, (2,) * count]))
    return list(itertools.product(*options, (2, 1)))


def _run(side: int, convolutions: Sequence[Layer], paddings: Sequence[int], pools: Sequence[int]) -> int:
    for layer, padding, pool in zip(convolutions, paddings, pools, strict=True):
        side = (side + 2 * padding - layer.side) // layer.stride + 1
        if side < pool:
            return 0
        side //= pool
    return side


def _cost(made: Structure, convolutions: Sequence[Layer], order: int) -> float:
    """Return how unusual a structure is."""
    count = len(convolutions)
    cost = 1.0 * order
    for layer, pool in zip(convolutions, made.pools, strict=True):
        if layer.gap >= 2:  # activation and pooling between two convolutions of one container
            cost += 0.0 if pool > 1 else 1.5
    halved = sum(size > 1 or one.stride > 1 for size, one in zip(made.pools, convolutions, strict=True))
    cost += 0.0 if halved == count else 0.5 if made.pools[-1] > 1 else 1.2
    cost += 0.3 * (count - halved) if count <= 4 else 0
    for layer, padding in zip(convolutions, made.padding, strict=True):
        usual = (
            1 if layer.side == 4 else 0 if layer.side >= 5 and made.side in (28, 32) and count <= 3 else layer.side // 2
        )
        cost += 0.25 * (padding != usual)
    return cost + (4.0 if made.whole else 0)
