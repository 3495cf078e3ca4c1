"""Opening, leafing and going back: what fails leaves the last good state, and what comes late never wins."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt

from models.cards.card import BUNDLED
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Source
from viewer.session.session import Session

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
Make = Callable[..., Any]


def shown(d: Any) -> str:
    """The picture that window, canvas and document agree on."""
    assert d.session.shown == d.document.source
    assert np.array_equal(d.canvas.pixels, d.session.pictures[d.session.shown].pixels)
    assert d.window.windowTitle().startswith(d.session.shown.name + " · ")
    return d.session.shown.name


# opening


def test_a_picture_opens_with_its_detections(desk: Make) -> None:
    d = desk()
    d.open(SAMPLES[0])
    assert shown(d) == SAMPLES[0].name
    assert d.shows(d.direct())


def test_a_folder_with_a_broken_first_picture_opens_at_the_next(desk: Make, pictures: list[Path]) -> None:
    d = desk()
    pictures[0].write_bytes(b"no picture at all")
    d.session.open_paths([pictures[0].parent])
    d.until(lambda: d.session.shown is not None)
    d.settle()
    assert shown(d) == "c.png" and len(d.document.sources) == 3
    assert "a.png is not a picture" in d.messages[0] and "1 more cannot be read" in d.messages[0]


@pytest.mark.parametrize("what", ["missing.png", "empty.png", "text.png", "folder"])
def test_what_cannot_be_opened_leaves_everything_as_it_was(desk: Make, tmp_path: Path, what: str) -> None:
    d = desk(SAMPLES[0])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder").mkdir()
    before, layers = d.document, [layer.id for layer in d.canvas.layers]
    d.session.open_paths([tmp_path / what])
    d.until(lambda: d.messages)
    assert what in d.messages[0] and len(d.messages) == 1
    assert d.document == before and shown(d) == SAMPLES[0].name
    assert [layer.id for layer in d.canvas.layers] == layers and d.shows(d.direct())
    assert not d.session.stale and d.store.history == []


def test_one_bad_path_among_good_ones_does_not_stop_them(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    d = desk()
    (tmp_path / "empty folder").mkdir()
    d.open(tmp_path / "empty folder", pictures[0], pictures[2])
    assert shown(d) == "a.png" and len(d.document.sources) == 2
    assert "no picture in the folder empty folder" in d.messages[0]


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x04\x95pickle"])
def test_broken_weights_leave_everything_as_it_was(desk: Make, tmp_path: Path, content: bytes) -> None:
    d = desk(SAMPLES[0])
    weights = tmp_path / "broken.pt"
    weights.write_bytes(content)
    before = d.document
    d.session.open_paths([weights])
    d.until(lambda: d.messages)
    d.settle()
    assert "broken.pt" in d.messages[0]
    assert d.document == before and d.shows(d.direct())
    assert d.window.model_box.currentText() == SSD
    assert str(weights) not in d.window.settings.recent_models


def test_weights_open_as_the_model_and_are_remembered(desk: Make, tmp_path: Path) -> None:
    d = desk(SAMPLES[0])
    weights = tmp_path / "mine.safetensors"
    shutil.copy(BUNDLED / "digits-ssd.safetensors", weights)
    d.set("score", 0.6)
    d.session.open_paths([weights])
    d.until(lambda: d.document.model == str(weights))
    d.settle()
    assert d.window.model_box.currentText() == "mine.safetensors"
    assert d.window.settings.recent_models == (str(weights),)
    assert d.document.values("detect") == {} and d.shows(d.direct())
    d.run("undo")
    d.settle()
    assert d.document.model == SSD and d.shows(d.direct(score=0.6))


def test_a_bad_model_at_the_start_falls_back_to_the_bundled_one(desk: Make, tmp_path: Path) -> None:
    d = desk(SAMPLES[0], model=str(tmp_path / "gone.pt"))
    assert "gone.pt is not there" in d.messages[0]
    assert d.document.model == RCNN and d.shows(d.direct())


def test_a_picture_that_breaks_off_at_the_start_gives_way_to_the_next(desk: Make, pictures: list[Path]) -> None:
    d = desk(*pictures[1:])
    assert shown(d) == "c.png" and "b.png is cut short" in d.messages[0]
    alone = desk(pictures[1])
    assert alone.document.sources == () and alone.window.centre.currentWidget() is alone.window.welcome


# the film strip


def test_leafing_passes_over_a_broken_picture(desk: Make, pictures: list[Path]) -> None:
    d = desk(*pictures)
    d.canvas.setFocus()
    d.key(Qt.Key.Key_Right)
    d.until(lambda: d.messages)
    assert "b.png is cut short or damaged" in d.messages[0]
    assert shown(d) == "a.png" and d.shows(d.direct()) and d.film.list.currentRow() == 0
    d.key(Qt.Key.Key_Right)
    d.until(lambda: d.session.shown.name == "c.png")
    d.settle()
    assert shown(d) == "c.png" and d.shows(d.direct()) and d.film.list.currentRow() == 2
    d.key(Qt.Key.Key_Right)
    assert shown(d) == "c.png"
    d.key(Qt.Key.Key_Left)
    d.until(lambda: d.session.shown.name == "a.png")
    d.settle()
    assert shown(d) == "a.png" and len(d.messages) == 1


def test_a_repaired_picture_is_no_longer_passed_over(desk: Make, pictures: list[Path]) -> None:
    d = desk(*pictures)
    d.session.step(1)
    d.until(lambda: d.messages)
    shutil.copy(pictures[2], pictures[1])
    d.session.step(1)
    d.until(lambda: d.session.shown.name == "b.png")
    d.settle()
    assert shown(d) == "b.png" and d.shows(d.direct())


def test_quick_steps_add_up_and_a_step_back_calls_off(desk: Make, tmp_path: Path) -> None:
    for number in range(4):
        save_png(np.full((40, 40, 3), 60 * number, np.uint8), tmp_path / f"{number}.png")
    d = desk(*sorted(tmp_path.glob("*.png")))
    for by in (1, 1, 1):
        d.session.step(by)
    d.until(lambda: d.session.shown.name == "3.png")
    d.session.step(-1)
    d.session.step(1)
    d.settle()
    assert shown(d) == "3.png" and not d.session.reading


def test_a_step_that_was_taken_back_does_not_come_later(desk: Make) -> None:
    d = desk(*SAMPLES[:2])
    d.session.step(1)
    d.session.step(-1)
    passed: list[bool] = []
    d.session.jobs.local("after", lambda: lambda: passed.append(True))
    d.until(lambda: passed)
    assert shown(d) == SAMPLES[0].name and d.document.current == 0


def test_settings_and_view_stay_when_the_picture_changes(desk: Make) -> None:
    d = desk(*SAMPLES[:2])
    d.set("score", 0.7)
    d.run("labels")
    d.session.step(1)
    d.until(lambda: d.document.current == 1)
    d.settle()
    assert d.document.values("detect") == {"score": 0.7} and not d.document.view.labels
    assert d.shows(d.direct(score=0.7)) and not d.layer("detections").labelled


# undo


def test_undo_and_redo_of_pictures_and_models(desk: Make) -> None:
    d = desk()
    states: list[tuple[Any, ...]] = []

    def note() -> None:
        d.settle()
        assert d.session.shown == d.document.source
        states.append((d.document.source, d.document.current, d.document.model))

    note()
    d.open(*SAMPLES[:2])
    note()
    d.session.step(1)
    d.until(lambda: d.document.current == 1)
    note()
    d.session.open_model(RCNN)
    d.until(lambda: d.document.model == RCNN)
    note()
    d.open(SAMPLES[2])
    note()
    assert d.store.history == [
        f"Open {SAMPLES[0].name}",
        f"Go to {SAMPLES[1].name}",
        f"Open {RCNN}",
        f"Open {SAMPLES[2].name}",
    ]
    for state in states[-2::-1]:
        d.run("undo")
        d.until(lambda wanted=state: (d.document.source, d.document.current, d.document.model) == wanted)
        d.settle()
        assert d.session.shown == d.document.source
        if d.document.source:
            assert d.shows(d.direct())
    assert d.canvas.pixels is None and d.window.centre.currentWidget() is d.window.welcome
    for state in states[1:]:
        d.run("redo")
        d.until(lambda wanted=state: (d.document.source, d.document.current, d.document.model) == wanted)
        d.settle()
        assert d.shows(d.direct()) and d.window.centre.currentWidget() is d.window.panes


def test_a_setting_changed_while_undo_reads_its_picture_is_not_taken_back(desk: Make, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    d.open(pictures[2])
    d.session.pictures.discard(Source.file(pictures[0]))
    d.run("undo")
    d.store.update(d.document.with_value("detect", score=0.6), title="Score")
    d.until(lambda: not d.session.reading)
    d.settle()
    assert d.store.undo_title == "Score" and shown(d) == "c.png"
    assert d.session.shown == d.document.source and d.shows(d.direct(score=0.6))


def test_undo_to_a_picture_that_is_gone_says_so_and_stays(desk: Make, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    d.open(pictures[2])
    d.session.pictures.discard(Source.file(pictures[0]))
    pictures[0].unlink()
    d.run("undo")
    d.until(lambda: d.messages)
    assert "a.png is not there" in d.messages[0]
    assert shown(d) == "c.png" and d.shows(d.direct()) and d.store.undo_title == "Open c.png"


# late answers


def late_desk(desk: Make, late: Any) -> Any:
    d = desk(SAMPLES[0], lane=late, settle=False)
    d.until(lambda: d.session.shown)
    d.until(lambda: late.waiting)
    late.answer()
    d.until(lambda: d.session.results and d.detection.form)
    late.answer()
    d.settle()
    return d


def test_the_sign_is_shown_while_the_answer_is_not_there(desk: Make, late: Any) -> None:
    d = late_desk(desk, late)
    assert not d.canvas.is_stale and d.window.status.engine.text() == "engine ready"
    before = d.direct()
    d.store.update(d.document.with_value("detect", score=0.8), title="Score")
    assert d.shows(before) and d.session.stale
    d.until(lambda: d.canvas.is_stale)
    late.answer()
    d.settle()
    assert d.shows(d.direct(score=0.8)) and not d.canvas.is_stale


def test_the_newest_setting_wins_over_what_was_asked_before(desk: Make, late: Any) -> None:
    d = late_desk(desk, late)
    for score in (0.6, 0.7, 0.8):
        d.store.update(d.document.with_value("detect", score=score), title="Score", merge="score")
    assert [r.settings["score"] for _, r in late.waiting] == [0.6]
    late.answer()
    d.until(lambda: d.shows(d.direct(score=0.6)))
    late.answer()
    d.settle()
    assert d.shows(d.direct(score=0.8)) and not late.waiting


def test_going_back_to_what_is_shown_drops_the_answer_on_its_way(desk: Make, late: Any) -> None:
    d = late_desk(desk, late)
    d.store.update(d.document.with_value("detect", score=0.8), title="Score")
    d.run("undo")
    assert late.waiting and not d.session.stale
    late.answer()
    d.until(lambda: not d.session.jobs.busy)
    assert d.shows(d.direct()) and not d.session.stale


def test_an_answer_for_the_picture_before_is_dropped(desk: Make, late: Any) -> None:
    d = late_desk(desk, late)
    d.store.update(d.document.with_value("detect", score=0.8), title="Score")
    number, request = late.waiting[0]
    d.session.open_paths([SAMPLES[1]])
    d.until(lambda: d.session.shown.name == SAMPLES[1].name)
    late.post(("done", number, d.engine.run(request)))
    d.until(lambda: late.waiting and late.waiting[0][1].source == d.document.source)
    assert d.layer("detections") is None and "Waiting" in d.detection.summary.text()
    late.answer()
    d.settle()
    assert d.shows(d.direct(score=0.8))


def test_escape_cancels_keeps_the_answer_and_f5_asks_again(desk: Make, late: Any) -> None:
    d = late_desk(desk, late)
    before = d.direct()
    d.store.update(d.document.with_value("detect", score=0.8), title="Score")
    d.canvas.setFocus()
    d.key(Qt.Key.Key_Escape)
    d.until(lambda: not d.session.jobs.busy)
    assert late.cancelled and not late.waiting
    assert d.messages == ["Cancelled. The last answer stays; F5 asks again."]
    assert d.shows(before) and d.session.stale
    d.run("labels")
    assert not late.waiting
    d.key(Qt.Key.Key_F5)
    late.answer()
    d.settle()
    assert d.shows(d.direct(score=0.8))


def test_a_failed_answer_is_told_once_and_not_asked_again_by_itself(desk: Make, late: Any) -> None:
    d = late_desk(desk, late)
    before = d.direct()
    d.store.update(d.document.with_value("detect", score=0.8), title="Score")
    late.answer(answer=Failure("There is not enough memory for this.", "Try a smaller picture or model.", "details"))
    d.until(lambda: d.messages)
    d.run("labels")
    d.run("boxes")
    d.run("boxes")
    assert d.messages == ["There is not enough memory for this. Try a smaller picture or model."]
    assert not late.waiting and d.shows(before) and d.session.stale
    assert "details" in d.log.text.toPlainText()
    d.store.update(d.document.with_value("detect", score=0.7), title="Score")
    late.answer()
    d.settle()
    assert d.shows(d.direct(score=0.7))


def test_a_lost_engine_is_told_and_the_request_answered_by_the_next(desk: Make, late: Any) -> None:
    d = late_desk(desk, late)
    d.store.update(d.document.with_value("detect", score=0.8), title="Score")
    late.post(("lost", -9))
    d.until(lambda: d.messages and late.waiting)
    assert "The engine stopped unexpectedly" in d.messages[0]
    late.answer()
    d.settle()
    assert d.shows(d.direct(score=0.8)) and d.window.status.engine.text() == "engine ready"


def test_a_model_is_only_shown_once_it_is_open(desk: Make, late: Any) -> None:
    d = late_desk(desk, late)
    before = d.direct()
    d.session.open_model(RCNN)
    assert d.document.model == SSD and d.window.model_box.currentText() == SSD and d.shows(before)
    late.answer("describe")
    d.until(lambda: d.document.model == RCNN)
    assert d.shows(before), "the last boxes stay until the next are there"
    late.answer()
    d.settle()
    assert d.shows(d.direct()) and not d.shows(before)


def test_a_session_needs_no_window(late: Any) -> None:
    """It runs on messages alone: this is how it begins before Qt is there."""
    session = Session(late)
    session.begin(session.jobs.handle, [])
    late.answer()
    assert session.description is not None and session.description.name == RCNN
    assert session.wanted == {} and not session.stale
    assert Request("describe", RCNN) not in [r for _, r in late.waiting]
    assert session.store.document.sources == () and Source("x") not in session.loading.unreadable
    session.jobs.stop()
