"""Layers at the paths of a file's tensors, made as a family's function joins them for the first time.

A family writes one function, `run`, that calls layers by their paths and states strides; widths, groups and biases are
those of the tensors. The first call runs on shapes alone, and a layer of the file that it leaves out is found so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.proposal import (
    ACTIVATIONS,
    CIFAR_10,
    CIFAR_100,
    Proposal,
    Rebuilt,
    RebuiltClassifier,
    Shapes,
    indices,
    numbered,
    place,
    same,
)

ERRORS = (KeyError, IndexError, ValueError, RuntimeError, TypeError, AttributeError, ZeroDivisionError, StopIteration)
Pair = int | tuple[int, int]


class NamedLayers(Rebuilt):
    """A network made of a file's layers; a family defines `run` and, where the first layer does not tell, `channels`.

    `eps` is what its norms add to the variance. Raises ValueError for a tensor that no layer of the right kind has.
    """

    eps = 1e-5

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str], *, side: int = 32, channels: int = 0) -> None:
        super().__init__()
        self.shapes, self.assumed, self.side = shapes, assumed, side
        first = next(shape for name, shape in shapes.items() if len(shape) == 4)
        self.channels = channels or first[1]
        self._activation = {**ACTIVATIONS, "relu6": nn.ReLU6}[assumed.get("activation", "relu")]()
        self._making = True
        with torch.device("meta"):
            self.eval()
            self.made: Any = self.run(torch.empty(1, self.channels, side, side))
        self._making = False
        here = torch.empty(0).device
        if here.type != "meta":
            self.to_empty(device=here)
            for name, buffer in self.named_buffers():
                if name.endswith("num_batches_tracked"):
                    buffer.zero_()

    def has(self, path: str) -> bool:
        """Return whether the file has tensors at a path or under it."""
        return any(name.startswith(f"{path}.") for name in self.shapes)

    def numbers(self, path: str) -> list[int]:
        """Return the numbers of what lies in a container, in order."""
        return indices(self.shapes, f"{path}." if path else "")

    def convolve(
        self, path: str, x: Tensor, stride: Pair = 1, *, padding: Pair | None = None, dilation: int = 1
    ) -> Tensor:
        """Return a convolution's map; it keeps the size but for `stride` unless `padding` is given."""
        if not self._making:
            return self.get_submodule(path)(x)
        out, inside, *sides = self.shapes[f"{path}.weight"]
        if padding is None:
            padding = (sides[0] // 2 * dilation, sides[1] // 2 * dilation)
        width = x.shape[1]
        if width % inside or out % (width // inside):
            raise ValueError(f"{path} takes other maps")
        steps, pads = _pair(stride), _pair(padding)
        if not self._made(path):
            more: dict[str, Any] = {"groups": width // inside, "bias": f"{path}.bias" in self.shapes}
            place(self, path, nn.Conv2d(width, out, (sides[0], sides[1]), steps, pads, dilation, **more))
        ends = [
            (size + 2 * pad - dilation * (side - 1) - 1) // step + 1
            for size, pad, side, step in zip(x.shape[2:], pads, sides, steps, strict=True)
        ]
        return x.new_empty(len(x), out, *ends)

    def enlarge(
        self, path: str, x: Tensor, stride: int = 2, *, padding: int = 0, more: int = 0, groups: int = 1
    ) -> Tensor:
        """Return a transposed convolution's map; `more` is its output padding."""
        if not self._making:
            return self.get_submodule(path)(x)
        inside, out, *sides = self.shapes[f"{path}.weight"]
        if inside != x.shape[1]:
            raise ValueError(f"{path} takes other maps")
        if not self._made(path):
            bias = f"{path}.bias" in self.shapes
            side = (sides[0], sides[1])
            made = nn.ConvTranspose2d(inside, out * groups, side, stride, padding, more, groups, bias=bias)
            place(self, path, made)
        ends = [(size - 1) * stride - 2 * padding + side + more for size, side in zip(x.shape[2:], sides, strict=True)]
        return x.new_empty(len(x), out * groups, *ends)

    def normalise(self, path: str, x: Tensor) -> Tensor:
        """Return batch normalised maps (N, C, h, w) or vectors (N, C)."""
        if not self._making:
            return self.get_submodule(path)(x)
        width = self.shapes[f"{path}.running_mean"][0]
        if width != x.shape[1]:
            raise ValueError(f"{path} takes other maps")
        if not self._made(path):
            kind = nn.BatchNorm2d if x.ndim == 4 else nn.BatchNorm1d
            place(self, path, kind(width, self.eps, affine=f"{path}.weight" in self.shapes))
        return x

    def project(self, path: str, x: Tensor) -> Tensor:
        """Return a linear layer's numbers."""
        if not self._making:
            return self.get_submodule(path)(x)
        out, inside = self.shapes[f"{path}.weight"]
        if inside != x.shape[-1]:
            raise ValueError(f"{path} takes other numbers")
        if not self._made(path):
            place(self, path, nn.Linear(inside, out, bias=f"{path}.bias" in self.shapes))
        return x.new_empty(*x.shape[:-1], out)

    def rectify(self, path: str, x: Tensor) -> Tensor:
        """Return a PReLU's map."""
        if self._making and not self._made(path):
            place(self, path, nn.PReLU(self.shapes[f"{path}.weight"][0]))
        return x if self._making else self.get_submodule(path)(x)

    def activate(self, x: Tensor) -> Tensor:
        """Return what the activation between layers makes of numbers."""
        return x if self._making else self._activation(x)

    def unit(self, conv: str, norm: str, x: Tensor, stride: Pair = 1, *, active: bool = True, **more: Any) -> Tensor:
        """Return a convolution's normalised map, `active` with the activation after."""
        x = self.normalise(norm, self.convolve(conv, x, stride, **more))
        return self.activate(x) if active else x

    def residual(self, path: str, x: Tensor, stride: int, *, beside: str = "downsample") -> Tensor:
        """Return the map of a residual block, plain or bottleneck; `beside` names what lies on its shortcut."""
        deep = self.has(f"{path}.conv3")
        out = self.unit(f"{path}.conv1", f"{path}.bn1", x, 1 if deep else stride)
        out = self.unit(f"{path}.conv2", f"{path}.bn2", out, stride if deep else 1, active=deep)
        out = self.unit(f"{path}.conv3", f"{path}.bn3", out, active=False) if deep else out
        x = self.through(f"{path}.{beside}", x, stride) if self.has(f"{path}.{beside}") else x
        return self.activate(out + x)

    def through(
        self,
        path: str,
        x: Tensor,
        stride: int = 1,
        *,
        at: int = 0,
        begins: bool = False,
        ends: bool = False,
        **more: Any,
    ) -> Tensor:
        """Return what a numbered container makes of a map; where numbers are left out stands an activation.

        The convolution of number `at`, counted from 0, has the stride. `begins` and `ends` say whether an activation
        stands before the first and after the last layer with tensors.
        """
        last, seen = 0, 0
        for number in self.numbers(path):
            if number > last and (number > 0 and (last > 0 or begins)):
                x = self.activate(x)
            here = f"{path}.{number}"
            if f"{here}.running_mean" in self.shapes:
                x = self.normalise(here, x)
            elif len(self.shapes[f"{here}.weight"]) == 4:
                x = self.convolve(here, x, stride if seen == at else 1, **more)
                seen += 1
            elif len(self.shapes[f"{here}.weight"]) == 2:
                x = self.project(here, x)
            else:
                raise ValueError(f"{here} is no layer of a sequence")
            last = number + 1
        return self.activate(x) if ends else x

    def _made(self, path: str) -> bool:
        try:
            return isinstance(self.get_submodule(path), nn.Module)
        except AttributeError:
            return False


class NamedClassifier(NamedLayers, RebuiltClassifier):
    """A network that returns one score per class (N, K)."""


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def pooled(x: Tensor) -> Tensor:
    """Return the mean of each channel (N, C) of maps (N, C, h, w)."""
    return functional.adaptive_avg_pool2d(x, 1).flatten(1)


def shuffled(x: Tensor, groups: int) -> Tensor:
    """Return maps whose channels alternate between groups (Zhang et al. 2018, ShuffleNet)."""
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


def fitting(
    shapes: Shapes, build: Callable[[Mapping[str, str]], NamedLayers], first: Mapping[str, str] | None = None
) -> Any:
    """Return a network on shapes alone whose layers are exactly those of the file, None if they are not."""
    try:
        with torch.device("meta"):
            net = build(first or {})
    except ERRORS:
        return None
    return net if same(shapes, net) else None


def classifier(
    shapes: Shapes,
    kind: type[NamedClassifier],
    title: str,
    *,
    offered: Mapping[str, Mapping[str, Any]] | None = None,
    side: int = 32,
    **more: Any,
) -> Proposal | None:
    """Return the proposal of a classifier for small pictures, None if the file's layers are others."""
    offered = offered or {}
    build = partial(kind, shapes, side=side)
    net = fitting(shapes, build, {name: item["choices"][0] for name, item in offered.items()})
    if net is None or not isinstance(net.made, Tensor) or net.made.ndim != 2:
        return None
    count = net.made.shape[1]
    own = ("cifar100", "cifar10") if count == len(CIFAR_100) else ("cifar10", "cifar100")
    names = {len(CIFAR_10): CIFAR_10, len(CIFAR_100): CIFAR_100}.get(count) if net.channels == 3 else None
    return Proposal(
        title=title,
        task="classification",
        build=build,
        side=side,
        channels=net.channels,
        classes=names or numbered(count),
        inputs=("mnist", "zero_one", "minus_one_one")
        if net.channels == 1
        else (*own, "imagenet", "minus_one_one", "zero_one"),
        offered=offered,
        judged=tuple(offered),
        **more,
    )
