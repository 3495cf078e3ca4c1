"""The De-identify panel: a preview as the copy will look, a folder exported in the background, stopped, refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.cards.card import SAMPLES
from models.engine.engine import Engine
from models.pictures import images
from models.types import Result
from viewer.menus import deidentification
from viewer.session.deidentification import INSPECTION, SLOT

Make = Callable[..., Any]


@pytest.fixture
def d(desk: Make, tmp_path: Path) -> Any:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(SAMPLES / "slate.png", folder / name)
    (folder / "c.png").write_text("no picture")
    made = desk(folder / "a.png", model="digits-ssd")
    made.window.docks.show(INSPECTION)
    made.until(lambda: INSPECTION in made.session.results)
    return made


def go_on(d: Any, engine: Engine, condition: Callable[[], object]) -> None:
    """Let the engine work while it is idle, as its own process does, until a condition holds."""

    def look() -> bool:
        engine.finish_idle()
        d.session.tick()
        return bool(condition())

    d.until(look)


def test_the_preview_is_the_copy_and_a_folder_is_exported_with_its_report(
    d: Any, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, out = d.window.panels[INSPECTION], tmp_path / "copies"
    preview = d.session.results[INSPECTION][1]
    assert isinstance(preview, Result) and len(preview.arrays["hidden"])
    assert [layer.id for layer in panel.layers(d.session.store.document)] == [INSPECTION]
    panel.over.setChecked(False)
    assert not panel.layers(d.session.store.document)
    assert "stays visible" in panel.notes.text()
    monkeypatch.setattr(deidentification.QFileDialog, "getExistingDirectory", lambda *given: str(out))
    panel.export.click()
    go_on(d, engine, lambda: panel.open_button.isVisibleTo(panel))
    told = json.loads((out / "deidentification.json").read_text())
    assert told["complete"] and told["counts"]["hidden"] == 2 and told["counts"]["failed"] == 1
    assert np.array_equal(images.read(out / "b.png").pixels, preview.arrays["picture"])
    assert "1 failed" in panel.state.text()
    assert SLOT not in d.session.wanted, "nothing goes on afterwards"
    assert not any(value == str(out) for value in d.session.store.document.values(INSPECTION).values())
    assert (out / "photos.deidentify.recipe.json").is_file() and str(out) not in told["settings"].values()


def test_thresholds_are_those_of_detection_and_a_folder_of_the_originals_is_refused(d: Any, tmp_path: Path) -> None:
    panel, store = d.window.panels[INSPECTION], d.session.store
    assert "score" not in panel.form.rows and {"way", "margin", "classes"} <= set(panel.form.rows)
    store.update(store.document.with_value("detect", score=0.99))
    d.until(lambda: d.session.results[INSPECTION][0].settings.get("score") == 0.99)
    scores = d.session.results[INSPECTION][1].arrays["scores"]
    assert (scores > 0.99).all()
    export = deidentification.FolderExport(d.window)
    assert not export.begin(tmp_path / "photos" / "inside")
    assert not (tmp_path / "photos" / "inside").exists() and not export.going_on
    assert export.begin(tmp_path / "copies") and export.going_on and not export.can_begin
    export.stop()
    d.until(lambda: not export.going_on)
    assert "Stopped" in panel.state.text() and panel.export.isVisibleTo(panel)
