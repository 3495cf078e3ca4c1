"""The documented example: a stranger's one-stage detector through an adapter file, with its real weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from latents import CHECKPOINTS, needed
from own_code import EXAMPLES

from models import model_name
from models.cards import card
from models.detection.iou import iou
from models.engine.engine import Engine
from models.pictures import images
from models.requests import Request
from models.types import Result, Source
from models.user_code import helpers

ADAPTER = EXAMPLES / "face_adapter.py"
PHOTO = card.PHOTOS / "astronaut.jpg"
WEIGHTS = CHECKPOINTS / "face_rfb320" / "version-RFB-320.pth"
FACE = np.array([[178.0, 72.0, 268.0, 178.0]], np.float32)  # drawn by hand: hairline to chin, cheek to cheek
SETTINGS: dict[str, dict[str, Any]] = {
    "missed": {"x0": 180.0, "y0": 60.0, "x1": 270.0, "y1": 180.0},
}


def test_the_example_is_short() -> None:
    assert len(ADAPTER.read_text().splitlines()) <= 60


@pytest.fixture(scope="module")
def opened() -> Engine:
    return Engine(threads=1)


@pytest.fixture
def engine(opened: Engine) -> Engine:
    """One engine for all tests; each has a home of its own, where the file is allowed anew."""
    helpers.allow(ADAPTER)
    return opened


@pytest.fixture(scope="module")
def name() -> str:
    return card.canonical(model_name.join(str(ADAPTER), {"weights": str(WEIGHTS)}))


@needed(WEIGHTS)
def test_it_finds_the_face(engine: Engine, name: str) -> None:
    answer = engine.run(Request.make("detect", name, Source.file(PHOTO), {}))
    assert isinstance(answer, Result), answer
    assert len(answer.arrays["boxes"]) == 1
    assert answer.arrays["scores"][0] > 0.9
    assert iou(answer.arrays["boxes"], FACE)[0] > 0.7
    assert iou(answer.arrays["anchors"], FACE)[0] > 0.5


@needed(WEIGHTS)
def test_its_numbers_are_those_of_the_exported_network(engine: Engine, name: str) -> None:
    runtime = pytest.importorskip("onnxruntime")
    picture = images.read(Source.file(PHOTO)).pixels
    model = engine.model(name)
    with torch.no_grad():
        x = model.transform([torch.from_numpy(picture.copy()).permute(2, 0, 1) / 255])[0].tensors
        logits, offsets = model.outputs(x)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    exported = runtime.InferenceSession(
        WEIGHTS.with_name("version-RFB-320_without_postprocessing.onnx"), options, providers=["CPUExecutionProvider"]
    )
    scores, boxes = exported.run(["scores", "boxes"], {"input": x.numpy()})
    assert np.abs(model.probabilities(logits).numpy() - scores).max() < 1e-4
    assert np.abs(offsets.numpy() - boxes).max() < 1e-4


@needed(WEIGHTS)
def test_its_anchors_are_those_it_was_trained_with(engine: Engine, name: str) -> None:
    answer = engine.run(Request.make("anchors", name, Source.file(PHOTO), {}))
    assert isinstance(answer, Result)
    wanted = []
    for stride, sides in zip((8, 16, 32, 64), ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256)), strict=True):
        for row in range(-(-240 // stride)):
            for column in range(320 // stride):
                for side in sides:
                    x, y = (column + 0.5) * stride, (row + 0.5) * stride
                    wanted.append((x - side / 2, y - side / 2, x + side / 2, y + side / 2))
    boxes = np.array(wanted).clip(0, [320, 240, 320, 240]) * np.tile([512 / 320, 512 / 240], 2)
    assert np.abs(answer.arrays["boxes"] - boxes).max() < 1e-3
    assert answer.arrays["per_cell"].tolist() == [3, 2, 2, 3]


@needed(WEIGHTS)
def test_everything_there_is_to_ask_answers(engine: Engine, name: str, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    x0, y0, x1, y1 = FACE[0].tolist()
    object_ = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "area": 1, "iscrowd": 0}
    picture = {"id": 1, "file_name": str(PHOTO), "width": 512, "height": 512}
    truth.write_text(
        json.dumps({"images": [picture], "annotations": [object_], "categories": [{"id": 1, "name": "face"}]})
    )
    offers = engine.run(Request("describe", name))
    assert isinstance(offers, Result)
    description = offers.meta["description"]
    assert description.capabilities == ("Detects", "HasAnchors", "Traces", "Explains")
    for inspection in (
        "detect",
        "anchors",
        "match",
        "lineage",
        "missed",
        "layers",
        "activations",
        "filters",
        "saliency",
    ):
        assert not description.offers[inspection].reason
        given = SETTINGS.get(inspection, {})
        answer = engine.run(Request.make(inspection, name, Source.file(PHOTO), given))
        assert isinstance(answer, Result), (inspection, answer)
    matched = engine.run(Request.make("match", name, Source.file(PHOTO), {"truth": str(truth)}))
    assert isinstance(matched, Result)
    assert matched.arrays["truth_best"][0] > 0.5
    assert matched.arrays["truth_anchors"][0] > 1
    covered = engine.run(Request.make("coverage", name, Source.file(truth), {}))
    assert isinstance(covered, Result)
    assert covered.meta["covered"] == 1
