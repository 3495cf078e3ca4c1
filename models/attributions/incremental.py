"""Exact incremental inference: scores of inputs that differ from one picture inside a small box.

The network is traced into a torch.fx graph and the value of every call for the unchanged picture is kept. A convolution
or pooling of a changed input is computed only on the window that the change affects, cut out of the kept value around
it (the exact part of Nakandala et al. 2019, "Incremental and approximate inference for faster occlusion-based deep CNN
explanations"). Other operations get the whole tensor. The network itself is not modified.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, fx, nn
from torch.fx.node import map_arg
from torch.nn.utils.fusion import fuse_conv_bn_weights

from models.runtime.forward_passes import apart
from models.subject import Subject
from models.types import Int

TOLERANCE = 1e-4  # of the largest score: larger differences are not rounding
POINTWISE: tuple[Any, ...] = (
    *(nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid),
    *(nn.BatchNorm2d, nn.Identity, nn.Dropout, nn.Dropout2d, F.relu, F.relu6, F.silu, F.hardswish, torch.relu),
    *(torch.sigmoid, torch.add, operator.add, operator.iadd, torch.cat),
)

Box = tuple[Int, Int, Int, Int]
Pair = tuple[int, int]


class UncoveredError(Exception):
    """The network does something that incremental inference does not support."""


@dataclass(frozen=True)
class Changed:
    """A changed part of a call's `kept` value: `crop` (n, c, h, w) contains the whole of `box` y0, y1, x0, x1 (n,)
    each.
    """

    crop: Tensor
    box: Box
    kept: Tensor

    def window(self, place: tuple[Int, Int], size: Pair, around: Tensor, pad: Pair = (0, 0)) -> Tensor:
        """Return windows (n, c, *size) at rows and columns `place` of `around`, with the crops pasted in.

        `around` is the kept value, padded by `pad`.
        """
        shape = len(self.crop), around.shape[1], *size
        found = torch.empty(shape, dtype=around.dtype, device=around.device, memory_format=torch.channels_last)
        height, width = self.crop.shape[-2:]
        corner = _corner(self.box, (height, width), self.kept)
        for n, (y, x, top, left) in enumerate(zip(*place, *corner, strict=True)):
            found[n] = around[0, :, y : y + size[0], x : x + size[1]]
            down, right = top + pad[0] - y, left + pad[1] - x
            y0, y1, x0, x1 = max(down, 0), min(down + height, size[0]), max(right, 0), min(right + width, size[1])
            if y0 < y1 and x0 < x1:
                found[n, :, y0:y1, x0:x1] = self.crop[n, :, y0 - down : y1 - down, x0 - right : x1 - right]
        return found

    def whole(self) -> Tensor:
        """Return the full values (n, c, H, W): the crops in their unchanged surroundings."""
        zero = np.zeros(len(self.crop), np.int64)
        return self.window((zero, zero), _size(self.kept), self.kept)


@dataclass
class Call:
    """A convolution or pooling: `run(x, padding)`. `kernel` is its extent including dilation."""

    run: Callable[[Tensor, Pair], Tensor]
    kernel: Pair
    stride: Pair
    pad: Pair
    fill: float = 0.0
    nbytes: int = 0
    padded: Tensor | None = None

    def changed(self, given: Changed, kept: Tensor) -> Tensor | Changed:
        """Return the change of `kept`, the call's value for the picture, when its input changes."""
        before, after = _size(given.kept), _size(kept)
        spans: list[Int] = []
        for axis in (0, 1):
            low, high = (edge + self.pad[axis] for edge in given.box[2 * axis : 2 * axis + 2])
            # A change that falls between the windows of a strided call affects no output; compute one value all the
            # same, so that a crop is never empty.
            first = np.clip(-((low - self.kernel[axis] + 1) // -self.stride[axis]), 0, after[axis] - 1)
            spans += [first, np.clip((high - 1) // self.stride[axis] + 1, first + 1, after[axis])]
        box = cast(Box, tuple(spans))
        size = _extent(box)
        y, x = _corner(box, size, kept)
        if self.padded is None:
            reach = ((n - 1) * s + k for n, s, k in zip(after, self.stride, self.kernel, strict=True))
            more = [max(0, r - n - p) for r, n, p in zip(reach, before, self.pad, strict=True)]
            sides = [self.pad[1], more[1], self.pad[0], more[0]]
            self.padded = F.pad(given.kept, sides, value=self.fill).contiguous(memory_format=torch.channels_last)
        (sy, sx), (ky, kx) = self.stride, self.kernel
        seen = ((size[0] - 1) * sy + ky, (size[1] - 1) * sx + kx)
        return _settled(self.run(given.window((y * sy, x * sx), seen, self.padded, self.pad), (0, 0)), box, kept)


class Incremental:
    """A network with its values for one picture. Call it with inputs (n, 3, h, w) and the box of their change.

    Raises UncoveredError for a graph in which a call overwrites a value that another one reads.
    """

    def __init__(self, graph: fx.GraphModule, picture: Tensor) -> None:
        self._graph, self._modules = graph, dict(graph.named_modules())
        self._calls: dict[fx.Node, Call] = {}
        self._folded: set[fx.Node] = set()
        self._moving: set[fx.Node] = set()
        for node in graph.graph.nodes:
            self._prepare(node)
        self._kept: dict[fx.Node, Any] = {}
        with apart():
            self._run(picture, None)
        for node in self._moving & self._kept.keys():
            if not isinstance(self._kept[node], Tensor) or self._kept[node].dim() != 4:
                del self._kept[node]  # not a feature map: always computed as a whole

    @property
    def nbytes(self) -> int:
        """Size in bytes: values, their padded copies (about as much again), and folded weights."""
        kept = {id(value): value.nbytes for value in self._kept.values() if isinstance(value, Tensor)}
        return 2 * sum(kept.values()) + sum(call.nbytes for call in self._calls.values())

    def __call__(self, inputs: Tensor, box: Box) -> Tensor:
        """Return the scores (n, C)."""
        with apart():
            return self._run(inputs, box)

    def _prepare(self, node: fx.Node) -> None:
        module: Any = self._module(node)
        if node.op == "placeholder" or not self._moving.isdisjoint(node.all_input_nodes):
            self._moving.add(node)
        if getattr(module, "inplace", False) or node.kwargs.get("inplace") or node.target is operator.iadd:
            read = node.all_input_nodes[0]
            if len(read.users) > 1 or read not in self._moving:
                raise UncoveredError(f"{node} overwrites what others read.")
        elif (node.op == "call_method" and str(node.target).endswith("_")) or node.kwargs.get("out") is not None:
            raise UncoveredError(f"{node} writes in place.")
        if type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str):
            self._calls[node] = self._convolution(node, module)
        elif type(module) is nn.MaxPool2d and not module.return_indices:
            self._calls[node] = _max_pool(module)
        elif type(module) is nn.AvgPool2d and not (module.padding or module.ceil_mode or module.divisor_override):
            size, stride = _pair(module.kernel_size), _pair(module.stride)
            self._calls[node] = Call(lambda x, pad: F.avg_pool2d(x, size, stride), size, stride, (0, 0))

    def _convolution(self, node: fx.Node, conv: nn.Conv2d) -> Call:
        weight, bias = conv.weight, conv.bias
        after = next(iter(node.users), node)
        norm: Any = self._module(after)
        if len(node.users) == 1 and type(norm) is nn.BatchNorm2d and not norm.training and norm.track_running_stats:
            statistics: Any = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            weight, bias = fuse_conv_bn_weights(weight, bias, *statistics)
            self._folded.add(after)
        weight = weight.detach().contiguous(memory_format=torch.channels_last)
        stride, dilation = _pair(conv.stride), _pair(conv.dilation)

        def run(x: Tensor, pad: Pair) -> Tensor:
            return F.conv2d(x, weight, bias, stride, pad, dilation, conv.groups)

        return Call(run, _reach(_pair(conv.kernel_size), dilation), stride, _pair(conv.padding), nbytes=weight.nbytes)

    def _run(self, inputs: Tensor, box: Box | None) -> Tensor:
        """Return the scores. Without a box, `inputs` is the picture and all values are kept."""
        values: dict[fx.Node, Any] = self._kept if box is None else {}
        left = {node: len(node.users) for node in self._graph.graph.nodes}
        for node in self._graph.graph.nodes:
            if node.op == "output":
                return map_arg(node.args[0], lambda source: _whole(values[source]))
            if box is not None and node not in self._moving:
                values[node] = self._kept[node]
            elif node.op == "placeholder":
                values[node] = inputs if box is None else _cut(inputs, box, self._kept[node])
            else:
                values[node] = self._value(node, values)
            for source in node.all_input_nodes if box is not None else ():
                left[source] -= 1
                if not left[source]:
                    del values[source]
        raise UncoveredError("No output.")

    def _value(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        given = [values[source] for source in node.all_input_nodes]
        if node in self._folded:
            return given[0]
        changes = [value for value in given if isinstance(value, Changed)]
        if node in self._calls:
            call = self._calls[node]
            return call.changed(changes[0], self._kept[node]) if changes else call.run(given[0], call.pad)
        if not changes or len(changes) < len(given) or not self._pointwise(node, changes):
            return self._ask(node, [_whole(value) for value in given])
        if len(changes) == 1:
            return _settled(self._ask(node, [changes[0].crop]), changes[0].box, self._kept[node])
        y0, y1, x0, x1 = (np.stack(edge) for edge in zip(*(change.box for change in changes), strict=True))
        box = y0.min(0), y1.max(0), x0.min(0), x1.max(0)
        place = _corner(box, _extent(box), changes[0].kept)
        crops = [change.window(place, _extent(box), change.kept) for change in changes]
        return _settled(self._ask(node, crops), box, self._kept[node])

    def _pointwise(self, node: fx.Node, changes: Sequence[Changed]) -> bool:
        """Return whether each position of the output depends only on the same position of the inputs."""
        module = self._module(node)
        kind: Any = node.target if module is None else type(module)
        if kind not in POINTWISE or any(change.kept.dim() != 4 for change in changes):
            return False
        if kind is torch.cat:
            return bool(node.kwargs.get("dim", node.args[-1]) == 1)
        return all(change.kept.shape == changes[0].kept.shape for change in changes)

    def _module(self, node: fx.Node) -> nn.Module | None:
        return self._modules[str(node.target)] if node.op == "call_module" else None

    def _ask(self, node: fx.Node, given: Sequence[Any]) -> Any:
        values = dict(zip(node.all_input_nodes, given, strict=True))
        args, kwargs = map_arg(node.args, values.__getitem__), map_arg(node.kwargs, values.__getitem__)
        target: Any = node.target
        match node.op:
            case "call_module":
                return self._modules[target](*args, **kwargs)
            case "call_method":
                return getattr(args[0], target)(*args[1:], **kwargs)
            case "get_attr":
                return operator.attrgetter(target)(self._graph)
        return target(*args, **kwargs)


def incremental(subject: Subject) -> Incremental | None:
    """Return the incremental form of a subject's network; None if the network does not support it."""
    if subject.scores is not subject.net or not (subject.channels_last and subject.steady):
        return None
    try:
        return Incremental(fx.symbolic_trace(subject.net), subject.input.contiguous(memory_format=torch.channels_last))
    except Exception:  # tracing runs the network's own code on proxies, which may raise anything
        return None


def agree(found: Tensor, wanted: Tensor) -> bool:
    """Return whether two computations gave the same scores (n, C) up to rounding."""
    return found.shape == wanted.shape and bool(((found - wanted).abs() <= TOLERANCE * wanted.abs().max()).all())


def _max_pool(module: nn.MaxPool2d) -> Call:
    size, stride, dilation = _pair(module.kernel_size), _pair(module.stride), _pair(module.dilation)

    def run(x: Tensor, pad: Pair) -> Tensor:
        # The crop is exactly as long as its windows need, so ceil_mode adds no further window.
        return F.max_pool2d(x, size, stride, pad, dilation, module.ceil_mode)

    return Call(run, _reach(size, dilation), stride, _pair(module.padding), float("-inf"))


def _cut(inputs: Tensor, box: Box, kept: Tensor) -> Tensor | Changed:
    size = _extent(box)
    y, x = _corner(box, size, kept)
    crops = [one[:, a : a + size[0], b : b + size[1]] for one, a, b in zip(inputs, y, x, strict=True)]
    return _settled(torch.stack(crops).contiguous(memory_format=torch.channels_last), box, kept)


def _settled(crop: Tensor, box: Box, kept: Tensor) -> Tensor | Changed:
    """Return the crop itself if it covers the whole map, else a Changed."""
    return crop if _size(crop) == _size(kept) else Changed(crop, box, kept)


def _whole(value: Any) -> Any:
    return value.whole() if isinstance(value, Changed) else value


def _corner(box: Box, size: Pair, kept: Tensor) -> tuple[Int, Int]:
    """Return the top rows and left columns of crops that contain their boxes and stay inside the map."""
    height, width = _size(kept)
    return np.minimum(box[0], height - size[0]), np.minimum(box[2], width - size[1])


def _extent(box: Box) -> Pair:
    """Return the largest height and width of the boxes."""
    return int((box[1] - box[0]).max()), int((box[3] - box[2]).max())


def _size(value: Tensor) -> Pair:
    return int(value.shape[-2]), int(value.shape[-1])


def _reach(kernel: Pair, dilation: Pair) -> Pair:
    return dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1


def _pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
