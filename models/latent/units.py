"""The layers of a generator for one code: their traced calls, and the effect of silencing units."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.latent import silenced_units
from models.tracing.tensor_layout import NHWC, VECTOR
from models.tracing.traced_calls import Call, Trace, changed, recorded, traced
from models.types import Float, Refusal

SLICE = 64
COLOURS = 3


def trace(model: Any, code: Tensor) -> Trace:
    """Return the calls on the way from a code (1, D) to its picture."""
    with torch.inference_mode(False), torch.no_grad(), traced(model.net, size=model.shape[1:]) as found:
        model.generate(code.clone())
    return found


def call(found: Trace, layer: str) -> Call:
    """Return the named call, or for "" the last one before the picture. Raises Refusal for an unknown name."""
    if not layer:
        maps = [one for one in found.calls if one.layout.spatial and one.layout.channels > COLOURS]
        flat = [one for one in found.calls if one.layout.name == VECTOR]
        # A chain of linear layers ends in the picture's own pixels, so its last layer is skipped.
        inner = [one for one in flat if one.layout.channels != flat[-1].layout.channels]
        return (maps or inner or found.calls)[-1]
    if layer not in found:
        hint = f"Layers: {', '.join(one.id for one in found.calls[:12])}."
        raise Refusal(f"The generator has no layer {layer!r}.", advice=hint)
    return found[layer]


def values(model: Any, code: Tensor, one: Call) -> Tensor:
    """Return a call's output (C, h, w) for a code (1, D); (C, 1, 1) for a vector."""
    with torch.inference_mode(False), torch.no_grad(), recorded(model.net, [one.id]) as kept:
        model.generate(code.clone())
    value = kept[one.id]
    return one.layout.planes(value)[0] if one.layout.spatial else value.reshape(-1, 1, 1)


def effects(model: Any, code: Tensor, one: Call, stages: Any) -> Float:
    """Return how much silencing each unit (C,) changes the picture of a code (1, D): mean absolute change, 0 to 1."""
    count, found = one.layout.channels, []
    base = model.decode(code)
    for at in range(0, count, SLICE):
        stages.progress(at / count, f"silence unit {at:,} of {count:,}")
        rows = torch.arange(at, min(at + SLICE, count), device=code.device)

        def silence(value: Tensor, rows: Tensor = rows) -> Tensor:
            made = value.clone()
            own = torch.arange(len(rows), device=value.device)
            if one.layout.name == NHWC:
                made[own, :, :, rows] = 0
            else:
                made[own, rows] = 0
            return made

        with changed(model.net, {one.id: silence}):
            made = model.decode(code.repeat(len(rows), 1))
        found.append((made - base).abs().flatten(1).mean(1).float().cpu().numpy())
    return np.concatenate(found)


@contextmanager
def silenced(model: Any, text: str) -> Iterator[None]:
    """Set units to zero inside the context (Bau et al. 2019, section 3.2).

    The text is `layer#3,17`, several layers separated by semicolons; an empty one changes nothing. Raises Refusal for a
    malformed text, and for layers or units that do not exist.
    """
    wanted = silenced_units.parse(text)
    if not wanted:
        yield
        return
    found = trace(model, model.tensor(model.space.origin()[None]))
    change = {}
    for layer, channels in wanted.items():
        one = call(found, layer)
        count = one.layout.channels
        if not one.layout.spatial and len(one.shape) != 2:
            raise Refusal(f"{layer} has no units.", advice="Choose a layer with channels.")
        if max(channels) >= count:
            raise Refusal(f"{layer} has no unit {max(channels)}.", advice=f"It has {count:,}, numbered from 0.")
        change[one.id] = _silencer(channels, one)
    with changed(model.net, change):
        yield


def _silencer(channels: tuple[int, ...], one: Call) -> Any:
    rows = list(channels)

    def silence(value: Tensor) -> Tensor:
        made = value.clone()
        match one.layout.name:
            case "NHWC" | "vector":
                made[..., rows] = 0
            case _:
                made[:, rows] = 0
        return made

    return silence
