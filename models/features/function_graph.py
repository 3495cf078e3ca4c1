"""The graph of functions that a network calls in one pass: which tensor came from which, and how far each cell sees.

The receptive field of a node is the theoretical one, in pixels of the input, and at most that: zero weights and borders
make it smaller. Nodes that see the whole input have an infinite one.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from models.features.watched_functions import Watched
from models.runtime.forward_passes import repetition
from models.subject import Subject

CONVOLUTIONS = {"conv1d", "conv2d", "convolution", "conv_transpose2d"}
POOLS = {"max_pool2d", "max_pool2d_with_indices", "avg_pool2d"}
LARGER = {
    "interpolate",
    "upsample",
    "pixel_shuffle",
    *(f"upsample_{way}2d" for way in ("nearest", "nearest_exact", "bilinear", "bicubic")),
}
JOINS, SUMS, PRODUCTS = {"cat", "concat", "concatenate"}, {"add", "iadd", "radd"}, {"mul", "multiply", "imul", "rmul"}
SPLITS = {"chunk", "split", "split_with_sizes", "tensor_split", "unbind", "getitem", "narrow", "slice"}
# The results of these see all of what they are given.
WHOLE = {"adaptive_avg_pool2d", "adaptive_max_pool2d", "mean", "scaled_dot_product_attention", "matmul", "bmm"}

About = tuple[Sequence[Any], Mapping[str, Any]]  # a call's arguments, by place and by name


@dataclass(frozen=True)
class Node:
    """One tensor: the function's `name`, the `path` of the module that called it, `inputs` as rows of the graph.

    `field` is the receptive field of a cell and `step` the distance of two cells, both in pixels of the input.
    `kernel` and `stride` are those of convolutions and pools, else 1; a stride below 1 makes a map larger.
    """

    name: str
    path: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    field: float
    step: float
    kernel: int = 1
    stride: float = 1.0

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width of a map, the number of tokens of a sequence."""
        return self.shape[2:] if len(self.shape) == 4 else self.shape[1:2]

    @property
    def channels(self) -> int:
        """How many channels it has."""
        return self.shape[1] if len(self.shape) == 4 else self.shape[-1]


@dataclass
class Graph:
    """Nodes in the order of the pass, the input first; `above[i]` has bit j set if i was made of j, or is j."""

    nodes: list[Node] = field(default_factory=list)
    above: list[int] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""
        return len(self.nodes) * (200 + len(self.nodes) // 8)

    def add(self, node: Node) -> int:
        """Append a node and return its row."""
        row = len(self.nodes)
        mask = 1 << row
        for each in node.inputs:
            mask |= self.above[each]
        self.nodes.append(node)
        self.above.append(mask)
        return row

    def common(self, rows: Sequence[int]) -> int:
        """Return the last node that all of some were made of, -1 for none."""
        mask = -1
        for row in rows:
            mask &= self.above[row]
        return mask.bit_length() - 1

    def convolutions(self, top: int, bottom: int) -> int:
        """Return the most convolutions on a way from `top` to `bottom`, -1 if there is no way."""
        most = {top: 0}
        for row in range(top + 1, bottom + 1):
            found = [most[each] for each in self.nodes[row].inputs if each in most]
            if found:
                most[row] = max(found) + (self.nodes[row].name in CONVOLUTIONS)
        return most.get(bottom, -1)


class _Everything(Watched):
    """Also sees functions whose tensors are in a list, as those of `torch.cat` are."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", str(func)).partition(".")[0].strip("_")
        return self._seen(func, name, args, kwargs or {}, self.inside[-1] if self.inside else "")


def of(subject: Subject) -> Graph:
    """Return the graph of one pass over the subject's input."""
    graph = Graph()
    known: dict[int, tuple[weakref.ref[Tensor], int]] = {}

    def row_of(tensor: Tensor) -> int:
        entry = known.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else -1

    def seen(func: Any, name: str, args: tuple[Any, ...], given: Mapping[str, Any], path: str) -> Any:
        rows = [] if repetition() else [row for each in _tensors((args, given)) if (row := row_of(each)) >= 0]
        made = func(*args, **given)
        if rows:
            for each in _tensors(made):
                own = _node(graph, (name, path), rows, tuple(each.shape), (args, given))
                known[id(each)] = weakref.ref(each), graph.add(own)
        return made

    with torch.inference_mode(False), torch.no_grad():
        x = subject.input.detach().clone()
        known[id(x)] = weakref.ref(x), graph.add(Node("input", "", (), tuple(x.shape), 1.0, 1.0))
        with _Everything(subject.net, seen).running():
            subject.scores(x)
    return graph


def _node(graph: Graph, call: tuple[str, str], rows: list[int], shape: tuple[int, ...], about: About) -> Node:
    """Return the node of a tensor of a `shape` that the function `call` (name, path) made of `rows`."""
    (name, path), (args, given) = call, about
    inputs = tuple(dict.fromkeys(rows))
    whole = [graph.nodes[row] for row in inputs]
    sees, step = max(each.field for each in whole), max(each.step for each in whole)
    kernel, stride = 1, 1.0
    if name in CONVOLUTIONS:
        kernel, stride, dilation = _convolution(args, given)
        if name == "conv_transpose2d" or (len(args) > 6 and args[6] is True):
            sees += math.ceil((kernel - 1) / stride) * step
            stride = 1 / stride
        else:
            sees += (kernel - 1) * dilation * step
    elif name in POOLS:
        kernel = _first(_argument(args, given, 1, "kernel_size", 1))
        stride = float(_first(_argument(args, given, 2, "stride", kernel) or kernel))
        sees += (kernel - 1) * step
    elif name in LARGER and len(shape) == 4 and len(whole[0].shape) == 4:
        stride = whole[0].shape[2] / max(1, shape[2])
        sees += step if name != "pixel_shuffle" and "nearest" not in name else 0
    elif name in WHOLE and math.prod(whole[0].size or (1,)) > 1:
        sees = math.inf
    return Node(name, path, inputs, shape, sees, step * stride, kernel, stride)


def _convolution(args: Sequence[Any], given: Mapping[str, Any]) -> tuple[int, float, int]:
    """Return the kernel's side, the stride and the dilation of a convolution's call."""
    weight = _argument(args, given, 1, "weight", None)
    kernel = int(weight.shape[-1]) if isinstance(weight, Tensor) else 1
    stride, dilation = _argument(args, given, 3, "stride", 1), _argument(args, given, 5, "dilation", 1)
    return kernel, float(_first(stride)), _first(dilation)


def _argument(args: Sequence[Any], given: Mapping[str, Any], place: int, name: str, other: Any) -> Any:
    return args[place] if len(args) > place else given.get(name, other)


def _first(value: Any) -> int:
    if isinstance(value, tuple | list):
        return int(value[0]) if value else 1
    return int(value or 1)


def _tensors(value: Any, depth: int = 0) -> Iterator[Tensor]:
    """Yield the tensors in arguments or results, in lists, tuples and dictionaries too."""
    if isinstance(value, Tensor):
        yield value
    elif depth < 4 and isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each, depth + 1)
    elif depth < 4 and isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each, depth + 1)
