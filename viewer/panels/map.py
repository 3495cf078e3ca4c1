"""The Data set map panel: the pictures of the data set in the plane, watched while they find their places."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Int, Pixels, Result, Source
from viewer.engine_texts import shown
from viewer.panels.base import GAP, SearchPanel
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import given
from viewer.translation import tr, trn
from viewer.widgets.charts import point_colours
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.charts.point_map import PointMap
from viewer.widgets.controls.fields import CheckRow
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_view import choice, fill_choice, set_choice

INSPECTION = "map"
CONTROLS_PX = 288
MOST_IN_STRIP = 500
INVITATION = tr(
    "Which pictures does the model take for alike? Open a data set: every picture becomes a point, and what is alike "
    "lies together."
)
POINT = tr("Point at a dot to read which picture it is; a click opens it.")
NONE = np.zeros(0, np.int64)


class MapPanel(SearchPanel):
    """Settings and what is selected at the left, the map at the right, and under it how far it can be trusted.

    `rows_wanted` emits the rows of the data set that are selected, none for all; `strip_wanted` paths for the film
    strip.
    """

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the map")
    waiting: ClassVar[str] = tr("Looking at the pictures of the data set… Escape stops it.")
    elsewhere: ClassVar[tuple[str, ...]] = ("layer", "method", "stop", "picture")
    shares_titles: ClassVar[bool] = True

    rows_wanted = Signal(object)
    strip_wanted = Signal(object)
    thumbnail_wanted = Signal(object)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.set_row = FolderRow(tr("Data set"), empty=tr("None open"), help_text=tr("The pictures that are placed"))
        self.set_row.wanted.connect(lambda: self.command_wanted.emit("open-data-set"))
        self.map = PointMap(tr("Data set map"))
        self.map.line, self.map.path_of = self._line, self._path
        self.method = choice(tr("Method of the map"), (), help=tr("How the pictures find their places"))
        self.method.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.method.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.colour = choice(tr("Colour of the points"), (), help=tr("By what the points are coloured"))
        self.colour.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.colour.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.bar = ColourBar()
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setProperty("small", True)
        self.legend.setAccessibleName(tr("Legend of the map"))
        self.pictures = CheckRow(
            tr("Thumbnails"), value=False, help=tr("Show pictures where there is room for them"), key="pictures"
        )
        self.stop = QPushButton(tr("Stop here"))
        self.stop.setCheckable(True)
        self.stop.setToolTip(tr("Leave the layout as it is now; press again to go on"))
        self.lasso = QPushButton(tr("Lasso"))
        self.lasso.setCheckable(True)
        self.lasso.setToolTip(tr("Draw around points to select their pictures"))
        self.in_view = QPushButton(tr("Select those in view"))
        self.nothing = QPushButton(tr("Select none"))
        self.strip = QPushButton(tr("Into the film strip"))
        self.chosen = WrappedLabel(tr("Selected pictures"))
        self.trust = WrappedLabel(tr("How far the map can be trusted"), small=True)
        self._digest = ""
        self._lay_out()
        self.pictures.changed.connect(lambda _, on, __: self.map.set_pictures(bool(on)))
        self.method.activated.connect(lambda _: self._set("method", self.method.currentData()))
        self.colour.activated.connect(lambda _: self._colour())
        self.stop.clicked.connect(lambda on: self._set("stop", True if on else None))
        self.lasso.toggled.connect(self._take_lasso)
        self.in_view.clicked.connect(lambda: self._select(self.map.in_view()))
        self.nothing.clicked.connect(lambda: self._select(NONE))
        self.strip.clicked.connect(self._fill_strip)
        self.map.lassoed.connect(self._select)
        self.map.picked.connect(self._open)
        self.map.thumbnail_wanted.connect(self._ask_thumbnail)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the map while the panel is in view and a data set is open."""
        if INSPECTION not in document.view.inside or document.data_set is None:
            return None
        offer = description.offers.get(INSPECTION) if description else None
        if offer is None or offer.reason:
            return None
        values: dict[str, Value] = {**given(document, INSPECTION, description)}
        if document.layer:
            values["layer"] = document.layer
        if document.file is not None and document.file.frame < 0:
            values["picture"] = document.file.path
        return Request.make(INSPECTION, document.model, document.data_set, values)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the data set and settings."""
        super().refresh(document, description)
        self.set_row.show_path(document.data_set.path if document.data_set is not None else "")
        offer = description.offers.get(INSPECTION) if description else None
        if offer is not None and not offer.reason:
            known = next(p for p in offer.parameters if p.name == "method")
            entries = [(shown(title), value) for title, value in zip(known.titles, known.choices, strict=True)]
            fill_choice(self.method, entries)
            set_choice(self.method, str(document.values(INSPECTION).get("method", known.default)))
        self.stop.setChecked(bool(document.values(INSPECTION).get("stop")))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the points where they are now."""
        if slot != self.id or request.source != self.store.document.data_set:
            return
        arrays, meta = result.arrays, result.meta
        digest = f"{meta['digest']} {len(arrays['rows'])}"
        if digest != self._digest:
            self._digest = digest
            self.map.forget_thumbnails()
            self._select(NONE)
        super().show_result(slot, request, result)
        kept = self.colour.currentData()
        fill_choice(self.colour, point_colours.choices(result))
        if kept is not None:
            set_choice(self.colour, kept)
        self._colour()
        here = arrays["here"]
        self.map.set_here((float(here[0]), float(here[1])) if len(here) else None)

    def invitation(self) -> str:
        """Return what to choose."""
        return INVITATION

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show map and controls once there are points."""
        there = result is not None and len(result.arrays["rows"]) > 0 and self.store.document.data_set is not None
        for part in (self.colour, self.pictures, self.lasso, self.in_view, self.map, self.trust):
            part.setVisible(there)
        picked = there and len(self.map.selected) > 0
        for part in (self.nothing, self.strip):
            part.setVisible(picked)
        moving = result is not None and result.meta["wanted"] != "pca"
        running = moving and result is not None and result.meta["iteration"] < result.meta["iterations"]
        self.stop.setVisible(there and (running or self.stop.isChecked()))
        self.legend.setVisible(there and bool(self.legend.text()))
        if not there:
            self.bar.hide()
        self.chosen.setText(self._selected_words() if there else "")
        if result is not None:
            notes = [shown(str(note)) for note in result.meta["notes"]]
            self.trust.setText("\n".join(notes))
            self.trust.setVisible(there and bool(notes))

    def set_thumbnail(self, source: Source, pixels: Pixels | None) -> None:
        """Take a thumbnail."""
        if self._answer is None:
            return
        point = self.map.waited_for
        if 0 <= point < len(self._answer[1].meta["paths"]) and self._answer[1].meta["paths"][point] == source.path:
            self.map.set_thumbnail(point, pixels)

    def forget(self) -> None:
        """Keep the map: it is not about the open picture."""

    def _lay_out(self) -> None:
        controls = QWidget()
        column = QVBoxLayout(controls)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.set_row)
        chosen = QGridLayout()
        chosen.setColumnStretch(1, 1)
        for row, (title, box) in enumerate(((tr("Method"), self.method), (tr("Colour"), self.colour))):
            chosen.addWidget(QLabel(title), row, 0)
            chosen.addWidget(box, row, 1)
        column.addLayout(chosen)
        column.addWidget(self.words)
        column.addWidget(self.stop)
        for part in (self.bar, self.legend, self.settings, self.pictures, self.lasso, self.in_view, self.chosen):
            column.addWidget(part)
        for part in (self.strip, self.nothing):
            column.addWidget(part)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setAccessibleName(tr("Controls of the map"))
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFixedWidth(CONTROLS_PX)
        scroll.setWidget(controls)
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, GAP, 0)
        right.addWidget(self.map, 1)
        right.addWidget(self.trust)
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        across.addWidget(scroll)
        across.addLayout(right, 1)

    def _colour(self) -> None:
        """Colour the points by what is chosen, and show the legend."""
        if self._answer is None:
            return
        result = self._answer[1]
        found = point_colours.coloured(result, str(self.colour.currentData() or ""))
        axes = None
        if result.meta["method"] == "pca" and len(result.arrays["shares"]):
            shares = [*result.arrays["shares"].tolist(), 0.0]
            names = (tr("First component, {share:.1%} of the variance"), tr("Second component, {share:.1%}"))
            first, second = (name.format(share=share) for name, share in zip(names, shares, strict=False))
            axes = first, second
        self.map.show_points(result.arrays["places"], found.colours, axes=axes)
        self.bar.setVisible(found.ends is not None)
        if found.ends is not None:
            self.bar.set_range(*found.ends, colour_map="viridis")
        parts = [f'<span style="color:{colour.name()}">●</span>&nbsp;{_plain(name)}' for name, colour in found.names]
        if found.further:
            parts.append(trn("and {n:,} more", "and {n:,} more", found.further))
        self.legend.setText("  ".join(parts))
        self.legend.setVisible(bool(parts))

    def _line(self, point: int) -> str:
        if self._answer is None or point >= len(self._answer[1].meta["paths"]):
            return ""
        arrays, meta = self._answer[1].arrays, self._answer[1].meta
        parts = [meta["paths"][point].replace("\\", "/").rpartition("/")[2]]
        label, prediction = int(arrays["label"][point]), int(arrays["prediction"][point])
        if label >= 0:
            parts.append(tr("label {label}", label=meta["set_classes"][label]))
        if 0 <= prediction < len(meta["classes"]):
            sure = float(arrays["confidence"][point])
            parts.append(tr("taken for {name}, {sure:.0%}", name=meta["classes"][prediction], sure=sure))
        if arrays["kept"][point] >= 0:
            parts.append(tr("keeps {share:.0%} of its neighbours", share=float(arrays["kept"][point])))
        return ", ".join(parts)

    def _take_lasso(self, on: bool) -> None:
        self.map.lasso = on
        self.map.viewport().setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)

    def _select(self, points: Int) -> None:
        self.map.select(points)
        rows = self._answer[1].arrays["rows"][points] if self._answer is not None and len(points) else NONE
        self.rows_wanted.emit(rows)
        self._show()

    def _selected_words(self) -> str:
        count = len(self.map.selected)
        if not count:
            return POINT
        return trn(
            "{n:,} picture selected, which the data set's panel now lists alone.",
            "{n:,} pictures selected, which the data set's panel now lists alone.",
            count,
        )

    def _fill_strip(self) -> None:
        if self._answer is not None:
            paths = self._answer[1].meta["paths"]
            self.strip_wanted.emit([paths[point] for point in self.map.selected[:MOST_IN_STRIP].tolist()])

    def _path(self, point: int) -> str:
        paths = self._answer[1].meta["paths"] if self._answer is not None else []
        return str(paths[point]) if point < len(paths) else ""

    def _open(self, point: int) -> None:
        if path := self._path(point):
            self.open_wanted.emit(path)

    def _ask_thumbnail(self, point: int) -> None:
        if path := self._path(point):
            self.thumbnail_wanted.emit(Source.file(path))


def _plain(text: str) -> str:
    """Return a class name as it may stand in the legend's markup, never longer than a line."""
    from html import escape

    return escape(text if len(text) <= 24 else f"{text[:23]}…").replace(" ", "&nbsp;")


PANEL = MapPanel
