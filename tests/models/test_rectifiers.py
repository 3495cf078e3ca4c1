"""Rectifiers by what they do: however a ReLU is written, guided maps equal those of the same network with F.relu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from explained import CLASSES, explained, input_of, opened, probe
from torch import Tensor, nn
from torch.nn import functional

from models.attributions import gradients as gradient
from models.attributions import guided_relu
from models.attributions.target import TargetParams
from models.engine import registry
from models.tracing.rectifiers import Rectified, Rule
from models.tracing.traced_calls import gradients
from models.types import Refusal


def masked_in_place(x: Tensor) -> Tensor:
    x = x * 1
    x[x < 0] = 0
    return x


def multiplied_in_place(x: Tensor) -> Tensor:
    x = x * 1
    x *= x > 0
    return x


def on_a_view(x: Tensor) -> Tensor:
    x = x * 1
    x.view(x.shape).relu_()
    return x


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.prelu(x, self.slope)


SPELLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "clamp": lambda x: x.clamp(min=0),
    "clamp with a tensor": lambda x: torch.clamp(x, min=torch.zeros(1)),
    "clamp_min": lambda x: torch.clamp_min(x, 0.0),
    "clamp in place": lambda x: (x * 1).clamp_(min=0),
    "clip": lambda x: x.clip(0),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "where, turned round": lambda x: torch.where(x <= 0, torch.zeros_like(x), x),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "max": lambda x: torch.max(x, torch.tensor(0.0)),
    "max of a stack": lambda x: torch.stack([x, torch.zeros_like(x)]).max(0).values,
    "amax of a stack": lambda x: torch.stack([x, torch.zeros_like(x)]).amax(0),
    "relu_": lambda x: (x * 1).relu_(),
    "relu_ of a view": on_a_view,
    "torch.relu_": lambda x: torch.relu_(x * 1),
    "operator": torch.ops.aten.relu.default,
    "times a comparison": lambda x: x * (x > 0),
    "times a float comparison": lambda x: x * (x >= 0).float(),
    "times a comparison in place": multiplied_in_place,
    "times heaviside": lambda x: x * torch.heaviside(x.detach(), torch.zeros(1)),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "masked in place": masked_in_place,
    "threshold": lambda x: functional.threshold(x, 0, 0),
    "Threshold": nn.Threshold(0, 0),
    "Threshold in place": lambda x: nn.Threshold(0.0, 0.0, inplace=True)(x * 1),
    "Hardtanh without an end": nn.Hardtanh(0, float("inf")),
    "leaky_relu of slope zero": lambda x: functional.leaky_relu(x, 0.0),
    "LeakyReLU of slope zero in place": lambda x: nn.LeakyReLU(0.0, inplace=True)(x * 1),
    "prelu of slope zero": Own(),
    "elu of scale zero": lambda x: functional.elu(x, 0.0),
    "half of x + |x|": lambda x: (x + x.abs()) / 2,
    "half of x + |x|, turned round": lambda x: 0.5 * (torch.abs(x) + x),
    "less what is below zero": lambda x: x - x.clamp(max=0),
    "minus the smaller of -x and zero": lambda x: -torch.minimum(-x, torch.zeros(1)),
}


class Small(nn.Module):
    """Convolutions, each followed by the activation, in a block with a shortcut; then a linear layer."""

    def __init__(self, activation: Callable[[Tensor], Tensor], *, bias: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convs = nn.ModuleList(nn.Conv2d(3 if i == 0 else 6, 6, 3, padding=1) for i in range(4))
        self.head = nn.Linear(6 * 16, CLASSES)
        self.activation = activation
        for conv in self.convs:
            nn.init.constant_(conv.bias, bias)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(functional.avg_pool2d(self.convs[0](x), 4))
        x = x + self.activation(self.convs[2](self.activation(self.convs[1](x))))
        x = self.activation(functional.dropout(self.convs[3](x), 0.5, self.training))
        return self.head(functional.adaptive_avg_pool2d(x, 4).flatten(1))


def ours(net: nn.Module, rule: Rule) -> Tensor:
    with gradients():
        return guided_relu.gradient(probe(opened(net.eval()), TargetParams(target="class 3")), rule)


def judged(net: nn.Module) -> Any:
    asked = probe(opened(net.eval()), TargetParams())
    return guided_relu.verdict(asked.subject, TargetParams(), asked.stages)


@pytest.mark.parametrize("bias", [0.0, 30.0], ids=["either sign", "all above zero"])
@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_however_it_is_written_the_map_is_that_of_relu(spelling: str, rule: Rule, bias: float) -> None:
    if bias and ("half" in spelling or "less" in spelling or "minus" in spelling or "stack" in spelling):
        pytest.skip("several calls that change nothing look like none")
    if bias and spelling == "times heaviside":
        pytest.skip("it tells of no comparison with zero")
    expected = ours(Small(functional.relu, bias=bias), rule)
    x = input_of(opened(Small(functional.relu, bias=bias))).requires_grad_()
    (plain,) = torch.autograd.grad(Small(functional.relu, bias=bias)(x)[0, 3], x)
    assert (expected - plain).abs().max() > 0.1 * plain.abs().max()
    net = Small(SPELLINGS[spelling], bias=bias)
    assert judged(net).reason == "All 4 activations are ReLU."
    assert judged(net).level == "applies"
    torch.testing.assert_close(ours(net, rule), expected)


OTHERS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "ReLU6": (nn.ReLU6(), "4 ReLU6"),
    "hardtanh": (functional.hardtanh, "4 Hardtanh"),
    "clamp": (lambda x: x.clamp(0, 0.3), "4 clamp"),
    "clamp of one side": (lambda x: x.clamp(max=0.1), "4 clamp"),
    "threshold": (lambda x: functional.threshold(x, 0.1, 0.0), "4 threshold"),
    "shifted": (lambda x: torch.where(x > 0.1, x, 0.0), "4 choice by comparison"),
    "leaky by hand": (lambda x: torch.where(x > 0, x, 0.1 * x), "4 choice by comparison"),
    "shifted product": (lambda x: x * (x > 0.1).float(), "4 choice by comparison"),
    "maximum with another number": (lambda x: torch.maximum(x, torch.full_like(x, 0.1)), "4 maximum"),
    "swish by hand": (lambda x: x * torch.sigmoid(x), "4 sigmoid"),
    "SiLU": (nn.SiLU(), "4 SiLU"),
    "PReLU": (nn.PReLU(init=0.25).requires_grad_(False), "4 PReLU"),
    "ELU": (nn.ELU(), "4 ELU"),
    "sine": (torch.sin, "4 Sin"),
    "softsign": (functional.softsign, "4 abs"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_relu_is_named_and_counted(kind: str) -> None:
    activation, named = OTHERS[kind]
    verdict = judged(Small(activation))
    assert verdict.level == "never"
    assert verdict.reason == f"0 of 4 activations are ReLU ({named}): it would be the plain gradient."


def test_a_function_with_a_backward_pass_of_its_own_is_named_as_not_covered() -> None:
    class Swish(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x * x.sigmoid()

        @staticmethod
        def backward(ctx: Any, *back: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return back[0] * x.sigmoid() * (1 + x * (1 - x.sigmoid()))

    net = nn.Sequential(Small(functional.relu), nn.Identity())
    net.forward = lambda x: Swish.apply(net[0](x))  # type: ignore[method-assign]
    verdict = judged(net)
    assert verdict.level == "partial"
    assert verdict.reason == "4 of 5 activations are ReLU; 1 Swish keep their plain gradient."


class Cut(nn.Module):
    """A network that lets no gradient through, one way or another."""

    def __init__(self, cut: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.cut = Small(functional.relu), nn.Linear(CLASSES, CLASSES), cut
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.cut(self.first(x)))


NO_WAY = {
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data * 1,
    "numpy": lambda x: torch.from_numpy(np.asarray(x.detach())),
    "list": lambda x: torch.tensor(x.tolist()),
    "no_grad": torch.no_grad()(lambda x: x * 2),
    "whole numbers": lambda x: (x * 100).long().float(),
}


@pytest.mark.parametrize("cut", NO_WAY)
def test_where_the_network_cuts_gradients_off_it_is_said_so_and_after_which_layer(cut: str) -> None:
    asked = probe(opened(Cut(NO_WAY[cut])), TargetParams())
    told = gradient.missing(asked.subject, asked.stages)
    assert told.startswith("No gradient arrives at the picture: the network cuts it off after first")
    assert guided_relu.verdict(asked.subject, TargetParams(), asked.stages).reason == told


@pytest.mark.parametrize(
    "cut", [torch.round, torch.sign, lambda x: torch.sigmoid(1000 + x)], ids=["round", "sign", "saturated"]
)
def test_a_gradient_that_is_zero_everywhere_is_none(cut: Callable[[Tensor], Tensor]) -> None:
    asked = probe(opened(Cut(cut)), TargetParams())
    assert "zero everywhere" in gradient.missing(asked.subject, asked.stages)
    assert guided_relu.verdict(asked.subject, TargetParams(), asked.stages).level == "never"


OF_GRADIENTS = [m for m in registry.all_attributions().values() if m.gradient and m.id != "cam"]


@pytest.mark.parametrize("cut", ["detach", "numpy"])
@pytest.mark.parametrize("method", OF_GRADIENTS, ids=lambda m: m.id)
def test_no_method_draws_a_map_of_a_gradient_that_does_not_arrive(method: Any, cut: str) -> None:
    with pytest.raises(Refusal, match=r"^No gradient arrives at (the picture|layer first)"):
        explained(method, opened(Cut(NO_WAY[cut])))


def test_a_quantised_network_has_no_guided_map() -> None:
    """Quantised as torch.ao does: layers of whole numbers, a ReLU between."""
    torch.manual_seed(0)
    float_net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten())
    net = nn.Sequential(float_net, nn.LazyLinear(CLASSES), nn.ReLU(), nn.Linear(CLASSES, CLASSES)).eval()
    net(torch.zeros(1, 3, 64, 64))
    net.requires_grad_(False)

    class Fake(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x / 0.05).round().clamp(-128, 127) * 0.05

    quantised = nn.Sequential(Fake(), net[0], Fake(), *list(net)[1:])
    verdict = judged(quantised)
    assert verdict.level == "never"
    assert "zero everywhere" in verdict.reason


def test_what_a_network_does_to_its_own_input_in_place_changes_nothing() -> None:
    class Scaled(Small):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.sub_(0.1))

    assert judged(Scaled(functional.relu)).level == "applies"


def test_nothing_of_a_call_is_done_twice_that_leaves_something_behind() -> None:
    norm = nn.BatchNorm2d(3).train()
    x = torch.rand(2, 3, 4, 4, requires_grad=True)
    with Rectified(None):
        norm(x * 1)
    assert int(norm.num_batches_tracked) == 1
    torch.testing.assert_close(norm.running_mean, 0.1 * x.detach().mean((0, 2, 3)))
