"""The Augmentation panel: what training makes of the picture, with its boxes and what is left of each."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.panels.base import GAP, SearchPanel
from viewer.presenters import augmentation as presenter
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.picture_label import PictureLabel
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "augmentation"
INVITATION = tr(
    "Open a picture, with its ground truth if there is any: here is what mosaic, CutMix, MixUp and others make of it "
    "and of its boxes."
)
TABLE_PX = 140


class AugmentationPanel(SearchPanel):
    """The varied picture with its boxes, what is left of each, and the settings."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -6
    settings_title: ClassVar[str] = tr("What is done to the picture")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("Waiting for the answer…")
    folders: ClassVar[tuple[str, ...]] = ("folder",)
    elsewhere: ClassVar[tuple[str, ...]] = ("truth",)
    shares_titles: ClassVar[bool] = True

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "folder": FolderRow(
                tr("Pictures"),
                empty=tr("Beside the picture"),
                help_text=tr("Where the pictures for mosaic, CutMix and MixUp come from"),
                clears=True,
            )
        }
        self.again = QPushButton(tr("Draw again"))
        self.again.clicked.connect(self._draw_again)
        self.open = QPushButton(tr("Open ground truth…"))
        self.open.setAccessibleName(tr("Open ground truth for the augmentation"))
        self.open.clicked.connect(lambda: self.command_wanted.emit("open-truth"))
        buttons = QWidget()
        line = QHBoxLayout(buttons)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(GAP)
        for button in (self.again, self.open):
            button.setAutoDefault(False)
            line.addWidget(button)
        line.addStretch(1)
        self.before = PictureLabel(tr("The picture before"))
        self.after = PictureLabel(tr("The picture after"))
        self.difference = PictureLabel(tr("Difference, 20 times as large"))
        self.table = Cells(tr("What is left of each box"), (tr("Class"), tr("Picture"), tr("Left"), tr("Weight")))
        self.table.setFixedHeight(TABLE_PX)
        self.about = WrappedLabel(tr("About the pictures"), small=True)
        self.about.setText(tr("Picture 0 is this one. Boxes of which less than 30 % is left are red."))
        parts = (buttons, self.after, self.difference, self.settings, self.table, self.about, self.before)
        self.arrange(parts, command=INSPECTION)
        self.settings.set_open(True)
        theme.changes().connect(self._paint)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the variation while the panel is in view."""
        return request_plan.in_view(request_plan.ask_with_truth, INSPECTION, document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and the button that opens ground truth where there is none."""
        super().refresh(document, description)
        self.open.setVisible(document.truth is None)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the variation."""
        super().show_result(slot, request, result)
        if slot == self.id:
            self.table.take(presenter.rows(result))
            self._paint()

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the pictures where there are any."""
        fooled = result is not None and "difference" in result.arrays
        for part in (self.before, self.after, self.table, self.about, self.again):
            part.setVisible(result is not None)
        self.difference.setVisible(fooled)
        if result is not None:
            method = str(result.meta["method"])
            self.again.setVisible(method in ("mosaic", "cutmix", "mixup", "colour", "crop"))
            self.about.setVisible(not fooled)
        self.after.set_faded(not fresh)

    def _paint(self) -> None:
        if self._answer is None:
            return
        result = self._answer[1]
        self.after.show_pixels(presenter.after(result))
        self.before.show_pixels(presenter.before(result))
        if "difference" in result.arrays:
            self.difference.show_pixels(result.arrays["difference"])

    def _draw_again(self) -> None:
        self._set("seed", int(self.store.document.values(INSPECTION).get("seed", 0)) + 1)


PANEL = AugmentationPanel
