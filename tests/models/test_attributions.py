"""Gradient methods against captum and closed forms: saliency, input x gradient, SmoothGrad, integrated gradients."""

from __future__ import annotations

from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from explained import CLASSES, NAMES, SIDES, explained, input_of, network, opened, probe, stages
from torch import Tensor, nn

from models.attributions import gradients as gradient
from models.attributions.methods import input_x_gradient, integrated_gradients, saliency, smooth_grad
from models.attributions.methods.integrated_gradients import BASELINES, baseline
from models.runtime.context import Context
from models.tracing.traced_calls import gradients
from models.types import Cancelled

TARGET = {"target": "class 3"}


@pytest.fixture(scope="module", params=["resnet18", "vit"])
def model(request: pytest.FixtureRequest) -> Any:
    return opened(network(request.param))


class Linear(nn.Module):
    """Scores that are linear in the pixels, without a bias."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(3 * 64, CLASSES, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


def assert_near(ours: Any, theirs: Tensor, share: float = 1e-5) -> None:
    expected = theirs.detach().numpy()
    assert np.abs(expected).max() > 0
    assert np.abs(ours - expected).max() <= share * np.abs(expected).max()


def test_saliency_equals_captum(model: Any) -> None:
    heat = explained(saliency.attribute, model, saliency.Params(**TARGET))
    theirs = captum.attr.Saliency(model.net).attribute(input_of(model).requires_grad_(), target=3)
    assert_near(heat.values, theirs.amax(1)[0])


def test_input_x_gradient_equals_captum(model: Any) -> None:
    heat = explained(input_x_gradient.attribute, model, input_x_gradient.Params(**TARGET))
    theirs = captum.attr.InputXGradient(model.net).attribute(input_of(model).requires_grad_(), target=3)
    assert_near(heat.values, theirs.sum(1)[0])
    assert heat.delta is None


@pytest.mark.parametrize("kind", BASELINES)
def test_integrated_gradients_equal_captum_at_the_same_steps(model: Any, kind: str) -> None:
    params = integrated_gradients.Params(**TARGET, steps=11, baseline=kind, seed=5)
    heat = explained(integrated_gradients.attribute, model, params)
    begin = baseline(model.subject(np.zeros((64, 64, 3), np.uint8), stages()), kind, seed=5)
    begin = begin if kind in ("black", "mean") else baseline(probe(model, params).subject, kind, seed=5)
    theirs, delta = captum.attr.IntegratedGradients(model.net).attribute(
        input_of(model), begin, target=3, n_steps=11, return_convergence_delta=True
    )
    assert_near(heat.values, theirs.sum(1)[0])
    assert heat.delta is not None
    assert heat.delta == pytest.approx(abs(float(delta)) / abs(heat.more["promised"]), abs=1e-4)
    assert heat.more["steps"] == 11


def test_integrated_gradients_go_on_until_the_sum_is_within_the_tolerance() -> None:
    model = opened(network("vit"))
    steps, fine = (
        [],
        captum.attr.IntegratedGradients(model.net).attribute(
            input_of(model), input_of(model) * 0, target=3, n_steps=400, internal_batch_size=50
        ),
    )
    misses = []
    for tolerance in (0.5, 0.02, 0.0005):
        params = integrated_gradients.Params(**TARGET, tolerance=tolerance, most=256, baseline="mean")
        heat = explained(integrated_gradients.attribute, model, params)
        assert heat.delta is not None
        assert heat.delta <= tolerance or heat.more["steps"] == 256
        assert float(heat.values.sum(dtype=np.float64)) == pytest.approx(heat.more["promised"], rel=heat.delta + 1e-4)
        steps.append(heat.more["steps"])
        misses.append(np.abs(heat.values - fine.sum(1)[0].numpy()).sum() / fine.sum(1).abs().sum().item())
    assert steps == sorted(steps)
    assert steps[-1] > steps[0] >= 8
    assert misses[-1] < 0.1
    assert misses[-1] < misses[0]


def test_integrated_gradients_stop_at_the_most_steps_and_use_every_gradient_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = opened(network("resnet18"))
    asked: list[int] = []
    at = gradient.at
    monkeypatch.setattr(gradient, "at", lambda probe, x, **k: (asked.append(len(x)), at(probe, x, **k))[1])
    heat = explained(
        integrated_gradients.attribute, model, integrated_gradients.Params(tolerance=0.0001, most=20, **TARGET)
    )
    assert heat.more["steps"] == 20
    assert sum(asked) == 21
    assert heat.delta is not None and heat.delta > 0.0001


def test_on_a_linear_network_all_of_them_are_its_weights() -> None:
    net = Linear()
    net.requires_grad_(False)
    model = opened(net, side=8)
    weight, x = net.head.weight[3].view(3, 8, 8), input_of(model)[0]
    smooth = explained(smooth_grad.attribute, model, smooth_grad.Params(**TARGET, samples=5, sigma=0.3))
    assert_near(smooth.values, weight.abs().amax(0))
    path = explained(integrated_gradients.attribute, model, integrated_gradients.Params(**TARGET, baseline="mean"))
    assert_near(path.values, (weight * x).sum(0))
    assert path.more["steps"] == 8
    assert path.delta is not None and path.delta < 1e-5


def test_smooth_grad_is_the_mean_over_seeded_noise_in_batches_of_any_size(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = smooth_grad.Params(**TARGET, samples=5, sigma=0.2, seed=7)
    heat = explained(smooth_grad.attribute, model, params)
    x, drawn, total = input_of(model), torch.Generator().manual_seed(7), 0
    for _ in range(5):
        noisy = (x + 0.2 * (x.max() - x.min()) * torch.randn(x.shape, generator=drawn)).requires_grad_()
        total = total + torch.autograd.grad(model.net(noisy)[0, 3], noisy)[0]
    assert_near(heat.values, (total / 5).abs().amax(1)[0])
    monkeypatch.setattr(gradient, "BATCH_PX", {"cpu": 2 * 64 * 64})
    assert_near(explained(smooth_grad.attribute, model, params).values, torch.tensor(heat.values))
    other = explained(smooth_grad.attribute, model, smooth_grad.Params(**TARGET, samples=5, sigma=0.2, seed=8))
    assert not np.allclose(other.values, heat.values, rtol=0.01)


def test_a_class_against_another_is_the_difference_of_both() -> None:
    model, params = opened(network("resnet18")), input_x_gradient.Params
    method = input_x_gradient.attribute
    one, two = (explained(method, model, params(target=f"class {i}")).values for i in (3, 5))
    against = explained(method, model, params(target="class 3", against="class 5")).values
    assert_near(against, torch.tensor(one - two), 1e-4)


@pytest.mark.parametrize("method", [smooth_grad.attribute, integrated_gradients.attribute], ids=lambda m: m.id)
def test_a_cancel_ends_the_long_ones_between_batches(model: Any, method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient, "MOST_IN_BATCH", 2)
    told: list[str] = []

    def cancelled() -> bool:
        return len(told) >= 3

    context = Context(report=lambda share, text: told.append(text), cancelled=cancelled)
    with pytest.raises(Cancelled):
        explained(method, model, using=stages(context))
    assert len(told) == 3


def test_the_gradient_at_the_picture_is_made_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    at = gradient.at
    monkeypatch.setattr(gradient, "at", lambda probe, inputs: (asked.append(1), at(probe, inputs))[1])
    using = stages()
    with gradients():
        for method in (saliency.attribute, input_x_gradient.attribute):
            explained(method, model, using=using)
        assert not asked  # of the class explained by itself it comes with the verdict
        for method in (saliency.attribute, input_x_gradient.attribute):
            explained(method, model, method.params(**TARGET), using=using)
    assert asked == [1]


@pytest.mark.parametrize("name", NAMES)
def test_every_family_takes_channels_last(name: str) -> None:
    """Rounding turns ReLUs at their kinks in gradients; scores are continuous."""
    model = opened(network(name), side=SIDES.get(name, 64))
    asked, x = probe(model, saliency.Params(**TARGET)), input_of(model)
    both = torch.cat([x, x.flip(3)])
    with gradients():
        found, scores = gradient.at(asked, both, fast=True)
    expected = model.net(both)[:, 3]
    assert found.shape == both.shape
    assert torch.allclose(scores, expected, rtol=1e-2, atol=1e-5)
