"""Run a batch in one call, or in halves if memory is not enough."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models.runtime import device
from models.runtime.failures import out_of_memory

Run = Callable[[Tensor], tuple[Tensor, ...]]


def in_parts(run: Run, inputs: Tensor) -> tuple[Tensor, ...]:
    """Run `run` on inputs (N, ...) and return its tensors of N rows; if memory runs out, split the inputs in halves.

    Raises what `run` raises, including an out-of-memory error for a single input.
    """
    try:
        return run(inputs)
    except (RuntimeError, MemoryError) as error:
        if len(inputs) == 1 or not out_of_memory(error):
            raise
    # Retry outside the handler: inside it, the traceback's frames still hold the tensors that did not fit.
    device.release()
    halves = [in_parts(run, part) for part in inputs.tensor_split(2)]
    return tuple(torch.cat(column) for column in zip(*halves, strict=True))
