"""The Compare maps panel: methods x classes x pictures in one grid, on one scale, and the difference of two maps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from models.cards import card
from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result, Source
from viewer.panels.base import GAP, Levels, Panel
from viewer.presenters import attribution, map_comparison, map_tiles
from viewer.presenters.map_comparison import Cell, Difference
from viewer.presenters.map_tiles import Answer, Sheet, Shown
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import label_of
from viewer.session.request_plan import Wanted
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.check_picker import Picker
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.map_grid import MapGrid

KEPT_MOST = 96
EMPTY = tr("Open a picture: each method's map of each class stands side by side here.")
PLAYS = tr("Pause to compare maps of a frame.")
HINT = tr("Click a map, then Ctrl+click another: their difference.")


class MapsPanel(Panel):
    """Choices on top, the grid, the difference of two cells, one colour bar. The last KEPT_MOST results are kept."""

    id: ClassVar[str] = "maps"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._description: Description | None = None
        self._answers: OrderedDict[Request, Answer] = OrderedDict()
        self._levels: dict[Source, Levels] = {}
        self._provided: set[Source] = set()
        self._best: Result | None = None
        self._offered: object = None
        self._pair: tuple[Cell, ...] = ()
        self.shown: list[Shown] = []
        self.sheet: Sheet | None = None
        self.methods = Picker(tr("Methods"))
        self.methods.picked.connect(lambda ids: self._set(tr("Methods to compare"), methods=ids))
        self.classes = Picker(tr("Classes"), add=tr("Add a class…"))
        self.classes.picked.connect(lambda names: self._set(tr("Classes to compare"), classes=names))
        self.classes.added.connect(self._add)
        self.pictures = QSpinBox()
        self.pictures.setRange(1, map_comparison.MOST_PICTURES)
        self.pictures.setAccessibleName(tr("Pictures to compare"))
        self.pictures.setToolTip(tr("The current picture and those after it in the film strip"))
        self.pictures.valueChanged.connect(lambda count: self._set(tr("Pictures to compare"), pictures=count))
        self.scale = QComboBox()
        self.scale.setAccessibleName(tr("Scale of the maps"))
        self.scale.setToolTip(
            tr("What shares a scale can be compared by its colours; units differ from method to method")
        )
        self.scale.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.scale.setMinimumContentsLength(12)
        for key, title in map_comparison.SCALES.items():
            self.scale.addItem(title, key)
        self.scale.activated.connect(lambda: self._set(tr("Scale of the maps"), scale=str(self.scale.currentData())))
        self.grid = MapGrid(tr("Maps side by side"))
        self.fit = _tool(tr("Fit"), tr("Whole pictures again (0)"), self.grid.fit)
        self.copy = _tool(tr("Copy"), tr("Copy the numbers of every map as text"), self._copy)
        self.export = _tool(
            tr("Export…"), tr("Save the grid as PNG, every map as NPZ, numbers as JSON"), self._ask_export
        )
        self.other = MapGrid(tr("Difference of two maps"))
        self.bars, self.other_bar = (ColourBar(), ColourBar()), ColourBar()
        self.words, self.other_words = (
            WrappedLabel(tr("Scale of the maps in words"), small=True),
            WrappedLabel(tr("About the difference"), small=True),
        )
        self._link()
        self._lay_out()
        self.refresh(store.document, None)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Wanted:
        """Request the map of every cell while the panel is in view."""
        return map_comparison.wanted(document, description)

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_view(maps=in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Follow the document while in view."""
        if description is not self._description:
            self._description, self._best = description, None
        if not document.view.maps:
            return
        self._offer(document)
        self.pictures.blockSignals(True)
        self.pictures.setValue(document.maps.pictures)
        self.pictures.blockSignals(False)
        self.pictures.setVisible(len(document.sources) > 1)
        self.scale.setCurrentIndex(self.scale.findData(document.maps.scale))
        self._show()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store a map, or the best classes."""
        document = self.store.document
        if slot == map_comparison.BEST_SLOT:
            self._best = result
            found = map_comparison.found(result)
            if found != document.maps.found:
                self.store.update(document.with_maps(found=found))
            else:
                self._offered = None
                self.refresh(document, self._description)
        elif slot.startswith(map_comparison.QUEUE + "."):
            self._keep(request, result)

    def show_failure(self, slot: str, failure: Failure) -> bool:
        """Show in a cell why it has no map."""
        request = map_comparison.wanted(self.store.document, self._description).get(slot)
        if not slot.startswith(map_comparison.QUEUE + ".") or request is None:
            return False
        self._keep(request, failure)
        return slot != map_comparison.BEST_SLOT

    def show_pixels(self, source: Source, levels: Levels) -> None:
        """Take a picture to paint maps over."""
        self._levels[source] = levels
        self._show()

    def forget(self) -> None:
        """Drop the selected cells and best classes. Maps stay: they are stored by request and can be shown again."""
        self._pair, self._best, self._offered = (), None, None

    def pointer(self, place: tuple[float, float] | None) -> None:
        """Show the pointer's place on the picture in every cell."""
        size = next((one.tile.size for one in self.shown if one.tile.size[0]), None)
        if place is None or size is None:
            self._point(None)
        else:
            self._point((place[0] / size[0], place[1] / size[1]))

    @property
    def text(self) -> str:
        """Return the numbers of all maps as tab-separated text."""
        return map_tiles.text(self.shown)

    @property
    def ready(self) -> bool:
        """Return whether there is a map to export."""
        return any(one.result is not None for one in self.shown)

    @property
    def pixels(self) -> dict[Source, Levels]:
        """Return the pictures at hand, each as levels of halved size."""
        return self._levels

    # internals

    def _keep(self, request: Request, answer: Answer) -> None:
        self._answers[request] = answer
        self._answers.move_to_end(request)
        while len(self._answers) > KEPT_MOST:
            self._answers.popitem(last=False)
        self._show()

    def _show(self) -> None:
        """Update grid, colour bar and difference from the results there are."""
        document, description = self.store.document, self._description
        if not document.view.maps:
            return
        cells = map_comparison.cells(document, description)
        self._borrow({cell.source for cell in cells})
        asked = {cell: map_comparison.request(cell, document, description) for cell in cells}
        answers = {cell: self._answers[one] for cell, one in asked.items() if one in self._answers}
        known = {source: levels for source, levels in self._levels.items() if levels}
        sizes = {source: (levels[0].shape[1], levels[0].shape[0]) for source, levels in known.items()}
        found = map_tiles.tiles(asked, answers, document, titles=map_comparison.titles(description), sizes=sizes)
        self.shown = found.shown
        across = len(map_comparison.methods(document, description))
        self.grid.set_pictures(known)
        self.other.set_pictures(known)
        self.grid.set_tiles([one.tile for one in self.shown], across=across)
        more = map_comparison.left_out(document, description)
        words = (
            tr("{words}. {more} more do not fit: choose fewer", words=found.words, more=more) if more else found.words
        )
        empty = PLAYS if document.source is not None and document.source.moving else EMPTY
        self.words.setText(words if self.shown else empty)
        self.words.setToolTip(words)
        for number, bar in enumerate(self.bars):
            bar.setVisible(bool(answers) and number < len(found.bars))
            if number < len(found.bars):
                _update_text(bar, found.bars[number])
        self._pair = tuple(cell for cell in self._pair if cell in asked)
        self.grid.mark([cell.slot for cell in self._pair])
        subtracted = self._subtract()
        self.sheet = Sheet(self.shown, across, document.look, document.maps.scale, found.bars, found.words, subtracted)
        self.export.setEnabled(self.ready)
        self.copy.setEnabled(bool(self.shown))

    def _borrow(self, sources: set[Source]) -> None:
        """Request missing pictures, and drop those no longer shown."""
        for gone in self._levels.keys() - sources:
            del self._levels[gone]
        self._provided &= sources
        for source in sources - self._provided:
            self._provided.add(source)
            self.pixels_wanted.emit(source)

    def _subtract(self) -> tuple[str, str, Difference] | None:
        """Show and return the difference of the two selected cells, None if there is none."""
        by_cell = {one.cell: one for one in self.shown}
        chosen = [by_cell[cell] for cell in self._pair]
        self._right.setVisible(len(chosen) == 2)
        if len(chosen) != 2:
            self.other_words.setText("")
            return None
        found, tile, bar, words = map_tiles.subtracted(chosen[0], chosen[1], self.store.document.look)
        self.other.set_tiles([tile])
        self.other_bar.setVisible(found is not None)
        _update_text(self.other_bar, bar)
        self.other_words.setText(words)
        self.other_words.setToolTip(words)
        return None if found is None else (chosen[0].tile.title, chosen[1].tile.title, found)

    def _offer(self, document: Document) -> None:
        """List methods and classes again if they changed."""
        description = self._description
        key = (description, document.maps, self._best)
        if key == self._offered:
            return
        self._offered = key
        rows = [(offer.id, offer.title, offer.reason) for offer in attribution.methods(description)]
        self.methods.offer(rows, map_comparison.methods(document, description))
        chosen = [name for name in map_comparison.classes(document, description) if name]
        known = description.classes if description else ()
        self.classes.offer(map_tiles.class_rows(self._best, chosen, known), chosen)
        if not chosen:
            self.classes.tell(tr("Classes: best"), short=tr("Classes"))
        self.classes.complete([known[label] for label in card.label_ids(known)])

    def _add(self, name: str) -> None:
        document, description = self.store.document, self._description
        known = description.classes if description else ()
        exact = {title.lower(): title for title in reversed(known)}.get(name.lower(), name)
        if label_of(exact, known) < 0:
            listed = len(card.label_ids(known))
            self.words.setText(
                tr(
                    "There is no class {name!r} in this model. Choose one of its {listed:,} classes.",
                    name=name,
                    listed=listed,
                )
            )
            return
        chosen = [each for each in map_comparison.classes(document, description) if each and each != exact]
        self._set(tr("Classes to compare"), classes=(*chosen, exact))

    def _set(self, title: str, **changed: object) -> None:
        self.store.update(self.store.document.with_maps(**changed), title=title)

    def _choose(self, key: str, extend: bool) -> None:
        cell = next((one.cell for one in self.shown if one.tile.key == key), None)
        if cell is None:
            return
        if not extend:
            self._pair = () if self._pair == (cell,) else (cell,)
        elif cell in self._pair:
            self._pair = tuple(each for each in self._pair if each != cell)
        else:
            self._pair = (*self._pair[:1], cell)
        self._show()

    def _open(self, key: str) -> None:
        """Show a cell's map over the picture."""
        cell = next((one.cell for one in self.shown if one.tile.key == key), None)
        document = self.store.document
        if cell is not None and cell.source == document.source:
            self.store.update(document.explaining(method=cell.method, target=cell.target), title=tr("Show this map"))

    def _point(self, place: tuple[float, float] | None) -> None:
        self.grid.point(place)
        self.other.point(place)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)

    def _ask_export(self) -> None:
        self.command_wanted.emit("export-maps")

    def _link(self) -> None:
        for one, other in ((self.grid, self.other), (self.other, self.grid)):
            one.viewed.connect(other.look)
            one.pointed.connect(other.point)
        self.grid.chosen.connect(self._choose)
        self.grid.opened.connect(self._open)
        self.grid.export = "export-maps"
        self.grid.setToolTip(HINT)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(GAP)
        for part in (self.methods, self.classes, self.pictures, self.scale):
            top.addWidget(part)
        self.pictures.setPrefix(tr("Pictures: "))
        top.addStretch(1)
        for part in (self.fit, self.copy, self.export):
            top.addWidget(part)
        middle = QHBoxLayout()
        middle.setSpacing(GAP)
        middle.addWidget(_column(self.grid, self.bars, self.words), 3)
        self._right = _column(self.other, (self.other_bar,), self.other_words, across=False)
        middle.addWidget(self._right, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(GAP, GAP // 2, GAP, GAP // 2)
        whole.setSpacing(GAP // 2)
        whole.addLayout(top)
        whole.addLayout(middle, 1)


def _column(grid: QWidget, bars: Sequence[QWidget], words: QWidget, *, across: bool = True) -> QWidget:
    """Return a widget with a grid above its colour bars and text; `across` puts those side by side."""
    both = QWidget()
    column = QVBoxLayout(both)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GAP // 2)
    column.addWidget(grid, 1)
    line = QHBoxLayout() if across else QVBoxLayout()
    line.setSpacing(2 * GAP if across else GAP // 2)
    for bar in bars:
        line.addWidget(bar, 1)
    line.addWidget(words, 3)
    column.addLayout(line)
    return both


def _update_text(bar: ColourBar, scale: tuple[float, float, str]) -> None:
    """Update a colour bar, with rounded numbers."""
    low, high, colours = scale
    bar.set_range(float(f"{low:.3g}"), float(f"{high:.3g}"), colour_map=colours)


def _tool(text: str, help_text: str, call: object) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(help_text)
    button.setAutoRaise(True)
    button.clicked.connect(call)
    return button


PANEL = MapsPanel
