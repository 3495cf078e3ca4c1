"""What playing costs: frames per second of the window with a video at "every frame" pace, against a bare loop of decode
and model; and whether memory stays flat over thousands of frames. Ours and the peer's runs alternate.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from benchmarks.paired import ROOT, SAMPLES, Line, surroundings, table
from benchmarks.startup import platform
from viewer.app import Mailbox, build
from viewer.session.document import Document
from viewer.session.job_queue import ProcessLane
from viewer.session.session import Session

MODEL = "digits-ssd"
FRAMES, WARM = 120, 20
SIZES = ((640, 480), (1280, 720), (1920, 1080))
GOAL = 0.95
LONG, EARLY, GROWTH = 10_000, 1_000, 0.02
LIMIT_S = 3600

WRITE = """
import sys
import cv2
import numpy as np
path, width, height, frames = sys.argv[1], *map(int, sys.argv[3:])
big = cv2.resize(cv2.imread(sys.argv[2]), (width * 3 // 2, height * 3 // 2))
writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"mp4v"), 30, (width, height))
for n in range(frames):
    x, y = int(width / 4 * (1 + np.sin(n / 30))), int(height / 4 * (1 + np.cos(n / 40)))
    writer.write(np.ascontiguousarray(big[y : y + height, x : x + width]))
writer.release()
"""

BARE = """
import sys, time
import cv2
import torch
from models.engine.engine import Engine
path, model, warm = sys.argv[1], sys.argv[2], int(sys.argv[3])
net = Engine().model(model).net
for _ in sys.stdin:
    capture, times = cv2.VideoCapture(path), []
    with torch.inference_mode():
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            image = torch.from_numpy(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)).permute(2, 0, 1).float() / 255
            net([image])
            times.append(time.perf_counter())
    print((len(times) - 1 - warm) / (times[-1] - times[warm]), flush=True)
"""


class Bare:
    """A process that plays a file in a bare loop when it is told to, with as many threads as our engine takes."""

    def __init__(self, path: Path) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", BARE, str(path), MODEL, str(WARM)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def rate(self) -> float:
        """Play the file once; return frames per second."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


class Screen:
    """The real window over the real engine process, and a clock that notes when each frame has been painted."""

    def __init__(self) -> None:
        existing = QApplication.instance()
        application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
        self.lane, mail = ProcessLane(), Mailbox()
        self.session = Session(self.lane, Document(model=MODEL))
        self.lane.start(mail.post)
        self.session.begin(mail.post, [], started=True)
        self.window = build(application, self.session, mail, geometry=False)
        sys.excepthook = sys.__excepthook__
        self.window.show()
        self.painted: list[float] = []
        self._waiting = QEventLoop()
        after_paint = self.session.live.after_paint

        def noted(call: Callable[[], None]) -> None:
            def done() -> None:
                self.painted.append(time.perf_counter())
                call()

            after_paint(done)

        self.session.live.after_paint = noted
        self.session.live.pace(every=True)

    def rate(self, path: Path) -> float:
        """Play a file once, every frame of it; return frames per second as painted."""
        self.painted.clear()
        self.session.open_paths([path])
        self.until(lambda: self.session.live.facts.state == "ended" and len(self.painted) == FRAMES)
        return (FRAMES - 1 - WARM) / (self.painted[-1] - self.painted[WARM])

    def until(self, condition: Callable[[], Any]) -> None:
        """Run the window until a condition holds."""
        begin = time.monotonic()
        clock = QTimer()
        clock.timeout.connect(lambda: self._waiting.quit() if condition() else None)
        clock.start(20)
        while not condition():
            if time.monotonic() - begin > LIMIT_S:
                raise RuntimeError("; ".join(m.text for m in self.window.toasts.messages) or "it took too long")
            QTimer.singleShot(1000, self._waiting.quit)
            self._waiting.exec()
        clock.stop()

    def close(self) -> None:
        """Close the window and end its engine."""
        self.window.close()


def write(path: Path, size: tuple[int, int], frames: int) -> Path:
    """Write a video in a process of its own: the window's never has OpenCV."""
    given = [str(path), str(SAMPLES / "board.png"), *map(str, (*size, frames))]
    subprocess.run([sys.executable, "-c", WRITE, *given], check=True, stderr=subprocess.DEVNULL)
    return path


def rate_lines(rounds: int, folder: Path) -> list[Line]:
    """Play each size in turn by the window and by the bare loop."""
    lines, screen = [], Screen()
    try:
        for width, height in SIZES:
            path = write(folder / f"{width}x{height}.mp4", (width, height), FRAMES)
            bare = Bare(path)
            bare.rate()
            screen.rate(path)
            pairs = [(screen.rate(path), bare.rate()) for _ in range(rounds)]
            bare.close()
            ours, peer = (median(column) for column in zip(*pairs, strict=True))
            each = median(a / b for a, b in pairs)
            print(f"  {width} x {height}: " + ", ".join(f"{a:.1f}/{b:.1f}" for a, b in pairs), file=sys.stderr)
            text = f"{ours / peer:.2f}x the frames per second (pairs {each:.2f}x)"
            what = f"A frame of {width} x {height} decoded, detected and painted; a loop of decode and `model([frame])`"
            lines.append(Line(what, 1 / ours, 1 / peer, text, f"≥ {GOAL:g}x", each >= GOAL))
    finally:
        screen.close()
    return lines


def memory_lines(folder: Path) -> list[str]:
    """Play 10,000 frames; compare what the two processes hold after 1,000 and after 10,000."""
    path = write(folder / "long.mp4", (160, 120), LONG)
    screen, held = Screen(), {}
    try:
        screen.session.open_paths([path])
        for frames in (EARLY, LONG):
            screen.until(lambda frames=frames: len(screen.painted) >= frames)
            held[frames] = {"engine": resident(screen.lane.pid), "window": resident(os.getpid())}
    finally:
        screen.close()
    lines = []
    for who in ("engine", "window"):
        before, after = held[EARLY][who], held[LONG][who]
        growth = after / before - 1
        verdict = "reached" if growth < GROWTH else "**missed**"
        text = f"{before / 1e6:.1f} MB after {EARLY:,} frames, {after / 1e6:.1f} MB after {LONG:,}: {growth:+.2%}"
        lines.append(f"Memory of the {who}: {text} (goal < {GROWTH:.0%}, {verdict})")
    return lines


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds. Linux alone tells so."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--xcb", action="store_true", help="on $DISPLAY, or on an Xvfb started for it")
    options.add_argument("--part", choices=("all", "rate", "memory"), default="all")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name, platform(xcb=given.xcb) as places:
        os.environ.update(places, VITRINE_HOME=name)
        if given.part != "memory":
            before = surroundings()
            lines = rate_lines(given.rounds, Path(name))
            print(f"{before}; medians of {given.rounds} interleaved rounds\n\n{table(lines)}\n", flush=True)
        if given.part != "rate":
            print("\n".join(memory_lines(Path(name))))


if __name__ == "__main__":
    main()
