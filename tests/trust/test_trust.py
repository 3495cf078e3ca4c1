"""About 250 hostile or broken files, opened as the window does: none runs, writes, takes a gigabyte or ten seconds."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import corpus
import pickles
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 1 << 30
MOST_S = 10.0
# What is odd but no crime: a picture under another suffix, with something behind it, of a name with markup.
OPENED = ("is-a-png", "polyglot", "<img", "line", "\u202e", "xxx", "a&amp;b", "%2e", "?precision", ":build")


@dataclass(frozen=True)
class Report:
    """What opening a file came to."""

    file: corpus.Hostile
    outcome: str
    words: str
    seconds: float
    grown: int


class Child:
    """A process that opens files; one that hangs or dies is replaced."""

    def __init__(self, *arguments: str, home: str) -> None:
        paths = os.pathsep.join((str(ROOT), str(Path(__file__).parent)))
        self.environment = {**os.environ, "PYTHONPATH": paths, "VITRINE_HOME": home, "OMP_NUM_THREADS": "1"}
        # Whatever is written, by Python or not, to the current folder, the home or a temporary folder, is seen.
        self.places = {name: str(Path(home).with_name(name)) for name in ("HOME", "TMPDIR", "cwd")}
        for place in self.places.values():
            Path(place).mkdir(exist_ok=True)
        self.environment |= {"HOME": self.places["HOME"], "TMPDIR": self.places["TMPDIR"]}
        self.command = [sys.executable, str(Path(__file__).with_name("opener.py")), *arguments]
        self.start()

    def start(self) -> None:
        pipe = subprocess.PIPE
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(
            self.command, stdin=pipe, stdout=pipe, stderr=quiet, env=self.environment, text=True, cwd=self.places["cwd"]
        )
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True).start()
        assert json.loads(self.lines.get(timeout=120)) == "ready"

    def ask(self, file: corpus.Hostile) -> Report:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([file.kind, str(file.path)]) + "\n")
        self.process.stdin.flush()
        try:
            answer: Any = json.loads(self.lines.get(timeout=3 * MOST_S) or '["died", "", 0, 0]')
        except queue.Empty:
            answer = ["hung", "", 3 * MOST_S, 0]
        if started := self.started():
            answer = [f"started {started}", *answer[1:]]
        if answer[0] in ("died", "hung"):
            self.stop()
            self.start()
        return Report(file, *answer)

    def started(self) -> str:
        """What the process has started, as the kernel tells it; threads are no processes."""
        found = ""
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for pid in task.read_text().split():
                    found += Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        return found

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    @staticmethod
    def _read(pipe: Any, lines: queue.SimpleQueue[str]) -> None:
        try:
            for line in pipe:
                lines.put(line)
        except ValueError:
            return
        lines.put("")


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """What lies in a folder, with its size and time, links and pipes themselves."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_size, status.st_mtime_ns) if path.is_file() and not path.is_symlink() else (0, 0)
    return found


def opened(folder: Path) -> tuple[list[Report], list[str], list[str]]:
    """Make the corpus in a folder and open it; return the reports, what was in the folders before, and what after."""
    home = folder / "home"
    inside = folder / "files"
    for each in (home, inside):
        each.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files = corpus.write(inside, inside / "canary")
        (folder / "good.pt").write_bytes(pickles.saved({"a": torch.zeros(1)}))
    before = everything(folder)
    child = Child(str(folder / "good.pt"), str(home), home=str(home))
    try:
        reports = [child.ask(file) for file in files]
    finally:
        child.stop()
    after = everything(folder)
    settings = {str(f.path) for f in files if f.kind == "settings"}
    changed = sorted(p for p in {*before, *after} if before.get(p) != after.get(p) and p not in settings)
    changed = [path for path in changed if not Path(path).is_dir()]
    return reports, changed, [str(p) for p in inside.parent.glob("*canary*")]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield opened(tmp_path_factory.mktemp("trust"))


@pytest.mark.timeout(300)
def test_nothing_runs_and_nothing_is_written(outcome: Any) -> None:
    reports, changed, canaries = outcome
    assert len(reports) >= 200
    assert not changed
    assert not canaries


def test_each_is_refused_in_words_or_harmless(outcome: Any) -> None:
    wrong = []
    for report in outcome[0]:
        name = report.file.path.name
        harmless = report.file.kind in ("settings", "card", "session", "truth") or name.startswith(OPENED)
        if report.outcome != "refused" and not (report.outcome == "opened" and harmless):
            wrong.append((report.outcome, report.file.kind, str(report.file.path)[-60:], report.words[:300]))
        if report.outcome == "refused" and (len(report.words) < 20 or "Traceback" in report.words):
            wrong.append(("unclear", report.file.kind, name, report.words))
    assert not wrong


def test_memory_and_time_are_bounded(outcome: Any) -> None:
    worst = max(outcome[0], key=lambda report: report.grown)
    assert worst.grown < MOST_BYTES, worst
    slowest = max(outcome[0], key=lambda report: report.seconds)
    assert slowest.seconds < MOST_S, slowest
