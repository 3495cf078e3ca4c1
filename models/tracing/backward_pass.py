"""Gradients of a network, and clear refusals if no gradient arrives."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from models.runtime.failures import MOST_CHARACTERS, out_of_memory
from models.types import Cancelled, Refusal

PICTURE = "the picture"
CUTS = "detach, no_grad, numpy, or whole numbers as in a quantised network"
INSTEAD = "Methods that only need scores, such as occlusion, still work."


@contextmanager
def arriving(where: str = PICTURE) -> Iterator[None]:
    """Report a RuntimeError raised inside as "no gradient arrives at `where`".

    The network has already run without gradients, so the error must come from tracking them.
    """
    try:
        yield
    except (Refusal, Cancelled):
        raise
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        raise no_gradient(where, error) from error


def back(value: Tensor, to: Tensor, *, where: str = PICTURE, retain_graph: bool = False) -> Tensor:
    """Return the gradient of a scalar with respect to a tensor. Raises Refusal if no gradient arrives there."""
    if not value.requires_grad:
        raise no_gradient(where)
    with arriving(where):
        (gradient,) = torch.autograd.grad(value, to, retain_graph=retain_graph, allow_unused=True)
    if gradient is None:
        raise no_gradient(where)
    return gradient


def no_gradient(where: str, error: Exception | None = None) -> Refusal:
    """Return the refusal of a gradient that does not arrive somewhere, with the reason that an error tells."""
    said = str(error or "").strip()
    why = f"the network cuts it off ({CUTS})"
    if "numpy()" in said:
        why = "the network goes through numpy, which cuts it off"
    elif "inplace operation" in said:
        why = "the network writes over values that it is made of"
    elif said and "nference" not in said and "does not require grad" not in said and "not have been used" not in said:
        why = said.splitlines()[0].rstrip(".")[:MOST_CHARACTERS]
    details = "".join(traceback.format_exception(error)) if error else ""
    return Refusal(f"No gradient arrives at {where}: {why}.", advice=INSTEAD, details=details)
