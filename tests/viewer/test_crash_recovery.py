"""Autosave and recovery: with real processes that are killed, two windows at once, questions left unanswered."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from models.types import Refusal, Source
from viewer.saving import crash_recovery
from viewer.saving.crash_recovery import Kept, left
from viewer.saving.session_file import read
from viewer.session.document import Document
from viewer.widgets.dialogs.banner import Banner
from viewer.window.autosave import AFTER_MS, Autosave

ROOT = Path(__file__).resolve().parents[2]
DRIVER = """
import os, sys
from PySide6.QtCore import QTimer
from viewer import app
built = app.build

def build(*given, **named):
    window = built(*given, **named)
    store = window.session.store
    def change():
        store.update(store.document.with_value("detect", score=0.375), title="Score")
        store.update(store.document.with_region((1.0, 2.0, 30.0, 40.0), "3"), title="Draw")
        print("changed", flush=True)
    QTimer.singleShot(300, change)
    if os.environ.get("END"):
        QTimer.singleShot(2500, window.close)
    return window

app.build = build
import main
sys.exit(main.main(sys.argv[1:]))
"""
HOLD = """
import sys, pathlib
from viewer.session.document import Document
from viewer.saving.crash_recovery import Kept
kept = Kept(pathlib.Path(sys.argv[1]))
kept.write(Document(model="digits-ssd"))
print(kept.path, flush=True)
sys.stdin.read()
"""
Make = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start programs of which none outlives the test."""
    begun: list[subprocess.Popen[str]] = []

    def go(code: str, *words: object, **environment: str) -> subprocess.Popen[str]:
        given = {"VITRINE_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        named = {**os.environ, **given, **environment}
        command = [sys.executable, "-c", code, *map(str, words)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        begun.append(subprocess.Popen(command, cwd=ROOT, env=named, text=True, **pipes))
        return begun[-1]

    yield go
    for each in begun:
        each.kill()
        each.communicate()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def wait(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_was_open_comes_back_after_killing_the_window(
    desk: Make, start: Start, pictures: list[Path], home: Path
) -> None:
    first = start(DRIVER, pictures[0], pictures[2], "--model", "digits-ssd")
    assert first.stdout is not None and first.stdout.readline() == "changed\n"
    sources = tuple(Source.file(pictures[i]) for i in (0, 2))
    wanted = Document(sources, model="digits-ssd", region=(1.0, 2.0, 30.0, 40.0), region_label="3")
    wanted = wanted.with_value("detect", score=0.375)

    def written() -> bool:
        found = [*(home / crash_recovery.FOLDER).glob("*.vitrine")]
        return bool(found) and read(found[0]).document.region is not None

    wait(written, 10)
    first.kill()
    first.wait()

    d = desk(settle=False)
    keeper = d.window.autosave = Autosave(d.window.context, d.window.sessions, d.window.notices)
    d.until(lambda: keeper.banner)
    assert keeper.banner is not None and "Restore what was open? a.png, digits-ssd" in keeper.banner.text.text()
    assert [b.text() for b in keeper.banner.findChildren(QPushButton)] == ["Restore", "Discard…"]
    keeper.banner.buttons[0].click()
    d.settle()
    plain = dataclasses.replace(wanted, view=d.document.view)
    assert d.document == plain and d.document.view == dataclasses.replace(wanted.view, judged=d.document.view.judged)
    assert keeper.banner is None and d.store.history[-1:] == ["Restore what was open"]
    wait(lambda: [p.name for p in (home / crash_recovery.FOLDER).glob("*.vitrine")] == [keeper.path.name])
    d.run("undo")
    assert d.document.sources == ()


def test_a_clean_close_leaves_nothing(start: Start, pictures: list[Path], home: Path) -> None:
    program = start(DRIVER, pictures[0], "--model", "digits-ssd", END="1")
    wait(lambda: [*(home / crash_recovery.FOLDER).glob("*.vitrine")])
    assert program.wait(30) == 0
    assert [*(home / crash_recovery.FOLDER).iterdir()] == []


def test_a_window_that_runs_is_not_asked_about_and_one_that_is_killed_is(start: Start, home: Path) -> None:
    running = start(HOLD, home)
    assert running.stdout is not None
    path = Path(running.stdout.readline().strip())
    assert path.exists() and left(home) == []
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    (one,) = left(home)
    assert one.opened.document == Document(model="digits-ssd")
    assert left(home) == [], "two that start at once do not ask about the same"
    one.release()
    (one,) = left(home)
    one.remove()
    assert left(home) == [] and [*path.parent.iterdir()] == []


def test_what_is_not_answered_is_asked_again(desk: Make, home: Path) -> None:
    before = Kept(home)
    before.write(Document(model="digits-vae"))
    assert before._lock is not None
    before._lock.close()  # as the system does when the process ends
    d = desk(settle=False)
    keeper = d.window.autosave = Autosave(d.window.context, d.window.sessions, d.window.notices)
    d.until(lambda: keeper.banner)
    d.window.close()
    (one,) = left(home)
    assert one.path == before.path
    one.release()
    d = desk(settle=False)
    keeper = d.window.autosave = Autosave(d.window.context, d.window.sessions, d.window.notices)
    d.until(lambda: keeper.banner)
    assert keeper.banner is not None
    keeper.banner.buttons[1].click()
    assert keeper.banner is not None and keeper.banner.text.text().startswith("Discard digits-vae?")
    assert before.path.exists()
    keeper.banner.buttons[0].click()
    wait(lambda: not before.path.exists())
    assert keeper.banner is None and d.document.model != "digits-vae"
    d.window.close()


def test_each_of_several_is_asked_about_the_newest_first(desk: Make, home: Path) -> None:
    for age, model in ((20, "digits-lenet"), (10, "digits-vae")):
        before = Kept(home)
        before.write(Document(model=model))
        assert before._lock is not None
        before._lock.close()
        os.utime(before.path, (time.time() - age, time.time() - age))
    d = desk(settle=False)
    keeper = d.window.autosave = Autosave(d.window.context, d.window.sessions, d.window.notices)
    d.until(lambda: keeper.banner)
    assert keeper.banner is not None and "(1 more after this.)" in keeper.banner.text.text()
    assert "digits-vae" in keeper.banner.text.text()
    keeper.banner.buttons[1].click()
    keeper.banner.buttons[0].click()
    assert keeper.banner is not None and "digits-lenet" in keeper.banner.text.text()
    keeper.banner.buttons[0].click()
    assert keeper.banner is None and d.document.model == "digits-lenet"
    d.settle()
    d.window.close()


def test_what_cannot_be_read_is_put_aside(home: Path) -> None:
    (home / crash_recovery.FOLDER).mkdir(parents=True)
    (home / crash_recovery.FOLDER / "1-2.vitrine").write_text("{")
    assert left(home) == []
    assert [p.name for p in (home / crash_recovery.FOLDER).iterdir()] == ["1-2.broken"]


def test_it_belongs_to_its_session_again(desk: Make, pictures: list[Path], home: Path) -> None:
    path = pictures[0].parent / "mine.vitrine"
    before = Kept(home)
    before.write(Document((Source.file(pictures[0]),), model="digits-ssd"), of=path)
    assert before._lock is not None
    before._lock.close()
    d = desk(settle=False)
    keeper = d.window.autosave = Autosave(d.window.context, d.window.sessions, d.window.notices)
    d.until(lambda: keeper.banner)
    keeper.restore()
    d.settle()
    assert d.window.windowTitle().startswith("mine[*]") and d.window.isWindowModified()
    d.window.sessions.save()
    d.until(lambda: not d.window.isWindowModified())
    assert path.exists()
    d.window.close()


def test_a_folder_that_cannot_be_written_is_told_once(desk: Make, home: Path, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    home.mkdir(exist_ok=True)
    (home / crash_recovery.FOLDER).write_text("in the way")
    Autosave(d.window.context, d.window.sessions, d.window.notices)

    def told() -> list[str]:
        return [text for text in d.messages if "cannot be saved for recovery after a crash" in text]

    d.until(told)
    d.set("score", 0.3)
    d.qtbot.wait(3 * AFTER_MS)
    assert len(told()) == 1
    d.window.close()


def test_nothing_is_written_after_the_end(home: Path) -> None:
    kept = Kept(home)
    kept.write(Document(model="digits-ssd"))
    kept.end()
    kept.write(Document(model="digits-vae"))
    assert not kept.path.exists() and left(home) == []


def test_a_full_disk_keeps_the_one_before(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(home)
    kept.write(Document(model="digits-ssd"))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refusal, match="No space left"):
        kept.write(Document(model="digits-vae"))
    assert read(kept.path).document.model == "digits-ssd"
    kept.end()


def left_behind(home: Path, model: str = "digits-vae") -> Kept:
    """Leave something behind as a process does that is killed."""
    before = Kept(home)
    before.write(Document(model=model))
    assert before._lock is not None
    before._lock.close()
    return before


def test_a_discard_is_asked_about_and_can_be_called_off(desk: Make, home: Path) -> None:
    before = left_behind(home)
    d = desk(settle=False)
    keeper = d.window.autosave = Autosave(d.window.context, d.window.sessions, d.window.notices)
    d.until(lambda: keeper.banner)
    assert keeper.banner is not None
    keeper.banner.buttons[1].click()
    keeper.banner.buttons[1].click()
    assert [b.text() for b in keeper.banner.buttons] == ["Restore", "Discard…"] and before.path.exists()
    assert len(d.window.findChildren(Banner)) == 1
    d.window.close()


def test_what_was_discarded_can_be_had_back_for_a_week(desk: Make, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = left_behind(home)
    d = desk(settle=False)
    keeper = d.window.autosave = Autosave(d.window.context, d.window.sessions, d.window.notices)
    d.until(lambda: keeper.banner)
    assert d.window.commands["restore-discarded"].children() == []
    keeper.discard()
    keeper.discard_surely()
    d.until(lambda: keeper.discarded)
    assert not before.path.exists() and left(home) == []
    assert "Restore discarded work" in d.messages[-1]
    d.window.close()

    d = desk(settle=False)
    keeper = d.window.autosave = Autosave(d.window.context, d.window.sessions, d.window.notices)
    d.until(lambda: keeper.discarded)
    assert keeper.banner is None, "it is not asked about again"
    (command,) = d.window.commands["restore-discarded"].children()
    assert command.title.startswith("digits-vae, ")
    command.run()
    assert d.document.model == "digits-vae"
    d.settle()
    d.window.close()

    now = time.time()
    monkeypatch.setattr(crash_recovery.time, "time", lambda: now + crash_recovery.KEPT_S - 60)
    assert len(crash_recovery.discarded(home)) == 1
    monkeypatch.setattr(crash_recovery.time, "time", lambda: now + crash_recovery.KEPT_S + 60)
    assert crash_recovery.discarded(home) == []
    assert [*(home / crash_recovery.FOLDER).glob("*" + crash_recovery.DISCARDED)] == []


SIZES = [(1024, 640), (1280, 800), (1440, 900), (1920, 1080), (2560, 1440)]


@pytest.mark.qt_log_ignore("This plugin does not support")  # the offscreen platform, of menus
@pytest.mark.parametrize("maximised", [False, True], ids=["as it is", "maximised"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_question_lies_over_nothing_and_a_click_on_a_menu_opens_the_menu(
    desk: Make, home: Path, size: tuple[int, int], maximised: bool
) -> None:
    """By clicks on places of the window, as Qt hands out a mouse's."""
    before = left_behind(home)
    d = desk(settle=False)
    d.window.resize(*size)
    if maximised:
        d.window.setWindowState(Qt.WindowState.WindowMaximized)
        d.window.resize(*size)
    keeper = d.window.autosave = Autosave(d.window.context, d.window.sessions, d.window.notices)
    d.until(lambda: keeper.banner)
    assert keeper.banner is not None
    d.qtbot.waitUntil(keeper.banner.isVisible)
    QApplication.processEvents()
    bar = d.window.menuBar()
    banner = QRect(keeper.banner.mapTo(d.window, QPoint()), keeper.banner.size())
    assert not banner.intersects(bar.geometry())
    assert banner.width() >= 300 and d.window.rect().contains(banner)
    for other in (*d.window.docks.by_id.values(), d.window.statusBar(), d.window.centre):
        if other.isVisible():
            assert not banner.intersects(QRect(other.mapTo(d.window, QPoint()), other.size())), other
    for button in keeper.banner.buttons:
        middle = button.mapTo(d.window, button.rect().center())
        assert d.window.childAt(middle) is button
    opened: list[str] = []
    for action in bar.actions():
        menu = action.menu()
        assert menu is not None
        menu.aboutToShow.connect(partial(opened.append, menu.title()))
        place = bar.mapTo(d.window, bar.actionGeometry(action).center())
        QTest.mouseClick(d.window.windowHandle(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        d.qtbot.waitUntil(menu.isVisible)
        menu.close()
    assert len(opened) == len(bar.actions())
    assert before.path.exists() and keeper.banner.isVisible()
    d.window.close()
