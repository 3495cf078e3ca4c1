"""The Picture to picture panel: what the network makes of the picture, before and after, beside a reference."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from models import model_name
from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.canvas.layers import Layer
from viewer.engine_texts import shown
from viewer.panels.base import GAP, PaintingPanel
from viewer.presenters import translation
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.picture_choice import PictureChoice
from viewer.widgets.tables.fact_card import Card

SPLIT = Parameter(
    "split",
    tr("Line"),
    "float",
    0.5,
    help=tr("Before on the left, after on the right. Drag it, or click where it shall be."),
)
TILES = Parameter(
    "tile",
    tr("Tile"),
    "int",
    1024,
    low=0,
    high=8192,
    step=32,
    help=tr("Larger pictures are cut into tiles of this side that overlap; 0 for never."),
)
TRAINING = Parameter(
    "training",
    tr("As in training"),
    "bool",
    False,
    help=tr("Batch normalisation by this picture alone, and dropout, as pix2pix makes its pictures."),
)
SEED = Parameter("seed", tr("Seed"), "int", 0, high=2**31 - 1, help=tr("Another number lets dropout drop others."))
OWN = {each.name: each for each in (TILES, TRAINING, SEED)}
DIRECTION, OTHERS = "direction", "others"
NOTHING_OPEN = tr("Open a picture to see what the network makes of it.")
WAITING = tr("Waiting for the answer…")


class TranslationPanel(PaintingPanel):
    """What is shown, the line between before and after, the numbers, and a reference picture."""

    id: ClassVar[str] = "translate"
    rank: ClassVar[int] = -8
    words_title: ClassVar[str] = tr("About the output")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.shown = QComboBox()
        self.shown.setAccessibleName(tr("What is shown"))
        for value, title in translation.TITLES.items():
            self.shown.addItem(title, value)
        self.form = Form((SPLIT, TILES, TRAINING, SEED))
        self.form.name_of(self.entry.title)
        self.direction = QComboBox()
        self.direction.setAccessibleName(tr("Direction"))
        self.direction.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.direction.setMinimumContentsLength(8)
        self.direction.activated.connect(lambda _: self._turn())
        self.labels: Form | None = None
        self.labels_place = QVBoxLayout()
        self._groups: tuple[tuple[str, ...], ...] = ()
        self.others_title = WrappedLabel(tr("Alternatives"))
        self.others_title.setText(tr("Alternatives"))
        self.others = PictureChoice(tr("Alternatives"))
        self.others.picked.connect(self._take)
        self.notes = WrappedLabel(tr("Notes on the output"), small=True)
        self.form.reset.hide()
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("Colours of the difference"))
        self.facts, self.quality = Card(tr("Output")), Card(tr("Against the reference"))
        self.reference = QPushButton(tr("Compare with a reference…"))
        self.reference.setToolTip(tr("A picture file of how the output should look: gives PSNR and SSIM"))
        self.without = QPushButton(tr("Without reference"))
        self.export = QPushButton(tr("Export the output…"))
        self.copy = QToolButton()
        self.copy.setToolTip(tr("Copy the numbers as text"))
        self.copy.setAccessibleName(tr("Copy the numbers"))
        self.copy.setAutoRaise(True)
        self._build()
        self.shown.activated.connect(self._choose)
        self.form.changed.connect(self._changed)
        self.form.committed.connect(self._committed)
        self.reference.clicked.connect(lambda: self.command_wanted.emit("translation-reference"))
        self.without.clicked.connect(self._drop_reference)
        self.export.clicked.connect(lambda: self.command_wanted.emit("export-translation"))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        theme.changes().connect(self._restyle)
        self._restyle()
        self.take()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the picture that the network makes of the current one."""
        if description is None:
            return None
        offer = description.offers.get("translate")
        several = offer is not None and not offer.reason and OTHERS not in offer.greyed
        return request_plan.ask("translate", document, description, extra={OTHERS: True} if several else None)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show what is shown, and the settings."""
        self.shown.setCurrentIndex(max(0, self.shown.findData(document.view.translated)))
        values = document.values(self.id)
        own = {name: values.get(name, each.default) for name, each in OWN.items()}
        self.form.set_values({"split": document.view.split, **own})
        offer = description.offers.get(self.id) if description is not None else None
        if offer is not None:
            self.form.set_applicable({name: shown(offer.greyed.get(name, "")) for name in ("training", "seed")})
        self._offer_directions(description)
        split = document.view.translated == translation.SPLIT
        self.form.set_applicable({"split": "" if split else tr("Only “Before and after” has a line.")})
        self.without.setVisible(bool(values.get("reference")))
        self.take()

    def layers(self, document: Document) -> list[Layer]:
        """Paint the output over the picture."""
        if self._result is None:
            return []
        return translation.layers(self._result, document.view.translated, document.view.split)

    def clicked(self, place: tuple[float, float]) -> bool:
        """Move the line between before and after to a click on the picture."""
        moved = self.dragged(place[0])
        self.store.settle()
        return moved

    def dragged(self, x: float) -> bool:
        """Move the line between before and after to a column of the picture, in its pixels."""
        if self._result is None or self.store.document.view.translated != translation.SPLIT:
            return False
        share = x / max(1.0, float(self._result.meta["size"][0]))
        self._changed("split", round(min(1.0, max(0.0, share)), 4))
        return True

    @property
    def text(self) -> str:
        """Return the numbers as text, "" for none."""
        return translation.as_text(self._result) if self._result is not None else ""

    @property
    def result(self) -> Result | None:
        """Return what is shown, None for nothing."""
        return self._result

    def _build(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        head = QHBoxLayout()
        head.addWidget(self.shown, 1)
        head.addWidget(self.copy)
        column.addWidget(self.summary)
        column.addLayout(head)
        column.addWidget(self.direction)
        column.addLayout(self.labels_place)
        column.addWidget(self.others_title)
        column.addWidget(self.others)
        column.addWidget(self.form)
        column.addWidget(self.bar)
        column.addWidget(self.facts)
        column.addWidget(self.notes)
        column.addWidget(self.quality)
        for buttons in ((self.reference,), (self.without, self.export)):
            line = QHBoxLayout()
            line.setSpacing(GAP)
            for button in buttons:
                line.addWidget(button)
            line.addStretch(1)
            column.addLayout(line)
        column.addStretch(1)
        self.fill(inside, tr("Picture to picture"))

    def take(self) -> None:
        """Show the output and its numbers."""
        result = self._result
        there = result is not None
        self.facts.setVisible(there)
        self.export.setEnabled(there)
        self.copy.setEnabled(there)
        self.summary.setVisible(not there)
        self.bar.setVisible(there and self.store.document.view.translated == translation.DIFFERENCE)
        self.notes.setText(translation.notes(result) if result is not None else "")
        self.notes.setVisible(bool(self.notes.text()))
        self._offer_labels(result)
        self._show_others(result)
        if result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            self.quality.hide()
            return
        end = translation.end_of(result)
        self.bar.set_range(-round(end, 4), round(end, 4), colour_map="diverging")
        self.facts.set_facts(translation.facts(result))
        quality = translation.quality(result)
        self.quality.set_facts(quality)
        self.quality.setVisible(bool(quality))

    def _choose(self) -> None:
        value = str(self.shown.currentData())
        title = translation.TITLES[value]
        self.store.update(
            self.store.document.with_view(translated=value), title=tr("Show {title}", title=title.lower())
        )

    def _changed(self, name: str, value: float | int | bool | str) -> None:
        if name == "split":
            document = self.store.document.with_view(split=value)
        else:
            own = None if value == OWN[name].default else value
            document = self.store.document.with_value(self.id, **{name: own})
        title = SPLIT.title if name == "split" else OWN[name].title
        self.store.update(document, title=title, merge=f"{self.id}.{name}")

    def _committed(self, name: str, value: float | int | bool | str) -> None:
        self._changed(name, value)
        self.store.settle()

    def _offer_directions(self, description: Description | None) -> None:
        """Offer the generators of a network that has several; another one is another reading of the model."""
        told = description.about.get("assumptions", {}).get(DIRECTION) if description is not None else None
        self.direction.setVisible(told is not None)
        if told is None:
            return
        self.direction.clear()
        for choice in map(str, told["choices"]):
            self.direction.addItem(shown(choice), choice)
        self.direction.setCurrentIndex(self.direction.findData(str(told.get("value", ""))))
        self.direction.setToolTip(self.direction.currentText())

    def _turn(self) -> None:
        document = self.store.document
        base, assumed = model_name.split(document.model)
        name = model_name.join(base, {**assumed, DIRECTION: str(self.direction.currentData())})
        self.store.update(document.with_model(name), title=tr("Direction: {name}", name=self.direction.currentText()))

    def _show_others(self, result: Result | None) -> None:
        """Show the pictures of the other directions and of the single changes of labels, if there are any."""
        choices = translation.alternatives(result) if result is not None else []
        for part in (self.others_title, self.others):
            part.setVisible(bool(choices))
        if choices:
            self.others.show_choices(choices)

    def _take(self, at: int) -> None:
        if self._result is None:
            return
        meta = self._result.meta
        if meta["own"][at]:
            return
        name, value = str(meta["alternatives"][at]), str(meta["alternative_values"][at])
        if meta["alternative_kinds"][at] == DIRECTION:
            base, assumed = model_name.split(self.store.document.model)
            document = self.store.document.with_model(model_name.join(base, {**assumed, DIRECTION: value}))
            self.store.update(document, title=tr("Direction: {name}", name=shown(name)))
        else:
            document = self.store.document.with_value(self.id, condition=value or None)
            self.store.update(document, title=tr("Condition"))

    def _offer_labels(self, result: Result | None) -> None:
        """Show a row for each group of labels that the network is told: one of several, or one that is on or off."""
        groups = tuple(tuple(map(str, group)) for group in result.meta.get("groups", ())) if result is not None else ()
        if result is None:
            return
        if groups != self._groups:
            if self.labels is not None:
                self.labels.hide()
                self.labels.deleteLater()
            self._groups, self.labels = groups, None
            if groups:
                self.labels = Form([_label_row(number, group) for number, group in enumerate(groups)])
                self.labels.reset.hide()
                self.labels.committed.connect(lambda name, value: self._tell_labels())
                self.labels_place.addWidget(self.labels)
        if self.labels is not None:
            told = {str(name) for name in result.meta["condition"]}
            self.labels.set_values({f"g{n}": _told(group, told) for n, group in enumerate(groups)})

    def _tell_labels(self) -> None:
        assert self.labels is not None
        values = self.labels.values
        names = []
        for number, group in enumerate(self._groups):
            value, first = values[f"g{number}"], next(iter(group), "")
            names.append(str(value) if len(group) > 1 else (first if value else ""))
        document = self.store.document.with_value(self.id, condition=", ".join(filter(None, names)) or None)
        self.store.update(document, title=tr("Condition"))

    def _drop_reference(self) -> None:
        self.store.update(self.store.document.with_value(self.id, reference=None), title=tr("Without reference"))

    def _restyle(self) -> None:
        self.copy.setIcon(theme.icon("copy"))


def _label_row(number: int, group: tuple[str, ...]) -> Parameter:
    """Return the row of a group of labels: a choice, or a switch for one that stands alone."""
    name, first = f"g{number}", next(iter(group), "")
    if len(group) > 1:
        titles = tuple(shown(each) for each in group)
        title = tr("Label {number}", number=number + 1)
        return Parameter(name, title, "choice", first, choices=group, titles=titles)
    return Parameter(name, shown(first), "bool", False)


def _told(group: tuple[str, ...], told: set[str]) -> object:
    first = next(iter(group), "")
    if len(group) > 1:
        return next((name for name in group if name in told), first)
    return first in told


PANEL = TranslationPanel
