"""The Cycle panel: a picture there and back again by two networks, and whether the way back reads a hidden message."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from models import model_name
from models.cards import card as cards
from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.canvas.mosaic import tinted
from viewer.engine_texts import shown
from viewer.panels.base import GAP, SearchPanel
from viewer.presenters import cycle
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.noise_curve import NoiseCurve
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_view import Tile
from viewer.widgets.tables.fact_card import Card

INSPECTION = "cycle"
TASK = "picture to picture"
COLUMNS, TILE_PX, CURVE_PX = 3, 84, 172
OVER = "over"
INVITATION = tr("Lead a picture there and back again, and see what the way back rests on. Open a picture to begin.")
NO_WAY_BACK = tr("This model has no way back of its own: choose the model that leads back.")


class CyclePanel(SearchPanel):
    """The board of pictures, their errors, the terms of the loss, and the steganography test of the way back."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -6
    settings_title: ClassVar[str] = tr("Settings of the test")
    waiting: ClassVar[str] = tr("The picture goes there and back again… Escape stops it.")
    folders: ClassVar[tuple[str, ...]] = ("other",)
    elsewhere: ClassVar[tuple[str, ...]] = ("back",)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "other": FolderRow(
                tr("World B"),
                empty=tr("none chosen"),
                help_text=tr("A picture of the kind that is made, for the cycle from there"),
                clears=True,
            )
        }
        self.back = _box(tr("Way back"))
        self.back.activated.connect(lambda _: self._set("back", self.back.currentData() or None))
        self.second = QPushButton(tr("Choose a second model…"))
        self.second.setToolTip(tr("The network that leads back"))
        self.second.setAutoDefault(False)
        self.second.clicked.connect(lambda: self.command_wanted.emit("beside-file"))
        self.verdict = WrappedLabel(tr("Verdict"))
        font = self.verdict.font()
        font.setBold(True)
        self.verdict.setFont(font)
        self.over = _box(tr("Over the picture"))
        self.over.activated.connect(lambda _: self._remember())
        self.export = QPushButton(tr("Export…"))
        self.export.setToolTip(tr("The board as PNG and all numbers as JSON, with their recipe"))
        self.export.setAutoDefault(False)
        self.export.clicked.connect(lambda: self.command_wanted.emit("export-cycle"))
        self.tiles: dict[str, tuple[Tile, QLabel]] = {}
        self.board = QWidget()
        self._grid = QGridLayout(self.board)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GAP // 2)
        self.errors, self.losses = Card(tr("Errors")), Card(tr("Terms of the loss on this picture"))
        self.curve_title = WrappedLabel(text=tr("Error of the way back over noise on B"))
        self.curve = NoiseCurve(tr("Steganography test"))
        self.curve.setFixedHeight(CURVE_PX)
        self.disturbed = Card(tr("Other disturbances of B"))
        self._memory: dict[str, Any] = {}
        back, over = _line(QLabel(tr("Way back")), self.back), _line(QLabel(tr("Over the picture")), self.over)
        self._inside_parts = (
            self.verdict, self.board, over, self.errors, self.losses, self.curve_title, self.curve, self.disturbed,
            self.export,
        )  # fmt: skip
        self._back_line = back
        self.arrange((back, self.second, *self._inside_parts, self.settings), command=INSPECTION)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the board while the panel is in view and there is a way back."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        back = way_back(document, description)
        if back is None:
            return None
        return request_plan.ask(INSPECTION, document, description, extra={"back": back} if back else None)

    def invitation(self) -> str:
        """Return what to do first."""
        return NO_WAY_BACK if self.store.document.source is not None else INVITATION

    def recall(self, memory: dict[str, Any]) -> None:
        """Take which picture is painted over the open one."""
        self._memory = memory

    def refresh(self, document: Document, description: Description | None) -> None:
        """Offer the ways back."""
        super().refresh(document, description)
        ways = ways_back(document, description)
        self.back.clear()
        for value, title in ways.items():
            self.back.addItem(title, value)
        now = str(document.values(INSPECTION).get("back") or "")
        self.back.setCurrentIndex(max(0, self.back.findData(now)))
        self.back.setToolTip(self.back.currentText())
        own = description is not None and _own(description)
        self.second.setVisible(not own and not document.beside)

    def layers(self, document: Document) -> list[Layer]:
        """Paint the chosen picture of the board over the open one."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return []
        return cycle.layers(self._answer[1], str(self._memory.get(OVER, "")))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the board."""
        super().show_result(slot, request, result)
        if slot == self.id:
            self.layers_changed.emit()

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the board, the numbers and the curve."""
        for part in self._inside_parts:
            part.setVisible(result is not None)
        if result is None:
            return
        self.verdict.setText(cycle.VERDICTS[str(result.meta["curve"])])
        self.verdict.setAccessibleDescription(shown(str(result.meta["text"])))
        self.curve.set_faded(not fresh)
        self._show_board(cycle.board(result))
        self.errors.set_facts(cycle.facts(result))
        self.losses.set_facts(cycle.losses(result))
        self.disturbed.set_facts(cycle.disturbed(result))
        self.curve.set_curve(*cycle.noise(result))

    def _show_board(self, parts: list[cycle.Part]) -> None:
        chosen = str(self._memory.get(OVER, ""))
        self.over.clear()
        self.over.addItem(tr("Nothing"), "")
        for part in parts:
            if part.name not in self.tiles:
                self.tiles[part.name] = tile, label = Tile(part.caption, side_px=TILE_PX), WrappedLabel(small=True)
                label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            tile, label = self.tiles[part.name]
            tile.show_tile(tinted(part.pixels[None]), 0)
            tile.setToolTip(part.told)
            tile.setAccessibleDescription(part.told)
            label.setText(part.caption)
            if part.name not in cycle.OTHER:
                self.over.addItem(part.caption, part.name)
        names = [part.name for part in parts]
        self._place(names)
        for name, pair in self.tiles.items():
            for widget in pair:
                widget.setVisible(name in names)
        self.over.setCurrentIndex(max(0, self.over.findData(chosen)))

    def _place(self, names: list[str]) -> None:
        """Put the tiles into the grid in their order: which ones there are depends on the models."""
        for at, name in enumerate(names):
            row, column = divmod(at, COLUMNS)
            for below, widget in enumerate(self.tiles[name]):
                self._grid.removeWidget(widget)
                self._grid.addWidget(widget, 2 * row + below, column)

    def _remember(self) -> None:
        self._memory[OVER] = str(self.over.currentData() or "")
        self.layers_changed.emit()


def way_back(document: Document, description: Description) -> str | None:
    """Return the model that is asked to lead back, "" for the network's own way, None where there is none."""
    chosen = str(document.values(INSPECTION).get("back") or "")
    if chosen or _own(description):
        return chosen
    return document.beside or None


def ways_back(document: Document, description: Description | None) -> dict[str, str]:
    """Return the ways back to offer, as titles by value: "" is taken where none was chosen."""
    own = description is not None and _own(description)
    found: dict[str, str] = {}
    if own:
        direction = model_name.split(own)[1].get("direction", own)
        found[""] = tr("Its own: {title}", title=shown(direction))
    elif document.beside:
        found[""] = tr("The second model: {title}", title=model_name.title(document.beside))
    else:
        found[""] = tr("None of its own")
    if own and document.beside:
        found[document.beside] = tr("The second model: {title}", title=model_name.title(document.beside))
    base = model_name.split(document.model)[0]
    for name in cards.bundled():
        if name != base and cards.task(name) == TASK:
            found.setdefault(name, name)
    chosen = str(document.values(INSPECTION).get("back") or "")
    if chosen:
        found.setdefault(chosen, model_name.title(chosen))
    return found


def _own(description: Description) -> str:
    """Return the name of the network's own way back, "" for none."""
    offer = description.offers.get(INSPECTION)
    return str(offer.defaults.get("back", "")) if offer is not None else ""


def _box(name: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box


def _line(label: QLabel, box: QComboBox) -> QWidget:
    held = QWidget()
    line = QHBoxLayout(held)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(GAP)
    label.setBuddy(box)
    line.addWidget(label)
    line.addWidget(box, 1)
    return held


PANEL = CyclePanel
