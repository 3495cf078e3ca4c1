"""What a window that has just been opened has built: what can be seen, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QMenu

from tests.viewer.conftest import SAMPLES
from viewer.canvas.view import Canvas
from viewer.widgets.controls.model_picker import ModelBox

Make = Callable[..., Any]
# In view at first; the film strip and the log are spoken to before they are seen.
AT_FIRST = {"detect", "anchors", "film", "log"}


def test_only_panels_in_view_are_built(desk: Make) -> None:
    window = desk(settle=False).window
    assert {panel.id for panel in window.panels.built} <= AT_FIRST
    window.commands.refresh()
    assert {panel.id for panel in window.panels.built} <= AT_FIRST, "asking what may run builds nothing"


def test_a_picture_with_its_boxes_builds_no_panel_out_of_view(desk: Make) -> None:
    """Fails if something that is asked with every answer, such as what a command may do, builds a panel."""
    d = desk(SAMPLES[0])
    assert d.session.results, "boxes are shown"
    window = d.window
    assert "activations" in window.panels and "no such panel" not in window.panels
    in_view = {name for name, dock in window.docks.by_id.items() if not dock.visibleRegion().isEmpty()}
    assert {panel.id for panel in window.panels.built} <= AT_FIRST | in_view


def test_there_is_no_second_pane_before_a_second_model(desk: Make) -> None:
    d = desk(settle=False)
    assert len(d.window.findChildren(Canvas)) == 1 and len(d.window.findChildren(ModelBox)) == 1
    d.settle()
    d.window.panes.choose("digits-faster-rcnn")
    d.settle()
    assert len(d.window.findChildren(Canvas)) == 2 and len(d.window.findChildren(ModelBox)) == 2


def test_icons_are_drawn_when_a_menu_opens(desk: Make) -> None:
    window = desk(settle=False).window
    action = window.commands.actions(window)["open"]
    assert action.icon().isNull()
    file = next(menu for menu in window.menuBar().findChildren(QMenu) if menu.title() == "&File")
    file.aboutToShow.emit()
    assert not action.icon().isNull()
    named = {command.id for command in window.commands if command.icon and command.children is None}
    assert named == {name for name, each in window.commands.actions(window).items() if not each.icon().isNull()}
