"""The canvas: fit, zoom, pan, what is under the pointer, and that pixels are where the mapping says."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QRubberBand, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from viewer import theme
from viewer.canvas.layers import Boxes
from viewer.canvas.view import Canvas, Pointer

PICTURE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
NESTED = Boxes(
    "found",
    np.array([[10, 10, 110, 110], [40, 40, 80, 80], [50, 50, 60, 60], [120, 10, 150, 30]], np.float32),
    np.array([0, 1, 2, 3]),
    ["zero 0.9", "one 0.8", "two 0.7", "three 0.6"],
)


@pytest.fixture
def canvas(qtbot: QtBot) -> Canvas:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(600, 400)
    canvas.show()
    qtbot.waitExposed(canvas)
    canvas.show_picture(PICTURE)
    return canvas


def hover(qtbot: QtBot, canvas: Canvas, x: float, y: float) -> Pointer:
    qtbot.mouseMove(canvas, QPoint(1, 1))
    qtbot.mouseMove(canvas, canvas.to_screen(QPointF(x, y)).toPoint())
    assert canvas.pointer is not None
    return canvas.pointer


def wheel(canvas: Canvas, position: QPointF, *, notches: int) -> None:
    none = (Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase)
    where = canvas.mapToGlobal(position)
    QApplication.sendEvent(canvas, QWheelEvent(position, where, QPoint(), QPoint(0, 120 * notches), *none, False))


def drag(qtbot: QtBot, canvas: Canvas, shift: QPoint, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
    start = QPoint(300, 200)
    qtbot.mousePress(canvas, button, pos=start)
    qtbot.mouseMove(canvas, start + shift / 2)
    qtbot.mouseMove(canvas, start + shift)
    qtbot.mouseRelease(canvas, button, pos=start + shift)


def pixel(image: QImage, position: QPointF) -> list[int]:
    ratio = image.devicePixelRatio()
    colour = image.pixelColor(int(position.x() * ratio), int(position.y() * ratio))
    return [colour.red(), colour.green(), colour.blue()]


@pytest.mark.parametrize("shape", [(120, 160), (160, 120), (1, 1), (10, 3000), (3000, 10), (1080, 1920)])
def test_fit_shows_the_whole_picture(canvas: Canvas, shape: tuple[int, int]) -> None:
    canvas.show_picture(np.full((*shape, 3), 200, np.uint8))
    start, end = canvas.to_screen(QPointF(0, 0)), canvas.to_screen(QPointF(shape[1], shape[0]))
    assert QRectF(canvas.rect()).contains(QRectF(start, end))
    assert end.x() - start.x() > 500 or end.y() - start.y() > 350
    assert pixel(canvas.grab_image(), (start + end) / 2) == pytest.approx([200] * 3, abs=60)


def test_the_picture_is_where_the_mapping_says(canvas: Canvas) -> None:
    canvas.zoom_to(QRectF(60, 40, 30, 20))
    image = canvas.grab_image()
    for x, y in ((61, 41), (75, 50), (88, 58)):
        for dx, dy in ((0.08, 0.08), (0.5, 0.5), (0.92, 0.92)):
            assert pixel(image, canvas.to_screen(QPointF(x + dx, y + dy))) == PICTURE[y, x].tolist()


def test_a_box_frames_exactly_its_pixels(canvas: Canvas) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[10:20, 10:20] = 255
    canvas.show_picture(picture)
    canvas.set_layers([Boxes("b", np.array([[10, 10, 20, 20]], np.float32), np.array([1]))])
    canvas.zoom_to(QRectF(5, 5, 20, 20))
    image, colour = canvas.grab_image(), theme.class_colour(1)
    start, end = canvas.to_screen(QPointF(10, 10)), canvas.to_screen(QPointF(20, 20))

    for corner, step in ((start, 1), (end, -1)):
        inner = corner + QPointF(step, step) * 0.5
        assert pixel(image, inner) == [255, 255, 255]
        assert pixel(image, inner - QPointF(step, step)) == [colour.red(), colour.green(), colour.blue()]


@pytest.mark.parametrize("notches", [1, 4, -1])
def test_the_wheel_keeps_the_point_under_the_pointer(canvas: Canvas, notches: int) -> None:
    canvas.zoom(2)
    position = QPointF(222.0, 133.0)
    before = canvas.to_picture(position)
    percent = canvas.scale_percent
    wheel(canvas, position, notches=notches)

    away = canvas.to_screen(before) - position
    assert max(abs(away.x()), abs(away.y())) <= 0.5
    assert canvas.scale_percent == pytest.approx(percent * 1.2**notches)


def test_actual_size_is_one_to_one(canvas: Canvas, qtbot: QtBot) -> None:
    with qtbot.waitSignal(canvas.zoom_changed) as signal:
        canvas.actual_size()
    assert signal.args == [100.0]
    assert canvas.scale_percent == 100
    image = canvas.grab_image()
    assert canvas.to_screen(QPointF(31, 0)).x() - canvas.to_screen(QPointF(30, 0)).x() == pytest.approx(1)
    if image.devicePixelRatio() % 1:
        return
    assert pixel(image, canvas.to_screen(QPointF(30.5, 40.5))) == PICTURE[40, 30].tolist()


def test_zoom_has_limits(canvas: Canvas) -> None:
    canvas.zoom(1e9)
    assert canvas.scale_percent == 6400
    canvas.zoom(1e-9)
    assert canvas.scale_percent == 25


def test_dragging_pans_but_never_loses_the_picture(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.zoom(3)
    before = canvas.look
    drag(qtbot, canvas, QPoint(40, -30))
    assert canvas.look.x == pytest.approx(before.x - 40 / before.scale)
    assert canvas.look.y == pytest.approx(before.y + 30 / before.scale)

    for button in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
        for _ in range(30):
            drag(qtbot, canvas, QPoint(250, 150), button)
        assert (canvas.look.x, canvas.look.y) == (0, 0)


def test_resizing_keeps_a_fitted_picture_fitted_and_another_in_the_middle(canvas: Canvas) -> None:
    canvas.resize(300, 500)
    assert canvas.to_screen(QPointF(160, 0)).x() <= 300
    canvas.actual_size()
    look = canvas.look
    canvas.resize(500, 300)
    assert canvas.look == look


def test_a_picture_of_the_same_size_can_keep_the_view(canvas: Canvas) -> None:
    canvas.zoom(4)
    look = canvas.look
    canvas.show_picture(PICTURE[::-1], keep_view=True)
    assert canvas.look == look
    canvas.show_picture(PICTURE[:50], keep_view=True)
    assert canvas.look.scale != look.scale


def test_another_pane_can_follow(canvas: Canvas, qtbot: QtBot) -> None:
    other = Canvas()
    qtbot.addWidget(other)
    other.resize(canvas.size())
    other.show_picture(PICTURE)
    canvas.look_changed.connect(other.show_look)
    canvas.zoom_to(QRectF(20, 20, 10, 10))
    assert other.look == canvas.look


@pytest.mark.parametrize("point", [(0.5, 0.5), (37.2, 80.9), (159.5, 119.5)])
def test_the_read_out_has_the_pixels_values(canvas: Canvas, qtbot: QtBot, point: tuple[float, float]) -> None:
    pointer = hover(qtbot, canvas, *point)
    assert pointer.rgb == tuple(PICTURE[int(pointer.y), int(pointer.x)].tolist())
    assert pointer.x == pytest.approx(point[0], abs=0.5)


def test_outside_the_picture_there_is_no_value(canvas: Canvas, qtbot: QtBot) -> None:
    assert hover(qtbot, canvas, -3, 10).rgb is None
    canvas.show_picture(None)
    assert canvas.pointer is None


def test_up_and_down_go_through_the_boxes_under_the_pointer(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.set_layers([NESTED])
    pointer = hover(qtbot, canvas, 55, 55)
    assert pointer.hits == (("found", 2), ("found", 1), ("found", 0))
    assert canvas.readout == "two 0.7\n10 × 10 px\n1 of 3, Up/Down"

    seen: list[Pointer] = []
    canvas.pointer_moved.connect(seen.append)
    before = canvas.grab_image()
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    qtbot.keyClick(canvas, Qt.Key.Key_Up)
    assert [pointer.active for pointer in seen] == [1, 2, 0, 2]
    assert seen[0].hit == ("found", 1)
    assert canvas.readout.endswith("3 of 3, Up/Down")
    assert canvas.accessibleDescription() == canvas.readout
    assert canvas.grab_image() == before, "the halo belongs to the pointer, not to the picture"


def test_the_active_box_has_a_halo(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.set_layers([NESTED])
    before = canvas.grab().toImage()
    hover(qtbot, canvas, 135, 20)
    assert canvas.grab().toImage() != before


def test_what_is_under_the_pointer_follows_the_layers(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.set_layers([NESTED])
    hover(qtbot, canvas, 55, 55)
    canvas.set_layers([])
    assert canvas.pointer is not None
    assert canvas.pointer.hits == ()
    assert canvas.readout == ""


@pytest.mark.parametrize("key", [Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Escape])
def test_other_keys_reach_the_window(qtbot: QtBot, key: Qt.Key) -> None:
    reached = []

    class Window(QWidget):
        def keyPressEvent(self, event: object) -> None:
            reached.append(event)

    window = Window()
    qtbot.addWidget(window)
    canvas = Canvas()
    QVBoxLayout(window).addWidget(canvas)
    canvas.show_picture(PICTURE)
    qtbot.keyClick(canvas, key)
    assert len(reached) == 1


def test_plus_and_minus_zoom(canvas: Canvas, qtbot: QtBot) -> None:
    before = canvas.scale_percent
    qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    assert canvas.scale_percent > before
    qtbot.keyClick(canvas, Qt.Key.Key_Minus)
    assert canvas.scale_percent == pytest.approx(before)


def test_a_click_is_told_from_a_drag(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.set_layers([NESTED])
    clicks: list[Pointer] = []
    canvas.clicked.connect(clicks.append)
    drag(qtbot, canvas, QPoint(60, 10))
    assert clicks == []

    canvas.fit()
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.to_screen(QPointF(135, 20)).toPoint())
    assert clicks[0].hit == ("found", 3)

    with qtbot.waitSignal(canvas.double_clicked):
        qtbot.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(300, 200))


def test_leaving_is_told(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.set_layers([NESTED])
    hover(qtbot, canvas, 55, 55)
    seen: list[Pointer | None] = []
    canvas.pointer_moved.connect(seen.append)
    with qtbot.waitSignal(canvas.left):
        canvas.leaveEvent(None)  # type: ignore[arg-type]
    assert seen == [None]
    assert canvas.readout == ""


def test_stale_is_a_quiet_sign(canvas: Canvas) -> None:
    assert not canvas.is_stale
    before = canvas.grab_image()
    canvas.set_stale(True)
    assert canvas.is_stale
    assert canvas.grab_image() == before
    assert canvas.grab().toImage() != before


@pytest.mark.parametrize("shape", [(1, 1), (3, 4000), (4000, 3), (2, 2)])
def test_odd_pictures_with_many_boxes(canvas: Canvas, shape: tuple[int, int]) -> None:
    corners = np.random.default_rng(0).uniform(-10, 4000, (10_000, 2))
    canvas.show_picture(np.zeros((*shape, 3), np.uint8))
    canvas.set_layers([Boxes("b", np.hstack([corners, corners + 30]), np.arange(10_000) % 90)])
    for factor in (1, 100, 1e-6):
        canvas.zoom(factor)
        assert not canvas.grab_image().isNull()


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4), (0, 10, 3)])
def test_a_picture_of_another_form_is_refused(canvas: Canvas, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="A picture is"):
        canvas.show_picture(np.zeros(shape, np.uint8))


def test_without_a_picture_there_is_only_the_canvas(qtbot: QtBot, qapp: QApplication) -> None:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(200, 200)
    canvas.show()
    canvas.set_layers([NESTED])
    for scheme in ("dark", "light"):
        theme.apply(qapp, scheme)
        assert canvas.grab_image().pixelColor(100, 100) == QColor(theme.colours().canvas)


def test_far_away_fine_patterns_are_grey(canvas: Canvas) -> None:
    stripes = np.zeros((2048, 3072, 3), np.uint8)
    stripes[:, ::2] = 255
    canvas.show_picture(stripes)
    image = canvas.grab_image()
    seen = [pixel(image, QPointF(x, 200))[0] for x in range(100, 500)]
    assert max(seen) - min(seen) < 20


def test_drops_reach_the_window(canvas: Canvas) -> None:
    assert not any(child.acceptDrops() for child in [canvas, *canvas.findChildren(QWidget)])


def test_a_screen_reader_has_a_name(canvas: Canvas) -> None:
    assert canvas.accessibleName() == "Picture"


def region(qtbot: QtBot, canvas: Canvas, start: QPoint, end: QPoint) -> None:
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, shift, start)
    qtbot.mouseMove(canvas, (start + end) / 2)
    qtbot.mouseMove(canvas, end)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, shift, end)


def test_a_drag_with_shift_draws_a_rectangle_and_moves_nothing(canvas: Canvas, qtbot: QtBot) -> None:
    look, clicks = canvas.look, []
    canvas.clicked.connect(clicks.append)
    start, end = canvas.to_screen(QPointF(100, 90)).toPoint(), canvas.to_screen(QPointF(40, 30)).toPoint()
    with qtbot.waitSignal(canvas.region_drawn) as drawn:
        region(qtbot, canvas, start, end)
    rect = drawn.args[0]
    assert [rect.left(), rect.top(), rect.right(), rect.bottom()] == pytest.approx([40, 30, 100, 90], abs=0.5)
    assert canvas.look == look and clicks == []
    assert not canvas.findChildren(QRubberBand) or all(not b.isVisible() for b in canvas.findChildren(QRubberBand))


def test_the_rectangle_is_cut_to_the_picture(canvas: Canvas, qtbot: QtBot) -> None:
    with qtbot.waitSignal(canvas.region_drawn) as drawn:
        region(qtbot, canvas, canvas.to_screen(QPointF(80, 60)).toPoint(), QPoint(599, 399))
    rect = drawn.args[0]
    assert [rect.right(), rect.bottom()] == [160, 120]


@pytest.mark.parametrize("where", ["a click", "outside", "no picture"])
def test_what_is_hardly_drawn_is_no_rectangle(canvas: Canvas, qtbot: QtBot, where: str) -> None:
    drawn: list[QRectF] = []
    canvas.region_drawn.connect(drawn.append)
    middle = QPoint(300, 200)
    match where:
        case "a click":
            region(qtbot, canvas, middle, middle + QPoint(1, 1))
        case "outside":
            canvas.zoom_to(QRectF(-600, -600, 300, 300))
            corner = canvas.to_screen(QPointF(0, 0)).toPoint()
            region(qtbot, canvas, corner - QPoint(40, 40), corner - QPoint(5, 5))
        case _:
            canvas.show_picture(None)
            region(qtbot, canvas, middle, middle + QPoint(80, 60))
    assert drawn == []


def test_a_click_tells_whether_ctrl_was_held(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.set_layers([NESTED])
    for modifier in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier):
        hover(qtbot, canvas, 55, 55)
        with qtbot.waitSignal(canvas.clicked) as clicked:
            place = canvas.to_screen(QPointF(55, 55)).toPoint()
            qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, modifier, place)
        assert clicked.args[0].extend == (modifier == Qt.KeyboardModifier.ControlModifier)
        assert clicked.args[0].hit == ("found", 2)
