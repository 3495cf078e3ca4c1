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
from models.live.shared_frames import Borrower, Lender, Loan


def left() -> list[str]:
    """What this process has lent and is still known by name."""
    place = Path("/dev/shm")
    return [p.name for p in place.glob(f"vitrine-{os.getpid()}-*")] if place.exists() else []


def test_frames_arrive_as_they_were_and_are_copies() -> None:
    lender, borrower = Lender(), Borrower()
    got = []
    for number, size in enumerate(((320, 240), (320, 240), (640, 480), (160, 120))):
        frame = numbered(number, size=size)
        loan = lender.put(frame)
        assert isinstance(loan, Loan)
        got.append((frame, borrower.fetch(loan)))
    assert all(np.array_equal(frame, copy) for frame, copy in got)
    assert left() == []
    borrower.close()
    lender.close()


def fetch(pipe: Any) -> None:
    borrower = Borrower()
    while (loan := pipe.recv()) is not None:
        pipe.send(int(borrower.fetch(loan).sum()))


def test_another_process_reads_them() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=fetch, args=(theirs,))
    process.start()
    lender = Lender()
    for number in range(3):
        frame = numbered(number)
        ours.send(lender.put(frame))
        assert ours.recv() == frame.sum()
    ours.send(None)
    process.join()
    lender.close()
    assert left() == []


def test_what_nobody_fetched_is_taken_back() -> None:
    lender = Lender()
    lender.put(numbered(0))
    assert len(left()) == 1 or not Path("/dev/shm").exists()
    lender.close()
    assert left() == []


def test_without_room_a_frame_goes_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shared_frames, "MEMORY", Path("/"))
    monkeypatch.setattr(shared_frames.shutil, "disk_usage", lambda _: usage(1, 1, 0))
    frame = numbered(0)
    assert Lender().put(frame) is frame and Borrower().fetch(frame) is frame
