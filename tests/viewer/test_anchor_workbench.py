"""The anchor workbench: what it shows against the engine's own answer, its controls, its suggestion, its layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from models.cards.card import BUNDLED
from models.types import Source
from viewer.canvas.layers import CORRECT, FORCED, IGNORED, MISSED, TRUTH
from viewer.panels.anchor_workbench import WorkbenchPanel
from viewer.presenters import anchor_matches

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
BOXES = [(40, 30, 60, 90), (200, 100, 50, 48), (5, 5, 9, 8), (300, 200, 240, 60), (400, 40, 80, 160)]
Make = Callable[..., Any]


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """COCO ground truth of the first sample: five boxes of two classes."""
    path = SAMPLES[0].resolve()
    body = {
        "images": [{"id": 1, "file_name": str(path), "width": 640, "height": 480}],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": i % 2 + 1, "bbox": list(b), "area": b[2] * b[3], "iscrowd": 0}
            for i, b in enumerate(BOXES, 1)
        ],
        "categories": [{"id": 1, "name": "1"}, {"id": 2, "name": "7"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(body))
    return tmp_path / "truth.json"


def opened(desk: Make, truth: Path, model: str = RCNN) -> Any:
    """A window with ground truth open and matching switched on."""
    d = desk(SAMPLES[0], model=model)
    d.session.truths.open(truth)
    d.until(lambda: d.session.truth is not None)
    d.store.update(d.document.with_view(anchors="match"))
    d.settle()
    d.window.docks.show("workbench")
    return d


def bench(d: Any) -> WorkbenchPanel:
    return d.panel(WorkbenchPanel)


def asked(d: Any, **params: Any) -> Any:
    return d.direct("match", truth=d.document.truth.path, **params)


def cells(table: Any) -> list[list[str]]:
    items = [table.topLevelItem(row) for row in range(table.topLevelItemCount())]
    return [[item.text(column) for column in range(table.columnCount())] for item in items]


def move(d: Any, name: str, value: float) -> None:
    form = bench(d).form
    assert form is not None
    row: Any = form.rows[name]
    row.entry.setFocus()
    row.entry.selectAll()
    d.qtbot.keyClicks(row.entry, str(value))
    d.qtbot.keyClick(row.entry, Qt.Key.Key_Return)
    d.settle()


def test_without_ground_truth_it_says_how_to_open_some_and_asks_nothing(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.window.docks.show("workbench")
    panel = bench(d)
    assert "Open ground truth" in panel.about.text() and panel.open.isVisible() and not panel.on.isVisible()
    d.store.update(d.document.with_view(anchors="match"))
    d.settle()
    assert "workbench" not in d.session.results and "coverage" not in d.session.results


def test_switched_off_nothing_is_worked_out(desk: Make, truth: Path) -> None:
    d = desk(SAMPLES[0])
    d.session.truths.open(truth)
    d.until(lambda: d.session.truth is not None)
    d.window.docks.show("workbench")
    assert "workbench" not in d.session.results and d.layer(anchor_matches.OBJECTS) is None
    d.qtbot.mouseClick(bench(d).on.box, Qt.MouseButton.LeftButton, pos=bench(d).on.box.rect().center() * 0)
    bench(d).on.box.click()
    d.settle()
    assert d.document.view.anchors == "match" and d.layer(anchor_matches.OBJECTS) is not None


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_numbers_and_layers_are_the_engines(desk: Make, truth: Path, model: str) -> None:
    d = opened(desk, truth, model)
    direct, panel = asked(d), bench(d)
    counts = direct.arrays["counts"]
    shown = cells(panel.levels)
    assert shown[0] == ["All", *(f"{n:,}" for n in counts.sum(axis=0))]
    assert shown[1:] == [[str(i), *(f"{n:,}" for n in line)] for i, line in enumerate(counts)]
    rows = cells(panel.objects)
    assert [row[2] for row in rows] == [f"{v:.2f}" for v in direct.arrays["truth_best"]]
    assert [row[3] for row in rows] == [str(n) for n in direct.arrays["truth_anchors"]]
    assert [row[0] for row in rows] == ["7", "1", "7", "1", "7"]
    for state, (name, role) in enumerate((("matched", CORRECT), ("forced", FORCED))):
        layer = d.layer(f"match {name}")
        np.testing.assert_array_equal(layer.boxes, direct.arrays["boxes"][direct.arrays["state"] == state])
        assert set(layer.colours.tolist()) == {role}
    objects = d.layer(anchor_matches.OBJECTS)
    covered = direct.arrays["covered"]
    np.testing.assert_array_equal(objects.colours, np.where(covered, TRUTH, MISSED))
    assert covered.any() and not covered.all()
    assert f"{covered.sum()} of 5 objects have an anchor" in panel.about.text()


def test_thresholds_follow_and_the_lower_never_passes_the_upper(desk: Make, truth: Path) -> None:
    d = opened(desk, truth)
    move(d, "fg", 0.5)
    np.testing.assert_array_equal(d.layer("match matched").boxes, _of(asked(d, fg=0.5), 0))
    move(d, "fg", 0.2)
    assert d.document.values("match") == {"fg": 0.2, "bg": 0.2}
    move(d, "bg", 0.6)
    assert d.document.values("match") == {"fg": 0.6, "bg": 0.6}
    move(d, "bg", 0.3)
    assert d.document.values("match") == {"fg": 0.6}, "the model's own value is no setting"
    d.run("undo")
    d.settle()
    assert d.document.values("match") == {"fg": 0.6, "bg": 0.6}
    np.testing.assert_array_equal(d.layer("match matched").boxes, _of(asked(d, fg=0.6, bg=0.6), 0))
    assert not d.messages or not any("above" in text for text in d.messages)


def _of(result: Any, state: int) -> np.ndarray:
    return result.arrays["boxes"][result.arrays["state"] == state]


def test_what_is_drawn_is_chosen_and_a_model_without_a_band_says_why(desk: Make, truth: Path) -> None:
    d = opened(desk, truth)
    form = bench(d).form
    assert form is not None and d.layer("match ignored") is None
    box: Any = form.rows["ignored"]
    box.box.click()
    d.settle()
    assert set(d.layer("match ignored").colours.tolist()) == {IGNORED}
    d.session.open_model(SSD)
    d.until(lambda: d.document.model == SSD)
    d.settle()
    form = bench(d).form
    assert form is not None and "one threshold" in form.rows["low_quality"].reason.text()


def test_only_the_objects_have_words_while_anchors_are_matched(desk: Make, truth: Path) -> None:
    d = opened(desk, truth)
    assert not d.layer("detections").labelled and d.layer("match objects").labelled
    d.run("anchors-off")
    assert d.layer("detections").labelled


def test_a_level_or_an_object_is_seen_alone(desk: Make, truth: Path) -> None:
    d = opened(desk, truth)
    panel, direct = bench(d), asked(d)
    panel.levels.setCurrentItem(panel.levels.topLevelItem(2))
    state, level = direct.arrays["state"], direct.arrays["level"]
    wanted = direct.arrays["boxes"][(state == 0) & (level == 1)]
    layer = d.layer("match matched")
    np.testing.assert_array_equal(layer.boxes if layer is not None else np.zeros((0, 4)), wanted)
    assert d.document.view.anchor_level == 1
    panel.levels.setCurrentItem(panel.levels.topLevelItem(0))
    assert d.document.view.anchor_level == -1 and not panel.levels.selectedItems()

    row = int(direct.arrays["truth_anchors"].argmax())
    panel.objects.setCurrentItem(panel.objects.topLevelItem(row))
    drawn = [x for x in d.canvas.layers if x.id in ("match matched", "match forced")]
    boxes = np.concatenate([x.boxes for x in drawn])
    assert len(boxes) == direct.arrays["truth_anchors"][row]
    np.testing.assert_array_equal(d.layer("match best").boxes[0], direct.arrays["truth_box"][row])
    assert panel.picked(anchor_matches.OBJECTS, row) and d.layer("match best") is None


def test_the_anchors_can_be_edited_and_are_checked(desk: Make, truth: Path) -> None:
    d = opened(desk, truth)
    fields = bench(d).design.fields
    assert [f.text() for f in fields["scales"]] == ["16 20 25", "32 40 51", "64 81 102"]

    def type_in(field: Any, text: str) -> None:
        field.setFocus()
        field.selectAll()
        d.qtbot.keyClicks(field, text)
        d.qtbot.keyClick(field, Qt.Key.Key_Return)
        d.settle()

    type_in(fields["scales"][1], "33 47")
    scales = "16 20 25; 33 47; 64 81 102"
    ratios = "0.5 1 2; 0.5 1 2; 0.5 1 2"
    assert d.document.values("match") == {"scales": scales, "ratios": ratios}
    np.testing.assert_array_equal(d.layer("match matched").boxes, _of(asked(d, scales=scales, ratios=ratios), 0))
    before = d.document
    type_in(fields["scales"][1], "33 minus")
    assert "are not scales" in bench(d).design.problem.text() and d.document == before
    type_in(fields["scales"][1], "33 47")
    assert not bench(d).design.problem.text()
    d.qtbot.mouseClick(bench(d).design.reset, Qt.MouseButton.LeftButton)
    d.settle()
    assert d.document.values("match") == {} and fields["scales"][1].text() == "32 40 51"


def test_the_data_set_is_covered_and_a_suggestion_can_be_used(desk: Make, truth: Path) -> None:
    d = opened(desk, truth)
    panel = bench(d)
    direct = d.engine.run(_coverage(d))
    assert f"{direct.meta['covered']} of 5 objects covered" in panel.coverage.text()
    assert panel.bars.counts == tuple(direct.arrays["histogram"].tolist()) and not panel.bars.other
    assert panel.bars.mark == 0.7 and not panel.use.isVisible()
    d.qtbot.mouseClick(panel.suggest, Qt.MouseButton.LeftButton)
    d.settle()
    suggested = d.engine.run(_coverage(d, suggest=True))
    assert panel.bars.other == tuple(suggested.arrays["suggested_histogram"].tolist())
    assert f"{suggested.meta['suggested_covered']} of 5" in panel.coverage.text()
    d.qtbot.mouseClick(panel.use, Qt.MouseButton.LeftButton)
    d.settle()
    texts = {name: suggested.meta[f"suggested_{name}"] for name in ("scales", "ratios")}
    assert d.document.values("match") == texts and not panel.use.isEnabled()
    assert [f.text() for f in panel.design.fields["scales"]] == [g.strip() for g in texts["scales"].split(";")]
    assert panel.bars.counts == panel.bars.other
    d.run("undo")
    d.settle()
    assert d.document.values("match") == {} and panel.use.isEnabled()


def _coverage(d: Any, **params: Any) -> Any:
    from models.requests import Request

    return Request.make("coverage", d.document.model, Source.file(d.document.truth.path), params)


def test_a_picture_that_is_not_in_the_ground_truth_says_so(desk: Make, truth: Path) -> None:
    d = opened(desk, truth)
    d.open(SAMPLES[1])
    assert "not in the ground truth" in bench(d).about.text() and not bench(d).objects.isVisible()
    assert len(d.layer(anchor_matches.OBJECTS)) == 0


def test_a_second_box_is_compared_and_its_numbers_copied(desk: Make, truth: Path) -> None:
    """Ctrl + click picks a detection or an object of the ground truth; the numbers are those of its IoU family."""
    from models.detection import iou as family

    d = opened(desk, truth)
    arrays = d.result.arrays
    d.store.update(d.document.with_selected(int(arrays["ids"][0])).with_second(int(arrays["ids"][1])))
    a, b = arrays["boxes"][:2]
    card = d.canvas.card
    assert card.isVisible()
    d.qtbot.mouseClick(card.copy, Qt.MouseButton.LeftButton)
    lines = dict(line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()[1:])
    for name in ("iou", "giou", "diou", "ciou"):
        assert float(lines[{"iou": "IoU", "giou": "GIoU", "diou": "DIoU", "ciou": "CIoU"}[name]]) == pytest.approx(
            float(getattr(family, name)(a, b)), abs=1e-4
        )
    inter, union = family.areas(a, b)
    assert lines["Union"] == f"{float(union):,.1f} px²" and lines["Intersection"] == f"{float(inter):,.1f} px²"
    middle = (np.stack([a, b])[:, :2] + np.stack([a, b])[:, 2:]) / 2
    np.testing.assert_allclose(d.layer("pair line").segments, middle.reshape(1, 4))
    np.testing.assert_array_equal(d.layer("pair second").boxes[0], b)

    x, y, w, h = BOXES[2]
    d.hover(x + 4, y + 4)
    place = d.place(x + 4, y + 4)
    d.qtbot.mouseClick(d.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, pos=place)
    assert d.document.second == -2 - 2
    np.testing.assert_array_equal(d.layer("pair second").boxes[0], [x, y, x + w, y + h])
    d.run("deselect")
    assert not card.isVisible() and d.layer("pair line") is None


def test_all_anchors_can_be_seen(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.store.update(d.document.with_view(anchors="all"))
    d.settle()
    assert len(d.layer("anchors")) == 8500 and d.anchors.text.text() == "8,500 anchors"
    d.store.update(d.document.with_view(anchor_level=3))
    boxes = d.direct("anchors").arrays["boxes"]
    np.testing.assert_array_equal(d.layer("anchors").boxes, boxes[-100:][::-1])
