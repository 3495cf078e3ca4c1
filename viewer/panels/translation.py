"""The Picture to picture panel: what the network makes of the picture, before and after, beside a reference."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Failure, Result
from viewer import theme
from viewer.canvas.layers import Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import translation
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.form import Form
from viewer.widgets.pictures.map_readout import plain_label
from viewer.widgets.tables.fact_card import Card

SPLIT = Parameter(
    "split", "Line", "float", 0.5, help="Before on the left of the line, after on its right. A click moves it there."
)
TILES = Parameter(
    "tile",
    "Tile",
    "int",
    1024,
    low=0,
    high=8192,
    step=32,
    help="Larger pictures are cut into tiles of this side that overlap; 0 for never.",
)
NOTHING_OPEN = "Open a picture: here is then what the network makes of it."
WAITING = "Waiting for the answer…"


class TranslationPanel(Panel):
    """What is shown, the line between before and after, the numbers, and a reference picture."""

    id: ClassVar[str] = "translate"
    rank: ClassVar[int] = -8

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.summary = plain_label("About the output")
        self.shown = QComboBox()
        self.shown.setAccessibleName("What is shown")
        for value, title in translation.TITLES.items():
            self.shown.addItem(title, value)
        self.form = Form((SPLIT, TILES))
        self.form.reset.hide()
        self.bar = ColourBar()
        self.bar.setAccessibleName("Colours of the difference")
        self.facts, self.quality = Card("Output"), Card("Against the reference")
        self.reference = QPushButton("Compare with a reference…")
        self.reference.setToolTip("A picture file of how the output should look: gives PSNR and SSIM")
        self.without = QPushButton("Without reference")
        self.export = QPushButton("Export the output…")
        self.copy = QToolButton()
        self.copy.setToolTip("Copy the numbers as text")
        self.copy.setAccessibleName("Copy the numbers")
        self.copy.setAutoRaise(True)
        self._result: Result | None = None
        self._build()
        self.shown.activated.connect(self._choose)
        self.form.changed.connect(self._changed)
        self.form.committed.connect(self._committed)
        self.reference.clicked.connect(lambda: self.command_wanted.emit("translation-reference"))
        self.without.clicked.connect(self._drop_reference)
        self.export.clicked.connect(lambda: self.command_wanted.emit("export-translation"))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        theme.changes().connect(self._restyle)
        self._restyle()
        self._tell()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the picture that the network makes of the current one."""
        return None if description is None else request_plan.ask("translate", document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show what is shown, and the settings."""
        self.shown.setCurrentIndex(max(0, self.shown.findData(document.view.translated)))
        values = document.values(self.id)
        self.form.set_values({"split": document.view.split, "tile": values.get("tile", TILES.default)})
        split = document.view.translated == translation.SPLIT
        self.form.set_applicable({"split": "" if split else "Only before and after has a line."})
        self.without.setVisible(bool(values.get("reference")))
        self._tell()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the output."""
        if slot == self.id:
            self._result = result
            self._tell()
            self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show that there is no output; keep the previous one."""
        if slot == self.id and self._result is None:
            self.summary.setText("Cancelled. F5 asks again." if failure.cancelled else failure.text)

    def forget(self) -> None:
        """Drop the output for the previous picture."""
        self._result = None
        self._tell()

    def layers(self, document: Document) -> list[Layer]:
        """Paint the output over the picture."""
        if self._result is None:
            return []
        return translation.layers(self._result, document.view.translated, document.view.split)

    def clicked(self, place: tuple[float, float]) -> bool:
        """Move the line between before and after to a click on the picture."""
        if self._result is None or self.store.document.view.translated != translation.SPLIT:
            return False
        share = place[0] / max(1.0, float(self._result.meta["size"][0]))
        self._changed("split", round(min(1.0, max(0.0, share)), 4))
        self.store.settle()
        return True

    @property
    def text(self) -> str:
        """Return the numbers as text, "" for none."""
        return translation.as_text(self._result) if self._result is not None else ""

    @property
    def result(self) -> Result | None:
        """Return what is shown, None for nothing."""
        return self._result

    def _build(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        head = QHBoxLayout()
        head.addWidget(self.shown, 1)
        head.addWidget(self.copy)
        column.addWidget(self.summary)
        column.addLayout(head)
        column.addWidget(self.form)
        column.addWidget(self.bar)
        column.addWidget(self.facts)
        column.addWidget(self.quality)
        for buttons in ((self.reference,), (self.without, self.export)):
            line = QHBoxLayout()
            line.setSpacing(GAP)
            for button in buttons:
                line.addWidget(button)
            line.addStretch(1)
            column.addLayout(line)
        column.addStretch(1)
        self.fill(inside, "Picture to picture")

    def _tell(self) -> None:
        result = self._result
        there = result is not None
        self.facts.setVisible(there)
        self.export.setEnabled(there)
        self.copy.setEnabled(there)
        self.summary.setVisible(not there)
        self.bar.setVisible(there and self.store.document.view.translated == translation.DIFFERENCE)
        if result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            self.quality.hide()
            return
        end = translation.end_of(result)
        self.bar.set_range(-round(end, 4), round(end, 4), colour_map="diverging")
        self.facts.set_facts(translation.facts(result))
        quality = translation.quality(result)
        self.quality.set_facts(quality)
        self.quality.setVisible(bool(quality))

    def _choose(self) -> None:
        value = str(self.shown.currentData())
        title = translation.TITLES[value]
        self.store.update(self.store.document.with_view(translated=value), title=f"Show {title.lower()}")

    def _changed(self, name: str, value: float | int | bool | str) -> None:
        if name == "split":
            document = self.store.document.with_view(split=value)
        else:
            document = self.store.document.with_value(self.id, tile=None if value == TILES.default else value)
        title = SPLIT.title if name == "split" else TILES.title
        self.store.update(document, title=title, merge=f"{self.id}.{name}")

    def _committed(self, name: str, value: float | int | bool | str) -> None:
        self._changed(name, value)
        self.store.settle()

    def _drop_reference(self) -> None:
        self.store.update(self.store.document.with_value(self.id, reference=None), title="Without reference")

    def _restyle(self) -> None:
        self.copy.setIcon(theme.icon("copy"))


PANEL = TranslationPanel
