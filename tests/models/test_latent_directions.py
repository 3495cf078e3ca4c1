"""Directions: against finite differences, linear decoders, planted attributes, and scikit-learn's regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latents import gan_file, gan_generator, needed, vae, vae_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from models.latent import directions
from models.latent.attributes import boundary, cosines, difference, logistic, ranked
from models.latent.directions import factorised, principal, singular
from models.types import Refusal


def normal(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def same_up_to_sign(found: Tensor, wanted: np.ndarray, *, least: float = 0.999) -> None:
    cosine = np.abs((found.double().numpy() * wanted).sum(1))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert (cosine > least).all(), cosine


class Bent(nn.Module):
    """A smooth decoder of D numbers to 3 x 4 x 5 values."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.a, self.b = normal(30, size) / size**0.5, normal(60, 30, seed=1) / 30**0.5

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid((z @ self.a.to(z).T).tanh() @ self.b.to(z).T).view(-1, 3, 4, 5)


def by_differences(decode: Bent, code: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return singular values and right singular vectors of the Jacobian by central differences in float64."""
    step = 1e-5 * torch.eye(len(code), dtype=torch.float64)
    z = code.double()
    jacobian = (decode(z + step) - decode(z - step)).flatten(1).T / 2e-5
    _, values, rows = np.linalg.svd(jacobian.numpy())
    return values, rows


@pytest.mark.parametrize("most", [128, 4], ids=["exact", "iterated"])
def test_singular_directions_are_those_of_finite_differences(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "MOST_EXACT", most)
    decode, code = Bent(24), normal(24, seed=2)
    values, rows = by_differences(decode, code)
    found = singular(decode, code, k=3)
    np.testing.assert_allclose(found.strength, values[:3], rtol=1e-3)
    same_up_to_sign(found.vectors, rows[:3])
    largest = found.vectors[torch.arange(3), found.vectors.abs().argmax(1)]
    assert (largest > 0).all()


def test_of_a_linear_decoder_they_are_its_own_everywhere() -> None:
    weight = normal(40, 6)
    _, values, rows = np.linalg.svd(weight.double().numpy())
    for seed in range(2):
        found = singular(lambda z: (z @ weight.T).view(-1, 1, 5, 8), normal(6, seed=seed), k=9)
        assert found.vectors.shape == (6, 6)
        np.testing.assert_allclose(found.strength, values, rtol=1e-4)
        same_up_to_sign(found.vectors, rows)


def test_iteration_is_the_same_for_a_seed() -> None:
    decode, code = Bent(200), normal(200, seed=3)
    first, again = singular(decode, code, k=2), singular(decode, code, k=2)
    assert torch.equal(first.vectors, again.vectors)
    values, _ = by_differences(decode, code)
    np.testing.assert_allclose(first.strength, values[:2], rtol=1e-2)


@needed(vae_file())
def test_a_step_along_the_strongest_changes_a_real_picture_the_most() -> None:
    net, code = vae(), normal(10, seed=4)
    found = singular(net.decode, code, k=10)
    step = 1e-2
    change = (net.decode(code + step * found.vectors) - net.decode(code - step * found.vectors)).flatten(1).norm(dim=1)
    np.testing.assert_allclose(change / (2 * step), found.strength, rtol=0.05, atol=0.05)
    others = normal(200, 10, seed=5)
    others /= others.norm(dim=1, keepdim=True)
    moved = (net.decode(code + step * others) - net.decode(code - step * others)).flatten(1).norm(dim=1)
    assert (moved <= change[0] * 1.01).all()


def test_the_first_weight_gives_its_own_singular_directions() -> None:
    linear, up = nn.Linear(7, 20), nn.ConvTranspose2d(7, 5, 4)
    for weight, matrix in ((linear.weight, linear.weight), (up.weight, up.weight.flatten(1).T)):
        found = factorised(weight, k=3)
        values, vectors = np.linalg.eigh((matrix.T @ matrix).detach().double().numpy())
        np.testing.assert_allclose(found.strength**2, values[::-1][:3], rtol=1e-4)
        same_up_to_sign(found.vectors, vectors.T[::-1][:3])
        assert not found.vectors.requires_grad
    with pytest.raises(Refusal, match=r"\(5,\)"):
        factorised(torch.zeros(5), k=1)


def test_principal_directions_of_a_linear_layer_are_its_singular_ones() -> None:
    weight = torch.linalg.qr(normal(30, 4))[0] * torch.tensor([4.0, 3.0, 2.0, 1.0])
    mix = torch.linalg.qr(normal(4, 4, seed=1))[0]
    codes = normal(20_000, 4, seed=2)
    found = principal(codes @ (weight @ mix).T, codes, k=9)
    same_up_to_sign(found.vectors, mix.double().numpy(), least=0.999)
    np.testing.assert_allclose(found.strength, np.array([16, 9, 4, 1]) / 30, rtol=0.03)
    with pytest.raises(Refusal, match="too few"):
        principal(normal(4, 9), normal(4, 4), k=1)


@needed(gan_file())
def test_principal_directions_move_an_early_layer_of_a_real_generator() -> None:
    net, codes = gan_generator(), normal(3000, 64)
    early = net[:2](codes)
    found = principal(early, codes, k=5)
    assert (found.strength.diff() <= 0).all() and 0 < float(found.strength.sum()) < 1

    def moved(vectors: Tensor) -> float:
        return float((net[:2](codes[:200, None] + vectors) - early[:200, None]).norm(dim=2).mean())

    random = normal(50, 64, seed=9)
    assert moved(found.vectors) > 1.3 * moved(random / random.norm(dim=1, keepdim=True))


def planted(count: int = 4000, *, tied: float = 0.9) -> tuple[Tensor, Tensor, Tensor]:
    """Codes of 6 numbers: "smile" moves the first by 2, "woman" the second by 3, and mostly they go together."""
    generator = torch.Generator().manual_seed(0)
    woman = torch.rand(count, generator=generator) < 0.5
    smile = (torch.rand(count, generator=generator) < tied) == woman
    codes = torch.randn(count, 6, generator=generator)
    codes[:, 0] += 2 * smile
    codes[:, 1] += 3 * woman
    return codes, smile, woman


def test_a_difference_of_means_takes_over_what_goes_along_unless_it_is_told() -> None:
    codes, smile, woman = planted()
    plain = difference(codes, smile)
    np.testing.assert_allclose(plain, codes[smile].mean(0) - codes[~smile].mean(0), atol=1e-5)
    assert plain[1] > 2
    np.testing.assert_allclose(difference(codes, smile, beside=woman.long()), [2, 0, 0, 0, 0, 0], atol=0.2)
    with pytest.raises(Refusal, match="both"):
        difference(codes, torch.ones(len(codes)))
    with pytest.raises(Refusal, match="both"):
        difference(codes, woman, beside=woman.long())


def test_the_regression_is_that_of_scikit_learn() -> None:
    codes, smile, _ = planted(600)
    weight, bias = logistic(codes, smile)
    other = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(codes.double().numpy(), smile.numpy())
    np.testing.assert_allclose(weight, other.coef_[0], atol=1e-4)
    assert float(bias) == pytest.approx(other.intercept_[0], abs=1e-4)


def test_a_planted_attribute_is_found_and_chance_is_told() -> None:
    codes, smile, _ = planted(tied=0.5)
    found = boundary(codes, smile)
    assert found.held_out == 1000 and found.normal[0] > 0.99
    assert found.normal.norm() == pytest.approx(1)
    assert found.offset == pytest.approx(-1, abs=0.1)  # halfway between 0 and 2
    assert found.auc == pytest.approx(0.921, abs=0.02)  # Phi(2 / sqrt(2)), for two unit normals 2 apart
    noise = boundary(codes, normal(len(codes), seed=7) > 0)
    assert noise.auc == pytest.approx(0.5, abs=0.06)
    with pytest.raises(Refusal, match="fewer than two"):
        boundary(codes, torch.arange(len(codes)) == 0)


def test_held_out_codes_are_not_fitted() -> None:
    """As many dimensions as codes: what is fitted is parted perfectly, what is not by chance."""
    codes, has = normal(200, 200), normal(200, seed=1) > 0
    assert ranked(codes.double() @ logistic(codes, has, penalty=1e-3)[0], has) == 1
    assert boundary(codes, has).auc < 0.75


def test_the_area_is_that_of_scikit_learn_with_ties() -> None:
    scores, has = (normal(300) * 3).round(), normal(300, seed=1) > 0.3
    assert ranked(scores, has) == pytest.approx(roc_auc_score(has, scores))


def test_cosines() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 3.0], [-2.0, 0.0], [1.0, 1.0]])
    wanted = [[1, 0, -1, 0.5**0.5], [0, 1, 0, 0.5**0.5], [-1, 0, 1, -(0.5**0.5)], [0.5**0.5, 0.5**0.5, -(0.5**0.5), 1]]
    np.testing.assert_allclose(cosines(rows), wanted, atol=1e-6)
