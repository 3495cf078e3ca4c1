"""A form for how heat maps are drawn: opacity, sign, scale, colours, and the value at which the scale is locked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from models.params import Parameter
from viewer.presenters import heatmap
from viewer.session.document import SIGNED, Look
from viewer.translation import tr
from viewer.widgets.controls.fields import CheckRow
from viewer.widgets.controls.form import Form

GAP = 8
_COLOURS = {"": tr("As suits the sign"), **{name: name.capitalize() for name in heatmap.COLOUR_MAPS if name}}
_SMOOTH = {"bilinear": tr("Bilinear"), "nearest": tr("Nearest")}
OWN = Look()
PARAMETERS = (
    Parameter("opacity", tr("Map opacity"), "float", OWN.opacity, help=tr("How much of the picture a map covers.")),
    Parameter(
        "sign",
        tr("Values"),
        "choice",
        OWN.sign,
        help=tr("Signed: for and against. Absolute: their size. Positive only: what speaks for the target."),
        choices=tuple(heatmap.SIGNS),
        titles=tuple(heatmap.SIGNS.values()),
    ),
    Parameter(
        "clip",
        tr("Clip percentile"),
        "float",
        OWN.clip,
        low=90.0,
        high=100.0,
        step=0.1,
        help=tr("The percentile of the values at which the scale ends; larger ones have its last colour."),
    ),
    Parameter(
        "smooth",
        tr("Between cells"),
        "choice",
        "bilinear",
        help=tr("Bilinear: values between cells are filled in. Nearest: each cell as it was computed."),
        choices=tuple(_SMOOTH),
        titles=tuple(_SMOOTH.values()),
    ),
    Parameter("grid", tr("Cell grid"), "bool", OWN.grid, help=tr("Draw lines between the cells of the map.")),
    Parameter(
        "fade",
        tr("Fade weak values"),
        "bool",
        OWN.fade,
        help=tr("Let the picture through where a map is near zero."),
    ),
    Parameter(
        "colours",
        tr("Colours"),
        "choice",
        OWN.colours,
        help=tr("Perceptual colour maps for values of one sign. Maps of both signs have two hues around zero."),
        choices=tuple(_COLOURS),
        titles=tuple(_COLOURS.values()),
    ),
)
RESET = tr("Reset how maps are drawn")
LOCK = tr("Keep the end of the scale for every map, so that their colours can be compared.")
LOCK_PX = 144
TWO_HUES = tr("A map with values of both signs has two hues around zero.")


class LookForm(QWidget):
    """`changed` emits a field of the Look, its value and whether the value is final."""

    changed = Signal(str, object, bool)
    reset_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._end = self._floor = 0.0
        self.form = Form(PARAMETERS)
        self.form.set_named(tr("At first"))
        self.form.reset.setText(RESET)
        self.form.reset.setAccessibleName(RESET)
        self.lock = CheckRow(tr("Lock scale at"), help=LOCK, key="scale")
        self.lock.default_title = tr("At first")
        self.end = QLineEdit()
        self.end.setAccessibleName(tr("End of the scale"))
        self.end.setToolTip(tr("The value that has the last colour; type one to lock the scale there"))
        self.end.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.end.setValidator(QDoubleValidator(0.0, math.inf, 12, self.end))
        self.start = QLineEdit()
        self.start.setAccessibleName(tr("Start of the scale"))
        self.start.setToolTip(
            tr("The size of a value of one sign that has the first colour; larger ones have different colours")
        )
        self.start.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.start.setValidator(QDoubleValidator(0.0, math.inf, 12, self.start))
        begin = QHBoxLayout()
        begin.setSpacing(GAP)
        self.start_title = QLabel(tr("Start scale at"))
        self.start_title.setBuddy(self.start)
        self.start_title.setMinimumWidth(LOCK_PX)
        begin.addWidget(self.start_title)
        begin.addWidget(self.start, 1)
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(self.lock)
        line.addWidget(self.end, 1)
        self.lock.setMaximumWidth(LOCK_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addLayout(line)
        column.addLayout(begin)
        column.addWidget(self.form)
        self.form.changed.connect(lambda name, value: self._changed(name, value, final=False))
        self.form.committed.connect(lambda name, value: self._changed(name, value, final=True))
        self.form.reset_requested.connect(self.reset_requested)
        self.lock.committed.connect(self._locked)
        self.end.editingFinished.connect(self._typed)
        self.start.editingFinished.connect(self._typed_start)

    def follow(self, look: Look, *, both: bool = True) -> None:
        """Show a look; disable the colours for a map with values of both signs."""
        values = {**dataclasses.asdict(look), "smooth": "bilinear" if look.smooth else "nearest"}
        self.form.set_values(values)
        self.form.set_applicable({"colours": TWO_HUES if both and look.sign == SIGNED else ""})
        for part in (self.start, self.start_title):
            part.setEnabled(not both)
        self._floor = look.floor
        if not self.start.hasFocus():
            self.start.setText(f"{look.floor:.4g}")
        self.lock.set_value(look.scale > 0)
        if look.scale > 0:
            self._write(look.scale)

    def show_end(self, end: float, *, locked: bool) -> None:
        """Show where the scale of the map on screen ends; `locked` if the user fixed it."""
        self._end = end
        self.lock.set_enabled_reason(locked or end > 0)
        if not locked:
            self._write(end)

    def reset_look(self, look: Look) -> Mapping[str, object]:
        """Return the default fields of a look, keeping a locked scale."""
        return {**dataclasses.asdict(OWN), "scale": look.scale}

    def _write(self, end: float) -> None:
        if not self.end.hasFocus():
            self.end.setText(f"{end:.4g}" if end > 0 else "")

    def _changed(self, name: str, value: object, *, final: bool) -> None:
        self.changed.emit(name, value == "bilinear" if name == "smooth" else value, final)

    def _locked(self, on: object) -> None:
        self.changed.emit("scale", self._end if on else 0.0, True)

    def _typed(self) -> None:
        text = self.end.text().replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if value > 0 and text != f"{self._end:.4g}":
            self.changed.emit("scale", value, True)

    def _typed_start(self) -> None:
        try:
            value = float(self.start.text().replace(",", "."))
        except ValueError:
            value = 0.0
        if self.start.text() != f"{self._floor:.4g}":
            self.changed.emit("floor", max(0.0, value), True)
