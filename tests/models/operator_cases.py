"""A table of ONNX nodes, one for each operator and way of it: inputs, attributes, opset. No test is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

RNG = np.random.default_rng(7)
MICROSOFT = "com.microsoft"


@dataclass
class Case:
    """One node: operator, inputs (arrays of the picture, or `Held` constants, "" for none), attributes, opset."""

    op: str
    inputs: list[Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 17
    outputs: int = 1
    domain: str = ""
    step: float = 0.0  # how far whole numbers may be off


@dataclass
class Held:
    """A constant input."""

    value: Any


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.1, 0.9, shape).astype(np.float32)


def whole(low: int, high: int, *shape: int, kind: Any = np.int64) -> np.ndarray:
    return RNG.integers(low, high, shape).astype(kind)


def held(value: Any, kind: Any = np.int64) -> Held:
    return Held(np.asarray(value, kind))


def numbers(value: Any) -> Held:
    return held(value, np.float32)


X = normal(1, 3, 6, 7)
ELEMENTS = [
    "Abs",
    "Acos",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Cos",
    "Cosh",
    "Erf",
    "Exp",
    "Floor",
    "Log",
    "Neg",
    "Reciprocal",
    "Round",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
]
ELEMENTS += [
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tan",
    "Tanh",
    "Relu",
    "HardSwish",
    "Elu",
    "Selu",
    "Celu",
    "LeakyRelu",
    "HardSigmoid",
    "ThresholdedRelu",
]
ELEMENTS += ["Identity", "Shrink", "LogSoftmax", "Softmax", "Hardmax", "LpNormalization", "GlobalLpPool"]
ELEMENTS += ["GlobalAveragePool", "GlobalMaxPool", "Flatten", "NonZero", "Shape", "Size", "Dropout"]
ELEMENTS += ["MeanVarianceNormalization", "IsNaN", "IsInf", "ArgMax", "ArgMin", "Transpose"]
TWO = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Max",
    "Min",
    "Mean",
    "Sum",
    "Equal",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
    "Mod",
]
LSTM = [normal(4, 2, 3), numbers(normal(2, 20, 3)), numbers(normal(2, 20, 5)), numbers(normal(2, 40))]
QUANTISED = whole(0, 255, 1, 3, 6, 6, kind=np.uint8)
ZERO = held(120, np.uint8)
STEP, WIDE = numbers(0.02), numbers(0.11)

CASES: dict[str, Case] = {
    **{name: Case(name, [positive(2, 3, 5, 4)]) for name in ELEMENTS},
    **{
        name: Case(name, [positive(2, 3, 5, 4), positive(1, 3, 1, 4)], {"fmod": 1} if name == "Mod" else {})
        for name in TWO
    },
    "Acosh": Case("Acosh", [positive(2, 3) + 1]),
    "Gelu": Case("Gelu", [X], opset=20),
    "Gelu, tanh": Case("Gelu", [X], {"approximate": "tanh"}, opset=20),
    "Mish": Case("Mish", [X], opset=18),
    "Pow": Case("Pow", [positive(2, 3), normal(2, 3)]),
    "PRelu, channels": Case("PRelu", [X, numbers(normal(3, 1, 1))]),
    "PRelu, last": Case("PRelu", [X, numbers(normal(7))]),
    "Clip": Case("Clip", [X, numbers(-0.3), numbers(0.4)]),
    "Clip, computed": Case("Clip", [X, "", numbers(0.4)]),
    "And": Case("And", [whole(0, 2, 3, 4, kind=bool), whole(0, 2, 3, 4, kind=bool)]),
    "Or": Case("Or", [whole(0, 2, 3, 4, kind=bool), whole(0, 2, 3, 4, kind=bool)]),
    "Xor": Case("Xor", [whole(0, 2, 3, 4, kind=bool), whole(0, 2, 3, 4, kind=bool)]),
    "Not": Case("Not", [whole(0, 2, 3, 4, kind=bool)]),
    "BitShift, left": Case(
        "BitShift", [whole(0, 255, 9, kind=np.uint8), held([3] * 9, np.uint8)], {"direction": "LEFT"}
    ),
    "BitShift, right": Case(
        "BitShift", [whole(0, 255, 9, kind=np.uint8), held([3] * 9, np.uint8)], {"direction": "RIGHT"}
    ),
    **{
        n: Case(n, [whole(0, 99, 9, kind=np.int32), held([13] * 9, np.int32)], opset=18)
        for n in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")
    },
    "BitwiseNot": Case("BitwiseNot", [whole(0, 99, 9, kind=np.int32)], opset=18),
    "Mod, whole": Case("Mod", [whole(-20, 20, 30), held([7, -7, 3] * 10)]),
    "Div, whole": Case("Div", [whole(-20, 20, 30), held([7, -7, 3] * 10)]),
    "Cast": Case("Cast", [X * 9], {"to": 7}),
    "CastLike": Case("CastLike", [X * 9, held([1], np.int32)]),
    "Where": Case("Where", [whole(0, 2, 3, 4, kind=bool), normal(3, 4), normal(1, 4)]),
    "Det": Case("Det", [normal(2, 3, 3)]),
    "EyeLike": Case("EyeLike", [normal(4, 6)], {"k": 2}),
    "EyeLike, below": Case("EyeLike", [normal(6, 4)], {"k": -1}),
    # shapes and indices
    "Reshape": Case("Reshape", [X, held([0, -1, 7])]),
    "Squeeze": Case("Squeeze", [X, held([0])]),
    "Unsqueeze": Case("Unsqueeze", [X, held([0, -1])]),
    "Expand": Case("Expand", [normal(3, 1), held([2, 1, 4])]),
    "Tile": Case("Tile", [normal(3, 2), held([2, 3])]),
    "Concat": Case("Concat", [normal(2, 3), normal(2, 2)], {"axis": 1}),
    "Split": Case("Split", [X, held([2, 4])], {"axis": 2}, outputs=2),
    "Slice": Case("Slice", [X, held([4, 1]), held([-9, 6]), held([2, 3]), held([-2, 2])]),
    "Pad, constant": Case("Pad", [X, held([0, 0, 1, 2, 0, 1, 0, 2]), numbers(0.5)]),
    "Pad, reflect": Case("Pad", [X, held([0, 0, 1, 2, 0, 0, 3, 2])], {"mode": "reflect"}),
    "Pad, edge": Case("Pad", [X, held([0, 1, 1, 2, 0, 1, 0, 2])], {"mode": "edge"}),
    "Pad, wrap": Case("Pad", [X, held([0, 0, 1, 2, 0, 0, 0, 2])], {"mode": "wrap"}, opset=19),
    "Gather": Case("Gather", [X, held([[0, -1], [2, 1]])], {"axis": 1}),
    "GatherElements": Case("GatherElements", [normal(3, 4), held([[0, -1], [2, 1], [1, 1]])], {"axis": 1}),
    "GatherND": Case("GatherND", [normal(3, 4, 2), held([[0, -1], [2, 1]])]),
    "GatherND, batches": Case("GatherND", [normal(2, 3, 4), held([[[1], [0]], [[2], [-1]]])], {"batch_dims": 1}),
    "ScatterElements": Case("ScatterElements", [normal(3, 4), held([[0, 2]]), normal(1, 2)], {"axis": 1}),
    **{
        f"ScatterElements, {how}": Case(
            "ScatterElements", [normal(3, 4), held([[0, 0]]), normal(1, 2)], {"axis": 1, "reduction": how}, opset=18
        )
        for how in ("add", "mul", "max", "min")
    },
    "ScatterND": Case("ScatterND", [normal(4, 5), held([[0], [-1]]), normal(2, 5)]),
    "ScatterND, numbers": Case("ScatterND", [normal(4, 5), held([[0, 1], [2, -1]]), normal(2)]),
    **{
        f"ScatterND, {how}": Case(
            "ScatterND", [normal(4, 5), held([[1], [1]]), normal(2, 5)], {"reduction": how}, opset=18
        )
        for how in ("add", "mul", "max", "min")
    },
    "OneHot": Case("OneHot", [whole(-3, 3, 4), held([3]), numbers([-1, 2])], {"axis": 0}),
    "Compress": Case("Compress", [normal(3, 4), held([0, 1, 1], bool)], {"axis": 0}),
    "Compress, flat": Case("Compress", [normal(3, 4), held([0, 1, 1, 0, 1], bool)]),
    "ReverseSequence": Case("ReverseSequence", [normal(4, 3, 2), held([4, 2, 1])], {"batch_axis": 1, "time_axis": 0}),
    "Trilu": Case("Trilu", [normal(3, 5, 4), held(1)], {"upper": 0}),
    "Range": Case("Range", [whole(1, 2, 1)[0:1].reshape(()), held(9), held(2)]),
    "ConstantOfShape": Case("Add", [normal(2, 3), numbers(np.zeros((2, 3)))]),
    "TopK": Case("TopK", [normal(3, 9), held([4])], {"axis": 1}, outputs=2),
    "TopK, smallest": Case("TopK", [normal(9, 3), held([4])], {"axis": 0, "largest": 0}, outputs=2),
    "ArgMax, last": Case(
        "ArgMax", [whole(0, 3, 4, 9, kind=np.float32)], {"axis": 1, "select_last_index": 1, "keepdims": 0}
    ),
    "ArgMin, last": Case("ArgMin", [whole(0, 3, 4, 9, kind=np.float32)], {"axis": 1, "select_last_index": 1}),
    "CumSum": Case("CumSum", [normal(3, 5), held(1)]),
    "CumSum, others": Case("CumSum", [normal(3, 5), held(1)], {"exclusive": 1, "reverse": 1}),
    "Unique": Case("Unique", [whole(0, 5, 12, kind=np.float32)], outputs=4),
    "Unique, as they come": Case("Unique", [whole(0, 5, 12, kind=np.float32)], {"sorted": 0}, outputs=4),
    "CenterCropPad": Case("CenterCropPad", [X, held([4, 10])], {"axes": [2, 3]}, opset=18),
    "Col2Im": Case("Col2Im", [normal(1, 12, 9), held([4, 4]), held([2, 2])], opset=18),
    "DepthToSpace": Case("DepthToSpace", [normal(1, 8, 3, 2)], {"blocksize": 2}),
    "DepthToSpace, CRD": Case("DepthToSpace", [normal(1, 8, 3, 2)], {"blocksize": 2, "mode": "CRD"}),
    "SpaceToDepth": Case("SpaceToDepth", [normal(1, 2, 4, 6)], {"blocksize": 2}),
    # reductions and products
    **{
        f"Reduce{n}": Case(f"Reduce{n}", [positive(2, 3, 4)], {"axes": [1], "keepdims": 0}, opset=12)
        for n in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
    },
    "ReduceSum, all": Case("ReduceSum", [X], {"keepdims": 0}),
    "MatMul": Case("MatMul", [normal(2, 3, 4), normal(4, 5)]),
    "Gemm": Case(
        "Gemm", [normal(4, 3), numbers(normal(5, 4)), numbers(normal(5))], {"transA": 1, "transB": 1, "alpha": 0.5}
    ),
    "Gemm, computed": Case("Gemm", [normal(3, 4), normal(4, 5), normal(3, 1)], {"beta": 2.0}),
    "Einsum": Case("Einsum", [normal(2, 3, 4), normal(2, 5, 4)], {"equation": "bij,bkj->bik"}),
    # convolutions and poolings
    "Conv": Case(
        "Conv", [X, numbers(normal(4, 3, 3, 3)), numbers(normal(4))], {"pads": [1, 0, 2, 1], "strides": [2, 1]}
    ),
    "Conv, computed": Case("Conv", [X, normal(4, 3, 3, 3), normal(4)], {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}),
    "Conv, 1": Case("Conv", [normal(1, 3, 9), numbers(normal(4, 3, 3))], {"dilations": [2]}),
    "Conv, 3": Case("Conv", [normal(1, 2, 4, 5, 4), numbers(normal(3, 2, 2, 2, 2))]),
    "ConvTranspose": Case(
        "ConvTranspose",
        [X, numbers(normal(3, 2, 3, 3)), numbers(normal(2))],
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    ),
    "ConvTranspose, unequal": Case(
        "ConvTranspose", [X, numbers(normal(3, 2, 3, 3)), numbers(normal(2))], {"strides": [2, 2], "pads": [0, 1, 1, 0]}
    ),
    "ConvTranspose, SAME": Case(
        "ConvTranspose", [X, numbers(normal(3, 2, 3, 3))], {"strides": [2, 2], "auto_pad": "SAME_UPPER"}
    ),
    "ConvTranspose, shape": Case(
        "ConvTranspose", [X, numbers(normal(3, 2, 3, 3))], {"strides": [2, 2], "output_shape": [13, 14]}
    ),
    "ConvTranspose, computed": Case("ConvTranspose", [X, normal(3, 2, 3, 3)], {"strides": [2, 2], "group": 1}),
    "MaxPool": Case("MaxPool", [X], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 0, 1]}),
    "MaxPool, ceil": Case("MaxPool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    "MaxPool, indices": Case("MaxPool", [normal(2, 3, 6, 6)], {"kernel_shape": [2, 2], "strides": [2, 2]}, outputs=2),
    "MaxPool, whole": Case("MaxPool", [whole(0, 200, 1, 2, 4, 4, kind=np.uint8)], {"kernel_shape": [2, 2]}),
    "MaxUnpool": Case(
        "MaxUnpool", [normal(1, 1, 2, 2), held([[[[0, 3], [9, 14]]]])], {"kernel_shape": [2, 2], "strides": [2, 2]}
    ),
    "AveragePool": Case("AveragePool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "AveragePool, unequal": Case("AveragePool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 0]}),
    "AveragePool, counted": Case(
        "AveragePool", [X], {"kernel_shape": [3, 3], "pads": [0, 1, 1, 0], "count_include_pad": 1}
    ),
    "AveragePool, SAME": Case(
        "AveragePool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}
    ),
    "AveragePool, ceil": Case(
        "AveragePool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}
    ),
    "AveragePool, dilated": Case(
        "AveragePool", [normal(1, 2, 9, 9)], {"kernel_shape": [3, 3], "dilations": [2, 2]}, opset=19
    ),
    "LpPool": Case("LpPool", [X], {"kernel_shape": [2, 2], "strides": [2, 2], "p": 2}),
    "BatchNormalization": Case("BatchNormalization", [X, *(numbers(positive(3)) for _ in range(4))]),
    "BatchNormalization, rows": Case("BatchNormalization", [normal(4, 3), *(numbers(positive(3)) for _ in range(4))]),
    "InstanceNormalization": Case("InstanceNormalization", [X, numbers(normal(3)), numbers(normal(3))]),
    "LayerNormalization": Case("LayerNormalization", [X, numbers(normal(7)), numbers(normal(7))]),
    "LayerNormalization, two axes": Case("LayerNormalization", [X, numbers(normal(6, 7))], {"axis": 2}),
    "LayerNormalization, computed": Case("LayerNormalization", [X, normal(7), normal(7)]),
    "GroupNormalization": Case(
        "GroupNormalization", [normal(1, 4, 3, 3), numbers(normal(4)), numbers(normal(4))], {"num_groups": 2}, opset=21
    ),
    "GroupNormalization, older": Case(
        "GroupNormalization", [normal(1, 4, 3, 3), numbers(normal(2)), numbers(normal(2))], {"num_groups": 2}, opset=18
    ),
    "RMSNormalization": Case("RMSNormalization", [X, numbers(normal(7))], opset=23),
    "LRN": Case("LRN", [X], {"size": 3}),
    "Attention": Case("Attention", [normal(1, 2, 5, 4), normal(1, 2, 6, 4), normal(1, 2, 6, 4)], opset=23),
    # resizing and sampling
    **{
        f"Resize, {m}, {p}, {w}": Case(
            "Resize", [X, "", numbers([1, 1, *by])], {"mode": m, "coordinate_transformation_mode": p}
        )
        for m in ("nearest", "linear", "cubic")
        for p in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
        for w, by in (("up", (2, 2)), ("odd", (1.5, 0.7)))
    },
    **{
        f"Resize, nearest, {r}": Case("Resize", [X, "", "", held([1, 3, 9, 4])], {"mode": "nearest", "nearest_mode": r})
        for r in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    },
    "Resize, sizes": Case("Resize", [X, "", "", held([1, 3, 12, 10])], {"mode": "linear"}),
    "Resize, cubic by another number": Case(
        "Resize", [X, "", numbers([1, 1, 2, 2])], {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}
    ),
    "Resize, crop": Case(
        "Resize",
        [X, numbers([0, 0, 0.2, 0.1, 1, 1, 1.2, 0.9]), "", held([1, 3, 5, 5])],
        {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 0.5},
    ),
    "Resize, antialias": Case(
        "Resize", [X, "", numbers([1, 1, 0.5, 0.6])], {"mode": "linear", "antialias": 1}, opset=18
    ),
    "Resize, antialias, cubic": Case(
        "Resize", [normal(1, 1, 16, 16), "", numbers([1, 1, 0.4, 0.5])], {"mode": "cubic", "antialias": 1}, opset=18
    ),
    "Resize, axes": Case("Resize", [X, "", numbers([2, 1.5])], {"mode": "linear", "axes": [2, 3]}, opset=18),
    "Resize, proportions": Case(
        "Resize",
        [X, "", "", held([9, 20])],
        {"mode": "linear", "axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"},
        opset=18,
    ),
    "Resize, 1": Case("Resize", [normal(1, 2, 6), "", numbers([1, 1, 2])], {"mode": "linear"}),
    "Upsample": Case("Upsample", [X, numbers([1, 1, 2, 3])], {"mode": "nearest"}, opset=9),
    "Upsample, linear": Case("Upsample", [X, numbers([1, 1, 2, 3])], {"mode": "linear"}, opset=9),
    **{
        f"GridSample, {m}, {p}": Case(
            "GridSample",
            [X, RNG.uniform(-1.3, 1.3, (1, 4, 5, 2)).astype(np.float32)],
            {"mode": m, "padding_mode": p, "align_corners": a},
        )
        for m in ("bilinear", "nearest", "bicubic")
        for p, a in (("zeros", 0), ("border", 1), ("reflection", 0))
    },
    "GridSample, linear": Case("GridSample", [X, positive(1, 4, 5, 2)], {"mode": "linear"}, opset=20),
    "AffineGrid": Case("AffineGrid", [normal(2, 2, 3), held([2, 3, 4, 5])], {"align_corners": 1}, opset=20),
    # detection
    "NonMaxSuppression": Case(
        "NonMaxSuppression",
        [
            np.sort(RNG.uniform(0, 9, (1, 20, 2, 2)), 2).reshape(1, 20, 4).astype(np.float32),
            positive(1, 2, 20),
            held([5]),
            numbers([0.3]),
            numbers([0.2]),
        ],
    ),
    "NonMaxSuppression, centres": Case(
        "NonMaxSuppression",
        [positive(1, 20, 4), positive(1, 2, 20), held([5]), numbers([0.3])],
        {"center_point_box": 1},
    ),
    "RoiAlign": Case(
        "RoiAlign",
        [normal(1, 2, 9, 9), numbers([[0, 0, 6, 5], [2, 1, 8, 8]]), held([0, 0])],
        {"output_height": 3, "output_width": 2, "sampling_ratio": 2},
    ),
    "RoiAlign, adaptive": Case(
        "RoiAlign",
        [normal(1, 2, 9, 9), numbers([[0, 0, 12, 10]]), held([0])],
        {"output_height": 3, "output_width": 2, "spatial_scale": 0.5},
        opset=10,
    ),
    "MaxRoiPool": Case("MaxRoiPool", [normal(1, 2, 9, 9), numbers([[0, 0, 0, 6, 5]])], {"pooled_shape": [2, 3]}),
    "DeformConv": Case(
        "DeformConv",
        [X, numbers(normal(4, 3, 3, 3)), normal(1, 18, 4, 5), numbers(normal(4)), positive(1, 9, 4, 5)],
        opset=22,
    ),
    # recurrent
    "LSTM": Case(
        "LSTM",
        [LSTM[0], numbers(LSTM[1].value[:1]), numbers(LSTM[2].value[:1]), numbers(LSTM[3].value[:1])],
        {"hidden_size": 5},
        outputs=3,
    ),
    "LSTM, both ways": Case("LSTM", LSTM, {"hidden_size": 5, "direction": "bidirectional"}, outputs=3),
    "LSTM, reverse, from states": Case(
        "LSTM",
        [LSTM[0], numbers(LSTM[1].value[:1]), numbers(LSTM[2].value[:1]), "", "", normal(1, 2, 5), normal(1, 2, 5)],
        {"hidden_size": 5, "direction": "reverse"},
        outputs=3,
    ),
    **{
        f"GRU, {late}": Case(
            "GRU",
            [normal(4, 2, 3), numbers(normal(2, 15, 3)), numbers(normal(2, 15, 5)), numbers(normal(2, 30))],
            {"hidden_size": 5, "linear_before_reset": late, "direction": "bidirectional"},
            outputs=2,
        )
        for late in (0, 1)
    },
    "RNN": Case(
        "RNN",
        [normal(4, 2, 3), numbers(normal(1, 5, 3)), numbers(normal(1, 5, 5))],
        {"hidden_size": 5, "activations": ["Relu"]},
        outputs=2,
    ),
    # quantised
    "QuantizeLinear": Case("QuantizeLinear", [X, STEP, ZERO], step=1),
    "QuantizeLinear, signed by channel": Case(
        "QuantizeLinear", [X, numbers([0.01, 0.02, 0.03]), held([0, 0, 0], np.int8)], {"axis": 1}, step=1
    ),
    "DequantizeLinear": Case("DequantizeLinear", [QUANTISED, STEP, ZERO]),
    "DynamicQuantizeLinear": Case("DynamicQuantizeLinear", [X], outputs=3, step=1),
    "QLinearConv": Case(
        "QLinearConv",
        [
            QUANTISED,
            STEP,
            ZERO,
            held(whole(-63, 63, 4, 3, 3, 3), np.int8),  # with more, onnxruntime saturates on processors without VNNI
            numbers([0.01, 0.02, 0.01, 0.03]),
            held([0] * 4, np.int8),
            WIDE,
            ZERO,
            held(whole(-99, 99, 4), np.int32),
        ],
        {"pads": [1, 1, 1, 1]},
        step=1,
    ),
    "ConvInteger": Case(
        "ConvInteger", [QUANTISED, held(whole(0, 255, 4, 3, 3, 3), np.uint8), ZERO, ZERO], {"pads": [1, 1, 1, 1]}
    ),
    "QLinearMatMul": Case(
        "QLinearMatMul",
        [whole(0, 255, 3, 8, kind=np.uint8), STEP, ZERO, held(whole(0, 255, 8, 4), np.uint8), STEP, ZERO, WIDE, ZERO],
        step=1,
    ),
    "MatMulInteger": Case(
        "MatMulInteger", [whole(0, 255, 3, 8, kind=np.uint8), held(whole(-99, 99, 8, 4), np.int8), ZERO]
    ),
    "QLinearAdd": Case(
        "QLinearAdd", [QUANTISED, STEP, ZERO, QUANTISED[::-1], STEP, ZERO, WIDE, ZERO], domain=MICROSOFT, step=1
    ),
    "QLinearMul": Case(
        "QLinearMul", [QUANTISED, STEP, ZERO, QUANTISED, STEP, ZERO, WIDE, ZERO], domain=MICROSOFT, step=1
    ),
    "QLinearSigmoid": Case(
        "QLinearSigmoid", [QUANTISED, STEP, ZERO, numbers(1 / 256), held(0, np.uint8)], domain=MICROSOFT, step=1
    ),
    "QLinearLeakyRelu": Case(
        "QLinearLeakyRelu", [QUANTISED, STEP, ZERO, STEP, ZERO], {"alpha": 0.1}, domain=MICROSOFT, step=1
    ),
    "QLinearGlobalAveragePool": Case(
        "QLinearGlobalAveragePool", [QUANTISED, STEP, ZERO, STEP, ZERO], domain=MICROSOFT, step=1
    ),
    "QLinearAveragePool": Case(
        "QLinearAveragePool", [QUANTISED, STEP, ZERO, STEP, ZERO], {"kernel_shape": [2, 2]}, domain=MICROSOFT, step=1
    ),
    "QLinearConcat": Case(
        "QLinearConcat",
        [WIDE, ZERO, QUANTISED, STEP, ZERO, QUANTISED, WIDE, ZERO],
        {"axis": 1},
        domain=MICROSOFT,
        step=1,
    ),
    "QGemm": Case(
        "QGemm",
        [
            whole(0, 255, 3, 8, kind=np.uint8),
            STEP,
            ZERO,
            held(whole(-99, 99, 4, 8), np.int8),
            STEP,
            held(0, np.int8),
            held(whole(-99, 99, 4), np.int32),
            WIDE,
            ZERO,
        ],
        {"transB": 1},
        domain=MICROSOFT,
        step=1,
    ),
    "FusedConv": Case(
        "FusedConv", [X, numbers(normal(4, 3, 3, 3)), numbers(normal(4))], {"activation": "Relu"}, domain=MICROSOFT
    ),
    "FusedMatMul": Case("FusedMatMul", [normal(3, 4), normal(5, 4)], {"transB": 1, "alpha": 0.5}, domain=MICROSOFT),
    "BiasGelu": Case("BiasGelu", [normal(3, 4), numbers(normal(4))], domain=MICROSOFT),
    "QuickGelu": Case("QuickGelu", [normal(3, 4)], domain=MICROSOFT),
    "SkipLayerNormalization": Case(
        "SkipLayerNormalization",
        [normal(1, 3, 4), normal(1, 3, 4), numbers(normal(4)), numbers(normal(4))],
        domain=MICROSOFT,
    ),
    "DFT": Case("DFT", [normal(1, 6, 5, 1)], {"axis": 1}),
    "DFT, onesided": Case("DFT", [normal(1, 6, 5, 1), held(4)], {"axis": 2, "onesided": 1}),
    "DFT, inverse": Case("DFT", [normal(1, 6, 5, 2)], {"axis": 1, "inverse": 1}),
    "DFT, axis as an input": Case("DFT", [normal(1, 6, 5, 2), "", held(-2)], opset=20),
    "STFT": Case("STFT", [normal(1, 20, 1), held(4), numbers(positive(8))]),
    "STFT, both sides, no window": Case("STFT", [normal(1, 20, 1), held(4), "", held(8)], {"onesided": 0}),
    "HannWindow": Case("HannWindow", [np.array(9)]),
    "HammingWindow": Case("HammingWindow", [np.array(9)], {"periodic": 0}),
    "BlackmanWindow": Case("BlackmanWindow", [np.array(8)]),
    "RotaryEmbedding": Case(
        "RotaryEmbedding",
        [normal(1, 2, 3, 8), numbers(normal(5, 4)), numbers(normal(5, 4)), held([[0, 2, 4]])],
        opset=23,
    ),
    "RotaryEmbedding, interleaved, in part": Case(
        "RotaryEmbedding",
        [normal(1, 3, 16), numbers(normal(1, 3, 2)), numbers(normal(1, 3, 2))],
        {"interleaved": 1, "num_heads": 2, "rotary_embedding_dim": 4},
        opset=23,
    ),
}
