"""What plays in the engine: the detections are those of the still frame, one frame is on its way, memory stays flat."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from videos import Stream, frames_of, number_in, numbered, until, video

from models.engine.engine import Engine
from models.live import capture, encoders, reader
from models.live.frame_loop import Show
from models.live.record import Recording, write_film
from models.live.status import Facts, Opening, Shown
from models.output_files import OutputFiles
from models.requests import Request
from models.types import Failure, Refusal, Result, Source

SSD = "digits-ssd"
FRAMES = 40
NUMBER = 7


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video(tmp_path_factory.mktemp("clips") / "clip.mp4", FRAMES)


class Wall:
    """What an engine that plays sends, and what a window would do with it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sent: list[Any] = []
        self.show = Show(engine, self.sent.append, lambda number: False)

    def open(self, path: Path | str, *, model: str = SSD, **given: Any) -> Source:
        source = Source.file(path)
        params = given.pop("params", {})
        opening = Opening(source, Request.make("detect", model, source, params), **given)
        self.show.handle(NUMBER, "open", opening)
        return source

    def tell(self, command: str, *given: Any) -> None:
        self.show.handle(NUMBER, command, *given)

    def next(self, what: str = "shown") -> tuple[Any, ...]:
        """The next message of a kind; others stay."""

        def found() -> tuple[Any, ...] | None:
            self.show.advance()
            wanted = next((message for message in self.sent if message[2] == what), None)
            if wanted is not None:
                self.sent.remove(wanted)
            return wanted and wanted[3:]

        return until(found)

    def pause(self) -> Facts:
        """Pause, and paint what was on its way."""
        self.tell("pause")
        facts = until(lambda: self._painted("paused"))
        assert isinstance(facts, Facts)
        return facts

    def _painted(self, state: str) -> Facts | None:
        """Paint every frame that came; return the newest facts once they are of a state and nothing more comes."""
        self.show.advance()
        newest = None
        while self.sent:
            newest = self.sent[-1][3]
            for message in self.sent[:]:
                self.sent.remove(message)
                if message[2] == "shown":
                    self.tell("ack")
            self.show.advance()
        return newest if newest is not None and newest.state == state else None

    def frame(self) -> tuple[Facts, Shown]:
        """The next frame, painted at once."""
        facts, shown = self.next()
        self.tell("ack")
        return facts, shown

    def ended(self) -> list[int]:
        """Every frame until the end."""
        found: list[int] = []

        def done() -> bool:
            self.show.advance()
            while self.sent:
                message = self.sent.pop(0)
                if message[2] == "shown":
                    found.append(message[4].source.frame)
                    self.tell("ack")
                elif message[2] == "facts" and message[3].state == "ended":
                    return True
            return False

        until(done)
        return found


@pytest.fixture
def wall(engine: Engine) -> Iterator[Wall]:
    made = Wall(engine)
    yield made
    made.show.close()


def same(one: Result, other: Result) -> bool:
    return all(np.array_equal(one.arrays[name], other.arrays[name]) for name in ("boxes", "scores", "labels", "ids"))


def test_detections_while_it_plays_are_those_of_the_still_frame(wall: Wall, engine: Engine, clip: Path) -> None:
    wall.open(clip, every=True)
    found = 0
    for number in range(6):
        facts, shown = wall.frame()
        assert (facts.number, shown.source.frame, number_in(shown.pixels)) == (number, number, number)
        assert isinstance(shown.answer, Result) and shown.request is not None
        assert shown.request.source == shown.source and shown.request.model == SSD
        still = Engine(threads=1).run(shown.request)
        assert isinstance(still, Result) and same(shown.answer, still)
        found += len(still.arrays["boxes"])
    assert found > 6


def test_a_setting_holds_from_the_next_frame_on(wall: Wall, engine: Engine, clip: Path) -> None:
    source = wall.open(clip, every=True)
    wall.frame()
    wall.tell("ask", Request.make("detect", SSD, source, {"score": 0.9, "suppressed": True}))
    shown = next(s for s in (wall.frame()[1] for _ in range(3)) if s.request and s.request.settings)
    assert shown.source.frame <= 2, "at most the one that was worked out already had the old setting"
    assert shown.request is not None and shown.request.settings == {"score": 0.9, "suppressed": True}
    still = engine.run(shown.request)
    assert isinstance(still, Result) and isinstance(shown.answer, Result) and same(shown.answer, still)
    assert len(still.arrays["removed_boxes"]) == len(shown.answer.arrays["removed_boxes"]) > 0


def test_one_frame_is_on_its_way_until_the_window_painted_it_and_none_is_lost(wall: Wall, clip: Path) -> None:
    wall.open(clip, every=True)
    _, shown = wall.next()
    for _ in range(50):
        wall.show.advance()
    assert wall.sent == [], "the next frame waits for the window"
    wall.tell("ack")
    _, following = wall.next()
    assert (shown.source.frame, following.source.frame) == (0, 1)
    wall.tell("ack")
    assert wall.ended() == list(range(2, FRAMES))


def test_nothing_of_the_frames_piles_up(wall: Wall, engine: Engine, clip: Path) -> None:
    wall.open(clip, every=True)
    engine.finish_idle()
    wall.frame()
    used, kept = engine.cache.used_bytes, len(engine.cache._values)
    assert len(wall.ended()) == FRAMES - 1
    assert (engine.cache.used_bytes, len(engine.cache._values)) == (used, kept)
    assert not engine.idle_work, "no graph is built for a frame that is gone in a moment"


def test_a_paused_frame_is_a_picture_like_any_other(wall: Wall, engine: Engine, clip: Path) -> None:
    source = wall.open(clip, every=True)
    for _ in range(4):
        wall.frame()
    paused = replace(source, frame=wall.pause().number)
    assert number_in(engine.pixels(Request("detect", SSD, paused), None)) == paused.frame  # type: ignore[arg-type]
    again = engine.run(Request.make("detect", SSD, paused, {"score": 0.3}))
    assert isinstance(again, Result) and "backbone" not in again.meta["timings"], "its stages were kept"
    anchors = engine.run(Request("anchors", SSD, paused))
    assert isinstance(anchors, Result) and anchors.meta["size"] == (320, 240)
    elsewhere = engine.run(Request("detect", SSD, replace(source, frame=30)))
    assert isinstance(elsewhere, Result), "other frames of a file can be had by seeking"


def test_steps_and_seeks_show_one_frame_each(wall: Wall, clip: Path) -> None:
    wall.open(clip, every=True)
    wall.frame()
    at = wall.pause().number
    for command, given, wanted in (("step", 1, at + 1), ("step", -1, at), ("seek", 30, 30), ("step", -1, 29)):
        wall.tell(command, given)
        facts, shown = wall.frame()
        assert (facts.number, number_in(shown.pixels), facts.state) == (wanted, wanted, "paused")
        for _ in range(5):
            wall.show.advance()
        assert not [m for m in wall.sent if m[2] == "shown"]
    wall.tell("play")
    assert [wall.frame()[1].source.frame for _ in range(3)] == [30, 31, 32]


def test_facts_tell_rate_stages_and_length(wall: Wall, clip: Path) -> None:
    wall.open(clip, every=True)
    facts = [wall.frame()[0] for _ in range(5)][-1]
    assert (facts.count, facts.fps, facts.every, facts.dropped) == (FRAMES, 30, True, 0)
    assert facts.rate > 0 and {"read", "backbone", "head"} <= set(facts.stages)
    assert all(ms >= 0 for ms in facts.stages.values())


def test_what_cannot_be_opened_leaves_what_plays(wall: Wall, clip: Path, tmp_path: Path) -> None:
    wall.open(clip, every=True)
    wall.frame()
    (tmp_path / "text.mp4").write_text("no video")
    broken = Source.file(tmp_path / "text.mp4")
    wall.show.handle(8, "open", Opening(broken, Request("detect", SSD, broken)))
    failure = wall.next("refused")[0]
    assert isinstance(failure, Failure) and "text.mp4 is not a video" in failure.message
    assert wall.frame()[1].source.frame >= 1


def test_a_model_that_fails_pauses_and_says_so(wall: Wall, clip: Path) -> None:
    wall.open(clip, every=True, model="nobody")
    facts, shown = wall.frame()
    assert isinstance(shown.answer, Failure) and "no model 'nobody'" in shown.answer.message
    assert facts.state == "paused" and number_in(shown.pixels) == 0


def test_a_video_asked_for_as_a_picture_is_refused(engine: Engine, clip: Path) -> None:
    answer = engine.run(Request("detect", SSD, Source.file(clip)))
    assert isinstance(answer, Failure) and "clip.mp4 shows more than one picture" in answer.message


def test_a_paused_frame_of_a_stream_can_be_asked_about_until_it_is_gone(
    wall: Wall, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "READ_MS", 500)
    monkeypatch.setattr(reader, "FIRST_WAIT_S", 0.05)
    stream = Stream()
    try:
        source = wall.open(stream.url)
        wall.frame()
        wall.tell("step", 1)
        facts, shown = next(f for f in iter(wall.frame, None) if f[0].state == "paused" and f[0].number > 0)
        paused = replace(source, frame=facts.number)
        anchors = engine.run(Request("anchors", SSD, paused))
        assert isinstance(anchors, Result) and shown.source == paused
        gone = engine.run(Request("detect", SSD, replace(source, frame=facts.number + 1000)))
        assert isinstance(gone, Failure) and "is gone" in gone.message
    finally:
        wall.show.close()
        stream.close()


# recording


def test_every_frame_is_recorded_once_and_the_pace_is_every_frame(wall: Wall, clip: Path, tmp_path: Path) -> None:
    wall.open(clip, playing=False)
    wall.frame()
    wall.tell("record", str(tmp_path / "out.mp4"))
    facts = wall.next("facts")[0]
    assert facts.every and facts.recording == str(tmp_path / "out.mp4")
    wall.tell("play")
    written = 0
    while written < FRAMES - 1:
        facts, shown = wall.next()
        assert facts.recorded == written
        wall.tell("write", shown.pixels, shown.at)
        wall.tell("ack")
        written += 1
    wall.tell("finish")
    assert [number_in(frame) for frame in frames_of(tmp_path / "out.mp4")] == list(range(1, FRAMES))


def test_closing_finishes_the_file(wall: Wall, clip: Path, tmp_path: Path) -> None:
    wall.open(clip, every=True)
    wall.tell("record", str(tmp_path / "early.mp4"))
    wall.frame()
    wall.tell("record", str(tmp_path / "out.mp4"))
    for _ in range(3):
        _, shown = wall.next()
        wall.tell("write", shown.pixels, shown.at)
        wall.tell("ack")
    wall.show.close()
    assert len(frames_of(tmp_path / "out.mp4")) == 3
    assert not (tmp_path / "early.mp4").exists()


def test_a_path_that_cannot_be_written_is_told(wall: Wall, clip: Path, tmp_path: Path) -> None:
    wall.open(clip, playing=False)
    wall.frame()
    wall.tell("record", str(tmp_path / "nowhere" / "out.mp4"))
    facts = wall.next("facts")[0]
    assert "out.mp4 cannot be written" in facts.note and facts.recording == ""


def test_a_full_disk_ends_the_recording_and_leaves_it_playable(
    wall: Wall, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.live import record

    monkeypatch.setattr(record, "LOOK_EVERY", 2)
    wall.open(clip, every=True)
    wall.frame()
    wall.tell("record", str(tmp_path / "out.mp4"))
    usage = namedtuple("usage", "total used free")
    for count in range(6):
        _, shown = wall.next()
        if count == 3:
            monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 0))
        wall.tell("write", shown.pixels, shown.at)
        wall.tell("ack")
        if count == 4:
            break
    assert "The disk is nearly full, so out.mp4 ends here" in wall.next()[0].note
    assert len(frames_of(tmp_path / "out.mp4")) == 4


@pytest.mark.parametrize("size", [(321, 241), (320, 240), (17, 33)])
def test_odd_sizes_lose_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    recording = Recording(str(tmp_path / "odd.mp4"), fps=25)
    for shade in (30, 200):
        recording.write(np.full((size[1], size[0], 3), shade, np.uint8))
    recording.write(np.full((60, 80, 3), 100, np.uint8))
    recording.close()
    frames = frames_of(tmp_path / "odd.mp4")
    assert len(frames) == 3 and all(f.shape[0] >= size[1] and f.shape[1] >= size[0] for f in frames)
    assert [round(float(f.mean()), -1) for f in frames] == [30, 200, 100]


def test_what_is_live_is_recorded_by_the_clock(tmp_path: Path) -> None:
    recording = Recording(str(tmp_path / "live.mp4"), fps=10)
    for number, at in enumerate((5.0, 5.1, 5.12, 5.6)):
        recording.write(numbered(number), at=at)
    recording.close()
    assert [number_in(f) for f in frames_of(tmp_path / "live.mp4")] == [0, 1, 3, 3, 3, 3, 3]


def test_a_recording_refuses_a_folder(tmp_path: Path) -> None:
    make: Callable[[], Any] = lambda: Recording(str(tmp_path), fps=10)  # noqa: E731
    with pytest.raises(Refusal, match="cannot be written"):
        make()


@pytest.mark.parametrize("h264", [True, False])
def test_films_are_h264_where_ffmpeg_is_and_else_say_that_browsers_may_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, h264: bool
) -> None:
    if h264 and not encoders.h264():
        pytest.skip("imageio-ffmpeg is not installed")
    monkeypatch.setattr(encoders, "h264", lambda: h264)
    frames = [numbered(number, size=(160, 121)) for number in range(12)]
    with OutputFiles() as files:
        write_film(files, tmp_path / "walk.mp4", frames, fps=12.5)
    film = cv2.VideoCapture(str(tmp_path / "walk.mp4"))
    code = int(film.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode()
    assert code in (("avc1", "h264") if h264 else ("mp4v", "FMP4")) and film.get(cv2.CAP_PROP_FPS) == 12.5
    film.release()
    assert encoders.note(tmp_path / "walk.mp4") == ("" if h264 else encoders.BROWSERS)
    found = frames_of(tmp_path / "walk.mp4")
    assert len(found) == len(frames) and found[0].shape == (122, 160, 3)
    for one, other in zip(found, frames, strict=True):
        assert np.abs(one[:121].astype(int) - other).mean() < 20


def test_a_program_that_ends_early_is_noticed_by_the_frames_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not encoders.h264():
        pytest.skip("imageio-ffmpeg is not installed")
    monkeypatch.setattr(encoders, "FAST", ("-frames:v", "3", *encoders.FAST))
    with pytest.raises(OSError, match="of 40 frames"), OutputFiles() as files:
        write_film(files, tmp_path / "walk.mp4", [numbered(number) for number in range(40)], fps=10)
    assert list(tmp_path.iterdir()) == []
