"""The bundled generative models and their judge are as good as their cards say, and as good as was asked."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.bundled import gan, lenet, progressive, vae
from models.cards import card as cards
from models.loading import architectures
from models.training import autoregressive, measure
from models.training.lenet import accuracy
from models.training.mnist import digits

DATA = Path(os.environ.get("VITRINE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
VAES, GANS = ("digits-vae", "digits-vae-2d"), ("digits-gan", "digits-infogan", "digits-cgan", "digits-progan")
JUDGE = "digits-lenet"
needs_mnist = pytest.mark.skipif(
    not (DATA / "mnist.npz").is_file(), reason=f"no mnist.npz in {DATA}; VITRINE_DATA names its folder"
)


@pytest.fixture(scope="module")
def test_digits() -> tuple[Tensor, Tensor]:
    return digits(DATA, split="test")


def about(name: str) -> dict[str, Any]:
    return dict(cards.bundled()[name].about)


def figures(name: str) -> dict[str, float]:
    (found,) = about(name)["figures"].values()
    return found


def net(name: str) -> Any:
    card = cards.bundled()[name]
    assert card.weights
    return measure.load(architectures.build(card.architecture, classes=len(card.classes)), card.weights)


@pytest.mark.parametrize("name", [*VAES, *GANS])
def test_a_card_names_the_blocks_of_the_code(name: str) -> None:
    card = about(name)
    size = sum(block["size"] for block in card["latent"])
    made = net(name)
    with torch.inference_mode():
        x = made.decode(torch.zeros(2, size)) if name in VAES else made(torch.zeros(2, size))
    assert x.shape == (2, card["channels"], card["size"], card["size"])
    low, high = card["range"]
    assert x.min() >= low and x.max() <= high and card["task"] == "generation"
    if name in VAES:
        assert card["likelihood"] == "bernoulli" and len(card["kl"]) == size
        assert sum(card["kl"]) == pytest.approx(figures(name)["KL"], abs=1e-3)
        assert isinstance(made, vae.VAE)
    else:
        assert isinstance(made, gan.GAN | progressive.ProgressiveGAN)
    assert made.latent == card["latent"] and list(made.range) == card["range"]


def test_the_figures_reach_what_was_asked() -> None:
    ten, two = (figures(name) for name in VAES)
    assert ten["ELBO"] > -145 and two["ELBO"] > -190
    for figure in (ten, two):
        assert figure["ELBO"] == pytest.approx(figure["reconstruction"] - figure["KL"], abs=1e-3)
        assert figure["IWAE(200), every 20th"] > figure["ELBO, every 20th"]
    assert two["active units"] == 2
    for name in GANS:
        assert figures(name)["class entropy (nats)"] > 0.97 * math.log(10)
        assert figures(name)["smallest class share"] > 0.05
        assert figures(name)["mean confidence"] > 0.9
    assert figures("digits-infogan")["category recovered"] >= 0.90
    assert figures("digits-cgan")["agreement with the digit asked for"] >= 0.95
    assert figures("digits-nade")["nats"] <= 92
    assert figures(JUDGE)["accuracy"] >= 0.99


@needs_mnist
@pytest.mark.parametrize("name", VAES)
def test_the_elbo_on_the_card_is_measured_again(name: str, test_digits: tuple[Tensor, Tensor]) -> None:
    found, kl = measure.vae_figures(net(name), test_digits[0], step=2000, draws=5)
    for key in ("reconstruction", "KL", "ELBO"):
        assert found[key] == pytest.approx(figures(name)[key], abs=0.02)
    assert found["active units"] == figures(name)["active units"]
    assert kl == pytest.approx(about(name)["kl"], abs=1e-3)


@needs_mnist
def test_the_accuracy_on_the_card_is_measured_again(test_digits: tuple[Tensor, Tensor]) -> None:
    assert accuracy(net(JUDGE), *test_digits) == pytest.approx(figures(JUDGE)["accuracy"], abs=2e-4)


@needs_mnist
@pytest.mark.parametrize(("name", "most"), [("digits-pixelcnn", 90), ("digits-nade", 92)])
def test_the_likelihood_on_the_card_is_measured_again(name: str, most: float) -> None:
    """Over every 20th picture, so within what chance allows."""
    figure = figures(name)["nats"]
    assert figure <= most
    pictures = autoregressive.black_and_white(DATA, split="test")[::20]
    assert autoregressive.measure(net(name), pictures)["nats"] == pytest.approx(figure, abs=4)


@needs_mnist
@pytest.mark.parametrize("name", GANS)
def test_the_classes_on_the_card_are_counted_again(name: str, test_digits: tuple[Tensor, Tensor]) -> None:
    """Over a fifth of the pictures, so within what chance allows."""
    judge = net(JUDGE)
    assert isinstance(judge, lenet.LeNet)
    drawn = net(name)
    found = measure.gan_figures(drawn, judge, test_digits[0], count=2000, of_manifold=1000)
    said = figures(name)
    for key in ("class entropy (nats)", "mean confidence", "smallest class share"):
        assert found[key] == pytest.approx(said[key], abs=0.03)
    if name == "digits-cgan":
        agreement = "agreement with the digit asked for"
        assert found[agreement] == pytest.approx(said[agreement], abs=0.03)
    if name == "digits-infogan":
        for key in ("category recovered", "purity of categories"):
            assert found[key] == pytest.approx(said[key], abs=0.03)
        z = gan.draw(gan.CODES, 2000, torch.Generator().manual_seed(3))
        seen = measure.seen(judge, (measure.made(drawn, z) + 1) / 2).probabilities.argmax(1)
        table = measure.shown(z[:, :10].argmax(1), seen)
        assert about(name)["categories"] == [lenet.CLASSES[i] for i in table.argmax(1)]
