"""Stories of detectors without anchors, through main(): peaks become the boxes, and prototypes add up to the mask."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import main as program
from models.cards.card import BUNDLED

PICTURE = BUNDLED.parent / "samples" / "board.png"


def run(*words: object) -> int:
    return program.main([str(word) for word in words])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as found:
        return dict(found)


def test_the_peaks_are_the_detections_and_each_is_the_largest_of_its_neighbours(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("run", "detect", PICTURE, "--model", "digits-centernet", "--out", out) == 0
    assert run("run", "peaks", PICTURE, "--model", "digits-centernet", "--out", out) == 0
    assert (out / "board.peaks.png").stat().st_size > 1000
    boxes = [each["box"] for each in json.loads((out / "board.detect.json").read_text("utf-8"))["detections"]]
    found = arrays(out / "board.peaks.npz")
    assert len(boxes) > 3
    away = np.abs(np.array(boxes)[:, None] - found["boxes"][None]).max(2).min(1)
    np.testing.assert_array_less(away, 0.01)
    assert run("replay", out / "board.peaks.recipe.json", "--out", tmp_path / "again") == 0
    again = arrays(tmp_path / "again" / "board.peaks.npz")
    assert found.keys() == again.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values, again[name], err_msg=name)


def test_a_wider_window_silences_more_cells(tmp_path: Path) -> None:
    count = {}
    for window in (1, 3, 5):
        out, words = tmp_path / str(window), ("--set", f"window={window}", "--set", "most=9999")
        assert run("run", "peaks", PICTURE, "--model", "digits-centernet", *words, "--out", out) == 0
        count[window] = len(arrays(out / "board.peaks.npz")["peaks"])
    assert count[1] > count[3] >= count[5] > 0


def test_corners_pair_to_boxes_between_them(tmp_path: Path) -> None:
    words = ("--set", "what=corners", "--set", "distance=0.4")
    assert run("run", "peaks", PICTURE, "--model", "digits-centernet", *words, "--out", tmp_path) == 0
    found = arrays(tmp_path / "board.peaks.npz")
    taken = found["pairs"][found["reasons"] == 0]
    assert len(taken) > 2
    first, second = found["first"][taken[:, 0]], found["second"][taken[:, 1]]
    assert (second > first).all()
    apart = np.abs(found["first_tags"][found["pairs"][:, 0]] - found["second_tags"][found["pairs"][:, 1]])
    np.testing.assert_allclose(apart, found["distances"], atol=1e-5)
    assert (apart[found["reasons"] == 0] <= 0.4).all() and (apart > 0.4).any()


def test_the_prototypes_add_up_to_the_mask_and_to_the_pixel(tmp_path: Path) -> None:
    words = ["run", "prototypes", PICTURE, "--model", "digits-yolo", "--set", "crop=false"]
    assert run(*words, "--out", tmp_path / "first") == 0
    found = arrays(tmp_path / "first" / "board.prototypes.npz")
    whole = np.einsum("p,phw->hw", found["coefficients"].astype(float), found["maps"].astype(float))
    np.testing.assert_allclose(found["sum"], whole, atol=1e-4)
    x, y = (found["box"][:2] + found["box"][2:]) / 2
    assert run(*words, "--set", f"x={x:.1f}", "--set", f"y={y:.1f}", "--out", tmp_path / "pixel") == 0
    pixel = arrays(tmp_path / "pixel" / "board.prototypes.npz")
    assert np.abs(pixel["sum"] - pixel["contributions"].sum()).min() < 1e-4
    assert (tmp_path / "pixel" / "board.prototypes.png").stat().st_size > 1000
    assert run("replay", tmp_path / "pixel" / "board.prototypes.recipe.json", "--out", tmp_path / "again") == 0
    np.testing.assert_array_equal(arrays(tmp_path / "again" / "board.prototypes.npz")["sum"], pixel["sum"])
