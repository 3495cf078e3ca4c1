"""Published classifiers without their own head, wrapped in somebody's code: the body under any name, another head.

The body is one of torchvision's classifiers. Its tensors lie under any prefix, by torchvision's names or by the numbers
that `nn.Sequential(*list(net.children())[:-1])` and fastai give them, and all must be there. What else the file holds
must be heads: chains of linear layers that take the body's maps, averaged, by their maximum, both, or flattened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.cards.card import CLASSIFIERS
from models.families.proposal import (
    ACTIVATION,
    ACTIVATIONS,
    Proposal,
    Rebuilt,
    RebuiltClassifier,
    Shapes,
    choice,
    place,
    same,
    under,
    unit_paths,
)
from models.loading import architectures, linear_heads
from models.loading.linear_heads import Head

HEADS = ("fc", "classifier", "head", "heads")  # of torchvision's classifiers
SIDE, MOST_SIDE, COARSENESS = 224, 512, 32
# Children of torchvision's networks in order, for each family's mark; what has no tensors is "".
CHILDREN: dict[str, tuple[str, ...]] = {
    "layer1.0.conv1.weight": ("conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4"),
    "features.denseblock1.denselayer1.conv1.weight": ("features",),
    "layers.0.weight": ("layers",),
    "stage2.0.branch1.0.weight": ("conv1", "", "stage2", "stage3", "stage4", "conv5"),
    "features.0.weight": ("features",),
    "features.0.0.weight": ("features",),
}
STEM = {"layer0.0.": "conv1.", "layer0.1.": "bn1."}
CELLS = {"vgg": 7, "alexnet": 6}  # sides of the maps that these average to, of which all values go on
BARE = {"": "features."}
NOT_THESE = ("vit", "maxvit", "swin", "regnet")  # whose last maps lie otherwise, or which compute their widths
POOLED = {
    "mean": "the mean of each channel",
    "max": "the largest value of each channel",
    "max_mean": "the largest value and the mean",
    "mean_max": "the mean and the largest value",
    "flat": "all values",
}
LAST = {"plain": "nothing", "activated": "the activation"}


@dataclass(frozen=True)
class Body:
    """A published classifier's body in a file: each of its children's paths there, by torchvision's names."""

    architecture: str
    paths: Mapping[str, str]
    names: frozenset[str]
    own: str = ""  # where its own head would lie

    @property
    def dense(self) -> bool:
        """Whether an activation follows its last norm in a function, which a list of its children leaves out."""
        return self.architecture.startswith("densenet")


class WrappedBackbone(Rebuilt):
    """Returns the scores of the heads (N, K) by their paths, of a single one alone, of none the body's features."""

    def __init__(self, body: Body, heads: Sequence[Head], assumed: Mapping[str, str], side: int) -> None:
        super().__init__()
        self.side, self._assumed = side, assumed
        whole = architectures.build(body.architecture, classes=2)
        self._steps: list[str] = []
        for name, path in body.paths.items():
            self._put(path, whole.get_submodule(name))
            if name == "bn1":
                self._put(_free(body, "relu"), nn.ReLU())
            if name == ("bn1" if "bn1" in body.paths else "conv1"):
                self._put(_free(body, "maxpool"), nn.MaxPool2d(3, 2, 1))
        if body.dense and assumed.get("last", "activated") == "activated":
            self._put(_free(body, "relu"), nn.ReLU())
        self._cells = CELLS.get(_kind(body.architecture), 0)
        activation = ACTIVATIONS[assumed.get("activation", "relu")]
        self._heads = [(head.path, linear_heads.placed(self, head, activation)) for head in heads]

    def _put(self, path: str, module: nn.Module) -> None:
        place(self, path, module)
        self._steps.append(path)

    def maps(self, x: Tensor) -> Tensor:
        """Return the body's last maps (N, C, h, w)."""
        for step in self._steps:
            x = self.get_submodule(step)(x)
        return x

    def _features(self, x: Tensor) -> Tensor:
        x = self.maps(x)
        way = self._assumed.get("pooled", "mean")
        if way == "flat":
            return (functional.adaptive_avg_pool2d(x, self._cells) if self._cells else x).flatten(1)
        pooled = {"mean": functional.adaptive_avg_pool2d, "max": functional.adaptive_max_pool2d}
        return torch.cat([pooled[one](x, 1).flatten(1) for one in way.split("_")], 1)

    def run(self, x: Tensor) -> Any:
        """Return the scores of one head, of several by their paths, or the features."""
        features = self._features(x)
        found = {}
        for path, steps in self._heads:
            out = features
            for step in steps:
                out = self.get_submodule(step)(out)
            found[path] = out
        return found if len(found) > 1 else next(iter(found.values()), features)


class BackboneClassifier(WrappedBackbone, RebuiltClassifier):
    """A body with one head, which returns one score per class (N, K)."""


def propose(shapes: Shapes) -> Proposal | None:
    """Return the wrapped backbone that has these tensors, None if it is none."""
    return next((made for body in bodies(shapes) if (made := _proposed(shapes, body)) is not None), None)


def bodies(shapes: Shapes) -> Iterator[Body]:
    """Yield the published classifiers whose tensors without a head all lie somewhere in a file."""
    for mark, prefixes in architectures.FAMILIES.items():
        family = [name for name in CLASSIFIERS if name.startswith(prefixes) and not name.startswith(NOT_THESE)]
        children = CHILDREN.get(mark, ())
        for form in _forms(mark, children):
            # The mark as the file would name it.
            written = _written(mark, form)
            for prefix in dict.fromkeys(n[: -len(written)] for n in shapes if f".{n}".endswith(f".{written}")):
                inner = under(shapes, prefix)
                read = {_read(name, form): name for name in inner}
                size = architectures.parameters(inner)
                for architecture in _fitting(family, size):
                    found = _body(architecture, prefix, form, inner, read)
                    if found is not None:
                        yield found


def _fitting(family: Sequence[str], size: int) -> list[str]:
    """Return the architectures that so many parameters suffice for, the largest first, without building them."""
    sizes = {name: architectures.body_sizes()[name] for name in family}
    few = [name for name in family if name.startswith((*architectures.FIXED, "mobilenet_v3")) or sizes[name] <= size]
    return sorted(few, key=lambda name: -sizes[name])


def _forms(mark: str, children: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield ways in which a body's children are named: torchvision's beginnings of names by those of the file."""
    yield {}
    if not children:
        return
    yield {f"{number}.": f"{name}." for number, name in enumerate(children) if name}
    if mark.startswith("layer1"):
        yield STEM
    if children == ("features",):
        yield BARE


def _written(name: str, form: Mapping[str, str]) -> str:
    for own, theirs in form.items():
        if name.startswith(theirs):
            return own + name.removeprefix(theirs)
    return name


def _read(name: str, form: Mapping[str, str]) -> str:
    for own, theirs in form.items():
        if name.startswith(own):
            return theirs + name.removeprefix(own)
    return name


def _body(
    architecture: str, prefix: str, form: Mapping[str, str], inner: Shapes, read: Mapping[str, str]
) -> Body | None:
    """Return the body of an architecture if all its tensors are in a file, None if they are not."""
    wanted = {
        name: shape
        for name, shape in architectures.shapes_of(architecture, 2, 17).items()
        if name.partition(".")[0] not in HEADS
    }
    if not all(name in read and tuple(inner[read[name]]) == shape for name, shape in wanted.items()):
        return None
    children = dict.fromkeys(name.partition(".")[0] for name in wanted)
    own = {read[name] for name in wanted}
    counters = {name for name in inner if name.endswith("num_batches_tracked")}
    own |= {name for name in counters if f"{name.rpartition('.')[0]}.running_mean" in own}
    if form == BARE:
        paths = {f"features.{one}": f"{prefix}{one}" for one in _layers(architecture)}
    else:
        paths = {name: prefix + _written(f"{name}.", form).removesuffix(".") for name in children}
    return Body(architecture, paths, frozenset(prefix + name for name in own), prefix)


@cache
def _layers(architecture: str) -> tuple[str, ...]:
    """Return the names of the children of a network's `features`."""
    with torch.device("meta"):
        return tuple(name for name, _ in architectures.build(architecture, classes=2).features.named_children())  # type: ignore[union-attr]


def _free(body: Body, name: str) -> str:
    """Return a path for a layer without tensors beside the body's."""
    return f"{body.own}{name}_"


def _proposed(shapes: Shapes, body: Body) -> Proposal | None:
    rest = {name: shape for name, shape in shapes.items() if name not in body.names}
    side = SIDE
    with torch.device("meta"):
        features = WrappedBackbone(body, (), {}, SIDE).maps(torch.empty(1, 3, SIDE, SIDE)).shape[1]
    widths: dict[int, str] = {features: "mean", 2 * features: "max_mean"}
    if fixed := CELLS.get(_kind(body.architecture), 0):
        # One value of each channel would be that of a network for small pictures, whose layers have the same names.
        widths = {features * fixed**2: "flat"}
    linear = [shape for shape in rest.values() if len(shape) == 2]
    inputs = {shape[1] for shape in linear}
    if linear and not inputs & widths.keys():
        if fixed:
            return None
        cells = next((math.isqrt(one // features) for one in inputs if one % features == 0), 0)
        if not 1 < cells <= MOST_SIDE // COARSENESS or cells**2 * features not in inputs:
            return None
        widths, side = {cells**2 * features: "flat"}, cells * COARSENESS
    found = linear_heads.heads(rest, widths.keys())
    if found is None or len({head.inside for head in found.heads}) > 1:
        return None
    way = widths[found.heads[0].inside] if found.heads else "mean"
    offered = _offered(body, found.heads, way)
    first = {name: item["choices"][0] for name, item in offered.items()}
    single = len(found.heads) == 1 and not found.heads[0].embeds
    build = partial(BackboneClassifier if single else WrappedBackbone, body, found.heads, side=side)
    own = {name: shape for name, shape in shapes.items() if name not in found.spare}
    with torch.device("meta"):
        if not same(own, build(first)):
            return None
    title = f"{body.architecture} with {_words(found.heads)}"
    about: dict[str, Any] = {}
    if single:
        crop = {"resize": side * 256 // 224, "crop": side}
        about["preprocessing"] = {**crop, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    if found.spare:
        left = ", ".join(unit_paths({name: shapes[name] for name in found.spare}))
        about["note"] = f"Recognised by its tensors: {title}. Left out, because it takes what the heads give: {left}."
    return Proposal(
        title=title,
        task="classification" if single else "",
        build=build,
        side=side,
        classes=tuple(f"class {at}" for at in range(found.heads[0].count)) if single else (),
        inputs=("imagenet", "zero_one", "minus_one_one"),
        offered=offered,
        renamed=lambda state: {name: tensor for name, tensor in state.items() if name in own},
        about=about,
        compared=False,  # its preparation is the published one, and passes of a large network take long
    )


def _offered(body: Body, heads: Sequence[Head], way: str) -> dict[str, Mapping[str, Any]]:
    offered: dict[str, Mapping[str, Any]] = {}
    ways = {"mean": ("mean", "max"), "max_mean": ("max_mean", "mean_max")}.get(way, (way,))
    offered["pooled"] = choice("Pooling", "What the head takes of the last maps.", ways, POOLED)
    if any(head.activated for head in heads):
        offered["activation"] = {**ACTIVATION, "choices": tuple(ACTIVATIONS)}
    if body.dense:
        told = "What stands between the last norm and the head; a list of the network's children has nothing."
        offered["last"] = choice("After the last norm", told, ("activated", "plain"), LAST)
    return offered


def _words(heads: Sequence[Head]) -> str:
    if not heads:
        return "no head, which gives features"
    if len(heads) > 1:
        return f"{len(heads)} heads ({', '.join(head.path for head in heads)})"
    count = len([unit for unit in heads[0].units if unit.out])
    return "a head of one linear layer" if count == 1 else f"a head of {count} linear layers"


def _kind(architecture: str) -> str:
    """Return the kind of an architecture, such as "vgg" for all VGGs."""
    return next((kind for kind in CELLS if architecture.startswith(kind)), architecture)
