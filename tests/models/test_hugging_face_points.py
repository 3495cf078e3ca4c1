"""Key points of Hugging Face's folders against the library's own post-processing: ViTPose's and SuperPoint's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hugging_face_folders import edit, make

from models.cards.card import PHOTOS
from models.engine.engine import Engine
from models.pictures import images
from models.requests import Request
from models.types import Result, Source

transformers: Any = pytest.importorskip("transformers", reason="the extra transformers is not installed")
pytest.importorskip("scipy", reason="ViTPose's processor needs scipy")
CAT = PHOTOS / "cat.jpg"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("folders")
    return make("vitpose", place / "vitpose").parent if make("superpoint", place / "superpoint") else place


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


def asked(engine: Engine, place: Path, inspection: str = "landmarks", **settings: Any) -> Result:
    found = engine.run(Request.make(inspection, str(place), Source.file(CAT), settings))
    assert isinstance(found, Result), (found.text, found.details)
    return found


@pytest.mark.parametrize("region", ["", "60,40,200,280", "-20,30,120,90"])
def test_points_of_the_picture_and_of_a_box_are_the_librarys(region: str, home: Path, engine: Engine) -> None:
    place, pixels = home / "vitpose", images.read(CAT).pixels
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = (float(v) for v in (region or f"0,0,{width},{height}").split(","))
    boxes = [[[x0, y0, x1 - x0, y1 - y0]]]
    processor = transformers.VitPoseImageProcessor.from_pretrained(place)
    net = transformers.VitPoseForPoseEstimation.from_pretrained(place).eval()
    with torch.no_grad():
        inputs = processor(np.array(pixels), boxes=boxes, return_tensors="pt", input_data_format="channels_last")
        made = net(**inputs)
    wanted = processor.post_process_pose_estimation(made, boxes=boxes)[0][0]
    found = asked(engine, place, region=region)
    np.testing.assert_allclose(found.arrays["points"][:, :2], wanted["keypoints"], rtol=1e-4, atol=0.05)
    np.testing.assert_allclose(found.arrays["points"][:, 2], wanted["scores"], rtol=1e-4)
    np.testing.assert_allclose(found.arrays["heat"], made.heatmaps[0], rtol=1e-3, atol=1e-5)
    assert found.meta["point_names"][0] == "nose" and len(found.meta["limbs"]) > 10, "COCO's figure of 17 points"
    left, top, right, bottom = found.meta["extent"]
    assert left < x0 and top < y0 and right > x1 and bottom > y1, "the box is cut out with room around it"
    assert (right - left) / (bottom - top) == pytest.approx(48 / 64, rel=0.02)


def test_interest_points_are_the_librarys_with_their_scores(home: Path, engine: Engine) -> None:
    place, pixels = home / "superpoint", images.read(CAT).pixels
    processor = transformers.SuperPointImageProcessor.from_pretrained(place)
    net = transformers.SuperPointForKeypointDetection.from_pretrained(place).eval()
    with torch.no_grad():
        made = net(**processor(np.array(pixels), return_tensors="pt", input_data_format="channels_last"))
    wanted = processor.post_process_keypoint_detection(made, [tuple(pixels.shape[:2])])[0]
    found = asked(engine, place)
    points = found.arrays["points"]
    assert len(points) == len(wanted["scores"]) > 3
    assert np.abs(points[:, :2] - wanted["keypoints"].numpy()).max() <= 1, "whole pixels: one for rounding"
    assert (points[:, :2] == wanted["keypoints"].numpy()).mean() > 0.9
    np.testing.assert_allclose(points[:, 2], wanted["scores"], rtol=1e-4)
    assert not found.meta["limbs"] and len(found.meta["point_names"]) == len(points)
    assert found.arrays["inside"].all()


@pytest.mark.parametrize("name", ["vitpose", "superpoint"])
def test_what_makes_a_point_high_is_explained(name: str, home: Path, engine: Engine) -> None:
    assert asked(engine, home / name, "saliency").arrays["map"].any()
    said = engine.run(Request.make("landmarks", str(home / "vitpose"), Source.file(CAT), {"region": "1,2,3"}))
    assert "is not a region" in said.text  # type: ignore[union-attr]


def test_a_mixture_of_experts_is_asked_as_on_its_first_data_set(home: Path, engine: Engine, tmp_path: Path) -> None:
    backbone = transformers.VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_experts=3, part_features=4, out_features=["stage2"],
    )  # fmt: skip
    torch.manual_seed(1)
    net = transformers.VitPoseForPoseEstimation(transformers.VitPoseConfig(backbone_config=backbone, num_labels=5))
    net.eval().save_pretrained(tmp_path)
    transformers.VitPoseImageProcessor(size={"height": 64, "width": 48}).save_pretrained(tmp_path)
    found = asked(engine, tmp_path)
    assert found.meta["point_names"] == tuple(f"point {n}" for n in range(1, 6))
    edit(tmp_path, id2label={str(n): f"joint {n}" for n in range(5)})
    assert asked(Engine(threads=1), tmp_path).meta["point_names"][4] == "joint 4"
