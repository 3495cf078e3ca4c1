"""Attributions that captum computes: equal to captum called by hand, to closed forms, and under the network's guard."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from explained import explained, input_of, network, opened, probe, stages
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from models.attributions import captum_passes
from models.attributions.attribution import Probe
from models.attributions.captum_passes import Tapped, drawing, forward
from models.attributions.methods import (
    deep_lift,
    gradient_shap,
    integrated_gradients,
    internal_influence,
    layer_conductance,
    layer_integrated_gradients,
    neuron_conductance,
    shapley_sampling,
)
from models.attributions.perturbation import BASELINES, baseline, blurred
from models.attributions.superpixels import Parts, parts_of
from models.runtime.forward_passes import Behaviour, seed, through
from models.runtime.watched_pass import random_state
from models.tracing.layers import call_of
from models.tracing.traced_calls import gradients
from models.types import Refusal

TARGET = {"target": "class 3"}
LAYERED = {
    captum.attr.LayerConductance: layer_conductance,
    captum.attr.InternalInfluence: internal_influence,
    captum.attr.LayerIntegratedGradients: layer_integrated_gradients,
}


@pytest.fixture(scope="module")
def model() -> Any:
    return opened(network("resnet18"))


class Small(nn.Module):
    """A rectifier used twice, in place and out of place, then a mean over places: small enough to be exact."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(5, 10)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.second(self.act(self.first(x)))).mean((2, 3)))


@pytest.fixture(scope="module")
def small() -> Any:
    return opened(Small(), side=16)


def assert_near(ours: Any, theirs: Tensor, share: float = 1e-5) -> None:
    expected = theirs.detach().numpy()
    assert ours.shape == expected.shape and np.abs(expected).max() > 0
    assert np.abs(ours - expected).max() <= share * np.abs(expected).max()


def test_gradient_shap_equals_captum_with_the_same_seed(model: Any) -> None:
    """More samples than fit a batch: the parts, made again for the backward pass, change nothing."""
    params = gradient_shap.Params(**TARGET, samples=20, seed=3, sigma=0.05)
    heat = explained(gradient_shap.attribute, model, params)
    subject = probe(model, params).subject
    starts = torch.cat([baseline(subject, name) for name in BASELINES])
    seed(3)
    spread = 0.05 * float(subject.input.max() - subject.input.min())
    theirs = captum.attr.GradientShap(model.net).attribute(
        subject.input, baselines=starts, n_samples=20, stdevs=spread, target=3
    )
    assert_near(heat.values, theirs.sum(1)[0], 1e-4)
    other = explained(gradient_shap.attribute, model, replace(params, seed=4))
    assert np.abs(other.values - heat.values).max() > 1e-3 * np.abs(heat.values).max()


@pytest.mark.parametrize("theirs", LAYERED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("name", "layer"), [("model", "layer4"), ("small", "first")])
def test_layer_methods_equal_captum(request: pytest.FixtureRequest, theirs: Any, name: str, layer: str) -> None:
    ours, model = LAYERED[theirs], request.getfixturevalue(name)
    heat = explained(ours.attribute, model, ours.Params(**TARGET, layer=layer, steps=5))
    x = input_of(model)
    net = network("resnet18") if name == "model" else Small()
    net.act = nn.ReLU()  # captum's way through a layer breaks if what follows writes into it
    found = theirs(net, net.get_submodule(layer)).attribute(x, torch.zeros_like(x), target=3, n_steps=5)
    assert_near(heat.values, found.sum(1)[0], 1e-4)
    assert heat.more["layer"] == layer
    assert (heat.delta is None) == (ours is internal_influence) and (heat.delta or 0) < 0.5


def test_neuron_conductance_is_captums_summed_over_the_channels_places() -> None:
    tiny = opened(Small(), side=6)
    given = {**TARGET, "layer": "second", "steps": 8}

    def through(channel: int) -> Any:
        params = neuron_conductance.Params(**given, channel=channel)
        return explained(neuron_conductance.attribute, tiny, params)

    x = input_of(tiny)
    method = captum.attr.NeuronConductance(tiny.net, tiny.net.second)
    places = [(2, row, column) for row in range(6) for column in range(6)]
    path = {"target": 3, "n_steps": 8, "method": "gausslegendre"}
    one = [method.attribute(x, place, torch.zeros_like(x), **path).detach() for place in places]
    assert_near(through(2).values, torch.stack(one).sum(0).sum(1)[0], 1e-4)
    whole = explained(integrated_gradients.attribute, tiny, integrated_gradients.Params(**TARGET, steps=8))
    np.testing.assert_allclose(sum(through(n).values for n in range(5)), whole.values, atol=1e-6)
    assert through(-1).more["channel"] in range(5)
    with pytest.raises(Refusal, match="second has no channel 5") as refused:
        through(5)
    assert "0 to 4" in refused.value.advice


def test_the_second_call_of_a_module_is_followed_although_captum_alone_would_mix_it_up(small: Any) -> None:
    twice = Small()
    twice.second_act = nn.ReLU()
    net = nn.Sequential(twice.first, nn.ReLU(), twice.second, twice.second_act)

    class Plain(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return twice.head(net(x).mean((2, 3)))

    x = input_of(small)
    theirs = captum.attr.LayerConductance(Plain(), twice.second_act).attribute(
        x, torch.zeros_like(x), target=3, n_steps=8
    )
    ours = explained(layer_conductance.attribute, small, layer_conductance.Params(**TARGET, layer="act#2", steps=8))
    assert_near(ours.values, theirs.sum(1)[0], 1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")  # captum's, about what it sets itself
def test_deep_lift_equals_captum_where_captum_follows_the_network() -> None:
    model = opened(network("vgg11"))
    heat = explained(deep_lift.attribute, model, deep_lift.Params(**TARGET))
    x = input_of(model)
    theirs = captum.attr.DeepLift(model.net).attribute(x, torch.zeros_like(x), target=3)
    assert_near(heat.values, theirs.sum(1)[0], 3e-4)
    assert heat.delta is not None and heat.delta < 1e-4


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v2"])
def test_deep_lift_adds_up_where_captum_fails(name: str) -> None:
    """Modules called twice, activations that are functions, and ReLU6."""
    model, using = opened(network(name)), stages()
    heat = explained(deep_lift.attribute, model, deep_lift.Params(**TARGET, baseline="blur"), using=using)
    assert heat.delta is not None and heat.delta < 1e-3
    with gradients():
        subject = probe(model, deep_lift.Params(), using=using).subject
        assert deep_lift.attribute.verdict(subject, deep_lift.Params(), using).level == "applies"


def test_deep_lift_says_what_it_does_not_cover() -> None:
    model, using = opened(network("vit")), stages()
    with gradients():
        subject = probe(model, deep_lift.Params(), using=using).subject
        found = deep_lift.attribute.verdict(subject, deep_lift.Params(), using)
    assert found.level == "partial" and "layer normalisation (7)" in found.reason and "completeness" in found.reason


def test_deep_lift_and_overlapping_windows_add_up_and_leave_values_in_place_alone() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.pool, self.head = nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, 2), nn.Linear(4, 10)
            self.requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            value = self.conv(x)
            torch.relu_(value)
            return self.head(self.pool(value).sigmoid().mean((2, 3)))

    heat = explained(deep_lift.attribute, opened(Pooled(), side=16), deep_lift.Params(**TARGET))
    assert heat.delta is not None and heat.delta < 1e-4


class Gates(nn.Module):
    """Scores from the means of the picture's four quarters, 1 or 0: class 0 is "first and second", class 1 "or"."""

    def forward(self, x: Tensor) -> Tensor:
        half = x.shape[-1] // 2
        a, b = x[:, 0, :half, :half].mean((1, 2)), x[:, 0, :half, half:].mean((1, 2))
        c = x[:, 0, half:, half:].mean((1, 2))
        return torch.stack([a * b, a + b - a * b, a * b * c], 1)


def quarters(monkeypatch: pytest.MonkeyPatch) -> Probe:
    """A probe of the gates on a white picture, cut into its quarters."""
    labels = np.repeat(np.repeat([[0, 1], [2, 3]], 4, 0), 4, 1)
    model = opened(Gates(), side=8)
    found = probe(model, shapley_sampling.Params(target="class 0"))
    subject = replace(found.subject, input=torch.ones(1, 3, 8, 8), black=torch.zeros(1, 3, 1, 1))
    monkeypatch.setattr(shapley_sampling, "parts_of", lambda *rest: Parts(labels, 4))
    return Probe(subject, found.target, subject.scores(subject.input), stages(), found.pixels)


@pytest.mark.parametrize(
    ("column", "wanted"), [(0, [0.5, 0.5, 0, 0]), (1, [0.5, 0.5, 0, 0]), (2, [1 / 3, 1 / 3, 0, 1 / 3])]
)
def test_shapley_values_of_and_and_or_are_known(
    column: int, wanted: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = quarters(monkeypatch)
    asked = replace(asked, target=replace(asked.target, plus=column))
    with torch.inference_mode():
        params = shapley_sampling.Params(baseline="black", samples=400, seed=1)
        heat = shapley_sampling.attribute.attribute(asked, params)
    found = [heat.values[row, at] for row, at in ((0, 0), (0, 7), (7, 0), (7, 7))]
    np.testing.assert_allclose(found, wanted, atol=0.06)
    assert heat.delta is not None and heat.delta < 1e-6
    assert heat.values[0, 0] == heat.values[3, 3]


def test_shapley_sampling_equals_captum_with_the_same_seed(small: Any) -> None:
    params, using = shapley_sampling.Params(**TARGET, segments=6, samples=3, seed=9), stages()
    heat = explained(shapley_sampling.attribute, small, params, using=using)
    asked = probe(small, params, using=using)
    labels = torch.from_numpy(parts_of(asked.subject, asked.pixels, 6, using).labels)[None, None]
    seed(9)
    theirs = captum.attr.ShapleyValueSampling(small.net).attribute(
        input_of(small), baselines=baseline(asked.subject, "mean"), feature_mask=labels, n_samples=3, target=3
    )
    assert_near(heat.values, theirs[0, 0], 1e-4)


METHODS = (
    layer_conductance,
    internal_influence,
    layer_integrated_gradients,
    neuron_conductance,
    gradient_shap,
    deep_lift,
)


@pytest.mark.parametrize("module", METHODS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_network_that_takes_one_input_at_a_time_gets_the_same_map(
    small: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"layer": "second", "steps": 6} if hasattr(module.Params(), "layer") else {}
    params = module.Params(**TARGET, **given)
    plain = explained(module.attribute, small, params)
    calls: list[int] = []

    class Alone(Small):
        """Refuses more than one input, and numbers its passes."""

        def forward(self, x: Tensor) -> Tensor:
            assert len(x) == 1
            calls.append(1)
            return super().forward(x)

    careful = Behaviour(copies=True, alone=True)
    alone = opened(Alone(), side=16)
    alone.behaviour = careful
    assert alone.subject(np.zeros((16, 16, 3), np.uint8), stages()).alone
    heat = explained(module.attribute, alone, params)
    np.testing.assert_allclose(heat.values, plain.values, atol=1e-6 * np.abs(plain.values).max() + 1e-9, rtol=1e-4)
    assert len(calls) > 2 and through(careful, alone.net) is not alone.net


def test_captum_draws_from_a_seed_of_its_own_and_restores_every_random_state() -> None:
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    before = random_state()
    drawn = []
    for number in (1, 1, 2):
        with drawing(number):
            drawn.append((float(torch.rand(())), np.random.rand(), random.random()))
    assert drawn[0] == drawn[1] != drawn[2]
    assert random_state() == before


def test_a_network_that_seeds_itself_does_not_make_captums_draws_the_same(small: Any) -> None:
    """Fails if passes that reseed the global state make every order of the Shapley values the same one."""

    class Seeding(Small):
        def forward(self, x: Tensor) -> Tensor:
            torch.manual_seed(0)
            return super().forward(x)

    params = shapley_sampling.Params(**TARGET, segments=6, samples=4, seed=2)
    plain = explained(shapley_sampling.attribute, small, params)
    seeding = explained(shapley_sampling.attribute, opened(Seeding(), side=16), params)
    np.testing.assert_allclose(seeding.values, plain.values, atol=1e-6)


def test_what_captum_cannot_follow_gets_a_verdict_with_the_reason(small: Any) -> None:
    class Cut(Small):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.act(self.second(self.act(self.first(x)).detach())).mean((2, 3)))

    def judged(model: Any, layer: str, **changed: Any) -> Any:
        using = stages()
        params = layer_conductance.Params(layer=layer)
        subject = replace(probe(model, params, using=using).subject, **changed)
        with gradients():
            return captum_passes.verdict(subject, params, using)

    cut = opened(Cut(), side=16)
    assert judged(cut, "first").level == "never" and "at layer first: the network" in judged(cut, "first").reason
    assert judged(cut, "second").level == "applies"
    averaged = judged(small, "second", repeats=8)
    assert averaged.level == "never" and "mean of 8 passes" in averaged.reason

    def broken(x: Tensor) -> Tensor:
        raise ValueError("no such thing\nand more")

    using = stages()
    subject = probe(small, layer_conductance.Params(), using=using).subject
    call = call_of(subject, "second", using)
    told = captum_passes._reason_captum_fails(replace(subject, scores=broken), call)
    assert told == "captum cannot follow layer second: no such thing."


def test_a_tap_leaves_the_network_as_it_was_and_runs_once(small: Any) -> None:
    using = stages()
    asked = probe(small, layer_conductance.Params(**TARGET), using=using)
    call = call_of(asked.subject, "first", using)
    tapped, seen = Tapped(asked.subject, call), []
    hook = tapped.taps[0].register_forward_hook(lambda module, given, output: seen.append(output.clone()))
    with torch.no_grad():
        x = torch.cat([asked.subject.input, asked.subject.input * 0])
        assert torch.equal(tapped(x), small.net(x))
        assert len(seen) == 1 and torch.equal(seen[0], small.net.first(x))
    hook.remove()
    assert not any(module._forward_hooks for module in small.net.modules())


def test_parts_of_a_batch_have_the_gradient_of_the_whole(small: Any) -> None:
    asked = probe(small, gradient_shap.Params(**TARGET))
    x = torch.randn(21, 3, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with drawing():
        (ours,) = torch.autograd.grad(forward(asked, "test")(x).sum(), x)
    (whole,) = torch.autograd.grad(small.net(x)[:, 3].sum(), x)
    torch.testing.assert_close(ours, whole)


def test_blurring_row_by_row_is_blurring_the_square() -> None:
    x = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(blurred(x, 2.0, 6), gaussian_blur(x, [13, 13], [2.0, 2.0]), rtol=1e-5, atol=1e-6)
