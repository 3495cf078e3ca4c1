"""The Layers panel: a tree of the network's module calls, to choose the layer for maps and activations."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.panels.base import GAP, Panel
from viewer.presenters import attribution
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.search_line import Search
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.call_tree import CallTree

NOTHING_OPEN = tr("Open a picture: the network's calls are those it makes for it.")
WAITING = tr("Waiting for the answer…")
SEARCH_PX = 260


class LayersPanel(Panel):
    """The calls with their thumbnails, a search line, and a button for the automatic layer."""

    id: ClassVar[str] = "layers"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.tree = CallTree()
        self.search = Search(tr("Find a layer by name or type"), below=self.tree)
        self.search.setMaximumWidth(SEARCH_PX)
        self.about = WrappedLabel(tr("About the layers"))
        self.automatic = QPushButton(tr("Automatic layer"))
        self.automatic.setToolTip(tr("Choose the best layer automatically, of this model and of others"))
        self.empty = WrappedLabel(tr("About the layers, none yet"))
        self.empty.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._result: Result | None = None
        self._request: Request | None = None
        page = QWidget()
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(self.search, 1)
        head.addWidget(self.about, 1)
        head.addWidget(self.automatic)
        column = QVBoxLayout(page)
        column.setContentsMargins(GAP, GAP, GAP, 0)
        column.setSpacing(GAP)
        column.addLayout(head)
        column.addWidget(self.tree, 1)
        blank = QWidget()
        middle = QVBoxLayout(blank)
        middle.setContentsMargins(GAP, GAP, GAP, GAP)
        middle.addWidget(self.empty)
        middle.addStretch(1)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(blank)
        self._pages.addWidget(page)
        self.tree.picked.connect(self._choose)
        self.tree.opened.connect(self._open)
        self.search.textChanged.connect(self._find)
        self.search.taken.connect(self._choose_first)
        self.automatic.clicked.connect(lambda: self._choose(""))

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the network's calls while the panel is in view."""
        return attribution.layers(document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Mark the chosen layer, or show why there is none to choose."""
        if self._request is not None and self._request.model != document.model:
            self._result = self._request = None
        reason = self.lacking(description) if description else ""
        if self._result is None or reason or not document.sources:
            self.empty.setText(reason or (WAITING if document.sources else NOTHING_OPEN))
            self._pages.setCurrentIndex(0)
            return
        self._pages.setCurrentIndex(1)
        self.automatic.setEnabled(bool(document.layer))
        self.tree.follow(document.layer)
        self._update_text(document)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List the calls; for the same network on another picture, replace only the thumbnails."""
        if slot != self.id:
            return
        before, self._result, self._request = self._result, result, request
        meta, arrays = result.meta, result.arrays
        relevant = ("calls", "silent", "automatic")
        if before is None or any(before.meta[name] != meta[name] for name in relevant):
            self.tree.set_calls(meta["calls"], meta["silent"], meta["automatic"])
            if self.search.text():
                self.tree.look_for(self.search.text())
        self.tree.set_thumbnails(arrays["thumbnails"], arrays["thumbnail"])
        self.refresh(self.store.document, None)

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show why there are no calls; keep the previous ones."""
        if slot == self.id and self._result is None:
            self.empty.setText(tr("Cancelled. F5 asks again.") if failure.cancelled else failure.text)

    def forget(self) -> None:
        """Drop the thumbnails of the previous picture; the calls stay valid for the network."""
        self.tree.set_thumbnails(np.zeros((0, 1, 1), np.uint8), np.empty(0, np.int64))

    def view_changed(self, in_view: bool) -> None:
        """Request the calls only while the panel is in view."""
        self.store.update(self.store.document.with_view(layers=in_view))

    def _update_text(self, document: Document, found: int = -1) -> None:
        if self._result is None:
            return
        calls = self._result.meta["calls"]
        if found >= 0:
            self.about.setText(tr("{found:,} of {calls:,} calls match", found=found, calls=len(calls)))
            return
        maps = sum(bool(call["map"]) for call in calls)
        chosen = document.layer or tr("{layer}, automatic", layer=self._result.meta["automatic"] or tr("none"))
        self.about.setText(
            tr(
                "{calls:,} calls, {maps:,} of them maps of the picture; chosen: {chosen}",
                calls=len(calls),
                maps=maps,
                chosen=chosen,
            )
        )

    def _find(self, text: str) -> None:
        found = self.tree.look_for(text)
        self._update_text(self.store.document, found if text.strip() else -1)

    def _choose_first(self) -> None:
        """Choose the first match that is a call."""
        index = self.tree.model().index(0, 0)
        while index.isValid() and not self.tree.calls.id_at(index):
            index = self.tree.model().index(0, 0, index)
        if index.isValid() and self.search.text():
            self._choose(self.tree.calls.id_at(index))

    def _choose(self, layer: str) -> None:
        automatic = self._result.meta["automatic"] if self._result is not None else ""
        layer = "" if layer == automatic else layer
        self.store.update(
            self.store.document.explaining(layer=layer), title=tr("Layer {layer}", layer=layer or automatic)
        )

    def _open(self, layer: str) -> None:
        self._choose(layer)
        self.command_wanted.emit("activations")


PANEL = LayersPanel
