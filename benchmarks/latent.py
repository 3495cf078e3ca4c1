"""What generative models cost in the window: a moved code until its picture is painted, a path until it plays, against
the bare decoder; and what constant visual speed takes. Ours and the peer's runs alternate.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer
from PySide6.QtWidgets import QApplication, QGraphicsView

from benchmarks.paired import Line, surroundings, table
from benchmarks.startup import platform
from models.engine.engine import Engine
from models.latent import space as spaces
from models.requests import Request
from models.types import Result
from viewer.app import Mailbox, build
from viewer.panels.timeline import TimelinePanel
from viewer.session.document import Document, Key
from viewer.session.job_queue import ProcessLane
from viewer.session.session import Session

MODEL = "digits-vae"
FRAME_S = 1 / 60
SLIDER, PLAY, DECODE, EVEN = 1.3, 0.9, 0.9, 0.02
PROBES = 150
FRAMES, STEPS, PAIRS = 120, 24, 8
SETTLE_MS, LIMIT_MS = 400, 600_000


class Studio(QObject):
    """The real window over the real engine process, and a clock on its canvas."""

    def __init__(self, model: str) -> None:
        super().__init__()
        existing = QApplication.instance()
        application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
        self.session, mail = Session(ProcessLane(), Document(model=model)), Mailbox()
        self.session.begin(mail.post, [])
        self.window = build(application, self.session, mail, geometry=False)
        sys.excepthook = sys.__excepthook__  # or the window tells of our own errors, and nobody else does
        self.paints: list[float] = []
        view = self.window.canvas.findChild(QGraphicsView)
        view.viewport().installEventFilter(self)
        self.window.show()
        self.until(lambda: self.window.canvas.pixels is not None)
        self.rest(4 * SETTLE_MS)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note each paint of the canvas once it was flushed: a timer of 0 fires then."""
        if event.type() == QEvent.Type.Paint:
            QTimer.singleShot(0, lambda: self.paints.append(time.perf_counter()))
        return False

    def move(self, code: Any) -> float:
        """Go to a code; return the seconds until its picture is painted."""
        made: list[float] = []
        tell = self.session.on.result
        tell.append(lambda slot, request, result: made.append(time.perf_counter()) if slot == "generated" else None)
        store = self.session.store
        begin = time.perf_counter()
        store.update(store.document.with_latent(code=spaces.write(code), at=-1), title="Move", merge="bench")
        self.until(lambda: made and self.paints and self.paints[-1] > made[0])
        tell.pop()
        return next(paint for paint in self.paints if paint > made[0]) - begin

    def open_path(self, fps: int) -> TimelinePanel:
        """Lay out a path of two keys; return its panel once the frames are there."""
        store = self.session.store
        keys = (Key("seed:1"), Key("seed:2"))
        document = store.document.with_latent(keys=keys, at=-1).with_value("interpolate", frames=FRAMES, fps=fps)
        store.update(document, title="Path")
        self.window.docks.show("timeline")
        panel: Any = self.window.panels["timeline"]
        self.until(lambda: panel.frames is not None and panel.frames.fps == fps)
        self.rest(SETTLE_MS)
        return panel

    def play(self, panel: TimelinePanel) -> float:
        """Play the path once; return the frames a second that were painted."""
        panel._seek(0)
        self.rest(50)
        self.paints.clear()
        panel.toggle()
        self.until(lambda: not panel.player.playing)
        painted = list(self.paints)
        self.rest(SETTLE_MS)
        return (len(painted) - 1) / (painted[-1] - painted[0])

    def rest(self, ms: int) -> None:
        """Let everything come to rest."""
        waiting = QEventLoop()
        QTimer.singleShot(ms, waiting.quit)
        waiting.exec()

    def until(self, condition: Callable[[], Any]) -> None:
        """Run the window until a condition holds."""
        end = time.monotonic() + LIMIT_MS / 1000
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError("; ".join(m.text for m in self.window.toasts.messages) or "it took too long")
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 5)

    def close(self) -> None:
        """Close the window and end its engine."""
        self.window.close()


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def slider_line(studio: Studio, bare: Callable[[Any], object], codes: Any, rounds: int, name: str) -> Line:
    """Compare a code's way to the paint with the decoder alone, in turn."""
    moves, decodes = [], []
    for _ in range(rounds):
        for code in codes:
            decodes.append(seconds(lambda code=code: bare(code[None])))
            moves.append(studio.move(code))
    ours, peer = median(moves), median(decodes)
    goal = SLIDER * peer + FRAME_S
    what = f"A changed code until its picture is painted, {name}; `decode(z)` alone"
    return Line(
        what, ours, peer, f"{ours / peer:.1f}x", f"≤ {SLIDER:g}x + 16.7 ms = {goal * 1000:.1f} ms", ours <= goal
    )


def play_line(studio: Studio, bare: Callable[[Any], object], codes: Any, rounds: int, name: str) -> Line:
    """Compare the rate at which a path is painted with the decoder's, one code after the other."""
    panel = studio.open_path(60)
    pairs = []
    for _ in range(rounds):
        peer = len(codes) / seconds(lambda: [bare(code[None]) for code in codes])
        pairs.append((studio.play(panel), peer))
    ours, peer = (median(column) for column in zip(*pairs, strict=True))
    due = min(PLAY * peer, 60 * 0.99)  # a clock of whole frames never shows quite all of them
    what = f"A frame of a path that plays at 60 a second, painted, {name}; `decode(z)` one by one"
    return Line(what, 1 / ours, 1 / peer, f"{ours:.1f} frames/s", f"≥ {min(PLAY * peer, 60):.0f} frames/s", ours >= due)


def decode_lines(engine: Engine, model: str, rounds: int, name: str) -> list[Line]:
    """Compare a path's frames with one batch of the decoder, in this process; then constant speed, by its steps."""
    import torch

    opened = engine.model(model)
    ours, peer, uneven, probes = [], [], [], []
    frames = 4 * FRAMES
    for number in range(rounds):
        ends = {"from": f"seed:{2 * number}", "to": f"seed:{2 * number + 1}", "frames": frames}
        request = Request.make("interpolate", model, None, ends)
        engine.cache = type(engine.cache)(engine.cache.budget_bytes)
        engine.run(Request.make("interpolate", model, None, {"frames": 2}))  # a discriminator's samples are kept
        ours.append(seconds(lambda request=request: engine.run(request)))
        answer = engine.run(request)  # from the cache
        assert isinstance(answer, Result), answer
        codes = opened.tensor(answer.arrays["codes"])
        with torch.inference_mode():
            peer.append(seconds(lambda codes=codes: opened.decode(codes)))
    for pair in range(PAIRS):
        given = {"from": f"seed:{2 * pair}", "to": f"seed:{2 * pair + 1}", "frames": FRAMES, "retime": True}
        even = engine.run(Request.make("interpolate", model, None, given))
        assert isinstance(even, Result), even
        uneven.append(even.meta["variation"])
        probes.append(even.meta["decodes"] - FRAMES)
    ratio = median(b / a for a, b in zip(ours, peer, strict=True))
    worst, cost = max(one["after"] for one in uneven), max(probes)
    before = median(one["before"] for one in uneven)
    text = f"variation {worst:.3f} at worst of {PAIRS} paths (from {before:.2f}), {cost} decodes"
    reached = worst <= EVEN and cost <= PROBES
    what = f"{frames} frames of a path with all that is told of them, {name}; `decode` of the same codes in one batch"
    speed = f"Constant visual speed over {FRAMES} frames, {name}"
    return [
        Line(what, median(ours), median(peer), f"{ratio:.2f}x its rate", f"≥ {DECODE:g}x", ratio >= DECODE),
        Line(speed, 0.0, None, text, f"≤ {EVEN:g}, ≤ {PROBES} decodes", reached),
    ]


def lines(rounds: int, *, model: str = MODEL) -> list[Line]:
    """Measure all of it on one model, by name or weights file."""
    import torch

    name, engine = Path(model).name, Engine()
    opened = engine.model(model)
    codes = np.concatenate([opened.space.draw(seed) for seed in range(STEPS)])

    def bare(code: Any) -> object:
        with torch.inference_mode():
            return opened.decode(opened.tensor(code))

    with tempfile.TemporaryDirectory() as folder:
        os.environ["VITRINE_HOME"] = folder
        studio = Studio(model)
        try:
            studio.move(codes[0] + 1)
            found = [slider_line(studio, bare, codes, rounds, name), play_line(studio, bare, codes, rounds, name)]
        finally:
            studio.close()
    return [*found, *decode_lines(engine, model, max(3, rounds), name)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--model", default=MODEL)
    options.add_argument("--xcb", action="store_true", help="on $DISPLAY, or on an Xvfb started for it")
    given = options.parse_args()
    before = surroundings()
    with platform(xcb=given.xcb) as places:
        os.environ.update(places)
        found = lines(given.rounds, model=given.model)
    print(f"{before}; medians of {given.rounds} interleaved rounds\n\n{table(found)}")


if __name__ == "__main__":
    main()
