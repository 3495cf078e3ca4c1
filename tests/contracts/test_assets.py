"""What is bundled is what its card says: weights, figures, samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.cards import card as cards
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.files import sha256
from models.pictures import images
from models.requests import Request
from models.types import Result, Source

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 8_000_000
IMAGES = ("dark", "light", "suppressed", "anchors", "lineage", "missed", "truth", "compare", "workbench", "figures")
IMAGES += ("explain", "maps", "activations", "proof")
CELLS = "cells-faster-rcnn"
WITHOUT_BACKGROUND = ("digits-centernet", "digits-yolo")
CLASSES = {
    "detection": 11,
    "classification": 10,
    "generation": 0,
    "likelihood": 0,
    "picture to picture": 0,
    "landmarks": 13,
}
LEAST = {"digits-faster-rcnn": (0.95, 0.70), "digits-ssd": (0.93, 0.65)}


@pytest.mark.parametrize("card", cards.bundled().values(), ids=lambda c: c.name)
def test_a_card_tells_the_truth_of_its_weights(card: Card) -> None:
    assert card.weights is not None
    assert card.sha256 == sha256(card.weights)
    assert card.bytes == card.weights.stat().st_size <= MOST_BYTES
    needed = {"preprocessing"}
    needed = {"latent", "range", "size", "channels"} if card.task == "generation" else needed
    needed = {"levels", "size", "channels"} if card.task == "likelihood" else needed
    assert needed | {"training_data", "figures", "licence", "parameters"} <= set(card.about)
    net = registry.open_model(card.name).net
    assert card.about["parameters"] == sum(p.numel() for p in net.parameters())
    wanted = {CELLS: 4, "puppets-parts": 1, **dict.fromkeys(WITHOUT_BACKGROUND, 10)}.get(card.name, CLASSES[card.task])
    assert len(card.classes) == wanted


@pytest.mark.parametrize("name", LEAST)
def test_the_figures_on_the_card_reach_what_was_asked(name: str) -> None:
    figures = cards.bundled()[name].about["figures"]
    mnist = next(v for k, v in figures.items() if "500 scenes of MNIST test digits" in k)
    assert mnist["mAP@0.5"] >= LEAST[name][0]
    assert mnist["mAP@[.5:.95]"] >= LEAST[name][1]
    assert any("scikit-learn" in key for key in figures)


@pytest.mark.parametrize(
    ("name", "least"),
    [("digits-centernet", {"mAP@0.5": 0.93}), ("digits-yolo", {"mAP@0.5": 0.95, "mask AP@0.5": 0.85})],
)
def test_the_figures_of_detectors_without_background(name: str, least: dict[str, float]) -> None:
    figures = cards.bundled()[name].about["figures"]
    mnist = next(v for k, v in figures.items() if "200 scenes of MNIST test digits" in k)
    assert all(mnist[key] >= value for key, value in least.items()), mnist
    assert any("scikit-learn" in key for key in figures)


def test_the_cells_figures_reach_what_was_asked() -> None:
    figures = cards.bundled()[CELLS].about["figures"]["72 photographs of BCCD's test split"]
    assert figures["mAP@0.5"] >= 0.80
    each = [v for k, v in figures.items() if k.startswith("AP@0.5 ")]
    assert len(each) == 3 and abs(sum(each) / 3 - figures["mAP@0.5"]) < 1e-3


@pytest.mark.parametrize(("name", "least"), [("photos-resnet", 0.88), ("photos-vit", 0.70)])
def test_the_classifiers_reach_what_was_asked(name: str, least: float) -> None:
    (figures,) = cards.bundled()[name].about["figures"].values()
    assert figures["accuracy"] >= least


def test_the_classifiers_know_a_cat() -> None:
    """The figures are measured by the training script; this guards against weights that do not belong to the code."""
    engine = Engine(threads=1)
    for name in ("photos-resnet", "photos-vit"):
        answer = engine.run(Request("classify", name, Source.file(cards.samples(name) / "cat.jpg")))
        assert isinstance(answer, Result)
        assert cards.bundled()[name].classes[answer.arrays["labels"][0]] == "cat"


def test_samples_are_pictures_and_the_readmes_images_exist() -> None:
    samples = images.pictures_in(ROOT / "assets" / "samples")
    assert len(samples) >= 3
    assert all(images.size(path) == (640, 480) for path in samples)
    assert len(images.pictures_in(cards.PHOTOS)) >= 3
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in IMAGES:
        assert (ROOT / "docs" / "images" / f"{name}.png").is_file()
    assert "docs/images/dark.png" in readme


def test_the_detectors_find_fresh_digits() -> None:
    """The figures are measured by the training scripts; this guards against weights that do not belong to the code."""
    import numpy as np
    import torch

    from models.bundled.digits import CLASSES
    from models.training.evaluate import average_precision, of_scenes
    from models.training.scene import scenes, sklearn_digits

    for name in LEAST:
        net = registry.open_model(name).net
        with torch.inference_mode():
            pictures = of_scenes(scenes(sklearn_digits(), 12, seed=7))
            found = average_precision(net, pictures, CLASSES)
        assert np.isfinite(found["mAP@0.5"])
        assert found["mAP@0.5"] > 0.75, (name, found)


@pytest.mark.parametrize("name", WITHOUT_BACKGROUND)
def test_the_detectors_without_background_find_fresh_digits(name: str) -> None:
    from models.bundled.digits import CLASSES
    from models.training.answers import Answers
    from models.training.evaluate import average_precision, of_scenes
    from models.training.scene import scenes, sklearn_digits

    found = average_precision(
        Answers(registry.open_model(name)), of_scenes(scenes(sklearn_digits(), 8, seed=7)), CLASSES
    )
    assert found["mAP@0.5"] > 0.6, found
