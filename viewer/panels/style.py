"""The Style panel: a picture made of one picture's content and another's style, its losses and Gram matrices."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.canvas.layers import Layer, Overlay
from viewer.canvas.mosaic import Atlas, positive, signed, tinted
from viewer.panels.base import GAP, SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.check_picker import Picker
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.pictures.channel_view import Tile
from viewer.widgets.tables.fact_card import Card

INSPECTION = "style"
NAME = "style"
SIDE_PX, FILM_PX, GRAMS_PX = 216, 116, 84
WEIGHTS = ("content_weight", "style_weight", "variation")
LAYERS = ("content_layers", "style_layers")
INVITATION = tr("Put the style of one picture on another, by the layers of this model. Open a picture to begin.")
NO_STYLE = tr("Choose a picture whose style is put on the open one: a painting, a fabric, a texture.")
MATRICES = (tr("style"), tr("content"), tr("picture"), tr("picture less style"))
KINDS = {"content": tr("content"), "style": tr("style"), "variation": tr("total variation")}
OVER = "over"


class StylePanel(SearchPanel):
    """The picture so far, the steps to it, the weights, what each layer costs, and the Gram matrices of one layer.

    Weights that are changed while the picture is made act from the next step on, and are written down with that step;
    changed later, the picture is made again.
    """

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -7
    settings_title: ClassVar[str] = tr("Settings of the descent")
    waiting: ClassVar[str] = tr("The layers of both pictures are computed… Escape stops it.")
    folders: ClassVar[tuple[str, ...]] = ("style",)
    elsewhere: ClassVar[tuple[str, ...]] = (*WEIGHTS, *LAYERS, "layer_weights")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "style": FolderRow(
                tr("Style"), empty=tr("none chosen"), help_text=tr("The picture whose style is taken"), clears=True
            )
        }
        self.picture = Tile(tr("Picture with the style"), side_px=SIDE_PX)
        self.over = QCheckBox(tr("Over the picture"))
        self.over.setToolTip(tr("Paint what was made over the open picture"))
        self.over.setChecked(True)
        self.export = QPushButton(tr("Export…"))
        self.export.setToolTip(tr("The picture and the film of its steps, with their recipe"))
        self.export.setAutoDefault(False)
        self.export.clicked.connect(lambda: self.command_wanted.emit("export-style"))
        self.over.toggled.connect(self._remember)
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(self.over)
        head.addStretch(1)
        head.addWidget(self.export)
        self.film = ChannelGrid(tr("Steps of the picture"))
        self.film.setFixedHeight(FILM_PX)
        self.film.describe = self._step_line
        self.film.picked.connect(self._pick_step)
        self.film.hovered.connect(lambda place: self._tell(self._step_line(place[0]) if place else ""))
        self.readout = WrappedLabel(tr("Numbers of the step under the pointer"), small=True)
        self.weights: Form | None = None
        self.weights_place = QWidget()
        self.weights_column = QVBoxLayout(self.weights_place)
        self.weights_column.setContentsMargins(0, 0, 0, 0)
        self.weights_column.addWidget(WrappedLabel(text=tr("Weights: they act from the next step on")))
        self.losses = Card(tr("Share of each layer in the loss"))
        self.pickers = {
            "content_layers": Picker(tr("Content layers")),
            "style_layers": Picker(tr("Style layers")),
        }
        for name, picker in self.pickers.items():
            picker.picked.connect(lambda ids, name=name: self._set_layers(name, ids))
        self.layer = QComboBox()
        self.layer.setAccessibleName(tr("Layer of the Gram matrices"))
        self.layer.activated.connect(lambda _: self._show_grams())
        self.grams_title = WrappedLabel(text=tr("Gram matrices: which channels respond together"))
        self.grams = ChannelGrid(tr("Gram matrices"))
        self.grams.setFixedHeight(GRAMS_PX)
        self.grams.describe = lambda row: MATRICES[row] if 0 <= row < len(MATRICES) else ""
        self.grams.hovered.connect(lambda place: self._tell(self.grams.describe(place[0]) if place else ""))
        self._film_atlas: Atlas | None = None
        self._memory: dict[str, Any] = {}
        self._inside_parts = (
            self.picture, self.over, self.export, self.film, self.readout, self.weights_place, self.losses,
            *self.pickers.values(), self.grams_title, self.layer, self.grams,
        )  # fmt: skip
        self.arrange(
            (
                self.picture,
                _row(head),
                self.film,
                self.readout,
                self.weights_place,
                *self.pickers.values(),
                self.losses,
                self.grams_title,
                self.layer,
                self.grams,
                self.settings,
            ),
            command=INSPECTION,
        )

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the picture while the panel is in view and a style picture is chosen."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        if not document.values(INSPECTION).get("style"):
            return None
        return request_plan.ask(INSPECTION, document, description)

    def invitation(self) -> str:
        """Return what to do first."""
        return NO_STYLE if self.store.document.source is not None else INVITATION

    def recall(self, memory: dict[str, Any]) -> None:
        """Take whether the picture is painted over the open one."""
        self._memory = memory
        self.over.setChecked(bool(memory.get(OVER, True)))

    def layers(self, document: Document) -> list[Layer]:
        """Paint the picture that was made over the open one."""
        if self._answer is None or not self.over.isChecked() or INSPECTION not in document.view.inside:
            return []
        result = self._answer[1]
        x0, y0, x1, y1 = (float(v) for v in result.meta["extent"])
        return [Overlay(NAME, result.arrays["picture"], (x0, y0, x1, y1))]

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the picture so far."""
        super().show_result(slot, request, result)
        if slot != self.id:
            return
        self._film_atlas = tinted(result.arrays["film"])
        self.film.show_tiles(self._film_atlas, np.arange(len(self._film_atlas)))
        atlas = tinted(result.arrays["picture"][None])
        self.picture.show_tile(atlas, 0)
        self._tell("")
        self.layers_changed.emit()

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the picture, its losses and matrices."""
        for part in self._inside_parts:
            part.setVisible(result is not None)
        self.weights_place.setEnabled(True)
        if result is None:
            self.layers_changed.emit()
            return
        meta = result.meta
        self.export.setEnabled(not meta["partial"])
        self._show_weights(meta)
        facts = []
        for row in meta["terms"]:
            name = f"{row['layer']}, {KINDS[row['kind']]}" if row["layer"] else KINDS[row["kind"]]
            others = "; ".join(f"{k} {v:.3g}" for k, v in row["same_weight"].items() if k != meta["convention"])
            same = tr("; the same weight is {others}", others=others) if others else ""
            own = tr("{share:.1%}, weight {weight:.3g}", share=row["share"], weight=row["weight"])
            facts.append((name, own + same))
        self.losses.set_facts(facts)
        for name, picker in self.pickers.items():
            picker.offer([(one, one, "") for one in meta["usable"]], meta[name])
        now = self.layer.currentText()
        self.layer.clear()
        self.layer.addItems(list(meta["style_layers"]))
        self.layer.setCurrentIndex(max(0, self.layer.findText(now)))
        self._show_grams()

    def _show_weights(self, meta: Any) -> None:
        """Show a row for each weight; those of the layers are in a section."""
        names = {f"w{number}": name for number, name in enumerate(meta["style_layers"], 1)}
        if self.weights is None or set(self.weights.rows) != {*WEIGHTS, *names}:
            if self.weights is not None:
                self.weights.hide()
                self.weights.deleteLater()
            offered = [
                Parameter("content_weight", tr("Content"), "float", 1.0, high=100.0, step=0.1),
                Parameter("style_weight", tr("Style"), "float", 10.0, high=1000.0, step=1.0),
                Parameter("variation", tr("Smoothness"), "float", 0.0, high=1000.0, step=1.0),
                *(Parameter(k, name, "float", 1.0, high=10.0, step=0.1, help=name) for k, name in names.items()),
            ]
            self.weights = Form(offered, sections={tr("By layer"): list(names)})
            self.weights.reset.hide()
            self.weights.committed.connect(self._weigh)
            self.weights_column.addWidget(self.weights)
        self.weights.set_values(self._current(meta))

    def _current(self, meta: Any) -> dict[str, float]:
        """Return the weights that hold now: those of the request with its changes on the way."""
        values = self.store.document.values(INSPECTION)
        found = {"content_weight": 1.0, "style_weight": 10.0, "variation": 0.0}
        found |= {name: float(values[name]) for name in WEIGHTS if name in values}
        count = len(meta["style_layers"])
        own = [float(v) for v in str(values.get("layer_weights", "")).split(",") if v.strip()] or [1.0] * count
        found |= {f"w{number}": weight for number, weight in enumerate(own[:count], 1)}
        for part in str(values.get("changes", "")).split(";"):
            for word in part.split()[1:]:
                name, _, value = word.partition("=")
                found[name] = float(value)
        return found

    def _weigh(self, name: str, value: object) -> None:
        """Take a weight: from the next step on while the picture is made, else from the start."""
        if self._answer is None:
            return
        meta, document = self._answer[1].meta, self.store.document
        if meta["partial"] and self._answer[0] == self._wanted:
            before = str(document.values(INSPECTION).get("changes", ""))
            step = int(meta["step"])
            change = f"{step} {name}={value:g}"
            changes = f"{before}; {change}" if before else change
            document = document.with_value(INSPECTION, changes=changes)
        else:
            now = {**self._current(meta), name: float(str(value))}
            own = {each: now[each] for each in WEIGHTS}
            layers = ",".join(f"{now[f'w{number}']:g}" for number in range(1, len(meta["style_layers"]) + 1))
            document = document.with_value(INSPECTION, **own, layer_weights=layers, changes=None)
        self.store.update(document, title=tr("Weight of the style's loss"))

    def _set_layers(self, name: str, ids: tuple[str, ...]) -> None:
        document = self.store.document.with_value(
            INSPECTION, **{name: ",".join(ids) or None}, layer_weights=None, changes=None
        )
        self.store.update(document, title=tr("Layers of the loss"))

    def _show_grams(self) -> None:
        if self._answer is None:
            return
        arrays, at = self._answer[1].arrays, max(0, self.layer.currentIndex())
        if f"gram_wanted_{at}" not in arrays:
            return
        three = np.stack([arrays[f"gram_{kind}_{at}"] for kind in ("wanted", "content", "now")])
        # Energies differ by channel: roots of the magnitudes show the pattern of all of them.
        roots = np.sqrt(np.abs(three)) * np.sign(three)
        off = three[2] - three[0]
        shown = np.concatenate([roots, (np.sqrt(np.abs(off)) * np.sign(off))[None]])
        scale = max(float(np.abs(shown).max()), 1e-12)
        lowest = float(shown.min())
        make = positive if lowest >= 0 else signed
        lut = theme.heat_lut("sequential" if lowest >= 0 else "diverging")
        self.grams.show_tiles(make(shown.astype(np.float32), scale, lut), np.arange(4), columns=4)

    def _step_line(self, row: int) -> str:
        if self._answer is None:
            return ""
        arrays = self._answer[1].arrays
        if not 0 <= row < len(arrays["film_steps"]):
            return ""
        step = int(arrays["film_steps"][row])
        return tr("After {step} steps: loss {value:.4g}", step=step, value=float(arrays["losses"][step].sum()))

    def _pick_step(self, row: int) -> None:
        if self._film_atlas is not None and 0 <= row < len(self._film_atlas):
            self.picture.show_tile(self._film_atlas, row)
            self._tell(self._step_line(row))

    def _remember(self, on: bool) -> None:
        self._memory[OVER] = on
        self.layers_changed.emit()

    def _tell(self, text: str) -> None:
        self.readout.setText(text or tr("Point at a step to read its loss; click it to enlarge it."))


def _row(line: QHBoxLayout) -> QWidget:
    held = QWidget()
    line.setContentsMargins(0, 0, 0, 0)
    held.setLayout(line)
    return held


PANEL = StylePanel
