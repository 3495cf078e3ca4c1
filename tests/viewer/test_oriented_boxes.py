"""Oriented boxes and points of boxes: painted, hit and exported where their numbers say."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PySide6.QtGui import QImage

from models.detection import report
from models.requests import Request
from models.types import Result, Source
from viewer.canvas.layers import Boxes, Skeletons, hits
from viewer.canvas.painter import render, svg
from viewer.presenters import detections

pytestmark = pytest.mark.usefixtures("qapp")
BLACK = np.zeros((200, 200, 3), np.uint8)


def array(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def found(**more: np.ndarray) -> Result:
    none = {f"removed_{name}": np.zeros(0, np.float32) for name in ("scores", "labels", "by", "iou")}
    arrays = {
        "boxes": np.array([[60, 90, 140, 110]], np.float32),
        "scores": np.array([0.9], np.float32),
        "labels": np.array([0]),
        "ids": np.array([7]),
        "removed_boxes": np.zeros((0, 4), np.float32),
        **none,
        **more,
    }
    return Result(arrays, {"classes": ("ship",), "size": (200, 200), "parameters": {}})


def test_an_oriented_box_is_painted_along_its_turned_sides() -> None:
    angle = math.radians(30)
    layers = detections.detection_layers(found(angles=np.array([angle], np.float32)), labels=False)
    (box,) = [layer for layer in layers if isinstance(layer, Boxes)]
    seen = array(render(BLACK, [Boxes(box.id, box.boxes, box.colours, corners=box.corners)], unit=1.0)).max(2) > 60
    along, across = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    for place in ((-40, 0), (40, 0), (0, -10), (0, 10), (-40, -10), (40, 10)):
        x, y = np.array([100, 100]) + place[0] * along + place[1] * across
        assert seen[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].any(), place
    assert not seen[95:105, 95:105].any()  # hollow
    assert not seen[110, 62:75].any()  # where the box would be if it were not turned
    text = svg(BLACK, layers).decode()
    assert "<polygon" in text or "<polyline" in text or "<path" in text


def test_it_is_hit_inside_its_corners_only() -> None:
    layers = detections.detection_layers(found(angles=np.array([math.radians(45)], np.float32)))
    assert hits(layers, 100, 100)
    assert hits(layers, 120, 120)
    assert not hits(layers, 120, 80)  # inside what encloses it, outside of it
    assert hits(detections.detection_layers(found()), 120, 100)


def test_points_of_boxes_are_painted_and_the_hidden_ones_faint() -> None:
    points = np.array([[[80, 95, 0.9], [120, 95, 0.2]]], np.float32)
    (layer,) = [one for one in detections.detection_layers(found(points=points)) if isinstance(one, Skeletons)]
    np.testing.assert_array_equal(layer.xy[0], points[0, :, :2])
    assert layer.faint.tolist() == [[False, True]]
    seen = array(render(BLACK, [layer], unit=1.0)).max(2)
    assert seen[95, 80] > 100 > seen[95, 120] > 0


def test_exports_tell_angles_and_points() -> None:
    points = np.array([[[80, 95, 0.9], [120, 95, 0.2]]], np.float32)
    result = found(points=points, angles=np.array([0.5], np.float32))
    (told,) = report.detections(result)
    assert told["angle"] == pytest.approx(0.5)
    assert told["points"][1] == pytest.approx([120, 95, 0.2])
    request = Request.make("detect", "planted", Source("picture.png"), {})
    (annotation,) = json.loads(report.as_coco([(request, result)]))["annotations"]
    assert annotation["keypoints"] == [80, 95, 2, 120, 95, 1]
    assert annotation["num_keypoints"] == 2
    assert "angle" not in report.detections(found())[0]
