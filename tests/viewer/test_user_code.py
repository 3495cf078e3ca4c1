"""One's own code in the window: asked about before it runs, shown in full with what is new, chosen from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel

from models import model_name
from models.types import Result
from models.user_code import consent, kept_adapters
from viewer.session.request_plan import DESCRIBE_SLOT
from viewer.widgets.dialogs.allow_code import Allow, difference, visible
from viewer.widgets.dialogs.open_code import OpenCode

CODE = """
import torch
from torch import nn
from vitrine import OneStage

class Net(nn.Module):
    "Finds cats."
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 8, stride=8)

    def forward(self, x):
        said = self.conv(x).permute(0, 2, 3, 1).flatten(1, 2)
        return said[..., :2], said[..., 2:]

class Mine(OneStage):
    classes, size = ("cat", "dog"), (64, 64)
    strides, sizes, ratios = (8,), ((16,),), ((1,),)
    build = Net
"""
ADAPTER = CODE + "\nADAPTER = Mine\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(ADAPTER)
    return path


def dialog(d: Any, kind: type[Any]) -> Any:
    """Return the dialog that is open."""
    d.until(lambda: [c for c in d.window.children() if isinstance(c, kind) and c.isVisible()])
    return next(c for c in d.window.children() if isinstance(c, kind) and c.isVisible())


def none_open(d: Any, kind: type[Any]) -> bool:
    return not [c for c in d.window.children() if isinstance(c, kind) and c.isVisible()]


def words(box: Allow) -> str:
    return "\n".join(label.text() for label in box.findChildren(QLabel))


def test_code_is_shown_and_asked_about_before_it_runs(
    desk: Callable[..., Any], file: Path, pictures: list[Path]
) -> None:
    trace = file.with_name("ran")
    file.write_text(ADAPTER + f"\nopen({str(trace)!r}, 'w').close()\n")
    d = desk(pictures[0])
    d.session.open_model(str(file))
    box = dialog(d, Allow)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert box.source.toPlainText() == file.read_text().rstrip("\n") and box.source.isReadOnly()
    assert "whatever you can" in words(box) and "imports" in words(box) and "changed since" not in words(box)
    assert f"{file.stat().st_size:,} bytes" in words(box)
    assert box.cancel.isDefault() and box.cancel.hasFocus() and not box.run.isDefault()
    # Enter is Cancel: nobody allows code by a key pressed too much.
    d.key(Qt.Key.Key_Return)
    d.until(lambda: none_open(d, Allow))
    assert not consent.allowed() and not trace.exists()
    assert any("was not run" in text for text in d.messages)
    assert d.document.model == "digits-ssd"

    d.session.open_model(str(file))
    box = dialog(d, Allow)
    d.qtbot.mouseClick(box.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == digest
    for _ in range(8):
        if box.run.hasFocus():
            break
        d.key(Qt.Key.Key_Tab)
    assert box.run.hasFocus()
    d.key(Qt.Key.Key_Space)
    d.until(lambda: d.document.model == str(file))
    d.settle()
    assert trace.exists() and digest in consent.allowed()
    assert isinstance(d.direct("detect"), Result)
    assert d.window.model_box.currentText() == "mine.py"


def test_a_file_that_changed_is_asked_about_again_with_what_is_new(desk: Callable[..., Any], file: Path) -> None:
    consent.allow(file, hashlib.sha256(file.read_bytes()).hexdigest())
    d = desk()
    d.session.open_model(str(file))
    d.until(lambda: d.document.model == str(file))
    file.write_text(ADAPTER.replace("stride=8", "stride=8, bias=False"))
    d.session.open_model(str(file))
    box = dialog(d, Allow)
    assert "has changed since you allowed it" in words(box)
    assert box.pages.currentWidget() is box.difference
    lines = box.difference.toPlainText().splitlines()
    assert [line for line in lines if line[0] in "+-"][2:] == [
        "-        self.conv = nn.Conv2d(3, 6, 8, stride=8)",
        "+        self.conv = nn.Conv2d(3, 6, 8, stride=8, bias=False)",
    ]
    # What is allowed is what was shown, even if the file has become another one behind the dialog.
    file.write_text(ADAPTER + "\n# later\n")
    box.run.click()
    again = dialog(d, Allow)
    assert again is not box
    assert "# later" in again.source.toPlainText()
    again.reject()


def test_what_a_file_imports_is_shown_and_allowed_with_it(desk: Callable[..., Any], file: Path) -> None:
    helper, late = file.with_name("nets.py"), file.with_name("late.py")
    helper.write_text(CODE)
    late.write_text("X = 1\n")
    file.write_text("from nets import Mine\n\nADAPTER = Mine\n")
    d = desk()
    d.session.open_model(str(file))
    box = dialog(d, Allow)
    assert [box.pages.tabText(i) for i in range(box.pages.count())] == ["mine.py", "nets.py"]
    assert box.pages.widget(1).toPlainText() == CODE.rstrip("\n")
    digest = hashlib.sha256(helper.read_bytes()).hexdigest()
    assert box.helpers.toPlainText() == f"{digest}  nets.py"
    box.run.click()
    d.until(lambda: d.document.model == str(file))
    d.settle()
    assert set(consent.allowed().values()) == {str(file), str(helper)}

    helper.write_text(CODE.replace("stride=8", "stride=8, bias=False") + "\n__import__('la' + 'te')\n")
    d.session.open_model(str(file))
    box = dialog(d, Allow)
    assert "nets.py has changed since you allowed it" in words(box) and "The file has changed" not in words(box)
    assert box.pages.currentWidget() is box.difference
    assert box.pages.tabText(0) == "nets.py: what has changed"
    assert "+        self.conv = nn.Conv2d(3, 6, 8, stride=8, bias=False)" in box.difference.toPlainText()
    box.run.click()
    # What could not be foreseen is asked about when it is imported.
    d.until(lambda: [c for c in d.window.children() if isinstance(c, Allow) and c.isVisible() and c is not box])
    again = dialog(d, Allow)
    assert again.code.path == late
    again.run.click()
    d.until(lambda: none_open(d, Allow))
    d.settle()
    assert str(late) in consent.allowed().values()
    assert d.document.model == str(file) and DESCRIBE_SLOT not in d.session.failed


def test_what_was_allowed_can_be_forgotten_and_an_adapter_kept(
    desk: Callable[..., Any], file: Path, tmp_path: Path
) -> None:
    consent.allow(file, hashlib.sha256(file.read_bytes()).hexdigest())
    d = desk()
    actions = d.window.commands.actions(d.window)
    assert not actions["keep-adapter"].isEnabled() and actions["forget-code"].isEnabled()
    d.session.open_model(str(file))
    d.until(lambda: d.document.model == str(file))
    d.run("keep-adapter")
    assert kept_adapters.paths() == (str(file),) and actions["keep-adapter"].isChecked()
    torch.save({"conv.weight": torch.zeros(6, 3, 8, 8), "conv.bias": torch.zeros(6)}, tmp_path / "w.pth")
    d.session.open_model(str(tmp_path / "w.pth"))
    d.until(lambda: d.document.model == str(tmp_path / "w.pth"))
    assert d.session.description.title == "Mine"
    d.run("keep-adapter")
    assert kept_adapters.paths() == ()
    d.run("forget-code")
    assert consent.allowed() == {} and not actions["forget-code"].isEnabled()
    assert not list((consent.user_folders.home() / consent.COPIES).iterdir())


def test_a_file_without_an_adapter_offers_what_it_has(desk: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    file.write_text(CODE + "\ndef build():\n    return Net()\n\ndef counted(num_classes):\n    pass\n")
    torch.save({"conv.weight": torch.zeros(6, 3, 8, 8), "conv.bias": torch.zeros(6)}, tmp_path / "w.pth")
    d = desk()
    assert d.drop_files(file)
    box = dialog(d, OpenCode)
    assert [box.choices.item(i).text().split("  ·  ") for i in range(box.choices.count())] == [
        ["Net", "torch.nn.Module, line 6", "Finds cats."],
        ["build", "function, line 21"],
        ["counted", "function, line 24"],
    ]
    assert box.name == f"{file}:build"
    box.choices.setCurrentRow(2)
    box.classes.setText("7")
    box.weights.setText(str(tmp_path / "w.pth"))
    assert model_name.split(box.name) == (f"{file}:counted", {"num_classes": "7", "weights": str(tmp_path / "w.pth")})
    box.classes.setText("many")
    assert not box.open_button.isEnabled()
    box.file.setText(str(tmp_path / "nothing.py"))
    box.read()
    assert "is not there" in box.note.text() and not box.open_button.isEnabled()
    box.reject()
    assert d.document.model == "digits-ssd"

    # The command line's and recent files' way: the engine refuses, and the window asks.
    d.session.open_model(str(file))
    assert dialog(d, OpenCode).file.text() == str(file)
    dialog(d, OpenCode).reject()


def test_the_command_opens_an_adapter_with_weights(desk: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    consent.allow(file, hashlib.sha256(file.read_bytes()).hexdigest())
    torch.save({"conv.weight": torch.zeros(6, 3, 8, 8), "conv.bias": torch.zeros(6)}, tmp_path / "w & 1.pth")
    d = desk()
    d.run("open-code")
    box = dialog(d, OpenCode)
    assert not box.open_button.isEnabled()
    d.qtbot.keyClicks(box.file, str(file))
    d.qtbot.keyClicks(box.weights, str(tmp_path / "w & 1.pth"))
    box.read()
    assert not box.classes.isEnabled()
    d.qtbot.mouseClick(box.open_button, Qt.MouseButton.LeftButton)
    name = model_name.join(str(file), {"weights": str(tmp_path / "w & 1.pth")})
    d.until(lambda: d.document.model == name)
    assert d.window.settings.recent_models[0] == name
    assert d.window.model_box.currentText() == "mine.py · w & 1.pth" == model_name.title(name)


def test_characters_that_hide_code_are_written_out() -> None:
    assert visible("a\u202eb\u200bc") == "a⟦U+202E⟧b⟦U+200B⟧c"
    assert difference("a\nb\n", "a\nc\n").splitlines()[-2:] == ["-b", "+c"]
