"""Panels that share a place: which is in front, how high it is, whether its name is read. Not what is in them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QTabBar

from tests.viewer.test_window import SAMPLES, Make


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
