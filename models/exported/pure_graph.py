"""Which networks are graphs that draw no random numbers, write into no input and keep no state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn

PURE = "pure"
TRAINED = {"batch_norm": 5, "dropout": 2, "feature_dropout": 2, "alpha_dropout": 2, "native_dropout": 2, "rrelu": 3}
EMPTY = ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")


def mark(net: Any, batch: int) -> None:
    """Say that a graph module is such a graph, and how many pictures it takes at a time, 0 for any number."""
    net.meta[PURE] = batch


def batch_of(net: nn.Module) -> int | None:
    """Return how many pictures such a graph takes at a time, 0 for any number; None for any other network."""
    return net.meta.get(PURE) if isinstance(net, fx.GraphModule) else None


def is_pure(program: Any) -> bool:
    """Return whether every operation of an exported program is known to leave its input and itself as they were."""
    signature = program.graph_signature
    if signature.buffers_to_mutate or signature.user_inputs_to_mutate:
        return False
    return all(_leaves_all(node) for node in _nodes(program.graph_module))


def _nodes(module: fx.GraphModule) -> Iterator[fx.Node]:
    for one in module.modules():
        if isinstance(one, fx.GraphModule):
            yield from (node for node in one.graph.nodes if node.op == "call_function")


def _leaves_all(node: fx.Node) -> bool:
    """Return whether an operation is of ATen, draws nothing in the way that it is called, and writes into what was
    computed before at most.
    """
    target: Any = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return getattr(target, "__module__", "") in ("_operator", "math", "builtins")
    name = _name(node)
    if target.namespace != "aten" or name in EMPTY:
        return False
    if name in TRAINED:
        at, wanted = TRAINED[name], target._schema.arguments
        given = node.args[at] if at < len(node.args) else node.kwargs.get(wanted[at].name)
        return given is False
    if name == "instance_norm":
        return len(node.args) > 3 and node.args[3] is None
    written = [
        given
        for given, own in zip(node.args, target._schema.arguments, strict=False)
        if own.alias_info is not None and own.alias_info.is_write
    ]
    if target._schema.is_mutable and not (written and all(_computed(one) for one in written)):
        return False
    return torch.Tag.nondeterministic_seeded not in target.tags


def _name(node: fx.Node) -> str:
    return node.target._schema.name.partition("::")[2] if isinstance(node.target, torch._ops.OpOverload) else ""


def _computed(value: Any) -> bool:
    """Return whether a value is the graph's own: computed, and no view of an input, a weight or a constant."""
    while isinstance(value, fx.Node) and value.op == "call_function":
        name = _name(value)
        views = name and any(one.alias_info is not None for one in value.target._schema.returns)  # pyright: ignore
        if not (views or not name or name in TRAINED):
            return True
        value = value.args[0] if value.args else None
    return False
