"""The Class x noise panel: a row for each class that a generator can be asked for, and what a classifier sees there."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from models.inspection import Description
from models.latent.space import write
from models.requests import Request
from models.types import Result
from viewer.canvas.mosaic import tinted
from viewer.engine_texts import shown
from viewer.panels.base import GAP, FormPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.bar_chart import Bar, BarChart
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid

INSPECTION = "class_grid"
WAITING = tr("Waiting for the answer…")
OFF_SUPPORT = tr("Off the support: blends of classes were never trained.")
BAR_PX = 22


class ClassGridPanel(FormPanel):
    """The grid, the verdict, agreement and diversity of each class, and the settings."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the grid")
    words_title: ClassVar[str] = tr("Verdict")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words.setText(WAITING)
        self.warning = WrappedLabel(tr("Warning"))
        self.warning.setText(OFF_SUPPORT)
        self.warning.hide()
        self.grid = ChannelGrid(tr("Class x noise"))
        self.grid.describe = self._line
        self.grid.setMinimumHeight(160)
        self.bars = BarChart(tr("Agreement with the asked class"))
        self.bars.hide()
        self._result: Result | None = None
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.words)
        column.addWidget(self.warning)
        column.addWidget(self.grid, 1)
        column.addWidget(self.bars)
        column.addWidget(self.settings)
        self.fill(inside, tr("Class x noise with its numbers"))
        self.grid.picked.connect(self._go_to)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the grid while the panel is in view."""
        return request_plan.in_view(request_plan.about, INSPECTION, document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and frame the picture whose code is the current one."""
        super().refresh(document, description)
        self._frame(document)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the pictures and the numbers."""
        if slot != self.id:
            return
        self._result = result
        pictures = result.arrays["pictures"]
        flat = pictures.reshape(-1, *pictures.shape[2:])
        self.grid.show_tiles(tinted(flat), np.arange(len(flat)), columns=pictures.shape[1])
        self.words.setText(shown(str(result.meta["text"])))
        self.warning.setVisible(bool(result.meta["off_support"]))
        self._draw_bars(result)
        self._frame(self.store.document)

    def _draw_bars(self, result: Result) -> None:
        agreement = result.arrays.get("agreement")
        self.bars.setVisible(agreement is not None)
        if agreement is None:
            return
        names, spread = result.meta["classes"], result.arrays["diversity"]
        bars = []
        for row, name in enumerate(names):
            share, apart = float(agreement[row]), float(spread[row])
            text = tr("{share:.0%}, diversity {apart:.3f}", share=share, apart=apart)
            bars.append(Bar(str(name), share, text, help=self._seen(result, row), quiet=share < 0.5))
        self.bars.setFixedHeight(BAR_PX * len(bars) + 2 * GAP)
        self.bars.set_bars(bars)

    def _seen(self, result: Result, row: int) -> str:
        seen, names = result.arrays["seen"][row], result.meta["judge_classes"]
        order = np.argsort(-seen)[:3]
        found = ", ".join(f"{names[at]} {seen[at] / max(1, seen.sum()):.0%}" for at in order if seen[at])
        return tr("Class {name} is seen as {found}", name=result.meta["classes"][row], found=found)

    def _line(self, place: int) -> str:
        if self._result is None:
            return ""
        row, column = divmod(place, self._result.arrays["pictures"].shape[1])
        seed = int(self._result.meta["parameters"]["seed"]) + column
        return tr("Class {name}, noise of seed {seed}", name=self._result.meta["classes"][row], seed=seed)

    def _frame(self, document: Document) -> None:
        chosen = -1
        if self._result is not None:
            codes = self._result.arrays["codes"].reshape(-1, self._result.arrays["codes"].shape[-1])
            text = document.latent.code
            chosen = next((row for row, code in enumerate(codes) if write(code) == text), -1) if "," in text else -1
        self.grid.choose(chosen)

    def _go_to(self, place: int) -> None:
        if self._result is None or place < 0:
            return
        codes = self._result.arrays["codes"].reshape(-1, self._result.arrays["codes"].shape[-1])
        document = self.store.document.with_latent(code=write(codes[place]), at=-1)
        self.store.update(document, title=self._line(place), merge=INSPECTION)


PANEL = ClassGridPanel
