"""One ONNX node under construction, as the builders of operators see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from models.exported import onnx_functions as fn
from models.exported.operation_budget import after_first_run

Value = fx.Node | Tensor | None
# Element types by number. Half and double precision are computed in single, unsigned integers in larger signed ones.
TYPES = {
    **{1: torch.float32, 2: torch.uint8, 3: torch.int8, 4: torch.int32, 5: torch.int16, 6: torch.int32},
    **{7: torch.int64, 9: torch.bool, 10: torch.float32, 11: torch.float32, 12: torch.int64, 13: torch.int64},
    16: torch.float32,
}


class UnsupportedError(Exception):
    """The operator is supported, but not with these attributes, which the message names."""


LARGE = 1 << 14  # numbers of a layer from which leaving them unfilled takes less time than random ones


@dataclass(frozen=True)
class Build:
    """One node under construction: its `inputs`, attributes by name, number of outputs, and the `opset`.

    `rank` is the number of dimensions of the first input, 0 if unknown. `module(made, *args)` and `call(function,
    *args)` add to the graph, or compute the result at once if all arguments are constants.
    """

    kind: str
    inputs: list[Value]
    attributes: Mapping[str, Any]
    outputs: int
    opset: int
    rank: int
    module: Callable[..., Any]
    call: Callable[..., Any]
    domain: str = ""

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or the default."""
        return self.attributes.get(name, default)

    def at(self, number: int) -> Value:
        """Return an input, None if it is omitted."""
        return self.inputs[number] if number < len(self.inputs) else None

    def held(self, number: int) -> Tensor:
        """Return an input that must be constant. Raises UnsupportedError if it is computed."""
        value = self.at(number)
        if not isinstance(value, Tensor):
            raise UnsupportedError(f"{self.kind} with an input {number} that is computed at run time")
        return value

    def sides(self, number: int, name: str) -> Any:
        """Return integers that are an attribute in older opsets and an input in newer ones."""
        value = self.at(number)
        return self.get(name) if value is None else fn.ints(value) if isinstance(value, Tensor) else value


def layer(kind: Any, *sizes: Any, **settings: Any) -> Any:
    """Return a layer of a class, whose parameters stay unfilled until `weighted` puts them into it.

    What it holds is as large as what the file holds, so nothing of it is measured.
    """
    with after_first_run():
        large = math.prod(side for side in sizes if isinstance(side, int)) > LARGE
        return torch.nn.utils.skip_init(kind, *sizes, **settings) if large else kind(*sizes, **settings)


def weighted(module: Any, weight: Tensor, bias: Value) -> Any:
    """Return a module with these parameters put into it."""
    with after_first_run(), torch.no_grad():
        module.weight.copy_(weight)
        if isinstance(bias, Tensor):
            module.bias.copy_(bias)
    return module
