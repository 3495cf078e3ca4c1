"""The match inspection through the engine: against torchvision in network pixels, drawn in the picture's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models.detection._utils import Matcher, SSDMatcher
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import box_iou

from models.detection import anchor_design as design
from models.detection import anchor_layout as layout
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.truth import read
from models.truth.types import Annotated, Truth
from models.types import Failure, Result, Source

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
BOXES = np.array(
    [[20, 30, 90, 160], [300, 40, 340, 70], [3, 3, 9, 8], [200, 200, 420, 290], [40, 40, 40, 90], [1, 1, 400, 250]],
    np.float32,
)
CROWD = np.array([False] * 5 + [True])


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A picture with ground truth beside it; the fifth object has no area, the sixth is a crowd."""
    rng = np.random.default_rng(0)
    save_png(rng.integers(0, 255, (300, 450, 3), dtype=np.uint8), tmp_path / "a.png")
    page = Annotated(str(tmp_path / "a.png"), (450, 300), BOXES, np.arange(6) % 3, CROWD)
    truth = Truth("some", "COCO", ("a", "b", "c"), (page,))
    monkeypatch.setattr(read, "read", lambda path, progress=None: truth)
    monkeypatch.setattr(read, "_kept", type(read._kept)())
    (tmp_path / "truth.json").write_text("{}")
    return Source.file(tmp_path / "a.png")


def asked(engine: Engine, model: str, source: Source, **params: object) -> Result:
    truth = str(Path(source.path).parent / "truth.json")
    answer = engine.run(Request.make("match", model, source, {"truth": truth, "ignored": True, **params}))  # type: ignore[dict-item]
    assert isinstance(answer, Result), answer
    return answer


@pytest.mark.parametrize("model", [SSD, RCNN])
@pytest.mark.parametrize("given", [{}, {"fg": 0.45}, {"fg": 0.9}, {"fg": 0.6, "scales": "changed"}])
def test_it_equals_torchvision_in_network_pixels(engine: Engine, scene: Source, model: str, given: dict) -> None:
    net = engine.model(model).net
    generator, matcher = layout.parts(net)
    if "scales" in given:
        given = {**given, "scales": "0.1; 0.2; 0.3; 0.4; 0.5" if model == SSD else "12; 24 30; 48", "ratios": "1.5 3"}
        generator = layout.generator_of(
            design.parse(layout.own_design(generator), given["scales"], given["ratios"]), generator
        )
    if model == RCNN and "fg" in given:
        given = {**given, "bg": 0.2, "low_quality": given["fg"] != 0.45}
    answer = asked(engine, model, scene, **given)

    batch, targets = net.transform([torch.zeros(3, 300, 450)], [{"boxes": torch.from_numpy(BOXES[:4])}])
    with torch.inference_mode():
        maps = list(net.backbone(batch.tensors).values())
    anchors = generator(batch, maps)[0]
    quality = box_iou(targets[0]["boxes"], anchors)
    fg, bg = given.get("fg", matcher.high_threshold), given.get("bg", matcher.low_threshold)
    theirs = SSDMatcher(fg) if model == SSD else Matcher(fg, bg, given.get("low_quality", True))
    row = theirs(quality.clone()).numpy()

    arrays = answer.arrays
    drawn = np.flatnonzero(row != -1)
    np.testing.assert_array_equal(arrays["anchor"], drawn)
    np.testing.assert_array_equal(arrays["truth"], row[drawn].clip(min=-1))
    expected = resize_boxes(anchors[drawn], list(batch.image_sizes[0]), [300, 450]).numpy()
    np.testing.assert_array_equal(arrays["boxes"], expected)
    best = quality.max(dim=1).values.numpy()
    np.testing.assert_array_equal(arrays["truth_best"], best)
    np.testing.assert_array_equal(arrays["covered"], best >= np.float32(fg))
    np.testing.assert_array_equal(arrays["truth_boxes"], BOXES[:4])
    np.testing.assert_array_equal(arrays["truth_anchors"], np.bincount(row[row >= 0], minlength=4))
    sums = arrays["counts"].sum(axis=0)
    assert sums[:2].sum() == (row >= 0).sum() and sums[3] == (row == -1).sum()
    assert sums[2] == ((row == -2).sum() if model == RCNN else 0)
    sizes = [m.shape[-2] * m.shape[-1] * a for m, a in zip(maps, generator.num_anchors_per_location(), strict=True)]
    np.testing.assert_array_equal(arrays["counts"].sum(axis=1), sizes)
    levels = np.repeat(np.arange(len(sizes)), sizes)
    np.testing.assert_array_equal(arrays["level"], levels[drawn])
    assert answer.meta["left_out"] == 2 and answer.meta["annotated"]


def test_what_is_drawn_can_be_chosen(engine: Engine, scene: Source) -> None:
    whole = asked(engine, RCNN, scene).arrays
    for state, name in enumerate(("matched", "forced", "ignored")):
        only = {n: n == name for n in ("matched", "forced", "ignored")}
        part = asked(engine, RCNN, scene, **only).arrays
        np.testing.assert_array_equal(part["anchor"], whole["anchor"][whole["state"] == state])
        np.testing.assert_array_equal(part["counts"], whole["counts"])


def test_the_networks_backbone_is_not_run_and_a_tick_works_out_no_overlap(engine: Engine, scene: Source) -> None:
    first, tick = asked(engine, RCNN, scene, fg=0.71), asked(engine, RCNN, scene, fg=0.72)
    assert "backbone" not in first.meta["timings"]
    assert set(tick.meta["timings"]) == {"match"}


@pytest.mark.parametrize(
    ("model", "given", "says"),
    [
        (RCNN, {"fg": 0.3, "bg": 0.5}, "is above the foreground IoU"),
        (RCNN, {"scales": "1; 2"}, "2 groups of scales, but 3 are needed"),
        (SSD, {"scales": "0.1 0.2; 0.2; 0.3; 0.4; 0.5"}, "one scale per level"),
        (SSD, {"bg": 0.2}, "has one threshold"),
    ],
)
def test_what_cannot_be_is_refused_in_words(engine: Engine, scene: Source, model: str, given: dict, says: str) -> None:
    answer = engine.run(Request.make("match", model, scene, given))
    assert isinstance(answer, Failure) and says in answer.text and answer.advice != "The log has the details."


def test_a_picture_without_ground_truth_is_all_background(engine: Engine, scene: Source) -> None:
    save_png(np.zeros((90, 90, 3), np.uint8), Path(scene.path).parent / "other.png")
    answer = asked(engine, SSD, Source.file(Path(scene.path).parent / "other.png"))
    assert not answer.meta["annotated"] and not len(answer.arrays["boxes"])
    assert answer.arrays["counts"][:, :3].sum() == 0 and answer.arrays["counts"].sum() == 8500


def test_the_models_own_numbers_are_told_and_accepted(engine: Engine, scene: Source) -> None:
    own = asked(engine, RCNN, scene)
    texts = {name: own.meta[f"own_{name}"] for name in ("scales", "ratios")}
    assert texts == {"scales": "16 20 25; 32 40 51; 64 81 102", "ratios": "0.5 1 2; 0.5 1 2; 0.5 1 2"}
    again = asked(engine, RCNN, scene, **texts)
    assert all(np.array_equal(again.arrays[k], v) for k, v in own.arrays.items())
    offer = engine.run(Request("describe", RCNN)).meta["description"].offers["match"]  # type: ignore[union-attr]
    assert {k: offer.defaults[k] for k in ("fg", "bg", "low_quality")} == {"fg": 0.7, "bg": 0.3, "low_quality": True}
