"""What a frame costs with 100,000 anchors on the picture: zoomed out to see them all, zoomed in, off screen.

Each frame is the real canvas drawn into an image of 1280 x 800, after a step of panning or zooming. The peer is the
painter with its outlines drawn line by line, as it draws few boxes.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from statistics import median

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication, QGraphicsView

from benchmarks.paired import Line, duration, surroundings, table
from viewer.canvas import painter as paint_code
from viewer.canvas.layers import Boxes
from viewer.canvas.view import Canvas

WIDTH, HEIGHT = 1280, 800
COUNT = 100_000
FRAME_S = 0.033
NEVER = 10**9


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
        begin = time.perf_counter()
        if next(steps, "end") == "end":
            return taken[1:]
        painter = QPainter(image)
        view.render(painter)
        painter.end()
        taken.append(time.perf_counter() - begin)


def panning(canvas: Canvas, count: int) -> Iterator[None]:
    for number in range(count):
        canvas._stage.pan(QPointF(7 if number % 20 < 10 else -7, 3 if number % 20 < 10 else -3))
        yield


def zooming(canvas: Canvas, count: int) -> Iterator[None]:
    for number in range(count):
        canvas.zoom(1.04 if number % 20 < 10 else 1 / 1.04)
        yield


def lines(rounds: int) -> list[Line]:
    """Measure panning and zooming at three scales, in turn with drawing line by line."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QApplication.instance() or QApplication([])
    boxes, levels = anchors()
    canvas = Canvas()
    canvas.resize(WIDTH, HEIGHT)
    canvas.show_picture(np.random.default_rng(0).integers(0, 255, (800, 1333, 3), np.uint8))
    canvas.set_layers([Boxes("anchors", boxes, levels + 1, width=1.0, hoverable=False)])
    view, many, found = canvas.findChild(QGraphicsView), paint_code.MANY, []
    for title, factor in (("all of them seen", 1.0), ("zoomed in 4 times", 4.0), ("zoomed in 16 times", 16.0)):
        for name, steps in (("pan", panning), ("zoom", zooming)):
            times: dict[int, list[float]] = {many: [], NEVER: []}
            for _ in range(rounds):
                for limit in times:
                    paint_code.MANY = limit
                    canvas.fit()
                    canvas.zoom(factor)
                    times[limit] += frames(view, steps(canvas, 21 if limit == many else 4))
            ours, peer = median(times[many]), median(times[NEVER])
            text = f"{peer / ours:.1f}x faster, slowest {duration(max(times[many]))}"
            found.append(
                Line(f"A frame of a {name}, {COUNT:,} anchors, {title}", ours, peer, text, "≤ 33 ms", ours <= FRAME_S)
            )
    paint_code.MANY = many
    application.processEvents()
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    rounds = options.parse_args().rounds
    print(f"{surroundings()}, medians of {rounds} interleaved rounds\n\n{table(lines(rounds))}")


if __name__ == "__main__":
    main()
