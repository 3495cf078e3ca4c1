"""The Classification panel: the classes a classifier predicts, and which of them is the target of explanations."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout

from models import model_name, quantity
from models.cards.card import task
from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.layers import NO_CLASS, Boxes, Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import attribution
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import label_of, word_for
from viewer.translation import tr
from viewer.widgets.controls.elided_label import ElidedLabel
from viewer.widgets.controls.search_line import Search
from viewer.widgets.tables.class_ranking import Ranking

MOST = 1000
LINKS = Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
NOTHING_OPEN = tr("Open a picture to begin.")
WAITING = tr("Waiting for the answer…")
NONE_FOUND = tr("No class name contains this.")


class ClassificationPanel(Panel):
    """The classes with their probabilities or values, and the frame of the network's input on the picture."""

    id: ClassVar[str] = "classify"
    rank: ClassVar[int] = -5

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.summary = ElidedLabel()
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.remark = ElidedLabel(lines=2, role=QPalette.ColorRole.PlaceholderText)
        self.remark.setMinimumHeight(2 * self.remark.fontMetrics().lineSpacing())
        self.ranking = Ranking(tr("Classes by probability"))
        self.search = Search(tr("Find a class"), below=self.ranking)
        self.target = ElidedLabel()
        self.target.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.target.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.highest = QPushButton(tr("Highest class"))
        self.highest.setToolTip(tr("Explain whichever class scores highest, of this picture and of others"))
        self._result: Result | None = None
        self._request: Request | None = None
        self._names: tuple[str, ...] = ()
        self._in_view = False
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.summary)
        column.addWidget(self.remark)
        self.readings = QLabel()
        self.readings.setAccessibleName(tr("What the answer would be with other values"))
        self.readings.setTextFormat(Qt.TextFormat.RichText)
        self.readings.setWordWrap(True)
        self.readings.setTextInteractionFlags(LINKS)
        self.readings.linkActivated.connect(self._reopen)
        self.readings.hide()
        column.addWidget(self.readings)
        column.addWidget(self.search)
        column.addWidget(self.ranking, 1)
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        foot.addWidget(self.target, 1)
        foot.addWidget(self.highest)
        self.explain = QPushButton(tr("Explain"))
        self.explain.setToolTip(tr("Which parts of the picture the target's score rests on (E)"))
        self.explain.setAccessibleName(tr("Explain the target"))
        self.explain.clicked.connect(lambda: self.command_wanted.emit("explain"))
        foot.addWidget(self.explain)
        column.addLayout(foot)
        self.ranking.chosen.connect(self._choose)
        self.ranking.opposed.connect(self._oppose)
        self.ranking.export_wanted.connect(lambda: self.command_wanted.emit("export-json"))
        self.search.textChanged.connect(self._find)
        self.search.taken.connect(self._take_first)
        self.highest.clicked.connect(self._automatic)
        self._update_text()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the numbers of all classes; before the model is described, only if it is known as a classifier."""
        if description is None and task(document.model) != "classification":
            return None
        return request_plan.ask("classify", document, description, extra={"top": MOST})

    def refresh(self, document: Document, description: Description | None) -> None:
        """Mark the target and the opposing class; drop another model's classes."""
        if description is not None:
            self._name(description.classes)
        if self._request is not None and self._request.model != document.model:
            self.forget()
        self._note(description)
        self._mark(document)
        self._update_text()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the classes."""
        if slot != self.id:
            return
        self._result, self._request = result, request
        arrays = result.arrays
        self._name(result.meta["classes"])
        self.ranking.set_entries(
            arrays["labels"], self._names, quantity.numbers(result), arrays["scores"], quantity=quantity.of(result)
        )
        self._mark(self.store.document)
        self._update_text()
        self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show that there is no result; keep the previous one."""
        if slot == self.id and self._result is None:
            self.summary.setText(tr("Cancelled. F5 asks again.") if failure.cancelled else failure.text)

    def forget(self) -> None:
        """Drop the classes of the previous picture."""
        self._result = self._request = None
        none = np.empty(0, np.int64)
        self.ranking.set_entries(none, (), none, none)
        self._update_text()

    def layers(self, document: Document) -> list[Layer]:
        """Frame the network's input while the panel is in view, unless it is the whole picture."""
        if self._result is None or not self._in_view:
            return []
        x0, y0, x1, y1 = self._result.meta["extent"]
        width, height = self._result.meta["size"]
        if x0 <= 0 and y0 <= 0 and x1 >= width and y1 >= height:
            return []
        box = np.array([[x0, y0, x1, y1]], np.float32)
        frame: Any = {"dashed": True, "width": 1.0, "opacity": 0.9, "hoverable": False}
        return [Boxes("network input", box, np.array([NO_CLASS]), **frame)]

    def view_changed(self, in_view: bool) -> None:
        """Show the frame only while the panel is in view."""
        self._in_view = in_view
        self.layers_changed.emit()

    def _name(self, names: tuple[str, ...]) -> None:
        """Take the class names; outputs without a name in the model's card are named by their number."""
        outputs = len(self._result.arrays["labels"]) if self._result is not None else 0
        self._names = (*names, *(tr("class {label}", label=label) for label in range(len(names), outputs)))

    def _mark(self, document: Document) -> None:
        wanted = label_of(document.target, self._names) if document.target else self._best
        against = label_of(document.against, self._names) if document.against else -1
        self.ranking.mark(target=wanted, against=against)
        title = self._names[wanted] if 0 <= wanted < len(self._names) else ""
        name = f"{title} − {self._names[against]}" if against >= 0 else title
        self.target.setText(
            tr(
                "Target: {name}{what}",
                name=name,
                what="" if document.target else f" ({tr('first') if self._usual == 'first' else tr('highest')})",
            )
            if name
            else ""
        )
        self.highest.setText(tr("First value") if self._usual == "first" else tr("Highest class"))
        self.highest.setEnabled(bool(document.target or document.against))

    @property
    def _usual(self) -> str:
        """Return which target is the default: the highest class, or the first output if they are plain values."""
        values = self._result is not None and quantity.of(self._result) == quantity.VALUE
        return "first" if values else "highest"

    @property
    def _best(self) -> int:
        return int(self._result.arrays["labels"][0]) if self._result is not None else -1

    def _note(self, description: Description | None) -> None:
        untrained = description is not None and description.about.get("weights") == "none"
        self.remark.setText(str(description.about["note"]) if untrained and description else "")
        self.remark.setVisible(untrained)

    def _reopen(self, chosen: str) -> None:
        """Open the model with values scaled in another way."""
        base, given = model_name.split(self.store.document.model)
        values, order = chosen.split()
        choice = model_name.join(base, {**given, "input": values, "colours": order})
        self.store.update(
            self.store.document.with_model(choice),
            title=tr("Choose input {values} {order}", values=values, order=order),
        )

    def _update_text(self) -> None:
        there = self._result is not None
        readings = self._result.meta.get("readings", ()) if self._result is not None else ()
        self.readings.setText(_offered(readings))
        self.readings.setVisible(bool(readings))
        for widget in (self.search, self.ranking):
            widget.setEnabled(there)
        if self._result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            return
        if self.search.text() and not self.ranking.rows.rowCount():
            self.summary.setText(NONE_FOUND)
            return
        what, best = quantity.of(self._result), float(quantity.numbers(self._result)[0])
        text = f"{self._names[self._best]}, {quantity.short(best, what)}"
        count = tr(" (of {names:,} classes)", names=len(self._names)) if what == quantity.PROBABILITY else ""
        if what == quantity.PROBABILITY and not quantity.shared(self._result):
            count = tr(" ({names:,} labels, each by itself)", names=len(self._names))
        self.summary.setText(text + count)

    def _find(self, text: str) -> None:
        self.ranking.look_for(text)
        self._update_text()

    def _take_first(self) -> None:
        label = self.ranking.label_at(self.ranking.rows.index(0))
        if label >= 0 and self.search.text():
            self._choose(label)

    def _choose(self, label: int) -> None:
        word = word_for(label, self._names)
        self.store.update(
            attribution.with_target(self.store.document, word), title=tr("Explain {names}", names=self._names[label])
        )

    def _oppose(self, label: int) -> None:
        word = word_for(label, self._names) if label >= 0 else ""
        title = tr("Set against {names}", names=self._names[label]) if label >= 0 else tr("Set against no class")
        self.store.update(self.store.document.explaining(against=word), title=title)

    def _automatic(self) -> None:
        document = attribution.with_target(self.store.document, "").explaining(against="")
        self.store.update(document, title=tr("Explain the highest class"))


def _offered(readings: Sequence[Mapping[str, Any]]) -> str:
    """Return what the answer would be with values scaled in other ways, each a link that opens the model so."""
    said = []
    for row in readings:
        chance = row["probability"]
        number = f"{row['class']} {row['score']:.4g}" if chance is None else f"{row['class']} {chance:.1%}"
        title = html.escape(f"{row['title'].removesuffix(', BGR')}, {row['colours'].upper()}")
        name = f"<b>{title}</b>" if row["taken"] else f'<a href="{row["input"]} {row["colours"]}">{title}</a>'
        said.append(f"{name}: {html.escape(number)}")
    return "<br>".join([tr("How values are scaled is assumed."), *said]) if said else ""


PANEL = ClassificationPanel
