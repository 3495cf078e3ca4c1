"""Clicks do what people expect: on boxes, with the right button, twice, with Delete, by dragging."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget

from models.cards.card import PHOTOS
from tests.viewer.test_window import RCNN, SAMPLES, SSD, Make

# What the platform without a screen says of menus.
pytestmark = pytest.mark.qt_log_ignore("grabbing the keyboard", r"support raise\(\)", extend=True)


def right_click(widget: QWidget, place: QPoint) -> None:
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, widget.mapToGlobal(place))
    QApplication.sendEvent(widget, event)


def entries(d: Any) -> dict[str, Any]:
    """The entries of the menu that is open, by title."""
    return {action.text(): action for action in d.window.menus.menu.actions() if action.text()}


def choose(d: Any, title: str) -> None:
    action = entries(d)[title]
    action.trigger()
    d.window.menus.menu.close()


def middle(d: Any, row: int = 0) -> tuple[float, float]:
    box = d.box(row).center()
    return box.x(), box.y()


def test_a_click_on_a_box_brings_its_lineage_until_the_user_closes_it(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    d.window.resize(1200, 800)
    docks = d.window.docks
    assert docks.by_id["lineage"].isHidden()
    d.click(*middle(d))
    d.settle()
    assert docks.shown("lineage") and d.window.panels["lineage"].text
    d.window.docks.by_id["lineage"].close()
    d.click(*middle(d, 1))
    assert not docks.shown("lineage"), "closed is closed"
    d.run("panel-lineage")
    assert docks.shown("lineage")


def test_the_right_button_offers_what_can_be_done_with_a_box(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    d.window.resize(1200, 800)
    x, y = middle(d)
    right_click(d.canvas, d.place(x, y))
    assert d.document.selected >= 0
    name = d.session.description.classes[int(d.result.arrays["labels"][0])]
    wanted = {"Explain this box", "Where it comes from", "Why missed here?", "Copy this box as text"}
    assert wanted | {f"Hide class {name}", "Copy picture with overlay", "Export picture…"} <= entries(d).keys()
    choose(d, "Copy this box as text")
    assert QGuiApplication.clipboard().text().split("\t")[0] == name
    right_click(d.canvas, d.place(x, y))
    choose(d, f"Hide class {name}")
    d.settle()
    assert d.document.values("detect")["hidden"] == name and d.store.undo_title == f"Hide class {name}"
    d.run("undo")
    d.settle()
    right_click(d.canvas, d.place(2, 2))
    assert "Explain this box" not in entries(d)
    choose(d, "Why missed here?")
    d.settle()
    assert d.document.region is not None and d.window.docks.shown("missed")


def test_a_row_of_the_results_has_the_menu_of_its_box(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    d.run("panel-results")
    table = d.results.table
    on_row(d, table, 1)
    assert d.document.selected == int(d.result.arrays["ids"][1]) and "Where it comes from" in entries(d)
    d.window.menus.menu.close()


def test_the_strip_takes_delete_and_a_menu_and_its_files_stay(desk: Make) -> None:
    d = desk(*SAMPLES[:3])
    strip = d.film.list
    strip.setFocus()
    d.qtbot.keyClick(strip, Qt.Key.Key_Delete)
    d.until(lambda: len(d.document.sources) == 2)
    d.settle()
    assert d.document.source.path == str(SAMPLES[1]) and SAMPLES[0].exists()
    on_row(d, strip, 1)
    choose(d, "Remove from the strip")
    assert [s.path for s in d.document.sources] == [str(SAMPLES[1])]
    d.run("undo")
    d.until(lambda: len(d.document.sources) == 2)
    d.run("undo")
    d.until(lambda: len(d.document.sources) == 3)
    d.settle()
    assert d.document.source.path == str(SAMPLES[0])
    d.canvas.actual_size()
    assert not d.canvas.fitted
    strip.itemDoubleClicked.emit(strip.item(0))
    assert d.canvas.fitted
    for _ in range(3):
        d.run("remove-picture")
        d.settle()
    assert not d.document.sources and d.window.centre.currentWidget() is d.window.welcome


def test_classes_are_reordered_and_hidden_from_their_list(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    classes = d.detection.classes
    names = [item.text(0) for item in classes.items()]
    order = [names[-1], *names[:-1]]
    classes.reorder(order)
    classes.reordered.emit(order)  # as a drop does
    d.session.open_model(SSD)
    d.settle()
    assert [item.text(0) for item in classes.items()] == names, "the order is that of one model, not of its classes"
    d.session.open_model(RCNN)
    d.settle()
    assert [item.text(0) for item in classes.items()] == order
    assert classes.text.splitlines()[0].startswith("9\t")
    assert classes.dragDropMode() == classes.DragDropMode.InternalMove
    assert not any(item.flags() & Qt.ItemFlag.ItemIsDropEnabled for item in classes.items())


def test_a_classifiers_panel_has_a_button_that_explains(desk: Make) -> None:
    d = desk(PHOTOS / "cat.jpg", model="digits-lenet")
    panel = d.window.panels["classify"]
    assert panel.explain.isVisible() and panel.explain.text() == "Explain"
    d.qtbot.mouseClick(panel.explain, Qt.MouseButton.LeftButton)
    d.settle()
    assert d.document.method and d.layer("attribution") is not None


def on_tile(d: Any, grid: Any, tile: int) -> dict[str, Any]:
    right_click(grid.viewport(), grid.rect_of(tile).center())
    return entries(d)


def on_row(d: Any, view: Any, row: int) -> dict[str, Any]:
    right_click(view.viewport(), view.visualRect(view.model().index(row, 0)).center())
    return entries(d)


def test_a_channel_is_enlarged_explained_and_exported_from_its_menu(
    desk: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    d = desk(PHOTOS / "cat.jpg", model="photos-resnet")
    d.run("activations")
    d.settle()
    panel = d.window.panels["activations"]
    assert {"Show this one", "Copy its text", "Enlarge…", "Explain this", "Export these…"} <= on_tile(
        d, panel.grid, 3
    ).keys()
    entries(d)["Explain this"].trigger()
    d.settle()
    assert d.document.method == "neuron_conductance" and d.document.values("activations")["chosen"] == 3
    file = tmp_path / "channels.npy"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    on_tile(d, panel.grid, 3)["Export these…"].trigger()
    assert np.load(file).shape == d.session.results["activations"][1].arrays["maps"].shape
    assert (tmp_path / "channels.recipe.json").exists()
    d.window.menus.menu.close()


def test_a_sample_and_a_key_have_what_can_be_done_with_a_picture(desk: Make) -> None:
    d = desk(model="digits-gan")
    d.window.docks.show("samples")
    d.settle()
    grid = d.window.panels["samples"].grid
    assert {"Keep this code as a key", "Show its neighbours", "Copy its code", "Export this…"} <= on_tile(
        d, grid, 2
    ).keys()
    entries(d)["Keep this code as a key"].trigger()
    d.settle()
    assert len(d.document.latent.keys) == 1 and d.document.latent.code == "seed:2"
    on_tile(d, grid, 4)["Show its neighbours"].trigger()
    d.settle()
    assert d.window.docks.shown("real_neighbours") and d.document.latent.code == "seed:4"
    d.window.menus.menu.close()
    d.run("panel-timeline")
    line = d.window.panels["timeline"].line
    right_click(line, line.rect_of(0).center().toPoint())
    assert {"Go to this key", "Show its neighbours", "Remove this key", "Export this…"} == entries(d).keys()
    entries(d)["Remove this key"].trigger()
    d.settle()
    d.window.menus.menu.close()
    assert not d.document.latent.keys
    on_tile(d, grid, 5)["Walk here from the picture shown"].trigger()
    d.settle()
    assert len(d.document.latent.keys) == 2 and d.document.latent.code == "seed:5"
    assert d.window.docks.shown("timeline") and d.window.panels["timeline"].frames is not None
    d.window.menus.menu.close()


def test_a_thumbnail_is_explained_and_exported_from_its_menu(desk: Make) -> None:
    d = desk(PHOTOS / "cat.jpg", PHOTOS / "coffee.jpg", model="photos-resnet")
    strip = d.film.list
    on_row(d, strip, 1)
    assert "Explain this" in entries(d) and "Export picture…" not in entries(d), "only what is shown can be exported"
    choose(d, "Explain this")
    d.until(lambda: d.document.current == 1)
    d.settle()
    assert d.document.method and "attribution" in d.session.results
    on_row(d, strip, 1)
    assert {"Copy picture with overlay", "Export picture…"} <= entries(d).keys()
    d.window.menus.menu.close()
