"""The panels Region pooling and Training sample: a click chooses, a control changes, the picture shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt

from tests.viewer.conftest import RCNN, SAMPLES
from viewer.panels.augmentation import AugmentationPanel
from viewer.panels.box_losses import BoxLossesPanel
from viewer.panels.region_pooling import RegionPoolingPanel
from viewer.panels.selective_search import SelectiveSearchPanel
from viewer.panels.training_sample import TrainingSamplePanel

Make = Callable[..., Any]


def test_a_clicked_proposal_is_followed_and_pooled_otherwise(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    d.settle()
    d.window.docks.show("region_pooling")
    d.settle()
    panel = d.panel(RegionPoolingPanel)
    first = d.session.results["region_pooling"][1]
    assert panel.rule.text().startswith("k = 4 + log2(") and len(panel.table.rows) == 60
    assert len(d.layer("roi points").xy) == len(first.arrays["points"]) == 7 * 7 * 4
    x0, y0, x1, y1 = first.arrays["proposals"][7]
    d.click((x0 + x1) / 2, (y0 + y1) / 2)
    d.settle()
    chosen = d.session.results["region_pooling"][1]
    assert chosen.meta["proposal"] != first.meta["proposal"]
    box = chosen.arrays["proposals"][chosen.meta["proposal"]]
    np.testing.assert_allclose(d.layer("roi").boxes[0], box, atol=1e-3)
    assert panel.form is not None and panel.form.rows["channel"].high == first.meta["channels"] - 1
    panel.form.committed.emit("pooling", "pool")
    d.settle()
    pooled = d.session.results["region_pooling"][1]
    assert not len(pooled.arrays["points"]) and d.layer("roi points") is None
    assert "no correction" in panel.words.text() and panel.scores.rows[0][3] not in ("+0.000", "none")
    assert {*pooled.meta["timings"]} <= {"pool", "proposals pooled otherwise"}, "a control ran a stage of the network"
    np.testing.assert_array_equal(panel.patch.values, pooled.arrays["patches"][pooled.meta["channel"]])


def test_thresholds_are_dragged_and_another_sample_is_drawn(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    d.settle()
    d.window.docks.show("training_sample")
    d.settle()
    panel = d.panel(TrainingSamplePanel)
    first = d.session.results["training_sample"][1]
    assert panel.table.rows[0][0] == "negative" and "stand for the objects" in panel.words.text()
    assert len(d.layer("positives").boxes) == first.meta["drawn"][0]
    panel.again.click()
    d.settle()
    again = d.session.results["training_sample"][1]
    assert again.meta["parameters"]["seed"] == 1 and not np.array_equal(again.arrays["boxes"], first.arrays["boxes"])
    panel.chart.dragged.emit("fg", 0.3, True)
    d.settle()
    lower = d.session.results["training_sample"][1]
    assert (lower.meta["fg"], lower.meta["bg"]) == (0.3, 0.3) and lower.meta["positive"] > first.meta["positive"]
    assert panel.chart.lines["fg"].value() == 0.3
    assert {*lower.meta["timings"]} <= {"draw"}, "a threshold ran a stage of the network"
    panel.table.setCurrentItem(panel.table.topLevelItem(0))
    np.testing.assert_allclose(d.layer("sampled box").boxes[0], lower.arrays["boxes"][0], atol=1e-3)


def test_a_dragged_box_changes_losses_and_arrows(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    d.settle()
    d.window.docks.show("box_losses")
    d.settle()
    panel = d.panel(BoxLossesPanel)
    before, focal = panel.table.rows, panel.groups.rows
    panel.editor.resize(300, 240)
    scale, box = panel.editor._scale, panel.editor._to_screen(panel.editor.boxes["predicted"])
    d.qtbot.mousePress(panel.editor, Qt.MouseButton.LeftButton, pos=box.center().toPoint())
    d.qtbot.mouseMove(panel.editor, box.center().toPoint() + QPoint(20, 10))
    d.qtbot.mouseRelease(panel.editor, Qt.MouseButton.LeftButton)
    d.settle()
    now = d.session.results["box_losses"][1].arrays
    np.testing.assert_allclose(
        now["predicted"], np.array([40, 60, 140, 150]) + np.array([20, 10] * 2) / scale, atol=0.1
    )
    assert panel.table.rows != before and panel.editor.slope.tolist() == now["gradients"][-1].tolist()
    assert panel.focal_form is not None and len(focal) == 3
    panel.focal_form.committed.emit("gamma", 0.0)
    d.settle()
    plain = d.session.results["focal_loss"][1]
    assert panel.groups.rows != focal and {*plain.meta["timings"]} <= {"focal loss"}, "a control ran the network"


def test_an_augmentation_is_drawn_again_and_regions_are_merged(desk: Make) -> None:
    d = desk(SAMPLES[0], model=RCNN)
    d.settle()
    d.window.docks.show("augmentation")
    d.settle()
    panel = d.panel(AugmentationPanel)
    first = d.session.results["augmentation"][1]
    assert not panel.after.image.isNull() and panel.difference.isHidden()
    assert len(panel.table.rows) == len(first.arrays["boxes"]) > 0
    panel.again.click()
    d.settle()
    assert not np.array_equal(d.session.results["augmentation"][1].arrays["after"], first.arrays["after"])
    assert panel.form is not None
    panel.form.committed.emit("method", "adversarial")
    panel.form.committed.emit("epsilon", 12.0)
    d.settle()
    fooled = d.session.results["augmentation"][1]
    change = fooled.arrays["after"].astype(int) - fooled.arrays["before"]
    assert np.abs(change).max() == 12 and fooled.arrays["lost"].any() and not panel.difference.isHidden()
    d.window.docks.show("selective_search")
    d.settle()
    search = d.panel(SelectiveSearchPanel)
    assert search.left is not None and d.layer("search regions") is not None
    search.left.reported.emit("left", 3, True)
    d.settle()
    assert len(d.layer("search boxes").boxes) == 3 and search.chart.titles == ("Selective search", "RPN")
