"""Convert one ONNX node at a time to a PyTorch module or a function of `onnx_functions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, fx, nn

from models.exported import onnx_functions as fn

Value = fx.Node | Tensor | None
TYPES = {
    **{1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool},
    **{10: torch.float32, 11: torch.float64, 16: torch.float32},
}


class UnsupportedError(Exception):
    """The operator is supported, but not with these attributes, which the message names."""


@dataclass(frozen=True)
class Build:
    """One node under construction: its `inputs`, attributes by name, number of outputs, and the `opset`.

    `rank` is the number of dimensions of the first input, 0 if unknown. `module(made, *args)` and `call(function,
    *args)` add to the graph, or compute the result at once if all arguments are constants.
    """

    kind: str
    inputs: list[Value]
    attributes: Mapping[str, Any]
    outputs: int
    opset: int
    rank: int
    module: Callable[..., Any]
    call: Callable[..., Any]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or the default."""
        return self.attributes.get(name, default)

    def at(self, number: int) -> Value:
        """Return an input, None if it is omitted."""
        return self.inputs[number] if number < len(self.inputs) else None

    def held(self, number: int) -> Tensor:
        """Return an input that must be constant. Raises UnsupportedError if it is computed."""
        value = self.at(number)
        if not isinstance(value, Tensor):
            raise UnsupportedError(f"{self.kind} with an input {number} that is computed at run time")
        return value

    def sides(self, number: int, name: str) -> Any:
        """Return integers that are an attribute in older opsets and an input in newer ones."""
        value = self.at(number)
        return self.get(name) if value is None else fn.ints(value) if isinstance(value, Tensor) else value


def build(b: Build) -> Any:
    """Return the value of a node. Raises UnsupportedError."""
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


def known(kind: str) -> bool:
    """Return whether an operator is supported."""
    return kind in FUNCTIONS or kind in MODULES or kind in SPECIAL or kind in REDUCED


def _weighted(module: Any, weight: Tensor, bias: Value) -> Any:
    with torch.no_grad():
        module.weight.copy_(weight)
        if isinstance(bias, Tensor):
            module.bias.copy_(bias)
    return module


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


def _conv(b: Build) -> Any:
    weight = b.held(1)
    rank = weight.ndim - 2
    if rank not in (1, 2, 3):
        raise UnsupportedError(f"Conv of {rank} dimensions")
    turned = b.kind == "ConvTranspose"
    if turned and (b.get("auto_pad", "NOTSET") != "NOTSET" or b.get("output_shape")):
        raise UnsupportedError("ConvTranspose with automatic padding")
    groups, kernel = b.get("group", 1), list(weight.shape[2:])
    x, pad = _window(b, rank, b.inputs[0], kernel, 0.0) if not turned else (b.inputs[0], [])
    settings: dict[str, Any] = {"stride": b.get("strides", [1] * rank), "dilation": b.get("dilations", [1] * rank)}
    settings = {name: tuple(value) for name, value in settings.items()}
    channels: tuple[int, int] = (weight.shape[1] * groups, weight.shape[0])
    if turned:
        pads = b.get("pads", [0] * 2 * rank)
        if pads[:rank] != pads[rank:]:
            raise UnsupportedError("ConvTranspose with padding of unequal sides")
        pad, channels = pads[:rank], (weight.shape[0], weight.shape[1] * groups)
        settings["output_padding"] = tuple(b.get("output_padding", [0] * rank))
    kinds = (
        (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d) if turned else (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    )
    bias = b.at(2)
    kind: Any = kinds[rank - 1]
    made = kind(*channels, tuple(kernel), padding=tuple(pad), groups=groups, bias=bias is not None, **settings)
    return b.module(_weighted(made, weight, b.held(2) if bias is not None else None), x)


def _pool(b: Build) -> Any:
    kernel = b.get("kernel_shape")
    rank, largest = len(kernel), b.kind == "MaxPool"
    include = bool(b.get("count_include_pad", 0))
    before = b.inputs[0]
    x, pad = _window(b, rank, before, kernel, float("-inf") if largest else 0.0)
    if not largest and x is not before and not include:
        raise UnsupportedError("AveragePool with padding of unequal sides that does not count")
    stride, ceil = tuple(b.get("strides", [1] * rank)), bool(b.get("ceil_mode", 0))
    if b.outputs > 1 or rank not in (1, 2, 3):
        raise UnsupportedError(f"{b.kind} with indices, or of {rank} dimensions")
    if largest:
        kind: Any = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[rank - 1]
        dilation = tuple(b.get("dilations", [1] * rank))
        return b.module(kind(tuple(kernel), stride, tuple(pad), dilation, ceil_mode=ceil), x)
    if any(d != 1 for d in b.get("dilations", [1])):
        raise UnsupportedError("AveragePool with dilation")
    kind = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[rank - 1]
    return b.module(kind(tuple(kernel), stride, tuple(pad), ceil_mode=ceil, count_include_pad=include), x)


def _batch_norm(b: Build) -> nn.Module:
    scale, shift, mean, variance = (b.held(number) for number in (1, 2, 3, 4))
    if b.get("training_mode", 0):
        raise UnsupportedError("BatchNormalization in training")
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 5: nn.BatchNorm3d}.get(b.rank, nn.BatchNorm2d)
    made = kind(len(scale), eps=b.get("epsilon", 1e-5), momentum=1 - b.get("momentum", 0.9))
    assert made.running_mean is not None and made.running_var is not None
    made.running_mean.copy_(mean)
    made.running_var.copy_(variance)
    return _weighted(made, scale, shift)


def _layer_norm(b: Build) -> Any:
    if b.outputs > 1:
        raise UnsupportedError("LayerNormalization with several outputs")
    scale = b.held(1)
    made = nn.LayerNorm(list(scale.shape), eps=b.get("epsilon", 1e-5), bias=b.at(2) is not None)
    return b.module(_weighted(made, scale, b.at(2)), b.inputs[0])


def _group_norm(b: Build) -> nn.Module:
    scale = b.held(1)
    made = nn.GroupNorm(b.get("num_groups", 1), len(scale), eps=b.get("epsilon", 1e-5))
    return _weighted(made, scale, b.held(2))


def _instance_norm(b: Build) -> nn.Module:
    scale = b.held(1)
    made = nn.InstanceNorm2d(len(scale), eps=b.get("epsilon", 1e-5), affine=True)
    return _weighted(made, scale, b.held(2))


def _gemm(b: Build) -> Any:
    a, weight, bias = b.at(0), b.at(1), b.at(2)
    alpha, beta, turn = b.get("alpha", 1.0), b.get("beta", 1.0), bool(b.get("transA", 0))
    fixed = isinstance(weight, Tensor) and (bias is None or (isinstance(bias, Tensor) and bias.ndim == 1))
    if not fixed or turn:
        return b.call(fn.gemm, a, weight, bias, (alpha, beta), (turn, bool(b.get("transB", 0))))
    assert isinstance(weight, Tensor)
    weight = (weight if b.get("transB", 0) else weight.T) * alpha
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    return b.module(_weighted(made, weight, bias * beta if isinstance(bias, Tensor) else None), a)


def _matmul(b: Build) -> Any:
    weight = b.at(1)
    if isinstance(weight, Tensor) and weight.ndim == 2 and isinstance(b.at(0), fx.Node):
        made = nn.Linear(weight.shape[0], weight.shape[1], bias=False)
        return b.module(_weighted(made, weight.T, None), b.at(0))
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


def _resize(b: Build) -> Any:
    mode = b.get("mode", "nearest")
    mode = mode.decode() if isinstance(mode, bytes) else mode
    place = b.get(
        "coordinate_transformation_mode", "half_pixel" if b.kind == "Resize" and b.opset > 10 else "asymmetric"
    )
    rounding = b.get("nearest_mode", "round_prefer_floor" if b.opset > 10 else "floor")
    if b.get("antialias", 0) or b.get("axes") or b.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsupportedError("Resize with antialiasing, axes or proportions kept")
    half = place in ("half_pixel", "pytorch_half_pixel")
    ways = {
        ("nearest", "asymmetric", "floor"): "nearest",
        ("nearest", "half_pixel", "round_prefer_floor"): "nearest-exact",
        ("nearest", "half_pixel", "round_prefer_ceil"): "nearest-exact",
    }
    way = ways.get((mode, place, rounding), "")
    if mode in ("linear", "cubic") and (half or place == "align_corners"):
        if mode == "cubic" and b.get("cubic_coeff_a", -0.75) != -0.75:
            raise UnsupportedError("Resize by another cubic")
        way = "bilinear" if mode == "linear" else "bicubic"
    if not way:
        raise UnsupportedError(f"Resize by {mode}, {place}, {rounding}")
    first = 2 if b.kind == "Resize" and b.opset > 10 else 1
    scales, sizes = b.at(first), b.at(first + 1)
    scales = b.get("scales") if scales is None else scales
    if isinstance(scales, Tensor):
        scales = None if not scales.numel() else scales.tolist()
    sizes = fn.ints(sizes) if isinstance(sizes, Tensor) else sizes
    return b.call(fn.spread, b.inputs[0], scales, sizes, way, place == "align_corners")


def _cast(b: Build) -> Any:
    if b.get("to") not in TYPES:
        raise UnsupportedError(f"Cast to type {b.get('to')}")
    return b.call(Tensor.to, b.inputs[0], TYPES[b.get("to")])


def _slice(b: Build) -> Any:
    given = [b.sides(at, name) for at, name in enumerate(("", "starts", "ends", "axes", "steps")) if at]
    return b.call(fn.sliced, b.inputs[0], *given)


def _prelu(b: Build) -> Any:
    slope = b.held(1)
    if slope.numel() not in (1, slope.shape[0]):
        raise UnsupportedError("PRelu with slopes for places")
    made = nn.PReLU(slope.numel())
    return b.module(_weighted(made, slope.flatten(), None), b.inputs[0])


def _split(b: Build) -> Any:
    return b.call(fn.split, b.inputs[0], b.sides(1, "split"), b.get("axis", 0), b.outputs)


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
    **{"Max": fn.extreme, "Min": partial(fn.extreme, least=True), "Mean": partial(fn.summed, mean=True)},
    **{"Expand": fn.expand, "Tile": fn.tile, "Range": fn.ranged, "IsNaN": torch.isnan, "IsInf": torch.isinf},
    **{"GatherND": fn.gather_nd, "ScatterND": fn.scatter_nd, "Softsign": F.softsign},
}
MODULES: dict[str, Callable[[Build], nn.Module]] = {
    **{"Relu": lambda b: nn.ReLU(), "Sigmoid": lambda b: nn.Sigmoid(), "Tanh": lambda b: nn.Tanh()},
    **{"HardSwish": lambda b: nn.Hardswish(), "Mish": lambda b: nn.Mish(), "Softplus": lambda b: nn.Softplus()},
    **{"Dropout": lambda b: nn.Identity(), "Identity": lambda b: nn.Identity(), "Gelu": _gelu},
    **{"LeakyRelu": lambda b: nn.LeakyReLU(b.get("alpha", 0.01)), "Elu": lambda b: nn.ELU(b.get("alpha", 1.0))},
    **{"GlobalAveragePool": lambda b: nn.AdaptiveAvgPool2d(1), "GlobalMaxPool": lambda b: nn.AdaptiveMaxPool2d(1)},
    **{"Selu": lambda b: nn.SELU(), "Celu": lambda b: nn.CELU(b.get("alpha", 1.0))},
    **{"BatchNormalization": _batch_norm, "GroupNormalization": _group_norm, "InstanceNormalization": _instance_norm},
    "LRN": lambda b: nn.LocalResponseNorm(b.get("size"), b.get("alpha", 1e-4), b.get("beta", 0.75), b.get("bias", 1.0)),
}
SPECIAL: dict[str, Callable[[Build], Any]] = {
    **{
        "Conv": _conv,
        "ConvTranspose": _conv,
        "MaxPool": _pool,
        "AveragePool": _pool,
        "LayerNormalization": _layer_norm,
    },
    **{"Gemm": _gemm, "MatMul": _matmul, "Clip": _clip, "Softmax": _softmax, "LogSoftmax": _softmax, "Cast": _cast},
    **{"Resize": _resize, "Upsample": _resize, "Slice": _slice, "PRelu": _prelu, "Split": _split, "Pad": _pad},
    **{"Squeeze": _axes(fn.squeeze), "Unsqueeze": _axes(fn.unsqueeze), "ConstantOfShape": _filled},
    "Reshape": lambda b: b.call(fn.reshape, b.inputs[0], b.sides(1, "shape"), bool(b.get("allowzero", 0))),
    "Shape": lambda b: b.call(fn.shape, b.inputs[0], b.get("start", 0), b.get("end")),
    "Transpose": lambda b: b.call(torch.permute, b.inputs[0], tuple(b.get("perm"))) if b.get("perm") else _reverse(b),
    "Flatten": _bound(fn.flatten, axis=("axis", 1)),
    "Concat": _bound(fn.concat, axis=("axis", 0)),
    "Gather": _bound(fn.gather, axis=("axis", 0)),
    "GatherElements": _bound(fn.gather_elements, axis=("axis", 0)),
    "ScatterElements": _bound(fn.scatter_elements, axis=("axis", 0)),
    "Mod": _bound(fn.modulo, fmod=("fmod", False)),
    "TopK": _bound(fn.top, axis=("axis", -1), largest=("largest", True)),
    "ArgMax": _bound(fn.best, axis=("axis", 0), keep=("keepdims", True)),
    "ArgMin": lambda b: b.call(fn.best, b.inputs[0], b.get("axis", 0), bool(b.get("keepdims", 1)), True),
    "CumSum": lambda b: b.call(torch.cumsum, b.inputs[0], int(b.held(1))),
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
