"""The Gradients panel: what it invites to, shows, lets choose, steps through, and says of what has no gradient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QFileDialog

from tests.viewer.explained import classifier, picture
from viewer.panels.gradients import GradientsPanel

Make = Callable[..., Any]


@pytest.fixture
def d(desk: Make, tmp_path: Path) -> Any:
    made = desk(picture(tmp_path), picture(tmp_path, seed=1), model=classifier(tmp_path))
    made.settle()
    return made


def test_two_losses_are_chosen_and_every_step_is_shown(d: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    d.store.update(d.document.with_value("gradients", batch=2, part=1))
    assert "gradients" not in d.session.wanted, "only while the panel is in view"
    d.window.docks.show("gradients")
    d.settle()
    panel = d.panel(GradientsPanel)
    result = d.session.results["gradients"][1]
    assert panel.words.text() == result.meta["text"] and panel.notes.text().startswith(f"A: {result.meta['titles'][0]}")
    names = [curve.name for curve in panel.sizes.curves]
    assert names[:2] == [".grad, step 1", "Gradient of A"]
    np.testing.assert_array_equal(panel.sizes.curves[1].values, result.arrays["first"])
    assert panel.angles.curves[0].name == "A and B"
    assert len(panel.angles.curves) == 4 and "picture" in panel.batch.text()
    assert panel.sizes.text().splitlines()[0].count("\t") >= 3, "the numbers can be copied"
    # The stepper.
    assert not panel.back.isEnabled() and "None" in panel.told.text()
    panel.next.click()
    panel.next.click()
    assert "2 × g" in panel.told.text() and panel.steps.currentItem().text(1) == "2 × g"
    np.testing.assert_allclose(panel.sizes.curves[0].values, 2 * result.arrays["first"], rtol=1e-4)
    panel.next.click()
    assert "second time" in panel.told.text()
    panel.steps.setCurrentItem(panel.steps.topLevelItem(6))
    assert panel.step == 6 and not panel.next.isEnabled()
    # Tabs.
    assert "only for scalar outputs" in panel.vector.text() and len(panel.rows_of_vector.rows) == 3
    assert panel.tape.rows[0][0].startswith("NllLoss")
    panel.program.setCurrentIndex(1)
    assert "register_hook" in panel.code.toPlainText()
    # Another loss, and a folder for the batch.
    panel.other.setCurrentIndex(panel.other.findData("weight_decay"))
    panel.other.activated.emit(panel.other.currentIndex())
    d.settle()
    assert d.session.results["gradients"][1].meta["other"] == "weight_decay"
    assert panel.other.currentData() == "weight_decay" and panel.program.currentIndex() == 1
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *rest: str(tmp_path))
    panel.rows["folder"].choose.click()
    d.settle()
    assert d.document.values("gradients")["folder"] == str(tmp_path)
    panel.rows["folder"].clear.click()
    d.settle()
    assert "folder" not in d.document.values("gradients")
    d.store.update(d.document.with_value("gradients", loss="hinge"))
    d.until(lambda: "no loss 'hinge'" in panel.words.text())


def test_a_detectors_losses_are_about_the_open_ground_truth(desk: Make) -> None:
    from models.cards.card import SAMPLES

    made = desk(SAMPLES / "slate.png", model="digits-ssd")
    made.settle()
    made.window.docks.show("gradients")
    made.settle()
    panel = made.panel(GradientsPanel)
    result = made.session.results["gradients"][1]
    assert result.meta["loss"] == "classification" and "stand for the objects" in panel.notes.text()
    assert "no vector" in panel.vector.text() and "not run on batches" in panel.batch.text()
