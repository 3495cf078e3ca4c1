"""The Attention panel: where a transformer's tokens attend, all heads side by side and one over the picture."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer import theme
from viewer.canvas.layers import Heat, Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import feature_maps
from viewer.presenters.heatmap import heat_layer
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.number_entry import Entry
from viewer.widgets.pictures.channel_view import ChannelView, choice, copy_button, fill_choice, set_choice
from viewer.widgets.tables.fact_card import Card

INSPECTION = feature_maps.ATTENTION
HOVER_MS = 60
NO_PICTURE = tr("Open a picture to see what the network's patches attend to.")
WAITING = tr("Waiting for the attention…")
HELP = tr("click a patch of the picture to see what it attends to; what it attends to need not be what decides")
SHOWS = (
    (tr("Rollout"), feature_maps.ROLLOUT),
    (tr("One block"), feature_maps.BLOCK),
    (tr("Position similarity"), feature_maps.POSITION),
)


class AttentionPanel(Panel):
    """Controls for kind, block, head and query patch; the grid of heads; the numbers."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -6

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.show_box = choice(
            tr("Attention shown"), SHOWS, help=tr("All blocks together, one of them, or the positions")
        )
        self.block = choice(tr("Attention block"), [("0", 0)])
        self.head = choice(tr("Attention head"), [(tr("Mean"), -1)])
        self.discard = Entry(low=0.0, high=0.95, step=0.05)
        self.discard.setAccessibleName(tr("Discard of the rollout"))
        self.discard.setToolTip(tr("The share of the weakest attention in each row that the rollout leaves out"))
        self.follow = QCheckBox(tr("Follow pointer"))
        self.follow.setToolTip(tr("Show where the patch under the pointer looks"))
        self.card = Card(tr("Rollout"))
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("Colours of the attention"))
        self.copy = copy_button(tr("Copy the numbers of the attention"), self._numbers)
        self.card.put(self.copy, stretch=0)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, GAP // 2, 0)
        column.setSpacing(GAP // 2)
        for part in (self.card, self.bar):
            column.addWidget(part)
        column.addStretch(1)
        self.view = ChannelView(tr("Attention heads"), side)
        self.view.add_control(tr("Show"), self.show_box)
        self.view.add_control(tr("Block"), self.block)
        self.view.add_control(tr("Head"), self.head)
        self.view.add_control(tr("Discard"), self.discard)
        self.view.add_wide(self.follow)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.view)
        self.grid = self.view.grid
        self.grid.describe = self._line
        self.grid.picked.connect(self._pick)
        self.show_box.activated.connect(lambda: self._set(tr("Attention"), show=self.show_box.currentData()))
        self.block.activated.connect(lambda: self._choose(block=self.block.currentData()))
        self.head.activated.connect(lambda: self._choose(head=self.head.currentData()))
        self.discard.valueChanged.connect(lambda value: self._set(tr("Discard"), discard=round(value, 4)))
        self.follow.clicked.connect(lambda on: self._set(tr("Follow pointer"), follow=on))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(HOVER_MS)
        self._timer.timeout.connect(self._point)
        self._under = -1
        self._result: Result | None = None
        self._painted: tuple[str, int, int] = (feature_maps.ROLLOUT, 0, -1)
        self._about: tuple[object, ...] = ()
        theme.changes().connect(self._show)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the attention of the chosen patch, or of the one under the pointer, in all blocks and heads."""
        if description is None or INSPECTION not in document.view.inside:
            return None
        values = document.values(INSPECTION)
        query = document.view.patch if document.view.patch >= 0 else int(values.get("query", -1))
        return request_plan.ask(INSPECTION, document, description, extra={"block": -1, "head": -1, "query": query})

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the current settings, or why there is nothing to show."""
        values: dict[str, Any] = document.values(INSPECTION)
        reason = self.lacking(description) if description else ""
        if document.source is None:
            reason = reason or NO_PICTURE
        there = self._result is not None and self._about == (document.model, document.source)
        about = (document.model, document.source)
        self.view.show_state(about, reason=reason, there=there, waiting=WAITING)
        show, block, head = self._shown(document)
        set_choice(self.show_box, show)
        set_choice(self.block, block)
        set_choice(self.head, head)
        for box in (self.block, self.head):
            box.setEnabled(show == feature_maps.BLOCK)
        self.discard.setEnabled(show == feature_maps.ROLLOUT)
        self.discard.blockSignals(True)
        self.discard.setValue(float(values.get("discard", 0.0)))
        self.discard.blockSignals(False)
        self.follow.setChecked(bool(values.get("follow", False)))
        if there and not reason:
            self._update_text(document)
        if self._painted != (show, block, head):
            self._painted = (show, block, head)
            self.layers_changed.emit()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the attention of a patch."""
        if slot != self.id:
            return
        self._result = result
        self._about = (request.model, request.source)
        fill_choice(self.block, [(str(i), i) for i in range(len(result.meta["blocks"]))])
        fill_choice(self.head, [(tr("Mean"), -1), *((str(i), i) for i in range(result.meta["heads"]))])
        titles = SHOWS if "position" in result.arrays else SHOWS[:2]
        fill_choice(self.show_box, titles)
        self._show()
        self.refresh(self.store.document, None)
        self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show why there is no attention; keep the previous one."""
        document = self.store.document
        if slot == self.id and not failure.cancelled:
            self.view.fail((document.model, document.source), failure.text)
            self.refresh(document, None)

    def forget(self) -> None:
        """Drop the attention of the previous picture or model."""
        self._result, self._about = None, ()
        self.grid.clear()

    def layers(self, document: Document) -> list[Layer]:
        """Paint the map and the query patch."""
        if INSPECTION not in document.view.inside or self._about != (document.model, document.source):
            return []
        assert self._result is not None
        query = feature_maps.query_layer(self._result)
        return [self._heat(document), *([query] if query is not None else [])]

    def pointer(self, place: tuple[float, float] | None) -> None:
        """Follow the pointer over the picture if that is enabled."""
        document = self.store.document
        if not document.values(INSPECTION).get("follow") or self._result is None or not self._in_view():
            return
        under = feature_maps.patch_at(self._result, place) if place else -1
        if under != self._under:
            self._under = under
            self._timer.start()

    def clicked(self, place: tuple[float, float]) -> bool:
        """Make the clicked patch the query, or the class token if that patch is the query already."""
        if self._result is None or not self._in_view():
            return False
        patch = feature_maps.patch_at(self._result, place)
        if patch < 0:
            return False
        again = patch == self.store.document.values(INSPECTION).get("query", -1)
        self._set(tr("Look from the class token") if again else tr("Look from a patch"), query=-1 if again else patch)
        return True

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self._timer.stop()
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def _in_view(self) -> bool:
        return INSPECTION in self.store.document.view.inside

    def _shown(self, document: Document) -> tuple[str, int, int]:
        values: dict[str, Any] = document.values(INSPECTION)
        return str(values.get("show", feature_maps.ROLLOUT)), int(values.get("block", 0)), int(values.get("head", -1))

    def _heat(self, document: Document) -> Heat:
        assert self._result is not None
        values = feature_maps.attention_map(self._result, *self._shown(document))
        return heat_layer(values, self._result.meta["extent"], document.look, id=INSPECTION)

    def _show(self) -> None:
        """Paint the grid of heads again."""
        if self._result is None:
            return
        atlas = feature_maps.attention_atlas(self._result, theme.heat_lut)
        meta = self._result.meta
        blocks, heads, (rows, columns) = len(meta["blocks"]), meta["heads"], meta["grid"]
        order = np.arange(blocks * heads).reshape(blocks, heads).T.ravel()
        self.grid.show_tiles(atlas, order, columns=blocks)
        words = tr(
            "Columns are {blocks} blocks, rows {heads} heads, over {columns} × {rows} patches",
            blocks=blocks,
            heads=heads,
            columns=columns,
            rows=rows,
        )
        self.view.summary.setText(f"{words} · {HELP}")

    def _update_text(self, document: Document) -> None:
        assert self._result is not None
        show, block, head = self._shown(document)
        title = next(title for title, data in SHOWS if data == show)
        if show == feature_maps.BLOCK:
            title = tr(
                "Block {block}, {what}",
                block=block,
                what=tr("mean of the heads") if head < 0 else tr("head {head}", head=head),
            )
        self.card.set_title(title)
        self.card.set_facts(feature_maps.attention_facts(self._result, show, block, head))
        heat = self._heat(document)
        self.bar.set_range(float(f"{heat.low:.3g}"), float(f"{heat.high:.3g}"), colour_map=heat.colour_map)
        chosen = block * self._result.meta["heads"] + head if show == feature_maps.BLOCK and head >= 0 else -1
        self.grid.choose(chosen)

    def _pick(self, number: int) -> None:
        if self._result is None or number < 0:
            self._set(tr("Rollout"), show=None)
            return
        block, head = divmod(number, self._result.meta["heads"])
        self._set(
            tr("Block {block}, head {head}", block=block, head=head), show=feature_maps.BLOCK, block=block, head=head
        )

    def _choose(self, **changed: object) -> None:
        self._set(tr("Attention head"), show=feature_maps.BLOCK, **changed)

    def _point(self) -> None:
        self.store.update(self.store.document.with_view(patch=self._under))

    def _set(self, title: str, **changed: object) -> None:
        merge = f"attention.{'.'.join(changed)}"
        document = self.store.document.with_value(INSPECTION, **changed)  # type: ignore[arg-type]
        self.store.update(document, title=title, merge=merge)

    def _line(self, number: int) -> str:
        return feature_maps.attention_line(self._result, number) if self._result is not None else ""

    def _numbers(self) -> str:
        if self._result is None:
            return ""
        return feature_maps.facts_text(feature_maps.attention_facts(self._result, *self._shown(self.store.document)))


PANEL = AttentionPanel
