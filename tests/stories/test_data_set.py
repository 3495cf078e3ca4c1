"""A data set on the command line, through main(): its figures as files, the recipe that gives them again, refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import main as program
from models.cards.card import BUNDLED

SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    body: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "7"}]}
    for number, sample in enumerate(SAMPLES, 1):
        shutil.copy(sample, folder)
        body["images"].append({"id": number, "file_name": sample.name, "width": 640, "height": 480})
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 30, 40], "area": 1200, "iscrowd": 0}
    body["annotations"].append(row)
    (folder / "truth.json").write_text(json.dumps(body))
    return folder / "truth.json"


def run(*words: object) -> int:
    return program.main([str(word) for word in words])


def test_figures_and_their_recipe(tmp_path: Path, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("run", "figures", truth, "--model", "digits-ssd", "--set", "score=0.2", "--out", out) == 0
    assert {p.name for p in out.iterdir()} == {f"truth.figures.{kind}" for kind in ("json", "csv", "recipe.json")}
    said = capsys.readouterr().err
    assert f"{len(SAMPLES)} of {len(SAMPLES)} pictures" in said and "does not have" in said
    body = json.loads((out / "truth.figures.json").read_text())
    assert body["pictures"] == {"of": len(SAMPLES), "measured": len(SAMPLES), "failed": 0}
    assert [row["class"] for row in body["classes"]] == ["all", "7"] and body["parameters"]["score"] == 0.2
    assert run("replay", out / "truth.figures.recipe.json", "--out", tmp_path / "again") == 0
    assert (tmp_path / "again" / "truth.figures.json").read_text() == (out / "truth.figures.json").read_text()


def test_what_is_no_ground_truth_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "figures", SAMPLES[0], "--model", "digits-ssd", "--out", tmp_path) == 1
    assert "ground truth" in capsys.readouterr().err
