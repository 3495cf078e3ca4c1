"""Frames through shared memory arrive as they were, whatever their size, and leave nothing behind."""

from __future__ import annotations

import multiprocessing
import os
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from videos import numbered

from models.live import shared_frames
from models.live.shared_frames import SharedArray, SharedMemoryReader, SharedMemoryWriter


def left() -> list[str]:
    """What this process has lent and is still known by name."""
    place = Path("/dev/shm")
    return [p.name for p in place.glob(f"vitrine-{os.getpid()}-*")] if place.exists() else []


def test_frames_arrive_as_they_were_and_are_copies() -> None:
    writer, reader = SharedMemoryWriter(), SharedMemoryReader()
    got = []
    for number, size in enumerate(((320, 240), (320, 240), (640, 480), (160, 120))):
        frame = numbered(number, size=size)
        shared = writer.put(frame)
        assert isinstance(shared, SharedArray)
        got.append((frame, reader.fetch(shared)))
    assert all(np.array_equal(frame, copy) for frame, copy in got)
    assert left() == []
    reader.close()
    writer.close()


def fetch(pipe: Any) -> None:
    reader = SharedMemoryReader()
    while (shared := pipe.recv()) is not None:
        pipe.send(int(reader.fetch(shared).sum()))


def test_another_process_reads_them() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=fetch, args=(theirs,))
    process.start()
    writer = SharedMemoryWriter()
    for number in range(3):
        frame = numbered(number)
        ours.send(writer.put(frame))
        assert ours.recv() == frame.sum()
    ours.send(None)
    process.join()
    writer.close()
    assert left() == []


def test_what_nobody_fetched_is_taken_back() -> None:
    writer = SharedMemoryWriter()
    writer.put(numbered(0))
    assert len(left()) == 1 or not Path("/dev/shm").exists()
    writer.close()
    assert left() == []


def test_without_room_a_frame_goes_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shared_frames, "MEMORY", Path("/"))
    monkeypatch.setattr(shared_frames.shutil, "disk_usage", lambda _: usage(1, 1, 0))
    frame = numbered(0)
    assert SharedMemoryWriter().put(frame) is frame and SharedMemoryReader().fetch(frame) is frame
