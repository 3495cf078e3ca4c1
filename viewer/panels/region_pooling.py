"""The Region pooling panel: how a proposal is cut out of the feature map, and what the head says of the patch."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from PySide6.QtCore import QSignalBlocker

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.engine_texts import shown
from viewer.panels.base import PaintingSearchPanel
from viewer.presenters import region_pooling as presenter
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.channel_image import ChannelImage
from viewer.widgets.controls.fields import CheckRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.map_readout import MapReading
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "region_pooling"
INVITATION = tr("Open a picture, then click a proposal: here is how it is cut out of the feature map.")
MOST_LISTED = 60
MOST_CLASSES = 8
PATCH_PX = 150
TABLE_PX = 130


class RegionPoolingPanel(PaintingSearchPanel):
    """The proposals, the projection in numbers, the pooled patch, the head's scores, and how it is pooled."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -4
    settings_title: ClassVar[str] = tr("How the region is pooled")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("Waiting for the answer…")
    elsewhere: ClassVar[tuple[str, ...]] = ("proposal", "region")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.table = Cells(tr("Proposals"), (tr("Proposal"), tr("Objectness"), tr("Level"), tr("Score")))
        self.table.setFixedHeight(TABLE_PX)
        self.table.currentItemChanged.connect(lambda now, _: self._choose(self.table.indexOfTopLevelItem(now)))
        self.rule = WrappedLabel(tr("The rule of the level"), small=True)
        self.facts = MapReading()
        for part in (self.facts.bar, self.facts.value, self.facts.warning):
            part.hide()
        self.patch = ChannelImage(tr("Pooled patch"))
        self.patch.setFixedHeight(PATCH_PX)
        self.about = WrappedLabel(tr("About the patch"), small=True)
        self.scores = Cells(tr("What the head says"), (tr("Class"), tr("Trained"), tr("Now"), tr("Change")))
        self.scores.setFixedHeight(TABLE_PX)
        self.others = CheckRow(tr("All proposals"), value=True, help=tr("Paint the other proposals faintly too."))
        self.heat = CheckRow(tr("Feature map"), value=True, help=tr("Paint the channel of the map with its cells."))
        for row in (self.others, self.heat):
            row.changed.connect(lambda *_: self.layers_changed.emit())
            self.settings.add(row)
        self.arrange((self.table, self.settings, self.rule, self.facts, self.patch, self.about, self.scores))
        self.settings.set_open(True)
        self._at: tuple[float, float] | None = None
        self._most = {"level": 3, "channel": 255}
        self._description: Description | None = None

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the way of the region while the panel is in view; a rectangle drawn with Shift is one too."""
        return request_plan.in_view(request_plan.explain, INSPECTION, document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings."""
        self._description = description
        super().refresh(document, description)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List the proposals and show the region's way."""
        if slot != self.id:
            return
        arrays = result.arrays
        columns = (arrays[name].tolist() for name in ("objectness", "levels", "best", "best_score"))
        rows = [
            (f"{row}: {presenter.name(result, best)}", f"{objectness:.3f}", str(level), f"{score:.3f}")
            for row, (objectness, level, best, score) in enumerate(zip(*columns, strict=True))
        ][:MOST_LISTED]
        with QSignalBlocker(self.table):
            self.table.take(rows)
            item = self.table.topLevelItem(int(result.meta["proposal"]))
            if item is not None:
                self.table.setCurrentItem(item)
            else:
                self.table.clearSelection()
        most = {"level": int(result.meta["maps"]) - 1, "channel": int(result.meta["channels"]) - 1}
        if most != self._most:
            self._most = most
            self.rebuild_form()
            self.refresh(self.store.document, self._description)
        super().show_result(slot, request, result)

    def declared(self, parameter: Parameter) -> Parameter:
        """Return levels and channels in the range that the maps have."""
        most = self._most.get(parameter.name)
        return parameter if most is None else replace(parameter, high=float(most))

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show patch, numbers and scores, faded unless they answer the present request."""
        for part in (self.table, self.rule, self.facts, self.patch, self.about, self.scores):
            part.setVisible(result is not None)
        self.patch.set_faded(not fresh)
        if result is None:
            return
        arrays, meta = result.arrays, result.meta
        self.rule.setText(shown(meta["rule"]))
        self.facts.set_facts(presenter.facts(result))
        patch = arrays["patches"][meta["channel"]]
        patch = patch.reshape(1, -1) if meta["pooling"] == "pyramid" else patch
        end = max(float(np.abs(patch).max()), 1e-9)
        signed = float(patch.min()) < 0
        self.patch.show_values(
            patch, low=-end if signed else 0.0, high=end, colours="diverging" if signed else "sequential"
        )
        self.about.setText(
            tr(
                "{kind}: channel {channel} of {channels} as the head gets it, {rows} × {columns} bins.",
                kind=presenter.KINDS[meta["pooling"]],
                channel=meta["channel"],
                channels=meta["channels"],
                rows=patch.shape[0],
                columns=patch.shape[1],
            )
        )
        self._show_scores(result)

    def layers(self, document: Document) -> list[Layer]:
        """Return map, bins, points and proposals, while the panel is in view."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return []
        return presenter.layers(self._answer[1], others=bool(self.others.value), heat=bool(self.heat.value))

    def clicked(self, place: tuple[float, float]) -> bool:
        """Choose the most confident proposal at a place; clicks at the same proposals go on to the next one."""
        if self._answer is None or INSPECTION not in self.store.document.view.inside:
            return False
        arrays = self._answer[1].arrays
        x, y = place
        boxes = arrays["proposals"]
        inside = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
        rows = np.flatnonzero(inside)
        if not len(rows):
            return False
        rows = rows[np.argsort(-arrays["best_score"][rows], kind="stable")].tolist()
        now = int(self._answer[1].meta["proposal"])
        again = self._at is not None and np.hypot(self._at[0] - x, self._at[1] - y) < 4 and now in rows
        self._at = place
        self._choose(rows[(rows.index(now) + 1) % len(rows)] if again else rows[0])
        return True

    def _show_scores(self, result: Result) -> None:
        own, now = result.arrays["own_scores"], result.arrays["scores"]
        best = np.argsort(-np.maximum(own, now if len(now) else 0), kind="stable")[:MOST_CLASSES].tolist()
        rows = []
        for label in best:
            after = (f"{now[label]:.3f}", f"{now[label] - own[label]:+.3f}") if len(now) else ("", "")
            rows.append((presenter.name(result, label), f"{own[label]:.3f}", *after))
        self.scores.take(rows)

    def _choose(self, row: int) -> None:
        if self._answer is not None and 0 <= row < len(self._answer[1].arrays["proposals"]):
            document = self.store.document.with_region(None).with_value(INSPECTION, proposal=row)
            self.store.update(document, title=tr("Choose a proposal"))


PANEL = RegionPoolingPanel
