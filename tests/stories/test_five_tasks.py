"""Five usual tasks take as many clicks as docs/workspaces.md says: from the first page, with the mouse alone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QToolButton, QWidget

from models.cards.card import CELLS, PHOTOS, SAMPLES

Told = Callable[..., None]
LEFT = Qt.MouseButton.LeftButton
TABLE = Path(__file__).parents[2] / "docs" / "workspaces.md"

pytestmark = pytest.mark.qt_log_ignore("grabbing the keyboard", r"support raise\(\)", extend=True)


class Mouse:
    """What a user does with the mouse in a window, counted."""

    def __init__(self, desk: Any) -> None:
        self.desk, self.clicks = desk, 0
        desk.window.help.tour.end()

    def press(self, widget: QWidget) -> None:
        """Click a widget in view."""
        assert widget.isVisible() and widget.isEnabled()
        self.clicks += 1
        self.desk.qtbot.mouseClick(widget, LEFT)
        self.desk.settle()

    def tile(self, title: str) -> None:
        """Click a sample of the first page."""
        self.press(next(tile for tile in self.desk.window.welcome.gallery if tile.text() == title))

    def bar(self, title: str) -> None:
        """Click a button of the bar at the top."""
        buttons = self.desk.window.workspace_bar.findChildren(QToolButton)
        self.press(next(button for button in buttons if button.text() == title and button.isVisible()))

    def drop(self, path: Path) -> None:
        """Drop a file or folder."""
        self.clicks += 1
        self.desk.drop_files(path)
        self.desk.settle()

    def model(self, name: str) -> None:
        """Open the list of models and choose one."""
        self.clicks += 2
        box = self.desk.window.model_box
        box.setCurrentIndex(box.findData(name))
        box.activated.emit(box.currentIndex())
        self.desk.settle()

    def menu(self, widget: QWidget, place: QPoint, title: str) -> None:
        """Open the menu of a place with the right button, and choose from it."""
        self.clicks += 2
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, widget.mapToGlobal(place))
        QApplication.sendEvent(widget, event)
        menu = self.desk.window.menus.menu
        next(action for action in menu.actions() if action.text() == title).trigger()
        menu.close()
        self.desk.settle()


def said(task: str) -> int:
    """How many clicks the documentation says that a task takes now."""
    rows = [line.split("|") for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    row = next(row for row in rows if row[1].strip().startswith(task))
    found = re.match(r"(\d+)", row[3].strip())
    assert found is not None, row
    return int(found[1])


def test_an_own_photograph_gets_an_answer_that_fits(told: Told, tmp_path: Path) -> None:
    photograph = tmp_path / "holiday.jpg"
    shutil.copy(PHOTOS / "coffee.jpg", photograph)

    def story(d: Any) -> None:
        mouse, line = Mouse(d), d.window.knowledge.line
        mouse.drop(photograph)
        assert "For everyday photographs choose another model" in line.words
        ready = next(offer for offer in line._said[3] if not offer.takes)
        line.text.linkActivated.emit(ready.name)
        mouse.clicks += 1
        d.settle()
        assert "classify" in d.session.results and "choose another" not in line.words
        assert mouse.clicks == said("Open a photograph of one's own")

    told(story)


def test_a_cat_is_explained(told: Told) -> None:
    def story(d: Any) -> None:
        mouse = Mouse(d)
        mouse.tile("Photographs")
        mouse.press(d.window.panels["classify"].explain)
        assert d.session.results["attribution"][0].source.name == "cat.jpg"
        assert d.layer("attribution") is not None
        assert mouse.clicks == said("Explain a cat")

    told(story)


def test_why_something_was_missed_is_said(told: Told) -> None:
    def story(d: Any) -> None:
        mouse = Mouse(d)
        height, width = d.canvas.pixels.shape[:2]
        mouse.menu(d.canvas, d.place(width * 0.05, height * 0.9), "Why missed here?")
        assert d.window.docks.shown("missed") and "missed" in d.session.results
        assert mouse.clicks == said("Ask why something was missed")

    told(story, SAMPLES / "board.png")


def test_a_data_set_is_evaluated(told: Told, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for name in ("JPEGImages", "Annotations"):
        (folder / name).mkdir(parents=True)
    shutil.copy(CELLS / "drawn-smear.jpg", folder / "JPEGImages")
    (folder / "Annotations" / "drawn-smear.xml").write_text(
        "<annotation><filename>drawn-smear.jpg</filename><size><width>640</width><height>480</height><depth>3</depth>"
        "</size><object><name>RBC</name><bndbox><xmin>10</xmin><ymin>10</ymin><xmax>60</xmax><ymax>60</ymax></bndbox>"
        "</object></annotation>",
        encoding="utf-8",
    )

    def story(d: Any) -> None:
        mouse = Mouse(d)
        mouse.model("cells-faster-rcnn")
        mouse.drop(folder)
        d.until(lambda: d.session.truth is not None)
        d.settle()
        mouse.bar("Evaluate")
        mouse.press(d.window.panels["figures"].run)
        d.play_until(lambda: "figures" in d.session.results)
        assert mouse.clicks == said("Evaluate BCCD")

    told(story)


def test_one_digit_becomes_another(told: Told) -> None:
    def story(d: Any) -> None:
        mouse = Mouse(d)
        mouse.tile("Generate")
        grid = d.window.panels["samples"].grid
        place = next(QPoint(x, 12) for x in range(40, grid.width(), 8) if grid.subject_at(QPoint(x, 12)) is not None)
        mouse.menu(grid, place, "Walk here from the picture shown")
        d.until(lambda: d.window.panels["timeline"].player.playing)
        assert len(d.document.latent.keys) == 2
        assert mouse.clicks == said("Walk from one digit to another")

    told(story)
