"""Detectors of others as full detectors, through main(): lineage, why missed, and what they lack, with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import main as program

# YOLOX's decoded rows with objectness: what is red is an object, and how red it is the class.
GRID = """\
import torch
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(40.0))

    def forward(self, x):
        assert x.shape[2:] == (320, 320)
        made = []
        for stride in (8, 16, 32):
            seen = functional.avg_pool2d(x, stride)
            red = seen[:, 0] - seen[:, 1:].amax(1)
            objectness = (self.gain * (red - 0.4)).sigmoid()
            classes = torch.stack([0.55 + 0 * red, 0.35 + 0 * red], 1)
            y, column = torch.meshgrid(*[torch.arange(320 // stride)] * 2, indexing="ij")
            centres = ((torch.stack([column, y]) + 0.5) * stride).to(x)
            box = torch.cat([centres, torch.full_like(centres, 90.0)]).expand(len(x), -1, -1, -1)
            made.append(torch.cat([box, objectness[:, None], classes], 1).flatten(2))
        return torch.cat(made, 2).transpose(1, 2)


def build():
    return Net()
"""
# DETR's queries: boxes as centres in shares, logits of which the last is that of no object.
QUERIES = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(30.0))

    def forward(self, x):
        seen = nn.functional.adaptive_avg_pool2d(x, 10)
        red = (seen[:, 0] - seen[:, 1:].amax(1)).flatten(1)
        y, column = torch.meshgrid(*[(torch.arange(10) + 0.5) / 10] * 2, indexing="ij")
        box = torch.stack([column, y, 0 * y + 0.28, 0 * y + 0.28], -1).flatten(0, 1).to(x)
        none = 4 + 0 * red
        logits = torch.stack([self.gain * (red - 0.3), -8 + 0 * red, none], -1)
        return {"pred_logits": logits, "pred_boxes": box.expand(len(x), -1, -1)}


def build():
    return Net()
"""


@pytest.fixture
def red(tmp_path: Path) -> Path:
    pixels = np.full((320, 320, 3), 90, np.uint8)
    pixels[100:190, 60:150] = (230, 20, 20)
    Image.fromarray(pixels).save(tmp_path / "red.png")
    return tmp_path / "red.png"


def run(red: Path, code: str, inspection: str, *more: str) -> dict[str, Any]:
    file = red.with_name("net.py")
    file.write_text(code, encoding="utf-8")
    model = f"{file}:build?input=zero_one&colours=rgb&fit=stretch"
    out = red.with_name("out")
    words = ["run", inspection, str(red), "--model", model, "--allow", "--out", str(out), *more]
    assert program.main(words) == 0
    return json.loads((out / f"red.{inspection}.json").read_text(encoding="utf-8"))


def test_a_grid_shows_cell_level_objectness_class_and_threshold(red: Path) -> None:
    told = run(red, GRID, "lineage")["finding"]
    assert told["origin"]["kind"] == "cell"
    side = 320 / told["origin"]["columns"]
    centre = [(told["origin"][name] + 0.5) * side for name in ("column", "row")]
    assert 60 < centre[0] < 150 and 100 < centre[1] < 190
    assert told["objectness"]["value"] > 0.99
    assert told["objectness"]["alone"] == pytest.approx(0.55, abs=1e-3)
    assert told["class"]["score"] == pytest.approx(told["objectness"]["value"] * 0.55, rel=1e-4)

    rectangle = [f"--set={name}={value}" for name, value in (("x0", 60), ("y0", 100), ("x1", 150), ("y1", 190))]
    told = run(red, GRID, "missed", *rectangle, "--set", "score=0.7")["finding"]
    assert told["stage"] == "score"
    assert "the class score holds it down" in told["remark"]
    assert {rung["title"] for rung in told["stages"]} >= {"Cells", "Objectness", "Score", "NMS", "Region proposals"}
    assert told["remedies"][0]["set"]["score"] < 0.55


def test_queries_need_no_suppression_and_say_so(red: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = run(red, QUERIES, "lineage")["finding"]
    assert told["origin"]["kind"] == "query"
    assert "NMS" in told["absent"] and "Cells" in told["absent"]
    found = run(red, QUERIES, "detect")["detections"]
    assert found[0]["label"] == "class 0"
    x0, y0, x1, y1 = found[0]["box"]
    assert 60 < (x0 + x1) / 2 < 150 and 100 < (y0 + y1) / 2 < 190
    file = f"{red.with_name('net.py')}:build"
    words = ["run", "detect", str(red), "--model", file, "--out", str(red.with_name("no")), "--set", "iou=0.4"]
    capsys.readouterr()
    assert program.main(words) != 0
    assert "nothing left to suppress" in capsys.readouterr().err
