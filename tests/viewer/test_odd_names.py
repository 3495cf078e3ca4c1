"""Names of files that hold markup are shown as they are: no label, tooltip or menu reads them as rich text."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtWidgets import QComboBox, QLabel, QWidget

from models.cards import card
from models.user_code import consent
from viewer.widgets.dialogs.allow_code import Allow

MARK = "<img src=x>"


def rich(window: QWidget) -> Iterator[str]:
    """Yield what is shown of a name with markup as anything but plain text."""
    for widget in window.findChildren(QWidget):
        tip = widget.toolTip()
        if MARK in tip and GuiQt.mightBeRichText(tip):
            yield f"tooltip of {type(widget).__name__} {widget.accessibleName()}: {tip[:80]}"
        if isinstance(widget, QLabel) and MARK in widget.text():
            auto = widget.textFormat() == Qt.TextFormat.AutoText and GuiQt.mightBeRichText(widget.text())
            if auto or widget.textFormat() == Qt.TextFormat.RichText:
                yield f"{type(widget).__name__} {widget.accessibleName()}: {widget.text()[:80]}"
        if isinstance(widget, QComboBox):
            for row in range(widget.count()):
                tip = str(widget.itemData(row, Qt.ItemDataRole.ToolTipRole) or "")
                if MARK in tip and GuiQt.mightBeRichText(tip):
                    yield f"row of {widget.accessibleName()}: {tip[:80]}"
    for action in window.actions():
        if MARK in action.toolTip() and GuiQt.mightBeRichText(action.toolTip()):
            yield f"action {action.text()[:60]}"


def test_markup_in_names_is_shown_and_not_rendered(desk: Callable[..., Any], tmp_path: Path) -> None:
    picture, broken = tmp_path / f"{MARK}a.png", tmp_path / f"{MARK}b.png"
    shutil.copy(sorted(card.SAMPLES.glob("*.png"))[0], picture)
    broken.write_bytes(b"no picture")
    weights = tmp_path / f"{MARK}w.safetensors"
    shutil.copy(card.BUNDLED / "digits-ssd.safetensors", weights)
    code = tmp_path / f"{MARK}c.py"
    code.write_text("1 / 0")
    d = desk(picture, broken)
    d.session.open_model(str(weights))
    d.until(lambda: d.document.model == str(weights))
    d.settle()
    d.session.go(1)
    d.until(lambda: d.messages)
    for panel in d.window.docks.by_id:
        d.window.docks.show(panel)
    d.session.open_model(f"{code}:build")
    d.until(lambda: d.window.findChild(Allow))
    assert MARK in d.window.findChild(Allow).head.text()
    assert not list(rich(d.window))
    d.window.findChild(Allow).reject()
    consent.allow(code, hashlib.sha256(code.read_bytes()).hexdigest())
    d.session.open_model(f"{code}:build")
    d.until(lambda: any("ZeroDivisionError" in text for text in d.messages))
    assert not list(rich(d.window))
