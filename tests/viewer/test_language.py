"""The choice of the language: remembered, offered at once by a restart that keeps what is open."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QProcess

from viewer import app, translation
from viewer.menus import language
from viewer.saving import session_file
from viewer.session.preferences import chosen_language


def test_a_language_is_remembered_and_a_restart_offered_only_if_it_is_another(desk: Any, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    titles = [c.title for c in d.window.commands if c.menu == "View/Language"]
    assert titles == ["Language of the system", "English", "한국어"]
    d.run("language-ko")
    assert chosen_language() == "ko" and translation.language() == "en"
    toast = next(t for t in d.window.toasts.shown if t.message.key == language.KEY)
    assert toast.message.action is not None and toast.message.action[0] == "Restart now"
    assert d.window.commands["language-ko"].checked() and not d.window.commands["language-en"].checked()
    d.run("language-en")
    assert chosen_language() == "en"
    assert not [t for t in d.window.toasts.shown if t.message.key == language.KEY and not t.isHidden()]


def test_a_restart_keeps_what_is_open(
    desk: Any, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    d = desk(pictures[0])
    d.set("score", 0.8)
    saved = tmp_path / "mine.vitrine"
    d.window.sessions.save_to(saved)
    d.until(lambda: saved.exists() and not d.window.sessions.working)
    d.set("score", 0.9)
    monkeypatch.setattr(d.window.sessions, "_question", lambda *given: pytest.fail("nothing is lost: nothing to ask"))
    language.restart(d.window)
    assert d.window.isHidden() and d.window.restart == d.window.settings.folder / language.FILE
    started: list[Any] = []
    monkeypatch.setattr(QProcess, "startDetached", lambda program, given: started.append((program, given)))
    monkeypatch.setattr(sys, "argv", ["main.py", "a.png", "--unconfined"])
    app._start_again(d.window.restart)
    assert started == [
        (
            sys.executable,
            [str(Path(app.__file__).parents[1] / "main.py"), "--restored", str(d.window.restart), "--unconfined"],
        )
    ]
    again = desk()
    app._restore(again.window, d.window.restart)
    again.settle()
    assert again.document.source == d.document.source
    assert again.document.values("detect")["score"] == 0.9
    assert again.window.sessions.path == saved and again.window.sessions.changed
    assert not d.window.restart.exists()
    again.window.sessions.kept_elsewhere = True  # so that the end of the test asks nothing


def test_a_restart_that_cannot_keep_what_is_open_says_so_and_stays(
    desk: Any, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    d = desk(pictures[0])

    def full(*given: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session_file, "write_here", full)
    language.restart(d.window)
    assert d.window.isVisible() and d.window.restart is None and "No space" in d.messages[-1]
