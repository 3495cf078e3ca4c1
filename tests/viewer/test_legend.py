"""The legend on the canvas: what every colour means, moved by the user, and remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QFont, QImage, QPainter
from PySide6.QtWidgets import QApplication

from tests.viewer.conftest import SAMPLES
from viewer import theme
from viewer.canvas.layers import CORRECT, IGNORED, MISSED, TRUTH, WRONG, Boxes, Heat, Labels, level_ids
from viewer.canvas.legend import Entry, Legend, Scale, draw, font_of, placed, size_of
from viewer.presenters.legend import LEVEL, MOST, ROLES, legend_of

Make = Callable[..., Any]


def boxes(name: str, colours: list[int], *, dashed: bool = False) -> Boxes:
    table = np.tile(np.array([1.0, 2, 8, 9], np.float32), (len(colours), 1))
    return Boxes(name, table, np.array(colours), dashed=dashed)


def test_verdicts_levels_and_classes_are_named_with_their_form() -> None:
    layers = [
        boxes("detections", [CORRECT, WRONG, IGNORED]),
        boxes("missed", [MISSED], dashed=True),
        boxes("anchors", level_ids(np.array([0, 2])).tolist()),
        boxes("other", [1, 0, 1]),
        boxes("match objects", [TRUTH, MISSED]),
    ]
    found = legend_of(layers, ("cat", "dog"))
    texts = [entry.text for entry in found.entries]
    assert {ROLES[CORRECT], ROLES[WRONG], ROLES[IGNORED], ROLES[MISSED], "Object without an anchor"} <= {*texts}
    assert texts[-4:] == [LEVEL.format("0, the finest"), LEVEL.format(2), "cat", "dog"]
    form = {entry.text: entry.dashed for entry in found.entries}
    assert form[ROLES[MISSED]] and not form[ROLES[WRONG]]
    assert found.text.splitlines() == texts


def test_a_map_has_its_scale_and_a_segmentation_its_classes() -> None:
    heat = Heat("attribution", np.ones((2, 2), np.float32), (0, 0, 4, 4), -0.5, 0.5, "diverging")
    labels = Labels(
        "segment", np.array([[0, 2]]), np.ones((1, 2), np.float32), (0, 0, 4, 4), ("sky", "sea", "land"), (0,)
    )
    found = legend_of([heat, labels], (), titles={"attribution": "Grad-CAM"})
    assert found.scales == (Scale("Grad-CAM", "-0.5", "0.5", "diverging"),)
    assert found.entries == (Entry(2, "land", area=True),)
    assert not legend_of([], ())


def test_many_classes_are_counted_rather_than_listed() -> None:
    found = legend_of([boxes("detections", list(range(40)))], [f"class {n}" for n in range(40)])
    assert len(found.entries) == MOST and found.more == 40 - MOST and found.text.endswith(f"and {40 - MOST} more")


def test_what_is_painted_has_the_colours_it_explains(qapp: QApplication) -> None:
    legend = Legend(
        (Entry(3, "three"), Entry(MISSED, "Missed", dashed=True)), scales=(Scale("Map", "0", "1", "sequential"),)
    )
    font = font_of(QFont())
    image = QImage(size_of(legend, font).toSize(), QImage.Format.Format_RGB32)
    image.fill(theme.LIGHT.panel)
    painter = QPainter(image)
    draw(painter, legend, font, theme.LIGHT)
    painter.end()
    there = {image.pixel(x, y) for x in range(image.width()) for y in range(image.height())}
    assert {theme.class_colour(3).rgb(), theme.class_colour(MISSED).rgb()} <= there
    assert placed((1.0, 0.0), QSizeF(10, 20), QRectF(0, 0, 100, 100)) == QPointF(90, 0)


def test_the_legend_stands_on_the_canvas_is_moved_and_stays_there(desk: Make) -> None:
    d = desk(SAMPLES[0])
    legend = d.canvas.legend
    shown = d.layer("detections")
    assert legend.isVisible()
    assert {entry.colour for entry in legend.legend.entries} == {*shown.colours.tolist()}
    before = legend.pos()
    d.qtbot.mousePress(legend, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    d.qtbot.mouseMove(legend, QPoint(5, 5) - QPoint(60, 90))
    d.qtbot.mouseRelease(legend, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert legend.pos() == before - QPoint(60, 90)
    assert d.window.settings.extra["legend"] == list(legend.at)
    d.qtbot.keyClick(legend, Qt.Key.Key_Left)
    assert legend.pos().x() < before.x() - 60 and d.window.settings.extra["legend"] == list(legend.at)
    d.run("anchors-all")
    d.settle()
    assert LEVEL.format("0, the finest") in legend.legend.text
    d.run("legend")
    assert legend.isHidden() and not d.document.view.legend
    d.run("undo")
    assert legend.isVisible()
