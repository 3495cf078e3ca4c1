"""The Segmentation panel: the classes in the picture, and whether and how they are painted."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QPushButton, QVBoxLayout

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from viewer.canvas.layers import Labels, Layer
from viewer.panels.base import GAP, PaintingPanel, view_form
from viewer.presenters import attribution, segmentation
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import label_of, word_for
from viewer.translation import tr
from viewer.widgets.tables.class_shares import ClassShares

COUNTED = "counted"
ROWS = (
    Parameter("masks", tr("Classes"), "bool", True, help=tr("Fill each pixel with the colour of its class.")),
    Parameter("mask_opacity", tr("Opacity"), "float", 0.5, help=tr("How much of the picture the classes cover.")),
    Parameter(
        COUNTED,
        tr("Count things"),
        "bool",
        False,
        help=tr("Show each segment by itself, things counted one by one."),
    ),
)
NOTHING_OPEN = tr("Open a picture to begin.")
WAITING = tr("Waiting for the answer…")


class SegmentationPanel(PaintingPanel):
    """The classes with their shares of the pixels, and the switches of their layer."""

    id: ClassVar[str] = "segment"
    rank: ClassVar[int] = -6
    words_title: ClassVar[str] = tr("About the classes")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.table = ClassShares()
        self.largest = QPushButton(tr("Explain the largest class"))
        self.largest.setToolTip(tr("Explain whichever class covers most of a picture, of this one and of others"))
        self.form = view_form(store, ROWS)
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.summary)
        column.addWidget(self.table, 1)
        column.addWidget(self.largest)
        column.addWidget(self.form)
        self._layer: Labels | None = None
        self.table.chosen.connect(self._choose)
        self.largest.clicked.connect(self._automatic)
        self._update_text()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the class of every pixel, or the segments of a network that counts things."""
        counts = document.view.counted and description is not None and not request_plan.reason("panoptic", description)
        return request_plan.ask("panoptic" if counts else "segment", document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the switches and mark the target; drop another model's classes."""
        if self._request is not None and self._request.model != document.model:
            self.forget()
        self.form.set_values({p.name: getattr(document.view, p.name) for p in ROWS})
        counts = description is not None and not request_plan.reason("panoptic", description)
        self.form.set_applicable(
            {
                "mask_opacity": "" if document.view.masks else tr("Classes are not painted."),
                COUNTED: "" if counts else tr("It gives classes of pixels, not segments."),
            }
        )
        self._mark(document)
        self._update_text()

    def take(self) -> None:
        """List and paint the classes."""
        self._layer = None
        if self._result is None:
            self.table.take(())
        else:
            self.table.take(segmentation.lines(self._result), segmentation.clear(self._result.meta["names"]))
            self._mark(self.store.document)
        self._update_text()

    def layers(self, document: Document) -> list[Layer]:
        """Return the layer of the classes, the same object until something changes, because colouring it is slow."""
        if self._result is None or not document.view.masks:
            return []
        if self._layer is None or self._layer.opacity != document.view.mask_opacity:
            self._layer = segmentation.label_layer(self._result, opacity=document.view.mask_opacity)
        return [self._layer]

    def _update_text(self) -> None:
        self.table.setEnabled(self._result is not None)
        if self._result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            return
        count, (rows, columns) = len(self._result.arrays["classes"]), self._result.meta["input"]
        seen = {"rows": rows, "columns": columns}
        if "of_class" in self._result.arrays:
            told = tr("{count:,} segments, seen at {columns:,} × {rows:,} pixels", count=self._segments, **seen)
            self.summary.setText(told)
            return
        of = len(self._result.meta["names"])
        self.summary.setText(
            tr(
                "{count:,} of {of:,} classes, seen at {columns:,} × {rows:,} pixels",
                count=count,
                of=of,
                columns=columns,
                rows=rows,
            )
        )

    @property
    def _segments(self) -> int:
        """How many segments there are, without what is none of them."""
        return 0 if self._result is None else int((self._result.arrays["classes"] > 0).sum())

    def _mark(self, document: Document) -> None:
        wanted = attribution.target_of(document)
        arrays = self._result.arrays if self._result is not None else {}
        names = self._result.meta["names"] if self._result is not None and "of_class" not in arrays else ()
        self.table.mark(label_of(wanted, names) if wanted and names else -1)
        self.largest.setEnabled(bool(wanted))

    def _choose(self, label: int) -> None:
        if self._result is None:
            return
        names = self._result.meta["names"]
        if "of_class" in self._result.arrays:  # a segment's class is what can be explained
            label, names = int(self._result.arrays["of_class"][label]), self._result.meta["classes"]
            if label < 0:
                return
        document = attribution.with_target(self.store.document, word_for(label, names))
        self.store.update(document, title=tr("Explain {names}", names=names[label]))

    def _automatic(self) -> None:
        document = attribution.with_target(self.store.document, "").explaining(against="")
        self.store.update(document, title=tr("Explain the largest class"))


PANEL = SegmentationPanel
