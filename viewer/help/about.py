"""What Vitrine is: its version, its licence, and the libraries it is made of with theirs."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from PySide6.QtCore import QRect, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.translation import tr
from viewer.widgets.dialogs.modal_overlay import Overlay

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 640, 520  # pixels, like those below
ICON = 32
GAP = 8
COLUMNS = (tr("Library"), tr("Version"), tr("Licence"))
WITH_THEIRS = "maps"  # the extra whose libraries are listed with what they need
CLASSIFIER = "License :: OSI Approved :: "
LICENCE = tr("MIT licence.")
WHAT = tr("Vitrine opens a trained vision model and lets you look inside it.")


@dataclass(frozen=True)
class Library:
    """An installed library: `licence` as its own metadata say it, `address` its home page, "" where unknown."""

    name: str
    version: str
    licence: str
    address: str


def version() -> str:
    """Return the version of Vitrine."""
    return str(_project().get("version", ""))


def libraries() -> list[Library]:
    """Return the libraries that Vitrine needs or can use, as far as they are installed.

    Those of the extra for maps come with what they need in turn: a compiler among others.
    """
    project = _project()
    wanted = [*project.get("dependencies", ())]
    for extra, names in project.get("optional-dependencies", {}).items():
        wanted += names if extra not in ("test", "train") else ()
    names = {_plain(name): name for name in map(_name, wanted)}
    waiting = [_name(each) for each in project.get("optional-dependencies", {}).get(WITH_THEIRS, ())]
    while waiting:
        new = {_plain(name): name for name in map(_name, _needs(waiting.pop())) if _plain(name) not in names}
        names |= new
        waiting += new.values()
    return [found for name in names.values() if (found := _library(name)) is not None]


def _name(requirement: str) -> str:
    """Return the library that a line of requirements names."""
    return re.split(r"[\s<>=!~;\[(]", requirement, maxsplit=1)[0]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _needs(name: str) -> list[str]:
    """Return what a library needs without its extras, nothing if it is not installed."""
    try:
        listed = distribution(name).requires or []
    except PackageNotFoundError:
        return []
    return [each for each in listed if "extra ==" not in each]


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _library(name: str) -> Library | None:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    return Library(found.metadata["Name"] or name, found.version, _licence(found), _address(found))


def _licence(found: Distribution) -> str:
    told = found.metadata
    classified = [value.removeprefix(CLASSIFIER) for value in told.get_all("Classifier") or () if CLASSIFIER in value]
    stated = (told.get_all("License") or [""])[0]
    short = stated if stated and "\n" not in stated and len(stated) <= 60 else ""
    expression = (told.get_all("License-Expression") or [""])[0]
    return expression or short or ", ".join(classified) or tr("see its files")


def _address(found: Distribution) -> str:
    links = found.metadata.get_all("Home-page") or found.metadata.get_all("Project-URL") or [""]
    return str(links[0]).split(",", 1)[-1].strip()


class About(Overlay):
    """Version, licence, libraries and links over the window. `page_wanted` opens a page of the documentation."""

    page_wanted = Signal(str, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, name=tr("About Vitrine"))
        self.icon = QLabel(self.panel)
        self.icon.setAccessibleName(tr("Vitrine's icon"))
        self.title = QLabel(f"Vitrine {version()}", self.panel)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.text = QLabel(f"{WHAT} {LICENCE}", self.panel)
        self.text.setWordWrap(True)
        self.libraries = libraries()
        self.table = QTableWidget(len(self.libraries), len(COLUMNS), self.panel)
        self.table.setAccessibleName(tr("Libraries and their licences"))
        self.copy = QPushButton(tr("Copy"), self.panel)
        self.licence = QPushButton(tr("Licence text"), self.panel)
        self.docs = QPushButton(tr("Documentation"), self.panel)
        self.close_button = QPushButton(tr("Close"), self.panel)
        self.order = (self.table, self.copy, self.licence, self.docs, self.close_button)
        self._fill()
        self._lay_out()
        self.table.cellDoubleClicked.connect(self._open)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.report))
        self.licence.clicked.connect(lambda: self.page_wanted.emit("../LICENSE", ""))
        self.docs.clicked.connect(lambda: self.page_wanted.emit("features.md", ""))
        self.close_button.clicked.connect(self.dismiss)
        self._dress()
        theme.changes().connect(self._dress)

    @property
    def report(self) -> str:
        """What is copied: a line for Vitrine, and one for each library."""
        lines = [f"{each.name} {each.version} ({each.licence})" for each in self.libraries]
        return "\n".join([f"Vitrine {version()} (MIT)", *lines])

    def open(self) -> None:
        """Show it, with the focus on the button that closes it."""
        super().open()
        self.close_button.setFocus()

    def area(self) -> QRect:
        """A rectangle in the middle of the window."""
        room = self.room()
        width, height = min(WIDTH, room.width()), min(HEIGHT, room.height())
        return QRect(room.center().x() - width // 2, room.center().y() - height // 2, width, height)

    def _fill(self) -> None:
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        for row, each in enumerate(self.libraries):
            for column, text in enumerate((each.name, each.version, each.licence)):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{text}\n{each.address}" if each.address else text)
                self.table.setItem(row, column, item)
        self.table.resizeColumnsToContents()
        self.table.horizontalHeader().setSectionResizeMode(len(COLUMNS) - 1, QHeaderView.ResizeMode.Stretch)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(2 * GAP)
        head.addWidget(self.icon)
        words = QVBoxLayout()
        words.addWidget(self.title)
        words.addWidget(self.text)
        head.addLayout(words, 1)
        row = QHBoxLayout()
        row.addWidget(self.copy)
        row.addStretch(1)
        for button in (self.licence, self.docs, self.close_button):
            row.addWidget(button)
        note = QLabel(tr("A double click opens a library's page in the browser."), self.panel)
        note.setProperty("small", True)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        column.setSpacing(GAP)
        column.addLayout(head)
        column.addWidget(self.table, 1)
        column.addWidget(note)
        column.addLayout(row)

    def _open(self, row: int, column: int) -> None:
        if self.libraries[row].address:
            QDesktopServices.openUrl(QUrl(self.libraries[row].address))

    def _dress(self) -> None:
        pixmap: QPixmap = theme.icon("boxes").pixmap(ICON, ICON)
        self.icon.setPixmap(pixmap)
