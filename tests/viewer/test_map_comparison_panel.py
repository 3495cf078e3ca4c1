"""Maps side by side in the window: what is asked, what stands in a cell, one zoom and one cursor, two subtracted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication

from models import recipe
from models.attributions.attribution import Verdict
from models.engine import registry
from models.requests import Request
from models.types import Result
from tests.viewer.explained import NAMES, classifier, picture
from viewer.menus import maps as map_actions
from viewer.panels.map_comparison import MapsPanel
from viewer.presenters import heatmap, map_comparison
from viewer.session.lookup import word_for

Make = Callable[..., Any]
FAST = ("grad_cam", "saliency")


@pytest.fixture
def opened(desk: Make, tmp_path: Path) -> Any:
    """A window with two pictures, and two methods compared for the three best classes."""
    d = desk(picture(tmp_path), picture(tmp_path, seed=1), model=classifier(tmp_path))
    d.store.update(d.document.with_maps(methods=FAST), title="Methods")
    d.run("panel-maps")
    d.settle()
    return d


def panel(d: Any) -> MapsPanel:
    return d.panel(MapsPanel)


def best(d: Any, count: int = 3) -> list[int]:
    return d.direct("classify").arrays["labels"][:count].tolist()


def direct(d: Any, method: str, label: int, source: Any = None) -> Result:
    request = Request.make(method, d.document.model, source or d.document.source, {"target": str(label)})
    answer = d.engine.run(request)
    assert isinstance(answer, Result), answer
    return answer


def choose(d: Any, one: int, other: int) -> None:
    grid = panel(d).grid
    for index, modifier in ((one, Qt.KeyboardModifier.NoModifier), (other, Qt.KeyboardModifier.ControlModifier)):
        place = grid.area(index).center().toPoint()
        d.qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, modifier, place)


def judge(monkeypatch: pytest.MonkeyPatch, method: str, verdict: Verdict) -> None:
    known = registry.all_attributions()
    changed = replace(known[method], verdict=lambda subject, params, stages: verdict)
    monkeypatch.setitem(registry.all_inspections(), method, changed.inspection)


# what is asked


def test_nothing_is_asked_while_the_panel_is_closed(desk: Make, tmp_path: Path) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    assert not [slot for slot in d.session.wanted if slot.startswith("maps.")]
    d.run("panel-maps")
    d.settle()
    methods = [name for name in map_comparison.USUAL if name in registry.all_attributions()]
    assert [(c.method, c.target) for c in (one.cell for one in panel(d).shown)] == [
        (method, word_for(label, NAMES)) for label in best(d) for method in methods
    ]
    d.run("panel-maps")
    assert not [slot for slot in d.session.wanted if slot.startswith("maps.")]


def test_a_panel_that_was_open_last_time_is_in_view_from_the_start(desk: Make, tmp_path: Path) -> None:
    file, model = picture(tmp_path), classifier(tmp_path)
    d = desk(file, model=model)
    d.run("panel-maps")
    d.settle()
    d.window.close()
    again = desk(file, model=model)
    again.until(lambda: again.document.view.maps)
    again.settle()
    assert again.document.view.maps and all(one.result is not None for one in panel(again).shown)


def test_each_cell_shows_the_engines_own_map_of_its_class(opened: Any) -> None:
    shown = panel(opened).shown
    assert len(shown) == 6
    for number, one in enumerate(shown):
        wanted = direct(opened, FAST[number % 2], best(opened)[number // 2])
        assert one.result is not None and np.array_equal(one.result.arrays["map"], wanted.arrays["map"])
        assert one.tile.values is one.result.arrays["map"] and one.tile.extent == wanted.meta["extent"]
        assert NAMES[best(opened)[number // 2]] in one.tile.title and f"{wanted.meta['score']:.4g}" in one.tile.tip


def test_a_map_is_not_asked_again_because_others_are_added(opened: Any) -> None:
    before = {slot: pair for slot, pair in opened.session.results.items() if slot.startswith("maps.")}
    panel(opened).methods.picked.emit(("integrated_gradients", *FAST))
    opened.settle()
    assert len(panel(opened).shown) == 9 and all(one.result is not None for one in panel(opened).shown)
    assert all(opened.session.results[slot] is pair for slot, pair in before.items())


def test_the_engine_gets_one_map_at_a_time(desk: Make, tmp_path: Path, late: Any) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path), lane=late, settle=False)
    while d.session.description is None or late.waiting:
        late.answer()
        QApplication.processEvents()
    d.store.update(d.document.with_maps(methods=FAST, classes=("dog", "ship")), title="Maps")
    d.run("panel-maps")
    for _ in range(5):
        waiting = [request for _, request in late.waiting]
        assert len(waiting) == 1
        assert not d.session.stale, "what takes its time does not make the picture look old"
        late.answer()
        QApplication.processEvents()
    assert [one.result is not None for one in panel(d).shown] == [True] * 4 and not late.waiting


def test_choices_are_undone_and_what_is_in_view_is_not(opened: Any) -> None:
    panel(opened).scale.setCurrentIndex(panel(opened).scale.findData("all"))
    panel(opened).scale.activated.emit(0)
    panel(opened).classes.picked.emit(("ship",))
    opened.settle()
    assert [one.cell.target for one in panel(opened).shown] == ["ship", "ship"]
    opened.run("undo")
    opened.run("undo")
    opened.settle()
    assert opened.document.view.maps and opened.document.maps.scale == "method"
    assert len(panel(opened).shown) == 6 and all(one.result is not None for one in panel(opened).shown)
    opened.run("panel-maps")
    opened.run("undo")
    assert not opened.document.view.maps


def test_a_class_is_added_by_name_and_one_that_is_not_there_is_told(opened: Any) -> None:
    entry = panel(opened).classes.entry
    assert entry is not None
    entry.setText("SHIP")
    entry.returnPressed.emit()
    assert opened.document.maps.classes[-1] == "ship" and len(opened.document.maps.classes) in (3, 4)
    before = opened.document
    entry.setText("unicorn")
    entry.returnPressed.emit()
    assert opened.document == before and "There is no class 'unicorn'" in panel(opened).words.text()


def test_the_second_of_two_classes_with_one_name_is_asked_for_by_number(opened: Any) -> None:
    opened.store.update(opened.document.with_maps(classes=("bird", "3")), title="Birds")
    opened.settle()
    one, other = (panel(opened).shown[index].result for index in (0, 2))
    assert one is not None and other is not None
    assert np.array_equal(one.arrays["map"], direct(opened, "grad_cam", 1).arrays["map"])
    assert np.array_equal(other.arrays["map"], direct(opened, "grad_cam", 3).arrays["map"])


def test_pictures_beside_each_other_are_read_and_asked_about(opened: Any) -> None:
    panel(opened).pictures.setValue(2)
    opened.settle()
    sources = opened.document.sources
    assert [one.cell.source for one in panel(opened).shown] == [sources[0]] * 6 + [sources[1]] * 6
    opened.until(lambda: set(panel(opened).pixels) == set(sources) and all(panel(opened).pixels.values()))
    last = panel(opened).shown[-1]
    wanted = direct(opened, "saliency", best(opened)[2], sources[1])
    assert last.result is not None and np.array_equal(last.result.arrays["map"], wanted.arrays["map"])


def test_a_method_that_does_not_apply_says_so_in_its_cell_and_nowhere_else(
    desk: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge(monkeypatch, "saliency", Verdict("never", "It has no gradient."))
    judge(monkeypatch, "grad_cam", Verdict("partial", "3 of 5 are covered."))
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.store.update(d.document.with_maps(methods=FAST, classes=("dog",)), title="Maps")
    d.run("panel-maps")
    d.settle()
    partly, never = (one.tile for one in panel(d).shown)
    assert partly.badge == "partial" and "3 of 5 are covered." in partly.tip and partly.heat is not None
    assert "It has no gradient." in never.note and never.heat is None and not never.waits
    assert not d.messages


def test_of_a_detector_the_selected_box_is_compared(desk: Make) -> None:
    d = desk(registry.cards.SAMPLES / "board.png")
    d.store.update(d.document.with_maps(methods=("grad_cam",), classes=("", "3")[1:]), title="Maps")
    chosen = int(d.result.arrays["ids"][0])
    d.store.update(d.document.with_selected(chosen))
    d.run("panel-maps")
    d.settle()
    (one,) = panel(d).shown
    assert one.result is not None
    wanted = d.direct("grad_cam", target="3", box=chosen)
    assert np.array_equal(one.result.arrays["map"], wanted.arrays["map"])


def test_another_model_is_asked_for_its_own_best_classes(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    names = tuple(f"kind {number}" for number in range(10))
    opened.session.open_model(classifier(tmp_path / "other", names))
    opened.until(lambda: "other" in opened.document.model)
    opened.settle()
    assert opened.document.maps.found == tuple(names[label] for label in best(opened))
    assert [one.cell.target for one in panel(opened).shown[::2]] == [names[label] for label in best(opened)]
    listed = panel(opened).classes.list
    assert all("kind" in listed.item(row).text() for row in range(listed.count()))


# on what scale


@pytest.mark.parametrize("scale", ["all", "method", "cell"])
def test_colours_end_at_the_largest_percentile_of_what_shares_a_scale(opened: Any, scale: str) -> None:
    opened.store.update(opened.document.with_maps(scale=scale), title="Scale")
    opened.store.update(opened.document.with_look(clip=90.0), title="Clip")
    shown = panel(opened).shown
    own = [float(np.percentile(np.abs(one.result.arrays["map"]), 90.0)) for one in shown if one.result is not None]
    groups = {"all": [own] * 6, "method": [own[n % 2 :: 2] for n in range(6)], "cell": [[end] for end in own]}[scale]
    for one, group in zip(shown, groups, strict=True):
        assert one.tile.heat is not None
        negative, positive = heatmap.signs_of(one.result.arrays["map"], opened.document.look)  # type: ignore[union-attr]
        ends = (-max(group) * negative, max(group) * positive)
        assert (one.tile.heat.low, one.tile.heat.high) == pytest.approx(ends)
        assert one.end == pytest.approx(max(group))
    ((low, high, _),) = panel(opened).sheet.bars  # type: ignore[union-attr]
    ends = [(one.tile.heat.low, one.tile.heat.high) for one in shown if one.tile.heat is not None]
    both = (min(low for low, _ in ends) < 0, max(high for _, high in ends) > 0)
    end = max(own) if scale == "all" else 1.0
    assert (low, high) == pytest.approx((-end * both[0], end * both[1]))


# one zoom, one cursor


def wheel(grid: Any, place: QPointF, notches: int) -> None:
    event = QWheelEvent(
        place,
        QPointF(grid.mapToGlobal(place.toPoint())),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(grid, event)


def test_the_wheel_looks_closer_in_every_cell_and_keeps_the_point_under_it(opened: Any) -> None:
    grid = panel(opened).grid
    opened.until(lambda: grid.tiles[0].size == (90, 60))
    place = grid.area(1).center() + QPointF(9, -5)
    before = grid._share(place, 1)
    wheel(grid, place, 6)
    assert grid.view.zoom == pytest.approx(1.2**6) and panel(opened).other.view == grid.view
    assert grid._share(place, 1) == pytest.approx(before, abs=1e-9)
    there = grid.area(4).topLeft() + (place - grid.area(1).topLeft())
    assert grid._share(there, 4) == pytest.approx(before, abs=1e-9)
    wheel(grid, place, -40)
    assert grid.view == type(grid.view)()


def test_a_drag_moves_the_picture_with_the_mouse(opened: Any) -> None:
    grid = panel(opened).grid
    opened.until(lambda: grid.tiles[0].size == (90, 60))
    centre = grid.area(0).center().toPoint()
    wheel(grid, QPointF(centre), 8)
    before = grid._share(QPointF(centre), 0)
    opened.qtbot.mousePress(grid, Qt.MouseButton.LeftButton, pos=centre)
    for step in (6, 12, 18):
        opened.qtbot.mouseMove(grid, centre + QPoint(step, 0))
    opened.qtbot.mouseRelease(grid, Qt.MouseButton.LeftButton, pos=centre + QPoint(18, 0))
    assert grid._share(QPointF(centre + QPoint(18, 0)), 0) == pytest.approx(before, abs=1e-6)
    assert not grid.marked, "a drag chooses nothing"


def test_every_cell_reads_its_own_value_under_the_one_cursor(opened: Any) -> None:
    grid = panel(opened).grid
    opened.until(lambda: grid.tiles[0].size == (90, 60))
    opened.hover(44, 31)
    assert grid.place == pytest.approx((44 / 90, 31 / 60), abs=0.01)
    grid.point((44.5 / 90, 31.5 / 60))
    for tile, one in zip(grid.tiles, panel(opened).shown, strict=True):
        assert one.result is not None
        values = one.result.arrays["map"]
        layer = heatmap.heat_layer(values, one.result.meta["extent"], opened.document.look)
        assert f"{tile.read(grid.place)} between cells" == heatmap.reading(layer, 44.5, 31.5)
    assert grid.tiles[0].read((0.01, 0.5)) == "–", "the network's input does not reach there"


# two subtracted


def test_two_cells_are_subtracted_on_the_finer_grid_over_what_both_cover(opened: Any) -> None:
    choose(opened, 0, 1)
    sheet = panel(opened).sheet
    assert sheet is not None and sheet.difference is not None
    cam, saliency = (one.result.arrays["map"] for one in panel(opened).shown[:2] if one.result is not None)
    finer = torch.nn.functional.interpolate(
        torch.from_numpy(cam)[None, None], saliency.shape, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    ends = [float(np.percentile(np.abs(values), 99.5)) for values in (cam, saliency)]
    found = sheet.difference[2]
    assert np.allclose(found.values, finer / ends[0] - saliency / ends[1], atol=1e-5)
    assert found.unit and "own end of scale" in panel(opened).other_words.text()
    choose(opened, 0, 2)
    sheet = panel(opened).sheet
    assert sheet is not None and sheet.difference is not None
    other = panel(opened).shown[2].result
    assert other is not None and not sheet.difference[2].unit
    assert np.allclose(sheet.difference[2].values, cam - other.arrays["map"], atol=1e-7)


def test_maps_that_lie_elsewhere_are_subtracted_where_they_overlap() -> None:
    def ramp(extent: tuple[float, float, float, float], rows: int, columns: int) -> np.ndarray:
        x = extent[0] + (np.arange(columns) + 0.5) / columns * (extent[2] - extent[0])
        y = extent[1] + (np.arange(rows) + 0.5) / rows * (extent[3] - extent[1])
        return (2 * x[None, :] + 3 * y[:, None]).astype(np.float32)

    one, other = (0.0, 0.0, 80.0, 60.0), (20.0, -10.0, 100.0, 50.0)
    look = map_comparison.Look()
    a, b = (ramp(one, 30, 40), one, 1.0), (ramp(other, 12, 16), other, 1.0)
    found = map_comparison.difference(a, b, same=True, look=look)
    assert found is not None and found.extent == (20.0, 0.0, 80.0, 50.0) and found.values.shape == (25, 30)
    inside = found.values[2:-3, 2:-2]  # half a cell from a border a map has nothing between its own values
    assert np.abs(inside).max() < 1e-3, "bilinear resampling keeps what is linear, wherever its cells lie"
    assert map_comparison.difference(a, (b[0], (200.0, 0.0, 280.0, 60.0), 1.0), same=True, look=look) is None


def test_cells_are_chosen_and_opened_by_the_keys_alone(opened: Any) -> None:
    grid = panel(opened).grid
    grid.setFocus()
    opened.qtbot.keyClick(grid, Qt.Key.Key_Space)
    opened.qtbot.keyClick(grid, Qt.Key.Key_Right)
    assert grid.current != 0 and grid.accessibleDescription() == grid.tiles[grid.current].tip
    opened.qtbot.keyClick(grid, Qt.Key.Key_Space, Qt.KeyboardModifier.ControlModifier)
    assert grid.marked == (grid.tiles[0].key, grid.tiles[grid.current].key)
    cell = panel(opened).shown[grid.current].cell
    opened.qtbot.keyClick(grid, Qt.Key.Key_Return)
    assert (opened.document.method, opened.document.target) == (cell.method, cell.target)


# what leaves the window


def test_the_grid_is_exported_with_every_map_every_number_and_recipes_that_replay(opened: Any, tmp_path: Path) -> None:
    choose(opened, 0, 1)
    opened.until(lambda: all(panel(opened).pixels.values()) and panel(opened).pixels)
    paths = map_actions.export_maps(opened.window, tmp_path / "out" / "mine.png")
    assert [path.name for path in paths[:3]] == ["mine.png", "mine.npz", "mine.json"] and len(paths) == 9
    image = QImage(str(paths[0]))
    assert image.width() >= 2 * 90 and image.height() >= 3 * 60
    kept = np.load(paths[1])
    body = json.loads(paths[2].read_text(encoding="utf-8"))
    assert len(body["maps"]) == 6 and "a-b" in kept.files and len(kept.files) == 7
    for told, one in zip(body["maps"], panel(opened).shown, strict=True):
        assert one.result is not None and np.array_equal(kept[told["array"]], one.result.arrays["map"])
        assert told["scale_end"] == pytest.approx(one.end) and told["verdict"] == "applies"
        assert told["extent"] == [15.0, 0.0, 75.0, 60.0] and told["target"] == one.result.meta["target"]
    for path, one in zip(paths[3:], panel(opened).shown, strict=True):
        again = opened.engine.run(recipe.read(path).request)
        assert one.result is not None and np.array_equal(again.arrays["map"], one.result.arrays["map"])


def test_what_cannot_be_written_is_told(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert map_actions.export_maps(opened.window, tmp_path / "file" / "mine.png") == []
    assert "cannot be written" in opened.messages[-1]


def test_the_numbers_of_every_map_are_copied(opened: Any) -> None:
    panel(opened).copy.click()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == 7 and lines[0].split("\t")[:3] == ["picture", "method", "target"]
    one = panel(opened).shown[3]
    assert one.result is not None
    assert lines[4].split("\t")[3] == f"{one.result.meta['score']:.6g}"
    assert float(lines[4].split("\t")[6]) == pytest.approx(float(one.result.arrays["map"].max()), rel=1e-5)
