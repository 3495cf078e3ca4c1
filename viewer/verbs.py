"""What commands do in a window: open, export, copy, paste, toggle. One method an action; the table is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox

from models.files import MODEL_SUFFIXES
from models.images import PICTURE_SUFFIXES
from models.requests import Request
from models.truth.types import Truth
from models.types import Refusal, Result
from viewer import theme
from viewer.canvas.painter import render
from viewer.export import answers, two_models
from viewer.panels.figures import FiguresPanel
from viewer.panels.results import ResultsPanel
from viewer.window import dropped_data, model_prompts
from viewer.window.model_zoo import ZooDesk

if TYPE_CHECKING:
    from viewer.window.main_window import Window


class Verbs:
    """The actions of one window."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.zoo = ZooDesk(window)

    @property
    def busy(self) -> bool:
        """Whether work goes on that can be cancelled."""
        session = self.window.session
        return session.jobs.busy or session.truths.reading or self.zoo.busy

    def ask_pictures(self) -> None:
        """Ask for pictures to open."""
        kinds = " ".join(f"*{suffix}" for suffix in sorted(PICTURE_SUFFIXES))
        names, _ = QFileDialog.getOpenFileNames(
            self.window, "Open pictures", self.window.settings.last_folder, f"Pictures ({kinds})"
        )
        if names:
            self.window.settings.last_folder = str(Path(names[0]).parent)
            self.window.session.open_paths(names)

    def ask_folder(self) -> None:
        """Ask for a folder of pictures to open."""
        name = QFileDialog.getExistingDirectory(self.window, "Open folder", self.window.settings.last_folder)
        if name:
            self.window.settings.last_folder = name
            self.window.session.open_paths([name])

    def ask_truth(self) -> None:
        """Ask for a file of ground truth to open."""
        kinds = "COCO (*.json);;YOLO (*.yaml *.yml);;Pascal VOC split (*.txt)"
        name, _ = QFileDialog.getOpenFileName(self.window, "Open ground truth", self.window.settings.last_folder, kinds)
        if name:
            self.window.settings.last_folder = str(Path(name).parent)
            self.window.session.truths.open(name)

    def ask_truth_folder(self) -> None:
        """Ask for a folder with ground truth to open."""
        name = QFileDialog.getExistingDirectory(
            self.window, "Open folder with ground truth", self.window.settings.last_folder
        )
        if name:
            self.window.settings.last_folder = name
            self.window.session.truths.open(name)

    def tell_truth(self) -> None:
        """Say what was imported of the ground truth and what was not, and bring its panel to the front."""
        truth = self.window.session.truth
        if truth is not None:
            left_out = f"; {truth.omitted:,} left out" if truth.omitted else ""
            text = f"Imported {len(truth.pictures):,} pictures, {truth.boxes:,} boxes{left_out}."
            severity = "warning" if truth.omitted or truth.remarks else "success"
            self.window.docks.show("truth")
            self.window.tell(text, details="\n".join(truth.told), severity=severity, key="truth")

    def show_truth(self, truth: Truth | None) -> None:
        """Hand the ground truth that is open now to the panels."""
        if truth is not None:
            self.window.panels.with_truth()
        for panel in self.window.panels.built:
            panel.show_truth(truth)
        self.window.refresh()
        self.window.repaint_layers()

    def ask_model(self) -> None:
        """Ask for a file to open as the model: weights, an exported program, or code."""
        kinds = " ".join(f"*{suffix}" for suffix in sorted(MODEL_SUFFIXES))
        name, _ = QFileDialog.getOpenFileName(
            self.window, "Open a model", self.window.settings.last_folder, f"Models ({kinds})"
        )
        if Path(name).suffix.lower() == ".py":
            model_prompts.open_code(self.window, name)
        elif name:
            self.window.session.open_model(name)

    def ask_export(self, kind: str) -> None:
        """Ask where to, and export what is on screen as one kind of file, with its recipe."""
        found = self.answer_for(kind)
        if found is None:
            return
        request, _ = found
        begin = Path(self.window.settings.last_folder or Path.home()) / f"{request.stem}.{kind}"
        name, _ = QFileDialog.getSaveFileName(self.window, "Export", str(begin), f"*.{kind}")
        if name:
            self.export_to(Path(name), kind)

    def answer_for(self, kind: str) -> tuple[Request, Result] | None:
        """Return the answer that a kind of file is written from, with what it answers, None where there is none.

        A picture shows all that is on screen, and its recipe is that of the map, where one is shown.
        """
        slots = {
            "png": ("generated", "attribution", "detect", "classify", "segment"),
            "svg": ("attribution", "detect", "classify", "segment"),
            "json": ("generated", "detect", "classify", "segment"),
            "npy": ("generated", "attribution"),
            "map.json": ("attribution",),
        }
        results = self.window.session.results
        return next((results[slot] for slot in slots.get(kind, ("detect",)) if slot in results), None)

    def export_to(self, path: Path, kind: str) -> list[Path]:
        """Write what is on screen to `path`, its recipe beside it, and say so."""
        found, pixels = self.answer_for(kind), self.window.canvas.pixels
        assert found is not None
        assert pixels is not None
        request, result = found
        self.window.settings.last_folder = str(path.parent)
        name = path.name.removesuffix(f".{kind}")
        try:
            written = answers.write(
                path.parent, request, result, pixels, kinds=[kind], layers=self.window.layers(), name=name
            )
        except Refusal as refusal:
            self.window.tell(f"{refusal} {refusal.advice}", severity="error")
            return []
        self.window.tell(f"Exported {written[0].name} with its recipe.", severity="success", key="export")
        return written

    def ask_figures(self) -> None:
        """Ask where to write the figures of the data set: JSON, or the curves as CSV."""
        shown = self.figures
        if shown is None:
            return
        begin = Path(self.window.settings.last_folder) / f"{shown[0].stem}.json"
        kinds = "Figures (*.json);;Precision-recall curves (*.csv)"
        name, _ = QFileDialog.getSaveFileName(self.window, "Export figures", str(begin), kinds)
        if name:
            self.export_figures(Path(name))

    def export_figures(self, path: Path) -> list[Path]:
        """Write the figures on screen to `path`, its recipe beside it, and say so."""
        shown = self.figures
        if shown is None:
            return []
        kind = "csv" if path.suffix.lower() == ".csv" else "json"
        self.window.settings.last_folder = str(path.parent)
        try:
            written = answers.write_figures(path.parent, *shown, kinds=[kind], name=path.name.removesuffix(f".{kind}"))
        except Refusal as refusal:
            self.window.tell(f"{refusal} {refusal.advice}", severity="error")
            return []
        self.window.tell(f"Exported {written[0].name} with its recipe.", severity="success", key="export")
        return written

    @property
    def figures(self) -> tuple[Request, Result] | None:
        """The figures of a data set that are shown, with what they answer."""
        panel = self.window.panels.there("figures")
        return panel.shown if isinstance(panel, FiguresPanel) else None

    def copy_image(self) -> None:
        """Copy the picture with its overlay at its own resolution."""
        pixels = self.window.canvas.pixels
        if pixels is not None:
            panes = self.window.panes
            image = two_models.picture(panes.sides()) if panes.on else render(pixels, self.window.layers())
            QGuiApplication.clipboard().setImage(image)
            self.window.tell("Copied the picture with its overlay.", key="copy")

    def copy_view(self) -> None:
        """Copy what the canvas shows."""
        panes = self.window.panes
        QGuiApplication.clipboard().setImage(panes.image() if panes.on else self.window.canvas.grab_image())
        self.window.tell("Copied the view.", key="copy")

    def copy_table(self) -> None:
        """Copy the detections as tab-separated text."""
        panel = self.window.panels["results"]
        assert isinstance(panel, ResultsPanel)
        QGuiApplication.clipboard().setText(panel.text)
        self.window.tell("Copied the detections as text.", key="copy")

    def paste(self) -> None:
        """Open what is on the clipboard: a picture, or paths."""
        if not self.open_data(QGuiApplication.clipboard().mimeData()):
            pasted = QGuiApplication.clipboard().text().strip()
            if pasted and "\n" not in pasted and ("/" in pasted or "\\" in pasted):
                text = f"{pasted[:200]} is not there. Copy the path of a file or folder that is."
            else:
                text = "There is no picture and no path of a file on the clipboard. Copy one first."
            self.window.tell(text, severity="warning", key="paste")

    def open_data(self, data: QMimeData) -> bool:
        """Open what was pasted or dropped; tell whether there was anything to open."""
        paths: Sequence[str | Path] = dropped_data.paths_in(data)
        try:
            if not paths and (path := dropped_data.pasted_picture(data, self.window.settings.folder / "pasted")):
                paths = [path]
        except Refusal as refusal:
            self.window.tell(f"{refusal} {refusal.advice}", severity="error")
            return True
        code = [path for path in paths if Path(path).suffix.lower() == ".py"]
        if code:
            model_prompts.open_code(self.window, str(code[0]))
        if pictures := self.window.sessions.take([path for path in paths if path not in code]):
            self.window.session.open_paths(pictures)
        return bool(paths)

    def deselect(self) -> None:
        """Select no box."""
        self.window.session.store.update(self.window.session.store.document.with_selected(-1))

    def cancel(self) -> None:
        """Stop what the engine works on; else select nothing, take the rectangle away, go back to the picture."""
        if self.window.session.truths.reading:
            self.window.session.truths.cancel()
            self.window.tell("Cancelled. No ground truth was read.", key="cancel")
            return
        if self.window.session.jobs.busy:
            self.window.session.jobs.cancel()
            self.window.tell("Cancelled. The last answer stays; F5 asks again.", key="cancel")
            return
        if self.zoo.busy:
            self.zoo.stop()
            self.window.tell("The download is stopped. What came is kept: it goes on from the zoo.", key="cancel")
            return
        self.deselect()
        store = self.window.session.store
        if store.document.region is not None:
            store.update(store.document.with_region(None), title="Clear the rectangle")
        if self.window.has_picture:
            self.window.canvas.setFocus()

    def ask_missed(self) -> None:
        """Show why the object in the rectangle was missed; tell how to draw one where there is none."""
        self.window.docks.show("missed")
        if self.window.session.store.document.region is None:
            text = "Hold Shift and drag a rectangle around an object that was not found."
            self.window.tell(text, key="missed")

    def zoom_to_selection(self) -> None:
        """Show the selected box large, with some room."""
        box = self.window.selected_box
        if box is not None:
            room = max(box.width(), box.height())
            self.window.canvas.zoom_to(box.adjusted(-room, -room, room, room))

    def toggle_panel(self, name: str) -> None:
        """Show or hide a panel."""
        self.window.docks.toggle(name)

    def panel_shown(self, name: str) -> bool:
        """Whether a panel is shown."""
        return not self.window.docks.by_id[name].isHidden()

    def reset_layout(self) -> None:
        """Put every panel back where it was at first."""
        self.window.arrange()

    def set_theme(self, scheme: Any) -> None:
        """Choose and remember a theme."""
        self.window.settings.theme = scheme
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        theme.apply(application, scheme)

    def theme_is(self, scheme: str) -> bool:
        """Whether a theme is chosen."""
        return self.window.settings.theme == scheme

    def toggle_full_screen(self) -> None:
        """Fill the screen, or not any more."""
        self.window.setWindowState(self.window.windowState() ^ Qt.WindowState.WindowFullScreen)

    def toggle_suppressed(self) -> None:
        """Show or hide what suppression removed."""
        document = self.window.session.store.document
        now = bool(document.values("detect").get("suppressed", False))
        self.window.session.store.update(
            document.with_value("detect", suppressed=None if now else True),
            title="Hide suppressed boxes" if now else "Show suppressed boxes",
        )

    def show_card(self) -> None:
        """Show what is known of the model, and what of it can be chosen."""
        self.window.docks.show("model")

    def show_palette(self) -> None:
        """Open the command palette."""
        self.window.palette_overlay.open()

    def show_shortcuts(self) -> None:
        """Open the list of shortcuts."""
        self.window.shortcuts.open()

    def show_about(self) -> None:
        """Say what this is."""
        text = "Vitrine opens a trained vision model and lets you look inside it.\n\nMIT licence."
        QMessageBox.about(self.window, "About Vitrine", text)

    def close_window(self) -> None:
        """Close the window."""
        self.window.close()
