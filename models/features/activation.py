"""A layer's activations for a picture: all channels, their statistics, and their relevance to the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.attributions import class_activation
from models.attributions.attribution import Probe
from models.tracing.layers import automatic, call_of, on_picture
from models.tracing.tensor_layout import VECTOR
from models.tracing.traced_calls import Call, gradients, recorded
from models.types import Bool, Float, Int, Refusal

FULL_BYTES = 8 << 20  # larger maps are sent in half precision
TILE_CELLS = 64
SORTS = ("none", "mean", "max", "relevance")


@dataclass(frozen=True)
class Channels:
    """The channels (C, h, w) of a call, (C, 1, 1) for a vector.

    `gradient` is that of the target with respect to them, None if the target does not depend on this layer.
    """

    call: Call
    value: Tensor
    gradient: Tensor | None


def channels(probe: Probe, layer: str) -> Channels:
    """Return a layer's channels for the picture. Raises Refusal for a layer that is neither a map nor a vector."""
    subject, stages = probe.subject, probe.stages
    call = call_of(subject, layer or automatic(subject, stages), stages)
    if on_picture(subject, call):
        through = class_activation.forward(subject, layer, stages)
        if not through.scores.requires_grad:
            return Channels(call, call.layout.planes(through.value.detach())[0], None)
        found = class_activation.evidence(probe, layer)
        return Channels(call, found.activation, found.gradient)
    if call.layout.name == VECTOR and call.shape[0] == 1:
        return _vector(probe, call)
    shape = " x ".join(map(str, call.shape))
    raise Refusal(
        f"{call.id} ({shape}) is neither a map of the picture nor one vector for it.",
        advice=f"Choose a layer with places, such as {automatic(subject, stages)}.",
    )


def relevance(found: Channels) -> Float:
    """Return the mean of gradient times activation (C,): each channel's contribution to the target, to first order."""
    if found.gradient is None:
        return np.zeros(len(found.value), np.float32)
    return (found.gradient * found.value).mean((1, 2)).float().cpu().numpy()


def maps(value: Tensor) -> np.ndarray:
    """Return channels as an array, in half precision if the array is large and its values fit the range."""
    array = value.float().cpu().numpy()
    small = array.nbytes <= FULL_BYTES or float(np.abs(array).max()) > float(np.finfo(np.float16).max)
    return np.ascontiguousarray(array if small else array.astype(np.float16))


def thumbnails(value: Tensor) -> Float:
    """Return channels (C, h, w) with at most `TILE_CELLS` cells per side; larger ones are averaged over blocks."""
    factor = -(-max(value.shape[1:]) // TILE_CELLS)
    small = value.float()
    if factor > 1:
        small = functional.avg_pool2d(small[None], factor, ceil_mode=True)[0]
    return np.ascontiguousarray(small.cpu().numpy())


def statistics(value: Tensor) -> dict[str, Float]:
    """Return the mean, maximum, minimum and share of zeros of each channel (C,)."""
    flat = value.float().flatten(1)
    found = {"mean": flat.mean(1), "max": flat.amax(1), "min": flat.amin(1), "zeros": (flat == 0).float().mean(1)}
    return {name: values.cpu().numpy() for name, values in found.items()}


def dead(zeros: Float) -> Bool:
    """Return which channels are zero everywhere for this picture."""
    return zeros >= 1.0


def order(sort: str, columns: dict[str, Float]) -> Int:
    """Return the channels' rows sorted by the column `sort`, largest first, or in their own order for another name."""
    count = len(columns["mean"])
    if sort not in columns:
        return np.arange(count, dtype=np.int64)
    return np.argsort(-columns[sort], kind="stable").astype(np.int64)


def _vector(probe: Probe, call: Call) -> Channels:
    def make() -> tuple[Tensor, Tensor | None]:
        with gradients(), recorded(probe.subject.net, [call.id], leaf=True) as kept:
            scores = probe.subject.scores(probe.subject.input)
            leaf = kept[call.id]
            if not scores.requires_grad:
                return leaf.detach(), None
            (gradient,) = torch.autograd.grad(probe.target.of(scores).sum(), leaf)
        return leaf.detach(), gradient

    target = probe.target
    value, gradient = probe.stages.run("vector", make, probe.subject.key, call.id, target.plus, target.minus)
    shape = (call.layout.channels, 1, 1)
    return Channels(call, value.reshape(shape), None if gradient is None else gradient.reshape(shape))
