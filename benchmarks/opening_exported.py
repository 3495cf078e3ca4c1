"""Opening an exported network that nobody knows, against loading it and three forward passes.

`python -m benchmarks.opening_exported [FILE.onnx ...]`. Vitrine runs a network on photographs to see what it is. The
peer reads and converts the same file and asks it about three pictures of the same size. Without files a classifier of
twelve convolutions is made and measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.opening import seconds
from benchmarks.paired import Line, at_most, surroundings, table
from models.engine import registry
from models.exported import onnx_file, onnx_graph

LIMIT, PASSES = 1.5, 3
WIDTH, DEPTH, SIDE, CLASSES = 48, 12, 224, 10


def lines(rounds: int, files: list[Path] | None = None) -> list[Line]:
    """Return a line for each file, or for a classifier made here."""
    with TemporaryDirectory() as folder:
        return [opening(path, rounds) for path in files or [classifier(Path(folder))]]


def opening(path: Path, rounds: int) -> Line:
    """Compare opening one file, in turn; both give the same numbers for a picture."""
    found = registry.open_model(str(path))
    height, width = found.preprocess.size
    pictures = torch.randn(PASSES, 1, 3, height, width, generator=torch.Generator().manual_seed(0))

    def bare() -> list[torch.Tensor]:
        net, _ = onnx_graph.convert(onnx_file.read(path)[0], name=path.name)
        with torch.no_grad():
            return [_first(net(picture)) for picture in pictures]

    with torch.no_grad():
        assert torch.equal(_first(found.net(pictures[0])), bare()[0])
    pairs = [(seconds(lambda: registry.open_model(str(path))), seconds(bare)) for _ in range(rounds)]
    size = path.stat().st_size / 1e6
    return at_most(f"Open {path.name}, {size:.1f} MB, and say what it is", *zip(*pairs, strict=True), limit=LIMIT)


def _first(made: torch.Tensor | dict[str, torch.Tensor]) -> torch.Tensor:
    return made if isinstance(made, torch.Tensor) else next(iter(made.values()))


def classifier(folder: Path) -> Path:
    """Save a classifier of random weights as ONNX."""
    onnx = onnx_file.package()
    helper, rng = onnx.helper, np.random.default_rng(0)
    nodes, tensors, x, before = [], [], "x", 3
    for at in range(DEPTH):
        weight = rng.normal(size=(WIDTH, before, 3, 3)).astype(np.float32) * (2 / (before * 9)) ** 0.5
        tensors.append(onnx.numpy_helper.from_array(weight, f"w{at}"))
        strides = [2, 2] if at in (0, 4, 8) else [1, 1]
        nodes.append(helper.make_node("Conv", [x, f"w{at}"], [f"c{at}"], pads=[1, 1, 1, 1], strides=strides))
        nodes.append(helper.make_node("Relu", [f"c{at}"], [f"r{at}"]))
        x, before = f"r{at}", WIDTH
    tensors.append(onnx.numpy_helper.from_array(rng.normal(size=(CLASSES, WIDTH)).astype(np.float32), "head"))
    nodes += [helper.make_node("GlobalAveragePool", [x], ["p"]), helper.make_node("Flatten", ["p"], ["f"])]
    nodes.append(helper.make_node("Gemm", ["f", "head"], ["y"], transB=1))
    entry = helper.make_tensor_value_info("x", 1, ["N", 3, SIDE, SIDE])
    graph = helper.make_graph(nodes, "g", [entry], [helper.make_tensor_value_info("y", 1, None)], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    path = folder / "classifier.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", nargs="*", type=Path)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    before = surroundings()
    print(f"{before}; medians of {given.rounds} interleaved rounds\n\n{table(lines(given.rounds, given.files))}")


if __name__ == "__main__":
    main()
