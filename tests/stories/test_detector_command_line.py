"""Stories of what a detector pools and learns from: run, and run again, give the same numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import main as program
from models.cards.card import BUNDLED

PICTURE = BUNDLED.parent / "samples" / "board.png"
ASKED: dict[str, tuple[str, ...]] = {
    "region_pooling": ("proposal=3", "pooling=pool"),
    "training_sample": ("rule=fast_rcnn", "seed=4"),
    "focal_loss": ("gamma=1",),
    "augmentation": ("method=mosaic", "seed=3"),
    "selective_search": ("left=9",),
}
UNPAINTED = ("focal_loss",)


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
    out, again = tmp_path / "out", tmp_path / "again"
    assert run("run", inspection, PICTURE, "--model", "digits-faster-rcnn", *settings, "--out", out) == 0
    written = numbers(out / f"board.{inspection}.json")
    assert written["text"] and written["parameters"]
    assert inspection in UNPAINTED or (out / f"board.{inspection}.png").stat().st_size > 1000
    assert run("replay", out / f"board.{inspection}.recipe.json", "--out", again) == 0
    assert numbers(again / f"board.{inspection}.json") == written


def test_two_boxes_need_no_picture(tmp_path: Path) -> None:
    out = tmp_path / "out"
    boxes = ("--set", "predicted=0,0,10,10", "--set", "truth=20,20,30,30")
    assert run("run", "box_losses", "--model", "digits-ssd", *boxes, "--out", out) == 0
    told = numbers(out / "digits-ssd.box_losses.json")
    assert "no gradient" in told["text"] and len(told["values"]) == 7
