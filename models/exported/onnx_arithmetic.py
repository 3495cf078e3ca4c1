"""ONNX operators on each number, and normalisations, that PyTorch has under no single name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from models.exported import onnx_functions as fn
from models.exported.onnx_node import TYPES, Build, UnsupportedError


def shifted(x: Tensor, by: Tensor, left: bool) -> Tensor:
    """Shift the bits of whole numbers (BitShift)."""
    limit = 255 if x.dtype == torch.uint8 else -1
    found = torch.bitwise_left_shift(x, by) if left else torch.bitwise_right_shift(x, by)
    return found & limit if limit > 0 else found


def like(x: Tensor, other: Tensor) -> Tensor:
    """Convert to another tensor's type (CastLike)."""
    return x.to(other.dtype)


def hardmax(x: Tensor, axis: int, flat: bool) -> Tensor:
    """Return 1 at the first largest value along an axis, 0 elsewhere (Hardmax)."""
    rows = fn.flatten(x, axis) if flat else x.movedim(axis, -1)
    found = F.one_hot(rows.argmax(-1), rows.shape[-1]).to(x)
    return found.reshape(x.shape) if flat else found.movedim(-1, axis)


def normed(x: Tensor, axis: int, power: int) -> Tensor:
    """Divide by the norm along an axis (LpNormalization)."""
    norm = torch.linalg.vector_norm(x, power, axis, keepdim=True)
    return torch.where(norm == 0, torch.zeros_like(x), x / norm)


def standardised(x: Tensor, axes: list[int]) -> Tensor:
    """Subtract the mean and divide by the spread over axes (MeanVarianceNormalization)."""
    away = x - x.mean(axes, keepdim=True)
    return away / (away.square().mean(axes, keepdim=True).sqrt() + 1e-9)


def root_mean_square(x: Tensor, scale: Tensor, axis: int, eps: float) -> Tensor:
    """Divide by the root of the mean square over the axes from one on (RMSNormalization)."""
    axes = list(range(axis % x.ndim, x.ndim))
    return x * (x.square().mean(axes, keepdim=True) + eps).rsqrt() * scale


def by_group(x: Tensor, groups: int, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """Normalise groups of channels, with a scale and shift for each group (GroupNormalization before opset 21)."""
    each = x.shape[1] // groups
    return F.group_norm(x, groups, scale.repeat_interleave(each), shift.repeat_interleave(each), eps)


def layer(x: Tensor, scale: Tensor, shift: Tensor | None, axis: int, eps: float) -> Tensor:
    """Normalise over the axes from one on, with a scale that is computed (LayerNormalization)."""
    found = F.layer_norm(x, x.shape[axis % x.ndim :], None, None, eps) * scale
    return found if shift is None else found + shift


def norm_everywhere(x: Tensor, power: int) -> Tensor:
    """Return the norm over all places of each channel (GlobalLpPool)."""
    return torch.linalg.vector_norm(x, power, tuple(range(2, x.ndim)), keepdim=True)


def mean_everywhere(x: Tensor) -> Tensor:
    """Return the mean over all places of each channel."""
    return x.mean(tuple(range(2, x.ndim)), keepdim=True)


def shrunk(x: Tensor, limit: float, bias: float) -> Tensor:
    """Move values beyond limits toward 0, and set those between to 0 (Shrink)."""
    return torch.where(x < -limit, x + bias, torch.where(x > limit, x - bias, torch.zeros_like(x)))


def rectified(x: Tensor, limit: float) -> Tensor:
    """Keep values above a limit (ThresholdedRelu)."""
    return torch.where(x > limit, x, torch.zeros_like(x))


def swish(x: Tensor, alpha: float) -> Tensor:
    """Return x times the sigmoid of alpha x (Swish)."""
    return x * (alpha * x).sigmoid()


def leaky(x: Tensor, slope: Tensor) -> Tensor:
    """Multiply values below 0 by slopes that broadcast (PRelu)."""
    return torch.where(x < 0, slope * x, x)


def infinite(x: Tensor, negative: bool, positive: bool) -> Tensor:
    """Return which values are infinite, of the signs that count (IsInf)."""
    return (torch.isposinf(x) & positive) | (torch.isneginf(x) & negative)


def cumulated(x: Tensor, axis: Any, exclusive: bool, reverse: bool) -> Tensor:
    """Return the running sum along an axis (CumSum)."""
    along = int(axis)
    x = x.flip(along) if reverse else x
    found = x.cumsum(along).to(x.dtype)
    found = found - x if exclusive else found
    return found.flip(along) if reverse else found


def eye(x: Tensor, kind: Any, offset: int) -> Tensor:
    """Return ones on a diagonal of a matrix of the input's size (EyeLike)."""
    ones = torch.ones(max(x.shape), dtype=kind or x.dtype, device=x.device)
    rows, columns = x.shape
    whole = torch.diag_embed(ones, offset)
    return F.pad(whole, (0, max(0, columns - whole.shape[1]), 0, max(0, rows - whole.shape[0])))[:rows, :columns]


def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, heads: tuple[int, int], scale: Any, causal: bool
) -> Tensor:
    """Return scaled dot-product attention of (N, H, L, D), or of (N, L, H * D) with numbers of heads (Attention)."""
    flat = q.ndim == 3
    if flat:
        q, k, v = (t.unflatten(-1, (n, -1)).transpose(1, 2) for t, n in ((q, heads[0]), (k, heads[1]), (v, heads[1])))
    if k.shape[1] != q.shape[1]:
        k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) for t in (k, v))
    scores = (q @ k.mT) * (scale if scale else 1 / math.sqrt(q.shape[-1]))
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    found = scores.softmax(-1) @ v
    return found.transpose(1, 2).flatten(2) if flat else found


def _attention(b: Build) -> Any:
    if any(b.at(place) is not None for place in (4, 5, 6)) or b.outputs > 1 or b.get("softcap", 0):
        raise UnsupportedError("Attention with a cache, a soft cap or several outputs")
    heads = b.get("q_num_heads", 1), b.get("kv_num_heads", 1)
    more = {"heads": heads, "scale": b.get("scale"), "causal": bool(b.get("is_causal", 0))}
    return b.call(attention, b.at(0), b.at(1), b.at(2), b.at(3), **more)


def _hardmax(b: Build) -> Any:
    return b.call(hardmax, b.at(0), b.get("axis", 1 if b.opset < 13 else -1), b.opset < 13)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{"Acos": torch.acos, "Acosh": torch.acosh, "Asin": torch.asin, "Asinh": torch.asinh, "Atanh": torch.atanh},
    **{"Cosh": torch.cosh, "Sinh": torch.sinh, "BitwiseAnd": torch.bitwise_and, "BitwiseOr": torch.bitwise_or},
    **{"BitwiseXor": torch.bitwise_xor, "BitwiseNot": torch.bitwise_not, "CastLike": like, "Det": torch.linalg.det},
}
BUILDERS: dict[str, Callable[[Build], Any]] = {
    "Attention": _attention,
    "BitShift": lambda b: b.call(shifted, *b.inputs, b.get("direction") == "LEFT"),
    "CumSum": lambda b: b.call(cumulated, *b.inputs, bool(b.get("exclusive", 0)), bool(b.get("reverse", 0))),
    "EyeLike": lambda b: b.call(eye, b.at(0), TYPES.get(b.get("dtype", 0)), b.get("k", 0)),
    "GlobalLpPool": lambda b: b.call(norm_everywhere, b.at(0), b.get("p", 2)),
    "Hardmax": _hardmax,
    "IsInf": lambda b: b.call(infinite, b.at(0), bool(b.get("detect_negative", 1)), bool(b.get("detect_positive", 1))),
    "LpNormalization": lambda b: b.call(normed, b.at(0), b.get("axis", -1), b.get("p", 2)),
    "MeanVarianceNormalization": lambda b: b.call(standardised, b.at(0), b.get("axes", [0, 2, 3])),
    "RMSNormalization": lambda b: b.call(root_mean_square, *b.inputs, b.get("axis", -1), b.get("epsilon", 1e-5)),
    "Shrink": lambda b: b.call(shrunk, b.at(0), b.get("lambd", 0.5), b.get("bias", 0.0)),
    "Swish": lambda b: b.call(swish, b.at(0), b.get("alpha", 1.0)),
    "ThresholdedRelu": lambda b: b.call(rectified, b.at(0), b.get("alpha", 1.0)),
}
