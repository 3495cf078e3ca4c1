"""What one move of a threshold costs: in the engine against running the model again, and from the slider to the paint.

The second is the real window over the real engine process, 1,000 boxes shown; its parts are told apart.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer
from PySide6.QtWidgets import QApplication, QGraphicsView

from benchmarks.paired import SAMPLES, Line, at_least, duration, surroundings, table
from benchmarks.startup import platform
from models.pictures import images
from models.requests import Request
from models.types import Result, Source
from viewer.app import Mailbox, build
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.job_queue import Post, ProcessLane
from viewer.session.session import Session

MODELS = ("digits-ssd", "digits-faster-rcnn")
SCORES = [round(0.05 + 0.075 * step, 3) for step in range(13)]
IOUS = [round(0.3 + 0.05 * step, 2) for step in range(13)]
PICTURE = SAMPLES / "board.png"

# Two-stage, and nothing suppressed in either stage: the bundled model that then shows a thousand boxes and more.
CROWDED_MODEL = "digits-faster-rcnn"
CROWDED = {"score": 0.01, "iou": 1.0, "max_detections": 1000, "rpn_iou": 1.0, "rpn_top_n": 2000}
SHOWN = 1000
FRAME_S = 0.033
SETTLE_MS = 400
LIMIT_MS = 60_000


def engine_lines(rounds: int, *, picture: Path = PICTURE) -> list[Line]:
    """Compare, in this process, a threshold's move with everything cached and `model([image])`, in turn."""
    import torch

    from models.engine.engine import Engine

    engine, source = Engine(), Source.file(picture)
    image = torch.from_numpy(images.read(picture).pixels).permute(2, 0, 1).float() / 255
    lines = []
    for name in MODELS:
        net = engine.model(name).net
        for title, key, positions in (("Score", "score", SCORES), ("NMS IoU", "iou", IOUS)):
            answered(engine, Request.make("detect", name, source, {}))
            engine.finish_idle()
            ticks, forwards = [], []
            for value in list(positions) * rounds:
                request = Request.make("detect", name, source, {key: value})
                ticks.append(seconds(lambda request=request: answered(engine, request)))
                with torch.inference_mode():
                    forwards.append(seconds(lambda net=net: net([image])))
            lines.append(at_least(f"{title} tick, {name}; `model([image])` again", ticks, forwards, limit=50))
    return lines


def answered(engine: Any, request: Request) -> Result:
    """Return the engine's answer, which must not be a failure."""
    answer = engine.run(request)
    if not isinstance(answer, Result):
        raise RuntimeError(answer.text)
    return answer


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


@dataclass(frozen=True)
class Move:
    """One move of a slider, in seconds: all of it, then its parts in order; `painting` is what one paint alone takes.

    `engine` is from the request sent to the answer received, of which `answering` was inside the engine; `showing` is
    all panels and layers brought up to date; `to_paint` is until everything was painted and flushed.
    """

    whole: float
    asking: float
    engine: float
    answering: float
    showing: float
    to_paint: float
    painting: float
    shown: int


class Lane(ProcessLane):
    """The process lane, noting when a request went out and when its answer was here."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = self.received = 0.0

    def start(self, post: Post) -> None:
        """Start as always, listening in."""

        def noted(message: tuple[Any, ...]) -> None:
            if message[0] == "done":
                self.received = time.perf_counter()
            post(message)

        super().start(noted)

    def submit(self, number: int, request: Request) -> None:
        """Submit as always."""
        self.sent = time.perf_counter()
        super().submit(number, request)


class Gauge(QObject):
    """The real window on one picture, and a clock on its canvas: it waits until an answer has been painted."""

    def __init__(self, picture: Path) -> None:
        super().__init__()
        existing = QApplication.instance()
        application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
        document = Document(sources=(Source.file(picture),), model=CROWDED_MODEL).with_value("detect", **CROWDED)
        self.lane, mail = Lane(), Mailbox()
        self.session = Session(self.lane, document)
        self.session.begin(mail.post, [("detect", request_plan.detect)])
        self.window = build(application, self.session, mail, geometry=False)
        sys.excepthook = sys.__excepthook__  # or the window tells of our own errors, and nobody else does
        self.waiting = QEventLoop()
        self.applied = self.done = 0.0
        self.session.on.result.append(self._applied)
        view = self.window.canvas.findChild(QGraphicsView)
        self.viewport = view.viewport()
        self.viewport.installEventFilter(self)
        self.window.show()
        self._wait()
        self.rest(4 * SETTLE_MS)

    @property
    def shown(self) -> int:
        """How many boxes are painted."""
        return sum(len(layer) for layer in self.window.canvas.layers if layer.id == "detections")

    def move(self, row: Any, tick: int) -> Move:
        """Drag a row's slider to a tick, and wait until the answer has been painted."""
        row.slider.setSliderDown(True)
        begin = time.perf_counter()
        row.slider.setSliderPosition(tick)
        self._wait()
        lane, answering = self.lane, self.session.results["detect"][1].meta["total_ms"] / 1000
        parts = (lane.sent - begin, lane.received - lane.sent, answering)
        later = (self.applied - lane.received, self.done - self.applied)
        return Move(self.done - begin, *parts, *later, seconds(self.viewport.repaint), self.shown)

    def rest(self, ms: int) -> None:
        """Let everything come to rest."""
        QTimer.singleShot(ms, self.waiting.quit)
        self.waiting.exec()

    def close(self) -> None:
        """Close the window and end its engine."""
        self.window.close()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note the end of the first paint after an answer: a timer of 0 fires when all has been painted and flushed."""
        if event.type() == QEvent.Type.Paint and self.applied and not self.done:
            QTimer.singleShot(0, self._painted)
        return False

    def _applied(self, slot: str, request: Request, result: Result) -> None:
        if slot == "detect":
            self.applied = time.perf_counter()

    def _painted(self) -> None:
        self.done = self.done or time.perf_counter()
        self.waiting.quit()

    def _wait(self) -> None:
        self.applied = self.done = 0.0
        limit = QTimer(self)
        limit.setSingleShot(True)
        limit.timeout.connect(self.waiting.quit)
        limit.start(LIMIT_MS)
        self.waiting.exec()
        limit.stop()
        if not self.done:
            raise RuntimeError("No answer was painted: " + "; ".join(m.text for m in self.window.toasts.messages))


def moves(rounds: int) -> tuple[list[Move], list[Move], list[Move]]:
    """Drag the score, then the NMS IoU, where 1,000 boxes are shown, then the score where it gets fewer and fewer."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VITRINE_HOME"] = folder
        picture = Path(folder) / "crowded.png"
        images.save_png(crowded(), picture)
        gauge = Gauge(picture)
        try:
            rows = gauge.window.panels["detect"].form.rows
            score, iou = rows["score"], rows["iou"]
            full = [gauge.move(score, tick) for _ in range(rounds) for tick in (*range(1, 17), *range(15, -1, -1))]
            gauge.rest(SETTLE_MS)
            overlap = [gauge.move(iou, tick) for _ in range(rounds) for tick in (*range(99, 89, -1), *range(91, 101))]
            gauge.rest(SETTLE_MS)
            fewer = [gauge.move(score, tick) for _ in range(rounds) for tick in (*range(19, 99, 5), 0)]
        finally:
            gauge.close()
    return full, overlap, fewer


def crowded() -> Any:
    """Return the four sample pictures as one."""
    first, second, third, fourth = (images.read(p).pixels for p in sorted(SAMPLES.glob("*.png"))[:4])
    return np.concatenate([np.concatenate([first, second], 1), np.concatenate([third, fourth], 1)])


def window_lines(rounds: int) -> list[Line]:
    """Measure the sliders in the window. Only moves that showed 1,000 boxes or more count towards the goal."""
    full, overlap, fewer = moves(rounds)
    lines = []
    for title, made in (("Score", full), ("NMS IoU", overlap)):
        counted = [move for move in made if move.shown >= SHOWN]
        if not counted:
            raise RuntimeError(f"At most {max(m.shown for m in made)} boxes were shown.")
        worst = duration(max(move.whole for move in counted))
        text = f"{title} slider to repaint, {min(m.shown for m in counted):,} boxes shown, {len(counted)} moves"
        whole = median(move.whole for move in counted)
        lines.append(Line(text, whole, None, f"slowest {worst}", "≤ 33 ms", whole <= FRAME_S))
    whole = [move.whole for move in fewer]
    text = f"Score slider to repaint, {min(m.shown for m in fewer):,} to {max(m.shown for m in fewer):,} boxes"
    lines.append(Line(text, median(whole), None, f"slowest {duration(max(whole))}"))
    for title, made in (("score, 1,000 boxes", full), ("NMS IoU", overlap), ("score, fewer boxes", fewer)):
        print(f"  {title}: {parts(made)}", file=sys.stderr, flush=True)
    for move in fewer:
        print(f"    {move.shown:5} boxes: {parts([move])}", file=sys.stderr, flush=True)
    return lines


def parts(made: Sequence[Move]) -> str:
    """Return where the time went, medians in ms."""
    whole, asking, engine, answering, showing, to_paint, painting, _ = (
        1e3 * median(column) for column in zip(*map(astuple, made), strict=True)
    )
    return (
        f"{whole:.1f} ms = asking {asking:.1f} + engine {engine:.1f} (inside it {answering:.1f})"
        f" + showing {showing:.1f} + until painted {to_paint:.1f} (one paint alone {painting:.1f})"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--xcb", action="store_true", help="on $DISPLAY, or on an Xvfb started for it")
    options.add_argument("--part", choices=("all", "engine", "window"), default="all")
    given = options.parse_args()
    lines: list[Line] = []
    if given.part != "engine":
        with platform(xcb=given.xcb) as places:
            os.environ.update(places)
            lines += window_lines(given.rounds)
    if given.part != "window":
        lines += engine_lines(given.rounds)
    print(f"{surroundings()}, medians of {given.rounds} rounds over all positions\n\n{table(lines)}")


if __name__ == "__main__":
    main()
