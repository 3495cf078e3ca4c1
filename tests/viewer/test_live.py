"""What plays in the window: opened like a picture, paused like a picture, recorded with what is drawn over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from videos import Stream, number_in, video

from models.cards.card import BUNDLED
from models.live import capture, reader
from models.types import Failure, Result, Source
from viewer.panels.live import LivePanel, clock

SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
FRAMES = 60
Make = Callable[..., Any]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video(tmp_path_factory.mktemp("clips") / "clip.mp4", FRAMES)


@pytest.fixture
def playing(desk: Make, clip: Path) -> Any:
    """A window in which a video plays, every frame of it, over an engine in this process."""
    d = desk()
    panel(d).paced.emit(True)
    d.session.open_paths([clip])
    d.play_until(lambda: d.session.live.source is not None)
    return d


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    monkeypatch.setattr(capture, "READ_MS", 500)
    monkeypatch.setattr(reader, "FIRST_WAIT_S", 0.05)
    made = Stream()
    yield made
    made.close()


def panel(d: Any) -> LivePanel:
    return d.panel(LivePanel)


def shown(d: Any) -> int:
    """The number of the frame on the canvas, by the number it carries."""
    return number_in(d.canvas.pixels)


def pause(d: Any) -> int:
    d.run("play")
    d.play_until(lambda: d.session.live.facts.state == "paused" and d.document.frame == shown(d))
    d.settle()
    return shown(d)


# opening


def test_a_video_opens_like_a_picture_and_plays_with_its_detections(playing: Any, clip: Path) -> None:
    d = playing
    assert d.document.sources == (Source.file(clip),) and d.document.frame == -1
    assert d.window.windowTitle().startswith("clip.mp4 · ")
    assert d.window.docks.shown("live") and str(clip) in d.window.settings.recent_pictures
    assert d.store.undo_title == "Open clip.mp4"
    seen: list[int] = []

    def look(_: Any) -> None:
        seen.append(shown(d))
        request, result = d.session.results["detect"]
        assert request.source.frame == shown(d) and isinstance(result, Result)

    d.session.on.frame.append(look)
    d.play_until(lambda: len(seen) > 5)
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert d.shows(d.result) and not d.session.stale and d.window.has_result


def test_the_last_good_picture_stays_until_the_first_frame_is_there(desk: Make, clip: Path) -> None:
    d = desk(SAMPLES[0])
    before, document = d.canvas.pixels, d.document
    d.session.open_paths([clip])
    assert d.document == document and d.canvas.pixels is before and d.shows(d.direct())
    d.play_until(lambda: d.session.live.source is not None)
    assert shown(d) == 0 and d.document.source == Source.file(clip)


@pytest.mark.parametrize("what", ["text.mp4", "gone.mp4", "camera:987", "http://127.0.0.1:9/nothing"])
def test_what_cannot_be_played_leaves_everything_as_it_was(desk: Make, tmp_path: Path, what: str) -> None:
    d = desk(SAMPLES[0])
    (tmp_path / "text.mp4").write_text("no video")
    before = d.document
    d.session.open_paths([what if ":" in what else tmp_path / what])
    d.play_until(lambda: d.messages)
    d.settle()
    assert len(d.messages) == 1 and d.document == before and d.shows(d.direct()) and d.store.history == []


def test_a_broken_video_at_the_start_gives_way_to_the_next(desk: Make, tmp_path: Path, clip: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    d = desk(tmp_path / "a.mp4", clip, settle=False)
    d.play_until(lambda: d.session.live.source is not None)
    assert "a.mp4 is not a video" in d.messages[0] and d.document.source == Source.file(clip)
    alone = desk(tmp_path / "a.mp4", settle=False)
    alone.play_until(lambda: alone.messages)
    assert alone.document.sources == () and alone.window.centre.currentWidget() is alone.window.welcome


def test_the_film_strip_leads_from_pictures_to_videos_and_back(desk: Make, tmp_path: Path, clip: Path) -> None:
    shutil.copy(SAMPLES[0], tmp_path / "a.png")
    shutil.copy(clip, tmp_path / "b.mp4")
    shutil.copy(SAMPLES[1], tmp_path / "c.png")
    d = desk()
    d.session.open_paths([tmp_path])
    d.settle()
    assert len(d.document.sources) == 3 and d.shows(d.direct())
    d.session.step(1)
    d.play_until(lambda: d.session.live.source is not None)
    assert d.document.file.name == "b.mp4" and d.canvas.pixels.shape == (240, 320, 3)
    player = d.session.jobs.lane._show._now.player
    d.session.step(1)
    d.play_until(lambda: d.session.shown.name == "c.png")
    d.settle()
    assert d.session.live.source is None and d.shows(d.direct())
    assert not player._reader._thread.is_alive(), "the capture is released"
    assert d.session.jobs.lane._show._now is None


def test_videos_and_addresses_can_be_dropped(desk: Make, clip: Path) -> None:
    d = desk()
    assert d.drop_files(clip) == "Drop to open clip.mp4"
    d.play_until(lambda: d.session.live.source is not None)
    data = QMimeData()
    data.setUrls([QUrl("rtsp://127.0.0.1:9/door")])
    assert d.drop(data) == "Drop to play rtsp://127.0.0.1:9/door"
    d.play_until(lambda: d.messages)
    assert "does not answer" in d.messages[0] and d.document.file == Source.file(clip)


def test_cameras_and_streams_are_opened_by_number_or_address(desk: Make, stream: Stream) -> None:
    d = desk()
    d.window.live_view.open_live("987")
    d.play_until(lambda: d.messages)
    assert "Camera 987 is not there" in d.messages[0]
    d.window.live_view.open_live("nonsense")
    assert "nonsense is neither a camera nor a stream" in d.messages[1]
    d.window.live_view.open_live(stream.url)
    d.play_until(lambda: d.session.live.source is not None)
    d.play_until(lambda: shown(d) > 3)
    live = panel(d)
    assert not live.timeline.isEnabled() and "is live: you cannot go back" in live.timeline.toolTip()
    assert not live.back.isEnabled() and not live.pace.isEnabled() and live.play.isEnabled()


def test_undo_leads_back_to_the_picture_and_redo_to_the_video(desk: Make, clip: Path) -> None:
    d = desk(SAMPLES[0])
    d.session.open_paths([clip])
    d.play_until(lambda: d.session.live.source is not None)
    d.run("undo")
    d.play_until(lambda: d.document.file.name == SAMPLES[0].name)
    d.settle()
    assert d.session.live.source is None and d.shows(d.direct())
    d.run("redo")
    d.play_until(lambda: d.session.live.source is not None)
    assert d.document.source == Source.file(clip) and d.canvas.pixels.shape == (240, 320, 3)


def test_a_model_that_fails_on_a_frame_pauses_and_is_told_once(playing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    d = playing
    d.play_until(lambda: shown(d) > 1 and d.layer("detections") is not None)
    monkeypatch.setattr(d.engine, "run_frame", lambda request, context: Failure("There is not enough memory for this."))
    d.play_until(lambda: d.session.live.facts.state == "paused" and d.document.frame == shown(d))
    assert d.messages == ["There is not enough memory for this."] and d.session.stale
    assert d.layer("detections") is None, "boxes of another frame would be wrong"
    monkeypatch.undo()
    d.run("again")
    d.settle()
    assert d.shows(d.direct())


# pausing


def test_paused_it_is_a_picture_that_everything_may_be_asked_of(playing: Any) -> None:
    d = playing
    d.play_until(lambda: shown(d) > 3)
    number = pause(d)
    assert d.document.source.frame == number and "clip.mp4, frame" in d.window.windowTitle()
    assert d.shows(d.direct()) and not d.session.stale
    d.set("score", 0.8)
    assert d.shows(d.direct(score=0.8))
    d.run("anchors-density")
    d.settle()
    assert d.layer("density") is not None
    d.run("undo")
    d.run("undo")
    d.settle()
    assert shown(d) == number == d.document.frame and d.shows(d.direct())
    d.run("play")
    d.play_until(lambda: shown(d) > number)
    assert d.document.frame == -1 and "anchors" not in d.session.results


def test_keys_play_and_step(playing: Any) -> None:
    d = playing
    d.play_until(lambda: shown(d) > 3)
    d.canvas.setFocus()
    d.key(Qt.Key.Key_Space)
    d.play_until(lambda: d.document.frame == shown(d) >= 0)
    number = shown(d)
    for key, wanted in ((Qt.Key.Key_Period, number + 1), (Qt.Key.Key_Comma, number), (Qt.Key.Key_Comma, number - 1)):
        d.key(key)
        d.play_until(lambda wanted=wanted: d.document.frame == wanted)
        assert shown(d) == wanted
        d.settle()
        assert d.shows(d.direct())
    d.key(Qt.Key.Key_Space)
    d.play_until(lambda: shown(d) > number)


def test_space_on_a_button_presses_it(playing: Any) -> None:
    d = playing
    d.play_until(lambda: shown(d) > 1)
    form = d.detection.form
    assert form is not None
    box = form.rows["suppressed"].box
    box.setFocus()
    d.key(Qt.Key.Key_Space)
    assert d.document.values("detect").get("suppressed") is True and d.session.live.playing


def test_the_timeline_seeks(playing: Any) -> None:
    d = playing
    pause(d)
    live = panel(d)
    assert live.timeline.maximum() == FRAMES - 1
    for wanted in (40, 7):
        live.timeline.setSliderDown(True)
        live.timeline.setSliderPosition(wanted)
        live.timeline.setSliderDown(False)
        d.play_until(lambda wanted=wanted: d.document.frame == wanted)
        assert shown(d) == wanted == live.timeline.value()
    live.timeline.setFocus()
    d.key(Qt.Key.Key_Right)
    d.play_until(lambda: d.document.frame == 8)
    assert live.place.text() == "0:00.2 / 0:01.9 · frame  8 of 59"


def test_a_selection_made_while_it_plays_stays_where_it_is_paused(playing: Any) -> None:
    d = playing
    d.play_until(lambda: len(d.result.arrays["ids"]))
    d.run("play")
    d.play_until(lambda: d.document.frame >= 0)
    first = int(d.result.arrays["ids"][0])
    d.store.update(d.document.with_selected(first))
    d.run("next-frame")
    d.play_until(lambda: d.result is not None and d.document.frame == shown(d) and d.document.selected == -1)


# settings


def test_sliders_work_while_it_plays(playing: Any) -> None:
    d = playing
    d.play_until(lambda: shown(d) > 1)
    d.set("score", 0.9)
    assert d.session.live.playing
    d.play_until(lambda: d.session.results["detect"][0].settings == {"score": 0.9})
    request, result = d.session.results["detect"]
    still = d.engine.run(request)
    assert np.array_equal(still.arrays["boxes"], result.arrays["boxes"]) and d.shows(result)
    d.run("undo")
    d.play_until(lambda: d.session.results["detect"][0].settings == {})
    assert d.document.frame == -1 and d.session.live.playing


def test_another_model_takes_over_while_it_plays(playing: Any) -> None:
    d = playing
    d.play_until(lambda: shown(d) > 1)
    d.session.open_model("digits-faster-rcnn")
    d.play_until(lambda: "detect" in d.session.results and d.result.meta["proposals"] > 0)
    assert d.session.live.playing and d.document.model == "digits-faster-rcnn"


def test_hiding_boxes_holds_while_it_plays(playing: Any) -> None:
    d = playing
    d.run("boxes")
    before = shown(d)
    d.play_until(lambda: shown(d) > before + 2)
    assert d.layer("detections") is None


# what is told


def test_the_panel_tells_rate_drops_and_stages(playing: Any) -> None:
    d = playing
    d.play_until(lambda: shown(d) > 10)
    live = panel(d)
    d.play_until(lambda: "backbone" in live.stages.text() and "frames/s" in live.rate.text())
    assert "0 dropped" in live.rate.text() and live.state.text() == "clip.mp4 plays"
    d.play_until(lambda: d.session.live.facts.state == "ended")
    assert live.state.text() == "clip.mp4 has ended" and shown(d) == FRAMES - 1
    d.settle()
    assert d.document.frame == FRAMES - 1 and d.shows(d.direct())
    d.run("play")
    d.play_until(lambda: 0 < shown(d) < FRAMES - 1)


def test_times_are_written_in_full() -> None:
    assert [clock(s) for s in (0, 0.99, 59.96, 61, 3725.5)] == ["0:00.0", "0:00.9", "0:59.9", "1:01.0", "1:02:05.5"]


def test_a_lost_stream_is_told_and_taken_up_again(desk: Make, stream: Stream) -> None:
    d = desk()
    d.session.open_paths([stream.url])
    d.play_until(lambda: d.session.live.source is not None)
    d.play_until(lambda: shown(d) > 2)
    stream.away = True
    stream.breaks += 1
    d.play_until(lambda: d.session.live.facts.lost)
    last = shown(d)
    assert any("Lost http://127.0.0.1" in text for text in d.messages)
    assert "Connecting to" in panel(d).state.text() or "trying again" in panel(d).state.text()
    d.run("labels")
    assert d.canvas.pixels is not None and d.window.has_picture, "the window goes on"
    stream.size = (480, 352)
    stream.away = False
    d.play_until(lambda: not d.session.live.facts.lost and d.canvas.pixels.shape == (352, 480, 3))
    assert shown(d) > last and any("is back" in text for text in d.messages)


def test_the_command_line_knows_what_moves(clip: Path) -> None:
    from argparse import Namespace

    from viewer.app import _document

    given = [str(clip), "camera:0", "rtsp://host/door", str(SAMPLES[0])]
    options = Namespace(pictures=given, sample=False, model="digits-ssd", show=[], beside="", truth=None)
    document, failures = _document(options)
    assert [s.path for s in document.sources] == given and not failures
