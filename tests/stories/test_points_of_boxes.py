"""Points that come with boxes, through main(): those planted in RetinaFace, YuNet, YOLO-face and YOLO-pose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from detector_outputs import Outputs, Scene, centred, scene
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import main as program

SIDE = 416
WIDE, HIGH = 520, 312  # of the picture, which the input stretches
Planted = tuple[Outputs, Scene, np.ndarray]


def in_boxes(told: Scene, count: int) -> np.ndarray:
    """Points (R, P, 2) in px of the input that lie in the boxes, the same for all boxes of one object."""
    boxes = centred(told.boxes)
    at = np.random.default_rng(9).uniform(-0.4, 0.4, (1, count, 2))
    return boxes[:, None, :2] + at * boxes[:, None, 2:]


def retinaface() -> Planted:
    """(1, N, 4), (1, N, 2), (1, N, 10): offsets from two square anchors a cell, variances 0.1 and 0.2."""
    # Two published sets have as many anchors; objects like these, apart from each other, tell which it is.
    told = scene(10, classes=1, size=(SIDE, SIDE), per_cell=2)
    sides = np.array([[16, 32], [64, 128], [256, 512]])[told.level, told.anchor][:, None]
    centres = (told.cells + 0.5) * told.stride[:, None]
    boxes, points = centred(told.boxes), in_boxes(told, 5)
    offsets = np.concatenate([(boxes[:, :2] - centres) / (0.1 * sides), np.log(boxes[:, 2:] / sides) / 0.2], 1)
    marks = ((points - centres[:, None]) / (0.1 * sides[:, None])).reshape(len(boxes), 10)
    # An anchor is trained on objects of about its own size.
    own = told.scores * np.exp(-2 * np.log(sides / np.sqrt(boxes[:, 2:].prod(1, keepdims=True))) ** 2)
    scores = np.concatenate([1 - own, own], 1)
    return [("bbox", offsets[None]), ("confidence", scores[None]), ("landmark", marks[None])], told, points


def yunet() -> Planted:
    """cls, obj, bbox and kps of three levels: places in strides from the cell's corner."""
    told = scene(3, classes=1, size=(SIDE, SIDE))
    boxes, points, stride = centred(told.boxes), in_boxes(told, 5), told.stride[:, None]
    box = np.concatenate([boxes[:, :2] / stride - told.cells, np.log(boxes[:, 2:] / stride)], 1)
    marks = (points / stride[:, None] - told.cells[:, None]).reshape(len(boxes), 10)
    made: Outputs = []
    for name, values in (("cls", told.classes), ("obj", told.objectness[:, None]), ("bbox", box), ("kps", marks)):
        made += [(f"{name}_{8 * 2**n}", values[told.level == n][None]) for n in range(3)]
    return made, told, points


def yolo_face() -> Planted:
    """YOLOv5-face's decoded rows (1, 3N, 16): centre, size, objectness, five points, the class."""
    told = scene(3, classes=1, size=(SIDE, SIDE), per_cell=3, anchor_first=True)
    points = in_boxes(told, 5)
    rows = [centred(told.boxes), told.objectness[:, None], points.reshape(len(points), 10), told.classes]
    return [("output", np.concatenate(rows, 1)[None])], told, points


def yolo_pose() -> Planted:
    """YOLOv8's pose (1, 56, N): centre, size, score, seventeen points with a visibility."""
    told = scene(3, classes=1, size=(SIDE, SIDE))
    points = in_boxes(told, 17)
    seen = np.full((len(points), 17, 1), 0.9)
    rows = [centred(told.boxes), told.scores, np.concatenate([points, seen], 2).reshape(len(points), 51)]
    return [("output0", np.concatenate(rows, 1).T[None])], told, points


def saved(outputs: Outputs, path: Path) -> Path:
    """An ONNX file that gives these outputs for every picture of SIDE px."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "no"], ["0"]),
    ]
    held = [numpy_helper.from_array(np.zeros((), np.float32), "no")]
    told = []
    for name, array in outputs:
        held.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), f"{name} kept"))
        nodes.append(helper.make_node("Add", [f"{name} kept", "0"], [name]))
        told.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape))
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, SIDE, SIDE))
    graph = helper.make_graph(nodes, "planted", [given], told, held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


@pytest.mark.parametrize("layout", [retinaface, yunet, yolo_face, yolo_pose], ids=lambda each: each.__name__)
def test_the_points_of_each_box_are_those_that_were_planted(layout: Callable[[], Planted], tmp_path: Path) -> None:
    outputs, told, points = layout()
    file = saved(outputs, tmp_path / "net.onnx")
    noise = np.random.default_rng(0).integers(0, 255, (HIGH, WIDE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    words = ["run", "detect", str(tmp_path / "a.png"), "--model", f"{file}?fit=stretch", "--out", str(tmp_path / "out")]
    assert program.main(words) == 0
    found = json.loads((tmp_path / "out" / "a.detect.json").read_text(encoding="utf-8"))["detections"]
    assert len(found) == len(told.objects)
    scale = np.array([WIDE / SIDE, HIGH / SIDE])
    for each in found:
        x0, y0, x1, y1 = (np.array(each["box"]).reshape(2, 2) / scale).ravel()
        near = np.abs(told.boxes - [x0, y0, x1, y1]).max(1)
        row = int(near.argmin())
        assert near[row] < 0.5
        own = np.array(each["points"])
        assert own.shape[0] == points.shape[1]
        np.testing.assert_allclose(own[:, :2] / scale, points[row], atol=0.5)
