"""An ONNX graph as PyTorch modules, by onnx2torch: layers keep the names they were exported with. It reads no file."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from models import files
from models.programs import lower, proto
from models.types import Refusal

FLOATS = (1, 10, 16)  # float32, float16, bfloat16 in ONNX


def convert(model: Any, *, name: str) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return the network of a ModelProto, and its input's channels, height and width, 0 where any will do.

    It takes one tensor and returns a dictionary of them by the names of the graph's outputs, or the only one. Raises
    Refusal for operators that are not supported, naming them, and for inputs that are no picture.
    """
    onnx = proto.package()
    value = _input(model, name)
    sides = [d.dim_value for d in value.type.tensor_type.shape.dim]
    last = len(sides) == 4 and sides[3] in (1, 3) and sides[1] not in (1, 3)
    shape = (sides[3], sides[1], sides[2]) if last else (sides[1], sides[2], sides[3])
    lower.lower(onnx, model, name=name)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        proto.shapes_bounded(inferred, name)
    except onnx.shape_inference.InferenceError as error:
        raise Refusal(f"{name} has shapes that do not fit together.", advice="Export it again.") from error
    with files.Quiet():
        graph = _converted(model, name)
    return _named(graph, [output.name for output in model.graph.output], model, channels_last=last), shape


def _input(model: Any, name: str) -> Any:
    """Return the one input that is a picture. Raises Refusal where there is another."""
    held = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in held]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs[:5])
        raise Refusal(f"{name} takes {len(inputs)} inputs ({names}).", advice="One that takes a picture alone opens.")
    kind = inputs[0].type.tensor_type
    if len(kind.shape.dim) != 4 or kind.elem_type not in FLOATS:
        sides = " x ".join(str(d.dim_value or d.dim_param or "?") for d in kind.shape.dim)
        raise Refusal(
            f"{name} takes no picture: its input {inputs[0].name} is {sides}, of type {kind.elem_type}.",
            advice="A picture is N x channels x height x width in floating point.",
        )
    return inputs[0]


def _converted(model: Any, name: str) -> fx.GraphModule:
    import onnx2torch
    from onnx2torch.node_converters.registry import get_converter

    _register()
    versions = {one.domain: one.version for one in model.opset_import}
    unknown = set()
    for node in model.graph.node:
        try:
            get_converter(operation_type=node.op_type, version=versions.get(node.domain, 0), domain=node.domain)
        except NotImplementedError:
            unknown.add(f"{node.domain}.{node.op_type}".strip("."))
    if unknown:
        raise Refusal(
            f"{name} uses operators that are not supported: {', '.join(sorted(unknown))}.",
            advice="Export it with opset 17, or open its weights or its torch.export program (.pt2) instead.",
        )
    try:
        return onnx2torch.convert(model)
    except Exception as error:  # the converter raises whatever a broken graph leads to
        said = (str(error).splitlines() or [""])[0][:200]
        raise Refusal(
            f"{name} could not be converted: {type(error).__name__}: {said}",
            advice="Open its weights or its torch.export program (.pt2) instead.",
        ) from error


def _named(graph: fx.GraphModule, outputs: list[str], model: Any, *, channels_last: bool) -> nn.Module:
    """Return the graph with modules under the paths that were exported, and its outputs by name."""
    from onnx2torch.onnx_graph import OnnxGraph

    paths = {OnnxGraph.generate_node_name(node): node.name for node in model.graph.node}
    made: dict[str, fx.Node] = {}
    owners = {OnnxGraph.generate_node_name(node): node for node in model.graph.node}
    modules: dict[str, Any] = {}
    nodes = graph.graph
    for node in list(nodes.nodes):
        if node.op == "call_module":
            own = str(node.target)
            modules[paths[own]] = graph.get_submodule(own)
            node.target = paths[own]
            for at, output in enumerate(owners[own].output):
                made[output] = node
                if len(owners[own].output) > 1:
                    with nodes.inserting_after(node):
                        made[output] = nodes.call_function(_item, (node, at))
        elif node.op == "get_attr":
            modules[str(node.target)] = _reached(graph, str(node.target))
        elif node.op == "placeholder" and channels_last:
            with nodes.inserting_after(node):
                turned = nodes.call_method("permute", (node, 0, 2, 3, 1))
            node.replace_all_uses_with(turned, delete_user_cb=lambda user, turned=turned: user is not turned)
        elif node.op == "output":
            node.args = ({name: made[name] for name in outputs} if len(outputs) > 1 else made[outputs[0]],)
    net = fx.GraphModule(modules, nodes)
    net.graph.eliminate_dead_code()
    net.delete_all_unused_submodules()
    net.recompile()
    return net.eval().float()


def _item(values: Any, at: int) -> Any:
    return values[at] if isinstance(values, tuple | list) else values


def _reached(graph: nn.Module, target: str) -> Tensor:
    owner, _, name = target.rpartition(".")
    return getattr(graph.get_submodule(owner), name)


def _register() -> None:
    """Teach the converter the operators that are newer than it is."""
    from onnx2torch.node_converters.registry import _CONVERTER_REGISTRY, add_converter
    from onnx2torch.utils.common import OnnxMapping, OperationConverterResult, onnx_mapping_from_node

    if any(known.domain == lower.OWN for known in _CONVERTER_REGISTRY):
        return

    def gelu(node: Any, graph: Any) -> OperationConverterResult:
        made = nn.GELU(approximate=node.attributes.get("approximate", "none"))
        return OperationConverterResult(made, onnx_mapping_from_node(node))

    def mish(node: Any, graph: Any) -> OperationConverterResult:
        return OperationConverterResult(nn.Mish(), onnx_mapping_from_node(node))

    def group_norm(node: Any, graph: Any) -> OperationConverterResult:
        scale, shift = (graph.initializers[name].to_torch() for name in node.input_values[1:3])
        made = nn.GroupNorm(node.attributes["num_groups"], len(scale), eps=node.attributes.get("epsilon", 1e-5))
        with torch.no_grad():
            made.weight.copy_(scale)
            made.bias.copy_(shift)
        mapping = OnnxMapping(inputs=(node.input_values[0],), outputs=node.output_values)
        return OperationConverterResult(made, mapping)

    for name, converter in {"Gelu": gelu, "Mish": mish, "GroupNormalization": group_norm}.items():
        add_converter(operation_type=name, version=1, domain=lower.OWN)(converter)
