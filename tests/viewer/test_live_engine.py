"""Recording what plays; and playing over an engine in a process of its own, which may die, or outrun the window."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from videos import frames_of, number_in, video

from models.requests import Request
from viewer.canvas.painter import pixels_of, render
from viewer.panels.live import LivePanel
from viewer.session.job_queue import ProcessLane

FRAMES = 60
Make = Callable[..., Any]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video(tmp_path_factory.mktemp("clips") / "clip.mp4", FRAMES)


def play(d: Any, clip: Path) -> Any:
    """Play a video, every frame of it."""
    d.session.live.pace(every=True)
    d.session.open_paths([clip])
    d.play_until(lambda: d.session.live.source is not None)
    return d


def shown(d: Any) -> int:
    """The number of the frame on the canvas, by the number it carries."""
    return number_in(d.canvas.pixels)


# recording


def test_what_is_recorded_is_what_was_shown(desk: Make, clip: Path, tmp_path: Path) -> None:
    d = play(desk(), clip)
    d.run("play")
    d.play_until(lambda: d.document.frame == shown(d))
    d.settle()
    out = tmp_path / "out.mp4"
    d.window.live_view.record_to(tmp_path / "out")
    d.play_until(lambda: d.session.live.facts.recording == str(out))
    assert d.panel(LivePanel).record.text() == "Stop recording" and not d.panel(LivePanel).pace.isEnabled()
    expected: list[np.ndarray] = []
    bare: list[np.ndarray] = []

    def note(_: Any) -> None:
        bare.append(d.canvas.pixels)

    d.session.on.frame.append(note)
    d.session.on.live.append(lambda: expected.append(pixels_of(render(d.canvas.pixels, d.window.controller.layers()))))
    first = shown(d)
    d.run("play")
    d.play_until(lambda: d.session.live.facts.state == "ended")
    d.run("record")
    d.play_until(lambda: not d.session.live.facts.recording)
    assert any("The recording out.mp4 is finished" in text for text in d.messages)
    frames = frames_of(out)
    assert [number_in(f) for f in bare] == list(range(first + 1, FRAMES)) and len(frames) == len(bare)
    for number, frame in enumerate(frames):
        assert number == np.argmin([np.abs(frame.astype(int) - plain).mean() for plain in bare]), "none lost, in order"
    boxes = 0
    for frame, plain in zip(frames, bare, strict=True):
        drawn = min(expected, key=lambda e, plain=plain: float(np.abs(e.astype(int) - plain).mean()))
        overlay = (np.abs(drawn.astype(int) - plain).max(2) > 60)[20:]
        boxes += overlay.any()
        seen, without = (np.abs(frame.astype(int) - other)[20:][overlay].mean() for other in (drawn, plain))
        assert seen < without / 2, "the boxes are in the file"
    assert boxes == len(frames)


def test_the_video_that_plays_is_not_recorded_over(desk: Make, clip: Path) -> None:
    d = play(desk(), clip)
    before = clip.read_bytes()
    d.window.live_view.record_to(clip)
    assert "clip.mp4 is playing now" in d.messages[0]
    d.play_until(lambda: shown(d) > 2)
    assert clip.read_bytes() == before and not d.session.live.facts.recording


# the engine in a process of its own


def test_a_killed_engine_is_replaced_and_plays_on_where_it_was(desk: Make, clip: Path) -> None:
    d = play(desk(lane=ProcessLane(), settle=False), clip)
    seen: list[int] = []
    d.session.on.frame.append(lambda _: seen.append(shown(d)))
    d.until(lambda: len(seen) > 5)
    d.session.live.toggle()
    d.until(lambda: d.session.live.facts.state == "paused")
    d.session.live.toggle()
    killed = d.session.jobs.lane.pid
    os.kill(killed, signal.SIGKILL)
    d.until(lambda: any("stopped unexpectedly" in text for text in d.messages))
    last = seen[-1]
    d.until(lambda: seen[-1] > last + 3)
    assert d.session.jobs.lane.pid != killed
    assert seen[seen.index(last) + 1] in (last, last + 1)
    assert d.session.live.playing and d.session.live.facts.every


def test_closing_the_window_finishes_the_recording(desk: Make, clip: Path, tmp_path: Path) -> None:
    d = play(desk(lane=ProcessLane(), settle=False), clip)
    d.run("boxes")
    d.window.live_view.record_to(tmp_path / "out.mp4")
    d.until(lambda: d.session.live.facts.recorded >= 5)
    d.window.close()
    frames = frames_of(tmp_path / "out.mp4")
    numbers = [number_in(f) for f in frames]
    assert len(frames) >= 5 and numbers == list(range(numbers[0], numbers[0] + len(frames)))
    d.session.jobs.lane.live(0, "write", frames[0], 0.0)
    assert not list(Path("/dev/shm").glob(f"vitrine-{os.getpid()}-*")), "nothing is lent once the engine has ended"


def test_a_slow_window_is_never_sent_more_than_one_frame(desk: Make, clip: Path) -> None:
    d = play(desk(lane=ProcessLane(), settle=False), clip)
    acks: list[Callable[[], None]] = []
    d.session.live.after_paint = acks.append
    seen: list[int] = []
    d.session.on.frame.append(lambda _: seen.append(shown(d)))
    d.until(lambda: len(acks) == 1)
    count = len(seen)
    # The engine answers what it is asked while the window has not painted yet, so it had time to send more.
    d.session.jobs.want("opening", Request("describe", "digits-ssd"))
    d.until(lambda: d.session.jobs.idle("opening"))
    assert len(seen) == count and len(acks) == 1
    acks.pop()()
    d.until(lambda: len(seen) == count + 1)
    d.session.live.after_paint = lambda call: call()
    acks.pop()()
    d.until(lambda: len(seen) > count + 3)
    assert seen == list(range(seen[0], seen[0] + len(seen)))
