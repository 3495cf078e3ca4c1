"""The Panoptic fusion and Charts panels: who wins a pixel, PQ by ground truth, places that picture and chart share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.cards.card import PUPPETS
from models.training.puppet_samples import TRUTH
from viewer.panels.charts import ChartsPanel
from viewer.panels.fusion import FusionPanel
from viewer.presenters import charts

Make = Callable[..., Any]


def test_candidates_pile_and_quality_are_listed_and_no_setting_runs_the_network(desk: Make) -> None:
    d = desk(PUPPETS / "meadow.png", model="puppets-parts")
    d.settle()
    d.window.docks.show("fusion")
    d.settle()
    panel = d.panel(FusionPanel)
    assert d.layer("fused segments") is not None and d.layer("detections") is None
    assert panel.candidates.rows and not panel.quality.isVisibleTo(panel) and panel.open.isVisibleTo(panel)
    d.session.truths.open(PUPPETS / "segments.json")
    d.until(lambda: d.document.truth is not None and not d.session.truths.reading)
    d.window.docks.show("fusion")  # in the place of the ground truth, which comes to the front
    d.settle()
    found = d.session.results["fusion"][1]
    assert panel.quality.rows[-1][1] == f"{found.arrays['pq'].mean():.3f}" and panel.quality.isVisibleTo(panel)
    assert found.arrays["pq"].mean() > 0.5, "on a bundled sample"
    seen = np.argwhere(found.arrays["labels_full"] == 1)
    row, column = seen[len(seen) // 2]
    assert panel.clicked((column + 0.5, row + 0.5))
    d.settle()
    assert panel.pile.isVisibleTo(panel)
    assert [line[0] for line in panel.pile.rows if line[2] == "wins"] == [found.meta["names"][1]]
    for name, value in (("rule", "upsnet"), ("overlap", 0.1), ("area", 900)):
        d.store.update(d.document.with_value("fusion", **{name: value}))
        d.settle()
        again = d.session.results["fusion"][1]
        assert not {"network", "maps"} & set(again.meta["timings"]), "the network did not run again"
    assert any("left out" in line[2] or line[2].endswith("of the picture") for line in panel.candidates.rows)


def test_picture_and_chart_show_each_others_places_and_a_texture_is_laid_on(desk: Make) -> None:
    d = desk(PUPPETS / "meadow.png", model="puppets-parts")
    d.settle()
    d.window.docks.show("charts")
    d.settle()
    panel = d.panel(ChartsPanel)
    result = d.session.results["charts"][1]
    rows, columns = np.nonzero(result.arrays["labels"] == 2)
    x0, y0, x1, y1 = result.meta["extent"]
    height, width = result.arrays["labels"].shape
    at = len(rows) // 2
    place = x0 + (columns[at] + 0.5) / width * (x1 - x0), y0 + (rows[at] + 0.5) / height * (y1 - y0)
    panel.pointer(place)
    assert panel.readout.text().startswith("torso: u ")
    there = charts.place_at(result, place)
    assert there is not None and there[0] == 1
    back = charts.nearest(result, there)
    assert back == pytest.approx(place)
    marked, plain = charts.atlas(result, there).tiles, charts.atlas(result).tiles
    changed = {int(tile) for tile in np.argwhere(marked != plain)[:, 0]}
    assert changed == {1}
    panel.grid.hovered.emit((1, there[2], there[1]))
    assert d.layer("chart place").xy[0] == pytest.approx(place, abs=1e-3)
    panel.lay_on(str(PUPPETS / "shore.png"))
    d.settle()
    worn = d.session.results["charts"][1].arrays["dressed"]
    np.testing.assert_array_equal(d.layer("textured").pixels, worn)
    d.session.truths.open(PUPPETS / TRUTH)
    d.until(lambda: d.document.truth is not None and not d.session.truths.reading)
    d.window.docks.show("charts")  # in the place of the ground truth, which comes to the front
    d.settle()
    measured = d.session.results["charts"][1].arrays
    assert np.nanmean(measured["error"]) < 0.15 and len(panel.table.rows) == 10
