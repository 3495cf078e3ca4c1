"""Stories of gradients, class visualization, activation functions and a classifier's figures: run, and run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import main as program
from models.cards import card as cards
from tests.viewer.explained import classifier, picture

ASKED: dict[str, tuple[str, ...]] = {
    "gradients": ("loss=answer", "other=weight_decay", "batch=2", "part=1"),
    "synthesise": ("target=dog", "steps=3"),
    "activation_functions": ("by=GELU",),
}


def run(*words: object) -> int:
    return program.main([str(word) for word in words])


def numbers(path: Path) -> dict[str, Any]:
    told = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in told.items() if name not in ("file", "model")}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("inspection", [*ASKED])
def test_a_replay_gives_the_same_numbers(tmp_path: Path, inspection: str) -> None:
    settings = [word for each in ASKED[inspection] for word in ("--set", each)]
    model, out, again = classifier(tmp_path), tmp_path / "out", tmp_path / "again"
    assert run("run", inspection, picture(tmp_path), "--model", model, *settings, "--out", out) == 0
    written = numbers(out / f"p0.{inspection}.json")
    assert written["text"] and written["parameters"]
    assert run("replay", out / f"p0.{inspection}.recipe.json", "--out", again) == 0
    assert numbers(again / f"p0.{inspection}.json") == written


def test_figures_of_a_classifier_are_its_own(tmp_path: Path) -> None:
    for seed, name in enumerate(("cat", "cat", "dog")):
        folder = tmp_path / "set" / name
        folder.mkdir(parents=True, exist_ok=True)
        picture(folder, seed=seed)
    out, again = tmp_path / "out", tmp_path / "again"
    assert run("run", "figures", tmp_path / "set", "--model", classifier(tmp_path), "--out", out) == 0
    told = numbers(out / "set.figures.json")
    assert told["judged"] == 3 and np.sum(told["confusion"]) == 3 and told["complete"]
    assert (out / "set.figures.csv").read_text(encoding="utf-8").startswith("class,pictures,recall")
    assert run("replay", out / "set.figures.recipe.json", "--out", again) == 0
    after = numbers(again / "set.figures.json")
    assert {name for name in told if told[name] != after[name]} <= {"pace"}


def test_a_cycle_is_run_told_and_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, again, digit = tmp_path / "out", tmp_path / "again", cards.DIGITS / "3.png"
    asked = ("run", "cycle", digit, "--model", "digits-cyclegan", "--set", "draws=1")
    assert run(*asked, "--out", out) == 0
    told = numbers(out / "3.cycle.json")
    assert told["curve"] in ("flat", "some", "steep") and told["cycle"] < 0.04
    assert told["losses"].keys() >= {"cycle", "identity", "adversarial"}
    with Image.open(out / "3.cycle.png") as board:
        assert board.width > board.height > 28
    assert run("replay", out / "3.cycle.recipe.json", "--out", again) == 0
    assert numbers(again / "3.cycle.json") == told
    capsys.readouterr()
    assert run(*asked, "--set", "back=digits-ssd", "--out", tmp_path / "none") == program.FAILED
    said = capsys.readouterr()
    assert "makes no picture of a picture" in said.out + said.err and not (tmp_path / "none").exists()
