"""The map of a data set: points, colours, lasso and thumbnails, and what the panel does with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF, Qt

from models.pictures.images import save_png
from models.types import Result, Source
from tests.viewer.explained import classifier, picture
from viewer import theme
from viewer.panels.data_set import DataSetPanel
from viewer.panels.map import MapPanel
from viewer.widgets.charts import point_colours
from viewer.widgets.charts.point_map import KEPT, PointMap

Make = Callable[..., Any]


@pytest.fixture
def drawn(qtbot: Any) -> PointMap:
    """A map of 400 points: the corners of a square, and the rest in its middle."""
    made = PointMap("Map")
    qtbot.addWidget(made)
    made.resize(500, 400)
    made.show()
    places = np.random.default_rng(0).normal(0, 0.1, (400, 2)).astype(np.float32)
    places[:4] = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    made.show_points(places, np.full(400, 0xFF112233, np.uint32))
    qtbot.waitUntil(lambda: made.field().width() > 100)
    return made


def around(made: PointMap, x0: float, y0: float, x1: float, y1: float) -> list[QPointF]:
    return [made.place_of(x, y) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]


def test_a_lasso_holds_what_lies_inside_and_nothing_else(drawn: PointMap) -> None:
    assert drawn.inside(around(drawn, -2, -2, 2, 2)).tolist() == list(range(400))
    assert drawn.inside(around(drawn, 0.9, 0.9, 1.1, 1.1)).tolist() == [3]
    assert drawn.inside(around(drawn, 1.5, 0.9, 1.8, 1.1)).tolist() == []
    assert drawn.inside(around(drawn, -2, -2, 2, 2)[:2]).tolist() == []
    upper = np.flatnonzero(drawn.places[:, 1] > 0.5)
    half = [drawn.place_of(x, y) for x, y in ((-2, 0.5), (2, 0.5), (2, 2), (0, 3), (-2, 2))]
    assert drawn.inside(half).tolist() == upper.tolist()


def test_dragging_draws_only_with_the_lasso_and_a_click_names_the_point(drawn: PointMap, qtbot: Any) -> None:
    found: list[Any] = []
    drawn.lassoed.connect(lambda points: found.append(points.tolist()))
    drawn.picked.connect(found.append)
    drawn.lasso = True
    corners = [place.toPoint() for place in around(drawn, 0.8, 0.8, 1.2, 1.2)]
    qtbot.mousePress(drawn.viewport(), Qt.MouseButton.LeftButton, pos=corners[0])
    for corner in corners[1:]:
        qtbot.mouseMove(drawn.viewport(), corner)
    assert len(drawn._drawn) == 4
    drawn.viewport().repaint()
    qtbot.mouseRelease(drawn.viewport(), Qt.MouseButton.LeftButton, pos=corners[-1])
    assert found == [[3]] and not drawn._drawn
    drawn.lasso = False
    qtbot.mouseClick(drawn.viewport(), Qt.MouseButton.LeftButton, pos=drawn.place_of(1, -1).toPoint())
    assert found == [[3], 2]
    drawn.line = lambda point: f"number {point}"
    assert drawn.explain(drawn.place_of(-1, 1)) == "number 1"


def test_points_are_painted_where_they_lie_and_unselected_ones_are_faint(drawn: PointMap) -> None:
    view = QRectF(-2, -2, 4, 4)
    pixels = drawn.raster(view, (400, 400), 1.0)
    at = [(100, 100), (300, 100), (100, 300), (300, 300)]  # row and column: y grows upwards, the lowest row is first
    assert all(pixels[place] == 0xFF112233 for place in at) and pixels[100, 200] == 0
    drawn.select(np.array([3]))
    pixels = drawn.raster(view, (400, 400), 1.0)
    assert pixels[300, 300] == 0xFF112233 and 0 < pixels[100, 100] >> 24 < 0x60
    drawn.show_points(drawn.places[:0], np.zeros(0, np.uint32))
    assert drawn.message and not drawn.raster(view, (10, 10), 1.0).any()


def test_thumbnails_never_overlap_and_belong_to_their_points(drawn: PointMap, qtbot: Any) -> None:
    asked: list[int] = []
    drawn.thumbnail_wanted.connect(asked.append)
    drawn.set_pictures(True)
    placed = drawn.placed_thumbnails()
    middles = np.array([(p.x(), p.y()) for _, p in placed])
    apart = np.abs(middles[:, None] - middles[None]).max(2) + 1000 * np.eye(len(middles))
    assert 4 < len(placed) < 100 and apart.min() >= 36 and {0, 1, 2, 3} <= {point for point, _ in placed}
    assert all(drawn.point_at(middle) >= 0 for _, middle in placed)
    while len(asked) < len(placed):
        drawn.set_thumbnail(asked[-1], np.full((20, 30, 3), asked[-1] % 255, np.uint8))
    assert sorted(asked) == sorted(point for point, _ in placed)
    drawn.viewport().repaint()
    for number in range(2 * KEPT):
        drawn.set_thumbnail(number, None)
    assert len(drawn._thumbnails) == KEPT


def answer(**arrays: Any) -> Result:
    count = 6
    made = {
        "rows": np.arange(count),
        "places": np.zeros((count, 2), np.float32),
        "label": np.array([0, 0, 0, 1, 1, -1]),
        "prediction": np.array([1, 1, 0, 0, 0, -1]),
        "confidence": np.linspace(0, 1, count, dtype=np.float32),
        "right": np.array([1, 1, 0, 0, 1, -1], np.int8),
        "kept": np.array([0, 0.5, 1, 1, 1, -1], np.float32),
        "column.width": np.arange(count, dtype=np.float32),
        "column.height": np.full(count, 7, np.float32),
        **arrays,
    }
    return Result(made, {"set_classes": ("cat", "dog"), "classes": ("dog", "cat")})


def test_colours_are_those_of_the_classes_and_of_a_bar_for_numbers(qtbot: Any) -> None:
    result, now = answer(), theme.colours()
    keys = [key for _, key in point_colours.choices(result)]
    assert keys == ["label", "prediction", "right", "confidence", "kept", "column.width"]
    cat, dog = theme.class_colour(1).rgba(), theme.class_colour(0).rgba()
    by_label = point_colours.coloured(result, "label")
    assert by_label.colours.tolist() == [cat, cat, cat, dog, dog, now.muted.rgba()]
    assert [name for name, _ in by_label.names] == ["cat", "dog", "Unknown"]
    by_answer = point_colours.coloured(result, "prediction")
    assert by_answer.colours.tolist() == [cat, cat, dog, dog, dog, now.muted.rgba()]
    right = point_colours.coloured(result, "right")
    assert right.colours[2] == now.error.rgba() and right.colours[4] == now.success.rgba()
    kept = point_colours.coloured(result, "kept")
    assert kept.ends == (0, 1) and kept.colours[5] == now.muted.rgba() and len(set(kept.colours.tolist())) == 4
    assert point_colours.coloured(result, "column.width").ends == (0, 5)
    none = answer(label=np.full(6, -1), prediction=np.full(6, -1), right=np.full(6, -1), kept=np.full(6, -1.0))
    assert [key for _, key in point_colours.choices(none)] == ["column.width"]
    assert set(point_colours.coloured(none, "").colours.tolist()) == {now.accent.rgba()}


@pytest.fixture
def d(desk: Make, tmp_path: Path) -> Any:
    made = desk(picture(tmp_path), model=classifier(tmp_path))
    made.settle()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(12):
        place = tmp_path / "set" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        save_png(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8), place / f"{number}.png")
    return tmp_path / "set"


def finish(d: Any) -> None:
    d.settle()
    for _ in range(4):  # the pass, the layout, the neighbours that it keeps
        d.engine.finish_idle()
        d.session.tick()
        d.settle()


def test_the_map_of_the_open_data_set_is_shown_selected_from_and_leads_to_pictures(d: Any, folder: Path) -> None:
    d.window.docks.show("map")
    d.settle()
    panel = d.panel(MapPanel)
    assert (
        "Open a data set" in panel.words.text() and not panel.map.isVisibleTo(panel) and "map" not in d.session.wanted
    )
    d.store.update(d.document.with_data_set(Source.file(folder)))
    finish(d)
    result = d.session.results["map"][1]
    assert panel.words.text() == result.meta["text"] and "true neighbours" in panel.words.text()
    assert len(panel.map.places) == 12 and panel.map.isVisibleTo(panel) and panel.map._here is not None
    assert [panel.method.itemText(row) for row in range(2)] == ["Principal components", "t-SNE"]
    assert panel.colour.currentData() == "label" and "a" in panel.legend.text()
    assert "of the variance" in panel.map.plot.getAxis("bottom").labelText
    assert panel._line(0).startswith("0.png, label a, taken for")

    panel.map.lassoed.emit(np.array([1, 3]))
    listed = d.panel(DataSetPanel)
    d.window.docks.show("data_set")
    d.settle()
    rows = result.arrays["rows"][[1, 3]].tolist()
    assert listed.grid.order.tolist() == rows and listed.whole.isVisibleTo(listed)
    assert "2 pictures selected" in panel.chosen.text()
    listed.whole.click()
    assert listed.grid.order.size == 12 and not listed.whole.isVisibleTo(listed)

    d.window.docks.show("map")
    panel.strip.click()
    d.until(lambda: len(d.document.sources) == 2)
    assert [source.path for source in d.document.sources] == [result.meta["paths"][at] for at in (1, 3)]
    panel.nothing.click()
    assert not len(panel.map.selected) and not panel.strip.isVisibleTo(panel)
    panel.map.picked.emit(0)
    d.until(lambda: d.document.file is not None and d.document.file.path == result.meta["paths"][0])


def test_t_sne_is_watched_stopped_and_gone_on_with(d: Any, folder: Path) -> None:
    pytest.importorskip("openTSNE")
    d.window.docks.show("map")
    d.store.update(d.document.with_data_set(Source.file(folder)).with_value("map", method="tsne", iterations=50))
    panel = d.panel(MapPanel)
    d.settle()
    for _ in range(400):
        if d.session.results.get("map") and d.session.results["map"][1].meta["iteration"] > 5:
            break
        if d.engine.idle_work:
            d.engine.work_idle(0.001)
        d.session.tick()
        d.settle()
    assert panel.stop.isVisibleTo(panel) and "Iteration" in panel.words.text()
    assert not panel.map.plot.getAxis("bottom").isVisible() and "mean nothing here" in panel.trust.text()
    before = panel.map.places.copy()
    panel.stop.click()
    finish(d)
    assert "Stopped after" in panel.words.text() and panel.stop.isVisibleTo(panel)
    panel.stop.click()
    finish(d)
    assert "KL divergence" in panel.words.text() and not panel.stop.isVisibleTo(panel)
    assert len(panel.map.places) == 12 and not np.allclose(before, panel.map.places)
