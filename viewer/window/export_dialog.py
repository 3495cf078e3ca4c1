"""The dialog for exporting a figure: what belongs to it, its size, its files, and a preview of what will be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from models.types import Refusal
from viewer.export import figure
from viewer.export.figure import KINDS, MOST_PX, Content, Options
from viewer.translation import tr, trn
from viewer.widgets.controls.wrapped_label import WrappedLabel

GAP = 8
LEAST_PREVIEW = QSize(280, 220)
SIZE_PX = (920, 520)
WAIT_MS = 60
MOST_PRESETS = 20
KEY, LAST, PRESETS = "figures", "last", "presets"
PARTS = {
    "bar": (tr("Colour bar"), tr("The scale of each map, below the picture")),
    "caption": (tr("Caption"), tr("Model, method, target, layer, scale, picture and date")),
    "legend": (tr("Legend"), tr("What the colours mean, where it stands on the canvas")),
    "frames": (tr("Selection frames"), tr("The frames around what is selected, explained or asked about")),
}
SIZES = {
    "own": tr("The picture's own"),
    "double": tr("Twice the picture's own"),
    "px": tr("Width in pixels"),
    "cm": tr("Width in centimetres"),
}
OWN: Mapping[str, Options] = {
    tr("As the picture"): Options(),
    tr("Picture alone"): Options(bar=False, caption=False, legend=False, frames=False),
    tr("Column of a paper"): Options(size="cm", width_cm=8.4, dpi=300, kinds=("pdf", "svg")),
    tr("Slide"): Options(size="px", width_px=1920),
}
CHANGED = tr("Changed")
NONE = tr("Choose at least one kind of file")


class ExportDialog(QDialog):
    """Shows a figure with its options; `write` is called with folder, name and options, and says whether it succeeded.

    `kept` is the dictionary in which the last options and the user's presets are stored.
    """

    def __init__(
        self,
        content: Content,
        place: Path,
        *,
        kept: dict[str, Any],
        write: Callable[[Path, str, Options], bool],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Export picture"))
        self.resize(*SIZE_PX)
        self._content, self._kept, self._write = content, kept, write
        self.options = Options.of(kept.get(LAST))
        self._make_options()
        self._make_ends(place)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(WAIT_MS)
        self._later.timeout.connect(self._draw)
        self._lay_out()
        self._list_presets()
        self._show()

    @property
    def presets(self) -> dict[str, Options]:
        """The program's presets and the user's, by name."""
        own = self._kept.get(PRESETS)
        mine = {str(name): Options.of(value) for name, value in own.items()} if isinstance(own, dict) else {}
        return {**OWN, **dict(list(mine.items())[:MOST_PRESETS])}

    def accept_preset(self, name: str) -> None:
        """Keep the options under a name."""
        mine = self._kept.get(PRESETS)
        mine = self._kept[PRESETS] = mine if isinstance(mine, dict) else {}
        mine[name] = asdict(self.options)
        self._list_presets()

    # internals

    def _make_options(self) -> None:
        """Make the preview and the controls of the options."""
        self.preview, self.size_text, self.files_text = (
            QLabel(),
            WrappedLabel(tr("Size of the figure"), small=True),
            WrappedLabel(tr("Files"), small=True),
        )
        self.preview.setAccessibleName(tr("Preview of the figure"))
        self.preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.preview.setMinimumSize(LEAST_PREVIEW)
        self.preview.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.preset = QComboBox()
        self.preset.setAccessibleName(tr("Preset"))
        self.preset.activated.connect(self._take_preset)
        self.keep = _button(tr("Keep…"), tr("Keep these options under a name"), self._keep_preset)
        self.remove = _button(tr("Remove"), tr("Remove the chosen preset of yours"), self._remove_preset)
        self.parts = {name: QCheckBox(title) for name, (title, _) in PARTS.items()}
        for name, box in self.parts.items():
            box.setToolTip(PARTS[name][1])
            box.clicked.connect(self._read)
        self.kinds = {kind: QCheckBox(kind.upper()) for kind in KINDS}
        for box in self.kinds.values():
            box.clicked.connect(self._read)
        self.size_box = QComboBox()
        self.size_box.setAccessibleName(tr("Size"))
        for key, title in SIZES.items():
            self.size_box.addItem(title, key)
        self.size_box.activated.connect(self._read)
        self.px, self.cm, self.dpi = QSpinBox(), QDoubleSpinBox(), QSpinBox()
        self.px.setRange(16, MOST_PX)
        self.px.setSuffix(" px")
        self.cm.setRange(1.0, 100.0)
        self.cm.setDecimals(1)
        self.cm.setSuffix(" cm")
        self.dpi.setRange(50, 1200)
        self.dpi.setSuffix(" dpi")
        for box, name in (
            (self.px, tr("Width in pixels")),
            (self.cm, tr("Width in centimetres")),
            (self.dpi, tr("Dots per inch")),
        ):
            box.setAccessibleName(name)
            box.setKeyboardTracking(False)
            box.valueChanged.connect(self._read)

    def _make_ends(self, place: Path) -> None:
        """Make the lines for folder and name, and the buttons."""
        self.folder, self.name = QLineEdit(str(place.parent)), QLineEdit(place.name)
        self.folder.setAccessibleName(tr("Folder"))
        self.name.setAccessibleName(tr("Name of the files"))
        for line in (self.folder, self.name):
            line.textChanged.connect(self._update_text)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.export = QPushButton(tr("Export"))
        self.export.setDefault(True)
        self.copy = QPushButton(tr("Copy"))
        self.copy.setToolTip(tr("Copy the figure as an image"))
        self.buttons.addButton(self.export, QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.addButton(self.copy, QDialogButtonBox.ButtonRole.ActionRole)
        self.buttons.accepted.connect(self._export)
        self.buttons.rejected.connect(self.reject)
        self.copy.clicked.connect(self._copy)

    def _read(self) -> None:
        """Take the options from the controls."""
        self.options = Options(
            **{name: box.isChecked() for name, box in self.parts.items()},
            size=str(self.size_box.currentData()),
            width_px=self.px.value(),
            width_cm=self.cm.value(),
            dpi=self.dpi.value(),
            kinds=tuple(kind for kind, box in self.kinds.items() if box.isChecked()),
        )
        self._show()

    def _show(self) -> None:
        """Show the options in the controls, and draw the preview soon."""
        options = self.options
        for name, box in self.parts.items():
            box.setChecked(getattr(options, name))
        self.parts["bar"].setEnabled(bool(self._content.legend.scales))
        self.parts["legend"].setEnabled(bool(self._content.legend.entries))
        for kind, box in self.kinds.items():
            box.setChecked(kind in options.kinds)
        self.size_box.setCurrentIndex(self.size_box.findData(options.size))
        for box, value, size in ((self.px, options.width_px, "px"), (self.dpi, options.dpi, "cm")):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
            box.setVisible(options.size == size)
        self.cm.blockSignals(True)
        self.cm.setValue(options.width_cm)
        self.cm.blockSignals(False)
        self.cm.setVisible(options.size == "cm")
        name = next((name for name, preset in self.presets.items() if preset == options), "")
        self.preset.setCurrentIndex(self.preset.findData(name))
        self.remove.setEnabled(bool(name) and name not in OWN)
        self._update_text()
        self._later.start()

    def _update_text(self) -> None:
        """Say how large the figure is and which files it makes."""
        try:
            self.size_text.setText(figure.measures(self._content, self.options))
            fits = True
        except Refusal as refusal:
            self.size_text.setText(f"{refusal} {refusal.advice}")
            fits = False
        folder, name = Path(self.folder.text()).expanduser(), self.name.text().strip()
        names = [f"{name}.{kind}" for kind in self.options.kinds]
        there = [each for each in names if name and (folder / each).exists()]
        text = (
            trn("{names} and its recipe", "{names} and their recipe", len(names), names=", ".join(names))
            if names
            else NONE
        )
        text += tr(". Replaces {there}", there=", ".join(there)) if there else ""
        self.files_text.setText(text)
        self.export.setEnabled(fits and bool(name and names and self.folder.text().strip()))
        self.copy.setEnabled(fits)

    def _draw(self) -> None:
        """Draw the preview, laid out as the files will be."""
        try:
            room = self.preview.size() * self.devicePixelRatioF()
            made = figure.image(self._content, self.options, within=room)
        except Refusal:
            self.preview.setPixmap(QPixmap())
            return
        made.setDevicePixelRatio(self.devicePixelRatioF())
        self.preview.setPixmap(QPixmap.fromImage(made))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._later.start()

    def _take_preset(self, index: int) -> None:
        found = self.presets.get(str(self.preset.itemData(index)))
        if found is not None:
            self.options = found
            self._show()

    def _keep_preset(self) -> None:
        name, given = QInputDialog.getText(self, tr("Keep these options"), tr("Name"))
        if given and name.strip() and name.strip() not in OWN:
            self.accept_preset(name.strip())
            self._show()

    def _remove_preset(self) -> None:
        mine = self._kept.get(PRESETS)
        if isinstance(mine, dict):
            mine.pop(str(self.preset.currentData()), None)
        self._list_presets()
        self._show()

    def _list_presets(self) -> None:
        self.preset.clear()
        for name in self.presets:
            self.preset.addItem(name, name)
        self.preset.setPlaceholderText(CHANGED)

    def _browse(self) -> None:
        name = QFileDialog.getExistingDirectory(self, tr("Folder for the figure"), self.folder.text())
        if name:
            self.folder.setText(name)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setImage(figure.image(self._content, self.options))
        self._kept[LAST] = asdict(self.options)
        self.files_text.setText(tr("Copied."))

    def _export(self) -> None:
        self._kept[LAST] = asdict(self.options)
        folder = Path(self.folder.text().strip()).expanduser()
        if self._write(folder, self.name.text().strip(), self.options):
            self.accept()

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.addWidget(self.preview, 1)
        left.addWidget(self.size_text)
        parts, kinds, size, presets, place = (QHBoxLayout() for _ in range(5))
        form = QFormLayout()
        form.setSpacing(GAP)
        presets.addWidget(self.preset, 1)
        for part in (self.keep, self.remove):
            presets.addWidget(part)
        column = QVBoxLayout()
        for box in self.parts.values():
            column.addWidget(box)
        parts.addLayout(column)
        for box in self.kinds.values():
            kinds.addWidget(box)
        kinds.addStretch(1)
        size.addWidget(self.size_box, 1)
        for box in (self.px, self.cm, self.dpi):
            size.addWidget(box)
        place.addWidget(self.folder, 1)
        place.addWidget(_button(tr("Browse…"), tr("Choose a folder"), self._browse))
        for title, row in (
            (tr("Preset"), presets),
            (tr("With"), parts),
            (tr("Size"), size),
            (tr("Files"), kinds),
            (tr("Folder"), place),
        ):
            form.addRow(title, row)
        form.addRow(tr("Name"), self.name)
        form.addRow("", self.files_text)
        self.folder.setMinimumWidth(200)
        right = QVBoxLayout()
        right.addLayout(form)
        right.addStretch(1)
        both = QHBoxLayout()
        both.setSpacing(2 * GAP)
        both.addLayout(left, 1)
        both.addLayout(right)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        whole.addLayout(both, 1)
        whole.addWidget(self.buttons)


def _button(text: str, help_text: str, run: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(help_text)
    button.setAutoDefault(False)
    button.clicked.connect(run)
    return button
