"""Bounded integer arithmetic for programs at run time: an expression such as `9 ** 9 ** 9` would never finish."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from torch import fx, nn

from models.types import Refusal

MOST_BITS = 256


def _refused() -> Refusal:
    return Refusal("It computes a number too large to be a size.", advice="It is not run.")


def multiplied(a: Any, b: Any) -> Any:
    """Multiply. Raises Refusal if an integer result is larger than any tensor size."""
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() + b.bit_length() > MOST_BITS:
        raise _refused()
    return operator.mul(a, b)


def raised(a: Any, b: Any) -> Any:
    """Raise to a power. Raises Refusal if an integer result is larger than any tensor size."""
    if isinstance(a, int) and isinstance(b, int) and max(1, a.bit_length()) * abs(b) > MOST_BITS:
        raise _refused()
    return operator.pow(a, b)


def shifted(a: Any, b: Any) -> Any:
    """Shift left. Raises Refusal if the result is larger than any tensor size."""
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() + abs(b) > MOST_BITS:
        raise _refused()
    return operator.lshift(a, b)


BOUNDED: dict[Any, Callable[[Any, Any], Any]] = {
    operator.mul: multiplied,
    operator.pow: raised,
    operator.lshift: shifted,
}


def bound(modules: Iterable[nn.Module]) -> None:
    """Replace Python's operators by the bounded ones in graphs; compile the graphs afterwards."""
    for module in modules:
        graph = getattr(module, "graph", None)
        for node in graph.nodes if isinstance(graph, fx.Graph) else ():
            if node.op == "call_function":
                node.target = BOUNDED.get(node.target, node.target)
        if isinstance(module, fx.GraphModule):
            module.recompile()
