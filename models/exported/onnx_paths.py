"""Derive a module path for each node of an ONNX graph from the name of the module it was exported from."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Sequence
from typing import Any

from torch import nn

PARAMETRIC = {"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LayerNormalization", "PRelu"}
MOST_PIECES, MOST_CHARACTERS = 24, 300
OCCUPIED = nn.Module()
for _own in ("constants", "inputs"):  # the modules in which a converted network keeps what the graph has no nodes for
    OCCUPIED.add_module(_own, None)
ENDS = ("weight", "bias", "running_mean", "running_var", "gamma", "beta", "kernel")


def paths(graph: Any) -> list[str]:
    """Return a path for each node: unique, none nested in another, and the original module's path where it is known."""
    return paths_of(graph.node, {tensor.name for tensor in graph.initializer})


def paths_of(nodes: Sequence[Any], known: set[str]) -> list[str]:
    """Return a path for each of some nodes; `known` are the names of the initializers."""
    found = [_path(node, known) for node in nodes]
    often = Counter(found)
    for at, node in enumerate(nodes):
        if often[found[at]] > 1 and "/" in node.name and node.op_type not in PARAMETRIC:
            found[at] = f"{found[at]}.{node.op_type}"
    folders = {".".join(p.split(".")[:k]) for p in found for k in range(1, p.count(".") + 1)}
    taken: Counter[str] = Counter()
    made: list[str] = []
    for path, node in zip(found, nodes, strict=True):
        free = f"{path}.{node.op_type}" if path in folders else path
        taken[free] += 1
        made.append(free if taken[free] == 1 else f"{free}_{taken[free] - 1}")
    return made


def _path(node: Any, known: set[str]) -> str:
    tail = node.name[-MOST_CHARACTERS:]
    if node.op_type in PARAMETRIC:
        for name in node.input:
            owner, _, last = name.rpartition(".")
            if name in known and owner and last in ENDS:
                return _clean(owner)
    if "/" in tail:
        return _scope(tail)
    return _clean((tail or node.op_type).replace(".", "_"))


def _scope(name: str) -> str:
    """Return `layer1.0.conv1` for `/layer1/layer1.0/conv1/Conv`, the form of node names that torch writes."""
    parts = [part for part in name.split("/") if part]
    path = ""
    for part in parts[:-1] or parts:
        path = part if not path or part.startswith(f"{path}.") else f"{path}.{part}"
    return _clean(path)


def _clean(path: str) -> str:
    """Return a path whose parts are valid module names: no keywords, no existing attributes, limited depth."""
    kept = "".join(c if (c.isascii() and c.isalnum()) or c in "._" else "_" for c in path[-MOST_CHARACTERS:])
    pieces = [piece for piece in kept.split(".") if piece][-MOST_PIECES:]
    return (
        ".".join(f"{piece}_" if keyword.iskeyword(piece) or hasattr(OCCUPIED, piece) else piece for piece in pieces)
        or "node"
    )
