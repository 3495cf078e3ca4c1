"""Accumulated gradients of small batches against the gradient of one large batch, in evaluation and in training mode.

With a loss that is a mean over pictures, the weighted sum of the small batches' gradients is the large batch's, unless
something couples the pictures of a batch: batch normalisation in training mode does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.features import weight_gradients as grads
from models.features.weight_gradients import Gradients, Leaves
from models.runtime.failures import out_of_memory
from models.types import Cancelled, Refusal

SAME = 1e-4  # relative: sums in another order round differently
COUPLED = "BatchNorm"


@dataclass(frozen=True)
class Accumulated:
    """The gradients `whole` of one batch and `summed` of its parts, in one mode; `failed` says why there are none."""

    whole: Gradients
    summed: Gradients
    failed: str = ""

    @property
    def cosine(self) -> float:
        """The cosine of the angle between the two."""
        return grads.cosine(self.whole, self.summed)

    @property
    def difference(self) -> float:
        """How far they are apart, relative to the longer one."""
        return grads.difference(self.whole, self.summed)


def accumulate(
    leaves: Leaves,
    of_batch: Callable[[Tensor], Tensor],
    x: Tensor,
    part: int,
    *,
    training: bool,
    seed: int,
    progress: Callable[[float, str], None],
) -> Accumulated:
    """Return both gradients for inputs (N, 3, h, w), taken `part` at a time, in one mode."""
    title = f"gradients in {'training' if training else 'evaluation'} mode"
    parts = [x, *x.split(part)]
    found: list[Gradients] = []
    try:
        with grads.mode(leaves.net, training=training):
            for number, rows in enumerate(parts):
                progress(number / len(parts), title)
                with grads.steady(seed):
                    value = leaves.run(lambda rows=rows: of_batch(rows.clone()))
                    found.append(grads.of(value, leaves.weights))
    except Cancelled:
        raise
    except Exception as error:  # a network's training mode may fail in any way
        if out_of_memory(error):
            raise
        said = f"{error} {error.advice}" if isinstance(error, Refusal) else str(error)
        return Accumulated({}, {}, (said.strip().splitlines() or [type(error).__name__])[0])
    whole, *rest = found
    summed: Gradients = {}
    for rows, one in zip(parts[1:], rest, strict=True):
        weighted = {name: value * (len(rows) / len(x)) for name, value in one.items()}
        summed = grads.added(summed, weighted) if summed else weighted
    return Accumulated(whole, summed)


def coupled(net: Any) -> list[str]:
    """Return the paths of the modules that compute with the pictures of a batch together in training mode."""
    return [path for path, module in net.named_modules() if COUPLED in type(module).__name__]


def words(evaluation: Accumulated, training: Accumulated, coupling: list[str], *, batch: int, part: int) -> list[str]:
    """Return what was found, in sentences."""
    said = []
    for found, name in ((evaluation, "evaluation"), (training, "training")):
        if found.failed:
            said.append(f"In {name} mode a batch could not be run: {found.failed.rstrip('.')}.")
        elif found.difference <= SAME:
            said.append(
                f"In {name} mode {batch} pictures taken {part} at a time give the gradient of one batch: "
                f"they are {found.difference:.1e} apart."
            )
        else:
            said.append(
                f"In {name} mode they do not: the cosine is {found.cosine:.3f}, and they are {found.difference:.2g} "
                "of their length apart."
            )
    if not training.failed and training.difference > SAME:
        said.append(
            f"{len(coupling)} batch normalisation layers take mean and variance from each batch, so small batches "
            "are normalised by other numbers: accumulation is not a large batch here."
            if coupling
            else "Something in training mode couples the pictures of a batch, or draws random numbers (dropout)."
        )
    if not training.failed and not evaluation.failed:
        apart = grads.cosine(evaluation.whole, training.whole)
        ratio = grads.length(training.whole) / max(grads.length(evaluation.whole), 1e-30)
        said.append(
            f"Training and evaluation mode: cosine {apart:.3f}, and the gradient in training mode is {ratio:.3g} "
            "times as long."
        )
    return said


def batch_of(first: Tensor, others: list[Tensor], count: int) -> tuple[Tensor, int]:
    """Return a batch of `count` inputs, and how many of them are other pictures.

    The rest are mirrored and shifted copies of the first.
    """
    fitting = [x for x in others if x.shape == first.shape][: count - 1]
    rows = [first, *fitting]
    while len(rows) < count:
        number = len(rows)
        moved = torch.roll(first, (number, 2 * number), (-2, -1))
        rows.append(moved.flip(-1) if number % 2 else moved)
    return torch.cat(rows).contiguous(), len(fitting)
