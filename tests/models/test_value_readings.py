"""What a picture would be taken for under each way to scale its values, where that is assumed; never chosen unseen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import main
from models.cards import form
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source
from models.user_code import consent

CODE = """
import torch
from torch import nn

class Colours(nn.Module):
    "The share of redness, greenness and blueness, of BGR from 0 to 255 less 104, 117, 123."
    def __init__(self):
        super().__init__()
        self.tell = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.tell.weight.copy_(9 * (1.6 * torch.eye(3) - 0.6).view(3, 3, 1, 1))
            self.tell.bias.zero_()

    def forward(self, x):
        x = (x + x.new_tensor([104.0, 117.0, 123.0])[:, None, None]) / 255
        return self.tell(x.flip(1)).mean((2, 3))

def build():
    return Colours()
"""


@pytest.fixture
def red(tmp_path: Path) -> tuple[str, Path]:
    """A network of one's own, allowed, and a red picture."""
    code, picture = tmp_path / "colours.py", tmp_path / "red.png"
    code.write_text(CODE)
    consent.allow(code, hashlib.sha256(code.read_bytes()).hexdigest())
    Image.new("RGB", (64, 64), (200, 30, 60)).save(picture)
    return f"{code}:build", picture


def softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum()


def test_the_answer_lists_what_the_others_would_be_and_the_right_one_is_among_them(red: tuple[str, Path]) -> None:
    model, picture = red
    engine = Engine(threads=1)
    found = engine.run(Request.make("classify", model, Source.file(picture)))
    assert isinstance(found, Result), found
    rows = {(row["input"], row["colours"]): row for row in found.meta["readings"]}
    assert {name for name, _ in rows} == {
        "imagenet", "imagenet_bgr", "zero_one", "minus_one_one", "minus_127", "zero_255", "caffe", "caffe_104"
    }  # fmt: skip
    (taken,) = [row for row in rows.values() if row["taken"]]
    assert (taken["input"], taken["label"]) == ("imagenet", found.arrays["labels"][0])
    assert taken["probability"] == pytest.approx(float(found.arrays["probabilities"][0]), rel=1e-5)
    assert ("imagenet", "bgr") in rows, "both orders of the colours of what is taken"
    x = np.array([200, 30, 60]) / 255
    expected = softmax(9 * (1.6 * np.eye(3) - 0.6) @ x)
    right = rows["caffe_104", "bgr"]
    assert right["label"] == 0 and right["probability"] == pytest.approx(expected[0], rel=1e-4)
    # Each is what the model answers when it is opened so.
    for (name, order), row in rows.items():
        again = engine.run(Request.make("classify", f"{model}?colours={order}&input={name}", Source.file(picture)))
        assert isinstance(again, Result) and again.arrays["labels"][0] == row["label"]
        assert float(again.arrays["probabilities"][0]) == pytest.approx(row["probability"], rel=1e-5)
    same = Engine(threads=1).run(Request.make("classify", model, Source.file(picture)))
    assert isinstance(same, Result) and same.meta["readings"] == found.meta["readings"]


def test_the_json_and_the_model_tell_of_it(red: tuple[str, Path], tmp_path: Path) -> None:
    model, picture = red
    assert main.main(["run", "classify", str(picture), "--model", model, "--out", str(tmp_path / "out")]) == 0
    (file,) = [p for p in (tmp_path / "out").glob("*.json") if "recipe" not in p.name]
    rows = json.loads(file.read_text(encoding="utf-8"))["readings"]
    assert [row["class"] for row in rows if row["input"] == "caffe_104"] == ["class 0"]
    description = Engine(threads=1).run(Request("describe", model))
    assert isinstance(description, Result), description
    about = description.meta["description"].about
    assert "no picture can tell RGB from BGR" in about["readings"] and "Caffe's mean" in about["readings"]


def test_what_a_card_says_is_no_assumption(red: tuple[str, Path], tmp_path: Path) -> None:
    model, picture = red
    card = {"preprocessing": {"mean": [104, 117, 123], "std": [1, 1, 1], "range": 255, "order": "bgr", "crop": 64}}
    form.written(tmp_path / "colours.py", card)
    found = Engine(threads=1).run(Request.make("classify", model, Source.file(picture)))
    assert isinstance(found, Result) and "readings" not in found.meta
