"""Runs the program for long: engines killed at random moments, thousands of live frames. `python -m benchmarks.soak`.

After each kill the document must be as it was and its answer come back; at the end no file, thread or shared memory may
be left over. What was measured is printed; the exit code is 1 where something was lost.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

SSD = "digits-ssd"
PATIENCE_S = 180.0
FPS, SECONDS = 30, 10  # of the film that is played over and over


class Program:
    """The window with its engine, off screen, on the bundled samples or on a film."""

    def __init__(self, sources: list[Path]) -> None:
        from PySide6.QtWidgets import QApplication

        from models.types import Source
        from viewer.app import FIRST, build
        from viewer.session.document import Document
        from viewer.session.job_queue import Mailbox, ProcessLane
        from viewer.session.session import Session

        self.application = QApplication.instance() or QApplication(["soak"])
        self.lane, mail = ProcessLane(), Mailbox()
        self.lane.start(mail.post)
        self.session = Session(self.lane, Document(sources=tuple(map(Source.file, sources)), model=SSD))
        self.session.begin(mail.post, FIRST, started=True)
        self.window = build(self.application, self.session, mail)
        self.window.show()

    def until(self, condition: Callable[[], Any]) -> float:
        """Have the window work until something holds; return the seconds it took. Raises TimeoutError."""
        begin = time.perf_counter()
        while not condition():
            self.application.processEvents()
            time.sleep(0.002)
            if time.perf_counter() - begin > PATIENCE_S:
                raise TimeoutError(f"nothing came for {PATIENCE_S:g} s")
        return time.perf_counter() - begin

    def run(self, seconds: float) -> None:
        """Have the window work for a while."""
        end = time.perf_counter() + seconds
        self.until(lambda: time.perf_counter() > end)

    def answered(self) -> bool:
        """Tell whether what the document asks for is there."""
        wanted = self.session.wanted.get("detect")
        there = self.session.results.get("detect")
        return wanted is not None and there is not None and there[0] == wanted and not self.session.jobs.busy

    def close(self) -> None:
        """Close the window and end the engine."""
        self.window.close()
        self.session.stop()
        self.application.processEvents()


def held(pid: int | str = "self") -> tuple[int, int, int]:
    """Return how many files a process has open, its threads, and the pieces of shared memory there are."""
    return (
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        len(list(Path(f"/proc/{pid}/task").iterdir())),
        len(list(Path("/dev/shm").iterdir())),
    )


def kills(count: int, seed: int) -> bool:
    """Kill the engine `count` times at random moments, and print what came of it; tell whether nothing was lost."""
    from benchmarks.paired import surroundings
    from models.cards.card import ASSETS

    rng, before = random.Random(seed), surroundings()
    program = Program(sorted((ASSETS / "samples").glob("*.png")))
    program.until(program.answered)
    program.run(1)
    begun, took, wrong, marks = held(), [], 0, []
    for number in range(count):
        store = program.session.store
        store.update(store.document.with_value("detect", score=round(0.05 + 0.9 * rng.random(), 3)))
        program.run(rng.random() * 1.5)  # while it calculates, is idle, or is being started
        document, boxes = store.document, None
        if program.answered():
            boxes = program.session.results["detect"][1].arrays["boxes"].copy()
        pid = program.lane.pid
        if pid:
            os.kill(pid, signal.SIGKILL)
        program.until(lambda pid=pid: program.lane.pid not in (0, pid) and not program.session.jobs.ready)
        program.session.again()
        took.append(program.until(lambda: program.session.jobs.ready and program.answered()))
        now = program.session.results["detect"][1].arrays["boxes"]
        wrong += store.document != document or (boxes is not None and not np.array_equal(boxes, now))
        if (number + 1) % 100 == 0:
            marks.append(held())
    program.run(1)
    ended = held()
    program.close()
    left = [path.name for path in Path(os.environ["XDG_CACHE_HOME"], "vitrine").glob("engine-*")]
    took.sort()
    print(f"{before}\n{count} kills: {wrong} documents or answers lost; the next answer after {median(took):.1f} s")
    print(f"({took[-1]:.1f} s at worst); files, threads, shared memory {begun} before, {ended} after {marks}")
    print(f"folders of engines left over: {left or 'none'}", flush=True)
    return not wrong and not left and all(b - a <= 4 for a, b in zip(begun, ended, strict=True))


def frames(count: int, folder: Path) -> bool:
    """Play `count` frames with their detections, and print the memory of both processes; tell whether it stays."""
    import cv2

    from models.cards.card import ASSETS
    from models.runtime.memory_limits import resident_bytes

    film = folder / "film.mp4"
    picture = cv2.resize(cv2.imread(str(min((ASSETS / "samples").glob("*.png")))), (640, 480))
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (640, 480))
    for number in range(FPS * SECONDS):
        writer.write(np.roll(picture, 2 * number, axis=1))
    writer.release()
    program = Program([film])
    shown: list[int] = []
    program.session.on.frame.append(lambda frame: shown.append(frame.source.frame))
    samples: list[tuple[int, int, int]] = []
    live, step = program.session.live, max(1, count // 10)
    program.until(lambda: shown)
    live.pace(every=True)
    while len(shown) < count:
        seen = len(shown)
        program.until(lambda seen=seen: len(shown) >= min(count, seen + 50) or live.facts.state == "ended")
        if live.facts.state == "ended":
            live.seek(0)
            if not live.playing:
                live.toggle()
            program.until(lambda: live.playing)
        if len(shown) // step > len(samples) - 1:
            samples.append((len(shown), resident_bytes(os.getpid()), resident_bytes(program.lane.pid)))
    program.close()
    for name, column in (("window", 1), ("engine", 2)):
        sizes = [sample[column] / 1e6 for sample in samples[1:]]
        print(f"{len(shown):,} live frames: {name} {min(sizes):.0f} to {max(sizes):.0f} MB", flush=True)
    return all(max(s[c] for s in samples[2:]) < 1.1 * samples[1][c] for c in (1, 2))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=1000)
    options.add_argument("--frames", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as name:
        os.environ.update(VITRINE_HOME=name, XDG_CACHE_HOME=f"{name}/cache")
        good = [kills(given.kills, given.seed)] if given.kills else []
        good += [frames(given.frames, Path(name))] if given.frames else []
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    print(f"threads left over: {others or 'none'}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
