"""A window in another language, in a process of its own: prints as JSON which of its visible texts are not translated.

Run: python -m tests.stories.translated_window LANGUAGE MODEL. With "pseudo" as language every translated text stands in
brackets, so that texts without them were not translated. Texts are chosen once, when the window's modules are imported,
hence the process.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORDS = re.compile(r"[A-Za-z]{3,}")
MARKED = re.compile(r"⟦[^⟦⟧]*⟧")


def main(language: str, model: str) -> None:
    """Show everything that a window on a sample of a model shows, and print what of it is untranslated."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from viewer import translation

    assert translation.use(language) == language
    from PySide6.QtCore import QEventLoop, QTimer
    from PySide6.QtWidgets import QApplication

    from models.cards import card
    from models.engine.engine import Engine
    from models.pictures import images
    from viewer.app import Mailbox, build
    from viewer.session.document import Document
    from viewer.session.job_queue import InlineLane
    from viewer.session.session import Session
    from viewer.window.workspaces import WORKSPACES

    application = QApplication([])
    sources = tuple(images.sources([card.samples(model)]))
    session, mail = Session(InlineLane(Engine(threads=1)), Document(sources, model=model)), Mailbox()
    session.begin(mail.post, [])
    window: Any = build(application, session, mail)
    window.resize(1280, 800)
    window.show()

    def settle() -> None:
        loop = QEventLoop()
        for _ in range(400):
            QTimer.singleShot(10, loop.quit)
            loop.exec()
            if session.description is not None and not (session.jobs.busy or session.reading or session.stale):
                break

    settle()
    found: dict[str, str] = {}
    for workspace in WORKSPACES:
        if window.docks.serves(workspace.id):
            window.docks.enter(workspace.id)
            settle()
            _collect(application, found)
    for panel in window.panels:
        if window.docks.can(panel):
            window.docks.show(panel)
    settle()
    window.tell("", details="", severity="info")
    for overlay in (window.palette_overlay, window.shortcuts, window.zoo.dialog):
        overlay.open()
        _collect(application, found)
        overlay.dismiss()
    _collect(application, found)
    window.close()
    print(json.dumps(found, ensure_ascii=False))


def _collect(application: Any, found: dict[str, str]) -> None:
    for widget in application.allWidgets():
        for kind, text in _texts(widget):
            left = MARKED.sub("", MARKED.sub("", MARKED.sub("", MARKED.sub("", text))))
            if WORDS.search(left) and text not in found:
                names = [type(widget).__name__, widget.objectName()]
                parent = widget.parentWidget()
                while parent is not None and len(names) < 6:
                    names.append(type(parent).__name__)
                    parent = parent.parentWidget()
                found[text] = f"{kind} of {'/'.join(filter(None, names))}"


def _texts(widget: Any) -> Iterator[tuple[str, str]]:
    """Yield what a widget shows or says: its labels, items, tips and accessible texts."""
    from PySide6.QtCore import QAbstractListModel, Qt
    from PySide6.QtWidgets import QAbstractItemView, QComboBox, QMenu, QTabWidget

    shown = [] if hasattr(widget, "document") or hasattr(widget, "setCompleter") else ["text"]  # not what is typed
    for name in (*shown, "title", "windowTitle", "toolTip", "statusTip", "placeholderText", "accessibleName"):
        try:
            said = getattr(widget, name)()
        except (AttributeError, TypeError):
            continue
        if isinstance(said, str) and said:
            yield name, said
    if described := widget.accessibleDescription():
        yield "accessibleDescription", described
    for action in widget.actions():
        yield "action", action.text()
        yield "action's tip", action.toolTip()
    if isinstance(widget, QComboBox):
        for at in range(widget.count()):
            yield "item", widget.itemText(at)
            tip = widget.itemData(at, Qt.ItemDataRole.ToolTipRole)
            if isinstance(tip, str):
                yield "item's tip", tip
    if isinstance(widget, QTabWidget):
        for at in range(widget.count()):
            yield "tab", widget.tabText(at)
            yield "tab's tip", widget.tabToolTip(at)
    if isinstance(widget, QMenu):
        for action in widget.actions():
            yield "menu entry", action.text()
    if isinstance(widget, QAbstractItemView) and widget.model() is not None:
        model = widget.model()
        listed = isinstance(model, QAbstractListModel)  # whose number of columns is private
        columns = 1 if listed else model.columnCount()
        for orientation in (Qt.Orientation.Horizontal, Qt.Orientation.Vertical):
            size = columns if orientation == Qt.Orientation.Horizontal else min(model.rowCount(), 40)
            for at in range(size):
                for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
                    said = model.headerData(at, orientation, role)
                    if isinstance(said, str):
                        yield "header", said
        for row in range(min(model.rowCount(), 40)):
            for column in range(columns):
                for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
                    said = model.index(row, column).data(role)
                    if isinstance(said, str):
                        yield "cell", said


if __name__ == "__main__":
    main(*sys.argv[1:])
