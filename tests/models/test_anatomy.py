"""Reconstruction, ELBO and the aggregate posterior through the engine: against the network called by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source
from tests.models.generators import gan, vae


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Engine, str, Source]:
    rng = np.random.default_rng(2)
    grey = np.repeat(rng.integers(0, 255, (32, 32, 1), dtype=np.uint8), 3, 2)
    save_png(grey, tmp_path / "a.png")
    return Engine(threads=1), vae(tmp_path), Source.file(tmp_path / "a.png")


def by_hand(engine: Engine, model: str, pixels: np.ndarray) -> tuple[torch.Tensor, ...]:
    net = engine.model(model).net
    x = torch.from_numpy(pixels[..., 0].astype(np.float32) / 255)[None, None]
    with torch.no_grad():
        mu, logvar = net.encode(x)
        return x, mu, logvar, net.decode(mu)


def test_reconstruction_and_terms_are_those_of_the_network(opened: tuple[Engine, str, Source]) -> None:
    engine, model, source = opened
    told = engine.run(Request.make("elbo", model, source, {"samples": 512, "seed": 3}))
    again = engine.run(Request.make("elbo", model, source, {"samples": 512, "seed": 3}))
    plain = engine.run(Request("reconstruct", model, source))
    assert isinstance(told, Result) and isinstance(again, Result) and isinstance(plain, Result)
    x, mu, logvar, decoded = by_hand(engine, model, told.arrays["target"])
    assert np.allclose(told.arrays["mu"], mu[0], atol=1e-5)
    assert np.allclose(told.arrays["sigma"], (logvar[0] / 2).exp(), atol=1e-5)
    assert np.allclose(told.arrays["residual"], (decoded - x)[0, 0], atol=1e-5)
    assert np.array_equal(told.arrays["picture"], plain.arrays["picture"])
    assert abs(plain.meta["mse"] - float((decoded - x).square().mean())) < 1e-6
    # Another library's closed form, and plain Monte Carlo with other samples.
    posterior = torch.distributions.Normal(mu, (logvar / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))[0]
    assert np.allclose(told.arrays["kl"], expected, atol=1e-5)
    with torch.no_grad():
        torch.manual_seed(0)
        z = posterior.sample((4000,))[:, 0]
        made = engine.model(model).net.decode(z)
        log_p = -functional.binary_cross_entropy(made, x.expand_as(made), reduction="none").flatten(1).sum(1)
    error = float(log_p.std()) * (1 / 512 + 1 / 4000) ** 0.5
    assert abs(told.meta["rec"] - float(log_p.mean())) < 4 * error + 1e-3
    assert told.meta["elbo"] == pytest.approx(told.meta["rec"] - told.meta["kl_total"], abs=1e-6)
    assert told.meta["iwae"] >= told.meta["elbo"] and 1 <= told.meta["ess"] <= 512
    assert again.meta["iwae"] == told.meta["iwae"], "the samples are seeded"


def test_a_gaussian_is_normalised(opened: tuple[Engine, str, Source]) -> None:
    engine, model, source = opened
    told = engine.run(Request.make("elbo", model, source, {"likelihood": "gaussian", "sigma": 0.3, "samples": 200}))
    assert isinstance(told, Result) and told.meta["sigma"] == 0.3
    x, mu, logvar, _ = by_hand(engine, model, told.arrays["target"])
    with torch.no_grad():
        torch.manual_seed(1)
        z = torch.distributions.Normal(mu, (logvar / 2).exp()).sample((4000,))[:, 0]
        density = torch.distributions.Normal(engine.model(model).net.decode(z), 0.3).log_prob(x).flatten(1).sum(1)
    assert abs(told.meta["rec"] - float(density.mean())) < 5 * float(density.std()) * (1 / 200) ** 0.5 + 1e-2


def test_the_aggregate_posterior_is_that_of_the_folder(opened: tuple[Engine, str, Source], tmp_path: Path) -> None:
    engine, model, _ = opened
    folder = tmp_path / "many"
    folder.mkdir()
    rng = np.random.default_rng(7)
    for number in range(9):
        grey = rng.integers(0, 60 + 20 * number, (32, 32, 1), dtype=np.uint8)
        save_png(np.repeat(grey, 3, 2), folder / f"{number}.png")
    told = engine.run(Request.make("posterior", model, None, {"folder": str(folder)}))
    assert isinstance(told, Result) and told.meta["count"] == 9
    each = [
        engine.run(Request.make("elbo", model, Source.file(path), {"samples": 1})) for path in sorted(folder.iterdir())
    ]
    assert all(isinstance(one, Result) for one in each)
    mu = np.stack([one.arrays["mu"] for one in each])  # type: ignore[union-attr]
    kl = np.stack([one.arrays["kl"] for one in each]).mean(0)  # type: ignore[union-attr]
    # Pictures are kept in eight bits, so that nothing but rounding lies between.
    assert np.allclose(told.arrays["mu"], mu, atol=1e-4) and np.allclose(told.arrays["kl"], kl, atol=1e-3)
    assert np.allclose(told.arrays["variance"], mu.var(0), atol=1e-4)
    assert told.arrays["active"].tolist() == (mu.var(0) > 0.01).tolist()


def test_a_gan_has_no_anatomy_of_this_kind(tmp_path: Path, opened: tuple[Engine, str, Source]) -> None:
    engine, _, source = opened
    answer = engine.run(Request("elbo", gan(tmp_path), source))
    assert isinstance(answer, Failure) and "no encoder" in answer.message
