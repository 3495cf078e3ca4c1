"""Jobs: latest wins, cancel, restart; the process lane with a real engine."""

from __future__ import annotations

import os
import queue
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source
from viewer.session import job_queue as jobs_module
from viewer.session.job_queue import Jobs, ProcessLane

A, B = Source("a.png"), Source("b.png")


class Recorder:
    """A lane that only writes down what it is asked, and the events a Jobs over it delivers."""

    def __init__(self) -> None:
        self.submitted: list[tuple[int, Request]] = []
        self.cancelled: list[int] = []
        self.restarts = 0
        self.events: list[tuple[Any, ...]] = []
        self.jobs = Jobs(self, lambda *event: self.events.append(event))
        self.jobs.start(lambda message: None)

    def start(self, post: Any) -> None: ...

    def stop(self) -> None: ...

    def reaches(self, path: str) -> bool:
        return True

    def submit(self, number: int, request: Request) -> None:
        self.submitted.append((number, request))

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)

    def restart(self) -> None:
        self.restarts += 1

    def done(self, number: int, answer: Any = None) -> None:
        self.jobs.handle(("done", number, answer or Result()))


def ask(score: float, source: Source = A) -> Request:
    return Request.make("detect", "m", source, {"score": score})


def test_the_newest_request_of_a_slot_wins_and_the_running_one_is_still_answered() -> None:
    lane = Recorder()
    for score in (0.1, 0.2, 0.3, 0.4):
        lane.jobs.want("detect", ask(score))
    assert [r.settings["score"] for _, r in lane.submitted] == [0.1]
    assert lane.cancelled == []
    lane.done(lane.submitted[0][0])
    lane.done(lane.submitted[1][0])
    assert [r.settings["score"] for _, r in lane.submitted] == [0.1, 0.4]
    assert [event[2].settings["score"] for event in lane.events] == [0.1, 0.4]
    assert not lane.jobs.busy


def test_another_picture_calls_the_running_request_off() -> None:
    lane = Recorder()
    lane.jobs.want("detect", ask(0.1))
    lane.jobs.want("detect", ask(0.1, B))
    assert lane.cancelled == [1]
    lane.done(1, Failure("Cancelled.", cancelled=True))
    assert lane.submitted[1][1].source == B
    assert lane.events == []


def test_slots_do_not_disturb_each_other() -> None:
    lane = Recorder()
    lane.jobs.want("detect", ask(0.1))
    lane.jobs.want("anchors", Request("anchors", "m", A))
    lane.jobs.forget("anchors")
    assert lane.cancelled == [2]
    lane.done(1)
    assert lane.events[-1][:2] == ("done", "detect")


def test_an_engine_that_ignores_a_cancel_is_replaced_and_the_wanted_request_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs_module, "GRACE_S", 0.0)
    lane = Recorder()
    lane.jobs.want("detect", ask(0.1))
    lane.jobs.want("detect", ask(0.1, B))
    lane.jobs.tick()
    assert lane.restarts == 0, "an engine that is not up yet has heeded nothing"
    lane.jobs.handle(("ready", {}))
    lane.jobs.tick()
    time.sleep(0.01)
    lane.jobs.tick()
    assert lane.restarts == 1
    assert not lane.jobs.ready
    assert lane.submitted[-1][1] == ask(0.1, B)
    assert lane.jobs.busy


def test_a_request_that_kills_the_engine_twice_is_given_up() -> None:
    lane = Recorder()
    lane.jobs.want("detect", ask(0.1))
    lane.jobs.handle(("ready", {}))
    lane.jobs.handle(("lost", -9))
    assert lane.submitted[-1][1] == ask(0.1)
    lane.jobs.handle(("ready", {}))
    lane.jobs.handle(("lost", -9))
    assert lane.restarts == 2
    assert len(lane.submitted) == 2
    assert "2 times" in lane.events[-1][3].message
    assert not lane.jobs.busy


def test_a_cancelled_request_behind_a_long_one_does_not_cost_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "GRACE_S", 0.0)
    lane = Recorder()
    lane.jobs.handle(("ready", {}))
    lane.jobs.want("detect", ask(0.1))
    lane.jobs.want("anchors", Request("anchors", "m", A))
    lane.jobs.forget("anchors")
    for _ in range(3):
        time.sleep(0.005)
        lane.jobs.tick()
    assert lane.restarts == 0


def test_an_engine_that_cannot_start_is_given_up_until_something_is_asked_anew() -> None:
    lane = Recorder()
    lane.jobs.want("detect", ask(0.1))
    for _ in range(3):
        lane.jobs.handle(("lost", 1))
    assert lane.restarts < 3
    assert "could not be started" in lane.events[-1][3].message
    assert not lane.jobs.busy
    before = lane.restarts
    lane.jobs.want("detect", ask(0.2))
    assert lane.restarts == before + 1


def test_cancel_answers_with_a_cancelled_failure() -> None:
    lane = Recorder()
    lane.jobs.want("detect", ask(0.1))
    lane.jobs.cancel()
    lane.done(1, Failure("Cancelled.", cancelled=True))
    assert lane.events[-1][3].cancelled


class Office:
    """A real process lane whose messages are handled while waiting."""

    def __init__(self) -> None:
        self.messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.events: list[tuple[Any, ...]] = []
        self.lane = ProcessLane()
        self.jobs = Jobs(self.lane, lambda *event: self.events.append(event))
        self.jobs.start(self.messages.put)

    def wait(self, event: str, *, seconds: float = 60) -> tuple[Any, ...]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for number, found in enumerate(self.events):
                if found[0] == event:
                    return self.events.pop(number)
            try:
                self.jobs.handle(self.messages.get(timeout=0.1))
            except queue.Empty:
                self.jobs.tick()
        raise AssertionError(f"no {event!r} within {seconds} s; there is {self.events}")


@pytest.fixture
def office() -> Any:
    office = Office()
    yield office
    office.jobs.stop()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    save_png(np.full((64, 80, 3), 127, np.uint8), tmp_path / "grey.png")
    return Source.file(tmp_path / "grey.png")


def test_killing_the_engine_is_told_and_a_fresh_one_answers_the_last_request(office: Office, source: Source) -> None:
    office.wait("ready")
    first = office.lane.pid
    os.kill(first, signal.SIGSTOP)
    office.jobs.want("detect", Request.make("detect", "nobody", source))
    os.kill(first, signal.SIGKILL)
    assert "unexpectedly" in office.wait("lost")[1]
    _, slot, request, answer = office.wait("done")
    assert (slot, request.model) == ("detect", "nobody")
    assert "no model 'nobody'" in answer.message
    assert office.lane.pid != first


def test_a_frozen_engine_is_replaced_after_the_grace_time(
    office: Office, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "GRACE_S", 0.3)
    office.wait("ready")
    first = office.lane.pid
    os.kill(first, signal.SIGSTOP)
    office.jobs.want("detect", Request.make("detect", "nobody", source))
    office.jobs.cancel()
    assert "replaced" in office.wait("lost")[1]
    assert office.wait("done")[3].cancelled
    office.wait("ready")
    assert office.lane.pid != first
