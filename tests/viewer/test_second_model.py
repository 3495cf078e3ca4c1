"""A second model beside the first: what its pane shows, what one pane does to the other, and that A never suffers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from videos import number_in, video

from models.types import Failure
from tests.viewer.explained import classifier
from tests.viewer.second import RCNN, SAMPLES, SSD, Make, b_answer, beside_of, click, in_force, layer, panel
from viewer.canvas.layers import CORRECT, ONLY_A, ONLY_B, WRONG, Boxes
from viewer.panels.live import LivePanel
from viewer.panels.second_model import EMPTY, NOTHING
from viewer.presenters import model_difference
from viewer.session import second_model
from viewer.widgets.dialogs.allow_code import Allow

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def both(desk: Make) -> Any:
    return beside_of(desk(SAMPLES[0], model=RCNN), SSD)


# what is shown


def test_the_second_pane_shows_its_models_boxes_at_the_settings_of_the_panel(both: Any) -> None:
    d, panes = both, both.window.panes
    wanted = d.direct(model=SSD, **in_force(d))
    assert np.array_equal(layer(d, "detections").boxes, wanted.arrays["boxes"]) and len(wanted.arrays["boxes"]) > 5
    assert d.shows(d.direct()), "A shows what it showed alone"
    assert panes.canvas.pixels is d.canvas.pixels and panes.second.isVisible()
    assert panes.heads[0].name.text() == RCNN and panes.box.currentText() == SSD
    assert panes.heads[1].facts.text().startswith("cpu") and not panes.heads[1].note.isVisible()
    d.set("score", 0.9)
    assert in_force(d)["score"] == 0.9
    assert np.array_equal(layer(d, "detections").boxes, d.direct(model=SSD, **in_force(d)).arrays["boxes"])
    d.run("undo")
    d.settle()
    d.run("undo")
    d.settle()
    assert d.document.beside == "" and not panes.second.isVisible() and not panes.heads[0].isVisible()
    assert not [slot for slot in (*d.session.wanted, *d.session.results) if second_model.slot_of(slot)]
    d.run("redo")
    d.settle()
    assert d.document.beside == SSD and panes.second.isVisible() and len(layer(d, "detections").boxes)


def test_boxes_that_one_model_alone_found_are_marked_counted_and_listed(both: Any) -> None:
    d, two = both, panel(both)
    pairs = model_difference.boxes(d.result, b_answer(d, "detect"))
    counts = pairs.counts
    assert counts["only_a"] > 0 and counts["matched"] > 5
    assert two.legend.words["only_a"].text().startswith(f"{counts['only_a']} box")
    marked = d.layer("detections").colours == ONLY_A
    assert np.flatnonzero(marked).tolist() == pairs.only_a.tolist()
    d.qtbot.mouseClick(two.mark, LEFT, pos=QPoint(8, two.mark.height() // 2))
    assert not d.document.view.alone and not (d.layer("detections").colours == ONLY_A).any()
    assert two.table.rows.rowCount() == sum(counts.values()) == len(two.table.text.splitlines()) - 1
    row = counts["only_a"] + counts["only_b"]  # the first pair
    two.table.selectRow(row)
    i, j = pairs.matched[0]
    ids = int(pairs.a.arrays["ids"][i]), int(pairs.b.arrays["ids"][j])
    assert (d.document.selected, d.document.other) == ids
    assert layer(d, "detections").ids[layer(d, "detections").selected] == ids[1]
    two.table.setFocus()
    d.qtbot.keyClick(two.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "\t".join(pairs.texts((i, j), row))


def test_a_box_clicked_in_one_pane_selects_its_counterpart_in_the_other(both: Any) -> None:
    d, other = both, both.window.panes.canvas
    pairs = model_difference.boxes(d.result, b_answer(d, "detect"))
    i, j = pairs.matched[0].tolist()
    a, b = int(pairs.a.arrays["ids"][i]), int(pairs.b.arrays["ids"][j])
    x0, y0, x1, y1 = pairs.a.arrays["boxes"][i].tolist()
    d.click((x0 + x1) / 2, (y0 + y1) / 2)
    assert (d.document.selected, d.document.other) == (a, b)
    d.run("deselect")
    assert (d.document.selected, d.document.other) == (-1, -1)
    x0, y0, x1, y1 = pairs.b.arrays["boxes"][j].tolist()
    click(d, other, (x0 + x1) / 2, (y0 + y1) / 2)
    assert (d.document.selected, d.document.other) == (a, b)
    alone = pairs.a.arrays["boxes"][pairs.only_a[0]]
    d.click(*((alone[:2] + alone[2:]) / 2).tolist())
    assert d.document.selected == pairs.a.arrays["ids"][pairs.only_a[0]] and d.document.other == -1


def test_both_panes_look_at_the_same_place_and_read_out_the_same_point(both: Any) -> None:
    d, other = both, both.window.panes.canvas
    assert other.fitted and other.look.scale == pytest.approx(d.canvas.look.scale, rel=0.01)  # half of an odd width
    d.canvas.zoom(3)
    assert other.look == d.canvas.look and not other.fitted
    other.zoom(1.5)
    assert other.look == d.canvas.look
    d.canvas.fit()
    assert other.fitted and (other.look.x, other.look.y) == (d.canvas.look.x, d.canvas.look.y)
    pairs = model_difference.boxes(d.result, b_answer(d, "detect"))
    i, j = pairs.matched[0].tolist()
    box = pairs.a.arrays["boxes"][i]
    d.hover(*((box[:2] + box[2:]) / 2).tolist())
    assert d.canvas.readout and other.readout.splitlines()[0] == layer(d, "detections").texts[j]
    assert (other.pointer.x, other.pointer.y) == pytest.approx((d.canvas.pointer.x, d.canvas.pointer.y))
    d.qtbot.mouseMove(d.canvas, QPoint(1, 1))
    assert other.readout == ""


def test_a_second_model_that_cannot_be_opened_says_so_in_its_pane_alone(desk: Make) -> None:
    d = desk(SAMPLES[0], model=SSD)
    before = d.result
    d.window.panes.choose("nowhere.pt")
    d.settle()
    head = d.window.panes.heads[1]
    assert "nowhere.pt is not there" in head.note.text() and head.note.isVisible()
    assert any("nowhere.pt is not there" in line for line in d.log.text.toPlainText().splitlines())
    assert d.messages == [] and d.document.model == SSD and d.result is before and d.shows(before)
    assert d.window.panes.heads[0].height() == head.height(), "both pictures begin at the same height"
    assert panel(d).empty.text() == NOTHING
    beside_of(d, RCNN)
    assert not head.note.text() and len(layer(d, "detections").boxes)
    assert "nowhere.pt" not in d.window.settings.recent_models


def test_a_failure_of_the_second_model_leaves_the_first_alone(desk: Make, late: Any) -> None:
    d = desk(SAMPLES[0], model=SSD, lane=late, settle=False)
    late.answer()
    d.until(lambda: not late.waiting and "detect" in d.session.results)
    d.window.panes.choose(RCNN)
    d.until(lambda: late.waiting)
    late.answer("describe")
    d.until(lambda: any(request.model == RCNN and request.inspection == "detect" for _, request in late.waiting))
    late.answer("detect", Failure("It fell over.", "Try another."))
    d.until(lambda: "It fell over" in d.window.panes.heads[1].note.text())
    assert d.messages == [] and d.shows(d.direct()) and not d.session.stale


def test_the_first_model_is_asked_first_and_waits_for_no_queue_of_the_second(desk: Make, late: Any) -> None:
    d = desk(SAMPLES[0], model=SSD, lane=late, settle=False)
    late.answer()
    d.until(lambda: "detect" in d.session.results)
    d.window.panes.choose(RCNN)
    late.answer()
    d.until(lambda: late.waiting)
    assert {request.model for _, request in late.waiting} == {RCNN} and len(late.waiting) == 1
    running = late.waiting[0][0]
    d.store.update(d.document.with_value("detect", score=0.7))
    assert running in late.cancelled, "what runs for B makes way"
    assert late.waiting[0][1].model == SSD and late.waiting[0][1].settings == {"score": 0.7}
    late.answer()
    d.until(lambda: d.session.results["detect"][0].settings == {"score": 0.7})
    while late.waiting or d.session.jobs.busy:
        late.answer()
        QApplication.processEvents()
    assert b_answer(d, "detect").arrays["scores"].min() > 0.7


def test_swapping_exchanges_the_panes_and_closing_leaves_one(both: Any) -> None:
    d = both
    a, b = d.layer("detections").boxes, layer(d, "detections").boxes
    d.run("beside-swap")
    d.settle()
    assert (d.document.model, d.document.beside) == (SSD, RCNN)
    assert np.array_equal(d.layer("detections").boxes, b) and np.array_equal(layer(d, "detections").boxes, a)
    d.run("undo")
    d.settle()
    assert (d.document.model, d.document.beside) == (RCNN, SSD) and np.array_equal(d.layer("detections").boxes, a)
    d.run("beside-close")
    assert d.document.beside == "" and not d.window.panes.second.isVisible()
    assert panel(d).empty.text() == EMPTY and panel(d).choice.isVisibleTo(panel(d))


def test_another_picture_is_answered_by_both(desk: Make) -> None:
    d = beside_of(desk(*SAMPLES[:2], model=RCNN), SSD)
    d.run("next-picture")
    d.settle()
    assert d.window.panes.canvas.pixels is d.canvas.pixels
    assert np.array_equal(layer(d, "detections").boxes, d.direct(model=SSD, **in_force(d)).arrays["boxes"])


def test_the_same_model_in_another_precision_is_offered_and_compared(desk: Make) -> None:
    d = desk(SAMPLES[0], model=SSD)
    d.run("panel-beside")
    d.window.refresh()
    two, name = panel(d), f"{SSD}?precision=bfloat16"
    assert two.choice.findData(name) == 0 and two.choice.itemText(0) == f"{SSD} · precision bfloat16"
    two.choice.activated.emit(0)
    d.settle()
    assert d.document.beside == name and d.window.panes.box.currentText() == two.choice.itemText(0)
    one, other = d.direct(), d.direct(model=name)
    assert np.array_equal(layer(d, "detections").boxes, other.arrays["boxes"])
    assert not np.array_equal(one.arrays["scores"], other.arrays["scores"])
    text = panel(d).boxes.text()
    assert (
        f"{model_difference.boxes(one, other).change.mean():+.2g}" in text
        and model_difference.boxes(one, other).counts["only_a"] == 0
    )


def test_undo_keeps_what_is_selected_in_both(both: Any) -> None:
    d = both
    pairs = model_difference.boxes(d.result, b_answer(d, "detect"))
    d.store.update(d.document.with_value("detect", iou=0.4), title="NMS IoU")
    d.settle()
    d.store.update(d.document.with_selected(-1).with_other(int(pairs.b.arrays["ids"][0])))
    d.run("undo")
    d.settle()
    assert (d.document.selected, d.document.other) == (-1, int(pairs.b.arrays["ids"][0]))


def test_what_failed_is_forgotten_once_it_is_asked_anew(desk: Make, tmp_path: Path) -> None:
    d = desk(SAMPLES[0], model=SSD)
    missing = tmp_path / "birds.safetensors"
    d.window.panes.choose(str(missing))
    d.settle()
    note = d.window.panes.heads[1].note
    assert "birds.safetensors" in note.text()
    classifier(tmp_path)
    d.run("again")
    d.until(lambda: d.session.beside.description is not None)
    d.settle()
    assert note.text() == "birds finds no boxes."


def test_code_that_may_not_run_yet_is_asked_about_and_then_shown_beside(desk: Make, tmp_path: Path) -> None:
    code = tmp_path / "mine.py"
    code.write_text("from torchvision.models import resnet18\ndef build():\n    return resnet18(num_classes=5)\n")
    d = desk(SAMPLES[0], model=SSD)
    d.window.panes.choose(f"{code}:build")
    d.until(lambda: d.window.findChild(Allow))
    d.window.findChild(Allow).run.click()
    d.until(lambda: d.session.beside.description is not None)
    d.settle()
    assert d.document.model == SSD and d.document.beside == f"{code}:build"
    assert "finds no boxes" in d.window.panes.heads[1].note.text()


def test_while_a_video_plays_the_second_model_waits_and_answers_where_it_is_paused(desk: Make, tmp_path: Path) -> None:
    d = beside_of(desk(SAMPLES[0], model=SSD), RCNN)
    d.panel(LivePanel).paced.emit(True)
    d.session.open_paths([video(tmp_path / "clip.mp4", 30)])
    d.play_until(lambda: d.session.live.source is not None and number_in(d.canvas.pixels) > 2)
    assert not [slot for slot in d.session.wanted if second_model.slot_of(slot)]
    assert d.window.panes.canvas.pixels is d.canvas.pixels
    assert "Pause to compare" in d.window.panes.heads[1].note.text() and layer(d, "detections") is None
    d.run("play")
    d.play_until(lambda: d.session.live.facts.state == "paused" and d.document.frame == number_in(d.canvas.pixels))
    d.settle()
    assert np.array_equal(layer(d, "detections").boxes, d.direct(model=RCNN, **in_force(d)).arrays["boxes"])
    assert not d.window.panes.heads[1].note.text()


def test_ground_truth_judges_both_models(desk: Make, tmp_path: Path) -> None:
    """The truth is the second model's first box alone."""
    shutil.copy(SAMPLES[0], tmp_path / "a.png")
    d = beside_of(desk(tmp_path / "a.png", model=RCNN), SSD)
    found = b_answer(d, "detect").arrays
    x0, y0, x1, y1 = found["boxes"][0].tolist()
    name = d.session.beside.description.classes[found["labels"][0]]
    height, width = d.canvas.pixels.shape[:2]
    image = {"id": 1, "file_name": "a.png", "width": width, "height": height}
    thing = {"id": 1, "image_id": 1, "category_id": 4, "bbox": [x0, y0, x1 - x0, y1 - y0]}
    body = {"images": [image], "categories": [{"id": 4, "name": name}], "annotations": [thing]}
    (tmp_path / "set.json").write_text(json.dumps(body))
    d.session.open_paths([tmp_path / "set.json"])
    d.until(lambda: d.session.truth is not None)
    d.settle()
    drawn = [each for each in d.window.panes.canvas.layers if isinstance(each, Boxes)]
    colours = {
        number: colour
        for each in drawn
        for number, colour in zip(each.ids.tolist(), each.colours.tolist(), strict=True)
    }
    assert colours[int(found["ids"][0])] == CORRECT and WRONG in colours.values()
    assert not {ONLY_A, ONLY_B} & set(colours.values()), "right and wrong stand above what one model alone found"
