"""Small networks, and what they are exported to for tests: ONNX graphs node by node, torch.export, TorchScript."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SIDE = 32


class Block(nn.Module):
    """Two convolutions with a way around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x + self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))


class Residual(nn.Module):
    """A small classifier whose normalisations have seen something."""

    def __init__(self, *, channels: int = 3, classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.block = Block(8)
        self.act = nn.GELU()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.average(self.act(self.block(self.pool(self.stem(x))))).flatten(1))


def residual(*, channels: int = 3, classes: int = 4) -> Residual:
    """Return the classifier with random weights, in evaluation mode."""
    torch.manual_seed(0)
    net = Residual(channels=channels, classes=classes)
    net.train()
    with torch.no_grad():
        net(torch.randn(8, channels, SIDE, SIDE))
    return net.eval()


def pt2(net: nn.Module, path: Path, *, batch: bool = False, channels: int = 3) -> Path:
    """Save a network as torch.export does, for one picture or any number of them."""
    sample = torch.randn(2 if batch else 1, channels, SIDE, SIDE)
    dims = ({0: torch.export.Dim("batch", min=1, max=64)},) if batch else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(net, (sample,), dynamic_shapes=dims), path)
    return path


def script(net: nn.Module, path: Path) -> Path:
    """Save a network as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net).save(str(path))
    return path


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Copy an archive with some of its records changed, or left out where `change` returns None."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            short = name.partition("/")[2]
            content = change(short, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def graph_with(edit: Callable[[dict[str, Any]], None]) -> Callable[[str, bytes], bytes]:
    """Return a change of the JSON of a torch.export program."""

    def change(name: str, content: bytes) -> bytes:
        if name != "models/model.json":
            return content
        program = json.loads(content)
        edit(program)
        return json.dumps(program).encode()

    return change


def nodes(program: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes of a program's JSON."""
    return program["graph_module"]["graph"]["nodes"]


class Graph:
    """An ONNX graph under construction: tensors by name, nodes in order."""

    def __init__(self, onnx: Any, *, opset: int = 17, seed: int = 0) -> None:
        self.onnx, self.opset, self.rng = onnx, opset, np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def hold(self, name: str, value: Any, kind: Any = np.float32) -> str:
        """Add an initializer."""
        self.tensors.append(self.onnx.numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def drawn(self, name: str, *shape: int) -> str:
        """Add an initializer of small random numbers."""
        return self.hold(name, self.rng.normal(size=shape) * 0.3)

    def add(self, kind: str, *inputs: str, name: str = "", outputs: int = 1, **attributes: Any) -> Any:
        """Add a node and return its output, or outputs."""
        made = [f"v{len(self.nodes)}_{at}" for at in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, made, name=name, **attributes))
        return made[0] if outputs == 1 else made

    def model(self, shape: tuple[Any, ...], **outputs: str) -> Any:
        """Return the ModelProto with one input `x`, and outputs by name."""
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        for name, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name], name=f"out_{name}"))
        entry = helper.make_tensor_value_info("x", kind, shape)
        ends = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", [entry], ends, self.tensors)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        made.ir_version = 8
        return made


def batch_norm(graph: Graph, x: str, path: str, width: int) -> str:
    """Add a batch normalisation with the tensors' names of PyTorch."""
    spread = graph.hold(f"{path}.running_var", graph.rng.uniform(0.5, 2, width))
    names = [graph.drawn(f"{path}.{end}", width) for end in ("weight", "bias", "running_mean")]
    return graph.add("BatchNormalization", x, *names, spread, epsilon=1e-3)


def plain(onnx: Any, *, opset: int = 17) -> Any:
    """Return conv, norm, relu, pool, linear."""
    g = Graph(onnx, opset=opset)
    x = g.add("Conv", "x", g.drawn("stem.conv.weight", 6, 3, 3, 3), g.drawn("stem.conv.bias", 6), pads=[1, 1, 1, 1])
    x = g.add("Relu", batch_norm(g, x, "stem.norm", 6), name="/stem/act/Relu")
    x = g.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1], name="/stem/pool/MaxPool")
    x = g.add("Conv", x, g.drawn("stem.deep.weight", 6, 1, 3, 3), group=6, auto_pad="SAME_UPPER", strides=[2, 2])
    x = g.add("Flatten", g.add("GlobalAveragePool", g.add("Clip", x, g.hold("low", 0.0), g.hold("high", 6.0))))
    x = g.add("Gemm", x, g.drawn("head.fc.weight", 4, 6), g.drawn("head.fc.bias", 4), transB=1)
    return g.model((1, 3, SIDE, SIDE), scores=x)


def residual_graph(onnx: Any) -> Any:
    """Return a residual network as new exporters write it: opset 20, means with axes as inputs, any batch."""
    g = Graph(onnx, opset=20)
    x = g.add("Conv", "x", g.drawn("stem.weight", 8, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    y = g.add("Gelu", g.add("Conv", x, g.drawn("block.conv1.weight", 8, 8, 3, 3), pads=[1, 1, 1, 1]))
    y = g.add("Conv", y, g.drawn("block.conv2.weight", 8, 8, 3, 3), pads=[1, 1, 1, 1])
    x = g.add("Relu", g.add("Add", x, y))
    a, b = g.add("Split", x, outputs=2, axis=1, num_outputs=2)
    x = g.add("Mul", a, g.add("Sigmoid", b))
    x = g.add(
        "Resize", x, "", g.hold("scales", [1, 1, 2, 2]), mode="linear", coordinate_transformation_mode="half_pixel"
    )
    x = g.add("ReduceMean", x, g.hold("axes", [2, 3], np.int64), keepdims=0)
    x = g.add("Reshape", x, g.hold("shape", [0, -1], np.int64))
    x = g.add("Softmax", g.add("MatMul", x, g.drawn("fc.kernel", 4, 5)))
    return g.model(("N", 3, SIDE, SIDE), probabilities=x)


def transformer(onnx: Any) -> Any:
    """Return a small vision transformer with a class token: shapes worked out as it runs, attention of one head."""
    g = Graph(onnx, opset=17)
    width, tokens = 8, (SIDE // 8) ** 2 + 1
    x = g.add("Conv", "x", g.drawn("patch.weight", width, 3, 8, 8), g.drawn("patch.bias", width), strides=[8, 8])
    count = g.add(
        "Unsqueeze", g.add("Gather", g.add("Shape", x), g.hold("first", 0, np.int64)), g.hold("at", [0], np.int64)
    )
    wanted = g.add("Concat", count, g.hold("sides", [width, -1], np.int64), axis=0)
    x = g.add("Transpose", g.add("Reshape", x, wanted), perm=[0, 2, 1])
    token = g.add(
        "Expand", g.drawn("token", 1, 1, width), g.add("Concat", count, g.hold("one", [1, width], np.int64), axis=0)
    )
    x = g.add("Add", g.add("Concat", token, x, axis=1), g.drawn("places", 1, tokens, width))
    y = g.add("LayerNormalization", x, g.drawn("ln.weight", width), g.drawn("ln.bias", width), axis=-1)
    q, k, v = (g.add("MatMul", y, g.drawn(f"{n}.kernel", width, width)) for n in "qkv")
    scores = g.add("Div", g.add("MatMul", q, g.add("Transpose", k, perm=[0, 2, 1])), g.hold("root", np.sqrt(width)))
    x = g.add("Add", x, g.add("MatMul", g.add("Softmax", scores, axis=-1), v))
    ends = [g.hold(name, [value], np.int64) for name, value in (("from", 0), ("to", 1), ("along", 1))]
    x = g.add("Squeeze", g.add("Slice", x, *ends), g.hold("gone", [1], np.int64))
    x = g.add("Gemm", x, g.drawn("head.weight", 3, width), g.drawn("head.bias", 3), transB=1)
    return g.model(("N", 3, SIDE, SIDE), logits=x)


def odd(onnx: Any) -> Any:
    """Return a map made by the less usual operators, of an input with its channels last."""
    g = Graph(onnx, opset=13)
    x = g.add("Transpose", "x", perm=[0, 3, 1, 2])
    x = g.add("Pad", x, g.hold("pads", [0, 0, 1, 2, 0, 0, 2, 1], np.int64), mode="reflect")
    x = g.add("ConvTranspose", x, g.drawn("up.weight", 3, 8, 2, 2), g.drawn("up.bias", 8), strides=[2, 2])
    x = g.add("HardSigmoid", g.add("PRelu", x, g.drawn("slope.weight", 8, 1, 1)), alpha=0.3)
    x = g.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    x = g.add("DepthToSpace", x, blocksize=2)
    x = g.add(
        "Sub", g.add("InstanceNormalization", x, g.drawn("in.weight", 2), g.drawn("in.bias", 2)), g.hold("c", 0.1)
    )
    steps = [g.hold(n, v, np.int64) for n, v in (("b", [-1]), ("e", [-9999]), ("ax", [3]), ("st", [-2]))]
    x = g.add("Slice", g.add("Pow", g.add("Abs", x), g.hold("two", 2.0)), *steps)
    x = g.add("LeakyRelu", g.add("Max", x, g.add("Neg", g.add("Tanh", x))), alpha=0.2)
    return g.model((1, SIDE, SIDE, 3), map=x)
