"""What a first trial found: words for numbers, order of menus, rates, messages, verdicts, thumbnails."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication

from models.attributions.methods import occlusion
from models.live.status import Facts
from models.params import parameters
from models.types import Source
from tests.viewer.test_window import RCNN, SAMPLES, Make
from viewer.canvas import painter as painting
from viewer.canvas.frame import Frame
from viewer.canvas.layers import CORRECT, WRONG, Boxes
from viewer.panels.live import LivePanel
from viewer.widgets.controls.form import Form


def test_the_lowest_value_that_is_no_number_has_a_name(qtbot: Any) -> None:
    declared = tuple(p for p in parameters(occlusion.Params) if p.name in ("window", "stride"))
    form = Form(declared)
    qtbot.addWidget(form)
    row: Any = form.rows["window"]
    assert row.entry.text() == "automatic" and row.entry.value() == -1
    row.entry.setValue(12)
    assert row.entry.text().startswith("12")
    row.entry.lineEdit().setText("automatic")
    row.entry.interpretText()
    assert row.entry.value() == -1
    window = next(parameter for parameter in declared if parameter.name == "window")
    assert window.text(-1) == "automatic" and window.text(12) == "12"


def test_quit_is_last_and_comparing_is_one_entry(desk: Make) -> None:
    d = desk(SAMPLES[0])
    menus = {action.text().replace("&", ""): action.menu() for action in d.window.menuBar().actions()}
    titles = [action.text() for action in menus["File"].actions() if action.text()]
    assert titles[-1] == "Quit"
    compare = [action.text() for action in menus["Model"].actions() if "Compare" in action.text()]
    assert compare == ["Compare with"]
    assert d.window.commands["beside"].children()[-1].title == "From a file…"


def test_a_paused_video_shows_no_rate() -> None:
    from viewer.panels import live

    source = Source("/clip.mp4", frame=0)
    facts = Facts(state="playing", fps=25.0, rate=24.0)
    assert "frames/s" in live._texts(source, facts)[1]
    assert "frames/s" not in live._texts(source, dataclasses.replace(facts, state="paused"))[1]
    assert LivePanel.id == "live"


def test_messages_that_offer_something_stay_and_are_off_what_they_speak_of(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    toasts = d.window.toasts
    toast = toasts.show_message("This can be undone.", action=("Undo", lambda: None))
    QApplication.processEvents()
    assert toast._clock.interval() > 3_600_000
    centre = QRect(d.window.centre.mapTo(d.window, d.window.centre.rect().topLeft()), d.window.centre.size())
    assert centre.contains(toasts.geometry()), "over the picture, and never over the panels that it speaks of"
    place = toasts.geometry().translated(-d.canvas.mapTo(d.window, d.canvas.rect().topLeft()))
    corners = d.canvas.to_picture(place.topLeft().toPointF()), d.canvas.to_picture(place.bottomRight().toPointF())
    region = (corners[0].x(), corners[0].y(), corners[1].x(), corners[1].y())
    d.store.update(d.document.with_region(region))
    toasts.show_message("About the rectangle.")
    QApplication.processEvents()
    assert not any(toasts.geometry().intersects(rect) for rect in toasts.spare())
    d.run("messages")
    assert d.window.docks.shown("log") and "This can be undone." in [m.text for m in toasts.messages]


def test_no_label_of_what_is_right_hides_a_verdict() -> None:
    boxes = np.array([[20.0, 20, 60, 60]] * 60, np.float32)
    outcomes = np.array([CORRECT] * 59 + [WRONG])
    texts = [f"right {number}" for number in range(59)] + ["wrong"]
    layer = Boxes("detections", boxes, colours=outcomes, texts=texts)
    image = QImage(80, 80, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    frame = Frame.of(painter, scale=1.0, visible=None, bounds=None)
    tags = painting._tags(frame, layer, marked=[])
    painter.end()
    assert [tag.text for tag in tags if tag.must] == ["wrong"]


def test_the_strip_names_and_counts(desk: Make) -> None:
    d = desk(*SAMPLES[:3])
    assert d.film.count.text() == "1 of 3" and d.film.list.item(1).text() == SAMPLES[1].name
    d.run("next-picture")
    d.settle()
    assert d.film.count.text() == "2 of 3"
