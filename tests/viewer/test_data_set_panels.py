"""The panels Data set and Neighbours: what they invite to, list, filter and open, and what they say of failures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFileDialog

from models.pictures.images import save_png
from models.types import Source
from tests.viewer.explained import classifier, picture
from viewer.panels.data_set import DataSetPanel
from viewer.panels.neighbours import NeighboursPanel
from viewer.panels.patches import PatchesPanel
from viewer.presenters import data_set_rows
from viewer.presenters.data_set_rows import Choice
from viewer.widgets.pictures.thumbnail_grid import KEPT, ThumbnailGrid
from viewer.widgets.tables import flaw_list
from viewer.window import data_set_opening

Make = Callable[..., Any]


@pytest.fixture
def d(desk: Make, tmp_path: Path) -> Any:
    made = desk(picture(tmp_path), model=classifier(tmp_path))
    made.settle()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    place = tmp_path / "set"
    for number in range(9):
        (place / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        save_png(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8), place / "ab"[number % 2] / f"{number}.png")
    (place / "a" / "bad.png").write_bytes(b"\x89PNG no more")
    return place


def test_a_data_set_is_listed_looked_at_filtered_and_leads_to_its_pictures(
    d: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    d.window.docks.show("data_set")
    d.settle()
    panel = d.panel(DataSetPanel)
    assert "Choose a folder" in panel.words.text() and not panel.ask_model.isEnabled()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *rest: str(folder))
    panel.row.choose.click()
    d.settle()
    assert panel.words.text() == "10 pictures, 2 classes" and panel.grid.order.tolist() == list(range(10))
    assert [panel.label.itemText(row) for row in range(3)] == ["Every class", "a (6)", "b (4)"]

    panel.ask_model.click()
    finish(d)
    assert "Looked at 10 of 10, 1 failed" in panel.progress.text()
    result = d.session.results["data_set.embed"][1]
    assert result.meta["complete"] and result.arrays["state"].tolist().count(2) == 1
    panel.state.setCurrentIndex(panel.state.findData("failed"))
    panel.state.activated.emit(0)
    assert panel._line(int(panel.grid.order[0])).startswith("a/bad.png, label a, bad.png is")
    panel.state.setCurrentIndex(0)
    panel.label.setCurrentIndex(panel.label.findData(1))
    panel.label.activated.emit(0)
    panel.text.setText("5.P")
    assert [result_path(panel, row) for row in panel.grid.order.tolist()] == ["b/5.png"]
    assert "1 shown" in panel.words.text() or panel.grid.order.size == 1

    before = len(d.document.sources)
    panel.grid.picked.emit(int(panel.grid.order[0]))
    d.until(lambda: d.document.file is not None and d.document.file.path == str(folder / "b" / "5.png"))
    assert len(d.document.sources) == before + 1
    d.run("close-data-set")
    d.settle()
    assert d.document.data_set is None and not panel.grid.order.size


def finish(d: Any) -> None:
    """Let the engine do its idle work, and the window ask for what came of it."""
    d.settle()
    for _ in range(3):  # the pass, then the comparison of all pictures with each other
        d.engine.finish_idle()
        d.session.tick()
        d.settle()


def result_path(panel: Any, row: int) -> str:
    return panel._listed.meta["shown"][row]


def test_a_data_set_that_cannot_be_opened_is_said_in_the_panel(d: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    d.window.docks.show("data_set")
    d.store.update(d.document.with_data_set(Source.file(tmp_path / "empty")))
    panel = d.panel(DataSetPanel)
    d.until(lambda: "no picture in the folder empty" in panel.words.text())


def test_neighbours_are_those_of_the_open_picture_and_a_click_opens_one(d: Any, folder: Path) -> None:
    d.window.docks.show("neighbours")
    d.settle()
    panel = d.panel(NeighboursPanel)
    assert "Choose a folder of pictures" in panel.words.text() and "neighbours" not in d.session.wanted
    d.store.update(d.document.with_data_set(Source.file(folder)))
    finish(d)
    result = d.session.results["neighbours"][1]
    assert panel.words.text() == result.meta["text"] and "9 of 10 pictures" in panel.words.text()
    assert panel.rows["folder"].path.text() == "set" and "could not be compared: 1" in panel.notes.text()
    assert panel._line(0).startswith("1. ") and "times the typical one" in panel._line(0)
    assert panel.form is not None
    panel.form.committed.emit("metric", "euclidean")
    finish(d)
    assert d.session.results["neighbours"][1].meta["metric"] == "euclidean"
    panel.grid.opened.emit()
    nearest = panel._answer[1].meta["neighbours"][0]["path"]
    d.until(lambda: d.document.file is not None and d.document.file.path == nearest)


def test_flaws_are_listed_and_each_row_leads_to_its_picture(d: Any, folder: Path) -> None:
    copy = folder / "b" / "copy.png"
    copy.write_bytes((folder / "a" / "0.png").read_bytes())
    d.window.docks.show("neighbours")
    panel = d.panel(NeighboursPanel)
    choose(d, panel.kind, flaw_list.COPIES)
    assert "nearly copies" in panel.words.text() and panel.flaws.isHidden(), "no data set is chosen"
    d.store.update(d.document.with_data_set(Source.file(folder)))
    finish(d)
    result = d.session.results["neighbours.flaws"][1]
    assert result.meta["text"] in panel.words.text() and not panel.flaws.isHidden() and panel.grid.isHidden()
    row = next(row for row in result.meta["duplicates"] if row["identical"])
    item = panel.flaws.topLevelItem(result.meta["duplicates"].index(row))
    assert {item.text(0), item.text(1)} == {"0.png", "copy.png"} and item.text(3) == "the same"
    panel.flaws.itemClicked.emit(item, flaw_list.OTHER)
    d.until(lambda: d.document.file is not None and d.document.file.path == row["other"])
    panel.flaws.itemActivated.emit(item, 0)
    d.until(lambda: d.document.file is not None and d.document.file.path == row["path"])

    choose(d, panel.kind, flaw_list.FAR)
    assert panel.flaws.topLevelItemCount() == len(result.meta["far"])
    choose(d, panel.kind, "")
    finish(d)
    assert panel.flaws.isHidden() and not panel.grid.isHidden()
    assert panel.words.text() == d.session.results["neighbours"][1].meta["text"]


def choose(d: Any, box: QComboBox, value: str) -> None:
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())
    d.settle()


def test_a_dropped_folder_or_table_is_offered_as_a_data_set_and_the_answer_is_kept(d: Any, folder: Path) -> None:
    d.drop_files(folder)
    d.settle()
    assert d.document.data_set is None
    toast = next(toast for toast in d.window.toasts.shown if toast.message.key == data_set_opening.KEY)
    toast.message.action[1]()
    d.settle()
    assert d.document.data_set is not None and d.document.data_set.path == str(folder)
    d.run("close-data-set")
    d.drop_files(folder / "a")
    d.settle()
    assert d.document.data_set is not None and d.document.data_set.path == str(folder / "a")
    toast = next(toast for toast in d.window.toasts.shown if toast.message.key == data_set_opening.KEY)
    toast.message.action[1]()
    d.run("close-data-set")
    d.drop_files(folder / "b")
    d.settle()
    assert d.document.data_set is None

    table = folder / "labels.csv"
    table.write_text("path,label\na/0.png,cat\nb/1.png,dog\n", encoding="utf-8")
    assert d.drop_files(table) == "Drop to open labels.csv as a data set"
    d.settle()
    assert d.document.data_set is not None and d.document.data_set.path == str(table)
    assert d.panel(DataSetPanel).words.text() == "2 pictures, 2 classes"


def test_a_grid_of_100_000_reads_and_keeps_only_what_is_in_view(qtbot: Any) -> None:
    grid = ThumbnailGrid("Pictures")
    qtbot.addWidget(grid)
    grid.resize(600, 400)
    paths, asked = [f"/p/{number}.png" for number in range(100_000)], []
    grid.thumbnail_wanted.connect(asked.append)
    grid.show()
    grid.show_rows(paths, np.arange(100_000))
    qtbot.waitUntil(lambda: bool(asked))
    seen = len(grid.in_view())
    assert seen < 60 and asked == ["/p/0.png"]
    while len(asked) < seen:
        grid.set_thumbnail(asked[-1], np.zeros((10, 10, 3), np.uint8))
    assert asked == paths[:seen]
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum())
    assert grid.in_view()[-1] == 99_999
    for number in range(2 * KEPT):
        grid.set_thumbnail(f"/q/{number}.png", None if number % 2 else np.zeros((10, 10, 3), np.uint8))
    assert len(grid._kept) == KEPT
    chosen: list[int] = []
    grid.picked.connect(chosen.append)
    qtbot.keyClick(grid, Qt.Key.Key_Home)
    qtbot.keyClick(grid, Qt.Key.Key_Right)
    assert chosen == [0, 1] and grid.verticalScrollBar().value() == 0
    grid.show_rows(paths, np.array([5, 1, 7]))
    assert grid.chosen == 1


def test_rows_are_filtered_and_ordered_by_what_is_known() -> None:
    labels = np.array([0, 1, 1, -1])
    names = ["a/x.png", "b/y.png", "b/x.png", "z.png"]
    columns = {
        "prediction": np.array([0, 0, 1, 1]),
        "right": np.array([1, 0, 1, -1], np.int8),
        "confidence": np.array([0.5, 0.9, 0.7, 0.0], np.float32),
        "state": np.array([1, 1, 1, 2], np.uint8),
        "width": np.array([1, 2, 3, 0]),
        "height": np.array([1, 2, 3, 0]),
    }

    def shown(**choice: Any) -> list[int]:
        return data_set_rows.rows(Choice(**choice), labels, names, columns).tolist()

    assert shown() == [0, 1, 2, 3] and shown(label=1) == [1, 2] and shown(label=-1) == [3] == shown(shown="unlabelled")
    assert shown(shown="wrong") == [1] and shown(shown="right") == [0, 2] and shown(shown="failed") == [3]
    assert shown(prediction=1) == [2, 3] and shown(text="X.") == [0, 2]
    assert shown(order="confidence") == [1, 2, 0, 3] and shown(order="doubt") == [0, 2, 1, 3]
    assert shown(order="wrong")[0] == 1 and shown(order="largest") == [2, 1, 0, 3] and shown(order="label")[-1] == 3
    assert data_set_rows.rows(Choice(order="confidence", shown="right"), labels, names, {}).tolist() == []


def test_top_patches_follow_the_data_set_and_the_channel_of_the_activations(d: Any, folder: Path) -> None:
    d.window.docks.show("patches")
    d.settle()
    panel = d.panel(PatchesPanel)
    assert "Open a data set" in panel.words.text() and "patches" not in d.session.wanted
    assert panel.grid.isHidden() and panel.which.isHidden()
    d.store.update(d.document.with_data_set(Source.file(folder)))
    finish(d)
    result = d.session.results["patches"][1]
    assert panel.words.text() == result.meta["text"] and "in 9 of 10 pictures" in panel.words.text()
    assert not panel.grid.isHidden() and "could not be used: 1" in panel.notes.text()
    assert panel._line(0).startswith("1. ") and "of the layer, label" in panel._line(0)
    assert panel.histogram.counts.sum() == 9

    d.store.update(d.document.explaining(layer="layer1").with_value("activations", chosen=3))
    finish(d)
    result = d.session.results["patches"][1]
    assert (result.meta["layer"], result.meta["channel"]) == ("layer1", 3) and panel.channel.value() == 3
    assert panel.layer.currentData() == "layer1" and "Channel 3 of layer1" in panel.words.text()
    panel.channel.setValue(2)
    panel.channel.editingFinished.emit()
    finish(d)
    assert d.document.values("activations")["chosen"] == 2
    assert d.session.results["patches"][1].meta["channel"] == 2
    panel.which.setCurrentIndex(panel.which.findData("median"))
    panel.which.activated.emit(1)
    finish(d)
    middle = d.session.results["patches"][1]
    assert middle.meta["shown"] == "median" and len(middle.arrays["pictures"]) == 9
    panel.grid.choose(4)
    panel.open_button.click()
    wanted = next(e["path"] for e in middle.meta["patches"] if (e["end"], e["rank"]) == ("median", 5))
    d.until(lambda: d.document.file is not None and d.document.file.path == wanted)

    panel.layer.setCurrentIndex(0)
    panel.layer.activated.emit(0)
    finish(d)
    assert d.document.layer == "" and d.document.values("activations").get("chosen") is None
    assert "Channel" in panel.words.text()
