"""Stories on the command line, through main(): what a user types, what lies in the folder afterwards, the exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import main as program
from models.cards import card as cards

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "assets" / "samples" / "board.png"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))


def run(*words: object) -> int:
    return program.main([str(word) for word in words])


def detections(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["detections"]


def test_detect_writes_overlay_numbers_and_recipe(tmp_path: Path) -> None:
    assert run("run", "detect", SAMPLE, "--model", "digits-ssd", "--set", "score=0.45", "--out", tmp_path) == 0
    names = {p.name for p in tmp_path.iterdir() if p.is_file()}
    assert names == {f"board.detect.{kind}" for kind in ("png", "svg", "json", "recipe.json")}

    body = json.loads((tmp_path / "board.detect.json").read_text(encoding="utf-8"))
    assert (body["source"]["width"], body["source"]["height"]) == (640, 480)
    assert body["parameters"]["score"] == 0.45
    assert {"score", "iou", "agnostic", "max_detections"} <= set(body["parameters"])
    scores = [found["score"] for found in body["detections"]]
    assert len(scores) >= 3
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0.45
    for found in body["detections"]:
        x0, y0, x1, y1 = found["box"]
        assert 0 <= x0 < x1 <= 640
        assert 0 <= y0 < y1 <= 480
        assert found["label"] == str(found["label_id"] - 1)
    with Image.open(tmp_path / "board.detect.png") as overlay:
        assert overlay.size == (640, 480)


def test_detections_are_those_of_the_network_itself(tmp_path: Path) -> None:
    import torch

    from models.engine import registry

    assert run("run", "detect", SAMPLE, "--model", "digits-faster-rcnn", "--out", tmp_path) == 0
    net = registry.open_model("digits-faster-rcnn").net
    with Image.open(SAMPLE) as picture:
        image = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).float() / 255
    with torch.inference_mode():
        oracle = net([image])[0]
    found = detections(tmp_path / "board.detect.json")
    assert np.allclose([f["box"] for f in found], oracle["boxes"].numpy(), atol=1e-3)
    assert [f["label_id"] for f in found] == oracle["labels"].tolist()


def test_replay_gives_the_same_numbers_also_from_another_folder(tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copy(SAMPLE, tmp_path / "my picture ü.png")
    settings = ("--set", "score=0.3", "--set", "iou=0.2", "--set", "agnostic=true", "--set", "hidden=3")
    picture = tmp_path / "my picture ü.png"
    assert run("run", "detect", picture, "--model", "digits-ssd", *settings, "--out", first) == 0
    recipe = first / "my picture ü.detect.recipe.json"
    assert run("replay", recipe, "--out", tmp_path / "second") == 0
    name = "my picture ü.detect.json"
    assert (first / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert (first / name.replace("json", "png")).read_bytes() == (
        tmp_path / "second" / name.replace("json", "png")
    ).read_bytes()
    assert all(found["label"] != "3" for found in detections(first / name))

    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copy(recipe, moved)
    shutil.copy(picture, moved)
    assert run("replay", moved / recipe.name, "--out", tmp_path / "third") == 0
    assert detections(tmp_path / "third" / name) == detections(first / name)


@pytest.mark.parametrize("method", ["soft-gaussian", "soft-linear", "diou", "wbf"])
def test_every_method_of_suppression_is_replayed(tmp_path: Path, method: str) -> None:
    settings = {"method": method, "sigma": "0.1", "iou": "0.3", "score": "0.05", "groups": "3+8; 1+7"}
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    words += ["--set", "class_scores=3=0.6, 8=0.02", "--set", "suppressed=true"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert run("run", "detect", SAMPLE, "--model", "digits-faster-rcnn", *words, "--out", first) == 0
    assert run("replay", first / "board.detect.recipe.json", "--out", second) == 0
    for kind in ("json", "png", "svg"):
        name = f"board.detect.{kind}"
        assert (first / name).read_bytes() == (second / name).read_bytes()
    found = detections(first / "board.detect.json")
    assert min(each["score"] for each in found if each["label"] == "3") > 0.6
    changed = [each for each in found if each.get("original_score", each["score"]) != each["score"]]
    assert bool(changed) == (method != "diou") and all(each["original_score"] > each["score"] for each in changed)


@pytest.mark.parametrize("setting", ["groups=1+x", "class_scores=x=0.5", "class_scores=3=2", "hidden=x"])
def test_what_is_wrong_about_classes_is_told_before_a_picture_is_read(
    tmp_path: Path, setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("run", "detect", SAMPLE, "--model", "digits-ssd", "--set", setting, "--out", out) == 2
    said = capsys.readouterr().err
    assert ("Classes: 0, 1, 2" in said) == ("x" in setting) and ("from 0 to 1" in said) == ("2" in setting)
    assert not out.exists()


def test_replay_refuses_a_picture_that_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "a.png"
    shutil.copy(SAMPLE, picture)
    run("run", "detect", picture, "--model", "digits-ssd", "--out", tmp_path / "out")
    Image.new("RGB", (640, 480)).save(picture)
    assert run("replay", tmp_path / "out" / "a.detect.recipe.json", "--out", tmp_path / "again") == 1
    assert "changed since the recipe" in capsys.readouterr().err
    assert run("replay", SAMPLE, "--out", tmp_path / "again") == 1
    assert "not a recipe" in capsys.readouterr().err


def test_a_bad_picture_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a broken.png").write_bytes(SAMPLE.read_bytes()[:3000])
    (folder / "empty.png").write_bytes(b"")
    Image.new("RGB", (1, 1), "white").save(folder / "one.png")
    shutil.copy(SAMPLE, folder / "good.png")
    out = tmp_path / "out"
    gone = tmp_path / "gone.png"
    assert run("run", "detect", folder, gone, "--model", "digits-ssd", "--out", out) == 1
    said = capsys.readouterr().err
    assert {p.name for p in out.glob("*.json")} == {
        f"{stem}.detect.{kind}" for stem in ("good", "one") for kind in ("json", "recipe.json")
    }
    for name in ("a broken.png", "empty.png", "gone.png"):
        assert name in said
    assert "Traceback" not in said


def test_same_stem_pictures_do_not_overwrite_each_other(tmp_path: Path) -> None:
    shutil.copy(SAMPLE, tmp_path / "a.png")
    with Image.open(SAMPLE) as picture:
        picture.save(tmp_path / "a.bmp")
    (tmp_path / "more").mkdir()
    shutil.copy(SAMPLE, tmp_path / "more" / "a.bmp")
    out = tmp_path / "out"
    pictures = (tmp_path / "a.png", tmp_path / "a.bmp", tmp_path / "more" / "a.bmp")
    assert run("run", "detect", *pictures, "--model", "digits-ssd", "--out", out) == 0
    assert {p.name for p in out.glob("*.svg")} == {f"{begin}.detect.svg" for begin in ("a", "a.bmp", "a.bmp-2")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "scor=0.4"], ["'scor'", "Did you mean score", "max_detections"]),
        (["--set", "score=7"], ["score=7", "from 0.01 to 1"]),
        (["--set", "score=high"], ["score", "a number from"]),
        (["--set", "agnostic=perhaps"], ["agnostic", "true or false"]),
        (["--set", "max_detections=0"], ["max_detections", "whole number from 1"]),
        (["--set", "rpn_iou=0.5"], ["rpn_iou", "one-stage"]),
        (["--set", "score"], ["--set name=value"]),
    ],
)
def test_wrong_settings_name_the_valid_ones(
    words: list[str], said: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "detect", SAMPLE, "--model", "digits-ssd", *words, "--out", tmp_path) == 2
    text = capsys.readouterr().err
    assert all(part in text for part in said), text
    assert list(tmp_path.glob("*.json")) == []


def test_wrong_use_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "dtect", SAMPLE, "--model", "digits-ssd", "--out", tmp_path) == 2
    assert "Valid:" in capsys.readouterr().err
    assert run("run", "detect", SAMPLE, "--out", tmp_path) == 2
    assert "--model" in capsys.readouterr().err
    assert run("--no-such-option") == 2
    assert run("inspections", "--model", tmp_path / "missing.pt") == 1
    assert "missing.pt" in capsys.readouterr().err
    assert run("run", "anchors", SAMPLE, "--model", "digits-ssd", "--also", "csv", "--out", tmp_path) == 2
    assert run("run", "detect", SAMPLE, "--model", "digits-sdd", "--out", tmp_path) == 1
    assert "digits-ssd" in capsys.readouterr().err


def test_a_hidden_class_that_is_none_is_wrong_use_with_the_classes_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "detect", SAMPLE, "--model", "digits-ssd", "--set", "hidden=x", "--out", tmp_path) == 2
    assert "Classes: 0, 1" in capsys.readouterr().err


def test_own_weights_open_by_path_and_are_recognised(tmp_path: Path) -> None:
    bundled = cards.bundled()["digits-ssd"].weights
    assert bundled is not None
    shutil.copy(bundled, tmp_path / "mine.safetensors")
    out = tmp_path / "out"
    assert run("run", "detect", SAMPLE, "--model", tmp_path / "mine.safetensors", "--out", out) == 0
    assert run("run", "detect", SAMPLE, "--model", "digits-ssd", "--out", tmp_path / "own") == 0
    assert detections(out / "board.detect.json") == detections(tmp_path / "own" / "board.detect.json")


def test_hostile_weights_are_refused_and_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pickle

    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {marker}",)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"w": Evil()}, protocol=2))
    assert run("run", "detect", SAMPLE, "--model", tmp_path / "evil.pth", "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "evil.pth" in said
    assert "system" in said
    assert not marker.exists()


def test_models_and_inspections_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "--json") == 0
    listed = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    assert {"digits-ssd", "digits-faster-rcnn"} <= set(listed)
    assert run("inspections", "--model", "digits-ssd", "--json") == 0
    body = json.loads(capsys.readouterr().out)
    detect = next(i for i in body["inspections"] if i["id"] == "detect")
    score = next(p for p in detect["parameters"] if p["name"] == "score")
    assert score["default"] == 0.4
    assert "one-stage" in detect["greyed"]["rpn_iou"]
    assert run("inspections") == 0
    assert "score" in capsys.readouterr().out


def test_listing_models_imports_no_torch() -> None:
    code = "import sys, main; main.main(['models']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([SAMPLE], id="one"),
        pytest.param([], id="none", marks=pytest.mark.exhaustive),
        pytest.param([SAMPLE, SAMPLE.with_name("slate.png")], id="two", marks=pytest.mark.exhaustive),
    ],
)
def test_screenshot_shows_the_window_and_exits(words: list[Path], tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    command = [sys.executable, "main.py", "--screenshot", str(shot), *map(str, words), "--theme", "dark"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    with Image.open(shot) as picture:
        pixels = np.array(picture.convert("RGB"))
    assert pixels.shape[:2] == (800, 1280)
    yellow = (np.abs(pixels.astype(int) - np.array([0xF0, 0xE4, 0x42])).max(2) < 12).sum()
    assert (yellow > 300) == bool(words), "the boxes of the 3s are drawn, in their class colour"


def test_a_screenshot_of_a_broken_picture_says_so_and_fails(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no picture")
    command = [sys.executable, "main.py", "--screenshot", str(tmp_path / "shot.png"), str(tmp_path / "x.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 1
    assert "x.png" in done.stderr
    assert (tmp_path / "shot.png").exists()


def test_the_lineage_of_a_box_is_written_with_its_numbers(tmp_path: Path) -> None:
    assert run("run", "detect", SAMPLE, "--model", "digits-ssd", "--out", tmp_path) == 0
    assert run("run", "lineage", SAMPLE, "--model", "digits-ssd", "--out", tmp_path) == 0
    body = json.loads((tmp_path / "board.lineage.json").read_text(encoding="utf-8"))
    best = detections(tmp_path / "board.detect.json")[0]
    assert body["finding"]["end"]["rank"] == 1 and body["finding"]["name"] == best["label"]
    assert body["arrays"]["box"] == [best["box"]] and sum(body["arrays"]["class_scores"]) == pytest.approx(1, abs=1e-4)
    box = body["finding"]["id"]
    assert run("run", "lineage", SAMPLE, "--model", "digits-ssd", "--set", f"box={box}", "--out", tmp_path / "b") == 0
    again = json.loads((tmp_path / "b" / "board.lineage.json").read_text(encoding="utf-8"))
    assert again["arrays"] == body["arrays"]
    with Image.open(tmp_path / "board.lineage.png") as overlay, Image.open(SAMPLE) as plain:
        changed = np.abs(np.array(overlay.convert("RGB")).astype(int) - np.array(plain.convert("RGB"))).sum(2) > 60
    x0, y0, x1, _ = (round(v) for v in best["box"])
    assert changed[y0 - 4 : y0 + 1, x0:x1].mean() > 0.3


def test_why_an_object_was_missed_is_written_and_what_brings_it_back_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "detect", SAMPLE, "--model", "digits-ssd", "--out", tmp_path) == 0
    third = detections(tmp_path / "board.detect.json")[2]
    where = [
        w for name, v in zip(("x0", "y0", "x1", "y1"), third["box"], strict=True) for w in ("--set", f"{name}={v}")
    ]
    spoilt = ("--set", "max_detections=1", "--set", f"label={third['label']}")
    out = tmp_path / "why"
    assert run("run", "missed", SAMPLE, "--model", "digits-ssd", *where, *spoilt, "--out", out) == 0
    body = json.loads((out / "board.missed.json").read_text(encoding="utf-8"))
    assert body["finding"]["stage"] == "max_detections" and body["arrays"]["best"] == [third["box"]]
    assert {p.suffix for p in out.iterdir()} == {".json", ".png", ".svg"}
    ((name, value),) = body["finding"]["remedies"][0]["set"].items()
    assert run("run", "detect", SAMPLE, "--model", "digits-ssd", "--set", f"{name}={value}", "--out", out) == 0
    assert third in detections(out / "board.detect.json")
    assert run("run", "missed", SAMPLE, "--model", "digits-ssd", "--set", "label=zebra", "--out", out) == 1
    assert "zebra" in capsys.readouterr().err
