"""The Landmarks panel: the named points of the picture as a whole, with their places and scores."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout

from models.inspection import Description
from models.requests import Request
from viewer import theme
from viewer.canvas.layers import Heat, Layer, Skeletons
from viewer.panels.base import GAP, PaintingPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr

NOTHING_OPEN = tr("Open a picture: the points that the network finds are shown here.")
WAITING = tr("Waiting for the answer…")
NO_HEAT = tr("No heat map")


class LandmarkPanel(PaintingPanel):
    """The list of points; the one chosen shows its heat map, if the network has one."""

    id: ClassVar[str] = "landmarks"
    rank: ClassVar[int] = 4
    words_title: ClassVar[str] = tr("About the points")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.heat = QComboBox()
        self.heat.setAccessibleName(tr("Heat map of the landmark"))
        self.heat.activated.connect(self._choose_heat)
        self.points = QListWidget()
        self.points.setAccessibleName(tr("Points"))
        self.points.setUniformItemSizes(True)
        self.copy = QPushButton(tr("Copy the points"))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.summary)
        column.addWidget(self.heat)
        column.addWidget(self.points, 1)
        column.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignLeft)
        self._update_text()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the points of the current picture, or of the figure in the drawn region."""
        if description is None:
            return None
        offer, region = description.offers.get("landmarks"), document.region
        sought = region is not None and offer is not None and "region" not in offer.greyed
        extra = {"region": ",".join(f"{v:.1f}" for v in region)} if sought and region else {}
        return request_plan.ask("landmarks", document, description, extra=extra)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Say what to do without a picture."""
        self._update_text()

    def take(self) -> None:
        """List the points."""
        self.points.clear()
        result = self._result
        if result is None:
            self._update_text()
            return
        names = list(result.meta["point_names"])
        wanted = [NO_HEAT, *names] if "heat" in result.arrays else []
        if [self.heat.itemText(i) for i in range(self.heat.count())] != wanted:
            self.heat.clear()
            self.heat.addItems(wanted)
        for number, line in enumerate(self._lines()):
            self.points.addItem(QListWidgetItem(theme.swatch(theme.class_colour(number)), line.replace("\t", "   ")))
        self._update_text()

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
        names = {"texts": (tr("the object"),), "points": result.meta["point_names"]}
        return [*found, Skeletons("landmarks", points, faint, result.meta["limbs"], **names)]

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

    def _update_text(self) -> None:
        result = self._result
        self.heat.setVisible(result is not None and self.heat.count() > 0)
        self.copy.setEnabled(result is not None)
        if result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            return
        count, outside = len(result.arrays["points"]), int((~result.arrays["inside"]).sum())
        more = tr("; {outside:,} lie outside the picture", outside=outside) if outside else ""
        scores = tr(", with scores") if result.meta["scored"] else ""
        self.summary.setText(
            tr("{count:,} points in pixels of the picture{scores}{more}", count=count, scores=scores, more=more)
        )


PANEL = LandmarkPanel
