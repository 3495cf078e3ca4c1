"""The window as `main` opens it, with an engine in this process, and a story told in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import main
from models.engine.engine import Engine
from tests.viewer.conftest import WRONG, Desk
from viewer.session import job_queue
from viewer.session.job_queue import InlineLane

Story = Callable[[Any], None]


@pytest.fixture(scope="session")
def story_engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture
def told(
    qtbot: QtBot, story_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Run `main` with arguments, and a story instead of the user: `told(story, *arguments)`."""
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
    hook = sys.excepthook
    failures: list[BaseException] = []

    def tell(story: Story, *arguments: object) -> None:
        def lane(**options: object) -> InlineLane:
            return InlineLane(story_engine)

        def live(*_: object) -> int:
            window: Any = next(w for w in QApplication.topLevelWidgets() if hasattr(w, "session") and w.isVisible())
            window.resize(1280, 800)
            desk = Desk(window, qtbot, story_engine)
            try:
                desk.settle()
                story(desk)
                assert not [text for text in desk.messages if text.startswith(WRONG)]
            except BaseException as error:  # the program must end before the test fails
                failures.append(error)
            window.close()
            window.deleteLater()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # type: ignore[arg-type]
            return 0

        monkeypatch.setattr(job_queue, "ProcessLane", lane)
        monkeypatch.setattr(QApplication, "exec", live)
        code = main.main([*map(str, arguments), "--theme", "dark"])
        sys.excepthook = hook
        if failures:
            raise failures[0]
        assert code == main.DONE

    yield tell
    QGuiApplication.clipboard().clear()


def press(desk: Any, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """Press a key in the window."""
    desk.qtbot.keyClick(desk.window, key, modifier)
