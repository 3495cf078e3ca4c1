"""Convert one ONNX node at a time to a PyTorch module or a function of `onnx_functions`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, fx, nn

from models.exported import (
    onnx_arithmetic,
    onnx_convolutions,
    onnx_detection,
    onnx_fused,
    onnx_indexing,
    onnx_quantised,
    onnx_random,
    onnx_recurrent,
    onnx_sequences,
    onnx_spectral,
)
from models.exported import onnx_functions as fn
from models.exported.onnx_node import TYPES, Build, UnsupportedError, layer, weighted
from models.exported.onnx_resize import resize
from models.exported.operation_budget import after_first_run

DOMAINS = ("", "ai.onnx")


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation of tensors whose number of dimensions is not known beforehand."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - PyTorch's name
        pass


def build(b: Build) -> Any:
    """Return the value of a node. Raises UnsupportedError."""
    if b.domain == onnx_quantised.MICROSOFT and b.kind in onnx_fused.BUILDERS:
        return onnx_fused.BUILDERS[b.kind](b)
    if b.kind in FUNCTIONS:
        return b.call(FUNCTIONS[b.kind], *b.inputs)
    if b.kind in MODULES:
        return b.module(MODULES[b.kind](b), b.inputs[0])
    if b.kind in SPECIAL:
        return SPECIAL[b.kind](b)
    if b.kind.startswith("Reduce"):
        more = {"kind": b.kind, "keep": bool(b.get("keepdims", 1)), "none": bool(b.get("noop_with_empty_axes", 0))}
        return b.call(fn.reduced, b.inputs[0], b.sides(1, "axes"), **more)
    raise UnsupportedError(b.kind)


def known(kind: str, domain: str = "") -> bool:
    """Return whether an operator is supported."""
    if domain == onnx_quantised.MICROSOFT:
        return kind in onnx_fused.BUILDERS
    return domain in DOMAINS and (kind in FUNCTIONS or kind in MODULES or kind in SPECIAL or kind in REDUCED)


def _batch_norm(b: Build) -> nn.Module:
    scale, shift, mean, variance = (b.held(number) for number in (1, 2, 3, 4))
    if b.get("training_mode", 0):
        raise UnsupportedError("BatchNormalization in training")
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}.get(b.rank, BatchNorm2d)
    with after_first_run():
        made = kind(len(scale), eps=b.get("epsilon", 1e-5), momentum=1 - b.get("momentum", 0.9))
        assert made.running_mean is not None and made.running_var is not None
        made.running_mean.copy_(mean)
        made.running_var.copy_(variance)
        return weighted(made, scale, shift)


def _layer_norm(b: Build) -> Any:
    if b.outputs > 1:
        raise UnsupportedError("LayerNormalization with several outputs")
    axis, eps = b.get("axis", -1), b.get("epsilon", 1e-5)
    fits = b.rank and isinstance(b.at(1), Tensor) and b.held(1).ndim == b.rank - axis % b.rank
    if not (fits or (axis == -1 and isinstance(b.at(1), Tensor) and b.held(1).ndim == 1)):
        return b.call(onnx_arithmetic.layer, b.at(0), b.at(1), b.at(2), axis, eps)
    scale = b.held(1)
    made = nn.LayerNorm(list(scale.shape), eps=b.get("epsilon", 1e-5), bias=b.at(2) is not None)
    return b.module(weighted(made, scale, b.at(2)), b.inputs[0])


def _group_norm(b: Build) -> Any:
    groups, eps = b.get("num_groups", 1), b.get("epsilon", 1e-5)
    if b.opset < 21:
        return b.call(onnx_arithmetic.by_group, b.at(0), groups, b.at(1), b.at(2), eps)
    scale = b.held(1)
    made = nn.GroupNorm(b.get("num_groups", 1), len(scale), eps=b.get("epsilon", 1e-5))
    return b.module(weighted(made, scale, b.held(2)), b.inputs[0])


def _instance_norm(b: Build) -> nn.Module:
    scale = b.held(1)
    kind = {3: nn.InstanceNorm1d, 5: nn.InstanceNorm3d}.get(b.rank, nn.InstanceNorm2d)
    made = kind(len(scale), eps=b.get("epsilon", 1e-5), affine=True)
    return weighted(made, scale, b.held(2))


def _gemm(b: Build) -> Any:
    a, weight, bias = b.at(0), b.at(1), b.at(2)
    alpha, beta, turn = b.get("alpha", 1.0), b.get("beta", 1.0), bool(b.get("transA", 0))
    fixed = isinstance(weight, Tensor) and (bias is None or (isinstance(bias, Tensor) and bias.ndim == 1))
    if not fixed or turn:
        return b.call(fn.gemm, a, weight, bias, (alpha, beta), (turn, bool(b.get("transB", 0))))
    assert isinstance(weight, Tensor)
    weight = (weight if b.get("transB", 0) else weight.T) * alpha
    made = layer(nn.Linear, weight.shape[1], weight.shape[0], bias=bias is not None)
    return b.module(weighted(made, weight, bias * beta if isinstance(bias, Tensor) else None), a)


def _matmul(b: Build) -> Any:
    weight = b.at(1)
    if isinstance(weight, Tensor) and weight.ndim == 2 and isinstance(b.at(0), fx.Node):
        made = layer(nn.Linear, weight.shape[0], weight.shape[1], bias=False)
        return b.module(weighted(made, weight.T, None), b.at(0))
    return b.call(torch.matmul, *b.inputs)


def _clip(b: Build) -> Any:
    low, high = b.at(1), b.at(2)
    low = b.get("min") if low is None else float(low) if isinstance(low, Tensor) else low
    high = b.get("max") if high is None else float(high) if isinstance(high, Tensor) else high
    if (low, high) == (0.0, 6.0):
        return b.module(nn.ReLU6(), b.inputs[0])
    if isinstance(low, fx.Node) or isinstance(high, fx.Node):
        return b.call(fn.clip, b.inputs[0], b.at(1), b.at(2))
    if low is None and high is None:
        return b.inputs[0]
    return b.call(torch.clamp, b.inputs[0], low, high)


def _softmax(b: Build) -> Any:
    log = b.kind == "LogSoftmax"
    if b.opset < 13:
        return b.call(fn.softmax_flat, b.inputs[0], b.get("axis", 1), log)
    axis = b.get("axis", -1)
    return b.module(nn.LogSoftmax(axis) if log else nn.Softmax(axis), b.inputs[0])


def _cast(b: Build) -> Any:
    if b.get("to") not in TYPES:
        raise UnsupportedError(f"Cast to type {b.get('to')}")
    return b.call(Tensor.to, b.inputs[0], TYPES[b.get("to")])


def _slice(b: Build) -> Any:
    given = [b.sides(at, name) for at, name in enumerate(("", "starts", "ends", "axes", "steps")) if at]
    return b.call(fn.sliced, b.inputs[0], *given)


def _prelu(b: Build) -> Any:
    slope = b.at(1)
    channels = isinstance(slope, Tensor) and slope.ndim == b.rank - 1 and slope.numel() == slope.shape[0]
    if not isinstance(slope, Tensor) or not (slope.numel() == 1 or channels):
        return b.call(onnx_arithmetic.leaky, b.inputs[0], slope)
    made = nn.PReLU(slope.numel())
    return b.module(weighted(made, slope.flatten(), None), b.inputs[0])


def _split(b: Build) -> Any:
    made = b.call(fn.split, b.inputs[0], b.sides(1, "split"), b.get("axis", 0), b.outputs)
    return b.call(fn.only, made) if b.outputs == 1 else made


def _pad(b: Build) -> Any:
    mode = b.get("mode", "constant")
    value = b.at(2) if b.at(2) is not None else b.get("value")
    return b.call(fn.pad, b.inputs[0], b.sides(1, "pads"), value, b.sides(3, "axes"), mode)


def _gelu(b: Build) -> nn.Module:
    return nn.GELU(approximate=b.get("approximate", "none"))


def _filled(b: Build) -> Any:
    value = b.get("value")
    return b.call(fn.filled, b.inputs[0], torch.zeros(()) if value is None else value)


def _bound(function: Any, **names: tuple[str, Any]) -> Callable[[Build], Any]:
    """Return a builder that calls a function with all inputs and the named attributes as keyword arguments."""

    def made(b: Build) -> Any:
        return b.call(
            function, *b.inputs, **{own: type(default)(b.get(name, default)) for own, (name, default) in names.items()}
        )

    return made


def _best(b: Build) -> Any:
    more = {"keep": bool(b.get("keepdims", 1)), "last": bool(b.get("select_last_index", 0))}
    return b.call(fn.best, b.inputs[0], b.get("axis", 0), **more, least=b.kind == "ArgMin")


def _everywhere(b: Build, kind: str) -> nn.Module:
    """Return the pooling of all places to one."""
    return getattr(nn, f"Adaptive{kind}Pool{({3: 1, 5: 3}).get(b.rank, 2)}d")(1)


def _axes(function: Any) -> Callable[[Build], Any]:
    return lambda b: b.call(function, b.inputs[0], b.sides(1, "axes"))


REDUCED = {
    f"Reduce{name}" for name in ("Mean", "Sum", "Max", "Min", "L1", "L2", "SumSquare", "LogSum", "LogSumExp", "Prod")
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{"Erf": torch.erf, "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt, "Abs": torch.abs, "Neg": torch.neg},
    **{"Floor": torch.floor, "Ceil": torch.ceil, "Round": torch.round, "Sin": torch.sin, "Cos": torch.cos},
    **{
        "Tan": torch.tan,
        "Atan": torch.atan,
        "Sign": torch.sign,
        "Not": torch.logical_not,
        "Reciprocal": torch.reciprocal,
    },
    **{"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": fn.divide, "Pow": fn.power, "Where": fn.where},
    **{"Equal": torch.eq, "Less": torch.lt, "LessOrEqual": torch.le, "Greater": torch.gt, "GreaterOrEqual": torch.ge},
    **{"And": torch.logical_and, "Or": torch.logical_or, "Xor": torch.logical_xor, "Sum": fn.summed},
    **{"Max": fn.largest, "Min": fn.smallest, "Mean": fn.averaged},
    **{"Expand": fn.expand, "Tile": fn.tile, "Range": fn.ranged, "IsNaN": torch.isnan, "Softsign": F.softsign},
    **onnx_arithmetic.FUNCTIONS,
}
MODULES: dict[str, Callable[[Build], nn.Module]] = {
    **{"Relu": lambda b: nn.ReLU(), "Sigmoid": lambda b: nn.Sigmoid(), "Tanh": lambda b: nn.Tanh()},
    **{"HardSwish": lambda b: nn.Hardswish(), "Mish": lambda b: nn.Mish(), "Softplus": lambda b: nn.Softplus()},
    **{"Dropout": lambda b: nn.Identity(), "Identity": lambda b: nn.Identity(), "Gelu": _gelu},
    **{"LeakyRelu": lambda b: nn.LeakyReLU(b.get("alpha", 0.01)), "Elu": lambda b: nn.ELU(b.get("alpha", 1.0))},
    **{"GlobalAveragePool": lambda b: _everywhere(b, "Avg"), "GlobalMaxPool": lambda b: _everywhere(b, "Max")},
    **{"Selu": lambda b: nn.SELU(), "Celu": lambda b: nn.CELU(b.get("alpha", 1.0))},
    **{"BatchNormalization": _batch_norm, "InstanceNormalization": _instance_norm},
    "LRN": lambda b: nn.LocalResponseNorm(b.get("size"), b.get("alpha", 1e-4), b.get("beta", 0.75), b.get("bias", 1.0)),
}
SPECIAL: dict[str, Callable[[Build], Any]] = {
    **{
        **dict.fromkeys(("Conv", "ConvTranspose"), onnx_convolutions.conv),
        **dict.fromkeys(("MaxPool", "AveragePool"), onnx_convolutions.pool),
        "MaxUnpool": onnx_convolutions.unpool,
        "LpPool": onnx_convolutions.powered,
        "LayerNormalization": _layer_norm,
        "GroupNormalization": _group_norm,
    },
    **{"Gemm": _gemm, "MatMul": _matmul, "Clip": _clip, "Softmax": _softmax, "LogSoftmax": _softmax, "Cast": _cast},
    **{"Resize": resize, "Upsample": resize, "Slice": _slice, "PRelu": _prelu, "Split": _split, "Pad": _pad},
    **{"Squeeze": _axes(fn.squeeze), "Unsqueeze": _axes(fn.unsqueeze), "ConstantOfShape": _filled},
    "Reshape": lambda b: b.call(fn.reshape, b.inputs[0], b.sides(1, "shape"), bool(b.get("allowzero", 0))),
    "Shape": lambda b: b.call(fn.shape, b.inputs[0], b.get("start", 0), b.get("end")),
    "Transpose": lambda b: b.call(torch.permute, b.inputs[0], tuple(b.get("perm"))) if b.get("perm") else _reverse(b),
    "Flatten": _bound(fn.flatten, axis=("axis", 1)),
    "Concat": _bound(fn.concat, axis=("axis", 0)),
    "Gather": _bound(fn.gather, axis=("axis", 0)),
    "GatherElements": _bound(fn.gather_elements, axis=("axis", 0)),
    "Mod": _bound(fn.modulo, fmod=("fmod", False)),
    "TopK": _bound(fn.top, axis=("axis", -1), largest=("largest", True)),
    **dict.fromkeys(("ArgMax", "ArgMin"), _best),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), onnx_recurrent.build),
    **onnx_arithmetic.BUILDERS,
    **onnx_detection.BUILDERS,
    **onnx_indexing.BUILDERS,
    **onnx_quantised.BUILDERS,
    **onnx_random.BUILDERS,
    **onnx_sequences.BUILDERS,
    **onnx_spectral.BUILDERS,
    "Einsum": lambda b: b.call(torch.einsum, b.get("equation"), *b.inputs),
    "DepthToSpace": lambda b: b.call(fn.depth_to_space, b.inputs[0], b.get("blocksize"), b.get("mode", "DCR")),
    "SpaceToDepth": _bound(fn.space_to_depth, block=("blocksize", 1)),
    "Trilu": _bound(fn.trilu, upper=("upper", True)),
    "Constant": lambda b: b.get("value"),
    "HardSigmoid": lambda b: b.call(_hard_sigmoid, b.inputs[0], b.get("alpha", 0.2), b.get("beta", 0.5)),
}


def _reverse(b: Build) -> Any:
    return b.call(_turned, b.inputs[0])


def _turned(x: Tensor) -> Tensor:
    return x.permute(*reversed(range(x.ndim)))


def _hard_sigmoid(x: Tensor, alpha: float, beta: float) -> Tensor:
    return (alpha * x + beta).clamp(0, 1)
