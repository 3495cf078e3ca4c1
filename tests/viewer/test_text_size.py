"""The size of text: remembered, offered at once by a restart, and given to Qt together with what the system says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from viewer.menus import text_size
from viewer.session.preferences import SCALE_VARIABLE, Settings, scale_factor

ROOT = Path(__file__).resolve().parents[2]


def test_a_size_is_remembered_and_a_restart_offered_only_if_it_is_another(desk: Any, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    assert [c.title for c in d.window.commands if c.menu == "View/Text size"] == ["100 %", "125 %", "150 %", "200 %"]
    d.run("text-size-200")
    assert Settings.load().percent == 200 and scale_factor() == "2"
    toast = next(t for t in d.window.toasts.shown if t.message.key == text_size.KEY)
    assert toast.message.action is not None and toast.message.action[0] == "Restart now"
    assert d.window.commands["text-size-200"].checked() and not d.window.commands["text-size-100"].checked()
    d.run("text-size-100")
    assert Settings.load().percent == 100
    assert not [t for t in d.window.toasts.shown if t.message.key == text_size.KEY and not t.isHidden()]


@pytest.mark.parametrize(("own", "percent", "factor"), [("", 125, "1.25"), ("2", 150, "3"), ("odd", 200, "2")])
def test_the_systems_factor_is_kept(
    own: str, percent: int, factor: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    monkeypatch.setenv(SCALE_VARIABLE, own)
    settings = Settings.load()
    settings.percent = percent
    assert settings.save() and scale_factor() == factor


def test_the_window_is_as_large_as_was_chosen(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings.load(home)
    settings.percent = 200
    assert settings.save()
    shot = tmp_path / "shot.png"
    command = [sys.executable, str(ROOT / "main.py"), "--sample", "--screenshot", str(shot)]
    environment = {name: value for name, value in os.environ.items() if name != SCALE_VARIABLE}
    subprocess.run(command, env=environment | {"VITRINE_HOME": str(home)}, check=True, timeout=100)
    from PySide6.QtGui import QImageReader

    assert QImageReader(str(shot)).size().toTuple() == (2560, 1600)
