"""The Discriminator panel: how real a GAN's discriminator rates the picture, among samples and real ones."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.panels.base import GAP, Panel
from viewer.presenters import latent_code
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.histogram import TwoHistograms
from viewer.widgets.controls.elided_label import ElidedLabel
from viewer.widgets.controls.wrapped_label import WrappedLabel

WAITING = tr("Waiting for the answer…")
SCALE = tr("The score has no absolute scale: only its rank among others means something.")


class CriticPanel(Panel):
    """The score, its rank, and the distributions of the scores of samples and of real pictures."""

    id: ClassVar[str] = "critic"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words = WrappedLabel(tr("What the discriminator says"))
        self.words.setText(WAITING)
        self.spread = TwoHistograms(
            tr("Scores of the discriminator"), (tr("Samples"), tr("Real pictures"), tr("This picture"))
        )
        self.remark = WrappedLabel(tr("About the score"))
        self.remark.setText(SCALE)
        self.remark.setProperty("small", True)
        self.folder = ElidedLabel()
        self.choose = QPushButton(tr("Choose…"))
        self.choose.setAccessibleName(tr("Choose real pictures"))
        self.choose.setToolTip(tr("A folder of real pictures, ideally those the model was trained on"))
        self.choose.clicked.connect(lambda: self.command_wanted.emit("latent-reals"))
        foot = QHBoxLayout()
        foot.addWidget(self.folder, 1)
        foot.addWidget(self.choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.words, self.spread, self.remark):
            column.addWidget(part)
        column.addLayout(foot)
        column.addStretch(1)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the score while the panel is in view."""
        if "critic" not in document.view.inside:
            return None
        truncation = document.values("decode").get("truncation", 0.0)
        extra = {"code": document.latent.code, "folder": latent_code.real_folder(document), "truncation": truncation}
        return request_plan.about("critic", document, description, extra=extra)

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the name of the folder with real pictures."""
        self.folder.setText(latent_code.real_words(document))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the score among the others."""
        if slot != self.id:
            return
        meta, score = result.meta, float(result.arrays["score"][0])
        sentences = [
            tr(
                "Score {score:.3f}: higher than {percentile:.0f} % of the samples",
                score=score,
                percentile=meta["percentile"],
            )
        ]
        if "real_percentile" in meta:
            sentences.append(
                tr(
                    "and than {real_percentile:.0f} % of {among:,} real pictures",
                    real_percentile=meta["real_percentile"],
                    among=meta["among"],
                )
            )
        self.words.setText(" ".join(sentences) + ".")
        self.spread.show_values(result.arrays["samples"], result.arrays["reals"], mark=score)

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show the reason in the panel; keep the last result."""
        if slot != self.id or failure.cancelled:
            return None
        self.words.setText(failure.text)
        return True


PANEL = CriticPanel
