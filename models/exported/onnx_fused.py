"""Operators of onnxruntime's own domain that its optimiser puts in place of several of the standard's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from models.exported import onnx_convolutions, onnx_quantised
from models.exported.onnx_node import Build, UnsupportedError

ACTIVATIONS = {"Relu": nn.ReLU, "Sigmoid": nn.Sigmoid, "Tanh": nn.Tanh}


def _conv(b: Build) -> Any:
    """FusedConv: a convolution, to which a fourth input is added, and an activation."""
    plain = Build("Conv", b.inputs[:3], b.attributes, 1, b.opset, b.rank, b.module, b.call)
    made = onnx_convolutions.conv(plain)
    made = made if b.at(3) is None else b.call(torch.add, made, b.at(3))
    kind, given = b.get("activation", ""), b.get("activation_params", [])
    if kind in ("Relu", "Sigmoid", "Tanh"):
        return b.call({"Relu": F.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh}[kind], made)
    if kind == "LeakyRelu":
        return b.call(F.leaky_relu, made, *given[:1])
    if kind == "Clip":
        return b.call(torch.clamp, made, *given[:2])
    if kind:
        raise UnsupportedError(f"FusedConv with the activation {kind}")
    return made


def _matmul(b: Build) -> Any:
    if b.get("transBatchA", 0) or b.get("transBatchB", 0):
        raise UnsupportedError("FusedMatMul with batches transposed")
    turned = bool(b.get("transA", 0)), bool(b.get("transB", 0))
    return b.call(_product, b.at(0), b.at(1), turned, b.get("alpha", 1.0))


def _product(a: Tensor, b: Tensor, turned: tuple[bool, bool], alpha: float) -> Tensor:
    return alpha * ((a.mT if turned[0] else a) @ (b.mT if turned[1] else b))


def _gelu(b: Build) -> Any:
    """Gelu, BiasGelu and FastGelu: the last by the hyperbolic tangent; a second input is added first."""
    x = b.at(0) if b.at(1) is None else b.call(torch.add, b.at(0), b.at(1))
    return b.call(F.gelu, x, approximate="tanh" if b.kind == "FastGelu" else "none")


def _quick_gelu(x: Tensor, alpha: float) -> Tensor:
    return x * (alpha * x).sigmoid()


def _skipped(b: Build) -> Any:
    """SkipLayerNormalization: the sum of two tensors and a bias, normalised over the last dimension."""
    if b.outputs > 1:
        raise UnsupportedError(f"{b.kind} with several outputs")
    x = b.call(torch.add, b.at(0), b.at(1))
    x = x if b.at(4) is None else b.call(torch.add, x, b.at(4))
    return b.call(normalised, x, b.at(2), b.at(3), b.get("epsilon", 1e-12))


def normalised(x: Tensor, scale: Tensor, shift: Tensor | None, eps: float) -> Tensor:
    """Return layer normalisation over the last dimension."""
    return F.layer_norm(x, x.shape[-1:], scale, shift, eps)


BUILDERS: dict[str, Callable[[Build], Any]] = {
    **onnx_quantised.RUNTIME,
    **dict.fromkeys(("Gelu", "BiasGelu", "FastGelu"), _gelu),
    "FusedConv": _conv,
    "FusedMatMul": _matmul,
    "QuickGelu": lambda b: b.call(_quick_gelu, b.at(0), b.get("alpha", 1.702)),
    "SkipLayerNormalization": _skipped,
}
