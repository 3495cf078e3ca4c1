"""ONNX detectors that really see: they find the reddest cells of a picture, as exports of many forms would say it.

The picture holds a red square; its cells score high, and every one of them gives the box around all red. So what the
outputs say comes from the picture, and a wrong value range, order of colours, size or unit gives wrong boxes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import programs
from PIL import Image

SIDE, CELL, ROWS = 64, 8, 10


def picture(
    path: Path, size: tuple[int, int] = (300, 200), box: tuple[int, int, int, int] = (150, 50, 225, 125)
) -> Path:
    """Save a grey picture of a size (w, h) with a red box x0 y0 x1 y1."""
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = (250, 10, 10)
    Image.fromarray(pixels).save(path)
    return path


class Red:
    """A graph under construction that has found the red: `scores` (1, ROWS) and `boxes` (1, ROWS, 4) x0 y0 x1 y1 in
    shares."""

    def __init__(
        self, onnx: Any, *, scale: float = 1.0, last: bool = False, kind: int = 1, batch: Any = 1, mask: str = "",
        mask_kind: int = 1, padding: bool = False,
    ) -> None:  # fmt: skip
        self.onnx = onnx
        self.graph = g = programs.Graph(onnx)
        x = "x"
        if kind != 1:
            x = g.add("Cast", x, to=1)
        if batch == -1:
            x = g.add("Unsqueeze", x, g.hold("none", [0], np.int64))
        if last:
            x = g.add("Transpose", x, perm=[0, 3, 1, 2])
        if batch == 4:  # a graph that runs on four pictures only
            x = g.add(
                "Slice",
                g.add("Reshape", x, g.hold("four", [4, 3, SIDE, SIDE], np.int64)),
                g.hold("from", [0], np.int64),
                g.hold("to", [1], np.int64),
            )
        weights = np.full((1, 3, 1, 1), -0.5 / scale)
        weights[0, 0] = 1 / scale
        red = g.add("Conv", x, g.hold("red", weights))
        cells = g.add("AveragePool", g.add("Relu", red), kernel_shape=[CELL, CELL], strides=[CELL, CELL])
        if mask:
            given = g.add("Cast", mask, to=1) if mask_kind != 1 else mask
            given = g.add("Sub", g.hold("whole", 1.0), given) if padding else given
            given = g.add("Reshape", given, g.hold("as_map", [1, 1, SIDE, SIDE], np.int64))
            given = g.add("AveragePool", given, kernel_shape=[CELL, CELL], strides=[CELL, CELL])
            cells = g.add("Mul", cells, given)
        columns = g.add("ReduceMax", cells, axes=[2], keepdims=0)
        lines = g.add("ReduceMax", cells, axes=[3], keepdims=0)
        flat = g.add("Reshape", cells, g.hold("flat", [0, -1], np.int64))
        self.scores, _ = g.add("TopK", flat, g.hold("rows", [ROWS], np.int64), outputs=2, axis=1)
        sides = [self._span(columns, "x"), self._span(lines, "y")]
        ends = [sides[0][0], sides[1][0], sides[0][1], sides[1][1]]
        box = g.add("Concat", *ends, axis=1)
        self.boxes = g.add(
            "Tile", g.add("Unsqueeze", box, g.hold("second", [1], np.int64)), g.hold("t", [1, ROWS, 1], np.int64)
        )

    def _span(self, values: str, name: str) -> tuple[str, str]:
        """Return where along an axis values (1, 1, K) are high, from and to, as (1, 1) shares."""
        g, count = self.graph, SIDE // CELL
        high = g.add(
            "Greater", g.add("Squeeze", values, g.hold(f"one_{name}", [1], np.int64)), g.hold(f"half_{name}", 0.4)
        )
        first = g.hold(f"first_{name}", np.arange(count)[None] / count)
        last = g.hold(f"last_{name}", (np.arange(count)[None] + 1) / count)
        beyond, none = g.hold(f"beyond_{name}", 1.0), g.hold(f"none_{name}", 0.0)
        low = g.add("ReduceMin", g.add("Where", high, first, beyond), axes=[1])
        top = g.add("ReduceMax", g.add("Where", high, last, none), axes=[1])
        return low, top

    def scaled(self, name: str, *, order: str, kind: int = 7, divided: str = "") -> str:
        """Return the boxes times an input of two numbers (1, 2), width first or height first, over another's."""
        g = self.graph
        size = g.add("Cast", name, to=1) if kind != 1 else name
        size = g.add("Reshape", size, g.hold(f"row_{name}", [1, 2], np.int64))
        if divided:
            size = g.add("Div", size, divided)
        if order == "hw":
            size = g.add("Gather", size, g.hold(f"turn_{name}", [1, 0], np.int64), axis=1)
        whole = g.add("Unsqueeze", g.add("Concat", size, size, axis=1), g.hold(f"at_{name}", [1], np.int64))
        return g.add("Mul", self.boxes, whole)

    def model(
        self, outputs: dict[str, str], inputs: list[tuple[str, int, list[Any]]], picture: tuple[str, int, list[Any]]
    ) -> Any:
        """Return the ModelProto with `inputs` (name, type, shape) in order, the picture's among them."""
        helper, g = self.onnx.helper, self.graph
        made = g.model((1, 3, SIDE, SIDE), **outputs)
        for node in made.graph.node:
            for at, name in enumerate(node.input):
                node.input[at] = picture[0] if name == "x" else name
        del made.graph.input[:]
        made.graph.input.extend(helper.make_tensor_value_info(*one) for one in (inputs or [picture]))
        return made


def labels(red: Red, kind: int = 7) -> str:
    """Return a label of 0 for each row."""
    g = red.graph
    return g.add("Cast", g.add("Mul", red.scores, g.hold("nothing", 0.0)), to=kind)


def rt_detr(
    onnx: Any,
    *,
    order: str = "wh",
    kind: int = 7,
    names: tuple[str, str] = ("images", "orig_target_sizes"),
    shape: tuple[Any, ...] = ("N", 2),
    first: bool = True,
) -> Any:
    """RT-DETR's three outputs, boxes times an input of the picture's size."""
    red = Red(onnx)
    boxes = red.scaled(names[1], order=order, kind=kind)
    picture, size = (names[0], 1, [1, 3, SIDE, SIDE]), (names[1], kind, list(shape))
    outputs = {"labels": labels(red), "boxes": boxes, "scores": red.scores}
    return red.model(outputs, [picture, size] if first else [size, picture], picture)


def paddle(onnx: Any) -> Any:
    """Paddle's three inputs: size of the input, picture, factors by which it was scaled; rows of class, score, box."""
    red = Red(onnx)
    g = red.graph
    boxes = red.scaled("im_shape", order="hw", kind=1, divided="scale_factor")
    cells = [
        g.add("Unsqueeze", part, g.hold(f"u{n}", [2], np.int64)) for n, part in enumerate((labels(red, 1), red.scores))
    ]
    rows = g.add("Reshape", g.add("Concat", *cells, boxes, axis=2), g.hold("sixes", [-1, 6], np.int64))
    picture = ("image", 1, [1, 3, SIDE, SIDE])
    return red.model(
        {"rows": rows, "count": g.add("Identity", g.hold("ten", [ROWS], np.int32))},
        [("im_shape", 1, [1, 2]), picture, ("scale_factor", 1, [1, 2])],
        picture,
    )


def plain(onnx: Any, *, kind: int = 1, last: bool = False, batch: Any = 1) -> Any:
    """Rows of box, score and class in pixels of the input, of a picture of another type, order or batch."""
    red = Red(onnx, scale=255.0 if kind == 2 else 1.0, last=last, kind=kind, batch=batch)
    g = red.graph
    sides = g.hold("sides", np.full((1, 1, 4), SIDE))
    cells = [
        g.add("Unsqueeze", part, g.hold(f"u{n}", [2], np.int64)) for n, part in enumerate((red.scores, labels(red, 1)))
    ]
    rows = g.add("Concat", g.add("Mul", red.boxes, sides), *cells, axis=2)
    shape: list[Any] = [SIDE, SIDE, 3] if last else [3, SIDE, SIDE]
    shape = shape if batch == -1 else [batch, *shape]
    return red.model({"rows": rows}, [], ("x", kind, shape))


def masked(onnx: Any, *, name: str, kind: int, shape: list[Any], padding: bool = False) -> Any:
    """DETR's kind with a mask as a second input: cells count where it is 1, or where it is not padding."""
    red = Red(onnx, mask=name, mask_kind=kind, padding=padding)
    g = red.graph
    sides = g.hold("sides", np.full((1, 1, 4), SIDE))
    outputs = {"labels": labels(red), "boxes": g.add("Mul", red.boxes, sides), "scores": red.scores}
    picture = ("pixel_values", 1, [1, 3, SIDE, SIDE])
    return red.model(outputs, [picture, (name, kind, shape)], picture)


def suppressing(onnx: Any) -> Any:
    """A detector with its suppression inside, whose limits are inputs."""
    red = Red(onnx)
    g = red.graph
    sides = g.hold("sides", np.full((1, 1, 4), SIDE))
    boxes = g.add("Mul", red.boxes, sides)
    scores = g.add("Unsqueeze", red.scores, g.hold("c", [1], np.int64))
    kept = g.add("NonMaxSuppression", boxes, scores, "max_output_boxes", "iou_threshold", "score_threshold")
    at = g.add(
        "Squeeze",
        g.add("Slice", kept, g.hold("s", [2], np.int64), g.hold("e", [3], np.int64), g.hold("a", [1], np.int64)),
        g.hold("q", [1], np.int64),
    )
    cells = [
        g.add("Unsqueeze", part, g.hold(f"u{n}", [2], np.int64)) for n, part in enumerate((red.scores, labels(red, 1)))
    ]
    rows = g.add("Gather", g.add("Concat", boxes, *cells, axis=2), at, axis=1)
    picture = ("images", 1, [1, 3, SIDE, SIDE])
    limits = [("max_output_boxes", 7, [1]), ("iou_threshold", 1, [1]), ("score_threshold", 1, [1])]
    return red.model({"rows": rows}, [picture, *limits], picture)


def queries(onnx: Any, names: tuple[str, str], *, classes: int, boxes_first: bool) -> Any:
    """DETR's two outputs with sigmoids: boxes as centres in shares, logits of classes of which the first is red."""
    red = Red(onnx)
    g = red.graph
    turn = np.array([[0.5, 0, -1, 0], [0, 0.5, 0, -1], [0.5, 0, 1, 0], [0, 0.5, 0, 1]])
    centred = g.add("MatMul", red.boxes, g.hold("turn", turn))
    first = g.add("Unsqueeze", red.scores, g.hold("at", [2], np.int64))
    logits = g.add("Mul", g.add("Sub", first, g.hold("half", 0.5)), g.hold("ten", 10.0))
    logits = g.add("Sub", logits, g.hold("fewer", np.arange(ROWS)[:, None] * 1.5))
    others = g.hold("others", np.full((1, ROWS, classes - 1), -6.0) - np.arange(ROWS)[:, None] / 9)
    both = [g.add("Concat", logits, others, axis=2), centred]
    both = both[::-1] if boxes_first else both
    return red.model(dict(zip(names, both, strict=True)), [], ("x", 1, [1, 3, SIDE, SIDE]))
