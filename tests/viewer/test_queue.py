"""Slots of a queue: asked one after the other, in order, whatever ends the one before."""

from __future__ import annotations

from models.requests import Request
from models.types import Result, Source
from tests.viewer.test_job_queue import Recorder
from viewer.session.job_queue import firsts

PICTURE = Source("a.png")


def ask(name: str) -> Request:
    return Request.make(name, "m", PICTURE)


def begun(recorder: Recorder) -> list[str]:
    return [request.inspection for _, request in recorder.submitted]


def done(recorder: Recorder, number: int) -> None:
    recorder.jobs.handle(("done", recorder.submitted[number][0], Result()))


def test_a_queue_is_asked_one_by_one_and_others_need_not_wait() -> None:
    recorder = Recorder()
    for name in ("q.one", "q.two", "q.three", "other"):
        recorder.jobs.want(name, ask(name), urgent=False)
    assert begun(recorder) == ["q.one", "other"] and recorder.jobs.busy
    recorder.jobs.want("q.three", ask("newer"))
    done(recorder, 0)
    assert begun(recorder) == ["q.one", "other", "q.two"]
    done(recorder, 2)
    assert begun(recorder)[-1] == "newer"
    done(recorder, 3)
    assert len(recorder.submitted) == 4 and [e[1] for e in recorder.events if e[0] == "done"] == [
        "q.one",
        "q.two",
        "q.three",
    ]


def test_a_queue_makes_way_for_what_somebody_waits_for_and_is_asked_again_behind_it() -> None:
    recorder = Recorder()
    for name in ("q.one", "q.two"):
        recorder.jobs.want(name, ask(name))
    recorder.jobs.want("more", ask("more"), urgent=False)
    assert not recorder.cancelled
    recorder.jobs.want("slider", ask("slider"))
    assert recorder.cancelled == [recorder.submitted[0][0]]
    done(recorder, 0)
    assert begun(recorder) == ["q.one", "more", "slider", "q.one"]
    assert not [event for event in recorder.events if event[0] == "done"], "nobody is told that it was called off"
    done(recorder, 3)
    assert begun(recorder)[-1] == "q.two"


def test_what_is_no_longer_wanted_is_passed_over() -> None:
    recorder = Recorder()
    for name in ("q.one", "q.two", "q.three"):
        recorder.jobs.want(name, ask(name))
    recorder.jobs.forget("q.one")
    recorder.jobs.keep("q.two")
    assert recorder.cancelled == [recorder.submitted[0][0]]
    done(recorder, 0)
    assert begun(recorder) == ["q.one", "q.three"]


def test_a_queue_goes_on_with_a_fresh_engine_and_past_what_kills_it() -> None:
    recorder = Recorder()
    recorder.jobs.handle(("ready", {}))
    for name in ("q.one", "q.two"):
        recorder.jobs.want(name, ask(name))
    recorder.jobs.handle(("lost", 1))
    recorder.jobs.handle(("ready", {}))
    assert begun(recorder) == ["q.one", "q.one"], "it may have been chance"
    recorder.jobs.handle(("lost", 1))
    recorder.jobs.handle(("ready", {}))
    assert begun(recorder) == ["q.one", "q.one", "q.two"]
    failed = [event for event in recorder.events if event[0] == "done"]
    assert [event[1] for event in failed] == ["q.one"] and "stopped 2 times" in failed[0][3].message


def test_of_a_queue_only_the_first_is_asked_again_for_more() -> None:
    assert sorted(firsts(["a", "q.two", "q.one", "b", "r.x", "q.three"])) == ["a", "b", "q.two", "r.x"]
