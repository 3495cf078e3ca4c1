"""The Arithmetic panel: A - B + C of three stored latent codes, and the picture decoded from the result."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout

from models.inspection import Description
from models.latent import space as spaces
from models.latent.space import Space
from models.requests import Request
from models.types import Failure, Float, Pixels, Refusal, Result
from viewer.panels.base import GAP, Panel
from viewer.presenters import latent_code, latent_directions
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.qimages import rgb

SLOTS = ("A", "B", "C")
RESULT = "A − B + C"
SIGNS = ("−", "+", "=")
SIDE_PX = 60
HINT = tr("Put codes aside as A, B and C: click an empty place, or the button under it.")


class ArithmeticPanel(Panel):
    """Three slots for codes and the result; clicking a picture makes its code the current one."""

    id: ClassVar[str] = "arithmetic"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.tiles = {name: _tile() for name in (*SLOTS, RESULT)}
        self.puts = {name: QPushButton(tr("As {name}", name=name)) for name in SLOTS}
        self.words = WrappedLabel(tr("What the result is"))
        self.words.setText(HINT)
        self._space: Space | None = None
        self._codes: dict[str, str] = {}
        self._pictures: dict[str, Pixels] = {}
        grid, column = QGridLayout(), QVBoxLayout(self)
        grid.setSpacing(GAP // 2)
        for at, (name, tile) in enumerate(self.tiles.items()):
            grid.addWidget(tile, 0, 2 * at)
            grid.setColumnStretch(2 * at, 1)
            if name in self.puts:
                put = self.puts[name]
                put.setAccessibleName(tr("Put this code aside as {name}", name=name))
                put.setToolTip(tr("Store the current code as {name}", name=name))
                put.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
                grid.addWidget(QLabel(SIGNS[at]), 0, 2 * at + 1)
                grid.addWidget(put, 1, 2 * at)
                put.clicked.connect(partial(self._put, name))
            tile.clicked.connect(partial(self._click, name))
        result = QLabel(RESULT)
        result.setProperty("small", True)
        result.setAlignment(Qt.AlignmentFlag.AlignCenter)
        grid.addWidget(result, 1, 6)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addLayout(grid)
        column.addWidget(self.words)
        column.addStretch(1)

    @staticmethod
    def wants(document: Document, description: Description | None) -> dict[str, Request]:
        """Request the picture of each code while the panel is in view."""
        space = latent_code.space_of(description)
        if "arithmetic" not in document.view.inside or space is None:
            return {}
        asked = {f"arithmetic.{name}": code for name, code in codes_of(document, space).items()}
        made = {
            slot: request_plan.about("decode", document, description, extra={"code": text})
            for slot, text in asked.items()
        }
        return {slot: request for slot, request in made.items() if request is not None}

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show which codes are stored."""
        self._space = latent_code.space_of(description)
        self._codes = codes_of(document, self._space) if self._space is not None else {}
        for name, tile in self.tiles.items():
            there = name in self._codes
            if not there:
                self._pictures.pop(name, None)
            empty = (
                tr("Store the current code here as {name}", name=name) if name in SLOTS else tr("Fill A, B and C first")
            )
            tile.setToolTip(tr("Go to {name}", name=name) if there else empty)
            tile.setAccessibleName(tile.toolTip())
            tile.setEnabled(there or name in SLOTS)
            tile.setText("" if name in self._pictures else name if name in SLOTS else "")
            tile.setIcon(_icon(self._pictures[name]) if name in self._pictures else QIcon())
        text = self._codes.get(RESULT)
        code = self._parsed(text) if text else None
        hint = latent_code.typical(code, self._space) if code is not None and self._space is not None else HINT
        self.words.setText(hint)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the picture of a code."""
        name = slot.removeprefix(f"{self.id}.")
        if name != slot and name in self.tiles and request.settings.get("code") == self._codes.get(name):
            self._pictures[name] = result.arrays["picture"]
            self.tiles[name].setIcon(_icon(self._pictures[name]))
            self.tiles[name].setText("")

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why a code has no picture."""
        if not slot.startswith(f"{self.id}.") or failure.cancelled:
            return None
        self.words.setText(failure.text)
        return True

    def _parsed(self, text: str) -> Float | None:
        try:
            return self._space.parse(text)[0] if self._space is not None else None
        except Refusal:
            return None

    def _click(self, name: str) -> None:
        """Go to a stored code, or store the current code if the slot is empty."""
        if name not in self._codes:
            self._put(name)
            return
        document = self.store.document.with_latent(code=self._codes[name], at=-1)
        self.store.update(document, title=tr("Go to {name}", name=name))

    def _put(self, name: str) -> None:
        document = self.store.document
        aside = document.latent.put(name, self._text(document))
        self.store.update(document.with_latent(aside=aside), title=tr("Put aside as {name}", name=name))

    def _text(self, document: Document) -> str:
        """Return the current code as numbers instead of a seed, whose meaning depends on the truncation."""
        code = latent_code.code_of(document, self._space) if self._space is not None else None
        return document.latent.code if code is None else spaces.write(code)


def codes_of(document: Document, space: Space) -> dict[str, str]:
    """Return the stored codes by name, and the result if all three are stored."""
    found = {name: codes[0] for name in SLOTS if (codes := document.latent.codes(name))}
    if len(found) == len(SLOTS):
        try:
            a, b, c = (space.parse(found[name])[0] for name in SLOTS)
        except Refusal:
            return {}
        found[RESULT] = spaces.write(latent_directions.total(a, b, c, space))
    return found


def _tile() -> QToolButton:
    tile = QToolButton()
    tile.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    tile.setIconSize(QSize(SIDE_PX - 8, SIDE_PX - 8))
    tile.setFixedHeight(SIDE_PX)
    tile.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    tile.setMinimumWidth(SIDE_PX - 8)
    return tile


def _icon(pixels: Pixels) -> QIcon:
    room = QSize(SIDE_PX - 8, SIDE_PX - 8)
    kept, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return QIcon(QPixmap.fromImage(rgb(pixels).scaled(room, kept, smooth)))


PANEL = ArithmeticPanel
