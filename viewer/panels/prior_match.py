"""The Prior match panel: codes of pictures on the prior's plane, the critic over it, and another model beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from models.cards import card as cards
from models.inspection import Description
from models.latent.plane import Axis, Plane
from models.requests import Request
from models.types import Failure, Pixels, Result
from viewer.engine_texts import shown
from viewer.panels.base import GAP, FormPanel
from viewer.presenters import latent_code
from viewer.presenters.heatmap import number
from viewer.presenters.likelihood import coloured
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.elided_label import ElidedLabel
from viewer.widgets.pictures.plane_map import PlaneMap, Points
from viewer.widgets.tables.fact_card import Card

INSPECTION = "prior_match"
BESIDE = f"{INSPECTION}.beside"
TWO_DIMENSIONS = ("digits-vae-2d", "digits-aae")
MAP_PX = 200
WAITING = tr("Waiting for the answer…")
CHOOSE = tr("Open or choose a folder of pictures whose codes are compared with the prior.")


class PriorMatchPanel(FormPanel):
    """Two planes, the numbers of each, and the settings."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the comparison")
    elsewhere: ClassVar[tuple[str, ...]] = ("folder",)
    words_title: ClassVar[str] = tr("Verdict")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.shown = QComboBox()
        self.shown.setAccessibleName(tr("What the plane shows"))
        self.shown.addItem(tr("Critic"), "critic")
        self.shown.addItem(tr("Density of the prior"), "density")
        self.map, self.other = (PlaneMap(name) for name in (tr("Codes and prior"), tr("Codes of the other model")))
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("Colours of the plane"))
        self.facts, self.other_facts = Card(tr("Codes")), Card("")
        self.beside = QComboBox()
        self.beside.setAccessibleName(tr("Beside"))
        self.beside.addItem(tr("No other model"), "")
        for name in TWO_DIMENSIONS:
            if name in cards.bundled():
                self.beside.addItem(name, name)
        self.folder = ElidedLabel()
        self.choose = QPushButton(tr("Choose…"))
        self.choose.setAccessibleName(tr("Choose real pictures"))
        self.choose.setToolTip(tr("A folder of real pictures, ideally those the model was trained on"))
        self._results: dict[str, Result] = {}
        self._arrange()
        self.shown.activated.connect(lambda _: self._show())
        self.beside.activated.connect(self._choose_other)
        self.choose.clicked.connect(lambda: self.command_wanted.emit("latent-reals"))
        self.map.moved_to.connect(self._go_to)
        self.map.settled.connect(self.store.settle)
        self._show()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Mapping[str, Request] | None:
        """Request the comparison while the panel is in view, and that of the other model."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        folder = latent_code.folder_of(document)
        extra = {"folder": folder.path} if folder is not None else {}
        own = request_plan.about(INSPECTION, document, description, extra=extra)
        if own is None:
            return None
        found = {INSPECTION: own}
        other = beside(document)
        if other and other != document.model:
            found[BESIDE] = Request.make(INSPECTION, other, None, dict(own.settings))
        return found

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings and the folder."""
        super().refresh(document, description)
        self.folder.setText(latent_code.real_words(document))
        self.beside.setCurrentIndex(max(0, self.beside.findData(beside(document))))
        self._show()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the plane and the numbers."""
        if slot in (INSPECTION, BESIDE):
            self._results[slot] = result
            self._show()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show the reason in the panel, for the other model too; keep what was shown."""
        return super().show_failure(self.id if slot == BESIDE else slot, failure)

    def _arrange(self) -> None:
        inside = QWidget()
        column, top, foot, line = QVBoxLayout(inside), QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for each in (self.map, self.other):
            each.setMinimumHeight(MAP_PX)
        top.addWidget(self.shown, 1)
        line.addWidget(QLabel(tr("Beside")))
        line.addWidget(self.beside, 1)
        foot.addWidget(self.folder, 1)
        foot.addWidget(self.choose)
        column.addWidget(self.words)
        column.addLayout(top)
        column.addWidget(self.map)
        column.addWidget(self.bar)
        column.addWidget(self.facts)
        column.addLayout(line)
        column.addWidget(self.other)
        column.addWidget(self.other_facts)
        column.addLayout(foot)
        column.addWidget(self.settings)
        column.addStretch(1)
        self.fill(inside, tr("Prior match"))

    def _show(self) -> None:
        own, other = self._results.get(INSPECTION), self._results.get(BESIDE)
        name = beside(self.store.document)
        if name == self.store.document.model or not name:
            other = None
        for part in (self.map, self.bar, self.shown):
            part.setVisible(own is not None)
        for part in (self.other, self.other_facts):
            part.setVisible(other is not None)
        self.facts.setVisible(own is not None and "codes" in own.arrays)
        if own is None:
            self.words.setText(WAITING)
            return
        self.shown.setEnabled("critic" in own.arrays)
        kind = str(self.shown.currentData()) if "critic" in own.arrays else "density"
        self.words.setText(shown(str(own.meta["text"])) if own.meta["text"] else CHOOSE)
        _draw(self.map, own, kind)
        end = 1.0 if kind == "critic" else float(f"{own.arrays['density'].max():.2g}")
        self.bar.set_range(0.0, end)
        self.facts.set_facts(facts(own))
        if other is not None:
            _draw(self.other, other, kind if kind in other.arrays else "density")
            self.other_facts.set_title(name)
            self.other_facts.set_facts(facts(other))

    def _go_to(self, x: float, y: float) -> None:
        if self.map.plane is None:
            return
        document = latent_code.at(self.store.document, self.map.plane.code(x, y))
        self.store.update(document, title=tr("Move on the map"), merge="latent map")

    def _choose_other(self) -> None:
        document = self.store.document.with_value(BESIDE, model=str(self.beside.currentData()))
        self.store.update(document, title=tr("Other model beside the codes"))


def beside(document: Document) -> str:
    """Return the model whose codes are shown beside: the one chosen, else a bundled one of two dimensions."""
    usual = next((name for name in TWO_DIMENSIONS if name in cards.bundled() and name != document.model), "")
    return str(document.values(BESIDE).get("model", usual))


def facts(result: Result) -> list[tuple[str, str]]:
    """Return how the codes compare with the prior, as rows."""
    if "codes" not in result.arrays:
        return []
    meta, mean, spread = result.meta, result.arrays["mean"], result.arrays["covariance"]
    rows = [
        (tr("Pictures"), f"{meta['count']:,}"),
        (tr("Mean"), ", ".join(number(float(each)) for each in mean[:2])),
        (tr("Variances"), ", ".join(number(float(spread[at, at])) for at in range(min(2, len(spread))))),
    ]
    if len(spread) > 1:
        rows.append((tr("Covariance"), number(float(spread[0, 1]))))
    rows.append(
        (
            tr("MMD²"),
            tr(
                "{mmd}, bound {bound} (p = {p:.3f})",
                mmd=number(meta["mmd"]),
                bound=number(meta["bound"]),
                p=meta["p"],
            ),
        )
    )
    if "critic_right" in meta:
        rows.append((tr("Critic right"), tr("{share:.1%} (50 % if matched)", share=meta["critic_right"])))
    return rows


def _draw(plane_map: PlaneMap, result: Result, kind: str) -> None:
    """Show the critic or the density as colours, with the codes over it."""
    (low, high), _ = result.arrays["sides"].tolist()
    size = result.arrays["codes"].shape[1] if "codes" in result.arrays else 2
    ways = np.eye(max(size, 2), dtype=np.float32)[:, :size]
    plane = Plane(np.zeros(size, np.float32), ways[0], ways[1], Axis(low, high), Axis(low, high))
    values = result.arrays[kind]
    colours: Pixels = coloured(values)
    plane_map.show_map(plane, colours[:, :, None, None, :], np.ones(values.shape, np.bool_))
    plane_map.set_names("z1", "z2")
    if "codes" in result.arrays:
        codes = result.arrays["codes"].astype(np.float64)
        plane_map.set_points(Points(codes[:, :2], result.arrays["label"], result.arrays["thumbs"]))
    else:
        plane_map.set_points(Points())


PANEL = PriorMatchPanel
