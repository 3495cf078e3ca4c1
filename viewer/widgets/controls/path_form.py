"""Controls for a latent path: playback, interpolation between keys, speed, length."""

from __future__ import annotations

from collections.abc import Mapping, Set

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from models.params import Parameter
from viewer import theme
from viewer.translation import tr

GAP = 8
ICON_PX = 16
NEEDS = {"encoder": "Encodes", "discriminator": "Scores"}
TIMED = "timed"
EXPORTS = {
    "mp4": tr("Film (MP4)…"),
    "gif": tr("Animation (GIF)…"),
    "png": tr("Strip of frames (PNG)…"),
    "npy": tr("Codes (NPY)…"),
    "json": tr("Numbers (JSON)…"),
}
BUTTONS = {
    "play": ("play", tr("Play (Space)")),
    "back": ("step-back", tr("Previous frame (,)")),
    "forward": ("step-forward", tr("Next frame (.)")),
    "loop": ("loop", tr("Loop: continue from the last key to the first")),
    "add": ("add", tr("Keep this code as a key (K)")),
    "remove": ("remove", tr("Remove the chosen key (Del)")),
}


class PathForm(QWidget):
    """Buttons, and a row per setting. `pressed` emits a button or export format; `changed` a setting and its value.

    The settings are path and easing (of the current segment), speed ("timed", or the features in which speed is
    constant), frames, fps and loop.
    """

    pressed = Signal(str)
    changed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.buttons = {name: _button(icon, hint) for name, (icon, hint) in BUTTONS.items()}
        self.buttons["loop"].setCheckable(True)
        self.export = QToolButton()
        self.export.setText(tr("Export"))
        self.export.setAccessibleName(tr("Export the path"))
        self.export.setToolTip(tr("Write the path as files, each with its recipe"))
        self.export.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.export.setMenu(QMenu(self.export))
        self.path, self.easing, self.speed = QComboBox(), QComboBox(), QComboBox()
        self.frames, self.fps = QSpinBox(), QSpinBox()
        self.segment = QLabel()
        self.segment.setProperty("small", True)
        names = {
            "path": tr("Path of the segment"),
            "easing": tr("Easing of the segment"),
            "speed": tr("Speed along the path"),
        }
        names |= {"frames": tr("Frames of the path"), "fps": tr("Frames per second")}
        for name, text in names.items():
            getattr(self, name).setAccessibleName(text)
        self._known: tuple[object, ...] = ()
        self._help = ""
        self._lay_out()
        self._connect()
        theme.changes().connect(self._restyle)

    def fill(self, parameters: Mapping[str, Parameter], capabilities: Set[str]) -> None:
        """Fill the choices and ranges for a model; call again for another model."""
        known = (tuple(parameters.values()), frozenset(capabilities))
        if known == self._known:
            return
        self._known = known
        for name in ("path", "easing"):
            one = parameters[name]
            _list(getattr(self, name), dict(zip(one.choices, one.titles, strict=True)))
        features = parameters["features"]
        titles = dict(zip(features.choices, features.titles, strict=True))
        even = {key: tr("Constant in {lower}", lower=_lower(title)) for key, title in titles.items()}
        there = {key: title for key, title in even.items() if NEEDS.get(key, "") in ("", *capabilities)}
        _list(self.speed, {TIMED: tr("As timed by the easing"), **there})
        for name in ("frames", "fps"):
            one = parameters[name]
            with QSignalBlocker(getattr(self, name)):
                getattr(self, name).setRange(round(one.low), round(one.high))
        self.path.setToolTip(parameters["path"].help)
        self._help = parameters["easing"].help
        self.speed.setToolTip(
            tr("Constant: frames are spread so that the picture changes equally fast. Easing has no effect")
        )
        self.frames.setToolTip(parameters["frames"].help)
        self.fps.setToolTip(parameters["fps"].help)

    def show_values(self, values: Mapping[str, object]) -> None:
        """Show settings without emitting signals."""
        for name, value in values.items():
            part = self.buttons["loop"] if name == "loop" else getattr(self, name)
            with QSignalBlocker(part):
                if isinstance(part, QComboBox):
                    part.setCurrentIndex(part.findData(value))
                elif isinstance(part, QSpinBox):
                    part.setValue(int(str(value)))
                else:
                    part.setChecked(bool(value))

    def show_state(
        self, *, segment: tuple[int, int] | None, playing: bool, ready: bool, timed: bool, chosen: bool
    ) -> None:
        """Show the current segment and enable what is possible now.

        `ready` says that there is a path, `chosen` that a key is selected.
        """
        self.segment.setText(
            tr("From key {segment} to key {segment_2}", segment=segment[0], segment_2=segment[1])
            if segment
            else tr("From key to key")
        )
        self.path.setEnabled(segment is not None)
        self.easing.setEnabled(segment is not None and timed)
        self.easing.setToolTip(self._help if timed else tr("Not used at constant speed"))
        for name in ("play", "back", "forward"):
            self.buttons[name].setEnabled(ready)
        self.export.setEnabled(ready)
        self.buttons["remove"].setEnabled(chosen)
        play = self.buttons["play"]
        play.setAccessibleName(tr("Pause") if playing else tr("Play"))
        play.setToolTip(tr("Pause (Space)") if playing else tr("Play (Space)"))
        icon = "pause" if playing else "play"
        if play.property("icon-name") != icon:
            play.setProperty("icon-name", icon)
            play.setIcon(theme.icon(icon))

    def _connect(self) -> None:
        for name, button in self.buttons.items():
            if name != "loop":
                button.clicked.connect(lambda _=False, name=name: self.pressed.emit(name))
        self.buttons["loop"].clicked.connect(lambda on: self.changed.emit("loop", on))
        for name in ("path", "easing", "speed"):
            box: QComboBox = getattr(self, name)
            box.activated.connect(lambda row, name=name, box=box: self.changed.emit(name, box.itemData(row)))
        for name in ("frames", "fps"):
            spin: QSpinBox = getattr(self, name)
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(lambda value, name=name: self.changed.emit(name, value))
        for kind, title in EXPORTS.items():
            action = QAction(title, self)
            action.triggered.connect(lambda _=False, kind=kind: self.pressed.emit(kind))
            self.export.menu().addAction(action)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(2)
        for name in ("play", "back", "forward", "loop", "add", "remove"):
            top.addWidget(self.buttons[name])
        top.addStretch(1)
        top.addWidget(self.export)
        grid = QGridLayout()
        grid.setHorizontalSpacing(GAP)
        grid.setVerticalSpacing(GAP // 2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.segment, 0, 0, 1, 2)
        for row, (text, box) in enumerate(
            ((tr("Path"), self.path), (tr("Easing"), self.easing), (tr("Speed"), self.speed)), 1
        ):
            label = QLabel(text)
            label.setBuddy(box)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            grid.addWidget(label, row, 0)
            grid.addWidget(box, row, 1)
        length = QHBoxLayout()
        length.setSpacing(GAP)
        for text, spin in (("", self.frames), (tr("a second"), self.fps)):
            length.addWidget(spin, 1)
            if text:
                length.addWidget(QLabel(text))
        label = QLabel(tr("Frames"))
        label.setBuddy(self.frames)
        grid.addWidget(label, 4, 0)
        grid.addLayout(length, 4, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP // 2)
        column.addLayout(top)
        column.addLayout(grid)
        column.addStretch(1)

    def _restyle(self) -> None:
        for button in self.buttons.values():
            button.setIcon(theme.icon(str(button.property("icon-name"))))


def _list(box: QComboBox, titles: Mapping[str, str]) -> None:
    with QSignalBlocker(box):
        box.clear()
        for value, title in titles.items():
            box.addItem(title, value)


def _lower(title: str) -> str:
    return title[0].lower() + title[1:]


def _button(icon: str, hint: str) -> QToolButton:
    button = QToolButton()
    button.setAccessibleName(hint.partition(" (")[0].partition(":")[0])
    button.setToolTip(hint)
    button.setAutoRaise(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setIconSize(QSize(ICON_PX, ICON_PX))
    button.setProperty("icon-name", icon)
    button.setIcon(theme.icon(icon))
    return button
