"""The Classification figures panel: it invites, follows the pass to its end, shows, and lists a cell's pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QFileDialog

from models.pictures.images import save_png
from tests.viewer.explained import classifier, picture
from viewer.panels.classification_figures import ClassificationFiguresPanel

Make = Callable[..., Any]


def test_a_data_set_is_chosen_measured_and_looked_into(
    desk: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            save_png(pixels, tmp_path / "set" / name / f"{number}.png")
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.settle()
    d.window.docks.show("classification_figures")
    d.settle()
    panel = d.panel(ClassificationFiguresPanel)
    assert "Choose a data set" in panel.words.text() and not panel.tabs.isVisibleTo(panel)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *rest: str(tmp_path / "set"))
    panel.rows["folder"].choose.click()
    d.until(lambda: panel._answer is not None)
    assert panel._answer[1].meta["partial"] and "so far" in panel.numbers.text()
    d.engine.finish_idle()
    d.session.tick()  # as the window's clock does while an answer is partial
    d.until(lambda: panel._answer[1].meta["complete"])
    d.settle()
    result = panel._answer[1]
    assert result.meta["judged"] == 6 and panel.words.text() == result.meta["text"]
    assert "top 1" in panel.numbers.text() and [row[0] for row in panel.table.rows] == ["cat", "dog"]
    np.testing.assert_array_equal(panel.matrix._counts, result.arrays["confusion"])
    assert len(panel.roc.curves) == 3 and panel.reliability.counts.sum() == 6
    row, column = np.argwhere(result.arrays["confusion"])[0].tolist()
    panel.matrix.picked.emit(row, column)
    d.until(lambda: "taken for" in panel.about.text())
    d.settle()
    listed = panel._answer[1]
    assert len(listed.meta["listed_paths"]) == result.arrays["confusion"][row, column]
    panel.grid.picked.emit(0)
    assert panel.readout.text().startswith(listed.meta["listed_paths"][0])
    panel.every.click()
    d.until(lambda: "surest mistakes" in panel.about.text())
    panel.rows["folder"].clear.click()
    d.settle()
    assert "Choose a data set" in panel.words.text()
    (tmp_path / "bare").mkdir()
    picture(tmp_path / "bare")
    d.store.update(d.document.with_value("classification_figures", folder=str(tmp_path / "bare")))
    d.until(lambda: "has no labels" in panel.words.text())
