"""Residual networks whose stages are named `layer1`, `layer2`, …: those for CIFAR, and torchvision's changed ones.

Recognised are plain and bottleneck blocks (He et al. 2016), their pre-activated forms, grouped convolutions (ResNeXt),
squeeze and excitation with 1 x 1 convolutions, and the shortcut without parameters (option A).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families import heads
from models.families.proposal import (
    ACTIVATION,
    ACTIVATIONS,
    CIFAR_10,
    Proposal,
    RebuiltClassifier,
    Shapes,
    choice,
    indices,
    numbered,
    place,
    pooled,
    under,
)

SHORTCUTS = {
    "padded": "every second pixel, zeros on both sides (option A)",
    "appended": "every second pixel, zeros after",
    "averaged": "mean of four pixels, zeros after",
}
STEMS = {"plain": "keeps the size", "pooled": "max pooling after it", "halved": "stride 2 and max pooling"}
PARTS = re.compile(
    r"(conv[123]|bn[123]|fc[12]|se\.se[12]|shortcut\.[01]|downsample\.[01])\.(weight|bias|running_\w+|num_batches_tracked)"
)
HALVED = {"third": "from the third stage on", "second": "from the second stage on"}
BESIDE = {"activated": "what is normalised and activated", "given": "what the block is given"}
TWO = {"first": "the first convolution", "second": "the second convolution"}
STRIDES = {"second": "the 3 x 3 convolution", "first": "the first 1 x 1 convolution"}


class Block(nn.Module):
    """One residual block, with the layers that its tensors name."""

    def __init__(self, shapes: Shapes, *, stride: int, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.stride = stride
        self.before = pre_activated(shapes)
        self.width = [n for n in ("conv1", "conv2", "conv3") if f"{n}.weight" in shapes]
        at = 0 if assumed.get("stride", "first" if len(self.width) == 2 else "second") == "first" else 1
        for number, name in enumerate(self.width):
            out, inside, side, _ = shapes[f"{name}.weight"]
            made = shapes[f"{self.width[number - 1]}.weight"][0] if number else inside
            step = stride if number == at else 1
            conv = nn.Conv2d(made, out, side, step, side // 2, groups=made // inside, bias=f"{name}.bias" in shapes)
            self.add_module(name, conv)
            self.add_module(f"bn{number + 1}", nn.BatchNorm2d(shapes[f"bn{number + 1}.weight"][0]))
        self.out = shapes[f"{self.width[-1]}.weight"][0]
        self.way, self.raw = assumed.get("shortcut", "padded"), assumed.get("beside") == "given"
        self.side_path = next((n for n in ("shortcut", "downsample") if f"{n}.0.weight" in shapes), "")
        if self.side_path:
            out, inside, side, _ = shapes[f"{self.side_path}.0.weight"]
            parts: list[nn.Module] = [
                nn.Conv2d(inside, out, side, stride, side // 2, bias=f"{self.side_path}.0.bias" in shapes)
            ]
            if f"{self.side_path}.1.weight" in shapes:
                parts.append(nn.BatchNorm2d(out))
            self.add_module(self.side_path, nn.Sequential(*parts))
        self.squeezes = "fc1.weight" in shapes
        if self.squeezes:
            for name in ("fc1", "fc2"):
                out, inside = shapes[f"{name}.weight"][:2]
                self.add_module(name, nn.Conv2d(inside, out, 1, bias=f"{name}.bias" in shapes))
        self.inner = "se.se1.weight" in shapes  # RegNet weighs channels before the last convolution
        if self.inner:
            for name in ("se.se1", "se.se2"):
                out, inside = shapes[f"{name}.weight"][:2]
                place(self, name, nn.Conv2d(inside, out, 1, bias=f"{name}.bias" in shapes))
        self.activation = ACTIVATIONS[assumed.get("activation", "relu")]()

    def forward(self, x: Tensor) -> Tensor:
        if self.before:
            out = self.activation(self.get_submodule("bn1")(x))
            beside = self._beside(out if self.side_path and not self.raw else x)
            out = self.get_submodule(self.width[0])(out)
            for number, name in enumerate(self.width[1:], 2):
                out = self.get_submodule(name)(self.activation(self.get_submodule(f"bn{number}")(out)))
            return self._squeezed(out) + beside
        out, last = x, len(self.width)
        for number, name in enumerate(self.width, 1):
            if self.inner and number == last:
                share = functional.relu(self.get_submodule("se.se1")(functional.adaptive_avg_pool2d(out, 1)))
                out = out * self.get_submodule("se.se2")(share).sigmoid()
            out = self.get_submodule(f"bn{number}")(self.get_submodule(name)(out))
            out = self.activation(out) if number < last else out
        return self.activation(self._squeezed(out) + self._beside(x))

    def _squeezed(self, out: Tensor) -> Tensor:
        if not self.squeezes:
            return out
        share = functional.adaptive_avg_pool2d(out, 1)
        share = self.get_submodule("fc2")(functional.relu(self.get_submodule("fc1")(share)))
        return out * torch.sigmoid(share)

    def _beside(self, x: Tensor) -> Tensor:
        if self.side_path:
            return self.get_submodule(self.side_path)(x)
        more = self.out - x.shape[1]
        if self.stride > 1:
            x = (
                functional.avg_pool2d(x, self.stride)
                if self.way == "averaged"
                else x[:, :, :: self.stride, :: self.stride]
            )
        if not more:
            return x
        sides = (more // 2, more - more // 2) if self.way == "padded" else (0, more)
        return functional.pad(x, (0, 0, 0, 0, *sides))


class ResidualNet(RebuiltClassifier):
    """A stem, stages of blocks, the mean over all pixels, and the head."""

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        out, channels, side, _ = shapes["conv1.weight"]
        self.channels = channels
        stem = assumed["stem"]
        self.conv1 = nn.Conv2d(
            channels, out, side, 2 if stem == "halved" else 1, side // 2, bias="conv1.bias" in shapes
        )
        self._stem_norm = next((n for n in ("bn1", "bn") if _norm_of_stem(shapes, n)), "")
        if self._stem_norm:
            self.add_module(self._stem_norm, nn.BatchNorm2d(out))
        self.relu = ACTIVATIONS[assumed.get("activation", "relu")]()
        self.maxpool = nn.Identity() if stem == "plain" else nn.MaxPool2d(3, 2, 1)
        self._stages = [f"layer{number}" for number in stages(shapes)]
        halved = 2 if assumed.get("halved") == "third" else 1
        for at, name in enumerate(self._stages):
            blocks = [
                Block(
                    under(shapes, f"{name}.{number}."), stride=2 if at >= halved and not number else 1, assumed=assumed
                )
                for number in indices(shapes, f"{name}.")
            ]
            self.add_module(name, nn.Sequential(*blocks))
        self._end_norm = next((n for n in ("bn", "bn1") if n != self._stem_norm and f"{n}.weight" in shapes), "")
        if self._end_norm:
            self.add_module(self._end_norm, nn.BatchNorm2d(shapes[f"{self._end_norm}.weight"][0]))
        self._head = heads.name_of(shapes)
        self.add_module(self._head, heads.build(shapes, self._head, assumed.get("activation", "relu")))

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.conv1(x)
        if self._stem_norm:
            x = self.relu(self.get_submodule(self._stem_norm)(x))
        x = self.maxpool(x)
        for name in self._stages:
            x = self.get_submodule(name)(x)
        if self._end_norm:
            x = self.relu(self.get_submodule(self._end_norm)(x))
        return self.get_submodule(self._head)(pooled(x))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the residual network that has these tensors, None if it is none."""
    if "conv1.weight" not in shapes or "layer1.0.conv1.weight" not in shapes or not heads.name_of(shapes):
        return None
    names = stages(shapes)
    if names != list(range(1, len(names) + 1)) or not _plain(shapes):
        return None
    stem = shapes["conv1.weight"]
    if len(stem) != 4 or stem[1] not in (1, 3):
        return None
    first = under(shapes, "layer1.0.")
    deep = "conv3.weight" in first
    blocks = sum(len(indices(shapes, f"layer{number}.")) for number in names)
    ways = ("plain", "pooled") if stem[2] < 7 else ("halved", "plain")
    offered: dict[str, dict[str, Any]] = {
        "stem": choice("First layer", "What follows the first convolution.", ways, STEMS),
        "activation": {**ACTIVATION, "choices": ("relu", "leaky_relu_01", "elu", "silu")},
    }
    if any(_bare(shapes, number) for number in names[1:]):
        title = "Shortcut"
        help_ = "How the shortcut without parameters changes size and width."
        offered["shortcut"] = choice(title, help_, tuple(SHORTCUTS), SHORTCUTS)
    if deep:
        offered["stride"] = choice("Stride", "Which convolution of a block halves the size.", tuple(STRIDES), STRIDES)
    if pre_activated(first) and any(".shortcut.0." in n or ".downsample.0." in n for n in shapes):
        # Those that end in a norm are of code whose shortcut takes the block's input; wide ones with biases halve late.
        ended = any(f"{n}.weight" in shapes and not _norm_of_stem(shapes, n) for n in ("bn", "bn1"))
        ways = ("given", "activated") if ended else ("activated", "given")
        offered["beside"] = choice("Shortcut's input", "What the convolution on a shortcut is given.", ways, BESIDE)
        if not deep:
            ways = ("second", "first") if ended and "conv1.bias" in first else ("first", "second")
            offered["stride"] = choice("Stride", "Which convolution of a block halves the size.", ways, TWO)
    if deep and first["conv1.weight"][0] == first["conv3.weight"][0]:  # RegNet's blocks do not widen
        offered["halved"] = choice("Halved", "From which stage on the size is halved.", ("third", "second"), HALVED)
    classes = heads.outputs(shapes, heads.name_of(shapes))
    small = stem[2] < 7
    depth = blocks * (3 if deep else 2) + 2
    kinds = [
        *(["pre-activated"] if pre_activated(first) else []),
        *(["squeeze and excitation"] if "fc1.weight" in first else []),
        *(["option A shortcuts"] if "shortcut" in offered else []),
    ]
    named = f" ({', '.join(kinds)})" if kinds else ""
    torchvision = any(".downsample." in name for name in shapes)
    inputs = (
        ("mnist", "zero_one", "minus_one_one") if stem[1] == 1 else ("imagenet", "cifar10", "minus_one_one", "zero_one")
    )
    if small and stem[1] == 3 and "shortcut" not in offered and not torchvision:
        inputs = ("cifar10", "imagenet", "minus_one_one", "zero_one")
    try:
        build = partial(ResidualNet, dict(shapes))
        build({name: item["choices"][0] for name, item in offered.items()})
    except (KeyError, IndexError, ValueError, RuntimeError, ZeroDivisionError):
        return None
    return Proposal(
        title=f"ResNet-{depth} for {'small' if small else 'large'} pictures{named}",
        task="classification",
        build=build,
        side=(28 if stem[1] == 1 else 32) if small else 224,
        channels=stem[1],
        classes=CIFAR_10 if small and classes == 10 and stem[1] == 3 else numbered(classes),
        inputs=inputs,
        offered=offered,
        judged=tuple(offered),
        about={"blocks": blocks, "stages": len(names)},
    )


def stages(shapes: Shapes) -> list[int]:
    """Return the numbers of the stages."""
    return sorted({int(found[1]) for name in shapes if (found := re.match(r"layer(\d+)\.\d+\.", name))})


def pre_activated(shapes: Shapes) -> bool:
    """Return whether a block normalises its input first."""
    order = [name.partition(".")[0] for name in shapes]
    return "bn1" in order and order.index("bn1") < order.index("conv1")


def _norm_of_stem(shapes: Shapes, name: str) -> bool:
    """Return whether a norm of this name stands between the first convolution and the first stage."""
    names = list(shapes)
    own = f"{name}.weight"
    return own in shapes and names.index(own) < next(at for at, one in enumerate(names) if one.startswith("layer1."))


def _bare(shapes: Shapes, number: int) -> bool:
    """Return whether the first block of a stage has no tensors for its shortcut."""
    inside = under(shapes, f"layer{number}.0.")
    return not any(name.startswith(("shortcut.0", "downsample.0")) for name in inside)


def _plain(shapes: Shapes) -> bool:
    """Return whether every tensor is one that such a network has."""
    head = heads.name_of(shapes)
    for name in shapes:
        if found := re.fullmatch(r"layer\d+\.\d+\.(.+)", name):
            if not PARTS.fullmatch(found[1]):
                return False
        elif not re.match(rf"(conv1|bn1|bn|{re.escape(head)})\.", name):
            return False
    return True
