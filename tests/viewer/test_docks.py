"""Panels that share a place: which is in front, how high it is, whether its name is read. Not what is in them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QTabBar

from tests.viewer.test_window import SAMPLES, Make
from viewer.window.docks import SIDE_PX


def test_a_panel_behind_another_comes_to_the_front_and_gets_its_height(desk: Make) -> None:
    d = desk(SAMPLES[0])
    d.window.resize(800, 760)
    docks = d.window.docks.by_id
    for name in ("lineage", "missed"):
        d.run(f"panel-{name}")
        QApplication.processEvents()
    assert docks["lineage"].visibleRegion().isEmpty() and not docks["missed"].visibleRegion().isEmpty()
    d.run("panel-lineage")
    QApplication.processEvents()
    assert not docks["lineage"].visibleRegion().isEmpty() and docks["missed"].isVisible()
    d.run("panel-lineage")
    assert docks["lineage"].isHidden(), "in front it is closed"
    d.run("panel-truth")
    QApplication.processEvents()
    assert docks["truth"].height() >= d.window.panels["truth"].entry.height_px - 24, "but for the tabs"
    bars = [bar for bar in d.window.findChildren(QTabBar) if bar.parent() is d.window and bar.isVisible()]
    assert bars and all(bar.elideMode() == Qt.TextElideMode.ElideNone for bar in bars)


def test_the_first_panel_of_a_workspace_that_opens_empty_is_as_wide_as_any_other(desk: Make) -> None:
    d = desk(SAMPLES[0], model="photos-resnet")
    d.window.resize(1280, 700)
    docks = d.window.docks
    docks.enter("generate")
    docks.arrange()
    d.run("panel-style")
    QApplication.processEvents()
    dock = docks.by_id["style"]
    assert dock.isVisible() and dock.width() <= SIDE_PX
    d.window.resizeDocks([dock], [SIDE_PX + 90], Qt.Orientation.Horizontal)
    d.run("panel-style")
    d.run("panel-style")
    QApplication.processEvents()
    assert dock.width() == SIDE_PX + 90, "the width that the user gave it stays"


def test_a_bar_of_tabs_that_qt_makes_by_itself_has_a_name(desk: Make) -> None:
    window = desk(SAMPLES[0]).window
    made = QTabBar(window)  # as Qt does when it lays out
    QApplication.processEvents()
    assert made.accessibleName() == "Panels" and made.elideMode() == Qt.TextElideMode.ElideNone


def test_tabs_in_view_are_those_of_the_docks_in_view(desk: Make) -> None:
    """Also after docks were arranged anew, when Qt leaves the bars of the arrangement before in view."""
    d = desk(SAMPLES[0])
    docks = d.window.docks
    for name in ("truth", "anchors", "lineage", "missed"):
        d.run(f"panel-{name}")
    seen: set[frozenset[str]] = set()
    for workspace in ("find", "explain", "model", "find", "evaluate", "explain", "find"):
        docks.enter(workspace)
        if workspace == "explain":
            docks.arrange()
        for _ in range(3):
            QApplication.processEvents()
        places = set()
        for dock in docks.by_id.values():
            others = [one for one in d.window.tabifiedDockWidgets(dock) if not one.isHidden()]
            if not dock.isHidden() and others:
                places.add(frozenset(one.windowTitle() for one in (dock, *others)))
        bars = [bar for bar in d.window.findChildren(QTabBar) if bar.parent() is d.window and bar.isVisible()]
        shown = [frozenset(bar.tabText(at) for at in range(bar.count())) for bar in bars if bar.count() > 1]
        assert sorted(map(sorted, shown)) == sorted(map(sorted, places)), workspace
        seen |= places
    assert len(seen) > 1
