"""Guided backpropagation and the deconvnet: equal to captum where captum is right, to another way where it is not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from explained import explained, input_of, network, opened, probe
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as hooks
from torch.overrides import _get_current_function_mode_stack

from models.attributions import guided_relu
from models.attributions.guided_relu import judged
from models.attributions.methods import deconvnet, guided_backprop, guided_grad_cam
from models.attributions.target import TargetParams
from models.tracing.rectifiers import Rectified, Rule
from models.tracing.traced_calls import gradients
from models.types import Refusal

pytestmark = pytest.mark.filterwarnings("ignore:Setting backward hooks:UserWarning")
CAPTUM = {"guided": captum.attr.GuidedBackprop, "deconvnet": captum.attr.Deconvolution}
VERDICTS = {
    "googlenet": ("applies", "All 57 activations are ReLU."),
    "densenet121": ("applies", "All 121 activations are ReLU."),
    "mobilenet_v3_small": ("partial", "14 of 42 activations are ReLU; 19 Hardswish, 9 Hardsigmoid keep their plain"),
    "regnet_y_400mf": ("partial", "65 of 81 activations are ReLU; 16 sigmoid keep their plain"),
    "mobilenet_v2": ("never", "0 of 35 activations are ReLU (35 ReLU6)"),
    "efficientnet_b0": ("never", "0 of 65 activations are ReLU (49 SiLU, 16 sigmoid)"),
    "convnext_tiny": ("never", "0 of 18 activations are ReLU (18 GELU)"),
    "swin_v2_t": ("never", "0 of 12 activations are ReLU (12 GELU)"),
    "vit": ("never", "0 of 3 activations are ReLU (3 GELU)"),
}


def ours(model: Any, rule: Rule) -> Tensor:
    with gradients():
        return guided_relu.gradient(probe(model, TargetParams(target="class 3")), rule)


@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
@pytest.mark.parametrize("name", ["vgg11", "resnet18", "squeezenet1_1"])
def test_it_equals_captum_bit_for_bit(name: str, rule: Rule) -> None:
    net = network(name)
    model = opened(net)
    theirs = CAPTUM[rule](net).attribute(input_of(model).requires_grad_(), target=3)
    plain = captum.attr.Saliency(net).attribute(input_of(model).requires_grad_(), target=3, abs=False)
    assert theirs.any()
    assert not torch.allclose(theirs, plain)
    assert torch.equal(ours(model, rule), theirs)


def other_relu(rule: Rule) -> Any:
    """ReLU by a hook on its result's gradient instead of a function with a backward pass; never in place."""

    def relu(value: Tensor, inplace: bool = False) -> Tensor:
        rectified = value.clamp(min=0)
        out = rectified if rule == "guided" else value + (rectified - value).detach()
        if out.requires_grad:
            out.register_hook(lambda back: back.clamp(min=0))
        return out

    return relu


@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
@pytest.mark.parametrize("name", ["densenet121", "googlenet"])
def test_it_equals_a_network_with_replaced_relus_where_captum_misses_functions(
    name: str, rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = network(name)
    model = opened(net)
    found = ours(model, rule)
    x = input_of(model).requires_grad_()
    with monkeypatch.context() as patch:
        patch.setattr(functional, "relu", other_relu(rule))
        (expected,) = torch.autograd.grad(net(x)[0, 3], x)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    theirs = CAPTUM[rule](net).attribute(input_of(model).requires_grad_(), target=3)
    assert (found - theirs).abs().max() > 0.01 * theirs.abs().max()


@pytest.mark.parametrize(("name", "expected"), VERDICTS.items(), ids=VERDICTS)
def test_the_verdict_counts_what_one_pass_calls(name: str, expected: tuple[str, str]) -> None:
    model = opened(network(name))
    verdict = guided_relu.verdict(
        probe(model, TargetParams()).subject, TargetParams(), stages := probe(model, TargetParams()).stages
    )
    assert stages is not None
    assert verdict.level == expected[0]
    assert verdict.reason.startswith(expected[1])
    for method in (guided_backprop.attribute, deconvnet.attribute, guided_grad_cam.attribute):
        if verdict.level == "never":
            with pytest.raises(Refusal, match="it would be the plain gradient"):
                explained(method, model)
        else:
            assert "Adebayo" in explained(method, model).more["caution"]


def test_a_network_without_activations_is_refused() -> None:
    assert judged(0, Counter()).level == "never"


class Ways(nn.Module):
    """Every way to call a ReLU, and one that the picture has no part in."""

    def __init__(self) -> None:
        super().__init__()
        self.module, self.own = nn.ReLU(), nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x, inplace=True) if x.is_leaf is False else functional.relu(x)
        x = torch.relu(x - 0.1)
        x = (x - 0.1).relu()
        x = (x - 0.1).relu_()
        x = torch.relu_(x - 0.1)
        x = self.module(x - 0.1)
        return functional.relu_(x - 0.1) * functional.relu(self.own)


def test_every_way_to_call_a_relu_is_covered_and_in_place_ones_stay_in_place() -> None:
    x = torch.linspace(-1, 2, 30, requires_grad=True)
    with Rectified("guided") as seen:
        out = Ways()(x)
        held = x * 1
        returned = functional.relu(held, inplace=True)
    assert seen.covered == 8
    assert not seen.gates
    assert returned.data_ptr() == held.data_ptr()
    assert torch.equal(held, x.relu())
    (back,) = torch.autograd.grad(out, x, torch.full_like(out, -1.0))
    assert not back.any()


def test_guided_grad_cam_equals_captum_with_bilinear_places() -> None:
    net = network("resnet18")
    model = opened(net)
    heat = explained(guided_grad_cam.attribute, model, guided_grad_cam.Params(target="class 3", layer="layer3"))
    theirs = captum.attr.GuidedGradCam(net, net.layer3).attribute(
        input_of(model).requires_grad_(), target=3, interpolate_mode="bilinear"
    )
    expected = theirs.detach().abs().amax(1)[0].numpy()
    assert expected.max() > 0
    assert np.abs(heat.values - expected).max() <= 1e-5 * expected.max()
    assert heat.more["layer"] == "layer3"


def test_nothing_is_left_when_the_network_raises() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError(functional.relu(x).sum().item())

    with pytest.raises(ValueError), Rectified("guided"):
        Broken()(torch.ones(1, requires_grad=True))
    assert not _get_current_function_mode_stack()
    assert not hooks._global_forward_hooks
    x = torch.ones(1, requires_grad=True)
    (plain,) = torch.autograd.grad(functional.relu(x), x, torch.tensor([-1.0]))
    assert plain == -1
