"""ELBO and IWAE: against Monte Carlo, a model whose likelihood is known, and the figures of two trained VAEs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from latents import MNIST, mnist, needed, vae, vae_file
from scipy.special import logsumexp
from scipy.stats import bernoulli, multivariate_normal, norm
from torch import Tensor

from models.latent.likelihood_bounds import Bounds, Observation, bits_per_dim, bounds, kl
from models.latent.posterior import aggregate
from models.types import Refusal


def test_kl_is_that_of_monte_carlo() -> None:
    rng = np.random.default_rng(0)
    mu, logvar = torch.tensor([[0.0, 1.5, -0.3]]), torch.tensor([[0.0, -2.0, 0.7]])
    sd = np.exp(0.5 * logvar.numpy())
    z = mu.numpy() + sd * rng.standard_normal((200_000, 3))
    ratio = norm.logpdf(z, mu.numpy(), sd) - norm.logpdf(z)
    np.testing.assert_allclose(kl(mu, logvar)[0], ratio.mean(0), atol=4 * ratio.std(0).max() / 200_000**0.5)
    assert kl(mu, logvar)[0, 0] == 0


def test_likelihoods_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    x, decoded = rng.random((3, 2, 4)).astype(np.float32), rng.random((3, 2, 4)).astype(np.float32)
    found = Observation("gaussian", sigma=0.3).total(torch.from_numpy(x), torch.from_numpy(decoded))
    np.testing.assert_allclose(found, norm.logpdf(x, decoded, 0.3).sum((1, 2)), rtol=1e-5)
    black_white = (x > 0.5).astype(np.float32)
    found = Observation().total(torch.from_numpy(black_white), torch.from_numpy(decoded))
    np.testing.assert_allclose(found, bernoulli.logpmf(black_white, decoded).sum((1, 2)), rtol=1e-5)
    grey = Observation().total(torch.from_numpy(x), torch.from_numpy(decoded))
    np.testing.assert_allclose(grey, (x * np.log(decoded) + (1 - x) * np.log1p(-decoded)).sum((1, 2)), rtol=1e-5)
    logits = np.log(decoded) - np.log1p(-decoded)
    same = Observation(logits=True).total(torch.from_numpy(x), torch.from_numpy(logits))
    np.testing.assert_allclose(same, grey, rtol=1e-5)


def test_a_decoder_that_is_certain_and_wrong_costs_much_but_not_everything() -> None:
    found = Observation().total(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]]))
    assert found.tolist() == [-100.0]


def test_a_likelihood_that_does_not_fit_is_refused() -> None:
    with pytest.raises(Refusal, match=r"decoder's output has -0\.5"):
        Observation().log(torch.zeros(1, 2), torch.tensor([[-0.5, 1.0]]))
    with pytest.raises(Refusal, match="picture has 0 to 255"):
        Observation().log(torch.tensor([[0.0, 255.0]]), torch.zeros(1, 2))


class Linear:
    """Probabilistic PCA (Tipping & Bishop 1999): x = W z + noise. With orthogonal columns the posterior is diagonal."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.w = np.linalg.qr(rng.standard_normal((12, 3)))[0] * np.array([2.0, 1.0, 0.3])
        self.sigma = 0.5
        self.cov = self.w @ self.w.T + self.sigma**2 * np.eye(12)
        self.x = rng.multivariate_normal(np.zeros(12), self.cov, 20)
        m = self.w.T @ self.w + self.sigma**2 * np.eye(3)
        self.mean = self.x @ self.w @ np.linalg.inv(m)
        self.logvar = np.log(np.diag(self.sigma**2 * np.linalg.inv(m)))[None].repeat(20, 0)
        self.exact = multivariate_normal(np.zeros(12), self.cov).logpdf(self.x)

    def decode(self, z: Tensor) -> Tensor:
        return z @ torch.from_numpy(self.w.T).to(z)

    def bounds(self, mean: np.ndarray, logvar: np.ndarray, samples: int, *, times: int = 1, **more: int) -> Bounds:
        tensors = [torch.from_numpy(v).repeat(times, 1) for v in (self.x, mean, logvar)]
        return bounds(*tensors, self.decode, observation=Observation("gaussian", self.sigma), samples=samples, **more)


@pytest.mark.parametrize("samples", [1, 7])
def test_with_the_true_posterior_iwae_is_the_likelihood_itself(samples: int) -> None:
    model = Linear()
    found = model.bounds(model.mean, model.logvar, samples)
    np.testing.assert_allclose(found.iwae, model.exact, rtol=1e-6)
    np.testing.assert_allclose(found.ess, samples, rtol=1e-5)
    many = model.bounds(model.mean, model.logvar, 4000)
    np.testing.assert_allclose(many.elbo, model.exact, atol=0.15)


def test_with_another_posterior_iwae_rises_from_elbo_to_the_likelihood() -> None:
    model = Linear()
    mean, logvar = model.mean + 0.15, model.logvar + 0.5
    found = [model.bounds(mean, logvar, samples, times=max(1, 500 // samples)) for samples in (5, 50, 5000)]
    elbo = float(found[-1].elbo.mean())
    rising = [float(one.iwae.mean()) for one in found]
    assert elbo < rising[0] < rising[1] < rising[2] + 0.03
    assert rising[2] == pytest.approx(float(model.exact.mean()), abs=0.02)
    assert float(model.exact.mean()) - elbo > 0.3
    assert (found[-1].elbo <= found[-1].iwae).all()
    assert ((found[-1].ess > 100) & (found[-1].ess < 4999)).all()


def test_the_parts_are_those_of_a_naive_loop() -> None:
    model = Linear()
    mean, logvar = model.mean + 0.2, model.logvar - 0.3
    found = model.bounds(mean, logvar, 6, seed=5)
    generator = torch.Generator().manual_seed(5)
    for row in range(20):
        noise = torch.randn(6, 3, generator=generator).numpy()
        sd = np.exp(0.5 * logvar[row])
        z = mean[row] + sd * noise
        log_p = norm.logpdf(model.x[row], z @ model.w.T, model.sigma).sum(1)
        log_w = log_p + norm.logpdf(z).sum(1) - norm.logpdf(z, mean[row], sd).sum(1)
        share = np.exp(log_w - logsumexp(log_w))
        assert float(found.rec[row]) == pytest.approx(log_p.mean(), rel=1e-6)
        assert float(found.iwae[row]) == pytest.approx(logsumexp(log_w) - math.log(6), rel=1e-6)
        assert float(found.ess[row]) == pytest.approx(1 / (share**2).sum(), rel=1e-5)
        assert float(found.elbo[row]) == pytest.approx(log_p.mean() - float(found.kl[row].sum()), rel=1e-6)


def test_the_batch_does_not_matter_and_the_seed_does() -> None:
    model = Linear()
    first = model.bounds(model.mean + 0.1, model.logvar, 6)
    for batch in (1, 4, 6, 17, 500):
        other = model.bounds(model.mean + 0.1, model.logvar, 6, batch=batch)
        np.testing.assert_allclose(other.iwae, first.iwae, rtol=1e-9)
    assert not np.allclose(model.bounds(model.mean + 0.1, model.logvar, 6, seed=1).iwae, first.iwae)


def test_units() -> None:
    assert bits_per_dim(-math.log(2) * 784, 784) == pytest.approx(1)


README = {"vae_mnist": (122.7, 19.3, -142.1, -138.2), "betah_mnist": (140.5, 10.7, -151.2, -140.2)}


@needed(vae_file(), MNIST)
@pytest.mark.parametrize("name", README)
def test_the_figures_of_trained_models_are_met(name: str) -> None:
    """On every tenth test picture, which are sorted by class; all 10,000 were checked by hand.

    What the sample is off by is known from its ELBO: the gap between the bounds is compared, on a few of them.
    """
    net, (rec, divergence, elbo, iwae) = vae(name), README[name]
    pictures = mnist(10_000, every=10)
    with torch.inference_mode():
        mu, logvar = net.encode(pictures)
        found = bounds(pictures, mu, logvar, net.decode, observation=Observation(), samples=1)
        few = slice(None, None, 40)
        tight = bounds(pictures[few], mu[few], logvar[few], net.decode, observation=Observation(), samples=200)
    for values, figure in ((-found.rec, rec), (found.kl.sum(1), divergence), (found.elbo, elbo)):
        assert float(values.mean()) == pytest.approx(figure, abs=0.5 + 3 * float(values.std()) / len(values) ** 0.5)
    gap = tight.iwae - tight.elbo
    assert float(gap.mean()) == pytest.approx(iwae - elbo, abs=1.5 + 2 * float(gap.std()) / len(gap) ** 0.5)


def test_the_aggregate_posterior_is_that_of_the_mixture() -> None:
    rng = np.random.default_rng(2)
    mu = rng.standard_normal((4000, 3)) * [0.9, 0.15, 0.001] + [0.5, 0, 0]
    logvar = np.log(np.array([0.2, 0.9, 1.0])) + np.zeros((4000, 1))
    found = aggregate(mu, logvar)
    drawn = mu + np.exp(0.5 * logvar) * rng.standard_normal(mu.shape)
    np.testing.assert_allclose(found.sd, drawn.std(0), rtol=0.03)
    np.testing.assert_allclose(found.mean, drawn.mean(0), atol=0.05)
    np.testing.assert_allclose(found.kl, kl(torch.from_numpy(mu), torch.from_numpy(logvar)).mean(0), rtol=1e-9)
    assert found.active.tolist() == [True, True, False]
    assert found.weak.tolist() == [False, True, True]
    assert found.collapsed.tolist() == [False, False, True]
    lengths = np.linalg.norm(mu, axis=1)
    assert np.mean((lengths >= found.band[0]) & (lengths <= found.band[1])) == pytest.approx(0.95, abs=0.001)
    assert found.verdict == (
        f"2 of 3 dimensions are in use, with {found.kl.sum():.1f} nats in all. 1 dimension is collapsed to the prior. "
        "1 dimension is active by Burda's rule, but carries less than 0.1 nats."
    )


def test_collapse_is_said() -> None:
    found = aggregate(np.full((50, 4), 1e-4), np.zeros((50, 4)))
    assert found.verdict.startswith("Posterior collapse: all 4 dimensions are the prior")


def test_the_variance_that_makes_a_unit_active_is_that_over_pictures() -> None:
    constant = aggregate(np.full((50, 1), 3.0), np.zeros((50, 1)))
    assert not constant.active[0] and not constant.weak[0] and not constant.collapsed[0]
