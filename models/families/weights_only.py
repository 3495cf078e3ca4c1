"""Weights without a network: their layers can be looked at, but nothing can be computed with them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from models.families.proposal import Path, place
from models.types import Refusal

NO_CODE = "{name} is weights without the code of their network: no picture can go through it."


class WeightsOnly(nn.Module):
    """The layers that a state dict names, each with its own tensors. It cannot run."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.title = ""
        for name, tensor in state.items():
            path, _, attribute = name.rpartition(".")
            if attribute == "weight" and tensor.ndim in (2, 4) and tensor.is_floating_point():
                _layer(self, path or "layer", tensor, state.get(f"{path}.bias"))
        for name, tensor in state.items():
            path, _, attribute = name.rpartition(".")
            owner = _owner(self, path)
            if not hasattr(owner, attribute):
                owner.register_buffer(attribute, tensor)

    def forward(self, x: Tensor) -> Tensor:
        """Raise Refusal: only the code of the network says how its layers are joined."""
        raise Refusal(
            "These are weights without the code of their network.",
            advice="Choose its architecture, open its code, or write a card: Model > Open code…",
        )


def holds_layers(state: Mapping[str, Tensor]) -> bool:
    """Return whether a state dict has a convolution or a linear layer, whose weights can be shown."""
    return any(
        name.endswith("weight") and tensor.ndim in (2, 4) and tensor.is_floating_point()
        for name, tensor in state.items()
    )


def _layer(net: nn.Module, path: str, weight: Tensor, bias: Tensor | None) -> None:
    """Put a layer of the tensors' shape at a path; a path that is taken by a container keeps its tensors as buffers."""
    out, inside = weight.shape[:2]
    made: nn.Module
    if weight.ndim == 4:
        made = nn.Conv2d(inside, out, (weight.shape[2], weight.shape[3]), bias=False, device="meta")
    else:
        made = nn.Linear(inside, out, bias=False, device="meta")
    made.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None and bias.is_floating_point() and bias.ndim == 1:
        made.bias = nn.Parameter(bias, requires_grad=False)
    parent, _, name = path.rpartition(".")
    holder = _owner(net, parent)
    if not hasattr(holder, name):
        place(net, path, made)


def _owner(net: nn.Module, path: str) -> nn.Module:
    """Return the module at a path, made of containers where it is missing."""
    for part in filter(None, path.split(".")):
        inner = getattr(net, part, None)
        if not isinstance(inner, nn.Module):
            free = f"{part}_" if hasattr(net, part) else part  # not an attribute that every module has
            inner = getattr(net, free, None) or Path()
            net.add_module(free, inner)
        net = inner
    return net
