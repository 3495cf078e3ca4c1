"""Convert an ONNX graph to PyTorch modules that keep the exported layer names and let gradients through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from models.exported import onnx_file, onnx_operators, onnx_paths
from models.exported.graph_calls import quiet
from models.exported.onnx_operators import Build, UnsupportedError
from models.exported.operation_budget import Budget
from models.types import Cancelled, Refusal

FLOATS = (1, 10, 16)  # float32, float16, bfloat16 in ONNX
DOMAINS = ("", "ai.onnx")
OLDEST = 7
HELD = "constants"
ONNX = "OnnxGraph"
MOST_TOLD = 12
ELSEWHERE = "Open its weights, or a torch.export program (.pt2) of it, instead."


def convert(
    model: Any, *, name: str, size: int = 0, check: Callable[[], None] | None = None
) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return the network of a ModelProto, and its input's channels, height and width; 0 for a size that is free.

    The network takes one tensor (N, C, h, w) and returns its only output, or a dictionary of outputs by name. Values
    that depend only on constants are computed here, within a budget for a file of `size` bytes; `check` may cancel.
    Raises Refusal for unsupported operators, which it names, and for inputs that are not one picture.
    """
    value = _input(model, name)
    sides = [max(0, d.dim_value) for d in value.type.tensor_type.shape.dim]
    last = len(sides) == 4 and sides[3] in (1, 3) and sides[1] not in (1, 3)
    shape = (sides[3], sides[1], sides[2]) if last else (sides[1], sides[2], sides[3])
    version = next((one.version for one in model.opset_import if one.domain in DOMAINS), 0)
    unknown = {
        n.op_type if n.domain in DOMAINS else f"{n.domain}.{n.op_type}" for n in model.graph.node if not _known(n)
    }
    if unknown or version < OLDEST:
        said = _few(sorted(unknown)) if unknown else f"those of opset {version}, which is older than {OLDEST}"
        raise Refusal(f"{name} uses operators that are not supported: {said}.", advice=ELSEWHERE)
    with Budget(size, name=name, check=check):
        return _Converter(model, version, name).net(value.name, channels_last=last), shape


def _known(node: Any) -> bool:
    return node.domain in DOMAINS and onnx_operators.known(node.op_type)


def _input(model: Any, name: str) -> Any:
    """Return the graph's only input, if it is a picture. Raises Refusal otherwise."""
    held = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in held]
    if len(inputs) != 1:
        names = _few([value.name for value in inputs])
        raise Refusal(f"{name} takes {len(inputs)} inputs ({names}).", advice="One that takes a picture alone opens.")
    kind = inputs[0].type.tensor_type
    if len(kind.shape.dim) != 4 or kind.elem_type not in FLOATS:
        sides = " x ".join(plain(str(d.dim_value or d.dim_param or "?")) for d in kind.shape.dim[:8])
        raise Refusal(
            f"{name} takes no picture: its input {plain(inputs[0].name)} is {sides}, of type {kind.elem_type}.",
            advice="A picture is N x channels x height x width in floating point.",
        )
    return inputs[0]


class _Converter:
    """The graph under construction: each named value is a node of it, or a tensor if it depends only on constants."""

    def __init__(self, model: Any, version: int, name: str) -> None:
        self._graph, self._name, self._version = model.graph, name, version
        self._nodes, self._modules = fx.Graph(), nn.Module()
        self._modules.add_module(HELD, nn.Module())
        self._values: dict[str, Any] = {t.name: _held(t, name) for t in model.graph.initializer}
        self._ranks = _told_ranks(model.graph)
        self._batch = _batch(model.graph)
        self._held: dict[int, tuple[Tensor, fx.Node]] = {}

    def net(self, entry: str, *, channels_last: bool) -> nn.Module:
        """Return the network. Raises Refusal for a node that cannot be built."""
        start = self._nodes.placeholder("input")
        # Graphs with channels-last input get a transpose in front, so that every network takes N, C, h, w.
        self._values[entry] = (
            self._nodes.call_function(torch.permute, (start, (0, 2, 3, 1))) if channels_last else start
        )
        for node, path in zip(self._graph.node, onnx_paths.paths(self._graph), strict=True):
            try:
                self._add(node, path)
            except (Refusal, Cancelled):
                raise
            except UnsupportedError as error:
                said = f"{self._name} uses operators that are not supported: {error}."
                raise Refusal(said, advice=ELSEWHERE) from error
            except Exception as error:  # a broken graph may raise anything
                raise _broken(self._name, f"{node.op_type} {path}", error) from error
        outputs = {value.name: self._given(self._values.get(value.name)) for value in self._graph.output}
        if not outputs or None in outputs.values():
            raise Refusal(f"{self._name} does not make the outputs that it names.", advice="Export it again.")
        self._nodes.output(outputs if len(outputs) > 1 else next(iter(outputs.values())))
        try:
            net = fx.GraphModule(self._modules, self._nodes)
            net.graph.eliminate_dead_code()
            net.delete_all_unused_submodules()
            net.recompile()
        except Exception as error:  # a malformed graph may raise anything
            raise _broken(self._name, "its graph", error) from error
        net.__class__.__name__ = ONNX
        net.meta[ONNX] = self._batch
        return quiet(net).eval()

    def _add(self, node: Any, path: str) -> None:
        inputs = [self._values[name] if name else None for name in node.input]

        def call(function: Any, *args: Any, **more: Any) -> Any:
            if not any(isinstance(one, fx.Node) for one in (*args, *more.values())):
                with torch.no_grad():
                    return _bounded(function(*args, **more), path)
            return self._nodes.call_function(function, tuple(self._given(one) for one in args), more)

        def module(made: nn.Module, x: Any) -> Any:
            if not isinstance(x, fx.Node):
                with torch.no_grad():
                    return _bounded(made.eval()(x), path)
            self._put(path, made)
            return self._nodes.call_module(path, (x,))

        attributes = {one.name: _attribute(one) for one in node.attribute}
        if node.op_type == "Constant":
            attributes["value"] = _constant(attributes)
        rank = self._ranks.get(node.input[0], 0) if node.input else 0
        build = Build(node.op_type, inputs, attributes, len(node.output), self._version, rank, module, call)
        made = onnx_operators.build(build)
        for name in node.output:
            self._ranks.setdefault(name, _rank(node, rank, inputs, attributes))
        for at, name in enumerate(node.output):
            if len(node.output) == 1:
                self._values[name] = made
            elif isinstance(made, fx.Node):
                # The further outputs of dropout and normalisation, used in training only, are not built.
                alone = node.op_type in onnx_operators.MODULES
                self._values[name] = made if alone else self._nodes.call_function(_item, (made, at))
            elif name:
                self._values[name] = made if isinstance(made, Tensor) else made[at]

    def _given(self, value: Any) -> Any:
        """Return a value as a node of the graph; a constant tensor is stored in the network first."""
        if not isinstance(value, Tensor):
            return value
        if id(value) not in self._held:
            holder, name = self._modules.get_submodule(HELD), f"c{len(self._held)}"
            holder.register_buffer(name, value)
            self._held[id(value)] = value, self._nodes.get_attr(f"{HELD}.{name}")
        return self._held[id(value)][1]

    def _put(self, path: str, made: nn.Module) -> None:
        owner = self._modules
        *folders, last = path.split(".")
        for folder in folders:
            if folder not in owner._modules:
                owner.add_module(folder, nn.Module())
            owner = owner.get_submodule(folder)
        owner.add_module(last, made)


def _batch(graph: Any) -> int:
    """Return the number of pictures that a graph states to take at a time, 0 where it is free."""
    held = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in held]
    dims = inputs[0].type.tensor_type.shape.dim if inputs else []
    return max(0, dims[0].dim_value) if dims else 0


def pure_batch(net: nn.Module) -> int | None:
    """Return how many pictures a converted graph takes at a time, 0 for any number; None for any other network.

    No operator that is converted draws random numbers, writes into its input or keeps a state.
    """
    return net.meta[ONNX] if isinstance(net, fx.GraphModule) and ONNX in net.meta else None


def _told_ranks(graph: Any) -> dict[str, int]:
    """Return the number of dimensions of values, by name, as far as the file states them.

    onnx's own shape inference is not used: a malformed graph can crash the process in it.
    """
    values = (*graph.input, *graph.value_info)
    return {v.name: len(v.type.tensor_type.shape.dim) for v in values if v.type.tensor_type.HasField("shape")}


def _rank(node: Any, first: int, inputs: list[Any], attributes: dict[str, Any]) -> int:
    """Return the number of dimensions of a node's output, derived from its first input's; 0 if unknown."""
    match node.op_type:
        case "Flatten" | "Gemm":
            return 2
        case "Reshape":
            return inputs[1].numel() if len(inputs) > 1 and isinstance(inputs[1], Tensor) else 0
        case "Squeeze" | "Unsqueeze" | "Gather" | "GatherND" | "Shape" | "Expand" | "Einsum" | "ArgMax" | "ArgMin":
            return 0
        case kind if kind.startswith("Reduce") and not attributes.get("keepdims", 1):
            return 0
    return first


def _held(tensor: Any, name: str) -> Tensor:
    """Return an initializer as a tensor. Raises Refusal if its data is missing."""
    try:
        return _tensor(tensor)
    except Exception as error:  # a broken tensor may raise anything
        raise _broken(name, f"its tensor {plain(tensor.name)}", error) from error


def _few(names: list[str]) -> str:
    return ", ".join(plain(one) for one in names[:MOST_TOLD]) + (", …" if len(names) > MOST_TOLD else "")


def plain(text: str) -> str:
    """Return a name from a file in displayable form: one line, shortened, with non-printable characters escaped."""
    return ascii(text)[1:-1][:80]


def _broken(name: str, place: str, error: Exception) -> Refusal:
    said = plain((str(error).strip().splitlines() or [""])[0])
    return Refusal(f"{name} is broken at {plain(place)}: {type(error).__name__}: {said}", advice="Export it again.")


def _item(values: Any, at: int) -> Any:
    return values[at]


def _bounded(value: Any, path: str) -> Any:
    """Return the value computed from constants. Raises Refusal if it is larger than a network's constants are."""
    if isinstance(value, Tensor) and value.numel() > onnx_file.MOST_VALUES:
        raise Refusal(f"{path} makes a constant of {value.numel():,} numbers.", advice="It is not run.")
    return value


def _tensor(proto_tensor: Any) -> Tensor:
    """Return a tensor, converted from half to single precision."""
    array = onnx_file.package("onnx.numpy_helper").to_array(proto_tensor)
    array = array.astype(np.float32) if proto_tensor.data_type in FLOATS else array
    return torch.from_numpy(np.array(array))


def _attribute(attribute: Any) -> Any:
    value = onnx_file.package("onnx.helper").get_attribute_value(attribute)
    if hasattr(value, "raw_data"):
        return _tensor(value)
    return value.decode() if isinstance(value, bytes) else list(value) if hasattr(value, "__len__") else value


def _constant(attributes: dict[str, Any]) -> Tensor:
    for name, kind in (("int", torch.int64), ("float", torch.float32)):
        for ending in (name, f"{name}s"):
            if f"value_{ending}" in attributes:
                return torch.tensor(attributes[f"value_{ending}"], dtype=kind)
    return attributes["value"]
