"""Convert an ONNX graph to PyTorch modules that keep the exported layer names and let gradients through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from models.exported import onnx_file, onnx_inputs, onnx_operators, onnx_paths, onnx_subgraphs, pure_graph
from models.exported.graph_calls import quiet
from models.exported.onnx_node import Build, UnsupportedError
from models.exported.onnx_operators import DOMAINS
from models.exported.operation_budget import Budget
from models.loading.filled_inputs import FilledInput
from models.types import Cancelled, Refusal

ENTRY = "inputs"  # the module in which a converted network keeps what prepares its inputs
MOST_DEPTH = 16
MOST_INLINED = 50_000  # nodes that calls of the model's own functions come to
OLDEST = 7
HELD = "constants"
ONNX = "OnnxGraph"
MOST_TOLD = 12
ELSEWHERE = "Open its weights, or a torch.export program (.pt2) of it, instead."


def convert(
    model: Any, *, name: str, size: int = 0, check: Callable[[], None] | None = None
) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return the network of a ModelProto, and its picture's channels, height and width; 0 for a size that is free.

    The network takes one tensor (N, C, h, w) and returns its only output, or a dictionary of outputs by name. Inputs
    besides the picture are filled in by what they mean. Values that depend only on constants are computed here, within
    a budget for a file of `size` bytes; `check` may cancel. Raises Refusal for unsupported operators, which it names,
    for graphs that see no picture, and for inputs of which nothing is known.
    """
    picture, others = onnx_inputs.read(model.graph, name)
    fillings = onnx_inputs.fillings(others, name)
    with Budget(size, name=name, check=check):
        return _whole(model, name).net(picture, fillings), picture.shape


def convert_inputs(model: Any, *, name: str, size: int = 0, check: Callable[[], None] | None = None) -> nn.Module:
    """Return the network of a ModelProto, which takes its inputs one by one, in their order; else as `convert`."""
    with Budget(size, name=name, check=check):
        return _whole(model, name).plain_net([name for name, _, _ in onnx_inputs.told(model.graph)])


def _whole(model: Any, name: str) -> _Whole:
    """Return a model's graph, to be built. Raises Refusal that names the operators which are not supported."""
    version = next((one.version for one in model.opset_import if one.domain in DOMAINS), 0)
    functions = {(f.domain, f.name): f for f in model.functions}
    unknown = {_full(node) for node in _every(model) if not _known(node, functions)}
    if unknown or version < OLDEST:
        said = _few(sorted(unknown)) if unknown else f"those of opset {version}, which is older than {OLDEST}"
        raise Refusal(f"{name} uses operators that are not supported: {said}.", advice=ELSEWHERE)
    return _Whole(model.graph, version, name, functions)


def _full(node: Any) -> str:
    return node.op_type if node.domain in DOMAINS else f"{node.domain}.{node.op_type}"


def _every(model: Any) -> Iterator[Any]:
    """Yield every node of a model, including those of nested graphs and of its own functions."""
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                waiting += attribute.g.node
            for graph in attribute.graphs:
                waiting += graph.node


def _known(node: Any, functions: Mapping[tuple[str, str], Any]) -> bool:
    if (node.domain, node.op_type) in functions or (node.domain in DOMAINS and node.op_type in onnx_subgraphs.KINDS):
        return True
    return onnx_operators.known(node.op_type, node.domain)


class _Scope:
    """A graph under construction: each named value is a node of it, or a tensor if it depends only on constants.

    `outer` are the values of the graph around a subgraph; those of them that are used become further inputs of it, and
    are listed in `captured` by name.
    """

    def __init__(
        self, graph: Any, version: int, name: str, functions: Mapping[tuple[str, str], Any], outer: _Scope | None = None
    ) -> None:
        self._graph, self._name, self._version, self._functions, self._outer = graph, name, version, functions, outer
        self._depth: int = outer._depth + 1 if outer is not None else 0
        self._inlined: list[int] = outer._inlined if outer is not None else [0]
        if self._depth > MOST_DEPTH:
            raise Refusal(f"{name} nests graphs in graphs more than {MOST_DEPTH} times.", advice="It is not opened.")
        self._nodes, self._modules = fx.Graph(), nn.Module()
        self._modules.add_module(HELD, nn.Module())
        self._values: dict[str, Any] = {t.name: _held(t, name) for t in graph.initializer}
        self._ranks = _stated_ranks(graph)
        self._held: dict[int, tuple[Tensor, fx.Node]] = {}
        self.captured: dict[str, fx.Node] = {}

    def _build(self, nodes: Any, paths: list[str]) -> None:
        for node, path in zip(nodes, paths, strict=True):
            try:
                self._add(node, path)
            except (Refusal, Cancelled):
                raise
            except UnsupportedError as error:
                said = f"{self._name} uses operators that are not supported: {error}."
                raise Refusal(said, advice=ELSEWHERE) from error
            except Exception as error:  # a broken graph may raise anything
                raise _broken(self._name, f"{node.op_type} {path}", error) from error

    def _module(self) -> fx.GraphModule:
        try:
            net = fx.GraphModule(self._modules, self._nodes)
            net.graph.eliminate_dead_code()
            net.delete_all_unused_submodules()
            net.recompile()
        except Exception as error:  # a malformed graph may raise anything
            raise _broken(self._name, "its graph", error) from error
        return quiet(net)

    def _value(self, name: str) -> Any:
        """Return a value by name, of this graph or of one around it. Raises KeyError."""
        if name in self._values or self._outer is None:
            return self._values[name]
        found = self._outer._value(name)
        if not isinstance(found, fx.Node):
            return found
        if name not in self.captured:
            self.captured[name] = self._nodes.placeholder(f"outer{len(self.captured)}")
            self._ranks[name] = self._outer._ranks.get(name, 0)
        self._values[name] = self.captured[name]
        return self._values[name]

    def _add(self, node: Any, path: str) -> None:
        inputs = [self._value(name) if name else None for name in node.input]
        attributes = {one.name: one for one in node.attribute}
        if (node.domain, node.op_type) in self._functions:
            self._call(self._functions[node.domain, node.op_type], node, inputs, path)
            return
        if node.domain in DOMAINS and node.op_type in onnx_subgraphs.KINDS:
            self._store(node, self._nested(node, inputs, attributes, path))
            return

        def call(function: Any, *args: Any, **more: Any) -> Any:
            if not any(isinstance(one, fx.Node) for one in (*args, *more.values())):
                with torch.no_grad():
                    return _bounded(function(*args, **more), path)
            return self._nodes.call_function(function, tuple(self._given(one) for one in args), more)

        def module(made: nn.Module, *args: Any) -> Any:
            if not any(isinstance(one, fx.Node) for one in args):
                with torch.no_grad():
                    return _bounded(made.eval()(*args), path)
            self._put(path, made)
            return self._nodes.call_module(path, tuple(self._given(one) for one in args))

        plain = {name: _attribute(one) for name, one in attributes.items()}
        if node.op_type == "Constant":
            plain["value"] = _constant(plain)
        rank = self._ranks.get(node.input[0], 0) if node.input else 0
        several = len(node.output)
        build = Build(node.op_type, inputs, plain, several, self._version, rank, module, call, node.domain)
        made = onnx_operators.build(build)
        for name in node.output:
            self._ranks.setdefault(name, _rank(node, rank, inputs, plain))
        self._store(node, made)

    def _store(self, node: Any, made: Any) -> None:
        """Put the results of a node under their names."""
        for at, name in enumerate(node.output):
            if len(node.output) == 1:
                self._values[name] = made
            elif isinstance(made, fx.Node):
                # The further outputs of dropout and normalisation, used in training only, are not built.
                alone = node.op_type in onnx_operators.MODULES
                self._values[name] = made if alone else self._nodes.call_function(_item, (made, at))
            elif name:
                self._values[name] = made if isinstance(made, Tensor) else made[at]

    def _call(self, function: Any, node: Any, inputs: list[Any], path: str) -> None:
        """Build the nodes of one of the model's own functions in place of its call."""
        given = {one.name: one for one in function.attribute_proto} | {one.name: one for one in node.attribute}
        kept, ranks = self._values, self._ranks
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise Refusal(f"{self._name} nests functions more than {MOST_DEPTH} deep.", advice="It is not opened.")
        self._inlined[0] += len(function.node)
        if self._inlined[0] > MOST_INLINED:
            said = f"{self._name} calls its functions so often that they come to more than {MOST_INLINED:,} operators."
            raise Refusal(said, advice="It is not opened.")
        self._values = dict(zip(function.input, inputs, strict=False))
        self._values |= {name: None for name in function.input if name not in self._values}
        named = zip(function.input, node.input, strict=False)
        self._ranks = {own: ranks.get(outer, 0) for own, outer in named}
        inner = [_with_attributes(one, given) for one in function.node]
        try:
            self._build(inner, [f"{path}.{own}" for own in onnx_paths.paths_of(inner, set())])
            made = [self._values.get(name) for name in function.output]
        finally:
            self._values, self._ranks = kept, ranks
            self._depth -= 1
        for name, value in zip(node.output, made, strict=False):
            self._values[name] = value

    def _nested(self, node: Any, inputs: list[Any], attributes: Mapping[str, Any], path: str) -> Any:
        """Return the results of If, Loop or Scan."""
        if node.op_type == "If":
            graphs = [attributes[name].g for name in ("then_branch", "else_branch")]
            if isinstance(inputs[0], Tensor):
                return self._inline(graphs[0 if bool(inputs[0]) else 1], path)
            scopes = [_Scope(graph, self._version, self._name, self._functions, self) for graph in graphs]
            names = list(dict.fromkeys(name for scope in scopes for name in scope.within([])))
            module: nn.Module = onnx_subgraphs.Branches(*(scope.finished(names) for scope in scopes))
            given = inputs[:1]
        else:
            body = attributes["body"].g
            scope = _Scope(body, self._version, self._name, self._functions, self)
            names = scope.within([value.name for value in body.input])
            if node.op_type == "Loop":
                module = onnx_subgraphs.Repeated(scope.finished(names), len(body.input) - 2)
                given = [*inputs, *[None] * (2 - len(inputs))]
            else:
                module, given = _scan(node, body, scope.finished(names), attributes), inputs
        self._put(path, module)
        outer = [self._value(name) for name in names]
        return self._nodes.call_module(path, tuple(self._given(one) for one in (*given, *outer)))

    def _inline(self, graph: Any, path: str) -> Any:
        """Build a branch that is known to be taken in this graph itself."""
        kept = dict(self._values)
        self._values |= {t.name: _held(t, self._name) for t in graph.initializer}
        self._build(graph.node, [f"{path}.{own}" for own in onnx_paths.paths(graph)])
        made = [self._value(value.name) for value in graph.output]
        self._values = kept
        return made[0] if len(made) == 1 else made

    def within(self, inputs: list[str]) -> list[str]:
        """Build a subgraph, and return the names of the outer values that it uses."""
        for at, name in enumerate(inputs):
            self._values[name] = self._nodes.placeholder(f"in{at}")
        self._build(self._graph.node, onnx_paths.paths(self._graph))
        self._results = [self._value(value.name) for value in self._graph.output]
        return list(self.captured)

    def finished(self, names: list[str]) -> nn.Module:
        """Return the module of a subgraph whose last inputs are the outer values of these names, in order."""
        outer = {*self.captured.values()}
        own = [node for node in self._nodes.nodes if node.op == "placeholder" and node not in outer]
        last = own[-1] if own else None
        for at, name in enumerate(names):
            node = self.captured.get(name)
            if node is None:
                with self._nodes.inserting_before(next(iter(self._nodes.nodes), None)):
                    node = self._nodes.placeholder(f"unused{len(names)}_{at}")
            first = next(iter(self._nodes.nodes))
            if last is not None:
                last.append(node)
            elif node is not first:
                first.prepend(node)
            last = node
        made = tuple(self._given(one) for one in self._results)
        self._nodes.output(made if len(made) != 1 else made[0])
        return self._module()

    def _given(self, value: Any) -> Any:
        """Return a value as a node of the graph; a constant tensor is stored in the network first."""
        if isinstance(value, list | tuple):
            return type(value)(self._given(one) for one in value)
        if not isinstance(value, Tensor):
            return value
        if id(value) not in self._held:
            holder, name = self._modules.get_submodule(HELD), f"c{len(self._held)}"
            holder.register_buffer(name, value)
            first = next(iter(self._nodes.nodes), None)
            self._held[id(value)] = value, self._nodes.get_attr(f"{HELD}.{name}")
            del first
        return self._held[id(value)][1]

    def _put(self, path: str, made: nn.Module) -> None:
        owner = self._modules
        *folders, last = path.split(".")
        for folder in folders:
            if folder not in owner._modules:
                owner.add_module(folder, nn.Module())
            owner = owner.get_submodule(folder)
        owner.add_module(last, made)


class _Whole(_Scope):
    """The graph of a network."""

    def net(self, picture: onnx_inputs.Picture, fillings: list[FilledInput]) -> nn.Module:
        """Return the network. Raises Refusal for a node that cannot be built."""
        start = entry = self._nodes.placeholder("input")
        way = onnx_inputs.PictureInput(picture)
        if picture.odd:  # a channels-last input is turned, so that every network takes N, C, h, w
            self._put(f"{ENTRY}.picture", way)
            entry = self._nodes.call_module(f"{ENTRY}.picture", (start,))
        self._values[picture.name] = entry
        for made in fillings:
            path = f"{ENTRY}.fill{made.key.removeprefix('fill')}"
            self._put(path, made)
            self._values[made.name] = self._nodes.call_module(path, (start,))
        outputs = self._outputs()
        if picture.batch > 1 or picture.batch < 0 or picture.kind == 11:
            self._put(f"{ENTRY}.output", onnx_inputs.PictureOutput(way))
            outputs = {k: self._nodes.call_module(f"{ENTRY}.output", (v, start)) for k, v in outputs.items()}
        return self._finished(outputs, 1 if picture.batch < 0 else picture.batch)

    def plain_net(self, names: list[str]) -> nn.Module:
        """Return the network with inputs of these names, in their order. Raises Refusal as `net`."""
        for at, name in enumerate(names):
            self._values[name] = self._nodes.placeholder(f"input{at}")
        return self._finished(self._outputs(), 0)

    def _outputs(self) -> dict[str, Any]:
        self._build(self._graph.node, onnx_paths.paths(self._graph))
        outputs = {value.name: self._given(self._values.get(value.name)) for value in self._graph.output}
        if not outputs or None in outputs.values():
            raise Refusal(f"{self._name} does not make the outputs that it names.", advice="Export it again.")
        return outputs

    def _finished(self, outputs: dict[str, Any], batch: int) -> nn.Module:
        self._nodes.output(outputs if len(outputs) > 1 else next(iter(outputs.values())))
        net = self._module()
        net.__class__.__name__ = ONNX
        pure_graph.mark(net, batch)
        return net.eval()


def _with_attributes(node: Any, given: Mapping[str, Any]) -> Any:
    """Return a node of a function with the attributes that its call gives."""
    if not any(one.ref_attr_name for one in node.attribute):
        return node
    made = type(node)()
    made.CopyFrom(node)
    del made.attribute[:]
    for one in node.attribute:
        if not one.ref_attr_name:
            made.attribute.add().CopyFrom(one)
        elif one.ref_attr_name in given:
            added = made.attribute.add()
            added.CopyFrom(given[one.ref_attr_name])
            added.name = one.name
    return made


def _scan(node: Any, body: Any, module: nn.Module, attributes: Mapping[str, Any]) -> nn.Module:
    slices = _attribute(attributes["num_scan_inputs"])
    if not 0 < slices <= len(body.input):
        raise ValueError(f"{slices:,} sequences where its body takes {len(body.input)} inputs")
    states = len(body.input) - slices
    results = len(body.output) - states

    def told(name: str, count: int) -> list[int]:
        return _attribute(attributes[name]) if name in attributes else [0] * count

    axes = [told("scan_input_axes", slices), told("scan_output_axes", results)]
    turned = [told("scan_input_directions", slices), told("scan_output_directions", results)]
    return onnx_subgraphs.Scanned(module, states, slices, axes, [[bool(v) for v in row] for row in turned])


def fill_batches(net: nn.Module) -> bool:
    """Have a graph that runs on no single picture be given as many as it states; return whether there was need to."""
    entry = _entry(net)
    if entry is None or entry.batch.filled or entry.picture.batch < 2:
        return False
    entry.batch.filled = entry.picture.batch
    pure_graph.mark(net, 1)
    return True


def _entry(net: nn.Module) -> onnx_inputs.PictureInput | None:
    return next((one for one in net.modules() if isinstance(one, onnx_inputs.PictureInput)), None)


def whole_numbers(net: nn.Module) -> bool:
    """Return whether a network takes pictures as whole numbers from 0 to 255."""
    entry = _entry(net)
    return entry is not None and entry.picture.whole


def _stated_ranks(graph: Any) -> dict[str, int]:
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
    return Refusal(
        f"{name} is broken at {plain(place)}: {type(error).__name__}: {said.rstrip('.')}.", advice="Export it again."
    )


def _item(values: Any, at: int) -> Any:
    return values[at]


def _bounded(value: Any, path: str) -> Any:
    """Return the value computed from constants. Raises Refusal if it is larger than a network's constants are."""
    if isinstance(value, Tensor) and value.numel() > onnx_file.MOST_VALUES:
        raise Refusal(f"{path} makes a constant of {value.numel():,} numbers.", advice="It is not run.")
    return value


WIDER = {
    **dict.fromkeys((10, 11, 16, 17, 18, 19, 20), np.float32),  # float16, double, bfloat16, the four kinds of float8
    **{4: np.int32, 12: np.int64, 13: np.int64, 21: np.uint8, 22: np.int8},  # uint16, uint32, uint64, uint4, int4
}


def _tensor(proto_tensor: Any) -> Tensor:
    """Return a tensor: half and double precision as single, unsigned and short whole numbers as larger ones."""
    array = onnx_file.package("onnx.numpy_helper").to_array(proto_tensor)
    if proto_tensor.data_type in WIDER:
        return torch.from_numpy(np.array(array.astype(WIDER[proto_tensor.data_type])))
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
