"""The figures of a data set in the window: asked for, followed by the sliders, stopped, put away, copied, exported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication

from models.cards import card
from models.engine.engine import Engine
from models.evaluation import report
from models.pictures import images
from models.requests import Request
from models.types import Result, Source
from viewer.menus import file as file_menu
from viewer.panels.figures import FiguresPanel
from viewer.widgets.charts import figure_data
from viewer.widgets.charts.bar_chart import Bar, BarChart
from viewer.widgets.charts.confusion_matrix import MatrixChart

Make = Callable[..., Any]
SAMPLES = sorted((card.BUNDLED.parent / "samples").glob("*.png"))
SSD, RCNN = "digits-ssd", "digits-faster-rcnn"


@pytest.fixture
def truth(tmp_path: Path, engine: Engine) -> Path:
    """The samples in a folder with ground truth: what digits-ssd finds on them at 0.6."""
    folder = tmp_path / "set"
    folder.mkdir()
    body: dict[str, Any] = {"images": [], "annotations": []}
    body["categories"] = [{"id": i, "name": n} for i, n in enumerate(card.bundled()[SSD].classes) if i]
    for number, sample in enumerate(SAMPLES, 1):
        shutil.copy(sample, folder)
        width, height = images.size(sample)
        body["images"].append({"id": number, "file_name": sample.name, "width": width, "height": height})
        found = engine.run(Request.make("detect", SSD, Source.file(sample), {"score": 0.6}))
        assert isinstance(found, Result)
        for box, label in zip(found.arrays["boxes"].tolist(), found.arrays["labels"].tolist(), strict=True):
            row = {"id": len(body["annotations"]) + 1, "image_id": number, "category_id": label, "iscrowd": 0}
            body["annotations"].append({**row, "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]], "area": 1})
    (folder / "truth.json").write_text(json.dumps(body))
    return folder / "truth.json"


def opened(desk: Make, truth: Path, *, model: str = SSD) -> tuple[Any, FiguresPanel]:
    """A window with the ground truth open and the panel shown."""
    d = desk(truth.with_name(SAMPLES[0].name), truth.with_name(SAMPLES[1].name), model=model)
    panel = d.panel(FiguresPanel)
    d.run("panel-figures")
    d.session.truths.open(truth)
    d.until(lambda: d.document.truth is not None)
    return d, panel


def evaluate(d: Any, panel: FiguresPanel) -> None:
    d.qtbot.mouseClick(panel.run, Qt.MouseButton.LeftButton)
    finish(d, panel)


def finish(d: Any, panel: FiguresPanel) -> None:
    d.settle()
    d.engine.finish_idle()
    d.session.tick()
    d.until(lambda: panel.shown is not None and panel.shown[1].meta["complete"])
    d.settle()


def direct(d: Any, truth: Path, **params: Any) -> Result:
    answer = d.engine.run(Request.make("figures", d.document.model, Source.file(truth), params))
    assert isinstance(answer, Result), answer
    return answer


def test_nothing_is_asked_until_the_button(desk: Make, truth: Path) -> None:
    d = desk(SAMPLES[0])
    panel = d.panel(FiguresPanel)
    assert not panel.run.isEnabled() and "Open ground truth" in panel.state.text()
    d.session.truths.open(truth)
    d.until(lambda: d.document.truth is not None)
    d.settle()
    assert panel.run.isEnabled() and panel.shown is None and "figures" not in d.session.wanted
    assert panel.scope.isHidden()
    assert not d.window.commands.actions(d.window)["export-figures"].isEnabled()


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_the_figures_follow_the_sliders(desk: Make, truth: Path, model: str) -> None:
    d, panel = opened(desk, truth, model=model)
    evaluate(d, panel)
    seen = set()
    for name, value in (("score", 0.05), ("iou", 0.8), ("agnostic", True), ("max_detections", 5), ("score", 0.9)):
        d.set(name, value)
        assert panel.shown is not None and panel.shown[1].meta["pictures"] == len(SAMPLES)
        finish(d, panel)
        result, wanted = panel.shown[1], direct(d, truth, **d.document.values("detect"))
        assert np.array_equal(result.arrays["confusion"], wanted.arrays["confusion"])
        assert panel.values["map"].text() == f"{wanted.meta['map']:.3f}"
        assert panel.values["all_recall"].text() == f"{wanted.meta['all_recall']:.3f}"
        seen.add((panel.values["map"].text(), panel.values["all_precision"].text()))
    assert len(seen) >= 4
    d.store.update(d.document.with_view(truth_iou=0.9))
    d.settle()
    assert panel.shown[1].meta["match_iou"] == 0.9 and "IoU 0.90" in panel.state.text()


def test_a_cell_of_the_confusion_matrix_leads_to_its_pictures(desk: Make, truth: Path) -> None:
    d, panel = opened(desk, truth)
    evaluate(d, panel)
    d.set("score", 0.1)  # so that there are detections on background
    finish(d, panel)
    assert panel.shown is not None
    counts = panel.shown[1].arrays["confusion"]
    row, column = len(counts) - 1, int(counts[-1, :-1].argmax())
    panel.matrix.picked.emit(row, column)
    finish(d, panel)
    listed = panel.shown[1].meta["cell_pictures"]
    assert sum(count for _, count in listed) == counts[row, column] > 0
    assert (
        panel.tabs.currentWidget() is panel.behind
        and f"{counts[row, column]:,} detections" in panel.behind.about.text()
    )
    assert panel.behind.list.count() == len(listed)
    panel.behind.list.itemClicked.emit(panel.behind.list.item(panel.behind.list.count() - 1))
    d.until(lambda: d.document.file is not None and d.document.file.path == listed[-1][0])


def test_they_stay_when_another_picture_is_shown(desk: Make, truth: Path) -> None:
    d, panel = opened(desk, truth)
    evaluate(d, panel)
    before = panel.shown
    assert panel.scope.text() == f"All {len(SAMPLES)} pictures" and not panel.scope.isHidden()
    panel.copy.click()
    assert QGuiApplication.clipboard().text().startswith(panel.scope.text())
    assert before is not None
    part = Result(before[1].arrays, {**before[1].meta, "of": 364, "pictures": 183})
    assert figure_data.scope(part) == "183 of 364 pictures"
    d.session.step(1)
    d.until(lambda: d.document.current == 1)
    d.settle()
    assert panel.shown is before and panel.values["map"].text() != "–"
    d.session.truths.close()
    d.settle()
    assert panel.shown is None and panel.values["map"].text() == "–"


def test_it_can_be_stopped_gone_on_with_and_put_away(desk: Make, truth: Path) -> None:
    d, panel = opened(desk, truth)
    d.qtbot.mouseClick(panel.run, Qt.MouseButton.LeftButton)
    d.settle()
    assert panel.run.text() == "Stop" and not panel.progress.isHidden()
    d.engine.work_idle(0.0001)
    d.session.tick()
    d.settle()
    assert panel.shown is not None and panel.shown[1].meta["collected"] < len(SAMPLES)
    d.qtbot.mouseClick(panel.run, Qt.MouseButton.LeftButton)
    d.settle()
    d.engine.finish_idle()
    d.session.tick()
    d.settle()
    assert panel.run.text() == "Go on" and panel.shown[1].meta["collected"] < len(SAMPLES)
    assert f"of {len(SAMPLES)} pictures" in panel.state.text()
    evaluate(d, panel)
    assert panel.run.isHidden() and panel.progress.isHidden()
    d.qtbot.mouseClick(panel.put_away, Qt.MouseButton.LeftButton)
    d.settle()
    assert "figures" not in d.session.wanted and panel.run.text() == "Evaluate the data set"
    d.run("undo")
    d.settle()
    assert "figures" in d.session.wanted


def test_what_they_cannot_follow_is_said(desk: Make, truth: Path) -> None:
    d, panel = opened(desk, truth)
    evaluate(d, panel)
    d.store.update(d.document.with_value("detect", method="wbf"))
    d.settle()
    assert "greedy NMS only" in panel.state.text() and "figures" not in d.session.wanted
    assert not panel.values["map"].isEnabled() and panel.values["map"].text() != "–"
    d.store.update(d.document.with_value("detect", method=None))
    d.settle()
    assert "figures" in d.session.wanted and panel.values["map"].isEnabled()


def test_why_there_are_none_stays_to_be_read(desk: Make, truth: Path) -> None:
    body = json.loads(truth.read_text())
    for number, category in enumerate(body["categories"]):
        category["name"] = f"thing {number}"
    truth.write_text(json.dumps(body))
    d, panel = opened(desk, truth)
    d.qtbot.mouseClick(panel.run, Qt.MouseButton.LeftButton)
    d.until(lambda: "knows none of the classes" in panel.state.text())
    d.store.update(d.document.with_view(labels=False))
    d.until(lambda: not d.session.jobs.busy)
    assert "knows none of the classes" in panel.state.text()


def test_a_best_score_below_the_models_floor_is_the_floor(desk: Make, truth: Path) -> None:
    d, panel = opened(desk, truth)
    evaluate(d, panel)
    request, result = panel.shown
    low = {**result.arrays, "best_score": np.full_like(result.arrays["best_score"], 0.001)}
    panel.shown = request, Result(low, result.meta)
    d.qtbot.mouseClick(panel.use, Qt.MouseButton.LeftButton)
    d.settle()
    offer = d.session.description.offers["detect"]
    floor = next(p.low for p in offer.parameters if p.name == "score")
    assert d.document.values("detect")["score"] == floor > 0.001
    assert d.shows(d.direct(score=floor))


def test_the_best_score_can_be_used(desk: Make, truth: Path) -> None:
    d, panel = opened(desk, truth, model=RCNN)
    evaluate(d, panel)
    best = float(panel.shown[1].arrays["best_f1"][0])
    d.qtbot.mouseClick(panel.use, Qt.MouseButton.LeftButton)
    d.settle()
    assert panel.shown[1].meta["all_f1"] == pytest.approx(best) and d.store.undo_title == "Score with the best F1"


def test_they_can_be_copied_and_exported(desk: Make, truth: Path, tmp_path: Path) -> None:
    d, panel = opened(desk, truth)
    evaluate(d, panel)
    d.qtbot.mouseClick(panel.copy, Qt.MouseButton.LeftButton)
    text = QGuiApplication.clipboard().text()
    result = panel.shown[1]
    assert text == f"All 4 pictures\n\n{report.as_text(result)}" and f"{result.meta['map']:.4f}" in text.splitlines()[3]
    written = file_menu.export_figures(d.window, tmp_path / "out" / "f.json")
    body = json.loads(written[0].read_text())
    assert body["confusion"]["matrix"] == result.arrays["confusion"].tolist()
    assert body["classes"][0]["ap"] == pytest.approx(result.meta["map"])
    (table, recipe) = file_menu.export_figures(d.window, tmp_path / "out" / "g.csv")
    lines = table.read_text().splitlines()
    assert lines[0] == "class,score,recall,precision" and len(lines) == 1 + len(result.arrays["curve_score"])
    assert json.loads(recipe.read_text())["inspection"] == "figures"


def test_the_funnel_can_be_asked_of_some_objects(desk: Make, truth: Path) -> None:
    d, panel = opened(desk, truth, model=RCNN)
    evaluate(d, panel)
    every = panel.funnel.accessibleDescription()
    assert "RPN pool" in every and panel.group.itemText(0) == "All objects"
    panel.group.setCurrentIndex(panel.group.findData("small"))
    assert panel.funnel.accessibleDescription() != every


def test_charts_say_what_is_under_the_pointer(qtbot: Any) -> None:
    matrix = MatrixChart("Confusion matrix")
    qtbot.addWidget(matrix)
    matrix.resize(400, 300)
    matrix.set_counts(["cat", "dog", "background"], np.array([[5, 1, 2], [0, 7, 3], [4, 6, 0]]))
    matrix.grab()
    field = matrix.field()

    def at(row: int, column: int) -> str:
        size = field.width() / 3, field.height() / 3
        return matrix.explain(QPointF(field.left() + (column + 0.5) * size[0], field.top() + (row + 0.5) * size[1]))

    assert at(0, 1) == "1 objects of cat detected as dog"
    assert at(2, 1) == "6 detections of dog on background"
    assert at(1, 2) == "3 objects of dog that nothing was found on"
    assert at(2, 2) == "" and matrix.explain(QPointF(1, 1)) == ""
    bars = BarChart("Recall funnel")
    qtbot.addWidget(bars)
    bars.resize(300, 100)
    bars.set_bars([Bar("A", 0.5, "50 %", "half"), Bar("B", 1.0, "100 %", "all")])
    bars.grab()
    assert bars.explain(bars.place_of(0.2, 0)) == "half" and bars.explain(bars.place_of(0.9, 1)) == "all"
