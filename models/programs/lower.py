"""Rewrites an ONNX graph in place into what the converter knows: opset 17, weights as initializers, names of layers.

What opsets 18 to 23 changed for the operators here is types alone, but for what is rewritten. It runs nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from models.types import Refusal

OPSET = 17
OWN = "vitrine"
# What newer opsets call otherwise, as nodes of an own domain with converters of our own.
ADDED = {"Gelu", "Mish", "GroupNormalization"}
PARAMETRIC = {"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LayerNormalization", "PRelu"}
ENDS = ("weight", "bias", "running_mean", "running_var", "gamma", "beta", "kernel")


def lower(onnx: Any, model: Any, *, name: str) -> None:
    """Rewrite the graph of a model. Raises Refusal for what a newer opset has and an older one cannot say."""
    graph = model.graph
    _fold(graph)
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if version > OPSET:
        constants = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            _rewrite(onnx, node, constants, name)
        for one in model.opset_import:
            if one.domain in ("", "ai.onnx"):
                one.version = OPSET
        model.opset_import.add(domain=OWN, version=1)
    for node, path in zip(graph.node, paths(graph), strict=True):
        node.name = path


def paths(graph: Any) -> list[str]:
    """Return the path of a module for each node, after the module that it was exported from, as far as names tell."""
    known = {tensor.name for tensor in graph.initializer}
    found = [_path(node, known) for node in graph.node]
    often = Counter(found)
    found = [
        p if often[p] == 1 or n.op_type in PARAMETRIC else f"{p}.{n.op_type}"
        for p, n in zip(found, graph.node, strict=True)
    ]
    folders = {".".join(p.split(".")[:k]) for p in found for k in range(1, p.count(".") + 1)}
    taken: Counter[str] = Counter()
    made: list[str] = []
    for path, node in zip(found, graph.node, strict=True):
        free = f"{path}.{node.op_type}" if path in folders else path
        taken[free] += 1
        made.append(free if taken[free] == 1 else f"{free}_{taken[free] - 1}")
    return made


def _path(node: Any, known: set[str]) -> str:
    """Return the module's path of one node."""
    if node.op_type in PARAMETRIC:
        for name in node.input:
            owner, _, last = name.rpartition(".")
            if name in known and owner and last in ENDS:
                return owner
    if "/" in node.name:
        return _scope(node.name)
    return node.name.replace(".", "_") or node.op_type


def _scope(name: str) -> str:
    """Return `layer1.0.conv1` of `/layer1/layer1.0/conv1/Conv`, as torch names nodes."""
    parts = [part for part in name.split("/") if part]
    scope = parts[:-1] or parts
    path = ""
    for part in scope:
        path = part if not path or part.startswith(f"{path}.") else f"{path}.{part}"
    return ".".join(piece or "_" for piece in path.split("."))


def _fold(graph: Any) -> None:
    """Let nodes read initializers themselves where they come by way of an Identity or a Constant."""
    known = {tensor.name for tensor in graph.initializer}
    other: dict[str, str] = {}
    kept = []
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        value = next((a for a in node.attribute if a.name == "value" and a.HasField("t")), None)
        if (
            node.op_type == "Identity"
            and other.get(node.input[0], node.input[0]) in known
            and not outputs & {*node.output}
        ):
            other[node.output[0]] = other.get(node.input[0], node.input[0])
        elif node.op_type == "Constant" and value is not None and not outputs & {*node.output}:
            tensor = graph.initializer.add()
            tensor.CopyFrom(value.t)
            tensor.name = node.output[0]
            known.add(tensor.name)
        else:
            kept.append(node)
    for node in kept:
        for at, name in enumerate(node.input):
            node.input[at] = other.get(name, name)
    copied = [type(node).FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(copied)


def _rewrite(onnx: Any, node: Any, constants: dict[str, Any], name: str) -> None:
    """Say with opset 17 what a node of a newer one says."""
    if node.op_type in ADDED:
        node.domain = OWN
    elif node.op_type.startswith("Reduce") and node.op_type != "ReduceSum" and len(node.input) > 1:
        tensor = constants.get(node.input[1])
        if tensor is None:
            raise Refusal(f"{name} works out the axes of a {node.op_type} as it runs.", advice="Export it otherwise.")
        node.attribute.append(onnx.helper.make_attribute("axes", onnx.numpy_helper.to_array(tensor).tolist()))
        del node.input[1:]
    elif node.op_type == "Split" and len(node.input) < 2:
        _without(node, "num_outputs")
    elif node.op_type == "Pad":
        del node.input[3:]
    elif node.op_type == "Resize":
        _without(node, "antialias", "axes", "keep_aspect_ratio_policy")
    elif node.op_type in ("Cast", "CastLike"):
        _without(node, "saturate")
    for attribute in [a for a in node.attribute if a.name == "noop_with_empty_axes" and node.op_type != "ReduceSum"]:
        node.attribute.remove(attribute)


def _without(node: Any, *names: str) -> None:
    for attribute in [a for a in node.attribute if a.name in names]:
        node.attribute.remove(attribute)
