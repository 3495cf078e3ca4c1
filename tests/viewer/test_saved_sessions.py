"""Sessions in a window: save, open, undo, what is missing, the title's mark, the question before closing."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox

from viewer.saving.session_file import read, write
from viewer.session.document import Document

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close without saving, where a test leaves something changed."""
    monkeypatch.setattr(QMessageBox, "exec", lambda box: QMessageBox.StandardButton.Discard)


def saved(d: Any, path: Path) -> Path:
    """Save the session as its user does, and wait for it."""
    d.window.sessions.save_to(path)
    d.until(lambda: not d.window.sessions.working)
    return path


def opened(d: Any, path: Path) -> None:
    d.window.sessions.open(path)
    d.until(lambda: not d.window.sessions.working)
    d.settle()


def test_saving_and_opening_brings_everything_back_as_one_step(desk: Make, pictures: list[Path]) -> None:
    d = desk(pictures[0], pictures[2])
    d.set("score", 0.3)
    d.session.step(1)
    d.settle()
    kept = d.document
    path = saved(d, pictures[0].parent / "mine.vitrine")
    assert "Saved mine.vitrine." in d.messages and d.window.windowTitle().startswith("mine[*] · c.png")
    assert not d.window.isWindowModified()

    d.set("score", 0.6)
    assert d.window.isWindowModified()
    d.open(pictures[0])
    before, steps = d.document, len(d.store.history)
    opened(d, path)
    assert d.document == kept and not d.window.isWindowModified()
    assert d.store.history[steps:] == ["Open session mine"]
    assert d.shows(d.direct(score=0.3)), "what is shown is what it was"
    d.run("undo")
    d.settle()
    assert d.document.sources == before.sources and d.document.values("detect") == before.values("detect")
    assert d.window.isWindowModified()
    assert d.window.settings.recent_sessions == (str(path),)


def test_what_is_in_view_and_selected_is_no_change(desk: Make, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    saved(d, pictures[0].parent / "mine.vitrine")
    d.store.update(d.document.with_selected(3))
    d.window.docks.show("lineage")
    d.settle()
    assert d.document.view.lineage and not d.window.isWindowModified()


def test_panels_that_were_in_view_come_back(desk: Make, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    path = pictures[0].parent / "mine.vitrine"
    write(path, d.document.with_view(lineage=True))
    opened(d, path)
    assert d.document.view.lineage and d.window.docks.by_id["lineage"].isVisible()


def test_what_is_missing_is_told_and_the_rest_opens(desk: Make, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    d.set("score", 0.3)
    root = pictures[0].parent
    shutil.copy(pictures[0], root / "d.png")
    d.open(root / "d.png", pictures[2])
    path = saved(d, root / "mine.vitrine")
    (root / "d.png").unlink()
    opened(d, path)
    assert any("Missing: d.png" in text for text in d.messages)
    assert [source.name for source in d.document.sources] == ["c.png"] and d.document.values("detect") == {"score": 0.3}


@pytest.mark.parametrize("answer", ["Save", "Cancel"])
def test_saving_asks_before_it_leaves_out_what_is_missing(
    desk: Make, pictures: list[Path], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    d = desk(pictures[0])
    root = pictures[0].parent
    shutil.copy(pictures[0], root / "d.png")
    d.open(root / "d.png", pictures[2])
    path = saved(d, root / "mine.vitrine")
    (root / "d.png").unlink()
    opened(d, path)
    asked: list[str] = []

    def ask(box: QMessageBox) -> Any:
        asked.append(box.informativeText())
        return getattr(QMessageBox.StandardButton, answer)

    monkeypatch.setattr(QMessageBox, "exec", ask)
    whole = path.read_bytes()
    d.window.sessions.save()
    d.until(lambda: not d.window.sessions.working)
    assert asked == ["d.png could not be opened: the file would no longer name them."]
    assert (path.read_bytes() == whole) == (answer == "Cancel")
    if answer == "Save":  # and is asked no more
        d.window.sessions.save()
        d.until(lambda: not d.window.sessions.working)
        assert len(asked) == 1


def test_a_session_is_dropped_and_named(desk: Make, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    d.set("score", 0.3)
    path = saved(d, pictures[0].parent / "mine.vitrine")
    d.set("score", 0.6)
    assert d.drop_files(path) == "Drop to open the session mine"
    d.until(lambda: d.document.values("detect") == {"score": 0.3})


def test_what_is_no_session_leaves_everything_as_it_is(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    d = desk(pictures[0])
    before = d.document
    (tmp_path / "bad.vitrine").write_bytes(b"[" * 100_000)
    opened(d, tmp_path / "bad.vitrine")
    assert any("bad.vitrine is nested too deeply" in text for text in d.messages) and d.document == before
    assert d.window.windowTitle().startswith("a.png")


def test_the_dialogs_keys_and_menu(desk: Make, pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    d, root = desk(pictures[0]), pictures[0].parent
    asked: list[str] = []

    def save(_: Any, title: str, begin: str, kind: str) -> tuple[str, str]:
        asked.append(begin)
        return str(root / "plain"), kind

    monkeypatch.setattr(QFileDialog, "getSaveFileName", save)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(root / "plain.vitrine"), ""))
    d.run("save-session")
    d.until(lambda: (root / "plain.vitrine").exists() and not d.window.sessions.working)
    assert Path(asked[0]).name == "a.vitrine", "the name of what is shown is proposed"
    d.set("score", 0.3)
    d.run("save-session")
    d.until(lambda: not d.window.isWindowModified())
    assert len(asked) == 1 and read(root / "plain.vitrine").document.values("detect") == {"score": 0.3}
    d.set("score", 0.6)
    d.run("open-session")
    d.until(lambda: d.document.values("detect") == {"score": 0.3})


@pytest.mark.parametrize("answer", ["Save", "Discard", "Cancel"])
def test_closing_asks_about_what_is_not_saved(
    desk: Make, pictures: list[Path], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    d = desk(pictures[0])
    path = saved(d, pictures[0].parent / "mine.vitrine")
    d.set("score", 0.3)
    asked: list[str] = []

    def ask(box: QMessageBox) -> Any:
        asked.append(box.text())
        return getattr(QMessageBox.StandardButton, answer)

    monkeypatch.setattr(QMessageBox, "exec", ask)
    assert d.window.close() == (answer != "Cancel")
    assert asked == ["Save the changes to mine.vitrine?"]
    assert read(path).document.values("detect") == ({"score": 0.3} if answer == "Save" else {})
    monkeypatch.setattr(QMessageBox, "exec", lambda box: QMessageBox.StandardButton.Discard)


def test_a_session_that_cannot_be_written_is_told_and_stays_changed(
    desk: Make, pictures: list[Path], tmp_path: Path
) -> None:
    d = desk(pictures[0])
    saved(d, tmp_path / "gone" / "mine.vitrine")
    assert any("mine.vitrine could not be written" in text for text in d.messages)
    assert d.window.sessions.path is None


def test_a_card_that_is_gone_is_offered_back(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    from models.cards.card import BUNDLED

    for suffix in (".safetensors", ".json"):
        shutil.copy(BUNDLED / f"digits-ssd{suffix}", tmp_path)
    weights, card = tmp_path / "digits-ssd.safetensors", tmp_path / "digits-ssd.json"
    d = desk(pictures[0], model=str(weights))
    names, body = d.session.description.classes, card.read_text()
    path = saved(d, tmp_path / "mine.vitrine")
    card.unlink()
    opened(d, path)
    toast = next(t for t in d.window.toasts.shown if t.message.action and t.message.action[0] == "Put it back")
    toast._run_action()
    assert json.loads(card.read_text()) == json.loads(body) and d.document.model == str(weights)
    assert d.session.description.classes == names


def test_the_command_line_opens_a_session(pictures: list[Path], tmp_path: Path, monkeypatch: Any) -> None:
    import subprocess
    import sys

    from models.types import Source

    root = Path(__file__).resolve().parents[2]
    document = Document((Source.file(pictures[0]),), model="digits-ssd").with_value("detect", score=0.97)
    write(pictures[0].parent / "mine.vitrine", document)
    shot = tmp_path / "shot.png"
    words = [sys.executable, "main.py", "--screenshot", shot, pictures[0].parent / "mine.vitrine"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert shot.stat().st_size > 10_000


@pytest.mark.parametrize("number", [-7, 10**9])
@pytest.mark.parametrize("model", ["digits-ssd", "digits-vae"])
def test_nonsense_of_the_right_types_leaves_the_window_whole(
    desk: Make, pictures: list[Path], model: str, number: int
) -> None:
    """What goes wrong in the window fails every test of it."""

    def nonsense(kind: Any) -> Any:
        if get_origin(kind) in (Union, UnionType):
            return nonsense(next((p for p in get_args(kind) if p is not type(None)), str))
        if get_origin(kind) is tuple:
            return [nonsense(part) for part in get_args(kind) if part is not Ellipsis]
        if dataclasses.is_dataclass(kind):
            hints = get_type_hints(kind)
            return {field.name: nonsense(hints[field.name]) for field in dataclasses.fields(kind)}
        return {int: number, float: float(number), bool: True, str: "nonsense"}[kind]

    d = desk(pictures[0], model=model)
    body = nonsense(Document)
    body |= {"sources": [{"path": str(pictures[0])}], "model": model, "truth": None, "beside": ""}
    body["settings"] = [[[model, "detect"], [["score", "nonsense"], ["iou", number], ["hidden", True]]]]
    path = pictures[0].parent / "odd.vitrine"
    path.write_text(json.dumps({"vitrine_session": 1, "document": body}))
    d.window.sessions.open(path)
    d.until(lambda: not d.window.sessions.working)
    d.until(lambda: not d.session.jobs.busy)
    assert d.document.model == model
    d.store.update(Document(d.document.sources, model=model), title="Sense again")
    d.settle()
    assert d.session.results
