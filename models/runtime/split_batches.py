"""Running many inputs at once, in halves where memory is not enough for all of them. It knows no network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models.runtime import device
from models.runtime.failures import out_of_memory

Run = Callable[[Tensor], tuple[Tensor, ...]]


def in_parts(run: Run, inputs: Tensor) -> tuple[Tensor, ...]:
    """Return what `run` makes of inputs (N, ...), tensors with N rows each; half as many at once where memory is full.

    Raises what `run` raises, also for want of memory where a single input is too much.
    """
    try:
        return run(inputs)
    except (RuntimeError, MemoryError) as error:
        if len(inputs) == 1 or not out_of_memory(error):
            raise
    # Here the frames that hold what did not fit are gone.
    device.release()
    halves = [in_parts(run, part) for part in inputs.tensor_split(2)]
    return tuple(torch.cat(column) for column in zip(*halves, strict=True))
