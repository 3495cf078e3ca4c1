"""The De-identify panel: what a detector finds, hidden in a preview and in exported copies of a folder's pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtWidgets import QCheckBox, QProgressBar, QPushButton

from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Failure, Result, Source
from viewer.canvas.layers import Layer, Overlay
from viewer.engine_texts import all_shown, shown
from viewer.panels.base import STOPPED, SearchPanel
from viewer.session import request_plan
from viewer.session.deidentification import GO, INSPECTION, LOOK, SLOT, folder_of
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wanted
from viewer.translation import tr
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel

OWN = ("classes", "shape", "margin", "way", "colour", "strength", "empty", "format")
OF_DETECTION = ("score", "iou", "method", "sigma", "agnostic", "groups", "max_detections", "rpn_score", "rpn_iou")
OF_DETECTION += ("rpn_top_n", "class_scores", "hidden", "suppressed")
NOT_SHARED = ("max_detections", "suppressed")  # of detection's settings: nobody stays visible for being one too many
INVITATION = tr("Open a picture of people to see it as its copy will look, and then export its whole folder.")
OVER = "over"


class DeidentifyPanel(SearchPanel):
    """The settings, a preview over the open picture, and the export of a folder with its progress.

    Thresholds are those of the Detection panel, so that what is hidden is what is drawn there.
    """

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -9
    settings_title: ClassVar[str] = tr("How it is hidden")
    waiting: ClassVar[str] = tr("Looking for what is to be hidden…")
    folders: ClassVar[tuple[str, ...]] = ("folder",)
    elsewhere: ClassVar[tuple[str, ...]] = (*OF_DETECTION, "collect")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "folder": FolderRow(
                tr("Pictures"),
                empty=tr("None chosen"),
                help_text=tr(
                    "The folder whose pictures are copied; by itself the open data set, or the picture's folder"
                ),
                clears=True,
            )
        }
        self.over = QCheckBox(tr("Preview on the picture"))
        self.over.setToolTip(tr("Show the open picture as its copy will look"))
        self.over.setChecked(True)
        self.over.toggled.connect(self._remember)
        self.export = QPushButton(tr("Export folder…"))
        self.export.setToolTip(tr("Copies of all pictures with what is found in them hidden, and a report"))
        self.stop = QPushButton(tr("Stop"))
        self.stop.setToolTip(tr("What is done stays; the next export into the same folder goes on"))
        self.open_button = QPushButton(tr("Open the folder"))
        for button, command in (
            (self.export, "export-deidentified"),
            (self.stop, "stop-deidentified"),
            (self.open_button, "open-deidentified"),
        ):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, command=command: self.command_wanted.emit(command))
        self.progress = QProgressBar()
        self.progress.setAccessibleName(tr("Pictures of the folder"))
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.state = WrappedLabel(tr("How far the export is"))
        self.notes = WrappedLabel(tr("What to know about it"), small=True)
        self._memory: dict[str, Any] = {}
        parts = (
            self.over,
            self.settings,
            self.export,
            self.progress,
            self.state,
            self.stop,
            self.open_button,
            self.notes,
        )
        self.arrange(parts, command=INSPECTION)
        self.settings.set_open(True)
        self.show_export("")

    @staticmethod
    def wants(document: Document, description: Description | None) -> Wanted:
        """Request the preview while the panel is in view, and the folder's pictures while an export is going on."""
        if description is None:
            return {}
        shared = request_plan.given(document, "detect", description)
        extra: dict[str, Value] = {name: value for name, value in shared.items() if name not in NOT_SHARED}
        extra |= {k: v for k, v in request_plan.given(document, INSPECTION, description).items() if k in OWN}
        wanted = {}
        source, folder = document.source, folder_of(document)
        still = source is not None and source.frame < 0 and not source.moving
        if INSPECTION in document.view.inside and still:
            wanted[INSPECTION] = request_plan.ask(INSPECTION, document, description, extra=extra)
        if document.values(INSPECTION).get(LOOK) == GO and folder:
            about = Source.file(folder)
            wanted[SLOT] = request_plan.ask(INSPECTION, document, description, extra=extra, source=about)
        return {slot: request for slot, request in wanted.items() if request is not None}

    def invitation(self) -> str:
        """Return what to do first."""
        return INVITATION

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the folder and the settings."""
        super().refresh(document, description)
        folder = folder_of(document)
        self.rows["folder"].show_path(folder)
        self.export.setEnabled(bool(folder) and description is not None)

    def recall(self, memory: dict[str, Any]) -> None:
        """Take whether the preview is painted."""
        self._memory = memory
        self.over.setChecked(bool(memory.get(OVER, True)))

    def layers(self, document: Document) -> list[Layer]:
        """Paint the picture as its copy will look."""
        if self._answer is None or not self.over.isChecked() or INSPECTION not in document.view.inside:
            return []
        request, result = self._answer
        if request.source != document.source:
            return []
        height, width = result.arrays["picture"].shape[:2]
        return [Overlay(INSPECTION, result.arrays["picture"], (0.0, 0.0, float(width), float(height)))]

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the preview, or how far the folder is."""
        super().show_result(slot, request, result)
        if slot == SLOT:
            meta = result.meta
            self.show_progress(meta["collected"] + meta["failed"], meta["of"])
            self.state.setText(shown(str(meta["text"])))
        elif slot == self.id:
            self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there is no preview, or why the export ended."""
        if slot != SLOT:
            return super().show_failure(slot, failure)
        self.command_wanted.emit("stop-deidentified")
        self.show_export(STOPPED if failure.cancelled else failure.text)
        return True

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show what to know of this way to hide."""
        self.notes.setText(" ".join(all_shown(result.meta["notes"])) if result is not None else "")
        self.over.setVisible(result is not None)
        if result is None:
            self.layers_changed.emit()

    def show_progress(self, done: int, of: int) -> None:
        """Show how many pictures are done while an export goes on."""
        self.progress.setRange(0, max(1, of))
        self.progress.setValue(done)
        for part in (self.progress, self.stop, self.state):
            part.setVisible(True)
        self.export.setVisible(False)
        self.open_button.setVisible(False)

    def show_export(self, text: str, folder: Path | None = None) -> None:
        """Show that no export goes on: what became of the last one, and the `folder` it wrote into."""
        self.state.setText(text)
        self.state.setVisible(bool(text))
        self.progress.setVisible(False)
        self.stop.setVisible(False)
        self.export.setVisible(True)
        self.open_button.setVisible(folder is not None)
        self.open_button.setToolTip(str(folder or ""))

    def _remember(self, on: bool) -> None:
        self._memory[OVER] = on
        self.layers_changed.emit()


PANEL = DeidentifyPanel
