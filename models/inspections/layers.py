"""Layers: every call that the network makes for the image, with its shape, layout and thumbnail.

Arrays of the Result: `thumbnails` (M, s, s) uint8, the mean absolute activation over channels of the M calls whose
output is a map of the image; `thumbnail` (N,) the row of a call in them, -1 for none. `meta["calls"]` lists the N calls
in order, a dictionary each; `meta["automatic"]` is the id of the best layer for class activation maps; `meta["silent"]`
are the modules with parameters that are never called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.attributions.attribution import subject_of
from models.attributions.target import TargetParams
from models.inspection import Inspection
from models.runtime.forward_passes import repetition
from models.subject import Subject
from models.tracing.layers import automatic, hidden, on_picture
from models.tracing.traced_calls import Call, traced
from models.types import Pixels, Result

SIDE_PX = 32


@dataclass(frozen=True)
class Params(TargetParams):
    """For a detector, the box whose path through the network is listed."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the calls for `pixels` (H, W, 3) uint8 RGB."""
    subject = subject_of(model, pixels, params, stages)
    calls, pictures = stages.run("thumbnails", lambda: _seen(subject), subject.key)
    rows = {call.id: row for row, call in enumerate(c for c in calls if c.id in pictures)}
    shown = [pictures[name] for name in rows]
    arrays = {
        "thumbnails": np.stack(shown) if shown else np.zeros((0, SIDE_PX, SIDE_PX), np.uint8),
        "thumbnail": np.array([rows.get(call.id, -1) for call in calls], np.int64),
    }
    listed = [_plain(subject, call) for call in calls]
    silent = stages.run("silent", lambda: _silent(subject, calls), subject.key)
    meta = {"calls": listed, "automatic": automatic(subject, stages), "silent": silent, "extent": subject.extent}
    return Result(arrays, meta)


def _seen(subject: Subject) -> tuple[list[Call], dict[str, np.ndarray]]:
    pictures: dict[str, np.ndarray] = {}

    def see(call: Call, value: Tensor) -> None:
        if on_picture(subject, call) and not repetition():
            plane = call.layout.planes(value)[:1].abs().mean(1, keepdim=True)
            small = functional.interpolate(plane, (SIDE_PX, SIDE_PX), mode="nearest-exact")[0, 0]
            low, high = small.min(), small.max()
            pictures[call.id] = ((small - low) / (high - low).clamp(min=1e-12) * 255).byte().cpu().numpy()

    with torch.inference_mode(False), torch.no_grad(), traced(subject.net, size=subject.size, see=see) as trace:
        subject.scores(subject.input)
    return trace.calls, pictures


def _silent(subject: Subject, calls: list[Call]) -> tuple[str, ...]:
    called = {call.module for call in calls}
    holders = {name.rpartition(".")[0] for name, _ in subject.net.named_parameters()}
    return tuple(sorted(holders - called - {""}))


def _plain(subject: Subject, call: Call) -> dict[str, Any]:
    return {
        "id": call.id,
        "module": call.module,
        "kind": call.kind,
        "number": call.number,
        "of": call.of,
        "shape": call.shape,
        "layout": call.layout.name,
        "channels": call.layout.channels,
        "grid": call.layout.grid,
        "same": call.same,
        "depth": call.depth,
        "map": on_picture(subject, call),
    }


INSPECTION = Inspection(
    id="layers",
    title="Layers",
    help="Every call of the network for this picture: name, type, shape, layout, thumbnail.",
    needs=("Explains",),
    params=Params,
    answer=answer,
    lacks=hidden,
)
