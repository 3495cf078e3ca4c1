"""The workshop in the detection panel: methods, groups, scores of classes, what is greyed and what is folded away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLineEdit

from models.cards.card import BUNDLED
from viewer.widgets.controls.class_list import FOUND, SCORE, Classes
from viewer.widgets.controls.number_entry import Entry

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
Make = Callable[..., Any]
LEFT = Qt.MouseButton.LeftButton


def item(d: Any, name: str) -> Any:
    (found,) = d.detection.classes.findItems(name, Qt.MatchFlag.MatchExactly)
    return found


def choose(d: Any, method: str) -> None:
    """Pick a method as its user does, by keyboard."""
    d.detection.form.reveal("method")
    box = d.detection.form.rows["method"].box
    box.setFocus()
    while box.currentData() != method:
        step = Qt.Key.Key_Down if box.currentIndex() < box.findData(method) else Qt.Key.Key_Up
        d.qtbot.keyClick(box, step)
    d.settle()


def editor(d: Any) -> Entry:
    """The entry that is open in the class list."""
    entries = d.detection.classes.findChildren(Entry)
    assert len(entries) == 1
    return entries[0]


def type_score(d: Any, name: str, text: str) -> None:
    """Click a class's score and type another."""
    tree = d.detection.classes
    tree.scrollToItem(item(d, name))
    place = tree.visualItemRect(item(d, name))
    left = tree.columnViewportPosition(SCORE)
    d.qtbot.mouseClick(tree.viewport(), LEFT, pos=QPoint(left + 10, place.center().y()))
    entry = editor(d)
    entry.selectAll()
    d.qtbot.keyClicks(entry, text) if text else d.qtbot.keyClick(entry, Qt.Key.Key_Delete)
    d.qtbot.keyClick(entry, Qt.Key.Key_Return)
    d.settle()
    d.until(lambda: not tree.findChildren(Entry))


@pytest.mark.parametrize("method", ["soft-gaussian", "soft-linear", "diou", "wbf"])
def test_every_method_does_what_the_engine_does(desk: Make, method: str) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    d.set("score", 0.1)
    choose(d, method)
    assert d.document.values("detect") == {"score": 0.1, "method": method} and d.store.undo_title == "Method"
    assert d.shows(d.direct(score=0.1, method=method))
    d.run("suppressed")
    d.settle()
    assert d.shows(d.direct(score=0.1, method=method, suppressed=True))
    words = {"diou": "at DIoU", "wbf": "fused into"}.get(method, "(decayed by")
    assert words in d.layer("removed").text(0)
    for _ in d.store.history[1:]:
        d.run("undo")
    d.settle()
    assert d.shows(d.direct(score=0.1))


def test_what_a_method_does_not_use_is_greyed_with_the_reason(desk: Make) -> None:
    d = desk(SAMPLES[0])
    rows = d.detection.form.rows
    assert not rows["sigma"].slider.isEnabled() and rows["sigma"].reason.text() == "Not used with Greedy NMS."
    choose(d, "soft-gaussian")
    assert rows["sigma"].slider.isEnabled() and rows["sigma"].reason.isHidden()
    assert not rows["iou"].slider.isEnabled() and "Not used with Soft-NMS, Gaussian." in rows["iou"].slider.toolTip()
    d.set("score", 0.05)
    before = d.result.arrays["scores"].tolist()
    d.set("sigma", 0.05)
    assert d.result.arrays["scores"].tolist() != before
    assert d.shows(d.direct(method="soft-gaussian", sigma=0.05, score=0.05))
    assert rows["groups"].line.isEnabled()
    d.set("agnostic", True)
    assert not rows["groups"].line.isEnabled()
    d.qtbot.mouseClick(d.detection.form.reset, LEFT)
    d.settle()
    assert rows["iou"].slider.isEnabled() and rows["groups"].line.isEnabled() and d.shows(d.direct())


def test_a_section_folds_and_says_what_differs(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    form = d.detection.form
    section = form.sections["Suppression"]
    d.until(form.rows["iou"].isVisible)
    assert not section.opened and not form.rows["method"].isVisible()
    section.head.setFocus()
    d.key(Qt.Key.Key_Space)
    assert section.opened and form.rows["method"].isVisible() and not form.rows["rpn_iou"].isVisible()
    choose(d, "wbf")
    assert "1 changed" in section.head.text() and section.head.accessibleDescription() == "unfolded · 1 changed"
    d.session.open_model(SSD)
    d.until(lambda: d.document.model == SSD)
    d.settle()
    assert d.detection.form.sections["Suppression"].opened, "another model's form is folded as this one"
    d.window.settings.save()
    again = desk(SAMPLES[0], model=RCNN)
    assert again.detection.form.sections["Suppression"].opened
    assert not again.detection.form.sections["Region proposals"].opened


@pytest.mark.qt_log_ignore("does not support")  # the offscreen platform, of the list of completions
def test_groups_are_checked_while_they_are_typed(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.set("score", 0.02)
    d.detection.form.reveal("groups")
    row = d.detection.form.rows["groups"]
    line: QLineEdit = row.line
    line.setFocus()
    d.qtbot.keyClicks(line, "3+x")
    assert (
        row.reason.isVisible() and "There is no class 'x'" in row.reason.text() and "Classes: 0, 1" in row.reason.text()
    )
    d.window.refresh()
    assert line.text() == "3+x", "what is being typed stays"
    assert d.document.values("detect") == {"score": 0.02, "groups": "3+"}
    d.qtbot.keyClick(line, Qt.Key.Key_Backspace)
    d.qtbot.keyClicks(line, "8; 1+7")
    d.qtbot.keyClick(line, Qt.Key.Key_Return)
    d.settle()
    assert row.reason.isHidden() and d.document.values("detect")["groups"] == "3+8; 1+7"
    assert d.shows(d.direct(score=0.02, groups="3+8; 1+7")) and not d.messages
    assert d.store.history == ["Score", "Class groups"]


def test_class_names_are_completed_between_the_signs(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.detection.form.reveal("groups")
    line: QLineEdit = d.detection.form.rows["groups"].line
    line.setFocus()
    completer = line.completer()
    line.setText("3+8; 1")
    completer.setCompletionPrefix(completer.splitPath(line.text())[-1])
    assert completer.currentCompletion() == "3+8; 1" and completer.completionCount() == 1
    completer.setCompletionPrefix(completer.splitPath("3+8; ")[-1])
    assert completer.completionCount() == 10


def test_a_class_takes_a_score_of_its_own(desk: Make) -> None:
    d = desk(SAMPLES[0])
    assert item(d, "3").text(SCORE) == "" and int(item(d, "3").text(FOUND)) > 0
    type_score(d, "3", "1")
    assert d.document.values("detect") == {"class_scores": "3=1"} and d.store.undo_title == "Score of class 3"
    assert item(d, "3").text(SCORE) == "1.00" and item(d, "3").text(FOUND) == ""
    assert d.shows(d.direct(class_scores="3=1"))
    type_score(d, "0", "0,025")
    assert d.document.values("detect") == {"class_scores": "0=0.025, 3=1"} and item(d, "0").text(SCORE) == "0.025"
    d.set("score", 0.9)
    assert d.shows(d.direct(score=0.9, class_scores="0=0.025, 3=1"))
    type_score(d, "3", "")
    assert d.document.values("detect") == {"score": 0.9, "class_scores": "0=0.025"}
    tree = d.detection.classes
    tree.setFocus()
    tree.setCurrentItem(item(d, "0"))
    d.qtbot.keyClick(tree, Qt.Key.Key_Delete)
    d.settle()
    assert d.document.values("detect") == {"score": 0.9} and item(d, "0").text(SCORE) == ""
    d.run("undo")
    d.settle()
    assert item(d, "0").text(SCORE) == "0.025" and d.detection.form.reset.isEnabled()


def test_the_keys_step_a_score_from_the_sliders(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.set("score", 0.62)
    tree = d.detection.classes
    tree.setFocus()
    tree.setCurrentItem(item(d, "2"))
    d.qtbot.keyClick(tree, Qt.Key.Key_F2)
    entry = editor(d)
    assert entry.text() == "" and entry.accessibleName() == "Score of 2" and QApplication.focusWidget() is entry
    for _ in range(3):
        d.qtbot.keyClick(entry, Qt.Key.Key_Up)
    d.settle()
    assert d.document.values("detect")["class_scores"] == "2=0.65" and entry.text() == "0.65"
    assert d.shows(d.direct(score=0.62, class_scores="2=0.65")), "boxes follow while it is stepped"
    d.qtbot.keyClick(entry, Qt.Key.Key_Return)
    d.until(lambda: not tree.findChildren(Entry))
    assert d.store.history == ["Score", "Score of class 2"]
    d.run("undo")
    d.settle()
    assert d.document.values("detect") == {"score": 0.62}


def test_a_class_that_no_setting_can_name_cannot_be_hidden(qtbot: Any) -> None:
    tree = Classes()
    qtbot.addWidget(tree)
    tree.list(("background", "dog", "cat, small", " cow"))
    able = {
        one.text(0): bool(one.flags() & Qt.ItemFlag.ItemIsUserCheckable and one.flags() & Qt.ItemFlag.ItemIsEditable)
        for one in tree.items()
    }
    assert able == {"dog": True, "cat, small": False, " cow": False}
    assert "comma" in tree.items()[1].toolTip(0) and not tree.items()[0].toolTip(0)
