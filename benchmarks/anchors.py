"""What a frame costs with 100,000 anchors on the picture: zoomed out to see them all, zoomed in, off screen.

Each frame is the real canvas drawn into an image of 1280 x 800, after a step of panning or zooming. The peer is the
same canvas that keeps nothing, looks at every box and strokes the sides of those in view line by line. Times are the
processor's, of all threads: on a machine that does other things too the clock measures those.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication, QGraphicsView

from benchmarks.paired import Line, at_least, surroundings, table
from viewer.canvas import index
from viewer.canvas.frame import Frame, Stroke, Table, draw_lines
from viewer.canvas.layers import Boxes
from viewer.canvas.sheet import Paint, Sheet, View
from viewer.canvas.view import Canvas

WIDTH, HEIGHT = 1280, 800
COUNT = 100_000


def anchors(count: int = COUNT, *, width: int = 1333, height: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` boxes (N, 4), and levels (N,), of RetinaNet's on a picture: a part of every level's."""
    boxes, levels = [], []
    for level, (side, stride) in enumerate(zip((32, 64, 128, 256, 512), (8, 16, 32, 64, 128), strict=True)):
        y, x = np.mgrid[0 : height // stride, 0 : width // stride] * stride
        for scale in (1, 2 ** (1 / 3), 2 ** (2 / 3)):
            for ratio in (0.5, 1, 2):
                w, h = side * scale / ratio**0.5, side * scale * ratio**0.5
                boxes.append(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).reshape(-1, 4))
                levels.append(np.full(len(boxes[-1]), level))
    chosen = np.random.default_rng(0).permutation(sum(map(len, boxes)))[:count]
    return np.concatenate(boxes)[chosen].astype(np.float32), np.concatenate(levels)[chosen]


def frames(view: QGraphicsView, steps: Iterator[None]) -> list[float]:
    """Return how long each frame took, in seconds: the step, and the whole view painted."""
    image, taken = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32), []
    while True:
        begin = time.process_time()
        if next(steps, "end") == "end":
            return taken[1:]
        painter = QPainter(image)
        view.render(painter)
        painter.end()
        taken.append(time.process_time() - begin)


def panning(canvas: Canvas, count: int) -> Iterator[None]:
    for number in range(count):
        canvas._stage.pan(QPointF(7 if number % 20 < 10 else -7, 3 if number % 20 < 10 else -3))
        yield


def zooming(canvas: Canvas, count: int) -> Iterator[None]:
    for number in range(count):
        canvas.zoom(1.04 if number % 20 < 10 else 1 / 1.04)
        yield


@contextmanager
def one_by_one() -> Iterator[None]:
    """Have every box looked at and its sides stroked for each frame."""

    def outlines(frame: Frame, boxes: Table, strokes: Sequence[Stroke]) -> None:
        for rows, width, colour in strokes:
            half = width / 2
            x0, y0, x1, y1 = boxes[rows].T + np.array([[-half], [-half], [half], [half]])
            left, right, top, bottom = x0 - half, x1 + half, y0 + half, y1 - half
            frame.painter.setPen(frame.pen(colour, width=width))
            sides = ([left, y0, right, y0], [left, y1, right, y1], [x0, top, x0, bottom], [x1, top, x1, bottom])
            draw_lines(frame.painter, np.concatenate([np.stack(side, axis=1) for side in sides]))

    def draw(sheet: Sheet, painter: QPainter, key: object, view: View, paint: Paint) -> None:
        painter.save()
        painter.setWorldTransform(view.transform, combine=True)
        paint(painter, None)
        painter.restore()

    def near(layer: Boxes, view: index.View, *, hollow: bool) -> index.Rows:
        return index.near(layer.boxes, view, hollow=hollow)

    kept = Frame._fill_outlines, Sheet.draw, index.near_in
    Frame._fill_outlines, Sheet.draw, index.near_in = outlines, draw, near
    try:
        yield
    finally:
        Frame._fill_outlines, Sheet.draw, index.near_in = kept


def lines(rounds: int) -> list[Line]:
    """Measure panning and zooming at three scales, in turn with drawing one by one."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QApplication.instance() or QApplication([])
    boxes, levels = anchors()
    canvas = Canvas()
    canvas.resize(WIDTH, HEIGHT)
    canvas.show()
    application.processEvents()
    canvas.show_picture(np.random.default_rng(0).integers(0, 255, (800, 1333, 3), np.uint8))
    canvas.set_layers([Boxes("anchors", boxes, levels + 1, width=1.0, hoverable=False)])
    view, found = canvas.findChild(QGraphicsView), []
    assert (view.width(), view.height()) == (WIDTH, HEIGHT)
    for title, factor in (("all of them seen", 1.0), ("zoomed in 4 times", 4.0), ("zoomed in 16 times", 16.0)):
        for name, steps in (("pan", panning), ("zoom", zooming)):
            ours, peer = [], []
            for _ in range(rounds):
                canvas.fit()
                canvas.zoom(factor)
                ours += frames(view, steps(canvas, 21))
                with one_by_one():
                    canvas.fit()
                    canvas.zoom(factor)
                    peer += frames(view, steps(canvas, 21))
            found.append(at_least(f"A frame of a {name}, {COUNT:,} anchors, {title}", ours, peer, limit=3))
    canvas.close()
    application.processEvents()
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    rounds = options.parse_args().rounds
    print(f"{surroundings()}, medians of {rounds} interleaved rounds\n\n{table(lines(rounds))}")


if __name__ == "__main__":
    main()
