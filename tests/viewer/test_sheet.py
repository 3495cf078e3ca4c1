"""What the canvas keeps as an image looks as if painted anew: zoomed, moved, at other pixel ratios, in both themes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from viewer import theme
from viewer.canvas.layers import Boxes, Heat, Layer, Links, Points
from viewer.canvas.sheet import Sheet, View
from viewer.canvas.view import Canvas

WIDTH, HEIGHT = 420, 310
PICTURE = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)


@pytest.fixture(params=["dark", "light"])
def scheme(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[None]:
    theme.apply(qapp, request.param)
    yield
    theme.apply(qapp, "dark")


def layers(count: int, *, seed: int = 0) -> list[Layer]:
    rng = np.random.default_rng(seed)
    start = rng.uniform(-40, 380, (count, 2))
    boxes = np.hstack([start, start + np.exp(rng.uniform(0, 5, (count, 2)))]).astype(np.float32)
    colours = rng.integers(0, 5, count)
    return [
        Heat("heat", rng.random((7, 9), np.float32), (0, 0, 400, 300), low=0, high=1, opacity=0.4, smooth=False),
        Boxes("many", boxes, colours, width=1.0),
        Boxes("few", boxes[:30] + 5, colours[:30], [f"box {n}" for n in range(30)], selected=4, opacity=0.9),
        Boxes("gone", boxes[:9] - 5, colours[:9], dashed=True, filled=True),
        Links("links", boxes[:9], colours[:9]),
        Points("points", boxes[:9, :2], colours[:9]),
    ]


def canvas(qtbot: QtBot, shown: list[Layer]) -> Canvas:
    made = Canvas()
    qtbot.addWidget(made)
    made.resize(WIDTH, HEIGHT)
    made.show()
    qtbot.waitExposed(made)
    made.show_picture(PICTURE)
    made.set_layers(shown)
    return made


def seen(of: Canvas) -> np.ndarray:
    image = of.grab_image().convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return rows[..., :3].astype(int)


def anew(qtbot: QtBot, like: Canvas, shown: list[Layer]) -> np.ndarray:
    """What a canvas that has painted nothing before shows of the same place."""
    fresh = canvas(qtbot, [])
    fresh.show_look(like.look)
    fresh.set_layers(shown)
    found = seen(fresh)
    # A window that is only forgotten may be collected in the midst of its own paint event.
    fresh.close()
    fresh.deleteLater()
    return found


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether two pictures differ by no more than rounding: what is half transparent is blended in another order."""
    difference = np.abs(found - expected)
    return bool(difference.max() <= 6 and (difference > 2).mean() < 1e-3)


@pytest.mark.parametrize("count", [60, 5000])
@pytest.mark.usefixtures("scheme")
def test_moving_and_zooming_look_as_if_painted_anew(qtbot: QtBot, count: int) -> None:
    shown = layers(count)
    moved = canvas(qtbot, shown)
    rng, before = np.random.default_rng(1), seen(moved)
    for number in range(24):
        if number % 8 == 7:
            moved.zoom(float(rng.choice([0.7, 1.6])))
        else:
            far = 160 if number % 8 == 5 else 23
            moved._stage.pan(QPointF(*rng.integers(-far, far, 2).tolist()))
        once, again = seen(moved), seen(moved)
        expected = anew(qtbot, moved, shown)
        assert (once != before).any()
        for found in (once, again):
            assert same(found, expected), number
        before = once


def test_new_layers_a_new_picture_and_another_theme_are_seen_at_once(qtbot: QtBot, qapp: QApplication) -> None:
    first, second = layers(60), layers(60, seed=3)
    made = canvas(qtbot, first)
    before = [seen(made) for _ in range(3)][-1]
    made.set_layers(second)
    assert same(seen(made), anew(qtbot, made, second)) and not same(seen(made), before)
    made.show_picture(255 - PICTURE, keep_view=True)
    negative = seen(made)
    other = canvas(qtbot, second)
    assert not same(negative, seen(other))
    made.zoom(0.4)
    _ = seen(made), seen(made)
    theme.apply(qapp, "light")
    corner = seen(made)[2, 2].tolist()
    theme.apply(qapp, "dark")
    assert corner == list(theme.LIGHT.canvas.getRgb()[2::-1])  # type: ignore[index]


@pytest.mark.parametrize("ratio", [1.0, 2.0, 1.5])
def test_an_image_is_kept_moved_and_painted_where_it_has_to_be(qapp: QApplication, ratio: float) -> None:
    def paint(painter: QPainter, part: QRectF | None) -> None:
        painted.append(part)
        painter.fillRect(QRectF(10, 10, 30, 20), theme.DARK.accent)

    def shot(view: View) -> np.ndarray:
        image = QImage(view.width, view.height, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(view.ratio)
        image.fill(0)
        painter = QPainter(image)
        sheet.draw(painter, "key", view, paint)
        painter.end()
        return np.frombuffer(image.constBits(), np.uint32).reshape(view.height, view.width).copy()

    painted: list[QRectF | None] = []
    sheet = Sheet(margin=16)
    view = View(200, 120, ratio, 2.0, 8, 4)
    first = shot(view)
    np.testing.assert_array_equal(shot(view), first)
    assert painted[0] is None and len(painted) == 2, "drawn directly once, then into an image"
    np.testing.assert_array_equal(shot(view), first)
    near = View(200, 120, ratio, 2.0, 20, -8)
    np.testing.assert_array_equal(shot(near)[0:80, 40:], np.roll(first, (-12, 12), (0, 1))[0:80, 40:])
    assert len(painted) == 2, "nothing is painted within the margin"
    far = View(200, 120, ratio, 2.0, 60, 50)
    expected = Sheet()
    found = shot(far)
    assert len(painted) == 4 and all(part is not None for part in painted[2:]), "two strips"
    sheet = expected
    np.testing.assert_array_equal(found, shot(far))
