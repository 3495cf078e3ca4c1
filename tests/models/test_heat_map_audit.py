"""Heat-map audit: planted peaks are found again, the frame is that which was planted, OKS is pycocotools'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import main as program
from models.adapters.hourglass import HourglassAdapter
from models.adapters.keypoint_rcnn import KeypointRcnnAdapter
from models.cards.card import Card
from models.detection import heat_map_decoding as decoding
from models.detection import point_errors
from models.detection.heat_map_decoding import ARGMAX, DARK, FRAMES, MASS, PARABOLA, QUARTER, RULES, Decoding
from models.detection.skeleton import COCO_POINTS, limbs, mirrored
from models.engine import registry
from models.engine.engine import Engine
from models.requests import Request
from models.types import Failure, Result, Source

POINTS, WIDE, HIGH, STRIDE = 17, 192, 256, 4
PLACES = np.random.default_rng(5).uniform((30, 30), (160, 220), (POINTS, 2))
CODE = """
import torch
from torch import nn

class Planted(nn.Module):
    def __init__(self, places, shift):
        super().__init__()
        self.see = nn.Conv2d(3, 1, 9, stride=4, padding=4)
        at = torch.tensor(places) / 4 - shift
        y, x = torch.arange(64.0), torch.arange(48.0)
        away = (x - at[:, :1, None]) ** 2 + (y[:, None] - at[:, 1:, None]) ** 2
        self.register_buffer("maps", (-away / 8).exp().float()[None])

    def forward(self, x):
        return self.maps * (0.9 + 0.1 * self.see(x).sigmoid().mean())

def build():
    torch.manual_seed(0)
    return Planted(PLACES, SHIFT).eval()
"""


def truth_file(folder: Path, name: str, **more: Any) -> Path:
    """A COCO file in which the planted points of one figure are annotated."""
    triples = [v for x, y in PLACES.tolist() for v in (x, y, 2)]
    one = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [20, 20, 150, 210], "area": 12000.0, "keypoints": triples}
    category = {"id": 1, "name": "person", "keypoints": list(COCO_POINTS)}
    page = {"images": [{"id": 1, "file_name": name, "width": WIDE, "height": HIGH}]}
    path = folder / "truth.json"
    path.write_text(json.dumps({**page, "annotations": [{**one, **more}], "categories": [category]}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("planted")
    noise = np.random.default_rng(0).integers(0, 255, (HIGH, WIDE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(place / "a.png")
    truth_file(place, "a.png")
    return place


def asked(model: Any, folder: Path, **settings: Any) -> Result:
    engine = Engine(threads=1)
    engine._models["net"] = model
    found = engine.run(Request.make("heat_map_audit", "net", Source.file(folder / "a.png"), settings))
    assert isinstance(found, Result), found
    return found


@pytest.mark.parametrize("frame", FRAMES)
def test_the_frame_that_was_planted_is_found(frame: str, folder: Path, tmp_path: Path) -> None:
    shift = float(decoding.shift_of(frame, np.array([STRIDE, STRIDE]))[0])
    code = CODE.replace("PLACES", repr(PLACES.tolist())).replace("SHIFT", repr(shift))
    (tmp_path / "net.py").write_text(code, encoding="utf-8")
    words = ["run", "heat_map_audit", str(folder / "a.png"), "--model", f"{tmp_path / 'net.py'}:build?size=192x256"]
    more = ["--set", f"truth={folder / 'truth.json'}", "--allow", "--out", str(tmp_path)]
    assert program.main([*words, *more]) == 0
    said = json.loads((tmp_path / "a.heat_map_audit.json").read_text(encoding="utf-8"))
    assert said["found_frame"] == FRAMES.index(frame) and said["sure"]
    cost = dict(zip(RULES, said["cost"], strict=True))
    assert cost[DARK] < 1e-3 and 1 < cost[ARGMAX] < 2 and cost[QUARTER] < cost[ARGMAX]
    costs = said["frame_cost"]
    assert min(costs) == costs[FRAMES.index(frame)] < 1e-3 and sorted(costs)[1] > 0.4
    assert said["oks"][0] == pytest.approx(1, abs=1e-6) and said["pck"][0] == 1
    assert said["drawn_between"][RULES.index(DARK)] < 1e-6 < 1 < said["drawn_on"][RULES.index(DARK)]


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0, 3.0])
def test_rules_find_a_drawn_point_as_well_as_they_can(sigma: float) -> None:
    places = np.random.default_rng(1).uniform(12, 36, (60, 2))
    maps = decoding.drawn(places, (48, 56), sigma)
    away = {rule: np.abs(decoding.decode(maps, rule) - places) for rule in RULES}
    assert max(away[rule].max() for rule in (DARK, PARABOLA)) < 1e-6
    assert away[MASS].max() < 1e-2
    assert away[ARGMAX].max() <= 0.5 and away[QUARTER].max() <= 0.25 + 1e-9
    assert decoding.width_of(maps) == pytest.approx(sigma)
    logs = np.log(np.maximum(maps, 1e-30))
    np.testing.assert_allclose(decoding.decode(logs, DARK, Decoding(logits=True)), places, atol=1e-6)
    on = decoding.drawn(places, (48, 56), sigma, rounded=True)
    np.testing.assert_allclose(decoding.decode(on, DARK), np.floor(places + 0.5), atol=1e-6)
    places2, height = decoding.second_peaks(np.maximum(maps[:-1], 0.5 * maps[1:]))
    far = np.abs(places[:-1] - places[1:]).max(1) > 4 * sigma
    assert (np.abs(places2 - places[1:])[far] <= 0.5 + 1e-9).all() and (np.abs(height[far] - 0.5) < 0.12).all()


def test_dark_is_that_of_a_public_implementation() -> None:
    transformers: Any = pytest.importorskip("transformers", reason="the extra transformers is not installed")
    module = pytest.importorskip("transformers.models.vitpose.image_processing_vitpose")
    assert transformers is not None
    places = np.random.default_rng(2).uniform(8, 40, (9, 2))
    maps = decoding.drawn(places, (64, 48), 2.0) + np.random.default_rng(3).uniform(0, 0.02, (9, 64, 48))
    coarse = decoding.decode(maps, ARGMAX)[None].astype(np.float32)
    if not hasattr(module, "post_dark_unbiased_data_processing"):
        pytest.skip("this version has the function elsewhere")
    wanted = module.post_dark_unbiased_data_processing(coarse.copy(), maps[None].astype(np.float32), kernel=11)[0]
    found = decoding.decode(maps, DARK, Decoding(smooth=2.0))
    np.testing.assert_allclose(found, wanted, atol=0.05)


def test_oks_is_that_of_pycocotools() -> None:
    rng = np.random.default_rng(4)
    truth = np.column_stack([rng.uniform(0, 90, (POINTS, 2)), rng.integers(0, 3, POINTS).astype(float)])
    found = truth[:, :2] + rng.normal(0, 5, (POINTS, 2))
    area = 3000.0
    sigmas, whose = point_errors.sigmas_of(POINTS)
    k = np.repeat([0.26, 0.25, 0.35, 0.79, 0.72, 0.62, 1.07, 0.87, 0.89], [1, 2, 2, 2, 2, 2, 2, 2, 2]) / 10
    squared = ((found - truth[:, :2]) ** 2).sum(1)
    e = squared / (k * 2) ** 2 / (area + np.spacing(1)) / 2
    wanted = np.exp(-e)[truth[:, 2] > 0].mean()
    assert point_errors.oks(found, truth, area, sigmas) == pytest.approx(wanted, rel=1e-9) and "COCO" in whose
    lost = np.where(np.arange(POINTS)[:, None] == np.flatnonzero(truth[:, 2])[0], np.nan, found)
    assert point_errors.oks(lost, truth, area, sigmas) < wanted
    assert np.isnan(point_errors.oks(found, truth * [1, 1, 0], area, sigmas))


class Brightest(nn.Module):
    """A network whose three maps are bright where the picture is red, green and blue, cell x at pixel 4 x."""

    def forward(self, x: Tensor) -> Tensor:
        smooth = nn.functional.avg_pool2d(nn.functional.pad(x, (2, 2, 2, 2)), 5, 1)
        return smooth[:, :, ::4, ::4]


def test_a_flip_test_says_by_how_much_the_mirrored_map_must_be_shifted(tmp_path: Path) -> None:
    y, x = np.mgrid[:96, :96] + 0.5
    places = np.array([[30.3, 41.0], [58.9, 20.2], [70.1, 66.6]])
    blobs = [255 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 128) for a, b in places]
    Image.fromarray(np.stack(blobs, -1).astype(np.uint8)).save(tmp_path / "a.png")
    about = {"preprocessing": {"crop": [96, 96], "fit": "stretch", "mean": [0, 0, 0], "std": [1, 1, 1]}}
    model = registry.adapt(Brightest().eval(), Card("net", about=about), {"reading": "heat-maps"})
    found = asked(model, tmp_path, flip=True, least=0)
    # A cell at pixel 4 x spans 4 x + 0.5 of the picture; mirrored, the same place lies 1 - 2 * 0.125 cells to the left.
    assert found.arrays["flip_shift"][0] == pytest.approx(2 * 0.125 - 1, abs=0.05)
    assert not found.meta["has_truth"] and (found.arrays["cost"] == -1).all()
    assert "No ground truth" in found.meta["text"] and "left or right" in found.meta["text"]


def test_names_tell_limbs_and_mirror_images() -> None:
    swap = mirrored(COCO_POINTS)
    assert swap is not None and [swap[i] for i in swap] == list(range(17)) and swap[5] == 6 and swap[0] == 0
    assert mirrored(("a", "b")) is None and mirrored(("nose", "l_eye", "r_eye")) == (0, 2, 1)
    names = ("nose", "left_shoulder", "right_shoulder", "left_elbow")
    assert set(limbs(names)) == {(1, 3), (1, 2)} and not limbs(("point 1", "point 2"))


def test_a_stacked_hourglass_is_measured_by_stack_and_figure(folder: Path) -> None:
    with torch.inference_mode(False):
        model = registry.adapt(HourglassAdapter.tiny(), Card("net"))
    wide = asked(model, folder, least=0)
    assert wide.arrays["stack_peak"].shape == (2,) and wide.arrays["heat"].shape == (13, 24, 24)
    truth = str(folder / "truth.json")
    every = {"truth": truth, "values": "logits", "frame": "centred"}  # random maps: each counts, in the same frame
    found = asked(model, folder, **every)
    shared = [name for name in model.landmark_names if name in COCO_POINTS]
    assert found.meta["annotated"] == len(shared) == 12, "the points are told apart by their names"
    row = model.landmark_names.index("left wrist")
    np.testing.assert_allclose(found.arrays["truth"][0, row, :2], PLACES[COCO_POINTS.index("left wrist")])
    first = asked(model, folder, **every, stack=0)
    assert first.arrays["cost"][2] == pytest.approx(found.arrays["stack_cost"][0])
    assert found.arrays["cost"][2] == pytest.approx(found.arrays["stack_cost"][1])
    x0, y0, x1, y1 = found.meta["extent"]
    assert x1 - x0 == y1 - y0 == round(210 * 1.25), "the annotated box is cut out with room around it"


def test_keypoint_rcnn_is_asked_about_the_annotated_box(folder: Path) -> None:
    with torch.inference_mode(False):
        model = registry.adapt(KeypointRcnnAdapter.tiny(), Card("net"))
    found = asked(model, folder, truth=str(folder / "truth.json"))
    assert found.meta["logits"] or float(found.arrays["heat"].min()) > -1
    np.testing.assert_allclose(found.meta["extent"], (20, 20, 170, 230))
    assert found.arrays["errors"].shape == (len(RULES), 1, 17)


def test_what_cannot_be_audited_is_said(folder: Path, tmp_path: Path) -> None:
    engine = Engine(threads=1)
    picture = Source.file(folder / "a.png")
    said = engine.run(Request.make("heat_map_audit", "digits-lenet", picture))
    assert isinstance(said, Failure) and "has no heat maps of key points" in said.text
    with torch.inference_mode(False):
        engine._models["net"] = registry.adapt(HourglassAdapter.tiny(), Card("net", classes=tuple("abcdefghijklm")))
    other = truth_file(tmp_path, str(folder / "a.png"))
    said = engine.run(Request.make("heat_map_audit", "net", picture, {"truth": str(other)}))
    assert isinstance(said, Failure) and "17 points a figure, the network 13" in said.text
    without = truth_file(tmp_path, str(folder / "a.png"), keypoints=[])
    said = engine.run(Request.make("heat_map_audit", "net", picture, {"truth": str(without)}))
    assert isinstance(said, Failure) and "no key points for this picture" in said.text
    said = engine.run(Request.make("heat_map_audit", "net", picture, {"stack": 2}))
    assert isinstance(said, Failure) and "There is no stack 2" in said.text


def test_yolos_lines_of_poses_are_read(folder: Path, tmp_path: Path) -> None:
    from models.truth import key_points

    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "a.png").write_bytes((folder / "a.png").read_bytes())
    shares = (PLACES / [WIDE, HIGH]).tolist()
    line = " ".join(["0 0.5 0.5 0.9 0.9", *(f"{x:.6f} {y:.6f} {i % 3}" for i, (x, y) in enumerate(shares))])
    polygon = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5 0.1 0.3 0.2 0.2"
    (tmp_path / "labels" / "a.txt").write_text(f"{line}\n{polygon}\n", encoding="utf-8")
    found = key_points.of(str(tmp_path), str(tmp_path / "images" / "a.png"), (WIDE, HIGH))
    (figure,) = found.figures
    np.testing.assert_allclose(figure.points[:, :2], PLACES, atol=1e-3)
    assert figure.points[:, 2].tolist() == [i % 3 for i in range(POINTS)]
    assert figure.box == pytest.approx((0.05 * WIDE, 0.05 * HIGH, 0.95 * WIDE, 0.95 * HIGH))
