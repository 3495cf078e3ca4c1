"""The Filters panel: the kernels of a convolution side by side, one of them enlarged with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Failure, Result
from viewer import theme
from viewer.canvas.mosaic import Atlas
from viewer.panels.base import GAP, Panel
from viewer.presenters import feature_maps
from viewer.presenters.feature_maps import ACTIVATIONS
from viewer.presenters.heatmap import DIVERGING
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wants
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.pictures.channel_view import ChannelView, Tile, choice, copy_button, fill_choice, set_choice
from viewer.widgets.tables.fact_card import Card

INSPECTION = feature_maps.FILTERS
ONE = "filters.one"
THROUGH = "neuron_conductance"  # its map follows the channel that is chosen
FIRST = tr("First convolution")
MODES = (
    (tr("As fits"), "auto"),
    (tr("Colours"), "rgb"),
    (tr("Principal component"), "pca"),
    (tr("One input"), "planes"),
    (tr("Weight of each input"), "inputs"),
)
SORTS = ((tr("As they are"), "none"), (tr("Norm"), "norm"), (tr("Similarity"), "similarity"))
WAITING = tr("Waiting for the kernels…")
NONE_CHOSEN = tr("Click a filter to see it large, with its numbers.")


class _Detail(QWidget):
    """One kernel enlarged, its numbers, and its planes for all inputs."""

    def __init__(self, numbers: Callable[[], str], plane_line: Callable[[int], str]) -> None:
        super().__init__()
        self.card = Card(tr("Filter"))
        self.tile = Tile(tr("The chosen filter"), side_px=96)
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("Colours of the weights"))
        self.scale = QLabel()
        self.scale.setProperty("small", True)
        self.planes = ChannelGrid(tr("Planes of the chosen filter"))
        self.planes.setMinimumHeight(48)
        self.planes.describe = plane_line
        self.empty = QLabel(NONE_CHOSEN)
        self.empty.setWordWrap(True)
        self.copy = copy_button(tr("Copy the weights of the filter"), numbers)
        self.scale.setWordWrap(True)
        left, right = QVBoxLayout(), QVBoxLayout()
        for column in (left, right):
            column.setSpacing(GAP // 2)
        foot = QHBoxLayout()
        foot.addWidget(self.scale, 1)
        foot.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignTop)
        for part in (self.tile, self.bar):
            left.addWidget(part)
        left.addLayout(foot)
        left.addStretch(1)
        right.addWidget(self.empty)
        right.addWidget(self.card)
        right.addWidget(self.planes, 1)
        right.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, GAP // 2, 0)
        row.setSpacing(GAP)
        row.addLayout(left)
        row.addLayout(right, 1)

    def show_scale(self, result: Result) -> None:
        """Show the range of the layer's colour scale."""
        colours = result.arrays["tiles"].ndim == 4
        end = float(f"{result.meta['scale']:.3g}")
        self.bar.setVisible(not colours)
        self.bar.set_range(-end, end, colour_map=DIVERGING)
        self.scale.setText(
            tr("Grey is zero, full colour ±{end:g}", end=end) if colours else tr("One scale for the whole layer")
        )

    def show_filter(self, result: Result | None, atlas: Atlas | None, row: int) -> None:
        """Show the filter at `row`; -1 shows a hint."""
        there = result is not None and 0 <= row < len(result.arrays["tiles"])
        for part in (self.tile, self.card, self.copy):
            part.setVisible(there)
        self.empty.setVisible(not there)
        if result is not None and there:
            self.tile.show_tile(atlas, row)
            self.card.set_title(tr("Filter {row}", row=row))
            self.card.set_facts(feature_maps.filter_facts(result, row)[1:])

    def show_planes(self, one: Result | None) -> None:
        """Show the planes of the filter, or none."""
        deep = one is not None and one.meta["mode"] == "planes" and len(one.arrays["tiles"]) > 1
        self.planes.setVisible(deep)
        if one is not None and deep:
            self.planes.show_tiles(feature_maps.filter_atlas(one, theme.heat_lut), feature_maps.order_of(one, "none"))


class FilterPanel(Panel):
    """Controls for layer, display and order; the grid of kernels; the selected one with its numbers."""

    id: ClassVar[str] = INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.layer = choice(
            tr("Layer with kernels"), [(FIRST, "")], help=tr("Every layer of the network that has kernels")
        )
        self.layer.setMinimumContentsLength(16)
        self.mode = choice(
            tr("Show kernels as"), MODES, help=tr("Kernels over three inputs have colours; others have planes")
        )
        self.plane = QSpinBox()
        self.plane.setAccessibleName(tr("Input shown"))
        self.plane.setToolTip(tr("Which input's plane of each kernel is shown"))
        self.sort = choice(tr("Order of the filters"), SORTS)
        self.detail = _Detail(self._numbers, self._plane_line)
        self.view = ChannelView(tr("Filters"), self.detail)
        self.view.add_control(tr("Layer"), self.layer)
        self.view.add_control(tr("Show"), self.mode)
        self.view.add_wide(self.plane)
        self.view.add_control(tr("Order"), self.sort)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.view)
        self.grid = self.view.grid
        self.grid.describe, self.grid.offers = self._line, self._offers
        self.grid.picked.connect(self._pick)
        self.layer.activated.connect(lambda: self._set(tr("Layer of the filters"), layer=self.layer.currentData()))
        self.mode.activated.connect(lambda: self._set(tr("Kernels as"), mode=self.mode.currentData()))
        self.sort.activated.connect(lambda: self._set(tr("Order of the filters"), sort=self.sort.currentData()))
        self.plane.valueChanged.connect(lambda value: self._set(tr("Input shown"), plane=value))
        self._result: Result | None = None
        self._atlas: Atlas | None = None
        self._model = ""
        self._one: Result | None = None
        theme.changes().connect(self._show)
        self._show_filter()

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return the slots of the layer's kernels and of all planes of the selected filter."""
        return [(cls.id, cls.wants), (ONE, cls.wants_one)]

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the kernels while the panel is in view. Sorting is done in the grid."""
        if description is None or INSPECTION not in document.view.inside:
            return None
        return _ask(document, description, {"channel": -1, "sort": "none"})

    @staticmethod
    def wants_one(document: Document, description: Description | None) -> Request | None:
        """Request all planes of the selected filter."""
        channel = int(document.values(INSPECTION).get("channel", -1))
        if description is None or channel < 0 or INSPECTION not in document.view.inside:
            return None
        return _ask(document, description, {"mode": "auto", "plane": 0, "sort": "none"})

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the current settings, or why there is nothing to show."""
        values = document.values(INSPECTION)
        reason = self.lacking(description) if description else ""
        there = self._result is not None and self._model == document.model
        about = (document.model, document.source)
        self.view.show_state(about, reason=reason, there=there, waiting=WAITING)
        set_choice(self.layer, values.get("layer", ""))
        set_choice(self.mode, values.get("mode", "auto"))
        set_choice(self.sort, values.get("sort", "none"))
        self.plane.setVisible(values.get("mode") == "planes")
        self.plane.blockSignals(True)
        self.plane.setValue(int(values.get("plane", 0)))
        self.plane.blockSignals(False)
        if there and not reason:
            self._order()
            self.grid.choose(int(values.get("channel", -1)))
            self._show_filter()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the kernels, or the planes of one."""
        if slot == ONE:
            self._one = result
        elif slot == self.id:
            self._result, self._model = result, request.model
            layers = [(f"{one['id']}  {_shape(one['shape'])}", one["id"]) for one in result.meta["layers"]]
            fill_choice(self.layer, [(FIRST, ""), *layers])
            self.plane.blockSignals(True)
            self.plane.setMaximum(result.meta["shape"][1] - 1)
            self.plane.blockSignals(False)
            self._show()
            self.refresh(self.store.document, None)
        if slot in (self.id, ONE):
            self._show_filter()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show why there are no kernels; keep the previous ones."""
        document = self.store.document
        if slot == self.id and not failure.cancelled:
            self.view.fail((document.model, document.source), failure.text)
            self.refresh(document, None)

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def _show(self) -> None:
        """Paint the grid again."""
        if self._result is None:
            return
        self._atlas = feature_maps.filter_atlas(self._result, theme.heat_lut)
        self._order()
        self.view.summary.setText(feature_maps.filter_summary(self._result))
        self.detail.show_scale(self._result)

    def _order(self) -> None:
        if self._result is None or self._atlas is None:
            return
        arrays = self._result.arrays
        sort = str(self.store.document.values(INSPECTION).get("sort", "none"))
        order = feature_maps.order_of(self._result, sort)
        self.grid.show_tiles(self._atlas, order, quiet=arrays["dead"], marked=arrays["duplicate"])

    def _show_filter(self) -> None:
        """Show the selected filter enlarged, with its numbers and planes."""
        self.detail.show_filter(self._result, self._atlas, self.grid.chosen)
        one, result = self._one, self._result
        mine = one is not None and result is not None and self.grid.chosen >= 0
        if one is not None and result is not None and mine:
            mine = (one.meta["channel"], one.meta["layer"]) == (self.grid.chosen, result.meta["layer"])
        self.detail.show_planes(one if mine else None)

    def _offers(self, row: int) -> list[tuple[str, Callable[[], object]]]:
        """Return where else a filter's channel can be seen: in the pictures of the data set, and in this picture."""

        def elsewhere(command: str) -> None:
            if self._result is None:
                return
            document = self.store.document.explaining(layer=str(self._result.meta["layer"]))
            document = document.with_value(ACTIVATIONS, chosen=row).with_value(THROUGH, channel=row)
            self.store.update(document.with_view(unit=None), title=tr("Channel of a filter"))
            self.command_wanted.emit(command)

        return [
            (tr("Top patches"), lambda: elsewhere("show-patches")),
            (tr("Activations"), lambda: elsewhere("show-activations")),
        ]

    def _pick(self, channel: int) -> None:
        title = tr("Filter {channel}", channel=channel) if channel >= 0 else tr("No filter")
        self._set(title, channel=None if channel < 0 else channel)

    def _set(self, title: str, **changed: object) -> None:
        changed = {name: None if value in ("", "auto", "none") else value for name, value in changed.items()}
        if "layer" in changed:
            changed["channel"] = None
        document = self.store.document.with_value(INSPECTION, **changed)  # type: ignore[arg-type]
        self.store.update(document, title=title, merge="filters.channel" if "channel" in changed else "")

    def _line(self, row: int) -> str:
        return feature_maps.filter_line(self._result, row) if self._result is not None else ""

    def _plane_line(self, row: int) -> str:
        if self._one is None or row >= len(self._one.arrays["tiles"]):
            return ""
        plane, share = self._one.arrays["tiles"][row], self._one.arrays["share"][row]
        return tr(
            "Input {row}: {plane:+.3g} to {plane_2:+.3g}, {share:.1f} % of the filter",
            row=row,
            plane=plane.min(),
            plane_2=plane.max(),
            share=100 * share,
        )

    def _numbers(self) -> str:
        if self._result is None or self.grid.chosen < 0:
            return ""
        return feature_maps.numbers_text(self._result.arrays["tiles"][self.grid.chosen])


def _ask(document: Document, description: Description, extra: Mapping[str, Value]) -> Request | None:
    """Return a request for kernels, on the current picture if there is one that stands still."""
    if document.source is None or document.source.moving:
        return request_plan.about(INSPECTION, document, description, extra=extra)
    return request_plan.ask(INSPECTION, document, description, extra=extra)


def _shape(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} × {shape[1]} × {shape[2]} × {shape[3]}"


PANEL = FilterPanel
