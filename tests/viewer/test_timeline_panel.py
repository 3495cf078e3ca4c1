"""The timeline: keys kept, moved and removed, settings of segments, playing from memory, files of the path."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from models.latent.space import write
from models.requests import Request
from models.types import Result
from tests.models.generators import gan, vae
from tests.viewer.test_window import SAMPLES, SSD, Make
from viewer.menus import timeline
from viewer.panels.timeline import TimelinePanel
from viewer.widgets.pictures.frame_clock import Player, due
from viewer.widgets.pictures.key_frames import KeyLine

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def opened(desk: Make, tmp_path: Path) -> Any:
    d = desk(model=vae(tmp_path))
    d.until(lambda: d.canvas.pixels is not None)
    return d


def panel(d: Any) -> Any:
    return d.panel(TimelinePanel)


def keys(d: Any) -> list[str]:
    return [key.code for key in d.document.latent.keys]


def keep(d: Any, *seeds: int) -> Any:
    """Keep the codes of some seeds as keys, as a user does."""
    for seed in seeds:
        d.store.update(d.document.with_latent(code=f"seed:{seed}", at=-1), title=f"Seed {seed}")
        d.settle()
        d.run("key-add")
        d.settle()
    return panel(d)


def direct(d: Any, **params: Any) -> Any:
    """The engine's own frames of a path."""
    answer = d.engine.run(Request.make("interpolate", d.document.model, None, params))
    assert isinstance(answer, Result), answer
    return answer.arrays


def made(d: Any, code: str) -> Any:
    return d.engine.run(Request.make("decode", d.document.model, None, {"code": code})).arrays["picture"]


def test_it_is_closed_at_first_and_says_what_to_do(opened: Any) -> None:
    docks = opened.window.docks.by_id
    assert docks["timeline"].isHidden()
    opened.run("play")  # Space, with nothing to play
    assert not docks["timeline"].isHidden()
    assert panel(opened).hint.text() == "Press K to keep this code as a key; two make a path."
    keep(opened, 1)
    assert keys(opened) == ["seed:1"] and panel(opened).hint.isVisible() and panel(opened).frames is None
    assert "Go to another code and press K again" in panel(opened).hint.text()
    assert np.array_equal(panel(opened)._thumbs["seed:1"], made(opened, "seed:1"))
    for name in ("play", "back", "forward"):
        assert not panel(opened).form.buttons[name].isEnabled()


def test_two_keys_make_a_path_at_constant_speed(opened: Any) -> None:
    shown = keep(opened, 1, 2)
    assert shown.frames is not None and len(shown.frames) == 120 and not shown.hint.isVisible()
    expected = direct(opened, keys="seed:1 | seed:2", frames=120, retime=True)
    assert np.array_equal(shown.frames.pictures, expected["pictures"])
    assert opened.document.latent.at == 1 and shown.frame == 119
    assert "at constant speed" in shown.remark.text()
    assert not shown.form.easing.isEnabled() and shown.form.path.isEnabled()
    assert [lane.name for lane in shown.plots._lanes] == ["Length", "Step"]
    opened.run("undo")
    opened.settle()
    assert keys(opened) == ["seed:1"] and shown.frames is None
    opened.run("redo")
    opened.settle()
    assert keys(opened) == ["seed:1", "seed:2"] and shown.frames is not None


def test_a_gan_has_a_plot_of_its_score(desk: Make, tmp_path: Path) -> None:
    d = desk(model=gan(tmp_path))
    shown = keep(d, 1, 2)
    assert [lane.name for lane in shown.plots._lanes] == ["Length", "Step", "Score %"]
    assert "score" in shown.numbers.text()
    speeds = [shown.form.speed.itemData(row) for row in range(shown.form.speed.count())]
    assert speeds == ["timed", "pixels", "discriminator"]


def test_keys_are_chosen_moved_and_removed_by_keys_alone(opened: Any) -> None:
    shown = keep(opened, 1, 2, 3)
    line = shown.line
    line.setFocus()
    QTest.keyClick(line, Qt.Key.Key_Home)
    opened.settle()
    assert opened.document.latent.at == 0 and opened.document.latent.code == "seed:1"
    assert np.array_equal(opened.canvas.pixels, made(opened, "seed:1"))
    QTest.keyClick(line, Qt.Key.Key_Right)
    opened.settle()
    assert opened.document.latent.at == 1 and shown.frame == shown.frames.key(1)
    opened.key(Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    opened.settle()
    assert keys(opened) == ["seed:1", "seed:3", "seed:2"] and opened.document.latent.at == 2
    opened.key(Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    opened.key(Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    opened.key(Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert keys(opened) == ["seed:2", "seed:1", "seed:3"] and opened.document.latent.at == 0
    opened.key(Qt.Key.Key_Delete)
    opened.settle()
    assert keys(opened) == ["seed:1", "seed:3"] and opened.document.latent.code == "seed:1"
    opened.key(Qt.Key.Key_Delete)
    opened.key(Qt.Key.Key_Delete)
    opened.settle()
    assert keys(opened) == [] and opened.document.latent.at == -1 and shown.line.isHidden()
    opened.run("undo")
    assert keys(opened) == ["seed:3"]


def test_a_drag_moves_a_key_and_a_click_goes_there(opened: Any) -> None:
    shown = keep(opened, 1, 2, 3)
    line: KeyLine = shown.line
    start, end = (line.rect_of(number).center().toPoint() for number in (0, 2))
    QTest.mouseClick(line, LEFT, pos=line.rect_of(1).center().toPoint())
    opened.settle()
    assert opened.document.latent.at == 1 and opened.document.latent.code == "seed:2"
    QTest.mousePress(line, LEFT, pos=start)
    QTest.mouseMove(line, start + QPoint(30, 0))
    QTest.mouseMove(line, end)
    QTest.mouseRelease(line, LEFT, pos=end)
    opened.settle()
    assert keys(opened) == ["seed:2", "seed:3", "seed:1"] and opened.document.latent.at == 2
    assert opened.store.undo_title == "Move a key"


def test_a_key_taken_from_the_path_goes_between_its_neighbours_and_no_code_twice(opened: Any) -> None:
    shown = keep(opened, 1, 2)
    shown._seek(60)
    shown._settle("Go to a frame")
    opened.settle()
    middle = write(shown.frames.codes[60])
    assert opened.document.latent.code == middle
    opened.run("key-add")
    opened.settle()
    assert keys(opened) == ["seed:1", middle, "seed:2"] and opened.document.latent.at == 1
    opened.run("key-add")
    assert len(keys(opened)) == 3 and "key already" in shown.remark.text()


def test_a_truncated_seed_is_kept_as_numbers(opened: Any) -> None:
    opened.store.update(opened.document.with_value("decode", truncation=0.5))
    opened.settle()
    opened.run("key-add")
    code = opened.engine.model(opened.document.model).space.draw(0, truncation=0.5)[0]
    assert keys(opened) == [write(code)]


def test_each_segment_has_its_own_path_and_easing(opened: Any) -> None:
    shown = keep(opened, 1, 2, 3)
    shown.form.speed.activated.emit(shown.form.speed.findData("timed"))
    shown._go_to_key(0)
    opened.settle()
    for box, value in ((shown.form.path, "lerp"), (shown.form.easing, "easeInQuad")):
        assert box.isEnabled()
        box.activated.emit(box.findData(value))
    opened.settle()
    assert shown.form.segment.text() == "From key 1 to key 2"
    first, second, _ = opened.document.latent.keys
    assert (first.path, first.easing) == ("lerp", "easeInQuad") and (second.path, second.easing) == ("auto", "linear")
    expected = direct(opened, keys="seed:1 lerp easeInQuad | seed:2 | seed:3", frames=120)
    assert np.array_equal(shown.frames.codes, expected["codes"])
    shown._seek(100)
    assert shown.form.segment.text() == "From key 2 to key 3" and shown.form.path.currentData() == "auto"
    assert opened.store.undo_title == "Easing after key 1"
    opened.run("undo")
    assert opened.document.latent.keys[0].easing == "linear"


def test_frames_rate_and_loop_are_settings(opened: Any) -> None:
    shown = keep(opened, 1, 2)
    shown.form.frames.setValue(20)
    shown.form.fps.setValue(60)
    shown.form.buttons["loop"].click()
    opened.settle()
    assert len(shown.frames) == 20 and shown.frames.loop and shown.frames.fps == 60
    expected = direct(opened, keys="seed:1 | seed:2", frames=20, loop=True, retime=True)
    assert np.array_equal(shown.frames.codes, expected["codes"])
    assert shown.line._loop and shown.scrubber.maximum() == 20
    shown._go_to_key(1)
    opened.settle()
    assert shown.form.segment.text() == "From key 2 to key 1"
    for _ in range(3):
        opened.run("undo")
        opened.settle()
    assert len(shown.frames) == 120 and not shown.frames.loop


def test_playing_shows_frames_of_memory_and_stopping_stays_there(opened: Any) -> None:
    shown = keep(opened, 1, 2)
    asked = len(opened.session.results)
    opened.canvas.setFocus()
    shown._go_to_key(0)
    opened.settle()
    seen: list[int] = []
    shown.player.frame.connect(seen.append)
    opened.key(Qt.Key.Key_Space)
    assert shown.player.playing
    opened.until(lambda: len(seen) >= 5)
    assert np.array_equal(opened.canvas.pixels, shown.frames.pictures[shown.frame])
    assert opened.document.latent.code == "seed:1"  # nothing is asked while it plays
    opened.key(Qt.Key.Key_Space)
    assert not shown.player.playing
    opened.settle()
    assert opened.document.latent.code == write(shown.frames.codes[shown.frame])
    assert np.array_equal(opened.canvas.pixels, shown.frames.pictures[shown.frame])
    assert len(opened.session.results) == asked and seen == sorted(seen)


def test_playing_ends_at_the_end_and_begins_again(opened: Any) -> None:
    shown = keep(opened, 1, 2)
    opened.store.update(opened.document.with_value("interpolate", frames=5, fps=120))
    opened.settle()
    shown._go_to_key(0)
    shown.toggle()
    opened.until(lambda: not shown.player.playing)
    assert shown.frame == 4 and opened.document.latent.code == write(shown.frames.codes[4])
    shown.toggle()
    assert shown.player.playing and shown.frame in (0, 1, 2, 3)
    shown.pause()


def test_going_elsewhere_ends_playing(opened: Any) -> None:
    shown = keep(opened, 1, 2)
    opened.store.update(opened.document.with_value("interpolate", loop=True))
    opened.settle()
    shown.toggle()
    opened.store.update(opened.document.with_latent(code="seed:9", at=-1), title="Seed 9")
    assert not shown.player.playing
    opened.settle()
    assert np.array_equal(opened.canvas.pixels, made(opened, "seed:9"))
    shown.scrubber.settled.emit()  # as it does whenever it loses the focus
    assert opened.document.latent.code == "seed:9"


def test_the_scrubber_shows_frames_and_goes_there_when_let_go(opened: Any) -> None:
    shown = keep(opened, 1, 2)
    shown.scrubber.setFocus()
    QTest.keyClick(shown.scrubber, Qt.Key.Key_Home)
    assert shown.frame == 0 and np.array_equal(opened.canvas.pixels, shown.frames.pictures[0])
    opened.key(Qt.Key.Key_Right)
    assert shown.frame == 1 and opened.document.latent.code == write(shown.frames.codes[1])
    opened.canvas.setFocus()
    opened.key(Qt.Key.Key_Period)
    assert shown.frame == 2
    opened.key(Qt.Key.Key_Comma)
    opened.key(Qt.Key.Key_Comma)
    opened.key(Qt.Key.Key_Comma)
    assert shown.frame == 0 and f"frame 0 of {len(shown.frames) - 1}" in shown.numbers.text()


def test_a_drag_over_the_plots_seeks(opened: Any) -> None:
    shown = keep(opened, 1, 2)
    field = shown.plots.field(0)
    QTest.mousePress(shown.plots.viewport(), LEFT, pos=QPointF(field.left(), 8).toPoint())
    assert shown.frame == 0 and opened.document.latent.code == "seed:2"
    QTest.mouseMove(shown.plots.viewport(), QPointF(field.center().x(), 8).toPoint())
    QTest.mouseRelease(shown.plots.viewport(), LEFT, pos=QPointF(field.center().x(), 8).toPoint())
    opened.settle()
    assert opened.document.latent.code == write(shown.frames.codes[shown.frame])
    assert "Length" in shown.plots.explain(QPointF(field.center().x(), 8))


def test_space_plays_the_video_where_a_detector_looks_on(desk: Make) -> None:
    d = desk(SAMPLES[0], model=SSD)
    assert not d.window.commands["play"].available
    assert not d.window.commands["key-add"].available and not d.window.commands["key-remove"].available


def test_another_model_forgets_the_keys(opened: Any, tmp_path: Path) -> None:
    shown = keep(opened, 1, 2)
    opened.store.update(opened.document.with_model(gan(tmp_path)))
    opened.settle()
    assert keys(opened) == [] and shown.frames is None and not shown.player.playing


def test_a_path_that_cannot_be_is_said_and_the_last_one_stays(opened: Any) -> None:
    for code in ("1,0,0,0", "0,1,0,0"):
        opened.store.update(opened.document.with_latent(code=code, at=-1))
        opened.settle()
        opened.run("key-add")
        opened.settle()
    shown, before = panel(opened), panel(opened).frames
    assert before is not None
    opened.store.update(opened.document.with_latent(code="0,-1,0,0", at=-1))
    opened.settle()
    opened.run("key-add")
    opened.until(lambda: "opposite each other" in shown.remark.text())
    assert shown.frames is before and len(keys(opened)) == 3
    assert not [text for text in opened.messages if "opposite" in text]


@pytest.mark.parametrize("kind", ["mp4", "gif", "png", "npy", "json"])
def test_the_path_is_exported_with_its_recipe(opened: Any, tmp_path: Path, kind: str) -> None:
    assert not opened.window.commands[f"export-path-{kind}"].available
    keep(opened, 1, 2)
    opened.store.update(opened.document.with_value("interpolate", frames=6))
    opened.settle()
    assert opened.window.commands[f"export-path-{kind}"].available
    folder = tmp_path / "out"
    timeline.export_to(opened.window, folder / f"walk.{kind}", kind)
    opened.until(lambda: any(text.startswith(f"Exported walk.{kind}") for text in opened.messages))
    assert {path.name for path in folder.iterdir()} == {f"walk.{kind}", "walk.recipe.json"}
    if kind == "npy":
        assert np.array_equal(np.load(folder / "walk.npy"), panel(opened).frames.codes)


def test_a_full_disk_is_said_and_leaves_nothing(opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(opened, 1, 2)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    folder = tmp_path / "out"
    timeline.export_to(opened.window, folder / "walk.gif", "gif")
    opened.until(lambda: any("walk.gif cannot be written" in text for text in opened.messages))
    assert not list(folder.iterdir())


def test_the_frame_due_follows_the_clock_alone() -> None:
    given = {"fps": 50.0, "count": 10}
    assert [due(0, t, loop=False, **given) for t in (0, 0.019, 0.02, 0.1, 9)] == [0, 0, 1, 5, 9]
    assert [due(7, t, loop=True, **given) for t in (0, 0.06, 0.2)] == [7, 0, 7]


def test_the_player_reaches_60_frames_a_second(qapp: QApplication) -> None:
    player, seen = Player(qapp), list[int]()
    player.frame.connect(seen.append)
    player.play(0, count=1000, fps=60, loop=False)
    QTest.qWait(300)
    player.stop()
    assert seen[0] == 0 and len(seen) > 3 and seen == sorted(set(seen))
    player.deleteLater()
