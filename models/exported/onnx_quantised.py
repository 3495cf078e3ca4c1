"""ONNX's quantised operators, in floating point: whole numbers are exact, and gradients pass through rounding.

QDQ graphs (QuantizeLinear, DequantizeLinear), QOperator graphs (QLinearConv, QLinearMatMul and, of onnxruntime's own
domain, QLinearAdd and its kind) and dynamic ones (DynamicQuantizeLinear, ConvInteger, MatMulInteger). Results are
within one quantisation step of onnxruntime's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from models.exported import onnx_convolutions
from models.exported.onnx_node import TYPES, Build, UnsupportedError, weighted

RANGES = {
    torch.uint8: (0, 255),
    torch.int8: (-128, 127),
    torch.int16: (-32768, 32767),
    torch.int32: (0, 65535),  # uint16 is held in int32
}
MICROSOFT = "com.microsoft"


def quantised(x: Tensor, scale: Tensor, zero: Tensor | None, limits: tuple[int, int], axis: int = 1) -> Tensor:
    """Return the whole numbers that stand for values, as floating-point numbers."""
    scale, zero = _along(scale, x, axis), _along(zero, x, axis) if zero is not None else None
    exact = x / scale + (0 if zero is None else zero.to(x))
    limited = exact.clamp(*limits)
    # Halves go to the even number before the zero point is added.
    rounded = ((x / scale).round() + (0 if zero is None else zero.to(x))).clamp(*limits)
    return limited + (rounded - limited).detach() if x.requires_grad else rounded


def dequantised(x: Tensor, scale: Tensor, zero: Tensor | None = None, axis: int = 1) -> Tensor:
    """Return the values that whole numbers stand for."""
    values = x.to(scale.dtype if scale.is_floating_point() else torch.float32)
    if zero is not None:
        values = values - _along(zero, x, axis).to(values)
    return values * _along(scale, x, axis)


def _along(value: Tensor, x: Tensor, axis: int) -> Tensor:
    """Return a scale or zero point (C,) so that it goes with an axis of a tensor; one for the whole tensor as it is."""
    if value.ndim != 1 or value.numel() == 1:
        return value.reshape(()) if value.numel() == 1 else value
    shape = [1] * x.ndim
    shape[axis % x.ndim] = -1
    return value.reshape(shape)


def _limits(b: Build, zero: Any) -> tuple[int, int]:
    kind = zero.dtype if isinstance(zero, Tensor) else TYPES.get(b.get("output_dtype", 2), torch.uint8)
    if kind not in RANGES:
        raise UnsupportedError(f"{b.kind} to {kind}")
    return RANGES[kind]


def _quantize(b: Build) -> Any:
    if b.get("block_size", 0):
        raise UnsupportedError(f"{b.kind} in blocks")
    return b.call(quantised, b.at(0), b.at(1), b.at(2), _limits(b, b.at(2)), b.get("axis", 1))


def _dequantize(b: Build) -> Any:
    if b.get("block_size", 0):
        raise UnsupportedError(f"{b.kind} in blocks")
    return b.call(dequantised, b.at(0), b.at(1), b.at(2), b.get("axis", 1))


def _dynamic(b: Build) -> Any:
    return b.call(dynamic, b.at(0))


def dynamic(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return whole numbers from 0 to 255 for values, with the scale and zero point chosen by their range."""
    low, high = x.amin().clamp_max(0), x.amax().clamp_min(0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale).detach()
    zero = (-low / scale).round().clamp(0, 255).detach()
    return quantised(x, scale, zero, (0, 255)), scale, zero


def _requantised(b: Build, value: Any, scale: Any, zero: Any) -> Any:
    return b.call(quantised, value, scale, zero, _limits(b, zero))


def _conv(b: Build) -> Any:
    """QLinearConv: x, its scale and zero point, weights, theirs, the result's, bias in steps of both scales."""
    weight, bias = _weights(b, 3, axis=0), b.at(8)
    if bias is not None:
        scale = b.held(1) * b.held(4)
        bias = b.held(8) * scale.reshape(-1)
    x = b.call(dequantised, b.at(0), b.at(1), b.at(2))
    made = onnx_convolutions.conv(_as(b, "Conv", [x, weight, bias]))
    return _requantised(b, made, b.at(6), b.at(7))


def _conv_integer(b: Build) -> Any:
    x = _without(b, b.at(0), b.at(2), axis=1)
    return onnx_convolutions.conv(_as(b, "Conv", [x, _without(b, b.at(1), b.at(3), axis=0), None]))


def _without(b: Build, value: Any, zero: Any, *, axis: int) -> Any:
    """Return whole numbers less their zero point, in floating point."""
    return b.call(dequantised, value, torch.ones(()), zero, axis)


def _weights(b: Build, first: int, *, axis: int) -> Any:
    return b.call(dequantised, b.at(first), b.at(first + 1), b.at(first + 2), axis)


def _matmul(b: Build) -> Any:
    left, right = _weights(b, 0, axis=-2), _weights(b, 3, axis=-1)
    return _requantised(b, _product(b, left, right), b.at(6), b.at(7))


def _matmul_integer(b: Build) -> Any:
    return _product(b, _without(b, b.at(0), b.at(2), axis=-2), _without(b, b.at(1), b.at(3), axis=-1))


def _product(b: Build, left: Any, right: Any) -> Any:
    """Return a matrix product: a linear layer where the right side is constant, so that it shows among the layers."""
    if isinstance(right, Tensor) and right.ndim == 2 and not isinstance(left, Tensor):
        return b.module(weighted(nn.Linear(right.shape[0], right.shape[1], bias=False), right.T, None), left)
    return b.call(torch.matmul, left, right)


def _dynamic_matmul(b: Build) -> Any:
    """DynamicQuantizeMatMul: values, quantised weights, their scale and zero point, bias."""
    made = b.call(dynamic_product, b.at(0), b.at(1), b.at(2), b.at(3))
    return made if b.at(4) is None else b.call(torch.add, made, b.at(4))


def dynamic_product(x: Tensor, weight: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """Return the product of values, quantised by their own range, with quantised weights."""
    whole, own, middle = dynamic(x)
    return dequantised(whole, own, middle) @ dequantised(weight, scale, zero, -1)


def _product_to_float(b: Build) -> Any:
    """MatMulIntegerToFloat: two quantised matrices, their scales, their zero points, bias."""
    left = b.call(dequantised, b.at(0), b.at(2), b.at(4), -2)
    made = _product(b, left, b.call(dequantised, b.at(1), b.at(3), b.at(5), -1))
    return made if b.at(6) is None else b.call(torch.add, made, b.at(6))


def _gemm(b: Build) -> Any:
    """QGemm: a, its scale and zero point, b, its, bias in steps of both scales, the result's."""
    if b.get("transA", 0):
        raise UnsupportedError("QGemm with its first matrix transposed")
    left, right = _weights(b, 0, axis=-2), _weights(b, 3, axis=0 if b.get("transB", 0) else 1)
    right = b.call(torch.t, right) if b.get("transB", 0) else right
    made = _product(b, left, right)
    made = made if b.get("alpha", 1.0) == 1 else b.call(torch.mul, made, b.get("alpha", 1.0))
    if b.at(6) is not None:
        made = b.call(torch.add, made, b.held(6) * (b.held(1) * b.held(4)).reshape(-1) * b.get("alpha", 1.0))
    return made if b.at(7) is None else _requantised(b, made, b.at(7), b.at(8))


def _two(b: Build, function: Any) -> Any:
    """QLinearAdd and QLinearMul: two quantised tensors, the result's scale and zero point."""
    return _requantised(b, b.call(function, _weights(b, 0, axis=1), _weights(b, 3, axis=1)), b.at(6), b.at(7))


def _one(b: Build, function: Callable[[Build, Any], Any]) -> Any:
    """QLinearSigmoid and its kind: a quantised tensor, the result's scale and zero point."""
    return _requantised(b, function(b, _weights(b, 0, axis=1)), b.at(3), b.at(4))


def _concat(b: Build) -> Any:
    """QLinearConcat: the result's scale and zero point, then tensors with theirs."""
    parts = [_weights(b, at, axis=1) for at in range(2, len(b.inputs), 3)]
    return _requantised(b, b.call(_joined, *parts, axis=b.get("axis", 0)), b.at(0), b.at(1))


def _joined(*parts: Tensor, axis: int) -> Tensor:
    return torch.cat(parts, axis)


def _global_average(b: Build, x: Any) -> Any:
    if b.get("channels_last", 0):
        raise UnsupportedError(f"{b.kind} with channels last")
    return b.call(torch.mean, x, (2, 3), True)


def _average(b: Build, x: Any) -> Any:
    if b.get("channels_last", 0):
        raise UnsupportedError(f"{b.kind} with channels last")
    return onnx_convolutions.pool(_as(b, "AveragePool", [x]))


def _as(b: Build, kind: str, inputs: list[Any]) -> Build:
    """Return the node of another operator with the same attributes."""
    return Build(kind, inputs, b.attributes, 1, b.opset, b.rank, b.module, b.call)


BUILDERS: dict[str, Callable[[Build], Any]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _dynamic,
    "QLinearConv": _conv,
    "ConvInteger": _conv_integer,
    "QLinearMatMul": _matmul,
    "MatMulInteger": _matmul_integer,
}
# Of onnxruntime's own domain, which its quantiser writes.
RUNTIME: dict[str, Callable[[Build], Any]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "QLinearAdd": partial(_two, function=torch.add),
    "QLinearMul": partial(_two, function=torch.mul),
    "QLinearConcat": _concat,
    "QLinearSigmoid": partial(_one, function=lambda b, x: b.module(nn.Sigmoid(), x)),
    "QLinearLeakyRelu": partial(_one, function=lambda b, x: b.module(nn.LeakyReLU(b.get("alpha", 0.01)), x)),
    "QLinearSoftmax": partial(_one, function=lambda b, x: b.module(nn.Softmax(b.get("axis", -1)), x)),
    "QLinearGlobalAveragePool": partial(_one, function=_global_average),
    "QLinearAveragePool": partial(_one, function=_average),
    "QGemm": _gemm,
    "DynamicQuantizeMatMul": _dynamic_matmul,
    "MatMulIntegerToFloat": _product_to_float,
}
