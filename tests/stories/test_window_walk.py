"""A walk through the window's workspaces finds text that is cut off and docks that grow, and there are none."""

from __future__ import annotations

import os

import pytest
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from docs import window_walk

# The small window, where room is scarcest; the script walks the others too. English, which is shorter, takes one model.
MODELS: dict[str, tuple[str, ...]] = {"ko": ("digits-faster-rcnn", "digits-vae", "photos-resnet")}
if os.environ.get("VITRINE_STARTS"):
    MODELS["en"] = ("digits-faster-rcnn",)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", MODELS)
def test_nothing_is_cut_off_in_a_small_window(language: str) -> None:
    assert not window_walk.walked(language, "1", MODELS[language], ("1024x640",))


def test_the_walk_sees_what_is_cut_off(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    label, wrapped, button, box = (
        QLabel("a label that is long"),
        QLabel("words " * 20),
        QPushButton("Explain"),
        QComboBox(),
    )
    wrapped.setWordWrap(True)
    box.addItem("an entry of some length")
    column = QVBoxLayout(window)
    for widget in (label, wrapped, button, box):
        column.addWidget(widget)
    window.show()
    assert not list(window_walk.cut_off(window))
    label.setFixedWidth(30)
    wrapped.setFixedHeight(10)
    button.setFixedWidth(20)
    box.setFixedWidth(60)
    found = "\n".join(window_walk.cut_off(window))
    assert found.count("is cut off") == 4 and "Explain" in found and "an entry" in found and "words" in found
