"""The receptive field of one unit for this picture: the input pixels it depends on, from its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.subject import Rect, Subject
from models.tracing.backward_pass import arriving, back
from models.tracing.traced_calls import Call, gradients, recorded
from models.types import Float, Refusal

EFFECTIVE = 0.95


class _Enough(Exception):  # noqa: N818 - it carries no error: it ends a pass once the layer has been reached
    pass


@dataclass(frozen=True)
class Reached:
    """A forward pass from the input to a layer, with its graph; `nbytes` counts the tensors the graph keeps."""

    input: Tensor
    planes: Tensor
    nbytes: int


def reach(subject: Subject, call: Call, stages: Any) -> Reached:
    """Run the network up to a call with a spatial output, and stop there."""

    def make() -> Reached:
        kept_bytes: dict[int, int] = {}

        def count(value: Tensor) -> Tensor:
            # Several saved tensors may share a storage, which then counts once.
            kept_bytes[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
            return value

        with gradients(), torch.autograd.graph.saved_tensors_hooks(count, lambda value: value):
            x = subject.input.detach().clone().requires_grad_()
            with arriving(), recorded(subject.net, [call.id]) as kept, _until(kept, call.id):
                subject.scores(x)
            return Reached(x, call.layout.planes(kept[call.id])[0], x.nbytes + sum(kept_bytes.values()))

    return stages.run("to the layer", make, subject.key, call.id)


def field(reached: Reached, channel: int, row: int, column: int) -> Float:
    """Return the absolute gradient (h, w) of one unit, summed over colours; channel -1 means all channels.

    Raises Refusal if no gradient arrives.
    """
    with gradients():
        units = reached.planes[:, row, column]
        if not units.requires_grad:
            text = "No gradient arrives at the picture from this layer, so a unit's receptive field is unknown."
            raise Refusal(
                text, advice="The code detaches it: it uses no_grad, detach or numpy. Correct it, then press F5."
            )
        # Distinct weights keep the channels' gradients from cancelling when all of them are summed.
        value = units[channel] if channel >= 0 else (units * torch.linspace(1, 2, len(units)).to(units)).sum()
        gradient = back(value, reached.input, retain_graph=True)
    return gradient.abs().sum(1)[0].float().cpu().numpy()


def box(values: Float) -> tuple[int, int, int, int] | None:
    """Return the bounding box x0 y0 x1 y1, in cells, of all nonzero values, or None."""
    rows, columns = np.flatnonzero(values.any(1)), np.flatnonzero(values.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def effective(values: Float, *, share: float = EFFECTIVE) -> tuple[int, int, int, int] | None:
    """Return x0 y0 x1 y1, in cells, of a box inside `box` that holds at least a share of the sum.

    Each of the four sides is cut by as much as holds at most a quarter of the rest.
    """
    total = float(values.sum(dtype=np.float64))
    if not total:
        return None
    cut = (1 - share) / 4 * total
    spans = []
    for axis in (0, 1):
        sums = values.sum(axis, dtype=np.float64)
        first = int(np.searchsorted(np.cumsum(sums), cut, side="right"))
        last = len(sums) - int(np.searchsorted(np.cumsum(sums[::-1]), cut, side="right"))
        spans.append((first, last))
    (x0, x1), (y0, y1) = spans
    return x0, y0, x1, y1


def on_picture(cells: tuple[int, int, int, int], size: tuple[int, int], extent: Rect) -> Rect:
    """Convert a box from cells of the input, of `size` (h, w), to pixels of the picture."""
    left, top, right, bottom = extent
    scale_x, scale_y = (right - left) / size[1], (bottom - top) / size[0]
    x0, y0, x1, y1 = cells
    return left + x0 * scale_x, top + y0 * scale_y, left + x1 * scale_x, top + y1 * scale_y


@contextmanager
def _until(kept: dict[str, Tensor], name: str) -> Iterator[None]:
    """Stop the forward pass inside as soon as a value has been recorded."""

    def after(module: nn.Module, inputs: Any, output: Any) -> None:
        if name in kept:
            raise _Enough

    hook = nn.modules.module.register_module_forward_hook(after)
    try:
        yield
    except _Enough:
        pass
    finally:
        hook.remove()
