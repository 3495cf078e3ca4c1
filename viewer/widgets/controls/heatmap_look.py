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
from viewer.widgets.controls.fields import CheckRow
from viewer.widgets.controls.form import Form

GAP = 8
_COLOURS = {"": "As suits the sign", **{name: name.capitalize() for name in heatmap.COLOUR_MAPS if name}}
_SMOOTH = {"bilinear": "Bilinear", "nearest": "Nearest"}
OWN = Look()
PARAMETERS = (
    Parameter("opacity", "Map opacity", "float", OWN.opacity, help="How much of the picture a map covers."),
    Parameter(
        "sign",
        "Values",
        "choice",
        OWN.sign,
        help="Signed: for and against. Absolute: their size. Positive only: what speaks for the target.",
        choices=tuple(heatmap.SIGNS),
        titles=tuple(heatmap.SIGNS.values()),
    ),
    Parameter(
        "clip",
        "Clip percentile",
        "float",
        OWN.clip,
        low=90.0,
        high=100.0,
        step=0.1,
        help="The percentile of the values at which the scale ends; larger ones have its last colour.",
    ),
    Parameter(
        "smooth",
        "Between cells",
        "choice",
        "bilinear",
        help="Bilinear: values between cells are filled in. Nearest: each cell as it was computed.",
        choices=tuple(_SMOOTH),
        titles=tuple(_SMOOTH.values()),
    ),
    Parameter("grid", "Cell grid", "bool", OWN.grid, help="Draw lines between the cells of the map."),
    Parameter(
        "fade",
        "Fade weak values",
        "bool",
        OWN.fade,
        help="Let the picture through where a map is near zero.",
    ),
    Parameter(
        "colours",
        "Colours",
        "choice",
        OWN.colours,
        help="Perceptual colour maps for values of one sign. Maps of both signs have two hues around zero.",
        choices=tuple(_COLOURS),
        titles=tuple(_COLOURS.values()),
    ),
)
RESET = "Reset how maps are drawn"
LOCK = "Keep the end of the scale for every map, so that their colours can be compared."
LOCK_PX = 144
TWO_HUES = "A map with values of both signs has two hues around zero."


class LookForm(QWidget):
    """`changed` emits a field of the Look, its value and whether the value is final."""

    changed = Signal(str, object, bool)
    reset_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._end = self._floor = 0.0
        self.form = Form(PARAMETERS)
        self.form.set_named("At first")
        self.form.reset.setText(RESET)
        self.form.reset.setAccessibleName(RESET)
        self.lock = CheckRow("Lock scale at", help=LOCK, key="scale")
        self.lock.default_title = "At first"
        self.end = QLineEdit()
        self.end.setAccessibleName("End of the scale")
        self.end.setToolTip("The value that has the last colour; type one to lock the scale there")
        self.end.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.end.setValidator(QDoubleValidator(0.0, math.inf, 12, self.end))
        self.start = QLineEdit()
        self.start.setAccessibleName("Start of the scale")
        self.start.setToolTip("The size of a value of one sign that has the first colour; larger ones are told apart")
        self.start.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.start.setValidator(QDoubleValidator(0.0, math.inf, 12, self.start))
        begin = QHBoxLayout()
        begin.setSpacing(GAP)
        self.start_title = QLabel("Start scale at")
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
        self.form.changed.connect(lambda name, value: self._told(name, value, final=False))
        self.form.committed.connect(lambda name, value: self._told(name, value, final=True))
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

    def _told(self, name: str, value: object, *, final: bool) -> None:
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
