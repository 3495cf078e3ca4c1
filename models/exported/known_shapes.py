"""The sizes of what an operation makes, from the sizes of what goes in: of those that networks mostly consist of.

PyTorch would tell them by running the operation on meta tensors, which takes longer than the operation itself in a
small network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import conv_flop_count

LIKE_FIRST = ("native_batch_norm", "_native_batch_norm_legit_no_training", "clone", "contiguous", "detach", "alias")
# Views of the numbers that go in, or of some of them.
VIEWS = (
    "view",
    "_unsafe_view",
    "permute",
    "transpose",
    "t",
    "slice",
    "select",
    "squeeze",
    "unsqueeze",
    "_reshape_alias",
)
CONVOLUTION = "convolution"


def of(func: Any, args: Sequence[Any]) -> tuple[int, float] | None:
    """Return how many numbers an operation makes and its FLOPs, None where that is not known here."""
    given = [one for one in args if isinstance(one, Tensor)]
    if not given or any(one.layout != torch.strided or one.is_quantized for one in given):
        return None
    name = func.name().partition("::")[2].partition(".")[0]
    if name in LIKE_FIRST or name in VIEWS:
        return given[0].numel(), 0.0
    if name == CONVOLUTION and len(args) == 9:
        return _convolved(*args)
    if torch.Tag.pointwise not in func.tags:
        return None
    try:
        return math.prod(torch.broadcast_shapes(*(one.shape for one in given))), 0.0
    except RuntimeError:
        return None


def _convolved(  # noqa: PLR0917 - as ATen passes them
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    more: Sequence[int],
    groups: int,
) -> tuple[int, float] | None:
    rank = weight.ndim - 2
    if x.ndim != weight.ndim or rank < 1:
        return None
    strides, paddings, dilations, mores = (
        list(one) * (rank if len(one) == 1 else 1) for one in (stride, padding, dilation, more)
    )
    sides = []
    for at in range(rank):
        side, reach = int(x.shape[2 + at]), dilations[at] * (int(weight.shape[2 + at]) - 1)
        if transposed:
            sides.append((side - 1) * strides[at] - 2 * paddings[at] + reach + 1 + mores[at])
        else:
            sides.append((side + 2 * paddings[at] - reach - 1) // strides[at] + 1)
    channels = int(weight.shape[1]) * groups if transposed else int(weight.shape[0])
    made = [int(x.shape[0]), channels, *sides]
    if min(made) < 0:
        return None
    return math.prod(made), float(conv_flop_count(list(x.shape), list(weight.shape), made, transposed=transposed))
