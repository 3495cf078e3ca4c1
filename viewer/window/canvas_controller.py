"""The content of the canvas: the opened or generated picture, the panels' layers, the pointer."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRectF, Signal

from models.cards.card import task
from models.pictures.images import Picture
from models.types import Pixels, Result, Source
from viewer.canvas.layers import Layer
from viewer.canvas.legend import Legend
from viewer.canvas.view import Pointer
from viewer.presenters import attribution, box_pair
from viewer.presenters.legend import UNITS, legend_of
from viewer.session.document import Document
from viewer.session.lookup import row_of
from viewer.translation import tr
from viewer.window.context import WindowContext

SLOT = "generated"
LEGEND = "legend"  # where the user put it, among the settings


class CanvasController(QObject):
    """Shows pictures and layers on a window's canvas, and passes clicks to panels and the document.

    A picture shown by a panel stays until the model generates another. `fronted` is emitted when there is a picture to
    show, `emptied` when there is none, `zoomed` with the zoom in percent, None without a picture.
    """

    fronted = Signal()
    emptied = Signal()
    zoomed = Signal(object)

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context.frame)
        self._context = context
        self._session, self._canvas = context.session, context.canvas
        self._made: Pixels | None = None
        self._canvas.pointer_moved.connect(self._pointed)
        self._canvas.clicked.connect(self._clicked)
        self._canvas.region_drawn.connect(self._region)
        self._canvas.line_moved.connect(self._line)
        self._canvas.line_let_go.connect(self._session.store.settle)
        self._canvas.legend.moved.connect(self._moved)
        at = context.settings.extra.get(LEGEND)
        if isinstance(at, list) and len(at) == 2 and all(isinstance(share, int | float) for share in at):
            self._canvas.legend.put(at)

    @property
    def generates(self) -> bool:
        """Whether the canvas shows generated pictures, as far as is known."""
        description = self._session.description
        if description is not None:
            return "Generates" in description.capabilities
        return task(self._session.store.document.model) == "generation"

    @property
    def selected_box(self) -> QRectF | None:
        """The selected detection's box in pixels of the picture."""
        if "detect" not in self._session.results:
            return None
        result = self._session.results["detect"][1]
        row = row_of(result, self._session.store.document.selected)
        if row < 0:
            return None
        x0, y0, x1, y1 = (float(v) for v in result.arrays["boxes"][row])
        return QRectF(x0, y0, x1 - x0, y1 - y0)

    def layers(self) -> list[Layer]:
        """All layers over the picture, bottom first."""
        document = self._session.store.document
        built = sorted(self._context.panels.built, key=lambda panel: panel.rank)
        shown = [panel for panel in built if panel.isEnabled()]
        layers = [layer for panel in shown for layer in panel.layers(document)]
        for panel in shown:
            layers = panel.restyle(layers, document)
        return [*layers, *box_pair.layers_of(layers, document.selected, document.second)]

    def repaint_layers(self) -> None:
        """Repaint with the panels' current layers."""
        layers = self.layers()
        self._canvas.objects.name_maps({**UNITS, **self._titles()})
        self._canvas.set_layers(layers)
        self._canvas.legend.show_legend(self.legend(layers))

    def legend(self, layers: list[Layer], *, always: bool = False) -> Legend:
        """The legend of layers, an empty one if it is switched off and not wanted `always`."""
        description, document = self._session.description, self._session.store.document
        if not (always or document.view.legend) or self._canvas.pixels is None:
            return Legend()
        return legend_of(layers, description.classes if description else (), titles=self._titles())

    def _titles(self) -> dict[str, str]:
        """What the maps on the canvas show, by the id of their layer."""
        answer = self._session.results.get("attribution")
        return {"attribution": str(answer[1].meta["method"])} if answer and "method" in answer[1].meta else {}

    def _moved(self, at: tuple[float, float]) -> None:
        self._context.settings.extra[LEGEND] = list(at)

    def follow(self, before: Document, after: Document) -> None:
        """Update the canvas for another picture or model."""
        if before.model != after.model:
            self._made = None
        self.settle()

    def settle(self) -> None:
        """Show the canvas if there is something to show, else the page for opening something."""
        document, pictures = self._session.store.document, self._session.pictures
        if self.generates:
            self.fronted.emit()
        elif document.source is None:
            self._put(None)
            self.emptied.emit()
        elif document.source in pictures:
            picture = pictures[document.source].pixels
            if self._canvas.pixels is not picture:
                self._put(picture)

    def answer(self) -> None:
        """Show the panel that says most about an opened picture: its anatomy, or where its code is sought."""
        description = self._session.description
        if description is not None and self.generates and self._session.store.document.source is not None:
            self._context.docks.show("anatomy" if "Encodes" in description.capabilities else "inversion")

    def opened(self, source: Source, picture: Picture) -> None:
        """Show an opened picture, unless the model shows its own."""
        if not self.generates:
            self.fronted.emit()
            self._put(picture.pixels)

    def made(self, result: Result) -> None:
        """Show a generated picture."""
        self._made = result.arrays["picture"]
        self._put(self._made)

    def play(self, pixels: Pixels | None) -> None:
        """Show a picture temporarily; None shows the last generated one again."""
        if self.generates and (shown := self._made if pixels is None else pixels) is not None:
            self._put(shown)

    def _put(self, pixels: Pixels | None) -> None:
        self._canvas.show_picture(pixels, keep_view=True)
        self.zoomed.emit(self._canvas.scale_percent if pixels is not None else None)

    def _pointed(self, pointer: Pointer | None) -> None:
        outside = pointer is None or pointer.rgb is None
        for panel in self._context.panels.built:
            panel.pointer(None if pointer is None or outside else (pointer.x, pointer.y))

    def _clicked(self, pointer: Pointer) -> None:
        inside = pointer.rgb is not None
        takers = [panel for panel in self._context.panels.built if panel.isEnabled() and inside]
        if any(panel.clicked((pointer.x, pointer.y)) for panel in takers):
            return
        if pointer.hit is not None and not pointer.extend and any(panel.picked(*pointer.hit) for panel in takers):
            return
        selected, store = box_pair.pick(self._canvas.layers, pointer), self._session.store
        document = store.document
        if pointer.extend and document.selected >= 0:
            store.update(document.with_second(-1 if selected == document.selected else selected))
        else:
            store.update(document.with_selected(selected))
            if selected >= 0 and "detect" in self._session.results and self._context.docks.is_current("find"):
                self._context.docks.offer("lineage")

    def _line(self, x: float) -> None:
        """Let the panel whose line it is move it."""
        for panel in self._context.panels.built:
            if panel.isEnabled() and panel.dragged(x):
                return

    def _region(self, rect: QRectF) -> None:
        store, docks = self._session.store, self._context.docks
        document = store.document.with_region((rect.left(), rect.top(), rect.right(), rect.bottom()))
        description = self._session.description
        if description is None or "Detects" in description.capabilities:
            store.update(document, title=tr("Draw a rectangle"))
            docks.show("missed")
        elif not description.offers["ablation"].reason:
            docks.show("attribution")
            store.update(document, title=tr("Draw a rectangle"))
            within = bool({"SegmentsPicture", "Translates"} & {*description.capabilities})
            self._context.messages.tell(attribution.WITHIN if within else attribution.HIDES, key="region")
