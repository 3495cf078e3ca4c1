"""The Heat-map audit panel: tables of what decoding costs, and the heat map of the point that was chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.cards.card import PUPPETS
from models.training.puppet_samples import TRUTH
from viewer.panels.heat_map_audit import HeatMapAuditPanel

Make = Callable[..., Any]


def test_rules_frames_and_points_are_measured_and_a_point_shows_its_map(desk: Make) -> None:
    d = desk(PUPPETS / "meadow.png", model="puppets-hourglass")
    d.settle()
    d.window.docks.show("heat_map_audit")
    d.settle()
    panel = d.panel(HeatMapAuditPanel)
    assert panel.rules.rows[2][0] == "DARK" and panel.rules.rows[2][1] == "", "no error without ground truth"
    assert panel.open.isVisibleTo(panel) and not panel.frames.isVisibleTo(panel)
    d.session.truths.open(PUPPETS / TRUTH)
    d.until(lambda: d.document.truth is not None and not d.session.truths.reading)
    d.settle()
    found = d.session.results["heat_map_audit"][1]
    assert len(found.arrays["oks"]) == len(panel.figures.rows) == 3 and len(panel.stacks.rows) == 2
    assert float(panel.rules.rows[2][1]) < float(panel.rules.rows[0][1]), "DARK is nearer than the argmax"
    assert "(x + 0.5) · s ✓" in [row[0] for row in panel.frames.rows], "the frame in which it was trained"
    assert d.layer("audited heat") is None and len(d.layer("audited points").xy) == 3
    panel.points.setCurrentItem(panel.points.topLevelItem(0))
    np.testing.assert_array_equal(d.layer("audited heat").values, found.arrays["heat"][0])
    panel.figures.setCurrentItem(panel.figures.topLevelItem(1))
    d.settle()
    other = d.session.results["heat_map_audit"][1]
    assert other.meta["figure"] == 1 and not np.array_equal(other.arrays["heat"], found.arrays["heat"])
    assert "heat maps" not in other.meta["timings"], "the network did not run again"
