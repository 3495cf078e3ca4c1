"""Hostile ONNX graphs: loops, branches and functions that never end or multiply, and sizes beyond any memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

Made = tuple[str, bytes]
FLOAT, WHOLE, YES = 1, 7, 9
LARGE = 2**40


def value(name: str, kind: int = FLOAT, shape: Sequence[int] | None = None) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def held(name: str, number: Any, kind: Any = np.int64) -> Any:
    return onnx.numpy_helper.from_array(np.array(number, kind), name)


def model(nodes: Sequence[Any], holds: Sequence[Any] = (), functions: Sequence[Any] = ()) -> bytes:
    """A model from the picture x (1, 3, 8, 8) to y."""
    graph = helper.make_graph(nodes, "g", [value("x", FLOAT, [1, 3, 8, 8])], [value("y")], holds)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions).SerializeToString()


def body(
    nodes: Sequence[Any], *, results: Sequence[Any] = (), holds: Sequence[Any] = (), prefix: str = "", on: Any = None
) -> Any:
    """A loop's body that makes `next` of `state`; it goes on for ever unless `on` says whether it does."""
    inputs = [value(f"{prefix}turn", WHOLE, []), value(f"{prefix}going", YES, []), value(f"{prefix}state")]
    on = on or helper.make_node("Identity", [f"{prefix}going"], [f"{prefix}again"])
    outputs = [value(f"{prefix}again", YES), value(f"{prefix}next"), *results]
    return helper.make_graph([on, *nodes], "b", inputs, outputs, holds)


def loops() -> Iterator[Made]:
    """Loops and scans."""
    node = helper.make_node
    start, most = held("start", True, bool), held("most", 2**62)
    same = body([node("Neg", ["state"], ["next"])])
    yield "loop-endless.onnx", model([node("Loop", ["", "start", "x"], ["y"], body=same)], [start])
    two = node("Less", ["iturn", "two"], ["iagain"])
    inner = body([node("Neg", ["istate"], ["inext"])], holds=[held("two", 2)], prefix="i", on=two)
    nest = body([node("Loop", ["most", "", "state"], ["next"], body=inner)])
    yield "loop-nested.onnx", model([node("Loop", ["most", "", "x"], ["y"], body=nest)], [most])
    double = body([node("Concat", ["state", "state"], ["next"], axis=3)])
    yield "loop-doubles.onnx", model([node("Loop", ["most", "", "x"], ["y"], body=double)], [most])
    wide = body([node("Neg", ["state"], ["next"]), node("Tile", ["state", "times"], ["row"])], results=[value("row")])
    collects = node("Loop", ["some", "", "x"], ["last", "y"], body=wide)
    yield "loop-collects.onnx", model([collects], [held("some", 9000), held("times", [1, 1, 256, 256])])
    other = node("Loop", ["some", "", "x"], ["y"], body=helper.make_graph([], "b", [], []))
    yield "loop-of-nothing.onnx", model([other], [held("some", 3)])
    yield "loop-without-body.onnx", model([node("Loop", ["some", "", "x"], ["y"])], [held("some", 3)])
    step = [node("Add", ["sum", "row"], ["next"])]
    adds = helper.make_graph(step, "b", [value("sum"), value("row")], [value("next")])
    long = node("Expand", ["x", "long"], ["rows"])
    scan = node("Scan", ["zero", "rows"], ["y"], body=adds, num_scan_inputs=1)
    holds = [held("long", [2**22, 3, 8, 8]), held("zero", np.zeros((3, 8, 8)), np.float32)]
    yield "scan-long.onnx", model([long, scan], holds)
    scan = node("Scan", ["zero", "x"], ["y"], body=adds, num_scan_inputs=2**40)
    yield "scan-of-many.onnx", model([scan], holds)


def nests() -> Iterator[Made]:
    """Branches in branches, and functions that call themselves or each other."""
    node = helper.make_node
    graph = helper.make_graph([node("Neg", ["x"], ["y0"])], "b", [], [value("y0")])
    for at in range(1, 24):
        other = graph if at < 3 else _plain(at)
        one = node("If", ["yes"], [f"y{at}"], then_branch=graph, else_branch=other)
        graph = helper.make_graph([one], "b", [], [value(f"y{at}")])
    last = node("If", ["yes"], ["y"], then_branch=graph, else_branch=graph)
    first = [node("ReduceSum", ["x"], ["sum"], keepdims=0), node("Cast", ["sum"], ["yes"], to=YES)]
    yield "branches-deep.onnx", model([*first, last])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

    def function(name: str, *called: str) -> Any:
        names = ["a", *(f"v{at}" for at in range(len(called) - 1)), "b"]
        pairs = zip(names, called, names[1:], strict=False)
        calls = [node(kind, [old], [new], domain="" if kind == "Neg" else "own") for old, kind, new in pairs]
        return helper.make_function("own", name, ["a"], ["b"], calls, opsets)

    call = [node("F0", ["x"], ["y"], domain="own")]
    yield "function-calls-itself.onnx", model(call, functions=[function("F0", "F0")])
    yield "functions-in-a-circle.onnx", model(call, functions=[function("F0", "F1", "F1"), function("F1", "F0", "F0")])
    multiplied = [function(f"F{at}", *[f"F{at + 1}"] * 10) for at in range(12)]
    yield "functions-multiply.onnx", model(call, functions=[*multiplied, function("F12", "Neg")])


def _plain(at: int) -> Any:
    made = helper.make_node("Identity", ["x"], [f"p{at}"])
    return helper.make_graph([made], "b", [], [value(f"p{at}")])


def sizes() -> Iterator[Made]:
    """Tensors whose sizes are made from the picture's, so that they are known only as it runs."""
    node = helper.make_node
    shape = [node("Shape", ["x"], ["shape"]), node("Mul", ["shape", "by"], ["large"])]
    by, one = held("by", 2**10), held("one", 1.0, np.float32)
    made = {
        "constant": ([node("ConstantOfShape", ["large"], ["y"])], []),
        "expand": ([node("Expand", ["one", "large"], ["y"])], []),
        "tile": ([node("Tile", ["x", "large"], ["y"])], []),
        "pad": ([node("Concat", ["shape", "large"], ["pads"], axis=0), node("Pad", ["x", "pads"], ["y"])], []),
        "resize": ([node("Resize", ["x", "", "", "large"], ["y"], mode="nearest")], []),
        "reshape": ([node("Reshape", ["x", "large"], ["y"])], []),
    }
    for name, (nodes, holds) in made.items():
        yield f"size-{name}.onnx", model([*shape, *nodes], [by, one, *holds])
    far = [node("Range", ["zero", "far", "step"], ["y"])]
    yield "size-range.onnx", model(far, [held("zero", 0), held("far", LARGE), held("step", 1)])
    hot = [node("Cast", ["x"], ["at"], to=WHOLE), node("OneHot", ["at", "far", "pair"], ["y"])]
    yield "size-one-hot.onnx", model(hot, [held("far", [LARGE]), held("pair", [0.0, 1.0], np.float32)])
    view = [node("ReduceSum", ["x"], ["sum"], keepdims=0), node("Cos", ["sum"], ["some"])]
    view.append(node("Expand", ["some", "sides"], ["wide"]))
    for kind in ("NonZero", "Unique"):
        nodes = [*view, node(kind, ["wide"], ["y"])]
        yield f"view-{kind.lower()}.onnx", model(nodes, [held("sides", [64, 64, 512, 512])])
    pieces = [*view, node("SplitToSequence", ["wide"], ["s"], axis=0), node("ConcatFromSequence", ["s"], ["y"], axis=0)]
    yield "view-in-pieces.onnx", model(pieces, [held("sides", [2**28])])
    boxes = [node("Expand", ["box", "many"], ["boxes"]), node("Expand", ["some", "rows"], ["scores"])]
    nodes = [*view[:2], *boxes, node("NonMaxSuppression", ["boxes", "scores", "all"], ["y"])]
    holds = [held("box", [[[0, 0, 1, 1]]], np.float32), held("many", [1, 2**25, 4]), held("rows", [1, 1, 2**25])]
    yield "many-boxes.onnx", model(nodes, [*holds, held("all", 2**25)])


def graphs() -> Iterator[Made]:
    """All of them."""
    yield from loops()
    yield from nests()
    yield from sizes()
