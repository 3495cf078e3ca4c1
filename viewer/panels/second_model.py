"""The Two models panel: where a second model, shown beside the first, differs on the same picture."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QVBoxLayout, QWidget

from models import model_name
from models.cards import card as cards
from models.inspection import Description
from models.quantity import PROBABILITY, in_digits
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import NO_CLASS, ONLY_A, ONLY_B, Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import heatmap, model_difference
from viewer.presenters.attribution import number
from viewer.presenters.map_comparison import Difference
from viewer.presenters.model_difference import Pairs
from viewer.session.document import Document, Look
from viewer.session.history import Store
from viewer.session.second_model import PREFIX, slot_of
from viewer.translation import tr, trn
from viewer.widgets.controls.elided_label import ElidedLabel, plain
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_view import copy_button
from viewer.widgets.tables.box_pairs import PairTable
from viewer.widgets.tables.copy_table import Cells
from viewer.widgets.tables.fact_card import Card
from viewer.widgets.tables.legend import Legend, Stroke

DETECT, CLASSIFY, MAP, CHANNELS, PICTURE = model_difference.SLOTS
TABLE_PX = 180
MOST_CLASSES = 20
NONE = "–"
LEGEND = {
    model_difference.IN_A: (Stroke(ONLY_A, tr("Only the first model")), tr("only in A")),
    model_difference.IN_B: (Stroke(ONLY_B, tr("Only the second model")), tr("only in B")),
    model_difference.MATCHED: (Stroke(NO_CLASS, tr("Both models")), tr("in both: one class name, IoU of 0.5 or more")),
}
CHOOSE = tr("Choose a model…")
FILE = tr("Weights file…")
EMPTY = tr(
    "Choose a second model to see it beside this one on the same picture: the same settings drive both, and here is "
    "what differs. Weights dropped on the window with Shift held also open beside it."
)
NOTHING = tr("Nothing to compare yet: both models must have answered the same question.")
MARK = tr("Mark boxes only one model found")
SUBTRACT = tr("Show A − B in the second pane")


class BesidePanel(Panel):
    """The choice of the second model; boxes, classes, maps, activations and pictures of both in numbers."""

    id: ClassVar[str] = "beside"
    rank: ClassVar[int] = 5

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._answers: dict[str, tuple[Request, Result]] = {}
        self._about: tuple[object, ...] = ()
        self._pairs: Pairs | None = None
        self._difference: tuple[tuple[Result, ...], Look | None, Difference | None] = ((), None, None)
        self._names: list[tuple[str, str]] = []
        self.choice = QComboBox()
        self.choice.setAccessibleName(tr("Model to compare with"))
        self.choice.setMinimumContentsLength(12)
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.activated.connect(self._choose)
        self.empty = WrappedLabel(tr("About two models"), EMPTY, wide=True)
        self.legend = Legend({role: stroke for role, (stroke, _) in LEGEND.items()})
        self.mark = QCheckBox(MARK)
        self.mark.toggled.connect(self._mark)
        self.boxes = WrappedLabel(tr("Boxes of two models"), wide=True)
        self.table = PairTable(tr("Boxes of both models"))
        self.table.setMinimumHeight(TABLE_PX)
        self.table.chosen.connect(self._select)
        self.classes = WrappedLabel(tr("Classes of two models"), wide=True)
        self.ranking = Cells(tr("Probabilities of both models"), (tr("Class"), "A", "B", "B − A"))
        self.ranking.setMinimumHeight(TABLE_PX)
        self.maps, self.channels = Card(tr("Heat maps")), Card(tr("Activations"))
        self.pictures = Card(tr("Pictures"))
        self.layers_of, self.map_layers = ElidedLabel(lines=2), ElidedLabel(lines=2)
        for label, card in ((self.layers_of, self.channels), (self.map_layers, self.maps)):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            card.put(label, stretch=0)
        self.subtract = QCheckBox(SUBTRACT)
        self.subtract.setToolTip(tr("Each map in shares of its own scale: red where A has more, blue where B has"))
        self.subtract.toggled.connect(self._subtract)
        self.maps.put(self.subtract, stretch=0)
        self._sections = self._arranged()

    def _arranged(self) -> dict[str, QWidget]:
        """Lay out the panel, and return the section of each slot."""
        inside = QWidget()
        whole = QVBoxLayout(inside)
        whole.setContentsMargins(GAP, GAP, GAP, GAP)
        whole.setSpacing(GAP)
        whole.addWidget(self.choice)
        whole.addWidget(self.empty)
        copies = copy_button(tr("Copy the boxes of both models"), lambda: self.table.text)
        rows = copy_button(tr("Copy the classes of both models"), self._class_text)
        sections: dict[str, QWidget] = {
            DETECT: _stack(self.legend, self.boxes, self.mark, self.table, copies),
            CLASSIFY: _stack(self.classes, self.ranking, rows),
            MAP: self.maps,
            CHANNELS: self.channels,
            PICTURE: self.pictures,
        }
        for section in sections.values():
            section.hide()
            section.setMinimumWidth(1)  # a layer's long name must not widen the dock
            whole.addWidget(section)
        whole.addStretch(1)
        self.fill(inside, self.entry.title)
        return sections

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show which model is second, and what is compared."""
        about = (document.model, document.beside, document.source)
        if about != self._about:
            self._about = about
            kept = {s: a for s, a in self._answers.items() if a[0].model == document.model and not slot_of(s)}
            self.forget()
            self._answers = {s: a for s, a in kept.items() if a[0].source in (None, document.source)}
        self._list(document, description)
        self.choice.setVisible(not document.beside)
        shown = {MAP: bool(document.method), CHANNELS: CHANNELS in document.view.inside}
        for slot in (slot for slot, on in shown.items() if not on):
            self._answers.pop(slot, None)
            self._answers.pop(PREFIX + slot, None)
        self.mark.setChecked(document.view.alone)
        self.subtract.setChecked(document.view.subtracted)
        self.table.follow(document.selected, document.other)
        self._update_text()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the result of either model, and compare it with the other's."""
        own = slot_of(slot) or slot
        document = self.store.document
        if own not in model_difference.SLOTS or request.model != (document.model if own == slot else document.beside):
            return
        self._answers[slot] = (request, result)
        if own == DETECT:
            both = self._both(DETECT)
            self._pairs = model_difference.boxes(*both) if both else None
            self.table.take(self._pairs)
            self.table.follow(document.selected, document.other)
        self._update_text()
        self.layers_changed.emit()

    def forget(self) -> None:
        """Drop the results of another picture or model."""
        self._answers.clear()
        self._pairs, self._difference = None, ((), None, None)
        self.table.take(None)
        self._update_text()

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Mark what only the first model found."""
        return self._marked(layers, document, first=True)

    def restyle_second(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Return the layers of the second pane: marked as in the first, or the difference of the two maps."""
        layers = self._marked(layers, document, first=False)
        found = self._subtracted(document.look) if document.view.subtracted and document.method else None
        if found is None:
            return layers
        drawn = model_difference.difference_layer(found, document.look)
        return [drawn if layer.id == MAP else layer for layer in layers]

    def _marked(self, layers: list[Layer], document: Document, *, first: bool) -> list[Layer]:
        judged = document.truth is not None and document.view.outcomes
        if self._pairs is None or not document.beside or not document.view.alone or judged:
            return layers
        return model_difference.marked(layers, self._pairs, first=first)

    def _both(self, slot: str) -> tuple[Result, Result] | None:
        found = self._answers.get(slot), self._answers.get(PREFIX + slot)
        return (found[0][1], found[1][1]) if found[0] is not None and found[1] is not None else None

    def _subtracted(self, look: Look) -> Difference | None:
        both = self._both(MAP)
        if both is None:
            return None
        before, drawn, found = self._difference
        if drawn != look or any(one is not other for one, other in zip(both, before, strict=False)) or not before:
            found = model_difference.map_difference(*both, look)
            self._difference = (both, look, found)
        return found

    def _list(self, document: Document, description: Description | None) -> None:
        """List the same file under other assumptions, then models for the same task, then the others."""
        names = [*_variants(document.model, description), *_peers(document.model)]
        entries = [(model_name.title(name), name) for name in names if name != document.model] + [(FILE, "")]
        if entries != self._names:
            self._names = entries
            self.choice.clear()
            for title, name in entries:
                self.choice.addItem(title, name)
                self.choice.setItemData(self.choice.count() - 1, plain(name), Qt.ItemDataRole.ToolTipRole)
            self.choice.setPlaceholderText(CHOOSE)
        self.choice.setCurrentIndex(-1)

    def _update_text(self) -> None:
        """Show the differences in numbers, with a section for each slot that both models have answered."""
        document = self.store.document
        there = {slot: self._both(slot) if document.beside else None for slot in model_difference.SLOTS}
        for slot, section in self._sections.items():
            section.setVisible(there[slot] is not None)
        self.empty.setVisible(not any(there.values()))
        self.empty.setText(NOTHING if document.beside else EMPTY)
        if self._pairs is not None:
            self._show_boxes(self._pairs)
        if both := there[CLASSIFY]:
            self._show_classes(model_difference.classes(*both))
        if both := there[MAP]:
            self._show_maps(both)
        if both := there[CHANNELS]:
            self._show_channels(model_difference.activity(*both))
        if both := there[PICTURE]:
            away = model_difference.pictures(*both)
            text = tr("their sizes differ") if away is None else tr("{away:.2f} of 255, on average", away=away)
            self.pictures.set_facts([(tr("Difference"), text)])

    def _show_boxes(self, pairs: Pairs) -> None:
        counts = pairs.counts
        many = {role: trn("{n:,} box", "{n:,} boxes", n) for role, n in counts.items()}
        self.legend.tell({role: f"{many[role]} {meaning}" for role, (_, meaning) in LEGEND.items()})
        self.boxes.setVisible(len(pairs.matched) > 0)
        if len(pairs.matched):
            mean, change = float(pairs.iou.mean()), float(pairs.change.mean())
            self.boxes.setText(
                tr("On average of those: IoU {mean:.3f}, change of score {change:+.2g}", mean=mean, change=change)
            )

    def _show_classes(self, found: model_difference.Classes) -> None:
        a, b = found.best
        same = tr("Both say {a}", a=a) if a == b else tr("A says {a}, B says {b}", a=a, b=b)
        shared = any(p is not None and q is not None for _, p, q in found.rows)
        if PROBABILITY not in found.quantities:
            same = tr("Both give values") if a and b else same
        apart = "" if found.distance is None else tr("total variation {distance:.3f}", distance=found.distance)
        if not found.comparable:
            apart = tr("one gives probabilities, the other values: they are not compared")
        apart = apart if shared else tr("no class name in common")
        self.classes.setText(" · ".join(part for part in (same, apart) if part))
        self.ranking.take([_class_row(row, found) for row in found.rows[:MOST_CLASSES]])

    def _show_maps(self, both: tuple[Result, Result]) -> None:
        found, look = model_difference.map_numbers(*both), self.store.document.look
        self.subtract.setEnabled(found is not None)
        ends = [number(heatmap.end_of(each.arrays["map"], look)) for each in both]
        facts = [
            (tr("{name} explains", name=name), str(each.meta["target"]).partition(" of box ")[0])
            for name, each in zip("AB", both, strict=True)
        ]
        facts += [
            (tr("{name}'s scale ends", name=name), tr("at {end}", end=end))
            for name, end in zip("AB", ends, strict=True)
        ]
        if found is None:
            facts.append((tr("Together"), tr("no part of the picture")))
        else:
            rows, columns = found.shape
            facts += [(tr("Pearson"), f"{found.pearson:+.3f}"), ("Spearman", f"{found.spearman:+.3f}")]
            facts += [
                (tr("Cells"), f"{columns} × {rows}"),
                (tr("Together"), tr("{share:.0%} of A's map", share=found.share)),
            ]
        subtracted = self._subtracted(look) if self.store.document.view.subtracted else None
        if subtracted is not None:
            mean = float(np.abs(subtracted.values).mean())
            facts.append(("A − B", tr("{mean:.3f} of each scale", mean=mean)))
        self.maps.set_facts(facts)
        layers = [str(each.meta.get("layer") or NONE) for each in both]
        self.map_layers.setText(tr("Layers: A {layers} · B {layers_2}", layers=layers[0], layers_2=layers[1]))
        self.map_layers.setVisible(layers != [NONE, NONE])

    def _show_channels(self, found: model_difference.Activity) -> None:
        self.layers_of.setText(
            tr("Layers: A {layers} · B {layers_2}", layers=found.layers[0], layers_2=found.layers[1])
        )
        facts = [
            (tr("Shape {n}", n=n), " × ".join(map(str, shape))) for n, shape in zip("AB", found.shapes, strict=True)
        ]
        facts += [(tr("Norm {n}", n=n), number(norm)) for n, norm in zip("AB", found.norms, strict=True)]
        if found.cosine is not None and found.channel is not None:
            facts += [
                (tr("Cosine"), f"{found.cosine:+.3f}"),
                (tr("Of channels"), tr("{channel:+.3f} on average", channel=found.channel)),
            ]
        else:
            facts.append((tr("Cosine"), tr("none: the shapes differ")))
        self.channels.set_facts(facts)

    def _class_text(self) -> str:
        both = self._both(CLASSIFY)
        found = model_difference.classes(*both) if both else None
        rows = [_class_row(row, found) for row in found.rows] if found is not None else []
        return "\n".join("\t".join(row) for row in ((tr("Class"), "A", "B", "B − A"), *rows))

    def _choose(self, index: int) -> None:
        name = str(self.choice.itemData(index))
        self.choice.setCurrentIndex(-1)
        if name:
            self.store.update(self.store.document.with_beside(name), title=tr("Compare two models"))
        else:
            self.command_wanted.emit("beside-file")

    def _select(self, a: int, b: int) -> None:
        self.store.update(self.store.document.with_selected(a).with_other(b))

    def _mark(self, on: bool) -> None:
        self.store.update(self.store.document.with_view(alone=on), title=tr("Mark boxes of one model"))

    def _subtract(self, on: bool) -> None:
        self.store.update(self.store.document.with_view(subtracted=on), title=tr("Difference of the maps"))


def _variants(model: str, description: Description | None) -> list[str]:
    """Return the model's names with one assumption, the precision or the device changed."""
    base, assumed = model_name.split(model)
    offered = description.about.get("assumptions", {}) if description is not None else {}
    found = []
    for key, item in offered.items():
        for value in item["choices"]:
            if value != assumed.get(key, item["value"]):
                found.append(model_name.join(base, {**assumed, key: value}))
    runtime = description.about.get("runtime") if description is not None else None
    if runtime:
        places = {"precision": runtime["precisions"][runtime["device"]], "device": runtime["devices"]}
        for key, choices in places.items():
            found += [model_name.join(base, {**assumed, key: value}) for value in choices if value != runtime[key]]
    return found


def _peers(model: str) -> list[str]:
    """Return the bundled models, those for the same task first."""
    own, known = cards.task(model), cards.bundled()
    return sorted(known, key=lambda name: known[name].task != own)


def _class_row(
    row: tuple[str, float | None, float | None], found: model_difference.Classes
) -> tuple[str, str, str, str]:
    name, a, b = row
    pairs = zip((a, b), found.quantities, strict=True)
    one, other = (NONE if v is None else f"{v:.4f}" if what == PROBABILITY else in_digits(v) for v, what in pairs)
    if a is None or b is None or not found.comparable:
        return name, one, other, NONE
    return name, one, other, model_difference.signed(b - a) if found.quantities[0] == PROBABILITY else f"{b - a:+.4g}"


def _stack(*parts: QWidget) -> QWidget:
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GAP)
    for part in parts[:-1]:
        column.addWidget(part)
    column.addWidget(parts[-1], 0, Qt.AlignmentFlag.AlignRight)
    return whole


PANEL = BesidePanel
