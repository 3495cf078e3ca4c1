"""Boxes, masks, key points and maps over the picture, met through Qt's accessibility tree and by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from viewer.canvas.layers import Boxes, Heat, Layer, Masks, Overlay, Rings, Skeletons
from viewer.canvas.view import Canvas, Pointer

NAME, DESCRIPTION = QAccessible.Text.Name, QAccessible.Text.Description
PLACES = np.array([[10, 10, 110, 110], [40, 40, 80, 80], [120, 10, 150, 30]], np.float32)
TEXTS = ("car 0.92", "dog 0.81", "cat 0.70")
RINGS = Rings(np.array([[40, 40], [80, 40], [80, 80]], np.float32), np.array([0, 3]), np.array([0]))
POINTS = np.array([[[20, 20], [30, 20]], [[50, 50], [np.nan, 60]]], np.float32)


def boxes(selected: int = -1, rows: tuple[int, ...] = (0, 1, 2)) -> Boxes:
    chosen = list(rows)
    return Boxes("detections", PLACES[chosen], chosen, [TEXTS[k] for k in rows], selected=selected, ids=chosen)


LAYERS: tuple[Layer, ...] = (
    Heat("attribution", np.zeros((2, 2), np.float32), (0, 0, 160, 120), 0.0, 1.0),
    Masks("masks", PLACES[1:2], np.array([1]), np.array([0]), RINGS, texts=TEXTS[1:2]),
    boxes(selected=1),
    Skeletons("points", POINTS, np.array([[0, 1], [0, 0]], bool), texts=TEXTS[:2], points=("nose", "ear")),
)
NAMES = [
    "nose of car 0.92",
    "ear, uncertain, of car 0.92",
    "nose of dog 0.81",
    *TEXTS,
    "Mask of dog 0.81",
    "Map: Grad-CAM",
]


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[Canvas]:
    window, canvas = QWidget(), Canvas()
    QVBoxLayout(window).addWidget(canvas)
    qtbot.addWidget(window)
    window.resize(600, 400)
    window.show()
    qtbot.waitExposed(window)
    canvas.show_picture(np.zeros((120, 160, 3), np.uint8))
    canvas.objects.name_maps({"attribution": "Grad-CAM"})
    canvas.set_layers(LAYERS)
    canvas.setFocus()
    yield canvas
    window.close()


def listed(canvas: Canvas) -> QAccessibleInterface:
    """Return the list of objects, found from the canvas as a screen reader finds it."""
    found = QAccessible.queryAccessibleInterface(canvas)
    children = [found.child(at) for at in range(found.childCount())]
    return next(child for child in children if child.role() == QAccessible.Role.List)


def children(canvas: Canvas) -> list[QAccessibleInterface]:
    found = listed(canvas)
    return [found.child(at) for at in range(found.childCount())]


def test_every_object_has_a_name_a_role_and_a_place(canvas: Canvas) -> None:
    found = children(canvas)
    assert [child.text(NAME) for child in found] == NAMES
    assert {child.role() for child in found} == {QAccessible.Role.ListItem}
    assert listed(canvas).text(NAME) == "Objects on the picture"
    car, nose = found[3], found[0]
    start, end = (canvas.to_screen(QPointF(*corner)).toPoint() for corner in ((10, 10), (110, 110)))
    assert (car.rect().topLeft() - canvas.mapToGlobal(start)).manhattanLength() <= 2
    assert (car.rect().bottomRight() - canvas.mapToGlobal(end)).manhattanLength() <= 3
    assert nose.rect().contains(canvas.mapToGlobal(canvas.to_screen(QPointF(20, 20)).toPoint()))
    assert car.text(DESCRIPTION) == "100 × 100 px at x 10, y 10" and nose.text(DESCRIPTION) == "At x 20, y 20"
    assert not any(child.state().invisible for child in found)


def test_the_selected_box_and_the_focused_object_say_so(canvas: Canvas, qtbot: QtBot) -> None:
    assert [child.text(NAME) for child in children(canvas) if child.state().selected] == ["dog 0.81"]
    canvas.objects.setFocus()
    assert [child.text(NAME) for child in children(canvas) if child.state().focused] == ["dog 0.81"]
    qtbot.keyClick(canvas.objects, Qt.Key.Key_Down)
    assert [child.text(NAME) for child in children(canvas) if child.state().focused] == ["cat 0.70"]
    assert canvas.pointer is not None and canvas.pointer.hit == ("detections", 2)
    assert canvas.readout.startswith("cat 0.70")


def test_the_place_of_an_object_follows_the_view(canvas: Canvas) -> None:
    canvas.zoom(8)
    assert children(canvas)[5].state().invisible
    canvas.objects.go(5)
    cat = children(canvas)[5]
    assert not cat.state().invisible
    assert cat.rect().contains(canvas.mapToGlobal(canvas.to_screen(QPointF(135, 20)).toPoint()))


def test_what_is_at_a_place_is_found(canvas: Canvas) -> None:
    def at(x: float, y: float) -> str:
        place = canvas.mapToGlobal(canvas.to_screen(QPointF(x, y)).toPoint())
        found = listed(canvas).childAt(place.x(), place.y())
        return found.text(NAME) if found else ""

    assert at(20, 20) == "nose of car 0.92"
    assert at(60, 70) == "dog 0.81"
    assert at(100, 100) == "car 0.92"
    assert at(155, 115) == "Map: Grad-CAM"
    assert not at(200, 60)


def test_objects_are_reached_and_selected_by_keyboard(canvas: Canvas, qtbot: QtBot) -> None:
    clicked: list[Pointer] = []
    menus: list[tuple[Pointer, QPoint]] = []
    canvas.clicked.connect(clicked.append)
    canvas.menu_wanted.connect(lambda pointer, position: menus.append((pointer, position)))
    qtbot.keyClick(canvas, Qt.Key.Key_Tab)
    assert canvas.objects.hasFocus()
    qtbot.keyClick(canvas.objects, Qt.Key.Key_Home)
    for _ in range(3):
        qtbot.keyClick(canvas.objects, Qt.Key.Key_Down)
    qtbot.keyClick(canvas.objects, Qt.Key.Key_Return)
    assert [pointer.hit for pointer in clicked] == [("detections", 0)]
    qtbot.keyClick(canvas.objects, Qt.Key.Key_Plus)
    assert canvas.scale_percent > 300  # keys that the list does not use are the canvas's


def test_a_screen_reader_can_select(canvas: Canvas) -> None:
    clicked: list[Pointer] = []
    canvas.clicked.connect(clicked.append)
    actions = children(canvas)[3].actionInterface()
    assert actions is not None
    actions.doAction(actions.actionNames()[0])
    assert [pointer.hit for pointer in clicked] == [("detections", 0)]


def test_the_focus_stays_on_its_object(canvas: Canvas) -> None:
    canvas.objects.setFocus()
    canvas.objects.go(4)
    canvas.set_layers([boxes(rows=(1, 2))])
    assert [child.text(NAME) for child in children(canvas)] == list(TEXTS[1:])
    assert [child.text(NAME) for child in children(canvas) if child.state().focused] == ["dog 0.81"]
    canvas.set_layers([])
    assert canvas.objects.hasFocus() and not children(canvas)


def test_a_line_is_moved_by_keys(canvas: Canvas, qtbot: QtBot) -> None:
    moved: list[float] = []
    canvas.line_moved.connect(moved.append)
    pixels = np.zeros((120, 160, 3), np.uint8)
    canvas.set_layers([Overlay("translation", pixels, (0, 0, 160, 120), begin=80.0)])
    canvas.objects.setFocus()
    qtbot.keyClick(canvas.objects, Qt.Key.Key_Right)
    qtbot.keyClick(canvas.objects, Qt.Key.Key_Left)
    assert moved == pytest.approx([83.2, 76.8])


def test_ten_thousand_boxes_are_named_only_when_asked(canvas: Canvas, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    text = Boxes.text
    monkeypatch.setattr(Boxes, "text", lambda self, row: asked.append(row) or text(self, row))
    many = np.tile(PLACES, (4000, 1))
    canvas.set_layers([Boxes("many", many, np.zeros(12_000, int), [f"car {k}" for k in range(12_000)], labelled=False)])
    canvas.repaint()
    assert not asked
    found = listed(canvas)
    assert found.childCount() == 12_000 and found.child(11_999).text(NAME) == "car 11999"
    assert set(asked) == {11_999}
