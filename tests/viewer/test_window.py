"""The window as its user meets it: drop, paste, keys, commands, theme, layout. Exports have a file of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QLineEdit

from models.cards.card import BUNDLED
from models.pictures import images
from viewer import theme

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
Make = Callable[..., Any]


def text(words: str) -> QMimeData:
    data = QMimeData()
    data.setText(words)
    return data


def names(d: Any) -> list[str]:
    return [source.name for source in d.document.sources]


# drop and paste


def test_a_dropped_file_opens_and_takes_the_keyboard(desk: Make) -> None:
    d = desk()
    assert d.drop_files(SAMPLES[0]) == f"Drop to open {SAMPLES[0].name}"
    d.until(lambda: d.session.shown)
    d.settle()
    assert names(d) == [SAMPLES[0].name] and d.shows(d.direct())
    assert d.window.centre.currentWidget() is d.window.panes and d.canvas.hasFocus()
    assert d.window.drops.label.isHidden()


def test_dropped_files_and_folders_make_a_strip(desk: Make, tmp_path: Path) -> None:
    d = desk()
    assert d.drop_files(*SAMPLES[:3]) == "Drop to open 3 pictures"
    d.until(lambda: len(d.document.sources) == 3)
    folder = tmp_path / "a folder ünd 数字"
    folder.mkdir()
    for number in (10, 2):
        (folder / f"digit {number}.png").write_bytes(SAMPLES[0].read_bytes())
    assert d.drop_files(folder) == f"Drop to open the folder {folder.name}"
    d.until(lambda: len(d.document.sources) == 2)
    d.settle()
    assert names(d) == ["digit 2.png", "digit 10.png"] and d.film.list.count() == 2
    assert "2 pictures and folders" in d.drop_files(SAMPLES[0], folder)
    d.until(lambda: len(d.document.sources) == 3)


def test_dropped_weights_open_as_the_model(desk: Make) -> None:
    d = desk(SAMPLES[0])
    weights = BUNDLED / "digits-faster-rcnn.safetensors"
    assert d.drop_files(weights) == f"Drop to open {weights.name} as the model"
    d.until(lambda: d.document.model == str(weights))
    d.settle()
    assert names(d) == [SAMPLES[0].name] and d.shows(d.direct())
    assert d.window.windowTitle() == f"{SAMPLES[0].name} · {weights.name} · Vitrine"


def test_a_path_dropped_as_text_opens(desk: Make, tmp_path: Path) -> None:
    d = desk()
    spaced = tmp_path / "a b.png"
    spaced.write_bytes(SAMPLES[1].read_bytes())
    assert d.drop(text(f'"{SAMPLES[0]}"\n{QUrl.fromLocalFile(str(spaced)).toString(QUrl.FullyEncoded)}\n'))
    d.until(lambda: len(d.document.sources) == 2)
    assert names(d) == [SAMPLES[0].name, "a b.png"]


@pytest.mark.parametrize("words", ["just words", "x" * 5000, "~nobody-of-this-name/x", "bad\0byte", "", "\n\n"])
def test_a_drop_or_paste_of_nothing_is_refused(desk: Make, words: str) -> None:
    d = desk(SAMPLES[0])
    before = d.document
    assert d.drop(text(words)) == ""
    QGuiApplication.clipboard().setMimeData(text(words))
    d.run("paste")
    missing = f"{words} is not there. Copy the path of a file or folder that is."
    nothing = "There is no picture and no path of a file on the clipboard. Copy one first."
    assert d.messages == [missing if "/" in words else nothing]
    assert d.document == before and not d.session.reading


def test_a_dragged_address_of_the_web_is_refused(desk: Make) -> None:
    d, data = desk(), QMimeData()
    data.setUrls([QUrl("https://example.org/a.png")])
    assert d.drop(data) == "" and d.window.drops.label.isHidden()


@pytest.mark.parametrize("width", [30, 32])
def test_a_pasted_picture_opens_and_can_be_named_in_recipes(desk: Make, width: int) -> None:
    d = desk()
    image = QImage(width, 20, QImage.Format.Format_ARGB32)
    image.fill(QColor(10, 200, 30))
    image.setPixelColor(0, 0, QColor(0, 0, 0, 0))
    QGuiApplication.clipboard().setImage(image)
    d.canvas.setFocus()
    d.run("paste")
    d.until(lambda: d.session.shown)
    d.settle()
    path = Path(d.document.sources[0].path)
    assert path.parent == d.window.settings.folder / "pasted"
    pixels = images.read(path).pixels
    assert pixels.shape == (20, width, 3) and pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[10, 10].tolist() == [10, 200, 30] and np.array_equal(d.canvas.pixels, pixels)


def test_a_pasted_picture_that_cannot_be_kept_says_so(desk: Make) -> None:
    d = desk()
    d.window.settings.folder.mkdir(exist_ok=True)
    (d.window.settings.folder / "pasted").write_text("in the way")
    QGuiApplication.clipboard().setImage(QImage(4, 4, QImage.Format.Format_RGB32))
    d.run("paste")
    assert len(d.messages) == 1 and "cannot be kept in" in d.messages[0]


def test_a_pasted_path_opens(desk: Make) -> None:
    d = desk()
    QGuiApplication.clipboard().setMimeData(text(str(SAMPLES[1])))
    d.run("paste")
    d.until(lambda: d.session.shown)
    assert names(d) == [SAMPLES[1].name]


def test_recent_files_are_kept_for_the_next_window(desk: Make, pictures: list[Path]) -> None:
    d = desk()
    d.open(SAMPLES[0])
    d.open(pictures[0])
    assert d.window.settings.recent_pictures == (str(pictures[0]), str(SAMPLES[0]))
    again = desk()
    assert [b.text() for b in again.window.welcome.recent] == ["a.png", SAMPLES[0].name]
    again.qtbot.mouseClick(again.window.welcome.recent[1], Qt.MouseButton.LeftButton)
    again.until(lambda: again.session.shown)
    assert names(again) == [SAMPLES[0].name]
    pictures[0].unlink()
    recent = {c.title: c for c in again.window.commands.flat() if c.title.startswith("Open recent: ")}
    again.window.commands.run(recent["Open recent: a.png"])
    again.until(lambda: again.messages)
    assert "a.png is not there" in again.messages[0]
    assert again.window.settings.recent_pictures == (str(SAMPLES[0]),)


# keys


def test_arrows_leaf_from_the_canvas_but_move_a_focused_slider(desk: Make) -> None:
    d = desk(*SAMPLES[:2])
    row = d.detection.form.rows["score"]
    row.slider.setFocus()
    before = row.value
    d.key(Qt.Key.Key_Right)
    d.settle()
    assert row.value == pytest.approx(before + 0.01) and d.document.current == 0
    d.canvas.setFocus()
    d.key(Qt.Key.Key_Right)
    d.until(lambda: d.document.current == 1)
    d.key(Qt.Key.Key_Left)
    d.until(lambda: d.document.current == 0)


def test_a_text_entry_keeps_its_own_keys(desk: Make) -> None:
    d = desk(*SAMPLES[:2])
    entry = d.detection.form.rows["score"].entry
    line = entry.findChild(QLineEdit)
    entry.setFocus()
    entry.selectAll()
    d.qtbot.keyClicks(entry, "0.7")
    for key, place in ((Qt.Key.Key_Left, 2), (Qt.Key.Key_Left, 1), (Qt.Key.Key_Right, 2), (Qt.Key.Key_Home, 0)):
        d.key(key)
        assert line.cursorPosition() == place
    d.key(Qt.Key.Key_1)
    assert line.text() == "10.7" and d.document.current == 0
    d.key(Qt.Key.Key_Z, CTRL)
    assert line.text() != "10.7" and d.store.history == [], "what is being typed is taken back first"


def test_undo_works_where_a_number_was_just_entered(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.set("score", 0.7)
    assert d.detection.form.rows["score"].entry.hasFocus()
    d.key(Qt.Key.Key_Z, CTRL)
    d.settle()
    assert d.document.values("detect") == {}
    d.key(Qt.Key.Key_Y, CTRL)
    d.settle()
    assert d.document.values("detect") == {"score": 0.7}


def test_escape_selects_nothing_and_leads_back_to_the_picture(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.store.update(d.document.with_selected(int(d.result.arrays["ids"][0])))
    d.detection.form.rows["score"].slider.setFocus()
    d.key(Qt.Key.Key_Escape)
    assert d.document.selected == -1 and d.canvas.hasFocus() and d.messages == []


def test_z_zooms_to_the_selection_and_f_back(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.window.docks.hide("lineage")  # which would come with the click, and take room
    action = d.window.commands.actions(d.window)["zoom-selection"]
    assert not action.isEnabled()
    fitted = d.canvas.scale_percent
    centre = d.box(0).center()
    d.click(centre.x(), centre.y())
    box = d.window.controller.selected_box
    assert box is not None and box.contains(centre) and action.isEnabled()
    d.key(Qt.Key.Key_Z)
    assert d.canvas.scale_percent > fitted
    assert (d.canvas.look.x, d.canvas.look.y) == pytest.approx((box.center().x(), box.center().y()), abs=1)
    corners = d.canvas.to_screen(box.topLeft()), d.canvas.to_screen(box.bottomRight())
    assert all(d.canvas.rect().contains(corner.toPoint()) for corner in corners)
    assert d.window.status.zoom.text() == f"{d.canvas.scale_percent:.0f} %"
    d.key(Qt.Key.Key_F)
    assert d.canvas.scale_percent == fitted
    d.key(Qt.Key.Key_1)
    assert d.window.status.zoom.text() == "100 %"


def test_the_pointer_is_read_out(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.hover(100, 80)
    pointer = d.canvas.pointer
    x, y = int(pointer.x), int(pointer.y)
    r, g, b = d.canvas.pixels[y, x].tolist()
    assert d.window.status.pixel.text() == f"x {x}  y {y}   rgb {r} {g} {b}"
    outside = d.canvas.to_picture(QPointF(2, 2))
    d.hover(outside.x(), outside.y())
    assert d.window.status.pixel.text() == ""
    centre = d.box(0).center()
    d.hover(centre.x(), centre.y())
    assert d.layer("detections").text(0) in d.canvas.readout


# commands


def test_the_palette_runs_what_was_typed(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.canvas.setFocus()
    d.key(Qt.Key.Key_P, CTRL | SHIFT)
    palette = d.window.palette_overlay
    assert palette.isVisible() and palette.search.hasFocus()
    d.qtbot.keyClicks(palette.search, "suppressed")
    d.key(Qt.Key.Key_Return)
    d.settle()
    assert not palette.isVisible() and d.document.values("detect") == {"suppressed": True}
    assert d.canvas.hasFocus()


def test_a_question_mark_opens_the_list_of_shortcuts(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.canvas.setFocus()
    d.qtbot.keyClicks(d.canvas, "?")
    assert d.window.shortcuts.isVisible()
    listed = [keys for _, lines in d.window.shortcuts.groups for _, keys in lines]
    assert ("?",) in listed and ("Z",) in listed
    d.key(Qt.Key.Key_Escape)
    assert not d.window.shortcuts.isVisible() and d.canvas.hasFocus()


def test_undo_says_what_it_takes_back(desk: Make) -> None:
    d = desk(SAMPLES[0])
    undo, redo = (d.window.commands.actions(d.window)[name] for name in ("undo", "redo"))
    assert (undo.text(), undo.isEnabled(), redo.isEnabled()) == ("Undo", False, False)
    d.set("score", 0.7)
    assert undo.text() == "Undo score" and undo.isEnabled()
    d.set("iou", 0.3)
    assert undo.text() == "Undo NMS IoU"
    undo.trigger()
    d.settle()
    assert (undo.text(), redo.text()) == ("Undo score", "Redo NMS IoU")


@pytest.mark.parametrize("command", ["boxes", "labels", "anchors-here", "anchors-density", "anchors-lineage"])
def test_every_view_setting_can_be_undone(desk: Make, command: str) -> None:
    d = desk(SAMPLES[0])
    before, action = d.document, d.window.commands.actions(d.window)[command]
    checked = action.isChecked()
    action.trigger()
    after = d.document
    assert after != before and action.isChecked() != checked
    d.run("undo")
    assert d.document == before and action.isChecked() == checked
    d.run("redo")
    assert d.document == after
    action.trigger()
    assert d.document == before


def test_boxes_and_labels_can_be_hidden(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.canvas.setFocus()
    d.key(Qt.Key.Key_L)
    assert not d.layer("detections").labelled
    d.key(Qt.Key.Key_B)
    assert d.layer("detections") is None


def test_commands_that_cannot_run_are_greyed(desk: Make) -> None:
    d = desk()
    actions = d.window.commands.actions(d.window)
    needing = ("fit", "export-png", "copy-image", "copy-table", "suppressed", "zoom-selection", "next-picture", "again")
    assert not any(actions[name].isEnabled() for name in needing)
    d.open(*SAMPLES[:2])
    assert all(actions[name].isEnabled() for name in needing if name != "zoom-selection")


def test_the_model_is_chosen_from_the_box(desk: Make) -> None:
    d = desk(SAMPLES[0])
    box = d.window.model_box
    assert box.currentData() == SSD
    box.setFocus()
    d.key(Qt.Key.Key_Up)
    d.until(lambda: d.document.model == RCNN)
    d.settle()
    assert box.currentData() == RCNN and d.shows(d.direct())
    assert d.window.windowTitle() == f"{SAMPLES[0].name} · {RCNN} · Vitrine"


def test_the_status_bar_tells_state_and_times(desk: Make) -> None:
    d = desk()
    assert d.window.status.engine.text() == "engine ready" and d.window.status.times.text() == ""
    d.open(SAMPLES[0])
    said = d.window.status.times.text()
    assert d.session.description.device in said and "nms " in said and not d.window.status.activity.busy


# the frame


def test_dark_and_light(desk: Make) -> None:
    d = desk(SAMPLES[0])
    shades = {}
    for scheme in ("light", "dark"):
        d.run(f"theme-{scheme}")
        assert theme.is_dark() == (scheme == "dark") and d.window.settings.theme == scheme
        assert d.window.commands.actions(d.window)[f"theme-{scheme}"].isChecked()
        image = d.window.grab().toImage()
        corner = d.canvas.mapTo(d.window, d.canvas.rect().bottomLeft())
        shades[scheme] = image.pixelColor(corner).lightness()
        assert image.pixelColor(500, 10) == theme.colours().window
    assert shades["light"] > 180 > 60 > shades["dark"]


def test_the_layout_is_kept_and_can_be_put_back(desk: Make) -> None:
    d = desk(*SAMPLES[:2])
    d.run("panel-anchors")
    d.run("panel-results")
    d.run("panel-film")
    d.window.resize(780, 640)  # the offscreen screen is 800 wide
    d.window.close()
    saved = json.loads((d.window.settings.folder / "settings.json").read_text())
    assert saved["layouts"]["find"]["state"] and saved["geometry"]

    again = desk(*SAMPLES[:2])
    docks = again.window.docks.by_id
    hidden = {name for name, dock in docks.items() if dock.isHidden()}
    entries, described = again.window.panels.entries, again.session.description
    closed = {name for name, entry in entries.items() if "find" not in entry.opened or entry.lacking(described)}
    assert {"classify", "explore", "samples"} < closed, "the model is a detector"
    assert hidden == {"anchors", "film"} | closed - {"results"} and again.window.size() == d.window.size()
    again.run("reset-layout")
    hidden = {name for name, dock in docks.items() if dock.isHidden()}
    assert hidden == closed - {"film"} >= {"results", "log"}


def test_the_picture_has_most_of_the_window(desk: Make) -> None:
    d = desk(*SAMPLES[:2])
    d.window.resize(1280, 800)
    QApplication.processEvents()
    assert d.canvas.width() >= 1280 * 2 / 3 and d.canvas.height() >= 800 * 2 / 3
    d.window.resize(900, 600)
    QApplication.processEvents()
    assert d.window.size().width() == 900 and d.canvas.width() >= 450
    form = d.detection.form
    for row in form.rows.values():
        left = row.mapTo(d.detection, row.rect().topLeft()).x()
        assert left >= 0 and left + row.width() <= d.detection.width()
