"""Gradients of losses with respect to a network's weights, layer by layer, without touching the network.

`torch.func.functional_call` runs the network with leaves of our own in place of its parameters and copies in place of
its buffers, so neither its `.grad` nor its running statistics change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.features.losses import WEIGHT_DECAY, Losses
from models.runtime.network_state import State, lazy
from models.runtime.watched_pass import put_random_state, random_state
from models.tracing.backward_pass import arriving, no_gradient
from models.tracing.traced_calls import gradients, traced
from models.types import Float, Refusal

WEIGHTS = "the weights"
INSIDE = "net."
ROOT = "(network)"


@dataclass(frozen=True)
class Layer:
    """A module with weights of its own: its path, its type, and the names of these weights in the network."""

    path: str
    kind: str
    names: tuple[str, ...]


class Leaves:
    """Copies of a network's weights as leaves of our own, and of its buffers.

    `constant` says that the network has no parameters, and that the floating-point constants of its file are taken for
    its weights. Raises Refusal for a network without either.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        weights = {name: value for name, value in net.named_parameters() if _learns(value)}
        self.constant = not weights
        if self.constant:
            weights = {name: value for name, value in net.named_buffers() if _learns(value) and value.dim()}
        if not weights:
            raise Refusal("This network has no weights that could be learnt.", advice="Open another model.")
        with torch.inference_mode(False):
            self.weights = {name: value.detach().clone().requires_grad_() for name, value in weights.items()}
            buffers = {name: value for name, value in net.named_buffers() if name not in self.weights}
            self.buffers = {name: value.detach().clone() for name, value in buffers.items()}

    def run(self, call: Callable[[], Any], weights: Mapping[str, Tensor] | None = None) -> Any:
        """Return `call()`, in which the network runs with these leaves, or with other `weights` of the same names."""
        held = _Held(self.net, call)
        with torch.inference_mode(False):
            buffers = {name: value.clone() for name, value in self.buffers.items()}
        given = {f"{INSIDE}{name}": value for name, value in {**buffers, **(weights or self.weights)}.items()}
        return torch.func.functional_call(held, given, ())

    def losses(self, losses: Losses, weights: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Return every loss by id, and the scores, in one pass."""
        now = weights or self.weights
        found = dict(self.run(losses.values, weights))
        squares = [value.float().square().sum() for value in now.values()]
        found[WEIGHT_DECAY.id] = torch.stack([each.to(squares[0].device) for each in squares]).sum() / 2
        return found

    def layers(self, order: Sequence[str] = ()) -> list[Layer]:
        """Return the modules with weights, in the `order` of their calls (paths), those within others beside them."""
        grouped: dict[str, list[str]] = {}
        for name in self.weights:
            grouped.setdefault(name.rpartition(".")[0], []).append(name)
        kinds = {path: type(module).__name__ for path, module in self.net.named_modules()}
        places = {path: at for at, path in reversed(list(enumerate(order)))}

        def place(path: str) -> int:
            while path and path not in places:
                path = path.rpartition(".")[0]
            return places.get(path, len(places))

        paths = sorted(grouped, key=place) if places else list(grouped)
        return [Layer(path or ROOT, kinds.get(path, ""), tuple(grouped[path])) for path in paths]


class _Held(nn.Module):
    """Holds a network so that `functional_call` exchanges its tensors while a function runs it."""

    def __init__(self, net: nn.Module, call: Callable[[], Any]) -> None:
        super().__init__()
        self.net = net
        self._call = call

    def train(self, mode: bool = True) -> _Held:
        """Leave the network's mode as it is."""
        return self

    def forward(self) -> Any:
        """Return what the function returns."""
        return self._call()


Gradients = dict[str, Tensor]  # by the weight's name; those that a loss does not depend on are missing


def of(value: Tensor, weights: Mapping[str, Tensor], *, keep: bool = False) -> Gradients:
    """Return the gradient of a loss with respect to each weight that it depends on; `keep` keeps the graph.

    Raises Refusal if it depends on none, or is no number.
    """
    if not torch.isfinite(value):
        raise Refusal(
            "The loss is not a number (NaN or infinite).", advice="Choose another loss, or look at the weights."
        )
    if not value.requires_grad:
        raise no_gradient(WEIGHTS)
    with arriving(WEIGHTS):
        found = torch.autograd.grad(value, list(weights.values()), allow_unused=True, retain_graph=keep)
    made = {name: g.detach() for name, g in zip(weights, found, strict=True) if g is not None}
    if not made:
        raise no_gradient(WEIGHTS)
    return made


def norms(found: Mapping[str, Tensor], layers: Sequence[Layer]) -> Float:
    """Return the length of the gradient (or of the weights) of each layer, (L,); 0 where none arrives."""
    squares = [sum(_dot(found[n], found[n]) for n in layer.names if n in found) for layer in layers]
    return np.sqrt(np.array(squares, np.float64)).astype(np.float32)


def cosines(one: Mapping[str, Tensor], other: Mapping[str, Tensor], layers: Sequence[Layer]) -> Float:
    """Return the cosine of the angle between two gradients of each layer, (L,); 0 where either has no length."""
    lengths = norms(one, layers).astype(np.float64) * norms(other, layers)
    dots = [sum(_dot(one[n], other[n]) for n in layer.names if n in one and n in other) for layer in layers]
    safe = np.where(lengths > 0, lengths, 1.0)
    return np.where(lengths > 0, np.clip(np.array(dots, np.float64) / safe, -1, 1), 0.0).astype(np.float32)


def cosine(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Return the cosine of the angle between two gradients of the whole network, 0 if either has no length."""
    return float(cosines(one, other, [Layer(ROOT, "", tuple({*one, *other}))])[0])


def length(found: Mapping[str, Tensor]) -> float:
    """Return the length of a gradient of the whole network."""
    return float(norms(found, [Layer(ROOT, "", tuple(found))])[0])


def added(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> Gradients:
    """Return the sum of two gradients."""
    names = dict.fromkeys([*one, *other])
    return {n: one[n] + other[n] if n in one and n in other else one.get(n, other.get(n)) for n in names}  # type: ignore[misc]


def difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Return how far two gradients are apart, relative to the longer one; 0 if both are zero."""
    apart = added(one, {name: -value for name, value in other.items()})
    return length(apart) / max(length(one), length(other), 1e-30)


def call_order(leaves: Leaves, losses: Losses) -> list[str]:
    """Return the paths of the modules in the order in which they are first called in a pass."""
    with torch.no_grad(), traced(leaves.net, size=losses.size) as trace:
        leaves.run(losses.values)
    return list(dict.fromkeys(call.module for call in trace.calls))


@contextmanager
def steady(seed: int) -> Iterator[None]:
    """Track gradients inside, draw the same random numbers each time, and restore all random states afterwards."""
    state = random_state()
    torch.manual_seed(seed)
    try:
        with gradients():
            yield
    finally:
        put_random_state(state)


@contextmanager
def mode(net: nn.Module, *, training: bool) -> Iterator[None]:
    """Run a network in training mode inside; afterwards its modes, and whatever its code changed, are as before."""
    if not training:
        yield
        return
    before = {module: module.training for module in net.modules()}
    state = State(net)
    for module in before:
        module.training = True
    try:
        yield
    finally:
        for module, was in before.items():
            module.training = was
        state.restore()


def _learns(value: Tensor) -> bool:
    return not lazy(value) and value.is_floating_point() and not value.is_quantized


def _dot(one: Tensor, other: Tensor) -> float:
    return float((one.double() * other.double()).sum())
