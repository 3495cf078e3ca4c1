"""The Landmarks panel: the named points of the picture as a whole, with their places and scores."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer import theme
from viewer.canvas.layers import Heat, Layer, Skeletons
from viewer.panels.base import GAP, Panel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.pictures.map_readout import plain_label

NOTHING_OPEN = "Open a picture: here are then the points that the network finds in it."
WAITING = "Waiting for the answer…"
NO_HEAT = "No heat map"


class LandmarkPanel(Panel):
    """The list of points; the one chosen shows its heat map, if the network has one."""

    id: ClassVar[str] = "landmarks"
    rank: ClassVar[int] = 4

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.summary = plain_label("About the points")
        self.heat = QComboBox()
        self.heat.setAccessibleName("Heat map of the landmark")
        self.heat.activated.connect(self._choose_heat)
        self.points = QListWidget()
        self.points.setAccessibleName("Points")
        self.points.setUniformItemSizes(True)
        self.copy = QPushButton("Copy the points")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.summary)
        column.addWidget(self.heat)
        column.addWidget(self.points, 1)
        column.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignLeft)
        self._result: Result | None = None
        self._tell()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the points of the current picture."""
        return None if description is None else request_plan.ask("landmarks", document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Say what to do without a picture."""
        self._tell()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List the points."""
        if slot != self.id:
            return
        self._result = result
        names = list(result.meta["point_names"])
        wanted = [NO_HEAT, *names] if "heat" in result.arrays else []
        if [self.heat.itemText(i) for i in range(self.heat.count())] != wanted:
            self.heat.clear()
            self.heat.addItems(wanted)
        self.points.clear()
        for number, line in enumerate(self._lines()):
            self.points.addItem(QListWidgetItem(theme.swatch(theme.class_colour(number)), line.replace("\t", "   ")))
        self._tell()
        self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show that there are no points; keep the previous ones."""
        if slot == self.id and self._result is None:
            self.summary.setText("Cancelled. F5 asks again." if failure.cancelled else failure.text)

    def forget(self) -> None:
        """Drop the points of the previous picture."""
        self._result = None
        self.points.clear()
        self._tell()

    def layers(self, document: Document) -> list[Layer]:
        """Paint the heat map of the chosen point, and the points, each in its colour."""
        result = self._result
        if result is None:
            return []
        found: list[Layer] = []
        number = self.heat.currentIndex() - 1
        if number >= 0 and "heat" in result.arrays:
            values = result.arrays["heat"][number]
            x0, y0, x1, y1 = (float(v) for v in result.meta["extent"])
            low, high = float(values.min()), float(values.max())
            found.append(Heat("landmark heat", values, (x0, y0, x1, y1), low, max(high, low + 1e-9), opacity=0.7))
        points = result.arrays["points"][None, :, :2].astype(np.float32)
        faint = ~result.arrays["inside"][None]
        return [*found, Skeletons("landmarks", points, faint, result.meta["limbs"])]

    @property
    def text(self) -> str:
        """Return the points as tab-separated text, "" for none."""
        return "".join(f"{line}\n" for line in self._lines())

    def _choose_heat(self) -> None:
        self.layers_changed.emit()

    def _lines(self) -> list[str]:
        if self._result is None:
            return []
        meta, scored = self._result.meta, bool(self._result.meta["scored"])
        lines = []
        for name, (x, y, score) in zip(meta["point_names"], self._result.arrays["points"].tolist(), strict=True):
            lines.append(f"{name}\t{x:.1f}, {y:.1f}" + (f"\t{score:.3f}" if scored else ""))
        return lines

    def _tell(self) -> None:
        result = self._result
        self.heat.setVisible(result is not None and self.heat.count() > 0)
        self.copy.setEnabled(result is not None)
        if result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            return
        count, outside = len(result.arrays["points"]), int((~result.arrays["inside"]).sum())
        more = f"; {outside:,} lie outside of the picture" if outside else ""
        scores = ", with scores" if result.meta["scored"] else ""
        self.summary.setText(f"{count:,} points in pixels of the picture{scores}{more}")


PANEL = LandmarkPanel
