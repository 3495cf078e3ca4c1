"""The Interpretation panel: what the network's outputs are taken for and why, the alternatives, and the outputs."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication, QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result, Source
from viewer import theme
from viewer.panels.base import GAP, Levels, Panel
from viewer.presenters import interpretation
from viewer.presenters.interpretation import Choice
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.section import Section
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.choice_tiles import ChoiceTiles
from viewer.widgets.pictures.qimages import rgb

NOTHING_OPEN = tr(
    "Open a picture of something you know: what the network finds is shown here, "
    "read in every way that its numbers allow."
)
WAITING = tr("Reading the outputs…")
OUTPUT_PX = 56
TRY, TRIED = tr("Try other preparations"), tr("Try only the current one")


class InterpretationPanel(Panel):
    """The reading in force with its evidence, all readings and preparations as pictures to press, every output."""

    id: ClassVar[str] = interpretation.INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.empty = WrappedLabel(tr("What to do"))
        self.question = WrappedLabel(tr("What only you can tell"))
        self.headline = WrappedLabel(tr("What the outputs are taken for"))
        for label in (self.question, self.headline):
            font = label.font()
            font.setBold(True)
            label.setFont(font)
        self.evidence = WrappedLabel(tr("Why it is read like that"))
        self.why = Section(tr("Why"))
        self.copy = QToolButton()
        self.copy.setToolTip(tr("Copy readings and outputs as text"))
        self.copy.setAccessibleName(tr("Copy the interpretation"))
        self.copy.setAutoRaise(True)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        self.readings = ChoiceTiles(tr("Readings of the outputs"))
        self.about_input = WrappedLabel(tr("How the picture is prepared"))
        self.try_others = QPushButton(TRY)
        self.try_others.setToolTip(tr("Ask the network about this picture with other values, colours and fits"))
        self.preparations = ChoiceTiles(tr("Preparations of the picture"))
        self.save = QPushButton(tr("Save as card"))
        self.save.setToolTip(
            tr("Write all that is assumed into a card beside the file: it then opens like this by itself")
        )
        self.export = QPushButton(tr("Export adapter file…"))
        self.export.setToolTip(tr("Write all that is assumed as a few lines of Python, which open like this"))
        self.outputs = Section(tr("Outputs"))
        self._rows: list[tuple[QLabel, QLabel]] = []
        self._result: Result | None = None
        self._source: Source | None = None
        self._drawn_on: Source | None = None
        self._build()
        self.readings.taken.connect(self._flip)
        self.preparations.taken.connect(self._flip)
        self.try_others.clicked.connect(self._try)
        self.save.clicked.connect(lambda: self.command_wanted.emit("interpretation-card"))
        self.export.clicked.connect(lambda: self.command_wanted.emit("interpretation-adapter"))
        theme.changes().connect(self._restyle)
        self._restyle()
        self._update_text()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request all readings of the outputs while the panel is in view."""
        if description is None or interpretation.INSPECTION not in document.view.inside:
            return None
        return request_plan.ask(interpretation.INSPECTION, document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show whether other preparations are tried, and what to do without a picture."""
        tried = bool(document.values(self.id).get("preparations", False))
        self.try_others.setText(TRIED if tried else TRY)
        if document.source != self._source:
            self._source = document.source
            if document.source is not None:
                self.pixels_wanted.emit(document.source)
        self._update_text()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the readings, the preparations and the outputs."""
        if slot != self.id:
            return
        self._result = result
        if self._source is not None and self._drawn_on != self._source:
            self.pixels_wanted.emit(self._source)
        self.readings.show_choices(interpretation.choices(result, interpretation.READING))
        self.preparations.show_choices(interpretation.choices(result, interpretation.PREPARATION))
        self._show_outputs(result)
        self._update_text()

    def show_failure(self, slot: str, failure: Failure) -> bool:
        """Show why there is no result; keep the last one."""
        if slot != self.id:
            return False
        if self._result is None:
            self.empty.setText(tr("Cancelled. F5 asks again.") if failure.cancelled else failure.text)
        return self._result is None

    def show_pixels(self, source: Source, levels: Levels) -> None:
        """Take the picture that the findings are drawn on."""
        if source == self._source and levels:
            self._drawn_on = source
            height, width = levels[0].shape[:2]
            for tiles in (self.readings, self.preparations):
                tiles.set_picture(levels[-1], (width, height))

    def forget(self) -> None:
        """Drop what was found on the previous picture."""
        self._result = None
        self._update_text()

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    @property
    def text(self) -> str:
        """Return everything as text, "" for none."""
        return interpretation.as_text(self._result) if self._result is not None else ""

    @property
    def result(self) -> Result | None:
        """Return what is shown, None for nothing."""
        return self._result

    def _build(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.empty)
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GAP)
        head = QHBoxLayout()
        head.addWidget(self.headline, 1)
        head.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignTop)
        body.addWidget(self.question)
        body.addLayout(head)
        body.addWidget(_title(tr("Read as")))
        body.addWidget(self.readings)
        self.why.add(self.evidence)
        body.addWidget(self.why)
        body.addWidget(_title(tr("Picture prepared")))
        body.addWidget(self.about_input)
        body.addWidget(self.try_others, 0, Qt.AlignmentFlag.AlignLeft)
        body.addWidget(self.preparations)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addWidget(self.save)
        buttons.addWidget(self.export)
        buttons.addStretch(1)
        body.addLayout(buttons)
        grid = QWidget()
        self._grid = QGridLayout(grid)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GAP)
        self._grid.setColumnStretch(1, 1)
        self.outputs.add(grid)
        self.outputs.set_open(True)
        body.addWidget(self.outputs)
        column.addWidget(self._body)
        column.addStretch(1)
        self.fill(inside, tr("Interpretation"))

    def _update_text(self) -> None:
        result = self._result
        self._body.setVisible(result is not None)
        self.empty.setVisible(result is None)
        if result is None:
            self.empty.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            return
        question = str(result.meta["question"])
        self.question.setText(question)
        self.question.setVisible(bool(question))
        self.headline.setText(interpretation.headline(result))
        self.evidence.setText(interpretation.evidence(result))
        self.why.setVisible(bool(self.evidence.text()))
        self.about_input.setText(interpretation.input_line(result))
        self.preparations.setVisible(bool(self.preparations.tiles))

    def _show_outputs(self, result: Result) -> None:
        rows = result.meta["outputs"]
        while len(self._rows) < len(rows):
            self._add_row()
        for place, (picture, words) in enumerate(self._rows):
            shown = place < len(rows)
            picture.setVisible(shown)
            words.setVisible(shown)
            if not shown:
                continue
            row = rows[place]
            name, about = interpretation.output_line(row)
            pixmap = QPixmap.fromImage(rgb(result.arrays[row["picture"]]))
            size, keep = QSize(OUTPUT_PX, OUTPUT_PX), Qt.AspectRatioMode.KeepAspectRatio
            picture.setPixmap(pixmap.scaled(size, keep, Qt.TransformationMode.FastTransformation))
            picture.setAccessibleName(tr("Picture of the output {name}", name=name))
            words.setText(f"{name}{'' if row['used'] else tr(' (not used)')}\n{about}")
        self.outputs.set_note(f"{len(rows):,}")

    def _add_row(self) -> None:
        picture, words = QLabel(), WrappedLabel(tr("An output"))
        picture.setFixedSize(OUTPUT_PX, OUTPUT_PX)
        picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        place = len(self._rows)
        self._grid.addWidget(picture, place, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(words, place, 1)
        self._rows.append((picture, words))

    def _flip(self, choice: Choice) -> None:
        """Open the model again under another choice."""
        if self._result is None:
            return
        document = self.store.document
        name = interpretation.flipped(document.model, choice, self._result.meta["drops"])
        self.store.update(document.with_model(name), title=tr("Read as {choice}", choice=choice.title))

    def _try(self) -> None:
        """Ask for other preparations too, or no longer."""
        tried = bool(self.store.document.values(self.id).get("preparations", False))
        document = self.store.document.with_value(self.id, preparations=None if tried else True)
        self.store.update(document, title=TRIED if tried else TRY)

    def _restyle(self) -> None:
        self.copy.setIcon(theme.icon("copy"))


def _title(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


PANEL = InterpretationPanel
