"""The Attribution panel: the methods, whether each applies to this model, and the map of the chosen one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from PySide6.QtWidgets import QVBoxLayout, QWidget

from models.inspection import Description, Offer
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.layers import Heat, Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import attribution, detections, heatmap, lineage
from viewer.session import request_plan
from viewer.session.document import POSITIVE, Document, Look
from viewer.session.history import Store
from viewer.session.lookup import title_for
from viewer.session.request_plan import Wants
from viewer.translation import tr
from viewer.widgets.charts.histogram import LevelHistogram
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.heatmap_look import LookForm
from viewer.widgets.controls.method_list import WORDS, Methods
from viewer.widgets.controls.section import Section
from viewer.widgets.controls.target_picker import TargetForm
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.map_readout import MapReading

VERDICTS = "verdicts"
WAITING = tr("Waiting for the answer…")
NOTHING_OPEN = tr("Open a picture to begin.")
OFF = tr("Choose a method to see what the target rests on.")
REFINING = tr("Coarse so far: it is being refined.")
METHOD, DRAWING = tr("Settings of the method"), tr("How the map is drawn")


class AttributionPanel(Panel):
    """The methods with their verdicts, the target, the parameters, and the map with its numbers."""

    id: ClassVar[str] = "attribution"
    rank: ClassVar[int] = -20

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.methods = Methods()
        self.verdict = WrappedLabel(tr("Verdict on the method"))
        self._place: tuple[float, float] | None = None
        self.reading = MapReading()
        self.levels = LevelHistogram(tr("Values of the map"))
        self.target = TargetForm()
        self.look = LookForm()
        self.form: Form | None = None
        self.settings, self.drawing = Section(METHOD), Section(DRAWING)
        self.drawing.add(self.look)
        self._offer: Offer | None = None
        self._description: Description | None = None
        self._verdicts: Result | None = None
        self._request: Request | None = None
        self._result: Result | None = None
        self._texts: dict[int, str] = {}
        self._detections: Result | None = None
        self._failure: tuple[Request | None, str] = (None, "")
        self._heat: tuple[Result, Look, Heat] | None = None
        self._memory: dict[str, Any] = {}
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.methods, self.verdict, self.reading, self.levels, self.target, self.settings, self.drawing):
            column.addWidget(part)
        column.addStretch(1)
        self._scroll = self.fill(inside, tr("Attribution settings"))
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        self._scroll.setMinimumWidth(self.look.form.least_width() + 2 * GAP + bar)
        self._connect()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the map of the chosen method, once its verdict says that it applies."""
        return attribution.attribution(document, description)

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return the slots of the verdicts and of the map; verdicts come first."""
        return [(VERDICTS, attribution.verdicts), (cls.id, cls.wants)]

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the model's methods, the target and the settings."""
        if self._request is not None and self._request.model != document.model:
            self.forget()
        self._description = description
        if self._failure[0] != attribution.attribution(document, description):
            self._failure = (None, "")
        offers = attribution.methods(description)
        self.methods.list(offers)
        self.methods.follow(document.method)
        offer = next((o for o in offers if o.id == document.method), None)
        if offer != self._offer:
            self._build(offer)
        if self.form is not None and offer is not None:
            self.form.set_values({**offer.defaults, **request_plan.given(document, offer.id, description)})
        if description is not None:
            boxes = "Detects" in description.capabilities
            self.target.list(description.classes, boxes=boxes, own=boxes and document.region is None)
        about = attribution.subject(document, self._texts)
        self.target.follow(
            target=attribution.target_of(document),
            against=document.against,
            part=document.part,
            about=about,
            picked=document.region is not None or document.selected >= 0,
        )
        self._update_text(document)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store verdicts, which decide what is requested next; maps; and the texts of the detected boxes."""
        document = self.store.document
        if slot == VERDICTS:
            self._verdicts = result
            self.methods.judge(attribution.judgements(result))
            self.store.update(attribution.judged(document, request, result))
        elif slot == "detect":
            self._detections = result
            self._texts = dict(zip(result.arrays["ids"].tolist(), detections.detection_texts(result), strict=True))
        elif slot == self.id:
            self._request, self._result = request, result
            self.layers_changed.emit()
        else:
            return
        self.refresh(self.store.document, self._description)

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show why there is no map; keep the previous one."""
        if slot in (self.id, VERDICTS):
            text = tr("Cancelled. F5 asks again.") if failure.cancelled else failure.text
            self._failure = (attribution.attribution(self.store.document, self._description), text)
            self._update_text(self.store.document)

    def forget(self) -> None:
        """Drop what belongs to the previous picture or model."""
        self._request = self._result = self._verdicts = self._heat = None
        self._read()
        self._failure, self._texts, self._detections = (None, ""), {}, None
        self.methods.judge({})

    def layers(self, document: Document) -> list[Layer]:
        """Paint the map, unless it shows only noise, and for a model without boxes the rectangle to hide."""
        hidden = lineage.hidden_layers(document, self._description)
        return [*self._map(document), *hidden, *self._explained(document)]

    def _explained(self, document: Document) -> list[Layer]:
        """Mark the detection that the map explains: of several of one class, which."""
        result = self._current(document)
        return [] if result is None else attribution.explained_layers(result, self._detections)

    def _current(self, document: Document) -> Result | None:
        """Return the map of the chosen method, the last one while its settings change; None while there is none."""
        if self._request is None or self._request.inspection != document.method:
            return None
        return None if document.method in document.view.unfit else self._result

    def _map(self, document: Document) -> list[Heat]:
        result = self._current(document)
        if result is None:
            return []
        values, signed, look = result.arrays["map"], bool(result.meta["signed"]), document.look
        said = heatmap.words(values, signed=signed)
        if said == heatmap.FLAT or (said and look.sign == POSITIVE) or heatmap.end_of(values, look) <= 0:
            return []
        if self._heat is None or self._heat[0] is not result or self._heat[1] != look:
            layer = heatmap.heat_layer(values, result.meta["extent"], look, id=self.id)
            self._heat = (result, look, layer)
        return [self._heat[2]]

    def pointer(self, place: tuple[float, float] | None) -> None:
        """Read the map under the pointer."""
        self._place = place
        self._read()

    def _read(self) -> None:
        """Show the value of the painted map under the pointer, in the words of the status bar."""
        place, painted = self._place, self._map(self.store.document)
        said = heatmap.reading(painted[0], *place) if place is not None and painted else ""
        where = (
            tr(", at x {place}, y {place_2}", place=int(place[0]), place_2=int(place[1])) if place is not None else ""
        )
        self.reading.set_value(said + where if said else "")

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_view(explaining=in_view))

    def recall(self, memory: dict[str, Any]) -> None:
        """Fold the sections as they were when the program last ran."""
        self._memory = memory
        for section in (self.settings, self.drawing):
            section.set_open(memory.get(section.title, True) is True)

    def _update_text(self, document: Document) -> None:
        """Show the verdict and the numbers of the map on screen."""
        known = attribution.judgements(self._verdicts).get(document.method)
        never = known is not None and known.level == "never"
        there = self._current(document) is not None and not never
        self.verdict.setText(self._state(document, known))
        automatic = str(self._verdicts.meta["automatic"]) if self._verdicts is not None else ""
        used = self._offer is None or attribution.layered(self._offer)
        self.target.follow_layer(document.layer, automatic, used=used)
        result = self._result if there else None
        self._read()
        self.look.follow(
            document.look, both=result is None or all(heatmap.signs_of(result.arrays["map"], document.look))
        )
        self.reading.setVisible(result is not None)
        self.levels.setVisible(result is not None)
        if result is None:
            self.look.show_end(0.0, locked=document.look.scale > 0)
            return
        values, signed = result.arrays["map"], bool(result.meta["signed"])
        low, high, colours = heatmap.range_of(values, document.look)
        self.reading.bar.set_range(low, high, colour_map=colours)
        self.levels.show_map(heatmap.shown(values, document.look), low=low, high=high, colours=colours)
        self.reading.set_facts(attribution.facts(result, self._texts))
        caution = attribution.CAUTION if self._request and self._request.inspection in attribution.GUIDED else ""
        partial = REFINING if result.meta.get("partial") else ""
        words = [heatmap.words(values, signed=signed), partial, caution]
        self.reading.set_warning(" ".join(word for word in words if word))
        self.look.show_end(max(-low, high), locked=document.look.scale > 0)

    def _state(self, document: Document, known: attribution.Judgement | None) -> str:
        if not document.sources:
            return NOTHING_OPEN
        if not document.method:
            return OFF
        if self._failure[1]:
            return self._failure[1]
        if known is None:
            return WAITING
        words = f"{WORDS[known.level].capitalize()}. {known.reason}".strip()
        waiting = known.level != "never" and self._current(document) is None
        return f"{words} {WAITING}" if waiting else words

    def _build(self, offer: Offer | None) -> None:
        """Build the form of a method's own parameters."""
        if self.form is not None:
            self.form.hide()
            self.form.deleteLater()
            self.form = None
        self._offer = offer
        shown = [replace(p, unit="") for p in offer.parameters if p.name not in attribution.ABOUT] if offer else []
        self.settings.setVisible(bool(shown))
        if offer is None or not shown:
            return
        self.form = Form(shown)
        self.form.set_named(tr("Method's own value"))
        self.form.reset.setText(tr("Reset the method"))
        self.form.reset.setAccessibleName(tr("Reset the method"))
        self.form.set_defaults(offer.defaults)
        self.form.set_applicable({p.name: offer.greyed.get(p.name, "") for p in offer.parameters})
        self.form.changed.connect(self._set)
        self.form.committed.connect(self._commit)
        self.form.reset_requested.connect(self._reset)
        self.settings.add(self.form)

    def _connect(self) -> None:
        self.methods.chosen.connect(self._choose)
        self.target.target_picked.connect(self._set_target)
        self.target.against_picked.connect(self._oppose)
        self.target.part_picked.connect(self._part)
        self.target.layers_wanted.connect(lambda: self.command_wanted.emit("layers"))
        self.target.own_layer_wanted.connect(self._own_layer)
        self.target.clear_wanted.connect(self._best_box)
        self.look.changed.connect(self._draw)
        self.levels.dragged.connect(self._draw)
        self.look.reset_requested.connect(self._draw_own)
        for section in (self.settings, self.drawing):
            section.toggled.connect(self._folded)

    def _folded(self, title: str, opened: bool) -> None:
        self._memory[title] = opened

    def _choose(self, method: str) -> None:
        offers = {offer.id: offer.title for offer in attribution.methods(self._description)}
        title = tr("Explain by {offers}", offers=offers[method]) if method in offers else tr("Explain by no method")
        self.store.update(self.store.document.explaining(method=method), title=title)

    def _set_target(self, word: str) -> None:
        names = self._description.classes if self._description else ()
        title = tr("Explain {title_for}", title_for=title_for(word, names) if word else tr("the highest class"))
        self.store.update(attribution.with_target(self.store.document, word), title=title)

    def _oppose(self, word: str) -> None:
        names = self._description.classes if self._description else ()
        title = tr("Set against {title_for}", title_for=title_for(word, names) if word else tr("no class"))
        self.store.update(self.store.document.explaining(against=word), title=title)

    def _part(self, part: str) -> None:
        self.store.update(
            self.store.document.explaining(part=part),
            title=tr("Explain {parts}", parts=attribution.PARTS[part].lower()),
        )

    def _own_layer(self) -> None:
        self.store.update(self.store.document.explaining(layer=""), title=tr("Automatic layer"))

    def _best_box(self) -> None:
        document = self.store.document
        if document.region is not None:
            self.store.update(document.with_region(None).with_selected(-1), title=tr("Clear the rectangle"))
        else:
            self.store.update(document.with_selected(-1))

    def _set(self, name: str, value: Any) -> None:
        if self._offer is None:
            return
        own = self._offer.defaults.get(name)
        document = self.store.document.with_value(self._offer.id, **{name: None if value == own else value})
        title = next((p.title for p in self._offer.parameters if p.name == name), name)
        self.store.update(document, title=title, merge=f"{self._offer.id}.{name}")

    def _commit(self, name: str, value: Any) -> None:
        self._set(name, value)
        self.store.settle()

    def _reset(self) -> None:
        if self._offer is not None:
            self.store.update(
                self.store.document.with_own(self._offer.id), title=tr("Reset {offer}", offer=self._offer.title)
            )

    def _draw(self, name: str, value: object, final: bool) -> None:
        self.store.update(
            self.store.document.with_look(**{name: value}), title=tr("How maps are drawn"), merge=f"look.{name}"
        )
        if final:
            self.store.settle()

    def _draw_own(self) -> None:
        look = self.look.reset_look(self.store.document.look)
        self.store.update(self.store.document.with_look(**look), title=tr("Reset how maps are drawn"))


PANEL = AttributionPanel
