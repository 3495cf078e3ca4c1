"""The Top patches panel: where in the pictures of the data set a channel is largest, about its median, and lowest."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Result
from viewer.canvas.mosaic import tinted
from viewer.engine_texts import shown
from viewer.panels.base import GAP, SearchPanel
from viewer.presenters.feature_maps import ACTIVATIONS
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import given
from viewer.translation import tr
from viewer.widgets.charts.histogram import ValueHistogram
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.number_entry import Entry
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.pictures.channel_view import choice, fill_choice, set_choice

INSPECTION = "patches"
THROUGH = "neuron_conductance"  # its map follows the channel that is chosen
COLUMNS = 3
GRID_PX = 240
MOST_CHANNELS = 65535
AUTOMATIC = tr("Automatic")
INVITATION = tr(
    "What does a channel respond to? Open a data set: the places where each channel is largest are found in one pass "
    "for all layers."
)
POINT = tr("Point at a patch to read its value; a double click opens the picture.")
SHOWN = (
    (tr("Largest values"), "top"),
    (tr("Around the median"), "median"),
    (tr("Lowest values"), "low"),
)


class PatchesPanel(SearchPanel):
    """The data set, the layer and channel, the patches, the pictures they are from, and the channel's values."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the patches")
    waiting: ClassVar[str] = tr("Looking at the pictures of the data set… Escape stops it.")
    elsewhere: ClassVar[tuple[str, ...]] = ("layer", "channel", "show")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.set_row = FolderRow(tr("Data set"), empty=tr("None open"), help_text=tr("The pictures that are looked at"))
        self.set_row.wanted.connect(lambda: self.command_wanted.emit("open-data-set"))
        self.layer = choice(tr("Layer of the patches"), [(AUTOMATIC, "")], help=tr("The layer of the activations"))
        self.layer.setMinimumContentsLength(8)
        self.layer.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.layer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.layer.activated.connect(self._choose_layer)
        self.channel = Entry(low=-1, high=MOST_CHANNELS, step=1, lowest=AUTOMATIC)
        self.channel.setAccessibleName(tr("Channel of the patches"))
        self.channel.setToolTip(tr("The channel chosen in the activations; by itself that with the largest value"))
        self.channel.editingFinished.connect(self._choose_channel)
        self.which = choice(tr("Which patches"), SHOWN, help=tr("The largest alone mislead: look at the others too"))
        self.which.activated.connect(lambda: self._set("show", self.which.currentData()))
        self.grid = self._grid(tr("Patches"))
        self.pictures = self._grid(tr("Pictures of the patches"))
        self.frames = WrappedLabel(tr("Frames"), small=True)
        self.frames.setText(tr("Where they are: orange is the patch, white all that the channel can see from there."))
        self.readout = WrappedLabel(tr("Patch under the pointer"), small=True)
        self.open_button = QPushButton(tr("Open this picture"))
        self.open_button.clicked.connect(self._open)
        self.histogram_title = WrappedLabel(text=tr("Its largest value in each picture"))
        self.histogram = ValueHistogram(tr("Largest value of the channel in each picture"))
        self.notes = WrappedLabel(tr("What to know about the patches"), small=True)
        chosen = QWidget()
        line = QHBoxLayout(chosen)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(GAP)
        line.addWidget(self.layer, 1)
        line.addWidget(self.channel)
        self.links = self._links()
        parts = (self.grid, self.readout, self.open_button, self.frames, self.pictures)
        self.arrange((self.which, self.links, *parts, self.histogram_title, self.histogram, self.notes, self.settings))
        inside = self.words.parentWidget()
        layout = inside.layout() if inside is not None else None
        assert layout is not None
        layout.insertWidget(0, self.set_row)  # type: ignore[attr-defined]
        layout.insertWidget(1, chosen)  # type: ignore[attr-defined]

    def _links(self) -> QWidget:
        """Return the buttons that lead to the same channel in other panels."""
        self.to_activations, self.to_filters = QPushButton(tr("Activations")), QPushButton(tr("Filters"))
        self.to_activations.setToolTip(tr("This channel in the open picture"))
        self.to_filters.setToolTip(tr("The weights that this channel is computed with, where its layer has kernels"))
        self.to_activations.clicked.connect(lambda: self._show_elsewhere("activations"))
        self.to_filters.clicked.connect(lambda: self._show_elsewhere("filters"))
        links = QWidget()
        both = QHBoxLayout(links)
        both.setContentsMargins(0, 0, 0, 0)
        both.setSpacing(GAP)
        both.addWidget(self.to_activations)
        both.addWidget(self.to_filters)
        return links

    def _grid(self, name: str) -> ChannelGrid:
        grid = ChannelGrid(name)
        grid.setMinimumHeight(GRID_PX)
        grid.describe = self._line
        grid.path_of = lambda row: str(self._entries()[row]["path"]) if row < len(self._entries()) else ""
        grid.hovered.connect(self._point)
        grid.picked.connect(self._pick)
        grid.opened.connect(self._open)
        return grid

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the patches of the chosen channel while the panel is in view and a data set is open."""
        if INSPECTION not in document.view.inside or document.data_set is None:
            return None
        offer = description.offers.get(INSPECTION) if description else None
        if offer is None or offer.reason:
            return None
        values: dict[str, Value] = {**given(document, INSPECTION, description)}
        chosen = document.values(ACTIVATIONS).get("chosen", -1)
        values["channel"] = int(chosen) if isinstance(chosen, int | float) else -1
        if document.layer:
            values["layer"] = document.layer
        return Request.make(INSPECTION, document.model, document.data_set, values)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the data set, the layer and the channel, and whether the patches belong to them."""
        super().refresh(document, description)
        self.set_row.show_path(document.data_set.path if document.data_set is not None else "")
        set_choice(self.layer, document.layer)
        wanted = document.values(ACTIVATIONS).get("chosen", -1)
        if not self.channel.hasFocus():
            self.channel.setValue(float(wanted) if isinstance(wanted, int | float) else -1.0)
        set_choice(self.which, str(document.values(INSPECTION).get("show", "top")))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the patches."""
        if slot != self.id:
            return
        for grid, name in ((self.grid, "pictures"), (self.pictures, "whole")):
            pictures = result.arrays[name]
            if len(pictures):
                grid.show_tiles(tinted(pictures), np.arange(len(pictures)), columns=COLUMNS)
            else:
                grid.clear()
        if len(result.arrays["values"]):
            self.histogram.show_values(result.arrays["values"])
        if result.meta["layers"]:
            self._list_layers(result)
        self.readout.setText(POINT)
        super().show_result(slot, request, result)

    def invitation(self) -> str:
        """Return what to choose."""
        return INVITATION

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the patches, disabled unless they answer the present request."""
        any_found = result is not None and len(result.arrays["pictures"]) > 0
        for part in (self.grid, self.readout, self.open_button, self.pictures, self.frames):
            part.setVisible(any_found)
        counted = result is not None and len(result.arrays["values"]) > 0
        for part in (self.which, self.links, self.histogram, self.histogram_title):
            part.setVisible(counted)
        self.grid.setEnabled(fresh)
        self.pictures.setEnabled(fresh)
        notes = [shown(str(note)) for note in result.meta["notes"]] if result is not None else []
        self.notes.setVisible(bool(notes))
        self.notes.setText("\n".join(notes))

    def _entries(self) -> list[dict[str, Any]]:
        """Return what is known of the patches that are shown."""
        if self._answer is None:
            return []
        meta = self._answer[1].meta
        return [entry for entry in meta["patches"] if entry["end"] == meta["shown"]]

    def _line(self, row: int) -> str:
        entries = self._entries()
        if not 0 <= row < len(entries):
            return ""
        found = entries[row]
        name = found["path"].replace("\\", "/").rpartition("/")[2]
        parts = [tr("{rank}. {name}: {value:.4g}", rank=found["rank"], name=name, value=found["value"])]
        parts.append(tr("row {row}, column {column} of the layer", row=found["row"], column=found["column"]))
        if found["label"]:
            parts.append(tr("label {label}", label=found["label"]))
        if found["prediction"]:
            parts.append(tr("taken for {prediction}", prediction=found["prediction"]))
        return ", ".join(parts)

    def _point(self, place: tuple[int, float, float] | None) -> None:
        self.readout.setText((self._line(place[0]) if place is not None else "") or POINT)

    def _pick(self, row: int) -> None:
        for grid in (self.grid, self.pictures):
            grid.choose(row)
        self.readout.setText(self._line(row) or POINT)

    def _open(self) -> None:
        entries = self._entries()
        row = max(self.grid.chosen, 0)
        if row < len(entries):
            self.open_wanted.emit(entries[row]["path"])

    def _list_layers(self, result: Result) -> None:
        layer = result.meta.get("layer", "")
        automatic = tr("Automatic ({layer})", layer=layer) if layer else AUTOMATIC
        wanted = self.store.document.layer
        entries = [(AUTOMATIC if wanted else automatic, ""), *((name, name) for name in result.meta["layers"])]
        fill_choice(self.layer, entries)
        set_choice(self.layer, wanted)

    def _choose_layer(self) -> None:
        document = self.store.document.explaining(layer=str(self.layer.currentData()))
        document = document.with_value(ACTIVATIONS, chosen=None).with_value(THROUGH, channel=None)
        self.store.update(document.with_view(unit=None), title=tr("Layer"))

    def _show_elsewhere(self, panel: str) -> None:
        """Show the channel of these patches in the panel of the activations or the filters."""
        if self._answer is None:
            return
        layer, channel = str(self._answer[1].meta["layer"]), int(self._answer[1].meta["channel"])
        document = self.store.document
        if panel == "filters":
            document = document.with_value(panel, layer=layer, channel=channel)
        else:
            document = document.explaining(layer=layer).with_value(ACTIVATIONS, chosen=channel)
            document = document.with_value(THROUGH, channel=channel)
        self.store.update(document, title=tr("Channel of the patches"))
        self.command_wanted.emit(f"show-{panel}")

    def _choose_channel(self) -> None:
        channel = int(self.channel.value())
        now = self.store.document.values(ACTIVATIONS).get("chosen", -1)
        if channel == now:
            return
        wanted = channel if channel >= 0 else None
        document = self.store.document.with_value(ACTIVATIONS, chosen=wanted).with_value(THROUGH, channel=wanted)
        self.store.update(document, title=tr("Channel of the patches"), merge="activations.chosen")


PANEL = PatchesPanel
