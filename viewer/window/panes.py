"""The two panes in the centre: the canvas of the document's model, A, and beside it that of a second model, B.

Both show the same place, select boxes in the same places, and read out the same points. B's layers come from hidden
panels of B's own, so that the same code paints both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from models import model_name, quantity
from models.cards import card
from models.inspection import Description
from models.requests import Request
from models.types import Pixels, Result
from viewer import theme
from viewer.canvas.layers import Heat, Layer
from viewer.canvas.legend import Legend
from viewer.canvas.link import Link, Place
from viewer.canvas.view import Canvas, Pointer
from viewer.engine_texts import spoken
from viewer.export.two_models import Side
from viewer.panels.base import Panel
from viewer.panels.registry import PANELS
from viewer.presenters import box_pair, model_difference
from viewer.presenters.legend import legend_of
from viewer.session import second_model
from viewer.session.document import Document
from viewer.session.lookup import class_name
from viewer.session.request_plan import DETECT_SLOT
from viewer.translation import tr, trn
from viewer.widgets.controls.model_picker import ModelBox
from viewer.widgets.dialogs.pane_head import PaneHead
from viewer.window.canvas_controller import CanvasController
from viewer.window.context import WindowContext
from viewer.window.lazy_panels import LazyPanels
from viewer.window.status_bar import FORWARD

if TYPE_CHECKING:
    from viewer.panels.second_model import BesidePanel

GENERATED = "generated"
TIMED = (DETECT_SLOT, "classify", GENERATED)
LEAST_BOX_PX = 160
OPENING = tr("Opening the model…")
WORKING = tr("Working…")
MOVING = tr("Pause to compare: the second model does not run during playback.")
CANCELLED = tr("Cancelled. F5 asks again.")


@dataclass
class Facts:
    """The facts in a pane's header: the network's time, kept while later results come from the cache, and a
    classifier's best class.
    """

    about: tuple[object, ...] = ()
    best: str = ""
    forward_ms: float = 0.0

    def heard(self, request: Request, result: Result) -> None:
        """Record the times of a result."""
        about = (request.model, request.source)
        timings: Mapping[str, float] = result.meta.get("timings", {})
        spent = sum(timings.get(name, 0.0) for name in (*FORWARD, "forward", "generate"))
        if spent or about != self.about:
            self.about, self.forward_ms, self.best = about, spent, ""
        if request.inspection == DETECT_SLOT:
            count = len(result.arrays["boxes"])
            self.best = trn("{n:,} box", "{n:,} boxes", count)
        elif request.inspection == "classify":
            label, best = int(result.arrays["labels"][0]), float(quantity.numbers(result)[0])
            self.best = f"{class_name(result, label)} {quantity.short(best, quantity.of(result))}"

    def text(self, description: Description | None) -> str:
        """Return the device, the time of the last forward pass or that none was needed, and the answer."""
        took = f"{self.forward_ms:.0f} ms" if self.forward_ms else tr("from the cache") if self.about else ""
        return " · ".join(part for part in (description.device if description else "", took, self.best) if part)


class SecondPane(QWidget):
    """The second model's canvas below its header; `cellar` holds the hidden panels that paint there."""

    def __init__(self) -> None:
        super().__init__()
        self.canvas = Canvas()
        self.canvas.setAccessibleName(tr("Picture of the second model"))
        self.box = ModelBox()
        self.box.setAccessibleName(tr("Second model"))
        self.box.setToolTip(tr("The model that is shown beside the other"))
        self.box.setMinimumWidth(LEAST_BOX_PX)
        self.head = PaneHead("B", self.box)
        _stack(self, self.head, self.canvas)
        self.cellar = QWidget(self)
        self.cellar.hide()


class Panes(QSplitter):
    """The window's canvas and, while the document has a second model, a pane for that, built on first use.

    `model_wanted` is emitted with the name of a model to open as the second one, downloaded first if necessary;
    `repainted` when B's layers have changed; `menu_wanted` asks for the menu of a place on B's picture.
    """

    model_wanted = Signal(str)
    repainted = Signal()
    menu_wanted = Signal(object, QPoint)

    def __init__(self, context: WindowContext, controller: CanvasController) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setChildrenCollapsible(False)
        self.setAccessibleName(tr("Panes"))
        self._context, self._controller, self._session = context, controller, context.session
        self._bundled = list(card.bundled())
        self._beside = context.session.beside
        self._facts = Facts(), Facts()
        self._made: Pixels | None = None
        self._known: tuple[str, Description | None] = ("", None)
        self._first = QWidget()
        _stack(self._first, context.canvas)
        self.addWidget(self._first)
        self.panels = LazyPanels([entry for entry in PANELS if entry.beside], self._beside.store)
        self._beside.wants = self.panels.wants()
        self._connect()
        self._show()

    @cached_property
    def second(self) -> SecondPane:
        """The pane of the second model, created when first needed."""
        second = SecondPane()
        second.head.add_button("swap", tr("Swap the two models"), tr("The second model comes first"), self.swap)
        second.head.add_button("close", tr("Show one model"), tr("Close the second pane"), self.close_second)
        second.canvas.clicked.connect(self._clicked)
        second.canvas.menu_wanted.connect(self.menu_wanted)
        second.canvas.region_drawn.connect(self._context.canvas.region_drawn)
        second.box.chosen.connect(self.choose)
        self.addWidget(second)
        return second

    @cached_property
    def heads(self) -> tuple[PaneHead, PaneHead]:
        """The headers of both panes; a single model has none."""
        first, second = PaneHead("A"), self.second.head
        second.resized.connect(first.setFixedHeight)
        column = self._first.layout()
        assert isinstance(column, QVBoxLayout)
        column.insertWidget(0, first)
        return first, second

    @cached_property
    def _link(self) -> Link:
        return Link(self._context.canvas, self.canvas, on=lambda: self.on, pointed=self._pointed)

    @property
    def canvas(self) -> Canvas:
        """The canvas of the second model."""
        return self.second.canvas

    @property
    def box(self) -> ModelBox:
        """The box for choosing the second model."""
        return self.second.box

    @property
    def _built(self) -> bool:
        """Whether the second pane has been created."""
        return "second" in vars(self)

    @property
    def on(self) -> bool:
        """Whether there is a second model."""
        return self._beside.on

    def layers(self) -> list[Layer]:
        """All layers over B's picture, bottom first."""
        document = self._beside.store.document
        shown = [panel for panel in sorted(self.panels.built, key=lambda panel: panel.rank) if panel.isEnabled()]
        layers = [layer for panel in shown for layer in panel.layers(document)]
        for panel in shown:
            layers = panel.restyle(layers, document)
        compared, descriptions = self._context.panels["beside"], (self._session.description, self._beside.description)
        names = [each.classes if each is not None else () for each in descriptions]
        layers = model_difference.recoloured(layers, names[1], names[0])
        return cast("BesidePanel", compared).restyle_second(layers, self._session.store.document)

    def legend(self, layers: Sequence[Layer]) -> Legend:
        """The legend of B's pane: the scales of its maps; colours mean what they mean in A's pane."""
        if not (self.on and self._session.store.document.view.legend):
            return Legend()
        answer = self._beside.answer("attribution")
        titles = {"attribution": str(answer[1].meta.get("method", ""))} if answer else {}
        return Legend(scales=legend_of(layers, (), titles=titles).scales)

    def image(self) -> QImage:
        """Return what both panes show, in physical pixels."""
        return self.grab().toImage()

    def sides(self) -> tuple[Side, Side]:
        """Return what both panes show, for export."""
        answers: tuple[dict[str, Any], dict[str, Any]] = {}, {}
        for slot, answer in self._session.results.items():
            own = second_model.slot_of(slot)
            answers[bool(own)][own or slot] = answer
        first, second = (
            (self._context.canvas, self._controller.layers()),
            (self.canvas, self.layers()),
        )
        document = self._session.store.document
        names = model_name.title(document.model), model_name.title(document.beside)
        made = [
            Side(name, head.facts.text(), canvas.pixels, layers, found)
            for name, head, (canvas, layers), found in zip(names, self.heads, (first, second), answers, strict=True)
        ]
        return made[0], made[1]

    def swap(self) -> None:
        """Swap A and B, with the settings in force."""
        store = self._session.store
        if self.on:
            store.update(
                second_model.swapped(store.document, self._beside.store.document), title=tr("Swap the two models")
            )

    def close_second(self) -> None:
        """Close the second model."""
        store = self._session.store
        store.update(store.document.with_beside(""), title=tr("Show one model"))
        self._context.docks.hide("beside")

    def choose(self, name: str) -> None:
        """Show a model beside the document's own; download it first if necessary."""
        store = self._session.store
        if name == store.document.model:
            text = tr("This model is already shown. Compare it with another, or with itself under another assumption.")
            self._context.messages.tell(text, severity="warning", key="beside")
        else:
            self.model_wanted.emit(name)

    def put_beside(self, name: str) -> None:
        """Show an available model beside the document's own, or repeat its failed requests."""
        store = self._session.store
        if name == store.document.beside:
            self._beside.again()
        store.update(store.document.with_beside(name), title=tr("Compare two models"))
        self._context.docks.show("beside")

    def paint(self) -> None:
        """Repaint with the current layers of B's panels."""
        if self.on or self._built:
            layers = self.layers() if self.on else []
            self.canvas.set_layers(layers)
            self.canvas.legend.show_legend(self.legend(layers))
            self.repainted.emit()

    def _changed(self, before: Document, after: Document) -> None:
        """Follow the first model's document: whether there are two models, and which picture is shown."""
        if before.beside != after.beside:
            self._show()

    def _followed(self, before: Document, after: Document) -> None:
        """Update B's panels from B's document."""
        if (before.model, before.source) != (after.model, after.source):
            for panel in self.panels.built:
                panel.forget()
        if before.model != after.model:
            self._made = None
        self._refresh()
        if replace(before, settings=after.settings) != after:
            self.paint()

    def _show(self) -> None:
        if self.on or self._built:
            for part in (self.heads[0], self.second):
                part.setVisible(self.on)
        if self.on:
            _ = self._link
            self.setSizes([self.width() // 2] * 2)
            self._truth(self._session.truth)
        else:
            self._made = None
            for panel in self.panels.built:
                panel.forget()
        self._refresh()
        self._picture()
        self.paint()

    def _refresh(self) -> None:
        if not (self.on or self._built):
            return
        document, description = self._beside.store.document, self._beside.description
        self._known = (self._session.store.document.beside, description)
        self.panels.build_painting(document)
        for panel in self.panels.built:
            self._refresh_panel(panel)
        self._update_text()

    def _refresh_panel(self, panel: Panel) -> None:
        description = self._beside.description
        panel.setEnabled(description is not None and not panel.lacking(description))
        panel.refresh(self._beside.store.document, description)

    def _fill_panel(self, panel: Panel) -> None:
        """Hide a newly built panel, and pass it what the others have received."""
        panel.setParent(self.second.cellar)
        panel.layers_changed.connect(self.paint)
        self._refresh_panel(panel)
        panel.view_changed(not self._context.docks.by_id[panel.id].visibleRegion().isEmpty())
        if self._session.truth is not None:
            panel.show_truth(self._session.truth)
        for slot, (request, result) in self._session.results.items():
            if own := second_model.slot_of(slot):
                panel.show_result(own, request, spoken(result))

    def _seen(self, name: str, in_view: bool) -> None:
        """Tell B's panel that A's became visible or hidden."""
        if not self._context.closed and any(panel.id == name for panel in self.panels.built):
            self.panels[name].view_changed(in_view)

    def _watch_panel(self, panel: Panel) -> None:
        """Repaint when the comparison of the two models has changed."""
        if panel.id == "beside":
            panel.layers_changed.connect(self.paint)

    def _result(self, slot: str, request: Request, result: Result) -> None:
        own = second_model.slot_of(slot)
        if (own or slot) in TIMED:
            self._facts[bool(own)].heard(request, result)
            self._update_text()
        if not own:
            return
        self.panels.answered(own)
        self._context.panels["beside"].show_result(slot, request, spoken(result))
        for panel in self.panels.built:
            panel.show_result(own, request, spoken(result))
        if own == GENERATED:
            self._made = result.arrays["picture"]
            self._picture()
        self._update_text()

    def _failure(self, slot: str, failure: Any) -> None:
        if own := second_model.slot_of(slot):
            for panel in self.panels.built:
                panel.show_failure(own, failure)
            if not failure.cancelled:
                self._context.messages.note(
                    f"{model_name.title(self._session.store.document.beside)}: {failure.text}", failure.details
                )
            self._update_text()

    def _truth(self, truth: Any) -> None:
        for panel in self.panels.built:
            panel.show_truth(truth)
        self.paint()

    def _state(self) -> None:
        if not self.on:
            return
        if self._known != (self._session.store.document.beside, self._beside.description):
            self._refresh()
            self._picture()
            self.paint()
            name, known = self._known
            if known is not None and name not in card.UNTRAINED:
                self._context.settings.add_model(name)
        self._update_text()
        self.canvas.set_stale(bool(self._waiting()))

    def _waiting(self) -> list[str]:
        """Return B's slots without a result for the current request."""
        session = self._session
        wanted = {slot: request for slot, request in session.wanted.items() if second_model.slot_of(slot)}
        done = [slot for slot in wanted if session.results.get(slot, (None,))[0] == wanted[slot]]
        return [slot for slot in wanted if slot not in done and session.failed.get(slot) != wanted[slot]]

    def _update_text(self) -> None:
        """Show the model's name in both headers, and in B's what it does not support or what failed."""
        if not (self.on or self._built):
            return
        document = self._session.store.document
        a, b = model_name.title(document.model), model_name.title(document.beside)
        descriptions = self._session.description, self._beside.description
        notes = "", self._note(document, descriptions[1])
        for head, name, facts, about, note in zip(self.heads, (a, b), self._facts, descriptions, notes, strict=True):
            head.tell(name, facts.text(about), note)
        recent = self._context.settings.recent_models
        names = [*self._bundled, *recent, document.beside]
        if self.on:
            self.box.list_models([name for name in names if name != document.model], document.beside)

    def _note(self, document: Document, b: Description | None) -> str:
        failures = [CANCELLED if f.cancelled else f.text for f in self._beside.failures]
        if failures:
            return "\n".join(dict.fromkeys(failures))
        if b is None:
            return OPENING
        if document.source is not None and document.source.moving:
            return MOVING
        untrained = str(b.about.get("note", "")) if b.about.get("weights") == "none" else ""
        differing = second_model.differing(self._session.description, b, self._beside.store.document)
        return "\n".join(part for part in (untrained, differing) if part)

    def _picture(self) -> None:
        """Show B's picture: the one it generates from the code, or else that of A's canvas."""
        if not self.on:
            if self._built:
                self.canvas.show_picture(None)
            return
        b, document = self._beside.description, self._session.store.document
        pixels = self._context.canvas.pixels
        if b is not None and "Generates" in b.capabilities:
            pixels = self._made
        elif self._controller.generates:
            pictures, source = self._session.pictures, document.source
            pixels = pictures[source].pixels if source in pictures else None
        if self.canvas.pixels is not pixels:
            self.canvas.show_picture(pixels, keep_view=True)
            self._link.look(self._context.canvas, self.canvas)

    def _pointed(self, place: Place) -> None:
        for panel in self.panels.built:
            panel.pointer(place)

    def status_layers(self) -> list[Layer]:
        """The maps of both panes, with B's labelled as such, for the values under the pointer."""
        heats = [layer for layer in self.canvas.layers if isinstance(layer, Heat)] if self.on else []
        return [*self._context.canvas.layers, *(replace(layer, id=f"{layer.id} B") for layer in heats)]

    def _clicked(self, pointer: Pointer) -> None:
        """Select the box of B that was clicked, and A's box at that place; pass other clicks to A's panels."""
        if pointer.rgb is not None and any(
            panel.clicked((pointer.x, pointer.y)) for panel in self._context.panels.built if panel.isEnabled()
        ):
            return
        other, selected = box_pair.pick(self.canvas.layers, pointer), -1
        a, b = self._session.results.get(DETECT_SLOT), self._beside.answer(DETECT_SLOT)
        if other >= 0 and a is not None and b is not None:
            selected = second_model.counterpart(b[1], other, a[1])
        store = self._session.store
        store.update(store.document.with_selected(selected).with_other(other))

    def _connect(self) -> None:
        on = self._session.on
        for name in self.panels:
            self._context.docks.by_id[name].visibilityChanged.connect(partial(self._seen, name))
        self.panels.on_built.append(self._fill_panel)
        self._context.panels.on_built.append(self._watch_panel)
        self._session.store.listen(self._changed)
        self._beside.store.listen(self._followed)
        on.result.append(self._result)
        on.failure.append(self._failure)
        on.truth.append(self._truth)
        on.state.append(self._state)
        self._context.canvas.picture_changed.connect(self._picture)
        theme.changes().connect(self.paint)


def _stack(whole: QWidget, *parts: QWidget) -> None:
    """Stack widgets vertically, the last one taking the remaining height."""
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    for part in parts:
        column.addWidget(part)
    column.setStretchFactor(parts[-1], 1)
