"""Lineage and misses in the window: what is shown for what is picked and drawn, and what its buttons do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication

from models.cards.card import SAMPLES
from models.types import Source
from viewer.panels.lineage import EMPTY, LineagePanel
from viewer.panels.why_missed import MissedPanel
from viewer.presenters import lineage
from viewer.widgets.charts.class_bars import Bars, number

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
BOARD, SLATE = SAMPLES / "board.png", SAMPLES / "slate.png"
Make = Callable[..., Any]


def drag(d: Any, start: tuple[float, float], end: tuple[float, float], *, modifier: Any) -> None:
    d.qtbot.mousePress(d.canvas, Qt.MouseButton.LeftButton, modifier, d.place(*start))
    middle = (d.place(*start) + d.place(*end)) / 2
    for place in (middle, d.place(*end)):
        d.qtbot.mouseMove(d.canvas, QPoint(place))
    d.qtbot.mouseRelease(d.canvas, Qt.MouseButton.LeftButton, modifier, d.place(*end))


def draw(d: Any, row: int) -> None:
    """Draw a rectangle around a shown detection, with Shift held."""
    box = d.box(row)
    shift = Qt.KeyboardModifier.ShiftModifier
    drag(d, (box.left(), box.top()), (box.right(), box.bottom()), modifier=shift)
    d.settle()


def select(d: Any, row: int) -> int:
    chosen = int(d.result.arrays["ids"][row])
    d.store.update(d.document.with_selected(chosen))
    d.settle()
    return chosen


# lineage


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_a_selected_box_shows_its_lineage_while_the_panel_is_open(desk: Make, model: str) -> None:
    d = desk(BOARD, model=model)
    panel = d.panel(LineagePanel)
    chosen = select(d, 1)
    assert "lineage" not in d.session.wanted and d.layer(lineage.ANCHOR) is None
    d.run("panel-lineage")
    d.settle()
    wanted = d.direct("lineage", box=chosen)
    assert panel.text == lineage.lineage_text(wanted) and panel.headline.text() in panel.text
    assert np.array_equal(d.layer(lineage.ANCHOR).boxes, wanted.arrays["origin"])
    assert panel.bars.entries == tuple(lineage.class_scores(wanted))
    assert (panel.proposal.text == "") == panel.one_stage.isVisible() == (model == SSD)
    other = select(d, 2)
    assert panel.text == lineage.lineage_text(d.direct("lineage", box=other)) != lineage.lineage_text(wanted)
    d.run("panel-lineage")
    assert "lineage" not in d.session.wanted and d.layer(lineage.ANCHOR) is None
    assert d.store.history == []


def test_without_a_selection_it_says_what_to_do(desk: Make) -> None:
    d = desk(BOARD)
    d.run("panel-lineage")
    panel = d.panel(LineagePanel)
    assert panel.empty.isVisible() and panel.empty.text() == EMPTY and panel.text == ""
    select(d, 0)
    assert not panel.empty.isVisible()
    d.run("deselect")
    assert panel.empty.isVisible() and d.layer(lineage.ANCHOR) is None


def test_a_tab_in_front_takes_the_question_back(desk: Make) -> None:
    d = desk(BOARD)
    select(d, 0)
    d.run("panel-lineage")
    d.run("panel-missed")
    d.until(lambda: not d.document.view.lineage)
    assert d.document.view.missed and "lineage" not in d.session.wanted
    d.window.docks.show("lineage")
    d.until(lambda: d.document.view.lineage and not d.document.view.missed)


def test_lineage_follows_the_sliders_and_tells_of_a_box_that_went(desk: Make) -> None:
    d = desk(BOARD)
    d.run("panel-lineage")
    chosen = select(d, 4)
    d.set("max_detections", 3)
    panel = d.panel(LineagePanel)
    assert "Number 5: beyond the maximum of 3" in panel.headline.text()
    assert d.layer(lineage.BOX).dashed and d.layer(lineage.BOX).ids.tolist() == [chosen]
    d.run("undo")
    d.settle()
    assert d.document.view.lineage and "5 of" in panel.headline.text() and d.layer(lineage.BOX) is None


def test_a_suppressed_box_is_followed_from_the_list_and_from_the_picture(desk: Make) -> None:
    d = desk(BOARD, model=RCNN)
    d.run("panel-lineage")
    chosen = select(d, 0)
    panel = d.panel(LineagePanel)
    wanted = d.direct("lineage", box=chosen).arrays["removed_ids"].tolist()
    assert panel.others.count() == len(wanted) > 0
    panel.others.setFocus()
    panel.others.setCurrentRow(0)
    d.key(Qt.Key.Key_Return)
    d.settle()
    assert d.document.selected == wanted[0] and "Removed by NMS" in panel.headline.text()
    assert panel.others.count() == 1 and panel.suppression.title.text() == "Removed by"
    assert panel.picked(lineage.REMOVER, 0) and d.document.selected == chosen
    assert not panel.picked("detections", 0)


def test_the_lineage_is_copied_as_text(desk: Make) -> None:
    d = desk(BOARD, model=RCNN)
    d.run("panel-lineage")
    select(d, 0)
    panel = d.panel(LineagePanel)
    d.qtbot.mouseClick(panel.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == panel.text
    panel.bars.setFocus()
    d.key(Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()]
    assert len(lines) == 11 and [float(v) for _, v in lines] == sorted((float(v) for _, v in lines), reverse=True)


def test_another_picture_has_another_lineage(desk: Make) -> None:
    d = desk(BOARD, SLATE)
    d.run("panel-lineage")
    select(d, 0)
    d.session.step(1)
    d.until(lambda: d.document.current == 1)
    d.settle()
    assert d.panel(LineagePanel).text == "" and d.layer(lineage.ANCHOR) is None


# bars


def test_bars_are_as_long_as_their_values_and_in_view(qtbot: Any) -> None:
    bars = Bars("Class scores")
    qtbot.addWidget(bars)
    bars.resize(300, 90)
    bars.show()
    entries = [(label, f"class {label}", 1.0 - label / 91) for label in range(91)]
    bars.set_entries(entries, chosen=60)
    assert bars.verticalScrollBar().value() > 0
    bars.set_entries(entries[:4], chosen=2)
    assert bars.text.splitlines()[1] == f"class 1\t{1 - 1 / 91:.6f}" and "class 3 0.96" in bars.accessibleDescription()
    assert [number(v) for v in (0.0, 0.0004, 0.001, 0.98765)] == ["0.000", "<0.001", "0.001", "0.988"]

    def ink(value: float) -> int:
        bars.set_entries([(4, "a", value), (-1, "background", 0.0)], chosen=4)
        image = bars.grab().toImage()
        yellow = [image.pixelColor(x, 9) for x in range(image.width())]
        return sum(c.red() > 200 and c.green() > 180 and c.blue() < 120 for c in yellow)

    assert ink(0.0) == 0 and 1.9 < ink(1.0) / ink(0.5) < 2.1


# missed


def test_shift_and_drag_draws_the_rectangle_and_opens_the_panel(desk: Make) -> None:
    d = desk(BOARD)
    draw(d, 3)
    look, box = d.canvas.look, d.box(3)
    assert d.document.region == pytest.approx((box.left(), box.top(), box.right(), box.bottom()), abs=1.0)
    assert d.window.docks.shown("missed") and d.document.view.missed
    panel = d.panel(MissedPanel)
    assert panel.verdict.text().startswith("Found as ") and panel.buttons == []
    assert np.allclose(d.layer(lineage.REGION).boxes[0], d.document.region)
    draw(d, 4)
    assert d.canvas.look == look and np.allclose(d.layer(lineage.REGION).boxes[0], d.document.region)
    d.run("undo")
    d.run("undo")
    assert d.document.region is None and d.layer(lineage.REGION) is None


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_a_button_brings_the_object_back(desk: Make, model: str) -> None:
    d = desk(BOARD, model=model)
    chosen = int(d.result.arrays["ids"][3])
    draw(d, 3)
    d.set("max_detections", 2)
    panel = d.panel(MissedPanel)
    assert panel.verdict.text().endswith("is number 4; Maximum detections is 2.")
    assert {r["id"]: r["state"] for r in panel.ladder.rows}["max_detections"] == "stopped"
    button = next(b for b in panel.buttons if b.text() == "Set Maximum detections to 4 (+1 other box)")
    assert chosen not in d.result.arrays["ids"]
    d.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    d.settle()
    assert d.document.values("detect")["max_detections"] == 4 and d.store.undo_title == "Set Maximum detections to 4"
    assert chosen in d.result.arrays["ids"] and panel.verdict.text().startswith("Found as ")
    d.run("undo")
    d.settle()
    assert "Maximum detections is 2." in panel.verdict.text()


def test_the_class_can_be_chosen(desk: Make) -> None:
    d = desk(BOARD)
    draw(d, 3)
    panel = d.panel(MissedPanel)
    own = d.session.description.classes[d.result.arrays["labels"][3]]
    assert [panel.classes.itemText(i) for i in range(11)] == ["Any class", *"0123456789"]
    wrong = "7" if own != "7" else "1"
    panel.classes.setFocus()
    panel.classes.setCurrentText(wrong)
    panel.classes.activated.emit(panel.classes.findData(wrong))
    d.settle()
    assert d.document.region_label == wrong and f"shown as {own} " in panel.remark.text()
    assert panel.remark.isVisible() and not panel.verdict.text().startswith("Found")
    d.run("undo")
    assert d.document.region_label == "" and panel.classes.currentText() == "Any class"


def test_a_class_that_another_model_does_not_have_is_not_asked_for(desk: Make) -> None:
    d = desk(BOARD)
    description = d.session.description
    document = d.document.with_region((1, 2, 30, 40), "zebra").with_view(missed=True)
    request = MissedPanel.wants(document, description)
    assert request is not None and request.settings["label"] == "" and request.settings["x1"] == 30.0
    known = MissedPanel.wants(d.document.with_region((1, 2, 30, 40), "3").with_view(missed=True), description)
    assert known is not None and known.settings["label"] == "3"


def test_the_rectangle_is_cleared_by_escape_and_by_the_button(desk: Make) -> None:
    d = desk(BOARD)
    panel = d.panel(MissedPanel)
    draw(d, 2)
    d.qtbot.mouseClick(panel.clear, Qt.MouseButton.LeftButton)
    assert d.document.region is None and d.store.undo_title == "Clear the rectangle"
    assert panel.empty.isVisible() and d.layer(lineage.REGION) is None
    draw(d, 2)
    d.canvas.setFocus()
    d.run("cancel")
    assert d.document.region is None and d.layer(lineage.REGION) is None


def test_the_command_opens_the_panel_and_says_how_to_begin(desk: Make) -> None:
    d = desk(BOARD)
    d.canvas.setFocus()
    d.key(Qt.Key.Key_W)
    assert d.window.docks.shown("missed") and "Shift" in d.messages[-1]
    assert "Shift" in d.panel(MissedPanel).empty.text()
    said = len(d.messages)
    d.store.update(d.document.with_region((10, 10, 60, 60)), title="Draw a rectangle")
    d.run("missed")
    assert len(d.messages) == said


def test_what_no_control_can_bring_back_is_said(desk: Make) -> None:
    d = desk(BOARD)
    d.run("panel-missed")
    d.store.update(d.document.with_region((2, 2, 40, 40)), title="Draw a rectangle")
    d.settle()
    panel = d.panel(MissedPanel)
    assert panel.buttons == [] and panel.advice.text().startswith("No change of one or two controls brings it back")
    d.qtbot.mouseClick(panel.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text().startswith(panel.verdict.text())


def test_the_rectangle_goes_with_its_picture(desk: Make) -> None:
    d = desk(BOARD, SLATE)
    draw(d, 1)
    d.session.step(1)
    d.until(lambda: d.document.current == 1)
    d.settle()
    assert d.document.region is None and d.panel(MissedPanel).text == ""


def test_without_its_panel_in_view_nothing_is_asked(desk: Make) -> None:
    d = desk(BOARD)
    d.store.update(d.document.with_region((10, 10, 60, 60), "3"), title="Draw a rectangle")
    assert "missed" not in d.session.wanted and d.layer(lineage.REGION) is not None
    assert d.document.with_sources((Source("/b.png"),)).region_label == ""
    assert d.document.with_region(None).region_label == ""


# gestures


def test_ctrl_and_click_picks_a_second_box_beside_the_selected_one(desk: Make) -> None:
    d = desk(BOARD)
    d.window.docks.show("lineage")
    d.window.docks.hide("lineage")  # which keeps it from coming by itself, over the boxes
    ids = d.result.arrays["ids"].tolist()

    def click(row: int, modifier: Any = Qt.KeyboardModifier.NoModifier) -> int:
        centre = d.box(row).center()
        d.hover(centre.x(), centre.y())
        hit = d.result.arrays["ids"][d.canvas.pointer.hit[1]]
        d.qtbot.mouseClick(d.canvas, Qt.MouseButton.LeftButton, modifier, d.place(centre.x(), centre.y()))
        return int(hit)

    control = Qt.KeyboardModifier.ControlModifier
    assert click(0, control) == d.document.selected and d.document.second == -1
    first, second = click(0), click(3, control)
    assert (d.document.selected, d.document.second) == (first, second) and {first, second} <= {*ids}
    click(0, control)
    assert (d.document.selected, d.document.second) == (first, -1)
    click(3, control)
    click(4)
    assert d.document.second == -1 and d.document.selected not in (first, second)
    assert d.store.history == []
