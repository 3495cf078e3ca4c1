"""ONNX convolutions and poolings, of one to three dimensions, with every form of padding."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from models.exported import onnx_functions as fn
from models.exported.onnx_node import Build, UnsupportedError, layer, weighted

CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)
TURNED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
LARGEST = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
UNPOOLED = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)


def conv(b: Build) -> Any:
    """Return a convolution: a module where its weights are constant, else a function."""
    weight, bias = b.at(1), b.at(2)
    held = isinstance(weight, Tensor) and (bias is None or isinstance(bias, Tensor))
    rank = weight.ndim - 2 if isinstance(weight, Tensor) else len(b.get("kernel_shape") or b.get("strides") or [1, 1])
    if rank not in (1, 2, 3):
        raise UnsupportedError(f"{b.kind} of {rank} dimensions")
    if b.kind == "ConvTranspose":
        return _transposed(b, rank, held=held)
    kernel = list(weight.shape[2:]) if isinstance(weight, Tensor) else b.get("kernel_shape")
    if kernel is None:
        raise UnsupportedError(f"{b.kind} with a kernel of unknown size")
    x, pad = _window(b, rank, b.inputs[0], kernel, 0.0)
    stride, dilation = (tuple(b.get(name, [1] * rank)) for name in ("strides", "dilations"))
    groups = b.get("group", 1)
    if not held:
        return b.call(CONVOLUTIONS[rank - 1], x, weight, bias, stride, tuple(pad), dilation, groups)
    assert isinstance(weight, Tensor)
    kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    more: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups, "bias": bias is not None}
    made = layer(kind, weight.shape[1] * groups, weight.shape[0], tuple(kernel), padding=tuple(pad), **more)
    return b.module(weighted(made, weight, bias), x)


def _transposed(b: Build, rank: int, *, held: bool) -> Any:
    weight, bias, groups = b.at(1), b.at(2), b.get("group", 1)
    stride, dilation = b.get("strides", [1] * rank), b.get("dilations", [1] * rank)
    more, pads = b.get("output_padding", [0] * rank), b.get("pads", [0] * 2 * rank)
    auto, shape = b.get("auto_pad", "NOTSET"), b.get("output_shape")
    plain = auto == "NOTSET" and not shape and pads[:rank] == pads[rank:]
    fits = all(p < max(s, d) for p, s, d in zip(more, stride, dilation, strict=True))
    if held and plain and fits:
        assert isinstance(weight, Tensor)
        kind: Any = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 1]
        settings: dict[str, Any] = {"stride": tuple(stride), "dilation": tuple(dilation), "padding": tuple(pads[:rank])}
        settings |= {"output_padding": tuple(more), "groups": groups, "bias": bias is not None}
        made = layer(kind, weight.shape[0], weight.shape[1] * groups, tuple(weight.shape[2:]), **settings)
        return b.module(weighted(made, weight, bias), b.inputs[0])
    settings = {"stride": stride, "dilation": dilation, "groups": groups, "more": more, "pads": pads}
    return b.call(transposed, b.inputs[0], weight, bias, **settings, auto=auto, shape=shape)


def transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Any,
    dilation: Any,
    groups: int,
    more: Any,
    pads: Any,
    auto: str,
    shape: Any,
) -> Tensor:
    """Return a transposed convolution (ConvTranspose), padded unequally, automatically, or to a given shape."""
    rank = x.ndim - 2
    found = TURNED[rank - 1](x, weight, None, stride=tuple(stride), groups=groups, dilation=tuple(dilation))
    first, last = list(pads[:rank]), list(pads[rank:])
    if shape or auto.startswith("SAME"):
        wanted = list(shape[-rank:]) if shape else [n * s for n, s in zip(x.shape[2:], stride, strict=True)]
        total = [n + p - w for n, p, w in zip(found.shape[2:], more, wanted, strict=True)]
        first = [t // 2 if auto == "SAME_UPPER" else t - t // 2 for t in total]
        last = [t - f for t, f in zip(total, first, strict=True)]
    ends = list(zip(first, last, more, strict=True))
    found = F.pad(found, [v for begin, end, add in reversed(ends) for v in (-begin, add - end)])
    return found if bias is None else found + bias.reshape(-1, *[1] * rank)


def pool(b: Build) -> Any:
    """Return a pooling by the largest, or by the mean."""
    kernel = b.get("kernel_shape")
    rank, largest = len(kernel), b.kind == "MaxPool"
    if rank not in (1, 2, 3):
        raise UnsupportedError(f"{b.kind} of {rank} dimensions")
    stride, dilation = tuple(b.get("strides", [1] * rank)), tuple(b.get("dilations", [1] * rank))
    ceil, include = bool(b.get("ceil_mode", 0)), bool(b.get("count_include_pad", 0))
    before = b.inputs[0]
    if largest:
        x, pad = _window(b, rank, before, kernel, float("-inf"))
        if b.outputs > 1:
            if x is not before or b.get("storage_order", 0):
                raise UnsupportedError("MaxPool with indices and padding of unequal sides, or in columns")
            settings = {"kernel": tuple(kernel), "stride": stride, "pad": tuple(pad), "dilation": dilation}
            return b.call(indexed, x, **settings, ceil=ceil)
        if any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
            x, pad = b.call(F.pad, x, [p for p in reversed(pad) for _ in (0, 1)], value=float("-inf")), [0] * rank
        kind: Any = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[rank - 1]
        return b.module(kind(tuple(kernel), stride, tuple(pad), dilation, ceil_mode=ceil), x)
    pads, auto = b.get("pads", [0] * 2 * rank), b.get("auto_pad", "NOTSET")
    plain = auto in ("NOTSET", "VALID") and pads[:rank] == pads[rank:] and set(dilation) == {1} and not ceil
    if plain and all(2 * p <= k for p, k in zip(pads[:rank], kernel, strict=True)):
        kind = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[rank - 1]
        made = kind(tuple(kernel), stride, tuple(pads[:rank] if auto == "NOTSET" else [0] * rank), False, include)
        return b.module(made, before)
    settings = {"kernel": kernel, "stride": stride, "dilation": dilation, "pads": pads, "auto": auto}
    return b.call(averaged, before, **settings, ceil=ceil, include=include)


def averaged(
    x: Tensor,
    *,
    kernel: Any,
    stride: Any,
    dilation: Any,
    pads: Any,
    auto: str,
    ceil: bool,
    include: bool,
    power: int = 0,
) -> Tensor:
    """Return the mean over windows (AveragePool) with unequal or automatic padding, or dilation, or sizes rounded up.

    With a `power` it is the norm of that order instead of the mean (LpPool).
    """
    rank = x.ndim - 2
    first, last, more = list(pads[:rank]), list(pads[rank:]), []
    for at, (size, k, s, d) in enumerate(zip(x.shape[2:], kernel, stride, dilation, strict=True)):
        wide = (k - 1) * d + 1
        if auto.startswith("SAME"):
            total = max(0, (-(-size // s) - 1) * s + wide - size)
            first[at] = total - total // 2 if auto == "SAME_LOWER" else total // 2
            last[at] = total - first[at]
        elif auto == "VALID":
            first[at] = last[at] = 0
        whole = size + first[at] + last[at] - wide
        steps = -(-whole // s) if ceil else whole // s
        if ceil and steps * s >= size + first[at]:  # a window that would begin in the padding at the end
            steps -= 1
        more.append(max(0, steps * s - whole))
    sides = [v for f, e in zip(reversed(first), reversed(last), strict=True) for v in (f, e)]
    beyond = [v for m in reversed(more) for v in (0, m)]
    flat = x.reshape(-1, 1, *x.shape[2:])
    ones = x.new_ones(1, 1, *kernel)
    values = F.pad(F.pad(flat.abs() ** power if power else flat, sides), beyond)
    total = CONVOLUTIONS[rank - 1](values, ones, stride=tuple(stride), dilation=tuple(dilation))
    if power:
        total = total ** (1 / power)
    else:
        counted = F.pad(F.pad(torch.ones_like(flat[:1]), sides, value=1.0 if include else 0.0), beyond)
        total = total / CONVOLUTIONS[rank - 1](counted, ones, stride=tuple(stride), dilation=tuple(dilation))
    return total.reshape(*x.shape[:2], *total.shape[2:])


def powered(b: Build) -> Any:
    """Return a pooling by a norm (LpPool)."""
    rank = len(b.get("kernel_shape"))
    stride, dilation = tuple(b.get("strides", [1] * rank)), tuple(b.get("dilations", [1] * rank))
    more = {"pads": b.get("pads", [0] * 2 * rank), "auto": b.get("auto_pad", "NOTSET"), "power": b.get("p", 2)}
    more |= {"kernel": b.get("kernel_shape"), "stride": stride, "dilation": dilation}
    return b.call(averaged, b.inputs[0], **more, ceil=bool(b.get("ceil_mode", 0)), include=False)


def indexed(x: Tensor, *, kernel: Any, stride: Any, pad: Any, dilation: Any, ceil: bool) -> tuple[Tensor, Tensor]:
    """Return the largest of each window and its index in the whole tensor (MaxPool with two outputs)."""
    pooled: Any = LARGEST[x.ndim - 3]
    values, at = pooled(x, kernel, stride, pad, dilation, ceil_mode=ceil, return_indices=True)
    plane = math.prod(x.shape[2:])
    planes = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
    return values, at + planes * plane


def unpool(b: Build) -> Any:
    """Return values put back to where a pooling took them from (MaxUnpool)."""
    rank = len(b.get("kernel_shape"))
    settings = {"kernel": b.get("kernel_shape"), "stride": b.get("strides", [1] * rank)}
    return b.call(unpooled, b.at(0), b.at(1), b.at(2), **settings, pads=b.get("pads", [0] * 2 * rank))


def unpooled(x: Tensor, at: Tensor, wanted: Any = None, *, kernel: Any, stride: Any, pads: Any) -> Tensor:
    """Return a tensor of zeros with values at their indices in the whole tensor (MaxUnpool)."""
    rank = x.ndim - 2
    plain = [
        (n - 1) * s - pads[axis] - pads[axis + rank] + k
        for axis, (n, s, k) in enumerate(zip(x.shape[2:], stride, kernel, strict=True))
    ]
    # Indices belong to the shape without `wanted`, and are laid out anew in that.
    sides = fn.ints(wanted)[2:] if wanted is not None else plain
    flat = x.new_zeros(x.shape[0] * x.shape[1] * math.prod(sides))
    return flat.scatter(0, at.flatten(), x.flatten()).reshape(*x.shape[:2], *sides)


def _window(b: Build, rank: int, x: Any, kernel: list[int], fill: float) -> tuple[Any, list[int]]:
    """Return the input, padded here if the module cannot do it (auto_pad, asymmetric), and the padding left to the
    module.
    """
    stride, dilation = b.get("strides", [1] * rank), b.get("dilations", [1] * rank)
    auto, pads = b.get("auto_pad", "NOTSET"), b.get("pads", [0] * 2 * rank)
    if auto.startswith("SAME"):
        windows = list(zip(kernel, stride, dilation, strict=True))
        return b.call(fn.same, x, windows, auto == "SAME_LOWER", fill), [0] * rank
    if auto == "VALID":
        return x, [0] * rank
    first, last = pads[:rank], pads[rank:]
    if first == last:
        return x, list(first)
    sides = [v for pair in zip(reversed(first), reversed(last), strict=True) for v in pair]
    return b.call(F.pad, x, sides, value=fill), [0] * rank
