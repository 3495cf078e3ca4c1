"""The Growth panel: a progressive GAN from its first level to its last, through every fade-in, and its critic."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.mosaic import tinted
from viewer.engine_texts import shown
from viewer.panels.base import GAP, Panel
from viewer.presenters import growth
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_view import Tile
from viewer.widgets.pictures.picture_choice import PictureChoice
from viewer.widgets.tables.fact_card import Card

INSPECTION = "growth"
POSITION = Parameter(
    "position",
    tr("Grown"),
    "float",
    2.5,
    low=0.0,
    high=3.0,
    step=0.05,
    help=tr("A whole number is a complete level; between two, the next one is faded in."),
)
COLUMNS, TILE_PX = 3, 84
WAITING = tr("Waiting for the answer…")


class GrowthPanel(Panel):
    """The slider, the branches at that stage, the complete levels, and the critic."""

    id: ClassVar[str] = INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words = WrappedLabel(tr("Stage of growth"))
        self.words.setText(WAITING)
        self.place, self._last = QVBoxLayout(), POSITION.high
        self.form = self._form(POSITION)
        self.board = QWidget()
        self._grid = QGridLayout(self.board)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GAP // 2)
        self.tiles: dict[str, tuple[Tile, QLabel]] = {}
        self.levels_title = WrappedLabel(tr("Complete levels"))
        self.levels_title.setText(tr("Complete levels"))
        self.levels = PictureChoice(tr("Complete levels"))
        self.levels.picked.connect(lambda at: self._grow(float(at), final=True))
        self.facts = Card(tr("Critic and steps"))
        self._result: Result | None = None
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        self._parts = (self.board, self.levels_title, self.levels, self.facts)
        column.addLayout(self.place)
        column.addWidget(self.words)
        for part in self._parts:
            part.hide()
            column.addWidget(part)
        column.addStretch(1)
        self.fill(inside, tr("Growth"))

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the stage while the panel is in view."""
        truncation = document.values("decode").get("truncation", 0.0)
        extra = {"code": document.latent.code, "truncation": truncation}
        return request_plan.in_view(request_plan.about, INSPECTION, document, description, extra=extra)

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show how far it has grown."""
        self.form.set_values({"position": document.values(INSPECTION).get("position", POSITION.default)})

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the stage."""
        if slot != self.id:
            return
        self._result = result
        last = float(len(result.meta["sides"]) - 1)
        if self._last != last:
            self._last = last
            self.form.hide()
            self.form.deleteLater()
            self.form = self._form(replace(POSITION, high=last, default=min(2.5, last)))
            self.refresh(self.store.document, None)
        self.words.setText(shown(str(result.meta["text"])))
        for part in self._parts:
            part.show()
        self._show_branches(result)
        self.levels.show_choices(growth.film(result))
        self.facts.set_facts(growth.facts(result))

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show the reason in the panel; keep the last stage."""
        if slot != self.id or failure.cancelled:
            return None
        self.words.setText(failure.text)
        return True

    def _show_branches(self, result: Result) -> None:
        parts = growth.branches(result)
        for part in parts:
            if part.name not in self.tiles:
                self.tiles[part.name] = tile, label = Tile(part.caption, side_px=TILE_PX), WrappedLabel(small=True)
                label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            tile, label = self.tiles[part.name]
            tile.show_tile(tinted(part.pixels[None]), 0)
            tile.setToolTip(shown(part.told))
            tile.setAccessibleName(part.caption)
            tile.setAccessibleDescription(shown(part.told))
            label.setText(part.caption)
        names = [part.name for part in parts]
        for at, name in enumerate(names):
            row, column = divmod(at, COLUMNS)
            for below, widget in enumerate(self.tiles[name]):
                self._grid.removeWidget(widget)
                self._grid.addWidget(widget, 2 * row + below, column)
        for name, pair in self.tiles.items():
            for widget in pair:
                widget.setVisible(name in names)

    def _form(self, parameter: Parameter) -> Form:
        form = Form((parameter,))
        form.reset.hide()
        form.changed.connect(lambda name, value: self._grow(float(value), final=False))
        form.committed.connect(lambda name, value: self._grow(float(value), final=True))
        self.place.addWidget(form)
        return form

    def _grow(self, position: float, *, final: bool) -> None:
        value = None if position == POSITION.default else position
        document = self.store.document.with_value(INSPECTION, position=value)
        self.store.update(document, title=tr("Grown"), merge=f"{INSPECTION} position")
        if final:
            self.store.settle()


PANEL = GrowthPanel
