"""The panels against the engine's own answers: controls, counts, table, anchors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication

from models.cards.card import BUNDLED
from viewer.presenters import detections, lineage

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
Make = Callable[..., Any]
RPN = ("rpn_score", "rpn_iou", "rpn_top_n")


def summary(result: Any) -> str:
    return f"{len(result.arrays['boxes']):,} of {result.meta['candidates']:,} candidates shown"


def item(d: Any, name: str) -> Any:
    (found,) = d.detection.classes.findItems(name, Qt.MatchFlag.MatchExactly)
    return found


def toggle(d: Any, name: str) -> None:
    """Click a class's check box."""
    tree = d.detection.classes
    tree.scrollToItem(item(d, name))
    place = tree.visualItemRect(item(d, name))
    d.qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place.left() + 8, place.center().y()))
    d.settle()


# detection


def test_the_score_changes_boxes_and_summary(desk: Make) -> None:
    d = desk(SAMPLES[0])
    counts = []
    for score in (0.05, 0.4, 0.9, 1.0):
        d.set("score", score)
        direct = d.direct(score=score)
        assert d.shows(direct)
        assert d.detection.summary.text().splitlines()[0] == summary(direct)
        counts.append(len(direct.arrays["boxes"]))
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[1] > counts[2] > counts[3] == 0


def drag(d: Any, start: float, end: float) -> None:
    """Drag the score slider from one part of its width to another."""
    slider = d.detection.form.rows["score"].slider
    middle, steps = slider.height() // 2, np.linspace(start, end, 8) * slider.width()
    d.qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(int(steps[0]), middle))
    for x in steps.astype(int).tolist():
        d.qtbot.mouseMove(slider, QPoint(x, middle))
        QApplication.processEvents()
    d.qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(int(steps[-1]), middle))
    d.settle()


def test_each_drag_on_the_score_is_one_step(desk: Make) -> None:
    d = desk(SAMPLES[0])
    drag(d, 0.5, 0.9)
    score = d.document.values("detect")["score"]
    assert score > 0.6 and d.shows(d.direct(score=score)) and d.store.history == ["Score"]
    drag(d, 0.6, 0.2)
    assert d.document.values("detect")["score"] < 0.4 and d.store.history == ["Score", "Score"]
    d.run("undo")
    d.settle()
    assert d.document.values("detect") == {"score": score} and d.shows(d.direct(score=score))
    d.run("undo")
    d.settle()
    assert d.document.values("detect") == {} and d.shows(d.direct())
    assert d.detection.form.rows["score"].value == d.detection.form.rows["score"].default


@pytest.mark.parametrize(
    ("name", "value"), [("iou", 0.95), ("agnostic", True), ("max_detections", 3), ("suppressed", True)]
)
def test_every_control_does_what_the_engine_does(desk: Make, name: str, value: Any) -> None:
    d = desk(SAMPLES[0])
    d.set("score", 0.05)
    before = d.direct(score=0.05)
    d.set(name, value)
    direct = d.direct(score=0.05, **{name: value})
    assert d.shows(direct) and not d.shows(before)
    assert d.detection.summary.text().splitlines()[0] == summary(direct)
    if name == "max_detections":
        assert f"{direct.meta['cut']:,} more cut by the maximum" in d.detection.summary.text()
    d.run("undo")
    d.settle()
    assert d.shows(before) and d.document.values("detect") == {"score": 0.05}
    d.run("redo")
    d.settle()
    assert d.shows(direct)


def test_reset_takes_the_models_own_values(desk: Make) -> None:
    d = desk(SAMPLES[0])
    assert not d.detection.form.reset.isEnabled()
    d.set("score", 0.9)
    d.set("agnostic", True)
    toggle(d, "3")
    d.qtbot.mouseClick(d.detection.form.reset, Qt.MouseButton.LeftButton)
    d.settle()
    assert d.document.values("detect") == {} and d.shows(d.direct())
    assert item(d, "3").checkState(0) == Qt.CheckState.Checked and not d.detection.form.reset.isEnabled()
    d.run("undo")
    d.settle()
    assert d.document.values("detect") == {"score": 0.9, "agnostic": True, "hidden": "3"}


def test_the_models_own_value_typed_in_is_no_setting(desk: Make) -> None:
    d = desk(SAMPLES[0])
    own = d.detection.form.rows["score"].default
    d.set("score", 0.9)
    d.set("score", own)
    assert d.document.values("detect") == {}


def test_classes_are_counted_hidden_and_shown_again(desk: Make) -> None:
    d = desk(SAMPLES[0])
    labels = d.result.arrays["labels"]
    name = d.result.meta["classes"][labels[0]]
    for row in range(d.detection.classes.topLevelItemCount()):
        line = d.detection.classes.topLevelItem(row)
        count = int((labels == line.data(0, Qt.ItemDataRole.UserRole)).sum())
        assert line.text(1) == (str(count) if count else "")
    before = d.result
    toggle(d, name)
    assert d.document.values("detect") == {"hidden": name} and d.store.undo_title == f"Hide class {name}"
    assert d.shows(d.direct(hidden=name)) and labels[0] not in d.layer("detections").colours
    assert item(d, name).text(1), "the count tells what there would be"
    toggle(d, name)
    assert d.document.values("detect") == {} and d.shows(before)
    d.run("undo")
    d.settle()
    assert item(d, name).checkState(0) == Qt.CheckState.Unchecked and d.shows(d.direct(hidden=name))


def test_suppressed_boxes_are_dashed_and_linked(desk: Make) -> None:
    d = desk(SAMPLES[0])
    assert d.layer("removed") is None and d.layer("links") is None
    d.run("suppressed")
    d.settle()
    removed, links = d.layer("removed"), d.layer("links")
    assert removed.dashed and len(removed) == len(links.segments) > 0
    assert d.shows(d.direct(suppressed=True)) and d.detection.form.rows["suppressed"].value is True
    plain = d.canvas.grab_image()
    d.run("suppressed")
    d.settle()
    assert d.layer("removed") is None and d.canvas.grab_image() != plain
    assert d.store.history == ["Show suppressed boxes", "Hide suppressed boxes"]


def test_stages_the_model_lacks_are_greyed_with_the_reason(desk: Make) -> None:
    d = desk(SAMPLES[0])
    rows = d.detection.form.rows
    for name in RPN:
        assert not rows[name].slider.isEnabled() and not rows[name].entry.isEnabled()
        assert "digits-ssd is a one-stage detector" in rows[name].slider.toolTip()
    assert [not rows[name].reason.isHidden() for name in RPN] == [False, False, True]
    assert rows["score"].slider.isEnabled()
    d.session.open_model(RCNN)
    d.until(lambda: d.document.model == RCNN)
    d.settle()
    rows = d.detection.form.rows
    assert all(rows[name].slider.isEnabled() and rows[name].reason.isHidden() for name in RPN)


@pytest.mark.parametrize(("name", "value"), [("rpn_score", 0.9), ("rpn_iou", 0.2), ("rpn_top_n", 20)])
def test_proposals_can_be_held_back(desk: Make, name: str, value: float) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    proposals = d.result.meta["proposals"]
    d.set(name, value)
    direct = d.direct(**{name: value})
    assert d.shows(direct) and direct.meta["proposals"] < proposals
    assert d.detection.summary.text().splitlines()[1] == f"{direct.meta['proposals']:,} proposals"


def test_settings_come_back_with_the_model(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.set("score", 0.9)
    for model, wanted in ((RCNN, None), (SSD, 0.9)):
        d.session.open_model(model)
        d.until(lambda model=model: d.document.model == model)
        d.settle()
        row = d.detection.form.rows["score"]
        assert row.value == (row.default if wanted is None else wanted)


# results


def test_table_and_canvas_select_each_other(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.run("panel-results")
    table, ids = d.results.table, d.result.arrays["ids"]
    assert d.results.rows.rowCount() == len(ids)
    table.setFocus()
    table.selectRow(0)
    for row in (1, 2):
        d.key(Qt.Key.Key_Down)
        assert d.document.selected == ids[row] and d.layer("detections").selected == row
    centre = d.box(4).center()
    d.click(centre.x(), centre.y())
    chosen = d.document.selected
    row = ids.tolist().index(chosen)
    assert d.box(row).contains(centre)
    assert [i.row() for i in table.selectionModel().selectedRows()] == [row]
    corner = d.canvas.to_picture(QPointF(4, 4))
    d.click(corner.x(), corner.y())
    assert d.document.selected == -1 and not table.selectionModel().hasSelection()
    assert d.store.history == []


def test_a_selection_is_the_same_box_at_every_threshold(desk: Make) -> None:
    d = desk(SAMPLES[0])
    row = len(d.result.arrays["ids"]) - 1
    box = d.result.arrays["boxes"][row]
    centre = d.box(row).center()
    d.click(centre.x(), centre.y())
    d.store.update(d.document.with_selected(int(d.result.arrays["ids"][row])))
    for score, there in ((0.1, True), (0.95, False), (0.3, True)):
        d.set("score", score)
        layer = d.layer("detections")
        assert (layer.selected >= 0) == there == d.results.table.selectionModel().hasSelection()
        if there:
            assert np.array_equal(layer.boxes[layer.selected], box)


def test_the_table_says_what_is_shown(desk: Make) -> None:
    d = desk(SAMPLES[0])
    lines = [line.split("\t") for line in d.results.text.splitlines()]
    assert lines[0] == ["Class", "Score", "x0", "y0", "x1", "y1", "Width", "Height"]
    arrays = d.direct().arrays
    for line, box, score, label in zip(lines[1:], arrays["boxes"], arrays["scores"], arrays["labels"], strict=True):
        x0, y0, x1, y1 = box.tolist()
        numbers = [f"{score:.4f}", *(f"{v:.1f}" for v in (x0, y0, x1, y1, box[2] - box[0], box[3] - box[1]))]
        assert line == [d.result.meta["classes"][label], *numbers]


# anchors


def test_anchors_follow_the_pointer_and_a_click_pins_them(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.canvas.setFocus()
    d.key(Qt.Key.Key_A)
    d.settle()
    assert d.document.view.anchors == "here" and d.layer("anchors") is None
    result = d.direct("anchors")
    for x, y in ((100, 80), (300, 200)):
        d.hover(x, y)
        pointer = d.canvas.pointer
        rows = detections.anchors_at(result, pointer.x, pointer.y)
        assert np.array_equal(d.layer("anchors").boxes, result.arrays["boxes"][rows])
        assert f"{len(rows)} anchors at x {pointer.x:.0f}, y {pointer.y:.0f}" in d.anchors.text.text()
    d.click(120, 90)
    pinned = d.layer("anchors").boxes
    d.hover(300, 200)
    assert np.array_equal(d.layer("anchors").boxes, pinned) and "pinned at" in d.anchors.text.text()
    assert d.document.selected == -1
    d.click(300, 200)
    d.hover(310, 210)
    assert not np.array_equal(d.layer("anchors").boxes, pinned) and d.document.view.anchor_at is None
    d.run("undo")
    assert np.array_equal(d.layer("anchors").boxes, pinned)
    d.key(Qt.Key.Key_A)
    assert d.document.view.anchors == "off" and d.layer("anchors") is None


def test_a_level_can_be_picked(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.run("anchors-here")
    d.settle()
    result = d.direct("anchors")
    assert d.anchors.level.count() == result.meta["levels"] + 1
    d.click(200, 150)
    place = d.document.view.anchor_at
    d.anchors.level.setFocus()
    d.key(Qt.Key.Key_Down)
    d.key(Qt.Key.Key_Down)
    assert d.document.view.anchor_level == 1 and d.store.undo_title == "Pyramid level"
    wanted = detections.anchors_at(result, *place, level=1)
    assert np.array_equal(d.layer("anchors").boxes, result.arrays["boxes"][wanted])


def test_density_has_its_colour_bar_and_numbers(desk: Make) -> None:
    d = desk(SAMPLES[0])
    assert d.anchors.bar.isHidden()
    d.run("anchors-density")
    d.settle()
    heat, result = d.layer("density"), d.direct("anchors")
    total = result.arrays["density"].sum(0)
    assert np.array_equal(heat.values, total) and not d.anchors.bar.isHidden()
    text = d.anchors.text.text()
    assert f"{result.meta['anchors']:,} anchors" in text and f"{total.min():.0f} to {total.max():.0f}" in text
    d.hover(200, 150)
    pointer, (height, width) = d.canvas.pointer, total.shape
    size = result.meta["size"]
    value = total[int(pointer.y / size[1] * height), int(pointer.x / size[0] * width)]
    assert d.window.status.pixel.text().endswith(f"density {value:.4g} in its cell")


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_lineage_of_the_selected_detection(desk: Make, model: str) -> None:
    d = desk(SAMPLES[0], model=model)
    d.run("anchors-lineage")
    assert d.layer("lineage anchor") is None and "Click a detection" in d.anchors.text.text()
    d.store.update(d.document.with_selected(int(d.result.arrays["ids"][1])))
    d.settle()
    arrays = d.direct().arrays
    assert np.array_equal(d.layer("lineage anchor").boxes, arrays["anchors"][1:2])
    assert (d.layer("lineage proposal") is not None) == (model == RCNN)
    if model == RCNN:
        assert np.array_equal(d.layer("lineage proposal").boxes, arrays["proposals"][1:2])
    assert d.anchors.text.text() == lineage.lineage_text(d.direct("lineage", box=d.document.selected))
    assert [layer.id for layer in d.canvas.layers].count("lineage anchor") == 1
    d.run("anchors-off")
    assert d.layer("lineage anchor") is None


def test_anchors_of_another_picture_or_model_are_not_shown(desk: Make) -> None:
    d = desk(*SAMPLES[:2])
    d.run("anchors-density")
    d.settle()
    d.session.step(1)
    d.until(lambda: d.document.current == 1)
    d.settle()
    assert np.array_equal(d.layer("density").values, d.direct("anchors").arrays["density"].sum(0))
    d.session.open_model(RCNN)
    d.until(lambda: d.document.model == RCNN)
    d.settle()
    assert np.array_equal(d.layer("density").values, d.direct("anchors").arrays["density"].sum(0))
    assert d.anchors.level.count() == d.direct("anchors").meta["levels"] + 1


def test_a_panel_the_model_cannot_serve_is_greyed_with_the_reason(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.run("anchors-density")
    d.settle()
    known = d.session.description
    d.session.descriptions[SSD] = dataclasses.replace(known, capabilities=("Detects",))
    d.window.refresh()
    d.window.controller.repaint_layers()
    reason = "digits-ssd has no anchors."
    assert not d.anchors.isEnabled() and d.window.docks.by_id["anchors"].toolTip() == reason
    assert d.anchors.text.text() == reason and d.layer("density") is None
    assert not d.window.commands.actions(d.window)["anchors-density"].isEnabled()
    d.session.descriptions[SSD] = known
    d.window.refresh()
    assert d.anchors.isEnabled() and d.window.docks.by_id["anchors"].toolTip() == ""
