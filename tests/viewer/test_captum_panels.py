"""The panels Robustness, Concepts and Influence: what they invite to, ask for, show and say when it cannot be done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QFileDialog

from models.pictures.images import save_png
from tests.viewer.explained import classifier, picture
from viewer.panels.concepts import ConceptsPanel
from viewer.panels.influence import InfluencePanel
from viewer.panels.robustness import RobustnessPanel

Make = Callable[..., Any]


@pytest.fixture
def d(desk: Make, tmp_path: Path) -> Any:
    made = desk(picture(tmp_path), picture(tmp_path, seed=1), model=classifier(tmp_path))
    made.settle()
    return made


def fill(folder: Path, count: int, seed: int) -> str:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        save_png(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8), folder / f"{number}.png")
    return str(folder)


def test_robustness_shows_the_change_and_follows_its_settings(d: Any) -> None:
    d.store.update(d.document.with_value("robustness", steps=3, most=4.0))
    assert "robustness" not in d.session.wanted
    d.window.docks.show("robustness")
    d.settle()
    panel = d.panel(RobustnessPanel)
    request, result = d.session.results["robustness"]
    assert panel.words.text() == result.meta["text"] and request.settings["steps"] == 3
    assert f"{float(np.abs(result.arrays['difference']).max()):.3g} of 255" in panel.scale.text()
    assert panel.form is not None
    panel.form.committed.emit("norm", "L2")
    d.settle()
    assert "L2" in panel.words.text()
    panel.form.committed.emit("toward", "no such class")
    d.until(lambda: "no class" in panel.words.text())  # the reason is said in the panel
    panel.form.reset_requested.emit()
    assert d.document.values("robustness") == {}


def test_concepts_are_asked_for_once_both_folders_are_chosen(
    d: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    concept, random = fill(tmp_path / "dots", 10, 1), fill(tmp_path / "others", 20, 2)
    d.store.update(d.document.with_value("concepts", sets=3, cells=2, examples=fill(tmp_path / "class", 3, 3)))
    d.window.docks.show("concepts")
    d.settle()
    panel = d.panel(ConceptsPanel)
    assert "Choose a folder" in panel.words.text() and "concepts" not in d.session.wanted
    for name, folder in (("concept", concept), ("random", random)):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *rest, folder=folder: folder)
        panel.rows[name].choose.click()
    d.settle()
    assert panel.rows["concept"].path.text() == "dots"
    result = d.session.results["concepts"][1]
    assert panel.words.text() == result.meta["text"]
    assert "10 pictures of dots, 20 random ones in sets of 10, 3 of" in panel.counts.text()
    bars = panel.chart._bars
    assert [bar.name for bar in bars] == list(result.meta["layers"])
    assert [bar.part for bar in bars] == pytest.approx(result.arrays["scores"].mean(1).tolist())
    assert [bar.quiet for bar in bars] == (~result.arrays["significant"]).tolist()
    few = fill(tmp_path / "few", 4, 5)
    d.store.update(d.document.with_value("concepts", concept=few))
    d.until(lambda: "few holds 4 pictures" in panel.words.text())
    assert "at least 10" in panel.words.text()
    panel.rows["examples"].clear.click()
    assert "examples" not in d.document.values("concepts")
    assert panel.form is not None
    panel.form.reset_requested.emit()
    assert d.document.values("concepts") == {"concept": few, "random": random}, "the folders stay"


def test_influence_shows_pictures_for_and_against_with_their_names(d: Any, tmp_path: Path) -> None:
    for seed, name in enumerate(("cat", "dog", "frog")):
        fill(tmp_path / "train" / name, 3, seed)
    d.window.docks.show("influence")
    d.settle()
    panel = d.panel(InfluencePanel)
    assert "Choose their folder" in panel.words.text()
    d.store.update(d.document.with_value("influence", folder=str(tmp_path / "train")).explaining(target="dog"))
    d.settle()
    result = d.session.results["influence"][1]
    assert panel.words.text() == result.meta["text"] and len(result.meta["support_paths"]) == 3
    panel.grids["support"].picked.emit(0)
    name = Path(result.meta["support_paths"][0]).name
    assert panel.readout.text() == f"{name}, dog, score {result.arrays['support'][0]:.3g}"
    assert not panel.rows["checkpoints"].isVisibleTo(panel)
    d.store.update(d.document.with_value("influence", method="tracin", checkpoints=str(tmp_path / "train")))
    d.until(lambda: "contains no weights" in panel.words.text())
    assert panel.rows["checkpoints"].isVisibleTo(panel)
    d.store.update(d.document.with_value("influence", method=None))
    d.settle()
    d.run("next-picture")
    d.settle()
    assert panel.words.text() == d.session.results["influence"][1].meta["text"] != result.meta["text"]


def test_a_clicked_channel_is_that_of_neuron_conductance(d: Any) -> None:
    d.window.docks.show("activations")
    d.settle()
    d.window.panels["activations"]._pick(2)
    assert d.document.values("neuron_conductance") == {"channel": 2}
    d.window.panels["activations"]._pick(-1)
    assert d.document.values("neuron_conductance") == {}
