"""A TorchScript file in the window: told to be a program, shown with its SHA-256 and code, refused, then allowed."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit
from torch import Tensor, nn

from models.types import Result
from models.user_code import consent
from viewer.widgets.dialogs.allow_code import Allow


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 8, 3, stride=2), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).relu().mean((2, 3)))


def saved(path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Small().eval()).save(str(path))
    return path


def test_a_torchscript_file_opens_only_after_its_program_was_allowed(
    desk: Callable[..., Any], pictures: list[Path], tmp_path: Path
) -> None:
    path = saved(tmp_path / "net.pt")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    d = desk(pictures[0])
    before = d.direct()

    def asked() -> Allow:
        d.until(lambda: [c for c in d.window.children() if isinstance(c, Allow) and c.isVisible()])
        return next(c for c in d.window.children() if isinstance(c, Allow) and c.isVisible())

    def gone() -> bool:
        return not [c for c in d.window.children() if isinstance(c, Allow) and c.isVisible()]

    d.drop_files(path)
    box = asked()
    words = "\n".join(label.text() for label in box.findChildren(QLabel))
    assert "It is TorchScript: a program, not just weights" in words and "net.pt" in words
    assert f"{path.stat().st_size:,} bytes" in words
    assert digest in [line.text() for line in box.findChildren(QLineEdit)]
    code = box.source.toPlainText()
    assert "def forward(self" in code and "torch.relu" in code and "PK" not in code[:4]
    if folder := os.environ.get("VITRINE_SHOTS"):
        d.window.grab().save(f"{folder}/window.png")
        box.grab().save(f"{folder}/torchscript.png")

    d.key(Qt.Key.Key_Return)  # Cancel has the focus
    d.until(gone)
    d.settle()
    assert not consent.allowed() and d.document.model == "digits-ssd"
    assert any("was not run" in text for text in d.messages)
    assert d.shows(before), "the last model's answer stays"

    d.drop_files(path)
    asked().run.click()
    d.until(lambda: d.document.model == str(path))
    d.settle()
    assert digest in consent.allowed() and d.window.model_box.currentText() == "net.pt"
    assert isinstance(d.direct("classify"), Result)

    # Another program under the same name is asked about again.
    path.write_bytes(path.read_bytes() + b"\0")
    d.session.open_model("digits-ssd")
    d.settle()
    d.drop_files(path)
    box = asked()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == box.code.sha256 != digest
    d.key(Qt.Key.Key_Escape)
    d.until(gone)
    assert d.document.model == "digits-ssd"
