"""The bundled generative networks and the scripts that train and measure them, each figure against its definition."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, distributions, nn

from models.bundled import gan, lenet, vae
from models.loading import architectures, weights
from models.training import gan as train_gan
from models.training import lenet as train_lenet
from models.training import measure, store
from models.training import vae as train_vae

COUNT = 24
GANS = ("digits_gan", "digits_infogan")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny mnist.npz: bright squares at ten places."""
    folder = tmp_path_factory.mktemp("mnist")
    labels = np.arange(COUNT) % 10
    pictures = np.zeros((COUNT, 28, 28), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        picture[2 * label : 2 * label + 8, 8:18] = 200
    arrays = {
        f"{split}_{kind}": a for split in ("train", "test") for kind, a in (("images", pictures), ("labels", labels))
    }
    np.savez(folder / "mnist.npz", **arrays)
    return folder


def run(module: object, monkeypatch: pytest.MonkeyPatch, **options: object) -> None:
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["script", *words, "--epochs", "2", "--batch", "8"])
    threads = torch.get_num_threads()
    module.main()  # pyright: ignore[reportAttributeAccessIssue]
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("build", "dimensions"), [(vae.digits_vae, 10), (vae.digits_vae_2d, 2)])
def test_a_vae_encodes_and_decodes(build: object, dimensions: int) -> None:
    net = build()  # pyright: ignore[reportCallIssue]
    x = torch.rand(3, 1, 32, 32)
    mu, logvar = net.encode(x)
    assert mu.shape == logvar.shape == (3, dimensions)
    out = net.decode(mu)
    assert out.shape == x.shape and out.min() >= 0 and out.max() <= 1
    torch.testing.assert_close(net(x), out)
    torch.testing.assert_close(net.logits(mu).sigmoid(), out)


@pytest.mark.parametrize("architecture", GANS)
def test_a_gan_draws_and_judges(architecture: str) -> None:
    net = architectures.build(architecture, classes=0).eval()
    assert isinstance(net, gan.GAN)
    z = gan.draw(net.latent, 5, torch.Generator().manual_seed(0))
    assert z.shape == (5, 64)
    x = net(z)
    assert x.shape == (5, 1, 32, 32) and x.min() >= -1 and x.max() <= 1
    features = net.discriminator.features(x)
    assert features.ndim == 2 and len(features) == 5
    torch.testing.assert_close(net.discriminator.score(features)[:, 0], net.discriminator(x))
    assert net.discriminator(x).shape == (5,)
    if architecture == "digits_infogan":
        category, continuous = net.recogniser(x)
        assert category.shape == (5, 10) and continuous.shape == (5, 2)


def test_codes_follow_the_prior_of_their_blocks() -> None:
    z = gan.draw(gan.CODES, 4000, torch.Generator().manual_seed(0))
    category, uniform, noise = z.split([10, 2, 52], 1)
    assert set(category.unique().tolist()) == {0.0, 1.0} and (category.sum(1) == 1).all()
    assert (category.mean(0) - 0.1).abs().max() < 0.03
    assert uniform.abs().max() <= 1 and abs(float(uniform.var()) - 1 / 3) < 0.02
    assert abs(float(noise.std()) - 1) < 0.01
    torch.testing.assert_close(z, gan.draw(gan.CODES, 4000, torch.Generator().manual_seed(0)))


def test_the_classifier_looks_at_the_mean_of_the_colours() -> None:
    net = lenet.digits_lenet().eval()
    x = torch.rand(4, 3, 32, 32)
    torch.testing.assert_close(net(x), net(x.mean(1, keepdim=True).expand(-1, 3, -1, -1)))
    torch.testing.assert_close(net.fc3(net.features(x)), net(x))
    assert net(x).shape == (4, 10)


def test_the_vae_script_writes_what_opens(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "digits-vae-2d.safetensors"
    run(train_vae, monkeypatch, architecture="digits_vae_2d", data=data, out=out)
    assert architectures.recognise(weights.read(out)) == ("digits_vae_2d", 0)
    card = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["latent"] == [{"kind": "gaussian", "size": 2, "name": "z"}]
    assert len(card["kl"]) == 2 and card["range"] == [0, 1] and card["likelihood"] == "bernoulli"
    (figures,) = card["figures"].values()
    assert figures["ELBO"] == pytest.approx(figures["reconstruction"] - figures["KL"], abs=1e-3)
    assert figures["KL"] == pytest.approx(sum(card["kl"]), abs=1e-3)


@pytest.mark.parametrize("architecture", GANS)
def test_the_gan_script_writes_what_opens(
    architecture: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, out = tmp_path / "judge.safetensors", tmp_path / "gan.safetensors"
    store.save_weights(lenet.digits_lenet(), judge)
    monkeypatch.setattr(train_gan, "FIGURES", {"count": 40, "of_manifold": 20})
    run(train_gan, monkeypatch, architecture=architecture, data=data, out=out, judge=judge)
    assert architectures.recognise(weights.read(out)) == (architecture, 0)
    card = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert sum(block["size"] for block in card["latent"]) == 64
    assert card["task"] == "generation" and card["range"] == [-1, 1]
    if architecture == "digits_infogan":
        assert [block["kind"] for block in card["latent"]] == ["categorical", "uniform", "gaussian"]
        assert len(card["categories"]) == 10


def test_the_classifier_script_writes_what_opens(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "digits-lenet.safetensors"
    run(train_lenet, monkeypatch, data=data, out=out)
    assert architectures.recognise(weights.read(out)) == ("digits_lenet", 10)
    assert json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["classes"] == list("0123456789")


def test_a_missing_data_set_is_said_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"Put MNIST there as an \.npz"):
        run(train_vae, monkeypatch, architecture="digits_vae", data=tmp_path, out=tmp_path / "x.safetensors")


def test_what_is_stored_of_a_bounded_discriminator_judges_the_same() -> None:
    torch.manual_seed(0)
    net = gan.digits_gan()
    train_gan.bounded(net.discriminator)
    x = torch.rand(4, 1, 32, 32)
    for _ in range(5):
        net.discriminator(x)
    stored = train_gan.plain(net, net.generator, "digits_gan")
    assert stored.state_dict().keys() == gan.digits_gan().state_dict().keys()
    net.discriminator.eval()
    torch.testing.assert_close(stored.discriminator(x), net.discriminator(x))


def simple(*, shift: float) -> vae.VAE:
    """A VAE whose posterior is N(shift, 1) whatever the picture and whose pictures do not depend on the code."""
    net = vae.digits_vae_2d().eval()
    for layer in (net.mu, net.logvar, net.decoder[-1]):
        nn.init.zeros_(layer.weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    nn.init.constant_(net.mu.bias, shift)
    nn.init.constant_(net.decoder[-1].bias, 0.3)  # pyright: ignore[reportArgumentType]
    return net


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_bounds_are_exact_where_the_picture_ignores_the_code(shift: float) -> None:
    pictures = (torch.rand(40, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 255).to(torch.uint8)
    x = pictures.double() / 255
    p = 1 / (1 + math.exp(-0.3))
    exact = float((x * math.log(p) + (1 - x) * math.log(1 - p)).flatten(1).sum(1).mean())
    normal = distributions.Normal(torch.full((2,), shift), torch.ones(2))
    kl = float(distributions.kl_divergence(normal, distributions.Normal(torch.zeros(2), torch.ones(2))).sum())
    figures, each = measure.vae_figures(simple(shift=shift), pictures, step=1)
    assert figures["reconstruction"] == pytest.approx(exact, abs=2e-3)
    assert figures["ELBO"] == pytest.approx(exact - kl, abs=2e-3)
    assert sum(each) == pytest.approx(kl, abs=1e-3)
    assert figures["IWAE(200), every 1th"] == pytest.approx(exact, abs=2e-3 if shift == 0 else 0.05)
    assert figures["active units"] == 0


def naive_covered(manifold: Tensor, points: Tensor) -> float:
    hits = 0
    for point in points:
        for centre in manifold:
            radius = sorted(float((centre - other).norm()) for other in manifold)[3]
            if float((centre - point).norm()) <= radius:
                hits += 1
                break
    return hits / len(points)


def test_precision_and_recall_equal_the_naive_ones() -> None:
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(30, 2, generator=rng), 0.5 * torch.randn(25, 2, generator=rng) + 1
    expected = naive_covered(real, fake), naive_covered(fake, real)
    assert measure.precision_recall(real, fake) == pytest.approx(expected)
    assert expected[0] > expected[1]


def test_the_frechet_distance_has_its_closed_form() -> None:
    a = torch.randn(500, 6, generator=torch.Generator().manual_seed(0)) @ torch.randn(6, 6)
    assert measure.frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert measure.frechet(a, a + 2) == pytest.approx(6 * 4, rel=1e-4)
    spread = float(np.trace(np.cov(a.numpy(), rowvar=False)))
    assert measure.frechet(a, 2 * a) == pytest.approx(spread + float((a.mean(0) ** 2).sum()), rel=1e-3)


def test_purity_counts_what_each_category_shows() -> None:
    table = measure.shown(torch.tensor([0, 0, 0, 3, 3]), torch.tensor([7, 7, 1, 2, 2]))
    assert table[0, 7] == 2 and table[0, 1] == 1 and table[3, 2] == 2 and table.sum() == 5
