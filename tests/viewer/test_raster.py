"""Outlines in whole pixels, three ways, against one in which every side is written by hand; and what is in view."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QLineF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from viewer.canvas import index, raster
from viewer.canvas.layers import Boxes

WIDTH, HEIGHT = 70, 50
SEEDS = range(8)


def crowd(count: int, *, seed: int) -> np.ndarray:
    """Boxes (4, N) in whole pixels: of all sizes, beyond the edges, without one side or both, some the wrong way."""
    rng = np.random.default_rng(seed)
    start = rng.integers(-30, 90, (2, count))
    end = start + rng.integers(-3, 60, (2, count)) * (rng.random((2, count)) < 0.9)
    return np.concatenate([start, end]).astype(np.int32)


def by_hand(boxes: np.ndarray, stroke: int) -> np.ndarray:
    """Which pixels (HEIGHT, WIDTH) any outline covers: each line from its lower to its higher end."""
    covered = np.zeros((HEIGHT + 400, WIDTH + 400), bool)
    for x0, y0, x1, y1 in boxes.T.tolist():
        left, right = sorted((x0 - stroke, x1 + stroke))
        top, bottom = sorted((y0, y1))
        for y in (y0 - stroke, y1):
            covered[200 + y : 200 + y + stroke, 200 + left : 200 + right] = True
        for x in (x0 - stroke, x1):
            covered[200 + top : 200 + bottom, 200 + x : 200 + x + stroke] = True
    return covered[200 : 200 + HEIGHT, 200 : 200 + WIDTH]


def filled(rectangles: np.ndarray) -> np.ndarray:
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in rectangles.tolist():
        covered[max(top, 0) : max(bottom + 1, 0), max(left, 0) : max(right + 1, 0)] = True
    return covered


def every(boxes: np.ndarray, stroke: int) -> np.ndarray:
    table, long = raster.sides(boxes, stroke=stroke)
    return table[long]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stroke", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 12, 300])
def test_every_way_covers_the_same_pixels(count: int, stroke: int, seed: int) -> None:
    boxes = crowd(count, seed=seed)
    expected = by_hand(boxes, stroke)
    assert count < 12 or expected.any()
    np.testing.assert_array_equal(filled(every(boxes, stroke)), expected)
    merged = raster.merged(boxes, stroke=stroke, width=WIDTH, height=HEIGHT)
    np.testing.assert_array_equal(filled(merged), expected)
    image = raster.outlines(boxes, [(np.arange(count), stroke, 7)], width=WIDTH, height=HEIGHT)
    np.testing.assert_array_equal(image == 7, expected)


def test_merging_leaves_few() -> None:
    boxes = np.tile(np.array([[5], [5], [40], [30]], np.int32), 500)
    assert 0 < len(raster.merged(boxes, stroke=1, width=WIDTH, height=HEIGHT)) <= 4
    assert len(every(boxes, 1)) > 1500


@pytest.mark.parametrize("stroke", [1, 2, 5])
@pytest.mark.usefixtures("qapp")
def test_rectangles_are_what_qt_strokes(stroke: int) -> None:
    """What the lines of `by_hand` are to Qt: flat ends, no antialiasing."""
    boxes = crowd(40, seed=1)
    image = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    painter.setPen(QPen(QColor("white"), stroke, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
    half = stroke / 2
    for x0, y0, x1, y1 in boxes.T.tolist():
        for y in (y0 - half, y1 + half):
            painter.drawLine(QLineF(x0 - stroke, y, x1 + stroke, y))
        for x in (x0 - half, x1 + half):
            painter.drawLine(QLineF(x, y0, x, y1))
    painter.end()
    seen = np.frombuffer(image.constBits(), np.uint32).reshape(HEIGHT, WIDTH) == 0xFFFFFFFF
    np.testing.assert_array_equal(seen, by_hand(boxes, stroke))


def odd(count: int, *, seed: int) -> Boxes:
    rng = np.random.default_rng(seed)
    start = rng.uniform(-200, 900, (count, 2))
    boxes = np.hstack([start, start + np.exp(rng.uniform(-3, 6, (count, 2)))]).astype(np.float32)
    boxes[::97] = np.nan
    boxes[1::101, 2:] = np.inf
    boxes[2::103] = boxes[2::103][:, [2, 3, 0, 1]]
    boxes[3::107] *= 1e30
    return Boxes("many", boxes, np.zeros(count, np.int64))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hollow", [True, False])
def test_the_index_finds_what_a_look_at_every_box_finds(seed: int, hollow: bool) -> None:
    layer, rng, found = odd(index.LEAST + 37, seed=seed), np.random.default_rng(seed), []
    for number in range(60):
        x, y, side = rng.uniform(-300, 1000), rng.uniform(-300, 1000), float(np.exp(rng.uniform(0, 7)))
        x, y, side = (-500.0, -500.0, 3000.0) if number == 30 else (x, y, side)
        view = tuple(np.array([x, y, x + side, y + side], np.float32).tolist())
        found.append(index.near_in(layer, view, hollow=hollow))
        np.testing.assert_array_equal(found[-1], index.near(layer.boxes, view, hollow=hollow))
    assert min(map(len, found)) < len(layer) / 50 < len(layer) / 2 < max(map(len, found))


def test_one_look_is_worth_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    monkeypatch.setattr(index, "BoxIndex", lambda boxes: built.append(len(boxes)) or index.BoxIndex)
    layer = odd(index.LEAST, seed=0)
    for _ in range(3):
        index.near_in(layer, (0.0, 0.0, 9.0, 9.0), hollow=True)
    assert not built
