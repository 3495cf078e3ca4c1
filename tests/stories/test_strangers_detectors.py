"""Detectors of nobody's family, through main(): the real files of others, and a network whose output is one tensor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from red_detector import CODE

import main as program
from models.cards.card import PHOTOS
from models.detection.iou import iou

SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "models"
# From the files' own demonstrations (score, box) on the photographs that come with Vitrine.
REAL = {
    "yolox_nano.onnx": [
        ("astronaut", "person", 0.926, (11, 20, 369, 507)),
        ("cat", "cat", 0.61, (0, 0, 450, 300)),
        ("coffee", "cup", 0.898, (162, 16, 421, 295)),
    ],
    "nanodet_m_320.onnx": [
        ("astronaut", "person", 0.676, (11, 10, 358, 508)),
        ("coffee", "cup", 0.55, (128, 12, 435, 389)),
    ],
    "yunet_n_320_320.onnx": [("astronaut", "face", 0.937, (180, 60, 270, 177))],
}


def detections(out: Path, stem: str) -> list[dict[str, Any]]:
    return json.loads((out / f"{stem}.detect.json").read_text(encoding="utf-8"))["detections"]


@pytest.mark.parametrize("file", REAL)
def test_a_real_file_finds_what_its_own_demonstration_finds(file: str, tmp_path: Path) -> None:
    if not (SHARED / file).is_file():
        pytest.skip("the shared cases are not here")
    photos = [str(PHOTOS / f"{name}.jpg") for name, *_ in REAL[file]]
    assert program.main(["run", "detect", *photos, "--model", str(SHARED / file), "--out", str(tmp_path)]) == 0
    for name, label, score, box in REAL[file]:
        best = detections(tmp_path, name)[0]
        assert best["label"] == label
        assert best["score"] == pytest.approx(score, abs=0.03)
        assert iou(np.array([best["box"]], np.float32), np.array([box], np.float32))[0] > 0.9


def test_a_network_that_gives_one_tensor_is_a_detector(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "net.py").write_text(CODE, encoding="utf-8")
    pixels = np.full((320, 320, 3), 90, np.uint8)
    pixels[100:190, 60:150] = (230, 20, 20)
    Image.fromarray(pixels).save(tmp_path / "red.png")
    words = [
        "run",
        "detect",
        str(tmp_path / "red.png"),
        "--model",
        f"{tmp_path / 'net.py'}:build?size=320x320",
        "--allow",
    ]
    assert program.main([*words, "--out", str(tmp_path / "out")]) == 0
    found = detections(tmp_path / "out", "red")
    assert found
    for one in found:  # it is as sure of every red cell, so which of them stay is a matter of order
        x0, y0, x1, y1 = one["box"]
        assert 60 <= (x0 + x1) / 2 <= 150 and 100 <= (y0 + y1) / 2 <= 190, "in the middle of each box it is red"
