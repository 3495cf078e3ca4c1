"""The Manifold panel: a map of decoded pictures over a plane of the latent space; a click or drag moves the code."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout

from models.inspection import Description
from models.latent import plane as planes
from models.latent import space as spaces
from models.latent.plane import Axis, Plane
from models.latent.space import Space
from models.params import Value
from models.requests import Request
from models.types import Failure, Float, Refusal, Result
from viewer import theme
from viewer.panels.base import GAP, Panel
from viewer.presenters import latent_code
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wants
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.fields import CheckRow
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_view import choice, fill_choice, set_choice
from viewer.widgets.pictures.plane_map import PlaneMap, Points, number

INSPECTION, ENCODED = "manifold", "encoded"
SHOWN = ("even", "side", "speed")
SLOTS = ("A", "B", "C")
LEAST_ZOOM, MOST_ZOOM = 0.25, 100.0
THROUGH = tr("Plane through A, B, C")
PUT_FIRST = tr("Put codes aside as A, B and C first")


class ManifoldPanel(Panel):
    """The map, its two axes, the switch to the plane through three stored codes, and settings."""

    id: ClassVar[str] = "manifold"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.map = PlaneMap(tr("Manifold map"))
        self.right = choice(tr("Dimension to the right"), (), help=tr("The dimension that grows to the right"))
        self.up = choice(tr("Dimension up"), (), help=tr("The dimension that grows upwards"))
        self.through = QPushButton("A B C")
        self.through.setAccessibleName(THROUGH)
        self.through.setCheckable(True)
        self.through.setFixedWidth(self.through.fontMetrics().horizontalAdvance("A B C") + 3 * GAP)
        self.whole = QToolButton()
        self.whole.setAutoRaise(True)
        self.whole.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.whole.setAccessibleName(tr("Whole map"))
        self.whole.setToolTip(tr("Show the whole map again (0)"))
        self.readout = WrappedLabel(tr("Place on the map"))
        self.remark = WrappedLabel(tr("Manifold"))
        self.remark.hide()
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("How fast the picture changes"))
        self.bar.hide()
        self.settings = Section(tr("Settings of the map"))
        self.points = CheckRow(
            tr("Encoded pictures"),
            value=True,
            help=tr("Show where the pictures of the current folder lie"),
            key="points",
        )
        self.form: Form | None = None
        self._space: Space | None = None
        self._titles: dict[int, str] = {}
        self._encoded: Result | None = None
        self._model = ""
        self._axes = (0, 1)
        self._along: tuple[int, ...] = ()
        self._arrange()
        self._set_icons()
        self._connect()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the map while the panel is in view.

        The code is set to zero along the two axes, so that moving within the plane keeps requesting the same map.
        """
        space = latent_code.space_of(description)
        if INSPECTION not in document.view.inside or space is None or description is None:
            return None
        if request_plan.reason(INSPECTION, description):
            return None
        values = request_plan.given(document, INSPECTION, description)
        if values.get("through"):
            return request_plan.about(INSPECTION, document, description)
        code, (a, b) = latent_code.code_of(document, space), axes(description, space, values)
        if code is None:
            return None
        if {a, b} <= {*planes.free(space)}:
            code = code.copy()
            code[[a, b]] = 0
        return request_plan.about(INSPECTION, document, description, extra={"code": spaces.write(code), "a": a, "b": b})

    @staticmethod
    def wants_points(document: Document, description: Description | None) -> Request | None:
        """Request the encodings of the current folder's pictures while the map is in view."""
        folder = latent_code.folder_of(document)
        shown = INSPECTION in document.view.inside and document.latent.points
        if not shown or description is None or folder is None:
            return None
        return request_plan.ask(ENCODED, document, description, source=folder)

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return the slots of the map and of the points on it."""
        return [(cls.id, cls.wants), (ENCODED, cls.wants_points)]

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show axes and settings, and mark the current code."""
        space, offer = latent_code.space_of(description), description.offers.get(INSPECTION) if description else None
        if description is None or space is None or offer is None:
            return
        if offer.reason:
            self._update_text(offer.reason)
            return
        if document.model != self._model:
            self._model, self._encoded = document.model, None
            self.map.clear()
        self._space = space
        given = request_plan.given(document, INSPECTION, description)
        entries = latent_code.dimensions(description, space)
        self._titles = {row: title.split(" · ")[0] for row, title in entries}
        self._axes = a, b = axes(description, space, given)
        for box, row in ((self.right, a), (self.up, b)):
            fill_choice(box, [(title, at) for at, title in entries])
            set_choice(box, row)
            box.setEnabled(not given.get("through"))
        if self.form is None:
            self.form = Form([p for p in offer.parameters if p.name in SHOWN])
            self.form.changed.connect(lambda name, value: self._set(name, value, final=False))
            self.form.committed.connect(lambda name, value: self._set(name, value, final=True))
            self.form.reset_requested.connect(lambda: self._change(tr("Own settings of the map"), dict.fromkeys(SHOWN)))
            self.settings.add(self.form)
        self.form.set_values({**offer.defaults, **given})
        encodes = not description.offers[ENCODED].reason
        self.points.set_value(document.latent.points and encodes)
        self.points.set_enabled_reason(encodes, description.offers[ENCODED].reason)
        self.through.setChecked(bool(given.get("through")))
        there = all(document.latent.codes(slot) for slot in SLOTS)
        self.through.setEnabled(there or self.through.isChecked())
        self.through.setToolTip(tr("The plane that three codes put aside span") if there else PUT_FIRST)
        self.whole.setEnabled(any(name in given for name in ("x", "y", "zoom")))
        self._move_marker(document)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the map as far as it is computed, or the points on it."""
        if slot == ENCODED:
            self._encoded = result
            self._place_pictures()
        if slot != self.id:
            return
        arrays, axes_of = result.arrays, tuple(result.meta["axes"])
        self._along = axes_of
        plane = plane_of(result)
        self.map.show_map(plane, arrays["pictures"], arrays["known"], speed=arrays.get("speed"))
        names = [self._titles.get(row, f"z{row}") for row in axes_of] or [tr("A to B"), tr("A to C")]
        self.map.set_names(*names, corners=not axes_of)
        self.bar.setVisible("speed" in arrays)
        if "speed" in arrays:
            self.bar.set_range(0, float(f"{arrays['speed'].max():.3g}"))
        self.remark.hide()
        self._place_pictures()
        self._move_marker(self.store.document)

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there is no map; keep the last one."""
        if slot not in (self.id, ENCODED) or failure.cancelled:
            return None
        self._update_text(failure.text)
        return True

    def forget(self) -> None:
        """Remove the previous folder's pictures from the map."""
        if latent_code.folder_of(self.store.document) is None:
            self._encoded = None
            self._place_pictures()

    def _arrange(self) -> None:
        axes, foot, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        for label, box in (("→", self.right), ("↑", self.up)):
            axes.addWidget(QLabel(label))
            axes.addWidget(box, 1)
        axes.addWidget(self.through)
        foot.addWidget(self.readout, 1)
        foot.addWidget(self.whole)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        for line in (axes, foot, column):
            line.setSpacing(GAP)
        column.addLayout(axes)
        column.addWidget(self.map, 1)
        column.addLayout(foot)
        column.addWidget(self.bar)
        column.addWidget(self.remark)
        column.addWidget(self.settings)
        self.settings.add(self.points)

    def _connect(self) -> None:
        theme.changes().connect(self._set_icons)
        self.map.moved_to.connect(self._go_to)
        self.map.settled.connect(self.store.settle)
        self.map.zoomed.connect(self._zoom)
        self.map.hovered.connect(self._hovered)
        self.map.whole_wanted.connect(self._whole)
        self.whole.clicked.connect(self._whole)
        self.through.clicked.connect(self._through)
        self.right.activated.connect(lambda: self._axis("a", self.right.currentData()))
        self.up.activated.connect(lambda: self._axis("b", self.up.currentData()))
        self.points.reported.connect(self._show_points)

    def _set_icons(self) -> None:
        self.whole.setIcon(theme.icon("fit"))

    def _update_text(self, text: str) -> None:
        self.remark.setText(text)
        self.remark.setVisible(bool(text))

    def _place_pictures(self) -> None:
        """Place the encoded pictures on the map."""
        plane, encoded = self.map.plane, self._encoded
        if plane is None or encoded is None or len(plane.origin) != encoded.arrays["means"].shape[1]:
            self.map.set_points(Points())
            return
        where, _ = plane.project(encoded.arrays["means"])
        self.map.set_points(Points(where, encoded.arrays["label"], encoded.arrays["thumbs"]))

    def _move_marker(self, document: Document) -> None:
        plane, space = self.map.plane, self._space
        code = latent_code.code_of(document, space) if space is not None else None
        if plane is None or code is None or len(code) != len(plane.origin):
            self.map.set_marker(None)
            return
        where, away = plane.project(code)
        self.map.set_marker((float(where[0, 0]), float(where[0, 1]), plane.holds(float(away[0]))))
        self._read(*where[0].tolist())

    def _read(self, x: float, y: float, name: str = "") -> None:
        first, second = self.map.names
        self.readout.setText(f"{first} {number(x)}, {second} {number(y)}{f' · {name}' if name else ''}")

    def _hovered(self, place: tuple[float, float, int] | None) -> None:
        if self.map.plane is None:
            return
        if place is None:
            self._move_marker(self.store.document)
            return
        row, encoded = place[2], self._encoded
        name = latent_code.name_of(encoded, row) if encoded is not None and row >= 0 else ""
        self._read(*self.map.plane.coordinates(*place[:2]), name)

    def _go_to(self, x: float, y: float) -> None:
        """Move the current code to coordinates of the map.

        The other dimensions keep their current values, which may be newer than those of the map shown.
        """
        plane, space, document = self.map.plane, self._space, self.store.document
        code = latent_code.code_of(document, space) if space is not None else None
        if plane is None or code is None:
            return
        if self._along:
            code = code.copy()
            code[[*self._along]] = x, y
        else:
            code = plane.code(x, y)
        self.store.update(latent_code.at(document, code), title=tr("Move on the map"), merge="latent map")

    def _zoom(self, factor: float, across: float, down: float) -> None:
        """Zoom about a place of the map (0 to 1 from the left and top), which stays where it is."""
        plane = self.map.plane
        if plane is None:
            return
        given = self.store.document.values(INSPECTION)
        now = float(given.get("zoom", 1.0))
        zoom = min(max(now * factor, LEAST_ZOOM), MOST_ZOOM)
        changed: dict[str, Value | None] = {"zoom": round(zoom, 4) if abs(zoom - 1) > 1e-3 else None}
        # The new centre m' keeps `at` in place: (at - m') * zoom = (at - m) * now.
        for name, at in zip("xy", plane.coordinates(across, down), strict=True):
            middle = float(given.get(name, 0.0))
            changed[name] = round(at + (middle - at) * now / zoom, 4) or None
        self._change(tr("Zoom the map"), changed, merge="zoom the map")

    def _whole(self) -> None:
        self._change(tr("Whole map"), {"x": None, "y": None, "zoom": None})

    def _axis(self, name: str, row: int) -> None:
        """Choose another dimension for an axis; if the other axis shows it already, swap the two."""
        a, b = self._axes
        if name == "a":
            a, b = row, (a if row == b else b)
        else:
            a, b = (b if row == a else a), row
        self._change(tr("Axes of the map"), {"a": a, "b": b, "x": None, "y": None, "zoom": None})

    def _through(self, wanted: bool) -> None:
        codes: list[Float] = []
        document, space = self.store.document, self._space
        seen = {"x": None, "y": None, "zoom": None}
        if wanted and space is not None:
            try:
                codes = [space.parse(document.latent.codes(slot)[0]) for slot in SLOTS]
                planes.through(np.concatenate(codes))
            except Refusal as refusal:
                self._update_text(f"{refusal} {refusal.advice}")
                self.through.setChecked(False)
                return
        text = spaces.write(np.concatenate(codes)) if codes else None
        self._change(THROUGH if wanted else tr("Plane of two dimensions"), {"through": text, **seen})

    def _show_points(self, _: str, wanted: object, __: bool) -> None:
        document = self.store.document.with_latent(points=bool(wanted))
        self.store.update(document, title=tr("Encoded pictures on the map"))
        if not wanted:
            self._encoded = None
            self._place_pictures()

    def _set(self, name: str, value: object, *, final: bool) -> None:
        self._change(tr("Map {name}", name=name), {name: value}, merge=f"map {name}")  # type: ignore[dict-item]
        if final:
            self.store.settle()

    def _change(self, title: str, changed: dict[str, Value | None], *, merge: str = "") -> None:
        self.store.update(self.store.document.with_value(INSPECTION, **changed), title=title, merge=merge)


def axes(description: Description, space: Space, given: dict[str, Value]) -> tuple[int, int]:
    """Return the two dimensions of the map: those chosen, otherwise the inspection's default."""
    a, b = int(given.get("a", -1)), int(given.get("b", -1))
    if a >= 0 and b >= 0:
        return a, b
    nats = latent_code.usage(description, space)
    return planes.filled(a, b, planes.pair(space, () if nats is None else nats))


def plane_of(result: Result) -> Plane:
    """Return the plane of a result."""
    sides = [Axis(float(low), float(high), bool(normal)) for low, high, normal in result.arrays["sides"]]
    return Plane(result.arrays["origin"], result.arrays["u"], result.arrays["v"], *sides)


PANEL = ManifoldPanel
