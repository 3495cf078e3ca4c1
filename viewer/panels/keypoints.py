"""The Key points panel: how the key points of the shown detections are painted, and the heat map of one of them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Heat, Layer
from viewer.panels.base import GAP, PaintingPanel, view_form
from viewer.presenters import instances
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import row_of
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar

INSPECTION = "keypoints"
SCORE_HELP = tr(
    "A point's score is its height in its heat map, not a probability: 0 is about even, confident ones are above 5."
)
ROWS = (
    Parameter(
        "points", tr("Key points"), "bool", True, help=tr("Draw the points of each shown detection and their limbs.")
    ),
    Parameter("point_score", tr("Point score"), "float", 0.0, low=-20.0, high=40.0, step=0.5, help=SCORE_HELP),
    Parameter(
        "faint_points", tr("Faint points"), "bool", True, help=tr("Draw the points with a lower score too, faded.")
    ),
)
NO_HEAT = tr("None")
NONE_SELECTED = tr("Select a box to read its key points.")


class KeyPointPanel(PaintingPanel):
    """Switches of the skeleton layer, a heat map for the selected box, and its points in numbers."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = 5
    words_title: ClassVar[str] = tr("About the key points")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.form = view_form(store, ROWS)
        self.heat = QComboBox()
        self.heat.setAccessibleName(tr("Heat map of"))
        self.heat.setToolTip(tr("The map in which a point of the selected box was found"))
        self.heat.addItem(NO_HEAT, -1)
        self.heat.activated.connect(self._choose_heat)
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("Colours of the heat map"))
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setAccessibleName(tr("About the selected key points"))
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        choice = QFormLayout()
        choice.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        choice.addRow(tr("Heat map of"), self.heat)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.summary)
        column.addWidget(self.form)
        column.addLayout(choice)
        column.addWidget(self.bar)
        column.addWidget(self.text)
        column.addStretch(1)
        self.fill(inside, tr("Key point settings"))
        self._shown: np.ndarray | None = None

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the key points of the shown detections, and the selected one's heat maps if one is to be shown."""
        view = document.view
        if description is None or not (view.points or view.heat_point >= 0):
            return None
        extra = {"heat_of": document.selected} if view.heat_point >= 0 and document.selected >= 0 else None
        return request_plan.ask(INSPECTION, document, description, settings="detect", extra=extra)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the switches, or why there is nothing to switch."""
        reason = self.lacking(description) if description else ""
        self.form.set_values({p.name: getattr(document.view, p.name) for p in ROWS})
        usable = "" if document.view.points else tr("Key points are off.")
        self.form.set_applicable({"point_score": usable, "faint_points": usable})
        self._update_text(document, reason)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the key points, and which detections are shown; key points of others are not painted."""
        if slot == "detect":
            self._shown = result.arrays["ids"]
        super().show_result(slot, request, result)

    def take(self) -> None:
        """List the points."""
        if self._result is not None:
            self._list_points(self._result.meta["point_names"])
        self._update_text(self.store.document, "")

    def forget(self) -> None:
        """Drop the key points of the previous picture."""
        self._shown = None
        super().forget()

    def layers(self, document: Document) -> list[Layer]:
        """Paint the heat map, then the skeletons."""
        result, view = self._result, document.view
        if result is None or not self.is_of(document):
            return []
        heat = self._heat(document)
        layers: list[Layer] = [heat] if heat is not None else []
        if view.points:
            ids = result.arrays["ids"]
            rows = np.flatnonzero(np.isin(ids, ids if self._shown is None else self._shown))
            layers.append(instances.skeleton_layer(result, rows, score=view.point_score, faint=view.faint_points))
        return layers

    def _heat(self, document: Document) -> Heat | None:
        if self._result is None or row_of(self._result, document.selected) < 0:
            return None
        return instances.heat_layer(self._result, document.view.heat_point, of=document.selected)

    def _list_points(self, names: tuple[str, ...]) -> None:
        wanted = [NO_HEAT, *names]
        if [self.heat.itemText(i) for i in range(self.heat.count())] != wanted:
            self.heat.clear()
            for number, name in enumerate(wanted, -1):
                self.heat.addItem(name, number)

    def _update_text(self, document: Document, reason: str) -> None:
        self.heat.setCurrentIndex(max(0, self.heat.findData(document.view.heat_point)))
        heat = None if reason else self._heat(document)
        self.bar.setVisible(heat is not None)
        if heat is not None:
            self.bar.set_range(round(heat.low, 2), round(heat.high, 2), colour_map=heat.colour_map)
        result = self._result
        row = -1 if result is None else row_of(result, document.selected)
        count = (
            ""
            if result is None
            else tr(
                "{ids:,} boxes of {point_names} points",
                ids=len(result.arrays["ids"]),
                point_names=len(result.meta["point_names"]),
            )
        )
        self.summary.setText(reason or (f"{count}\n{NONE_SELECTED}" if row < 0 and count else count))
        self.text.setText("" if result is None or row < 0 or reason else self._numbers(result, row))

    def _numbers(self, result: Result, row: int) -> str:
        columns = zip(
            result.meta["point_names"], result.arrays["points"][row], result.arrays["point_scores"][row], strict=True
        )
        return "\n".join(
            tr("{name}: {x:.0f},\u00a0{y:.0f}, score {score:.1f}", name=name, x=x, y=y, score=score)
            for name, (x, y, _), score in columns
        )

    def _choose_heat(self) -> None:
        point = int(self.heat.currentData())
        title = (
            tr("Heat map of {currenttext}", currenttext=self.heat.currentText()) if point >= 0 else tr("No heat map")
        )
        self.store.update(self.store.document.with_view(heat_point=point), title=title)


PANEL = KeyPointPanel
