"""The right button on every surface: the tables, lists, trees, grids and pictures of every panel have a menu."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QAbstractItemView, QAbstractScrollArea, QFileDialog, QHeaderView, QVBoxLayout, QWidget

from models.cards.card import PHOTOS
from tests.viewer.second import beside_of
from tests.viewer.test_clicks import entries, right_click
from tests.viewer.test_window import RCNN, SAMPLES, SSD, Make
from viewer.canvas.mosaic import tinted
from viewer.context_menu.subject import ShowsSubjects
from viewer.panels.base import Panel
from viewer.panels.registry import PANELS
from viewer.presenters.interpretation import Choice
from viewer.session.history import Store
from viewer.widgets.charts.class_bars import Bars
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.pictures.box_pair_editor import BoxPairEditor
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.pictures.channel_view import Tile
from viewer.widgets.pictures.choice_tiles import ChoiceTile
from viewer.widgets.pictures.direction_strip import Strip
from viewer.widgets.pictures.picture_label import PictureLabel
from viewer.widgets.pictures.pixel_picture import PixelPicture
from viewer.widgets.pictures.thumbnail_grid import ThumbnailGrid
from viewer.widgets.tables.cell_pictures import CellPictures
from viewer.widgets.tables.copy_table import Cells
from viewer.widgets.tables.flaw_list import FAR, FlawList
from viewer.window.lazy_panels import LazyPanels

pytestmark = pytest.mark.qt_log_ignore("grabbing the keyboard", "propagateSizeHints", r"support raise\(\)", extend=True)
PIXELS = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


def surfaces(panel: QWidget) -> Iterator[QWidget]:
    """Yield what of a panel shows things: item views, and pictures and charts that paint by themselves."""
    for widget in panel.findChildren(QWidget):
        if widget.window() is not panel or isinstance(widget, QHeaderView):
            continue  # the list that a box opens
        room = type(widget).__module__
        paints = any("paintEvent" in vars(kind) for kind in type(widget).__mro__ if kind.__module__ == room)
        ours = paints and room.startswith(("viewer.widgets.pictures", "viewer.widgets.charts"))
        if ours or isinstance(widget, QAbstractItemView):
            yield widget


def answers(widget: QWidget | None) -> bool:
    """Tell whether a widget or what is around it has a menu: rows of Qt's, subjects, or, as plots, one of its own."""
    while widget is not None and not isinstance(widget, Panel):
        own = any("contextMenuEvent" in vars(kind) for kind in type(widget).__mro__ if "viewer" in kind.__module__)
        if own or isinstance(widget, (ShowsSubjects, QAbstractItemView)):
            return True
        widget = widget.parentWidget()
    return False


def test_every_surface_of_every_panel_has_a_menu(qapp: Any) -> None:
    panels, seen, silent = LazyPanels(PANELS, Store()), set[str](), []
    for entry in PANELS:
        for widget in surfaces(panels[entry.id]):
            seen.add(type(widget).__name__)
            if not answers(widget):
                silent.append((entry.id, type(widget).__name__))
    assert not silent
    assert {"Cells", "ChannelGrid", "ThumbnailGrid", "PixelPicture", "Tile", "MapGrid", "CallTree", "FlawList"} <= seen
    for panel in panels.built:
        panel.deleteLater()


class Shelf(Panel):
    """A panel with one widget of each kind, filled."""

    id = "log"

    def __init__(self, widgets: list[QWidget]) -> None:
        super().__init__(Store())
        column = QVBoxLayout(self)
        for widget in widgets:
            column.addWidget(widget)


def filled(picture: str) -> dict[str, QWidget]:
    """A widget of each kind by the title that its menu has to have."""
    grid, thumbnails, strip = ChannelGrid("Tiles"), ThumbnailGrid("Thumbnails"), Strip("Strip")
    cells, behind, flaws, bars = Cells("Table", ("Name", "Value")), CellPictures(), FlawList(), Bars("Bars")
    tile, label, pixels, editor = Tile("Tile"), PictureLabel("Label"), PixelPicture("Pixels"), BoxPairEditor("Boxes")
    choice = ChoiceTile(Choice("", "Reading", "3 boxes", "", (), False))
    grid.show_tiles(tinted(PIXELS[None]), np.arange(1))
    grid.path_of = lambda row: picture
    thumbnails.describe = lambda row: "cat.jpg"
    thumbnails.show_rows((picture,), np.arange(1))
    strip.show_pictures(np.stack([PIXELS] * 3))
    cells.take([("one", "1"), ("two", "2")])
    behind.show_pictures("A cell", [(picture, 1)])
    flaws.show_rows(FAR, [{"path": picture, "ratio": 2.0}])
    bars.set_entries([(0, "7", 0.9)], chosen=0)
    tile.show_tile(tinted(PIXELS[None]), 0)
    label.show_pixels(PIXELS)
    pixels.show_pixels(PIXELS)
    found = {
        "Show its neighbours": (grid, thumbnails, behind.list, flaws),
        "Go to this picture": (strip,),
        "Copy the whole list": (cells,),
        "Hide class 7": (bars,),
        "Save this as PNG…": (tile, label, editor, ColourBar()),
        "Choose this pixel": (pixels,),
        "Choose this": (choice,),
    }
    return {f"{title} {row}": widget for title, each in found.items() for row, widget in enumerate(each)}


def test_each_kind_of_thing_has_the_actions_of_its_kind(
    desk: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    picture = str(PHOTOS / "cat.jpg")
    widgets = filled(picture)
    shelf = Shelf([each.parentWidget() or each for each in widgets.values()])
    shelf.menu_wanted.connect(d.window.menus.open)
    shelf.resize(400, 2400)
    shelf.show()
    menus = {}
    for title, widget in widgets.items():
        inside = widget.viewport() if isinstance(widget, QAbstractScrollArea) else widget
        place = inside.rect().center()
        if isinstance(widget, QAbstractItemView):
            place = widget.visualRect(widget.model().index(0, 0)).center()
        elif isinstance(widget, (ChannelGrid, ThumbnailGrid, Bars)):
            place = QPoint(14, 14)
        right_click(inside, place)
        menus[title] = entries(d)
        assert title.rpartition(" ")[0] in menus[title], (title, list(menus[title]))
        d.window.menus.menu.close()
    of_file = {"Open this picture", "Explain this", "Copy its path", "Open its folder", "Copy its text"}
    for row in range(4):
        assert of_file <= menus[f"Show its neighbours {row}"].keys()
    right_click(cells := widgets["Copy the whole list 0"].viewport(), QPoint(30, 8))  # type: ignore[attr-defined]
    entries(d)["Copy its text"].trigger()
    assert QGuiApplication.clipboard().text() == "one\t1"
    entries(d)["Copy the whole list"].trigger()
    assert QGuiApplication.clipboard().text() == "Name\tValue\none\t1\ntwo\t2"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "list"), ""))
    entries(d)["Save the whole list…"].trigger()
    assert (tmp_path / "list.tsv").read_text() == "Name\tValue\none\t1\ntwo\t2" and cells is not None
    right_click(widgets["Save this as PNG… 1"], widgets["Save this as PNG… 1"].rect().center())
    entries(d)["Save this as PNG…"].trigger()
    saved = QImage(str(tmp_path / "list.png"))
    corner = saved.pixelColor(7, 5)
    assert (saved.width(), saved.height()) == (8, 6)
    assert (corner.red(), corner.green(), corner.blue()) == tuple(PIXELS[5, 7])
    right_click(widgets["Hide class 7 0"].viewport(), QPoint(14, 14))  # type: ignore[attr-defined]
    entries(d)["Hide class 7"].trigger()
    assert d.document.values("detect")["hidden"] == "7"
    right_click(widgets["Hide class 7 0"].viewport(), QPoint(14, 14))  # type: ignore[attr-defined]
    entries(d)["Show class 7"].trigger()
    assert not d.document.values("detect").get("hidden")
    right_click(widgets["Show its neighbours 0"].viewport(), QPoint(14, 14))  # type: ignore[attr-defined]
    entries(d)["Show its neighbours"].trigger()
    d.until(lambda: d.document.source.path == picture)
    d.settle()
    assert d.window.docks.shown("neighbours")
    d.window.menus.menu.close()
    shelf.deleteLater()


def test_the_second_models_picture_has_a_menu(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    beside_of(d, SSD)
    canvas = d.window.panes.canvas
    right_click(canvas, canvas.rect().center())
    assert {"Fit", "Copy picture with overlay"} <= entries(d).keys()
    d.window.menus.menu.close()
