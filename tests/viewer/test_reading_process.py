"""Files read in processes of their own: the same as read here; ended when nobody wants them, and with the window."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.pictures import reading
from models.types import Cancelled, Refusal, Source
from viewer.session import reading_process
from viewer.session.reading_process import ReadingProcesses

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "assets" / "samples" / "board.png"


def stuck(pipe: Any) -> None:
    """Serve as a process whose decoder never comes back, but for what is named as good."""
    pipe.send(("ready",))
    while True:
        _, source, _ = pipe.recv()
        if "good" in source.name:
            pipe.send(("refused", "It is good.", "Nothing.", ""))
        elif "dies" in source.name:
            os._exit(3)
        else:
            while True:
                time.sleep(60)


@pytest.fixture
def processes() -> Iterator[ReadingProcesses]:
    made = ReadingProcesses()
    yield made
    made.stop()
    assert not [child for child in multiprocessing.active_children() if child.name == "vitrine-reading"]


def test_what_is_read_there_is_what_is_read_here(processes: ReadingProcesses, tmp_path: Path) -> None:
    source = Source.file(SAMPLE)
    there, here = processes.read(reading.PICTURE, source), reading.read(reading.PICTURE, source)
    assert np.array_equal(there.pixels, here.pixels) and there.note == here.note and there.pixels.flags.writeable
    small = processes.read(reading.THUMBNAIL, source, 64)
    assert np.array_equal(small, reading.read(reading.THUMBNAIL, source, 64))
    Image.new("RGB", (100, 80)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("0 0.1 0.5 0.4 0.5\n1 0.5 0.5 0.1 0.1 x\n")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    heard: list[Any] = []
    found = processes.read(reading.TRUTH, Source.file(tmp_path), progress=lambda *notes: heard.append(notes))
    wanted = reading.read(reading.TRUTH, Source.file(tmp_path))
    assert (found.name, found.kind, found.classes, found.notes) == (
        wanted.name,
        wanted.kind,
        wanted.classes,
        wanted.notes,
    )
    assert [p.path for p in found.pictures] == [p.path for p in wanted.pictures] and found.pictures[0].size == (100, 80)
    assert np.array_equal(found.pictures[0].boxes, wanted.pictures[0].boxes) and found.cut and heard
    with pytest.raises(Refusal, match=r"gone\.png is not there") as notes:
        processes.read(reading.PICTURE, Source.file(tmp_path / "gone.png"))
    assert notes.value.advice


FORKED = """
import json, multiprocessing, sys
from viewer.session import engine_start
early = sorted({"numpy", "PySide6", "torch"} & set(sys.modules))
from models.pictures import images
from models.types import Source
from viewer.session.reading_process import ReadingProcesses

images.prepare()
pipe, other = multiprocessing.Pipe()
printed, out = multiprocessing.Pipe(duplex=False)
reading = ReadingProcesses()
reading.warm(engine_start.EngineStart(None, pipe, printed, None))
kind = type(reading._idle[0]._process).__name__
shape = reading.read("picture", Source.file(sys.argv[1])).pixels.shape
pipe.close()
print(json.dumps([early, kind, shape, other.poll(10)]))  # the end of the file: nobody else holds it
reading.stop()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is forked")
def test_before_anything_has_threads_the_engine_starts_and_the_first_reader_is_forked() -> None:
    """The engine's pipe must not stay open in the fork, or neither side would learn that the other has gone."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", FORKED, str(SAMPLE)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert not done.returncode, done.stderr
    with Image.open(SAMPLE) as picture:
        assert json.loads(done.stdout) == [[], "ForkProcess", [picture.height, picture.width, 3], True]


def test_one_process_is_used_again(processes: ReadingProcesses) -> None:
    pids = set()
    for _ in range(3):
        processes.read(reading.PICTURE, Source.file(SAMPLE))
        pids |= {child.pid for child in multiprocessing.active_children() if child.name == "vitrine-reading"}
    assert len(pids) == 1


def test_what_takes_too_long_is_given_up_and_the_next_is_read(
    processes: ReadingProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "serve", stuck)
    monkeypatch.setattr(reading_process, "MOST_S", 0.2)
    with pytest.raises(Refusal, match=r"slow\.jpg took longer than 0 s to read"):
        processes.read(reading.PICTURE, Source("/slow.jpg"))
    with pytest.raises(Refusal, match=r"It is good"):
        processes.read(reading.PICTURE, Source("/good.jpg"))


def test_a_decoder_that_dies_is_told_in_words(processes: ReadingProcesses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "serve", stuck)
    with pytest.raises(Refusal, match=r"dies\.jpg could not be read: its decoder crashed"):
        processes.read(reading.PICTURE, Source("/dies.jpg"))


def test_what_nobody_wants_any_more_is_ended(processes: ReadingProcesses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "serve", stuck)
    monkeypatch.setattr(reading_process, "PATIENCE_S", 0.0)
    wanted = threading.Event()
    wanted.set()
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            processes.read(reading.PICTURE, Source("/slow.jpg"), wanted=wanted.is_set)
        except Cancelled as cancelled:
            caught.append(cancelled)

    thread = threading.Thread(target=ask)
    thread.start()
    wanted.clear()
    thread.join(60)
    assert len(caught) == 1


def test_stopping_ends_whatever_is_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "serve", stuck)
    processes = ReadingProcesses()
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            processes.read(reading.PICTURE, Source("/slow.jpg"))
        except Cancelled as cancelled:
            caught.append(cancelled)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(multiprocessing.active_children()) < 2:
        time.sleep(0.01)
    processes.stop()
    for thread in threads:
        thread.join(60)
    assert len(caught) == 2
    assert not [child for child in multiprocessing.active_children() if child.name == "vitrine-reading"]
    with pytest.raises(Cancelled):
        processes.read(reading.PICTURE, Source.file(SAMPLE))
