"""What a later walk through the window found: messages out of date, names of classes, exports, captions."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from models.cards.card import DIGITS
from tests.viewer.test_window import SAMPLES, Make
from viewer.menus import figure as menu
from viewer.widgets.controls.model_picker import DETAIL
from viewer.widgets.dialogs.toast import Toasts
from viewer.widgets.pictures.picture_choice import PictureButton


def test_a_message_of_a_model_goes_when_another_opens(desk: Make) -> None:
    d = desk(SAMPLES[0])
    opened = d.document.model
    d.window.tell("Assumed: colours BGR.", action=("Look", lambda: None), holds=lambda: d.document.model == opened)
    d.window.tell("Exported.", action=("Open folder", lambda: None))
    assert len(d.window.toasts.shown) == 2
    d.session.open_model("digits-lenet")
    d.settle()
    assert [toast.message.text for toast in d.window.toasts.shown] == ["Exported."]
    assert "Assumed: colours BGR." in [message.text for message in d.window.toasts.messages]


def test_the_offer_of_a_folder_goes_with_its_pictures(desk: Make, tmp_path: Path) -> None:
    d = desk(SAMPLES[0])
    for name in ("one.png", "two.png"):
        (tmp_path / name).write_bytes(SAMPLES[1].read_bytes())
    d.window.drops._data_sets.dropped([tmp_path])
    assert len(d.window.toasts.shown) == 1, "also before the pictures are read"
    d.open(tmp_path)
    assert len(d.window.toasts.shown) == 1
    d.open(SAMPLES[0])
    assert not d.window.toasts.shown


def test_messages_leave_the_legend_uncovered(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(900, 600)
    legend, toasts = QWidget(window), Toasts(window)
    legend.setGeometry(780, 480, 100, 100)
    toasts.keep_clear_of(legend)
    window.show()
    legend.hide()
    toasts.show_message("a message")
    before = toasts.geometry()
    assert before.intersects(legend.geometry())
    legend.show()
    assert not toasts.geometry().intersects(legend.geometry())
    # What the message speaks of counts more than the legend.
    toasts.spare = lambda: [QRect(0, 0, 500, 600), QRect(500, 0, 400, 300)]
    toasts.show_message("another")
    assert toasts.geometry().bottomRight() == before.bottomRight()


@pytest.mark.parametrize(
    ("model", "named"), [("digits-cyclegan", ""), ("puppets-hourglass", "Points"), ("digits-lenet", "Classes")]
)
def test_names_are_called_what_they_are(desk: Make, model: str, named: str) -> None:
    d = desk(DIGITS / "3.png", model=model)
    d.window.docks.show("model")
    panel = d.window.panels["model"]
    assert d.session.description.classes
    for title in ("Classes", "Points"):
        assert (f"\n{title}: " in panel.facts.text) == (title == named), panel.facts.text
    assert panel.names.isHidden() == (not named)
    if model == "puppets-hourglass":
        assert d.window.model_box.itemData(d.window.model_box.findText(model), DETAIL).startswith("13 points")


@pytest.mark.parametrize(
    ("model", "title"),
    [("digits-cyclegan", "Picture to picture"), ("puppets-hourglass", "Landmarks"), ("digits-nade", "Likelihood")],
)
def test_every_painted_answer_is_exported_with_a_caption(desk: Make, model: str, title: str) -> None:
    d = desk(DIGITS / "3.png", model=model)
    assert d.window.commands["export"].available
    shown = menu.content(d.window)
    assert shown.layers and shown.caption.startswith(f"{title}, by {model}. Picture 3.png.")


def test_panels_that_come_with_a_model_come_with_the_first_in_front(desk: Make) -> None:
    d = desk(DIGITS / "3.png", model="digits-cyclegan")
    d.window.docks.enter("generate")
    d.settle()
    d.session.open_model("digits-nade")
    d.settle()
    assert d.window.docks.workspace == "generate"
    front = [name for name in d.window.docks.members() if not d.window.docks.by_id[name].visibleRegion().isEmpty()]
    assert "pixel_likelihood" in front and "causality" not in front


def test_before_a_model_is_read_no_panel_of_another_task_is_offered(desk: Make) -> None:
    d = desk()
    panels = d.window.panels
    assert {"translate", "landmarks", "depth"} <= panels.unlikely("digits-ssd")
    assert {"detect", "landmarks"} <= panels.unlikely("digits-cyclegan")
    assert not {"translate"} & panels.unlikely("digits-cyclegan")
    assert {"detect", "translate"} <= panels.unlikely("puppets-hourglass")
    assert not panels.unlikely("a-file-without-a-card.onnx")


def test_a_caption_under_a_picture_wraps_and_never_widens_it(qtbot: QtBot) -> None:
    button = PictureButton()
    qtbot.addWidget(button)
    button.set_caption("from a long description to another one\ncolourfulness 3")
    button.resize(100, 140)
    button.show()
    assert button.minimumSizeHint().width() <= 100 or button.minimumWidth() <= 100
    lines = button.text().split("\n")
    assert len(lines) > 3 and lines[-1] in ("3", "colourfulness 3", "colourfulness…")
    assert " ".join(lines).replace("…", "").startswith("from a long")
    assert all(button.fontMetrics().horizontalAdvance(line) <= 100 for line in lines)
