"""The dialog that asks whether a file with code may run. It shows the file's source and what changed in it."""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from models.exported import torchscript_text
from models.user_code import consent, helpers, source
from viewer import theme
from viewer.translation import tr

GAP = 8
SIZE_PX = (760, 640)
MOST_CHARACTERS = 400_000
# Zero-width characters and marks that change the direction of text: code containing them reads differently than it
# runs.
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
RISK = tr(
    "Code can do whatever you can on this machine: read, change, delete and send your files. "
    "Run it only if you wrote it, or trust who did."
)
SCRIPT_RISK = tr(
    "It is TorchScript: a program, not just weights. Before it runs, each operator that it calls is checked against "
    "a list of what networks need. Still, run it only if you made it, or trust who did."
)
BEYOND = tr(
    "It imports no file of its folder. If it does so under a name that it computes at run time, you are asked then. "
    "Installed packages run as they are."
)
HELPERS = tr(
    "Files of its folder that it imports are shown here too. You allow all of them, and are asked again when one of "
    "them changes. Installed packages run as they are."
)
HELPERS_PX = 84


@dataclass(frozen=True)
class Code:
    """A file with code, read once, so that exactly the bytes shown are the bytes allowed.

    `script` is true for TorchScript, whose `text` is the source contained in the archive; `helpers` are the files of
    its folder that it imports. `changed` says that another version was allowed before; `before` is its text if known.
    """

    path: Path
    text: str
    sha256: str
    content: bytes
    date: str
    script: bool = False
    helpers: tuple[Code, ...] = ()
    changed: bool = False
    before: str | None = None

    @classmethod
    def read(cls, path: Path) -> Code:
        """Read a file, and what it imports from its folder. Raises OSError, Refusal."""
        code = cls._one(path)
        if code.script:
            return code
        return replace(code, helpers=tuple(cls._one(helper) for helper in helpers.found(path, code.content)))

    @classmethod
    def _one(cls, path: Path) -> Code:
        content, changed = path.read_bytes(), path.stat().st_mtime
        date = datetime.fromtimestamp(changed).strftime("%Y-%m-%d %H:%M:%S")
        script = torchscript_text.sources(content)
        digest = hashlib.sha256(content).hexdigest()
        text = source.shown(content, path.name)
        earlier, before = consent.before(path)
        changed = bool(earlier) and earlier != digest
        return cls(path, text, digest, content, date, bool(script), changed=changed, before=before if changed else None)

    @property
    def size(self) -> int:
        return len(self.content)


class Allow(QDialog):
    """Asks about one file and what it imports from its folder, with what is new since they were allowed.

    It is accepted when they may run; until then nothing of them does.
    """

    def __init__(self, code: Code, *, parent: QWidget) -> None:
        super().__init__(parent)
        self.code, self.codes = code, (code, *code.helpers)
        self.setWindowTitle(tr("Run this code?"))
        self.resize(*SIZE_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        column.setSpacing(GAP)
        self.head = _words(
            tr("Opening this model runs the code in {visible}.", visible=visible(code.path.name)), bold=True
        )
        column.addWidget(self.head)
        for one in self.codes:
            if one.changed:
                note = "" if one.before is not None else tr(" Its earlier content is no longer known.")
                what = tr("The file") if one is code else visible(self._name(one))
                column.addWidget(
                    _words(
                        tr("{what} has changed since you allowed it.{note}", what=what, note=note),
                        bold=True,
                        role="warning",
                    )
                )
        column.addWidget(_words(SCRIPT_RISK if code.script else RISK))
        column.addLayout(self._facts())
        self.pages = QTabWidget()
        self.pages.setAccessibleName(tr("What the file says"))
        self.pages.setDocumentMode(True)
        self.source = _text(code.text, tr("Source"))
        for one in self.codes:
            if one.before is not None:
                page = _text(difference(one.before, one.text), tr("What has changed"))
                self.pages.addTab(
                    page,
                    tr("What has changed") if one is code else tr("{name}: what has changed", name=self._name(one)),
                )
                self.difference = page
        self.pages.addTab(self.source, self._name(code) if code.helpers else tr("All of it"))
        for one in code.helpers:
            self.pages.addTab(
                _text(one.text, tr("Source of {visible}", visible=visible(one.path.name))), visible(self._name(one))
            )
        column.addWidget(self.pages, 1)
        if hidden := sum(len(_UNSEEN.findall(one.text)) for one in self.codes):
            marks = tr(
                "It contains {hidden:,} invisible characters, shown as ⟦U+…⟧: they can hide code.", hidden=hidden
            )
            column.addWidget(_words(marks, role="warning"))
        if not code.script:
            column.addWidget(_words(HELPERS if code.helpers else BEYOND))
        self.run, self.cancel = QPushButton(tr("Run it")), QPushButton(tr("Cancel"))
        self.run.setAutoDefault(False)
        self.run.clicked.connect(self.accept)
        self.cancel.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.run)
        buttons.addWidget(self.cancel)
        column.addLayout(buttons)
        self.cancel.setDefault(True)
        self.cancel.setFocus()

    def _facts(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(GAP // 2)
        form.addRow(tr("File"), _line(visible(str(self.code.path)), tr("Path of the file")))
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(_line(self.code.sha256, "SHA-256"), 1)
        self.copy = QPushButton(theme.icon("copy"), tr("Copy"))
        self.copy.setAccessibleName(tr("Copy the SHA-256"))
        self.copy.setAutoDefault(False)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.code.sha256))
        line.addWidget(self.copy)
        form.addRow("SHA-256", line)
        lines = tr(
            "{splitlines:,} lines{what}",
            splitlines=len(self.code.text.splitlines()),
            what=tr(" of code") if self.code.script else "",
        )
        form.addRow(tr("Size"), _words(tr("{size:,} bytes, {lines}", size=self.code.size, lines=lines)))
        form.addRow(tr("Changed"), _words(self.code.date))
        if self.code.helpers:
            self.helpers = _text(
                "\n".join(f"{one.sha256}  {self._name(one)}" for one in self.code.helpers), tr("Helpers")
            )
            self.helpers.setMaximumHeight(HELPERS_PX)
            form.addRow(tr("Imports"), self.helpers)
        return form

    def _name(self, code: Code) -> str:
        """Return the path of one of the files in the folder."""
        return str(code.path.relative_to(self.code.path.parent))


def visible(text: str) -> str:
    """Return the text with invisible and direction-changing characters replaced by their code points."""
    return _UNSEEN.sub(lambda found: f"⟦U+{ord(found[0]):04X}⟧", text).replace("\n", "⟦line⟧")


def difference(before: str, now: str) -> str:
    """Return the changes from `before` to `now` as a unified diff."""
    lines = difflib.unified_diff(before.splitlines(), now.splitlines(), "allowed", "now", lineterm="")
    return "\n".join(lines) or tr("Only the line endings differ.")


def _words(text: str, *, bold: bool = False, role: str = "") -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if bold:
        font = label.font()
        font.setWeight(QFont.Weight.DemiBold)
        label.setFont(font)
    if role:
        palette = label.palette()
        palette.setColor(label.foregroundRole(), getattr(theme.colours(), role))
        label.setPalette(palette)
    return label


def _line(text: str, name: str) -> QLineEdit:
    line = QLineEdit(text)
    line.setReadOnly(True)
    line.setFrame(False)
    line.setAccessibleName(name)
    line.setCursorPosition(0)
    return line


def _text(text: str, name: str) -> QPlainTextEdit:
    page = QPlainTextEdit()
    page.setReadOnly(True)
    page.setAccessibleName(name)
    page.setTabChangesFocus(True)
    page.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    page.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    page.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    shown = "\n".join(visible(line) for line in text[:MOST_CHARACTERS].splitlines())
    more = len(text) - MOST_CHARACTERS
    page.setPlainText(
        shown + (tr("\n\n… and {more:,} characters more, which are not shown.", more=more) if more > 0 else "")
    )
    return page
