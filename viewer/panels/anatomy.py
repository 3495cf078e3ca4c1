"""The Anatomy panel: a VAE's reconstruction of a picture, the terms of the ELBO, and its posterior over a folder."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer import theme
from viewer.canvas.mosaic import signed, tinted
from viewer.engine_texts import shown
from viewer.panels.base import GAP, FormPanel
from viewer.presenters import latent_code
from viewer.presenters.heatmap import DIVERGING
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wants
from viewer.translation import tr
from viewer.widgets.charts.kl_bars import KLBars
from viewer.widgets.controls.section import Section
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.gallery import Gallery
from viewer.widgets.pictures.map_readout import MapReading

INSPECTION, FOLDER = "elbo", "anatomy.folder"
NO_PICTURE = tr("Drop a picture to see how the model encodes it, and what it loses.")
WAITING = tr("Waiting for the answer…")
BEFORE = tr("{name} was open before this model. It is not encoded until you ask.")
OVER = tr("Over a folder of pictures")
WEAK_NATS, MOST_NATS = 0.05, 1e6


class AnatomyPanel(FormPanel):
    """A picture's reconstruction and difference, its ELBO and IWAE bound, the KL per dimension; a folder's figures."""

    id: ClassVar[str] = "anatomy"
    settings_of: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the bound")
    words_title: ClassVar[str] = tr("State of the anatomy")
    live: ClassVar[bool] = False

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.gallery = Gallery((tr("Picture"), tr("Reconstruction"), tr("Difference")))
        self.reading = MapReading()
        for part in (self.reading.bar, self.reading.value, self.reading.warning):
            part.hide()
        self.bars = KLBars(tr("KL divergence by dimension"))
        self.encode = QPushButton(tr("Encode this picture"))
        self.encode.hide()
        self.go = QPushButton(tr("Go to its code"))
        self.go.setToolTip(tr("The mean of the posterior; opening a picture goes there automatically"))
        self.whole = Section(OVER)
        self.over = QCheckBox(tr("Encode the whole folder"))
        self.verdict = WrappedLabel(tr("What the encoder does over the folder"))
        self._result: Result | None = None
        self._folder: Result | None = None
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        foot = QHBoxLayout()
        foot.addWidget(self.go)
        foot.addStretch(1)
        for part in (self.words, self.encode, self.gallery, self.reading, self.bars):
            column.addWidget(part)
        column.addLayout(foot)
        choose = QPushButton(tr("Choose…"))
        choose.setAccessibleName(tr("Choose real pictures"))
        choose.clicked.connect(lambda: self.command_wanted.emit("latent-reals"))
        line = QHBoxLayout()
        line.addWidget(self.over, 1)
        line.addWidget(choose)
        holder = QWidget()
        holder.setLayout(line)
        line.setContentsMargins(0, 0, 0, 0)
        self.whole.add(holder)
        self.whole.add(self.verdict)
        column.addWidget(self.whole)
        column.addWidget(self.settings)
        column.addStretch(1)
        self.fill(inside, tr("Anatomy"))
        self.go.clicked.connect(self._go_to_code)
        self.encode.clicked.connect(self._encode)
        self.over.toggled.connect(self._encode_all)
        theme.changes().connect(self._show)
        self._show()

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return the slots of the picture's bound and, on demand, of the folder's aggregate posterior."""
        return [(cls.id, cls.wants), (FOLDER, cls.wants_folder)]

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the terms of the bound, also out of view: opening a picture makes its code the current one."""
        if description is None or _waits(document):
            return None
        return request_plan.ask(INSPECTION, document, description)

    @staticmethod
    def wants_folder(document: Document, description: Description | None) -> Request | None:
        """Request the aggregate posterior once the user asked for it."""
        if not document.view.posterior or not latent_code.real_folder(document):
            return None
        return request_plan.about(
            "posterior", document, description, extra={"folder": latent_code.real_folder(document)}
        )

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and what can be requested."""
        super().refresh(document, description)
        with QSignalBlocker(self.over):
            self.over.setChecked(document.view.posterior)
        self.over.setEnabled(bool(latent_code.real_folder(document)))
        if self._folder is None:
            self.verdict.setText(WAITING if document.view.posterior else latent_code.real_words(document))
        if self._result is None:
            waits = _waits(document)
            asked = BEFORE.format(name=document.source.name) if waits and document.source else WAITING
            self.words.setText(asked if document.source else NO_PICTURE)
            self.words.show()
            self.encode.setVisible(waits)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show a picture's terms and make its code the current one, once per picture; or show the folder's figures."""
        if slot == FOLDER:
            self._folder = result
            self._show()
        if slot != self.id:
            return
        self._result = result
        self._show()
        document = self.store.document
        # A code far outside the model's data would drag every slider to its end.
        within = not result.meta["far"]
        if within and document.source == request.source and document.latent.encoded != request.source:
            moved = latent_code.at(document, np.asarray(result.arrays["mu"], np.float32))
            self.store.update(moved.with_latent(encoded=request.source))

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show the reason in the panel; keep the last result."""
        if slot != FOLDER or failure.cancelled:
            return super().show_failure(slot, failure)
        self.verdict.setText(failure.text)
        return True

    def forget(self) -> None:
        """Drop what belongs to the previous picture."""
        self._result = None
        self._show()
        self.refresh(self.store.document, None)

    def _show(self) -> None:
        result, there = self._result, self._result is not None
        for part in (self.gallery, self.reading, self.bars, self.go):
            part.setVisible(there)
        if self._folder is not None:
            self._show_folder(self._folder)
        if result is None:
            return
        arrays, meta = result.arrays, result.meta
        difference = signed(arrays["residual"][None], 1.0, theme.heat_lut(DIVERGING))
        self.gallery.show_tiles([tinted(arrays["target"][None]), tinted(arrays["picture"][None]), difference])
        over = self._folder.arrays["kl"] if self._folder is not None else None
        same = over if over is not None and over.shape == arrays["kl"].shape else None
        self.bars.show_values(arrays["kl"], quiet=arrays["kl"] < WEAK_NATS, other=same)
        scale = tr(" (sigma {sigma:g})", sigma=meta["sigma"]) if "sigma" in meta else ""
        self.reading.set_facts(
            [
                ("ELBO", f"{nats(meta['elbo'])} nats"),
                ("IWAE", f"{nats(meta['iwae'])} nats"),
                (tr("Bits a value"), f"{meta['bits_per_value']:.4g}"),
                (tr("Effective samples"), tr("{ess:.1f} of {samples:,}", ess=meta["ess"], samples=meta["samples"])),
                (tr("Reconstruction"), f"{nats(meta['rec'])} nats"),
                (tr("KL divergence"), f"{nats(meta['kl_total'])} nats"),
                (tr("Likelihood"), f"{str(meta['likelihood']).capitalize()}{scale}"),
            ]
        )
        self.reading.set_warning(meta["outside"])
        self.words.setText(" ".join(map(shown, filter(None, (meta["note"], meta.get("typical", ""))))))
        self.words.setVisible(bool(self.words.text()))
        self.encode.hide()

    def _show_folder(self, result: Result) -> None:
        meta, active = result.meta, int(result.arrays["active"].sum())
        low, high = meta["band"]
        sentences = [
            shown(meta["verdict"]),
            tr(
                "Active units: {active} of {active_2} (variance over 0.01).",
                active=active,
                active_2=len(result.arrays["active"]),
            ),
        ]
        sentences.append(
            tr(
                "{count:,} pictures; codes {norm:.2f} long, 95 % from {low:.2f} to {high:.2f}.",
                count=meta["count"],
                norm=meta["norm"],
                low=low,
                high=high,
            )
        )
        self.verdict.setText("\n".join(sentences))

    def _go_to_code(self) -> None:
        if self._result is not None:
            code = np.asarray(self._result.arrays["mu"], np.float32)
            self.store.update(latent_code.at(self.store.document, code), title=tr("Go to the picture's code"))

    def _encode(self) -> None:
        self.store.update(self.store.document.with_latent(unasked=None), title=tr("Encode the picture"))

    def _encode_all(self, wanted: bool) -> None:
        self.store.update(self.store.document.with_view(posterior=wanted))


def _waits(document: Document) -> bool:
    """Return whether the picture was opened before the model and its code has not been requested."""
    return document.source is not None and document.latent.unasked == document.source


def nats(value: float) -> str:
    """Return nats with one decimal, or with two digits of a power of ten if they are at least MOST_NATS."""
    return f"{value:.1f}" if abs(value) < MOST_NATS else f"{value:.2e}"


PANEL = AnatomyPanel
