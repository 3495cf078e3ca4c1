"""The Activations panel: all channels of a layer, one of them over the picture, and each unit's receptive field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from models.inspection import Description
from models.latent import silenced_units
from models.requests import Request
from models.types import Failure, Result
from viewer import theme
from viewer.canvas.layers import Heat, Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import feature_maps
from viewer.session import request_plan
from viewer.session.document import Document, Look
from viewer.session.history import Store
from viewer.session.request_plan import Wants
from viewer.translation import tr
from viewer.widgets.charts.channel_image import ChannelWindow
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.charts.histogram import ValueHistogram
from viewer.widgets.pictures.channel_view import (
    ChannelView,
    choice,
    copy_button,
    fill_choice,
    set_choice,
)
from viewer.widgets.tables.fact_card import Card

INSPECTION = feature_maps.ACTIVATIONS
UNIT, LAYERS = "activations.unit", "activations.layers"
THROUGH = "neuron_conductance"  # the map of what reaches the score by way of the clicked channel
UNITS, EFFECT = "units", tr("Effect on the picture")
AUTOMATIC = tr("Automatic")
SORTS = (
    (tr("As they are"), "none"),
    (tr("Mean"), "mean"),
    (tr("Largest value"), "max"),
    (tr("Class relevance"), "relevance"),
)
SCALES = ((tr("Each its own"), feature_maps.OWN), (tr("One for all"), feature_maps.SHARED))
HOVER_MS = 80
NO_UNIT = tr("Click a channel to lay it over the picture, and to silence it.")
NO_PICTURE = tr("Open a picture to see what each channel answers to it.")
WAITING = tr("Waiting for the activations…")
NONE_CHOSEN = tr("Click a channel to lay it over the picture. Point at a place in it to see what that unit sees.")


class ActivationPanel(Panel):
    """Controls for layer, order and scale; the grid of channels; the selected channel's numbers and histogram."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -6

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._generates = False
        self.silence = QPushButton(tr("Silence this unit"))
        self.silence.setCheckable(True)
        self.silence.setToolTip(tr("Set the channel to zero, and see the picture without it"))
        self.restore = QPushButton(tr("Restore all"))
        self.layer = choice(
            tr("Layer of the activations"),
            [(AUTOMATIC, "")],
            help=tr("Every call with channels; the layer of the maps as well"),
        )
        self.layer.setMinimumContentsLength(16)
        self.sort = choice(
            tr("Order of the channels"), SORTS, help=tr("Class relevance is the mean of gradient × activation")
        )
        self.scale = choice(
            tr("Scale of the channels"), SCALES, help=tr("Each channel on its own scale, or all on one")
        )
        self.card = Card(tr("Channel"))
        self.histogram = ValueHistogram(tr("Values of the channel"))
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("Colours of the channel over the picture"))
        self.copy = copy_button(tr("Copy the numbers of the channel"), self._numbers)
        self.enlarge = QPushButton(tr("Enlarge…"))
        self.enlarge.setToolTip(tr("Open the channel in a window of its own; a double click on it does so too"))
        self.enlarge.clicked.connect(self._open)
        self._window: ChannelWindow | None = None
        self.empty = QLabel(NONE_CHOSEN)
        self.empty.setWordWrap(True)
        self.view = ChannelView(tr("Activations"), self._side())
        self.view.add_control(tr("Layer"), self.layer)
        self.view.add_control(tr("Order"), self.sort)
        self.view.add_control(tr("Scale"), self.scale)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.view)
        self.grid = self.view.grid
        self._connect()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(HOVER_MS)
        self._timer.timeout.connect(self._point)
        self._under: tuple[int, int, int] | None = None
        self._result: Result | None = None
        self._field: Result | None = None
        self._painted = -1
        self._about: tuple[object, ...] = ()
        self._atlas_of: tuple[object, ...] = ()
        self._drawn: tuple[object, ...] = ()
        self._overlay: Layer | None = None
        theme.changes().connect(self._show)
        self._show_channel()

    def _connect(self) -> None:
        self.grid.describe = self._line
        self.grid.picked.connect(self._pick)
        self.grid.opened.connect(self._open)
        self.grid.hovered.connect(self._hover)
        self.grid.offers, self.grid.export = self._offers, "export-activations"
        self.layer.activated.connect(self._choose_layer)
        self.sort.activated.connect(lambda: self._set(tr("Order of the channels"), sort=self.sort.currentData()))
        self.silence.clicked.connect(self._silence)
        self.restore.clicked.connect(lambda: self._unused_check(""))
        self.scale.activated.connect(lambda: self._set(tr("Scale of the channels"), scale=self.scale.currentData()))

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return the slots of the channels, the list of layers, and the receptive field under the pointer."""
        return [(cls.id, cls.wants), (LAYERS, cls.wants_layers), (UNIT, cls.wants_unit)]

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the channels while the panel is in view. Sorting is done in the grid, except by relevance."""
        if INSPECTION not in document.view.inside:
            return None
        if generates(description):
            sort = "relevance" if document.values(INSPECTION).get("sort") == "relevance" else "none"
            extra = {"code": document.latent.code, "layer": document.layer, "sort": sort}
            return request_plan.about(UNITS, document, description, extra=extra)
        return request_plan.explain(INSPECTION, document, description, extra={"sort": "none"})

    @staticmethod
    def wants_layers(document: Document, description: Description | None) -> Request | None:
        """Request the list of layers to choose from."""
        return request_plan.explain("layers", document, description) if INSPECTION in document.view.inside else None

    @staticmethod
    def wants_unit(document: Document, description: Description | None) -> Request | None:
        """Request the receptive field of the unit under the pointer."""
        if document.view.unit is None or INSPECTION not in document.view.inside:
            return None
        channel, row, column = document.view.unit
        extra = {"channel": channel, "row": row, "column": column}
        return request_plan.explain("receptive", document, description, extra=extra)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the current settings, or why there is nothing to show."""
        values: dict[str, Any] = document.values(INSPECTION)
        reason = self.lacking(description) if description else ""
        if description is not None and self._generates != generates(description):
            self._generates = generates(description)
            self.sort.setItemText(self.sort.findData("relevance"), EFFECT if self._generates else SORTS[-1][0])
            self.empty.setText(NO_UNIT if self._generates else NONE_CHOSEN)
        if document.source is None and not self._generates:
            reason = reason or NO_PICTURE
        about = self._now(document)
        there = self._result is not None and self._about == about
        muted = str(document.values("decode").get("silent", ""))
        self.restore.setVisible(self._generates)
        self.restore.setEnabled(bool(muted))
        self.view.show_state(about, reason=reason, there=there, waiting=WAITING)
        set_choice(self.layer, document.layer)
        set_choice(self.sort, values.get("sort", "none"))
        set_choice(self.scale, values.get("scale", feature_maps.OWN))
        chosen = int(values.get("chosen", -1))
        if there and not reason:
            self._draw()
            self.grid.choose(chosen)
            self._show_channel()
        if chosen != self._painted:
            self._painted = chosen
            self.layers_changed.emit()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the channels, the list of layers, or a receptive field."""
        if slot == self.id:
            self._result = result
            self._about = (request.model, request.source)
            if "measure" in result.meta:
                self._list_layers(result.meta["calls"], result.meta["layer"])
            self._show()
            self.refresh(self.store.document, None)
            self.layers_changed.emit()
        elif slot == LAYERS:
            calls = [c for c in result.meta["calls"] if c["map"] or _vector(c)]
            self._list_layers(calls, result.meta["automatic"])
        elif slot == UNIT:
            self._field = result
            if self._pointed(self.store.document):
                self.view.tell(feature_maps.field_text(result))
                self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show why there are no activations; keep the previous ones."""
        document = self.store.document
        if slot == self.id and not failure.cancelled:
            self.view.fail(self._now(document), failure.text)
            self.refresh(document, None)

    def forget(self) -> None:
        """Drop the activations of the previous picture or model."""
        self._result = self._field = self._overlay = None
        self._about, self._drawn = (), ()
        self.grid.clear()
        self.view.tell("")

    def layers(self, document: Document) -> list[Layer]:
        """Paint the selected channel, and the receptive field of the unit under the pointer."""
        if INSPECTION not in document.view.inside or self._about != self._now(document):
            return []
        assert self._result is not None
        chosen = int(document.values(INSPECTION).get("chosen", -1))
        wanted = (chosen, document.look, id(self._result))
        if self._drawn != wanted:
            self._overlay, self._drawn = feature_maps.activation_layer(self._result, chosen, document.look), wanted
        layers = [] if self._overlay is None else [self._overlay]
        if self._field is not None and self._pointed(document):
            layers += feature_maps.field_layers(self._field)
        return layers

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self._timer.stop()
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def _side(self) -> QWidget:
        """Return the widget with the numbers of the selected channel."""
        side = QWidget()
        row = QHBoxLayout(side)
        row.setContentsMargins(0, 0, GAP // 2, 0)
        row.setSpacing(GAP)
        column = QVBoxLayout()
        column.setSpacing(GAP // 2)
        for part in (self.histogram, self.bar, self.enlarge, self.silence, self.restore):
            column.addWidget(part)
        column.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignRight)
        column.addStretch(1)
        row.addWidget(self.empty, 1, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.card)
        row.addLayout(column, 1)
        return side

    def _offers(self, row: int) -> list[tuple[str, Callable[[], object]]]:
        """Return what can be done with a channel beside showing it."""

        def explain() -> None:
            self.grid.picked.emit(row)
            document = self.store.document.explaining(method=THROUGH)
            self.store.update(document, title=tr("Explain by way of a channel"))
            self.command_wanted.emit("show-attribution")

        def enlarge() -> None:
            self.grid.choose(row)
            self.grid.picked.emit(row)
            self._open()

        def patches() -> None:
            if row != self.grid.chosen:
                self.grid.choose(row)
                self.grid.picked.emit(row)
            self.command_wanted.emit("show-patches")

        found: list[tuple[str, Callable[[], object]]] = [(tr("Enlarge…"), enlarge)]
        if not self._generates:
            found += [(tr("Explain this"), explain), (tr("Top patches"), patches)]
        return found

    def _pointed(self, document: Document) -> bool:
        """Return whether the stored receptive field belongs to the unit under the pointer."""
        meta = self._field.meta if self._field is not None else {}
        return document.view.unit == (meta.get("channel"), meta.get("row"), meta.get("column"))

    def _show(self) -> None:
        """Render and paint the tiles again."""
        self._atlas_of = ()
        if self._result is not None:
            self.view.summary.setText(feature_maps.activation_summary(self._result))
            self._draw()
            self._show_channel()

    def _draw(self) -> None:
        assert self._result is not None
        values = self.store.document.values(INSPECTION)
        scale, sort = str(values.get("scale", feature_maps.OWN)), str(values.get("sort", "none"))
        muted = self.store.document.values("decode").get("silent", "")
        if self._atlas_of == (scale, sort, id(self._result), muted):
            return
        self._atlas_of = (scale, sort, id(self._result), muted)
        atlas = feature_maps.activation_atlas(self._result, theme.heat_lut, scale=scale)
        order = feature_maps.order_of(self._result, sort)
        muted = self._muted()
        marked = np.isin(np.arange(len(atlas)), muted.get(self._result.meta["layer"], ()))
        self.grid.show_tiles(atlas, order, quiet=self._result.arrays["dead"], marked=marked)

    def _show_channel(self) -> None:
        """Show the numbers of the selected channel."""
        result, row = self._result, self.grid.chosen
        there = result is not None and 0 <= row < len(result.arrays["maps"])
        for part in (self.card, self.histogram, self.bar, self.enlarge, self.copy):
            part.setVisible(there)
        self.empty.setVisible(not there)
        self.silence.setVisible(there and self._generates)
        if result is None or not there:
            return
        self.silence.setChecked(row in self._muted().get(result.meta["layer"], ()))
        self.card.set_title(tr("Channel {row}", row=row))
        self.card.set_facts(feature_maps.activation_facts(result, row)[1:])
        heat = feature_maps.activation_layer(result, row, self.store.document.look)
        self.histogram.setVisible(heat is not None)
        self.bar.setVisible(heat is not None)
        self.enlarge.setVisible(heat is not None)
        if self._window is not None and self._window.isVisible():
            self._show_large()
        if isinstance(heat, Heat):
            self.histogram.show_values(result.arrays["maps"][row].ravel())
            self.bar.set_range(float(f"{heat.low:.3g}"), float(f"{heat.high:.3g}"), colour_map=heat.colour_map)

    def _open(self) -> None:
        """Show the selected channel in a window of its own, which follows the selection from then on."""
        if self._window is None:
            self._window = ChannelWindow(self)
        self._show_large()
        self._window.show()
        self._window.raise_()

    def _show_large(self) -> None:
        result, row = self._result, self.grid.chosen
        look = Look(colours=self.store.document.look.colours)
        heat = feature_maps.activation_layer(result, row, look) if result is not None and row >= 0 else None
        if self._window is not None and result is not None and isinstance(heat, Heat):
            title, values = (
                tr("Channel {row} of {layer}", row=row, layer=result.meta["layer"]),
                result.arrays["maps"][row],
            )
            self._window.show_channel(title, values, low=heat.low, high=heat.high, colours=heat.colour_map)

    def _hover(self, place: tuple[int, float, float] | None) -> None:
        """Request the receptive field of the unit under the pointer, once the pointer rests."""
        grid = self._result.meta["grid"] if self._result is not None else (0, 0)
        self._under = None
        if place is not None and grid[0]:
            channel, x, y = place
            self._under = channel, min(int(y * grid[0]), grid[0] - 1), min(int(x * grid[1]), grid[1] - 1)
        if self._under is None:
            self._timer.stop()
            self._point()
        elif self._under != self.store.document.view.unit:
            self._timer.start()

    def _point(self) -> None:
        self.store.update(self.store.document.with_view(unit=self._under))
        self.layers_changed.emit()

    def _choose_layer(self) -> None:
        document = self.store.document.explaining(layer=str(self.layer.currentData()))
        document = document.with_value(INSPECTION, chosen=None).with_value(THROUGH, channel=None).with_view(unit=None)
        self.store.update(document, title=tr("Layer"))

    def _pick(self, channel: int) -> None:
        title = (
            tr("Channel {channel} over the picture", channel=channel)
            if channel >= 0
            else tr("No channel over the picture")
        )
        self._set(title, chosen=None if channel < 0 else channel)

    def _set(self, title: str, **changed: object) -> None:
        changed = {name: None if value in ("none", feature_maps.OWN) else value for name, value in changed.items()}
        document = self.store.document.with_value(INSPECTION, **changed)  # type: ignore[arg-type]
        if "chosen" in changed:
            document = document.with_value(THROUGH, channel=changed["chosen"])  # type: ignore[arg-type]
        self.store.update(document, title=title, merge="activations.chosen" if "chosen" in changed else "")

    def _now(self, document: Document) -> tuple[object, object]:
        """Return what activations depend on: model and picture, or for a generator the model alone."""
        return document.model, None if self._generates else document.source

    def _list_layers(self, calls: Sequence[dict[str, Any]], automatic: str) -> None:
        auto = (f"{AUTOMATIC} ({automatic})" if not self.store.document.layer else AUTOMATIC, "")
        fill_choice(self.layer, [auto, *((f"{c['id']}  {_shape(c)}", c["id"]) for c in calls)])
        set_choice(self.layer, self.store.document.layer)

    def _muted(self) -> dict[str, tuple[int, ...]]:
        """Return the silenced units of the generator, by layer."""
        return silenced_units.parse(str(self.store.document.values("decode").get("silent", "")))

    def _silence(self) -> None:
        if self._result is None or self.grid.chosen < 0:
            return
        layer, muted = str(self._result.meta["layer"]), self._muted()
        muted[layer] = tuple(sorted({*muted.get(layer, ())} ^ {self.grid.chosen}))
        self._unused_check(silenced_units.write(muted))

    def _unused_check(self, text: str) -> None:
        document = self.store.document.with_value("decode", silent=text or None)
        self.store.update(document, title=tr("Silence units") if text else tr("Restore all units"))

    def _line(self, row: int) -> str:
        there = self._result is not None and row < len(self._result.arrays["maps"])
        return feature_maps.activation_line(self._result, row) if self._result is not None and there else ""

    def _numbers(self) -> str:
        if self._result is None or self.grid.chosen < 0:
            return ""
        return feature_maps.facts_text(feature_maps.activation_facts(self._result, self.grid.chosen))


def generates(description: Description | None) -> bool:
    """Return whether a model generates pictures, so that its activations depend on a latent code."""
    return description is not None and "Generates" in description.capabilities


def _vector(call: dict[str, Any]) -> bool:
    return call["layout"] == "vector" and call["shape"][0] == 1


def _shape(call: dict[str, Any]) -> str:
    grid = call["grid"]
    return f"{call['channels']} × {grid[0]} × {grid[1]}" if call["map"] else f"{call['channels']}"


PANEL = ActivationPanel
