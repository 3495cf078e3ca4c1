"""Every ONNX operator that is converted, in one tiny graph each, against onnxruntime, in one table."""

from __future__ import annotations

from typing import Any

import numpy as np
import programs
import pytest
import torch
from operator_cases import CASES, STEP, ZERO, Case, Held, X, normal, whole

from models.exported import onnx_graph, onnx_operators, onnx_random, onnx_subgraphs
from models.types import Refusal

runtime: Any = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
onnx: Any = pytest.importorskip("onnx", reason="onnx is not installed")


def model_of(case: Case, *, sequence: bool = False) -> tuple[Any, np.ndarray]:
    """A model whose picture (1, 1, 1, K) is cut into the node's inputs, and that picture."""
    graph = programs.Graph(onnx, opset=case.opset)
    parts = [one for one in case.inputs if isinstance(one, np.ndarray)]
    x = np.concatenate([part.astype(np.float32).ravel() for part in parts])
    names, at = [], 0
    flat = graph.add("Reshape", "x", graph.hold("flat", [-1], np.int64))
    for number, one in enumerate(case.inputs):
        if isinstance(one, Held):
            names.append(graph.hold(f"held{number}", one.value, one.value.dtype))
        elif isinstance(one, str):
            names.append("")
        else:
            ends = [
                graph.hold(f"{word}{number}", [place], np.int64)
                for word, place in (("from", at), ("to", at + one.size))
            ]
            cut = _slice(graph, flat, ends, at, one.size)
            made = graph.add("Reshape", cut, graph.hold(f"sides{number}", one.shape, np.int64))
            kind = onnx.helper.np_dtype_to_tensor_dtype(one.dtype)
            names.append(made if one.dtype == np.float32 else graph.add("Cast", made, to=kind))
            at += one.size
    made = graph.add(case.op, *names, outputs=case.outputs, domain=case.domain, **case.attributes)
    made = [made] if isinstance(made, str) else made
    made = [graph.add("Cast", name, to=1) for name in made]
    model = graph.model((1, 1, 1, x.size), **{f"y{n}": name for n, name in enumerate(made)})
    if case.domain:
        model.opset_import.append(onnx.helper.make_opsetid(case.domain, 1))
    return model, x.reshape(1, 1, 1, -1)


def _slice(graph: Any, flat: str, ends: list[str], at: int, size: int) -> str:
    if graph.opset < 10:
        return graph.add("Slice", flat, starts=[at], ends=[at + size], axes=[0])
    return graph.add("Slice", flat, *ends)


def both(model: Any, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What Vitrine and what onnxruntime makes of a picture."""
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(model.SerializeToString(), options)
    theirs = session.run(None, {session.get_inputs()[0].name: x})
    net, _ = onnx_graph.convert(model, name="net")
    with torch.no_grad():
        made = net(torch.from_numpy(x))
    mine = list(made.values()) if isinstance(made, dict) else [made]
    return [one.numpy() for one in mine], theirs


@pytest.mark.parametrize("name", CASES)
def test_an_operator_equals_onnxruntime(name: str) -> None:
    case = CASES[name]
    mine, theirs = both(*model_of(case))
    assert len(mine) == len(theirs) == case.outputs
    for own, other in zip(mine, theirs, strict=True):
        assert own.shape == other.shape
        np.testing.assert_allclose(own, other, atol=max(case.step, 1e-4), rtol=1e-4)


def test_the_table_has_every_operator_that_is_converted() -> None:
    """Sequences, control flow and what onnxruntime cannot run stand in tests of their own."""
    apart = {"Constant", "ConstantOfShape", "Scatter", "Swish", "Mish", *onnx_subgraphs.KINDS}
    apart |= {name for name in onnx_operators.SPECIAL if "Sequence" in name} - {"ReverseSequence"}
    apart |= {*onnx_random.BUILDERS}  # test_code_networks.py
    known = {*onnx_operators.FUNCTIONS, *onnx_operators.MODULES, *onnx_operators.SPECIAL, *onnx_operators.REDUCED}
    assert known - {case.op for case in CASES.values()} - apart == set()


def body(nodes: list[Any], inputs: list[Any], outputs: list[Any], tensors: list[Any] | None = None) -> Any:
    return onnx.helper.make_graph(nodes, "body", inputs, outputs, tensors or [])


def value(name: str, kind: int = 1, shape: Any = None) -> Any:
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def looped() -> tuple[Any, np.ndarray]:
    """Four turns that add the turn to a sum, collect it, and end once it is large; one value comes from outside."""
    node, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    inner = body(
        [
            node("Cast", ["turn"], ["by"], to=1),
            node("Mul", ["by", "twice"], ["step"]),
            node("Add", ["sum", "step"], ["next"]),
            node("ReduceMax", ["next"], ["largest"], keepdims=0),
            node("Less", ["largest", "limit"], ["again"]),
            node("Identity", ["next"], ["kept"]),
        ],
        [value("turn", 7, []), value("going", 9, []), value("sum")],
        [value("again", 9), value("next"), value("kept")],
        [constant(np.array(11.0, np.float32), "limit")],
    )
    graph = programs.Graph(onnx)
    twice = graph.add("Mul", "x", graph.hold("two", 2.0))
    graph.nodes[-1].output[0] = "twice"
    del twice
    graph.nodes.append(
        node("Loop", [graph.hold("most", 9, np.int64), graph.hold("start", True, bool), "x"], ["a", "b"], body=inner)
    )
    return graph.model((1, 1, 2, 2), last="a", all="b"), np.array([[[[0.5, 1.0], [1.5, 0.2]]]], np.float32)


def branched(number: float) -> tuple[Any, np.ndarray]:
    """One of two branches, as the picture's sum says; both use a value from outside, one has a constant of its own."""
    node, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    yes = body([node("Add", ["own", "x"], ["y"])], [], [value("y")], [constant(np.array(7.0, np.float32), "own")])
    no = body([node("Mul", ["x", "outer"], ["n"])], [], [value("n")])
    graph = programs.Graph(onnx)
    total = graph.add("ReduceSum", "x", keepdims=0)
    graph.nodes.append(node("Sigmoid", ["x"], ["outer"]))
    high = graph.add("Greater", total, graph.hold("zero", 0.0))
    graph.nodes.append(node("If", [high], ["made"], then_branch=yes, else_branch=no))
    return graph.model((1, 1, 2, 2), y="made"), np.full((1, 1, 2, 2), number, np.float32)


def scanned() -> tuple[Any, np.ndarray]:
    """The running sum over rows, and each row less it."""
    node = onnx.helper.make_node
    inner = body(
        [node("Add", ["sum", "row"], ["next"]), node("Sub", ["row", "next"], ["less"])],
        [value("sum", 1, [3]), value("row", 1, [3])],
        [value("next", 1, [3]), value("less", 1, [3])],
    )
    graph = programs.Graph(onnx)
    rows = graph.add("Reshape", "x", graph.hold("sides", [4, 3], np.int64))
    first = graph.hold("first", np.zeros(3))
    graph.nodes.append(node("Scan", [first, rows], ["a", "b"], body=inner, num_scan_inputs=1))
    return graph.model((1, 1, 4, 3), last="a", all="b"), normal(1, 1, 4, 3)


def sequenced() -> tuple[Any, np.ndarray]:
    """Pieces of a picture, one put in, one taken out, and joined again."""
    graph = programs.Graph(onnx)
    pieces = graph.add("SplitToSequence", "x", graph.hold("sizes", [2, 1], np.int64), axis=1)
    more = graph.add("SequenceInsert", pieces, graph.add("Neg", "x"), graph.hold("at", 1, np.int64))
    fewer = graph.add("SequenceErase", more, graph.hold("gone", 0, np.int64))
    joined = graph.add("ConcatFromSequence", fewer, axis=1)
    second = graph.add("SequenceAt", more, graph.hold("second", 1, np.int64))
    both_of = graph.add("SequenceConstruct", second, "x")
    stacked = graph.add("ConcatFromSequence", both_of, axis=0, new_axis=1)
    count = graph.add("Cast", graph.add("SequenceLength", more), to=1)
    return graph.model((1, 3, 2, 2), joined=joined, stacked=stacked, count=count), normal(1, 3, 2, 2)


def function() -> tuple[Any, np.ndarray]:
    """A function of the model's own, with an attribute, called twice."""
    node = onnx.helper.make_node
    leaky = node("LeakyRelu", ["a"], ["b"])
    leaky.attribute.add(name="alpha", ref_attr_name="slope", type=1)
    made = onnx.helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["c"],
        [leaky, node("Add", ["b", "b"], ["c"])],
        [onnx.helper.make_opsetid("", 17)],
        ["slope"],
    )
    graph = programs.Graph(onnx)
    once = graph.add("Twice", "x", domain="own", slope=0.3)
    twice = graph.add("Twice", once, domain="own", slope=0.5)
    model = graph.model((1, 1, 2, 3), y=twice)
    model.functions.append(made)
    model.opset_import.append(onnx.helper.make_opsetid("own", 1))
    return model, normal(1, 1, 2, 3)


MODELS = {
    "Loop": looped,
    "If, then": lambda: branched(0.5),
    "If, else": lambda: branched(-0.5),
    "Scan": scanned,
    "sequences": sequenced,
    "function": function,
}


@pytest.mark.parametrize("name", MODELS)
def test_control_flow_sequences_and_functions_equal_onnxruntime(name: str) -> None:
    mine, theirs = both(*MODELS[name]())
    assert len(mine) == len(theirs)
    for own, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)


def test_a_loop_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_subgraphs, "MOST_TURNS", 50)
    model, x = looped()
    limit = next(t for n in model.graph.node if n.op_type == "Loop" for t in n.attribute[0].g.initializer)
    limit.CopyFrom(onnx.numpy_helper.from_array(np.array(np.inf, np.float32), "limit"))
    next(t for t in model.graph.initializer if t.name == "most").CopyFrom(
        onnx.numpy_helper.from_array(np.array(2**62), "most")
    )
    net, _ = onnx_graph.convert(model, name="net")
    with pytest.raises(Refusal, match="more than 50 turns"):
        net(torch.from_numpy(x))


def quantised_network(form: str) -> Any:
    """A convolution as a quantiser writes it: between QuantizeLinear and DequantizeLinear, or as QLinearConv."""
    graph = programs.Graph(onnx, opset=13)
    step, zero = graph.hold("step", 0.02), graph.hold("zero", 128, np.uint8)
    weights = graph.hold("weights", whole(-63, 63, 4, 3, 3, 3), np.int8)
    own = graph.hold("own", [0.01, 0.02, 0.01, 0.02]), graph.hold("middles", [0] * 4, np.int8)
    wide, middle = graph.hold("wide", 0.2), graph.hold("middle", 120, np.uint8)
    x = graph.add("QuantizeLinear", "x", step, zero)
    if form == "QDQ":
        kernel = graph.add("DequantizeLinear", weights, *own, axis=0)
        x = graph.add("Conv", graph.add("DequantizeLinear", x, step, zero), kernel, pads=[1, 1, 1, 1])
        x = graph.add("QuantizeLinear", x, wide, middle)
    else:
        x = graph.add("QLinearConv", x, step, zero, weights, *own, wide, middle, pads=[1, 1, 1, 1])
    return graph.model(("N", 3, 8, 8), y=graph.add("DequantizeLinear", x, wide, middle))


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_a_quantised_network_is_one_step_off_at_most_and_lets_gradients_through(form: str) -> None:
    model, x = quantised_network(form), normal(2, 3, 8, 8)
    (mine,), (theirs,) = both(model, x)
    off = np.abs(mine - theirs)
    assert off.max() <= 0.2 + 1e-5 and (off > 1e-5).mean() < 0.02 and np.ptp(theirs) > 2
    net, _ = onnx_graph.convert(model, name="net")
    given = torch.from_numpy(x).requires_grad_()
    net(given).sum().backward()
    assert given.grad is not None and float(given.grad.abs().sum()) > 0
    assert any(isinstance(module, torch.nn.Conv2d) for module in net.modules()), "its filters can be looked at"


@pytest.mark.parametrize("op", ["RoiAlign", "LSTM", "QuantizeLinear", "StringNormalizer"])
def test_what_is_not_supported_of_an_operator_is_named(op: str) -> None:
    cases = {
        "RoiAlign": Case("RoiAlign", CASES["RoiAlign"].inputs, {"mode": "max"}),
        "LSTM": Case("LSTM", CASES["LSTM"].inputs, {"hidden_size": 5, "clip": 3.0}, outputs=3),
        "QuantizeLinear": Case("QuantizeLinear", [X, STEP, ZERO], {"block_size": 2}, opset=21),
        "StringNormalizer": Case("StringNormalizer", [X]),
    }
    with pytest.raises(Refusal, match=f"not supported: {op}"):
        onnx_graph.convert(model_of(cases[op])[0], name="net")
