"""The film strip and the log: thumbnails, what is broken, when the strip comes and goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt

from models.cards.card import BUNDLED

SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
Make = Callable[..., Any]


def test_the_strip_shows_thumbnails_and_marks_what_is_broken(desk: Make, pictures: list[Path]) -> None:
    d = desk(*pictures)
    strip = d.film.list
    assert strip.count() == 3 and d.window.docks.by_id["film"].isVisible()
    d.until(lambda: all(not strip.item(i).icon().isNull() for i in range(3)))
    assert strip.item(1).toolTip() == "b.png cannot be read" and strip.item(2).toolTip() == "c.png"
    d.qtbot.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=strip.visualItemRect(strip.item(2)).center())
    d.until(lambda: d.document.current == 2)
    d.settle()
    assert strip.currentRow() == 2
    strip.setFocus()
    d.key(Qt.Key.Key_Home)
    d.until(lambda: d.document.current == 0)
    d.key(Qt.Key.Key_End)
    d.until(lambda: d.document.current == 2)


def test_the_strip_comes_with_the_second_picture_unless_it_was_closed(desk: Make) -> None:
    d = desk(SAMPLES[0])
    dock = d.window.docks.by_id["film"]
    assert dock.isHidden()
    d.open(*SAMPLES[:2])
    assert dock.isVisible()
    dock.close()
    d.session.step(1)
    d.until(lambda: d.document.current == 1)
    assert dock.isHidden()
    d.open(SAMPLES[0])
    d.open(*SAMPLES[:3])
    assert dock.isHidden()
    d.run("panel-film")
    assert dock.isVisible()
    d.open(SAMPLES[0])
    assert dock.isHidden()
    d.open(*SAMPLES[:2])
    assert dock.isVisible()


def test_every_message_is_in_the_log(desk: Make, tmp_path: Path) -> None:
    d = desk()
    d.session.open_paths([tmp_path / "one.png"])
    d.until(lambda: d.messages)
    d.window.tell("Something else", details="with details")
    log = d.log.text.toPlainText()
    assert "one.png is not there" in log and "Something else" in log and "with details" in log
