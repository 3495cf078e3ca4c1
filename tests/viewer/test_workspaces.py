"""Workspaces: which comes with a model, what is on stage in it, and what is remembered of its layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QApplication

from tests.viewer.test_window import SAMPLES, Make
from viewer.window.docks import within
from viewer.window.workspaces import WORKSPACES

LENET, VAE = "digits-lenet", "digits-vae-2d"


def shown(d: Any) -> set[str]:
    return {name for name, dock in d.window.docks.by_id.items() if not dock.isHidden()}


def offered(d: Any) -> list[str]:
    """The texts on the bar, of what can be used."""
    return [action.text() for action in d.window.workspace_bar.actions() if action.isEnabled() and action.text()]


def fronts(d: Any) -> set[str]:
    QApplication.processEvents()
    docks = d.window.docks.by_id
    return {name for name in shown(d) if not docks[name].visibleRegion().isEmpty()}


def test_the_fitting_workspace_comes_with_a_model_and_dead_panels_leave(desk: Make) -> None:
    d = desk(SAMPLES[0])
    docks = d.window.docks
    assert docks.workspace == "find" and shown(d) == {"detect", "anchors"}
    assert "Lineage" in offered(d) and "Generate" not in offered(d)
    d.run("panel-lineage")

    d.session.open_model(LENET)
    d.settle()
    assert docks.workspace == "explain" and shown(d) == fronts(d) == {"classify", "attribution"}
    assert "Find" not in offered(d) and {"Evaluate", "Proof", "Generate"} <= {*offered(d)}  # styles are made by any
    assert not d.window.docks.can("truth") and d.window.docks.can("data_set")  # of classifiers, only data sets
    assert not d.window.commands["panel-lineage"].available and not d.window.commands["workspace-find"].available

    d.session.open_model(VAE)
    d.settle()
    assert docks.workspace == "generate" and shown(d) == {"explore", "samples", "manifold", "anatomy"}
    assert fronts(d) == {"explore", "samples"}, "each in front of those behind it"

    d.session.open_model("digits-ssd")
    d.settle()
    assert docks.workspace == "find" and shown(d) == {"detect", "anchors", "lineage"}, "lineage comes back"


def test_the_same_kind_of_model_leaves_the_workspace_as_it_is(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.run("workspace-compare")
    d.session.open_model("digits-faster-rcnn")
    d.settle()
    assert d.window.docks.workspace == "compare" and "compare" in shown(d)


def test_keys_and_buttons_change_the_workspace_and_each_remembers_its_panels(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.window.activateWindow()
    d.canvas.setFocus()
    d.key(Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert d.window.docks.workspace == "explain" and shown(d) == {"detect", "attribution"}
    d.run("panel-layers")
    d.key(Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert "layers" not in shown(d) and "Layers" not in offered(d)
    d.window.docks.by_id["anchors"].close()
    d.run("workspace-explain")
    assert shown(d) == {"detect", "attribution", "layers"}
    d.run("workspace-find")
    assert shown(d) == {"detect"}
    d.window.close()

    again = desk(SAMPLES[0])
    assert shown(again) == {"detect"}
    again.run("workspace-explain")
    assert shown(again) == {"detect", "attribution", "layers"}
    again.run("reset-layout")
    assert shown(again) == {"detect", "attribution"}
    again.run("workspace-find")
    assert shown(again) == {"detect"}, "only the layout that is shown is put back"


def test_a_session_keeps_the_workspace_and_its_panels(desk: Make, tmp_path: Path) -> None:
    d = desk(SAMPLES[0])
    d.run("workspace-evaluate")
    d.run("panel-results")
    d.window.sessions.save_to(tmp_path / "work")
    d.until((tmp_path / "work.vitrine").exists)
    d.window.close()
    again = desk(SAMPLES[1], model=LENET)
    again.window.sessions.open(tmp_path / "work.vitrine")
    again.until(lambda: again.document.model == "digits-ssd")
    again.settle()
    assert again.window.docks.workspace == "evaluate" and {"results", "truth", "figures"} <= shown(again)


def test_a_panel_of_another_workspace_opens_in_this_one(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.run("explain")
    assert d.window.docks.workspace == "find" and "attribution" in fronts(d) and "Attribution" in offered(d)
    menu = {workspace.title for workspace in WORKSPACES}
    assert {d.window.commands[f"panel-{name}"].menu.split("/")[-1] for name in d.window.panels} == menu | {"Panels"}


@pytest.mark.parametrize(
    ("wanted", "screen", "found"),
    [
        ((0, 0, 1280, 800), (0, 0, 1024, 600), (0, 0, 1024, 600)),
        ((900, 500, 400, 300), (0, 0, 1024, 600), (624, 300, 400, 300)),
        ((-50, -20, 400, 300), (100, 0, 1024, 600), (100, 0, 400, 300)),
        ((10, 20, 400, 300), (0, 0, 1024, 600), (10, 20, 400, 300)),
    ],
)
def test_the_window_lies_within_the_screen(
    wanted: tuple[int, ...], screen: tuple[int, ...], found: tuple[int, ...]
) -> None:
    assert within(QRect(*wanted), QRect(*screen)) == QRect(*found)
