"""The settings file: round trip, unknown keys, broken files, recent lists."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from viewer.session.preferences import RECENT_MOST, Settings


def written(folder: Path, content: object) -> Settings:
    (folder / "settings.json").write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return Settings.load(folder)


def test_settings_go_round(tmp_path: Path) -> None:
    first = Settings.load(tmp_path / "new")
    first.theme, first.geometry, first.state, first.last_folder = "dark", "AAEC", "/w==", "/data/Bilder für später"
    first.add_picture("/a.png")
    first.add_model(Path("/m.safetensors"))
    first.extra["trusted"] = ["/x.py"]
    assert first.save()
    second = Settings.load(tmp_path / "new")
    assert second == first
    assert (second.theme, second.recent_pictures, second.recent_models) == ("dark", ("/a.png",), ("/m.safetensors",))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["settings.json"]


def test_recent_files_are_newest_first_unique_and_few(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    for number in range(20):
        settings.add_picture(f"/{number}.png")
    settings.add_picture("/15.png")
    assert settings.recent_pictures[:3] == ("/15.png", "/19.png", "/18.png")
    assert len(settings.recent_pictures) == RECENT_MOST
    settings.forget("/19.png")
    assert "/19.png" not in settings.recent_pictures
    assert len(settings.recent_pictures) == RECENT_MOST - 1


@pytest.mark.parametrize("content", ["{", "[1]", "\ud800", "[" * 100_000])
def test_a_broken_file_is_put_aside(tmp_path: Path, content: str) -> None:
    raw = content.encode("utf-8", "surrogatepass")
    (tmp_path / "settings.json").write_bytes(raw)
    settings = Settings.load(tmp_path)
    assert settings.theme == "system"
    assert len(settings.notes) == 1
    assert "settings.json.broken" in settings.notes[0]
    assert (tmp_path / "settings.json.broken").read_bytes() == raw
    assert not (tmp_path / "settings.json").exists()
    assert settings.save()
    assert Settings.load(tmp_path).notes == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("theme", "pink"),
        ("theme", ["dark"]),
        ("geometry", "no base64!"),
        ("layouts", {"find": {"state": "é", "open": []}}),
        ("layouts", {"find": {"state": ""}}),
        ("last_folder", 3),
        ("recent_pictures", "a.png"),
        ("percent", 110),
        ("percent", "200"),
        ("recent_models", ["a", 3]),
    ],
)
def test_an_invalid_value_is_dropped_with_a_note(tmp_path: Path, name: str, value: object) -> None:
    settings = written(
        tmp_path, {name: value, "future": {"x": 1}, "last_folder" if name != "last_folder" else "y": "/z"}
    )
    assert getattr(settings, name) == getattr(Settings(tmp_path), name)
    assert len(settings.notes) == 1
    assert name in settings.notes[0]
    assert settings.extra["future"] == {"x": 1}


def test_unknown_keys_survive_a_save(tmp_path: Path) -> None:
    settings = written(tmp_path, {"theme": "light", "future": [1]})
    settings.theme = "dark"
    assert settings.save()
    kept = json.loads((tmp_path / "settings.json").read_text("utf-8"))
    assert (kept["future"], kept["theme"]) == ([1], "dark")


def test_the_variable_overrides_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
    assert Settings.load().path == tmp_path / "home" / "settings.json"
    assert Settings.load(tmp_path).path == tmp_path / "settings.json"
    monkeypatch.delenv("VITRINE_HOME")
    assert Settings.load().folder == platformdirs.user_config_path("vitrine", appauthor=False)


def test_a_save_that_fails_keeps_the_old_file_and_notes_it(tmp_path: Path) -> None:
    settings = written(tmp_path, {"theme": "light"})
    settings.extra["bad"] = object()
    assert not settings.save()
    assert len(settings.notes) == 1
    assert json.loads((tmp_path / "settings.json").read_text("utf-8")) == {"theme": "light"}
    (tmp_path / "file").write_text("")
    nowhere = Settings.load(tmp_path / "file" / "below")
    assert not nowhere.save()
    assert nowhere.notes


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = written(tmp_path, {"theme": "light"})

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    settings.theme = "dark"
    assert not settings.save()
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
    assert Settings.load(tmp_path).theme == "light"


def test_settings_need_no_qt() -> None:
    code = "import sys, viewer.session.preferences\n"
    code += "sys.exit(any(name.startswith(('PySide6', 'torch')) for name in sys.modules))"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
