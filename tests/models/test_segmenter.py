"""Semantic segmentation against torchvision's own forward pass, and what its attributions look into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import get_model, get_model_weights

from models.adapters.segmenter import SegmenterAdapter
from models.cards import card
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

CLASSES = ("__background__", "a", "b", "c")
SIZE = (90, 120)


@pytest.fixture
def engine() -> Engine:
    made = Engine(threads=1)
    about = {"preprocessing": {"resize": 64, "fit": "whole"}}
    made._models["tiny"] = SegmenterAdapter(SegmenterAdapter.tiny().eval(), Card("tiny", classes=CLASSES, about=about))
    return made


@pytest.fixture
def source(tmp_path: Path) -> Source:
    rng = np.random.default_rng(3)
    save_png(rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8), tmp_path / "a.png")
    return Source.file(tmp_path / "a.png")


def ask(engine: Engine, inspection: str, source: Source, **settings: Any) -> Result:
    answer = engine.run(Request.make(inspection, "tiny", source, settings))
    assert isinstance(answer, Result), answer
    return answer


def wanted(engine: Engine, source: Source) -> tuple[torch.Tensor, torch.Tensor]:
    """The input and torchvision's own output for it."""
    from models.pictures import images

    model = engine.model("tiny")
    image = model.preprocess.input(images.read(source).pixels, torch.device("cpu"))
    with torch.no_grad():
        return image, model.net(image)["out"]


def test_classes_are_torchvisions(engine: Engine, source: Source) -> None:
    image, out = wanted(engine, source)
    given = ask(engine, "segment", source)
    labels, sure = given.arrays["labels"], given.arrays["probability"]
    assert image.shape[-2:] == labels.shape == (64, 85)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, out[0].argmax(0).numpy())
    assert np.allclose(sure, out[0].softmax(0).max(0).values.numpy(), atol=1e-6)
    for label, share, mean in zip(*(given.arrays[k] for k in ("classes", "share", "mean")), strict=True):
        assert share == pytest.approx((labels == label).mean())
        assert mean == pytest.approx(sure[labels == label].mean(), abs=1e-6)
    assert given.arrays["share"].sum() == pytest.approx(1.0)
    assert (np.diff(given.arrays["share"]) <= 0).all()


def test_each_pixel_of_the_picture_has_the_class_of_the_input_below_it(engine: Engine, source: Source) -> None:
    given = ask(engine, "segment", source)
    labels, full = given.arrays["labels"], given.arrays["labels_full"]
    assert full.shape == SIZE
    for row, column in ((0, 0), (89, 119), (44, 61), (13, 100)):
        assert full[row, column] == labels[int((row + 0.5) * 64 / 90), int((column + 0.5) * 85 / 120)]


def test_the_score_of_a_class_is_its_mean_over_its_own_pixels(engine: Engine, source: Source) -> None:
    image, out = wanted(engine, source)
    seen = _subject(engine, source)
    labels = out[0].argmax(0)
    scores = seen.scores(image)[0].detach()
    for label in range(4):
        own = labels == label if (labels == label).any() else torch.ones_like(labels, dtype=torch.bool)
        assert float(scores[label]) == pytest.approx(float(out[0, label][own].mean()), abs=1e-5)
    counts = np.bincount(labels.numpy().ravel(), minlength=4)
    assert seen.label == 1 + int(counts[1:].argmax())


def test_the_score_over_a_rectangle_is_the_mean_within_it(engine: Engine, source: Source) -> None:
    image, out = wanted(engine, source)
    seen = _subject(engine, source, region=(30.0, 20.0, 90.0, 70.0))
    inside = out[0, :, round(20 / 90 * 64) : round(70 / 90 * 64), round(30 / 120 * 85) : round(90 / 120 * 85)]
    assert torch.allclose(seen.scores(image)[0], inside.mean((1, 2)), atol=1e-5)


def _subject(engine: Engine, source: Source, region: Any = None) -> Any:
    from models.pictures import images
    from models.runtime.context import Context
    from models.runtime.stage_cache import Cache, CachedStages

    stages = CachedStages(Cache(), ("tiny", source), Context())
    return engine.model("tiny").subject(images.read(source).pixels, stages, region=region)


def test_the_gradient_of_a_score_is_that_of_the_networks_own_output(engine: Engine, source: Source) -> None:
    image, out = wanted(engine, source)
    seen, net = _subject(engine, source), engine.model("tiny").net
    label = int(out[0].argmax(0).flatten()[0])
    own = out[0].argmax(0) == label
    one, other = image.clone().requires_grad_(), image.clone().requires_grad_()
    (given,) = torch.autograd.grad(seen.scores(one)[0, label], one)
    (right,) = torch.autograd.grad(net(other)["out"][0, label][own].mean(), other)
    assert torch.allclose(given, right, atol=1e-7)


@pytest.mark.parametrize("method", ["grad_cam", "saliency", "occlusion"])
def test_attributions_follow_the_class_and_the_rectangle(engine: Engine, source: Source, method: str) -> None:
    whole = ask(engine, method, source, target="a")
    part = ask(engine, method, source, target="a", region="0,0,40,30")
    assert whole.meta["target"] == "a"
    assert part.meta["target"] == "a of the rectangle"
    assert not np.allclose(whole.arrays["map"], part.arrays["map"])


def test_a_rectangle_beside_the_picture_is_refused(engine: Engine, source: Source) -> None:
    answer = engine.run(Request.make("saliency", "tiny", source, {"region": "200,200,220,220"}))
    assert isinstance(answer, Failure)
    assert "outside the picture" in answer.message


def test_a_boxes_edge_is_refused(engine: Engine, source: Source) -> None:
    answer = engine.run(Request.make("saliency", "tiny", source, {"part": "x0"}))
    assert isinstance(answer, Failure)
    assert "has no boxes" in answer.message


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "fcn_resnet50"])
def test_torchvisions_segmenters_open_by_name(name: str, tmp_path: Path) -> None:
    model = registry.open_model(name)
    published: Any = get_model_weights(name).DEFAULT  # pyright: ignore[reportAttributeAccessIssue]
    assert model.card.classes == tuple(published.meta["categories"])
    assert model.card.task == card.task(name) == "segmentation"
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    preset = published.transforms()
    assert torch.equal(
        model.preprocess.input(pixels, torch.device("cpu"))[0], preset(torch.from_numpy(pixels).permute(2, 0, 1))
    )
    if name.startswith("lraspp"):
        torch.manual_seed(5)
        net = get_model(name, weights=None, weights_backbone=None, num_classes=7)
        torch.save(net.state_dict(), tmp_path / "own.pth")
        own = registry.open_model(str(tmp_path / "own.pth"))
        assert type(own).__name__ == "SegmenterAdapter"
        assert len(own.card.classes) == 7
        with torch.no_grad():
            picture = torch.rand(1, 3, 64, 96)
            assert torch.equal(own.net(picture)["out"], net.eval()(picture)["out"])
