"""Scores computed only where an input changed: as exact as a plain pass, for every family; otherwise none at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.vgg import VGG, cfgs, make_layers

from models.attributions.incremental import Incremental, agree, incremental
from models.subject import Subject

NETS = ("resnet18", "mobilenet_v2", "vgg11", "squeezenet1_0", "densenet121", "efficientnet_b0", "shufflenet_v2_x0_5")


def subject_of(net: nn.Module, size: int, *, scores: Any = None) -> Subject:
    torch.manual_seed(1)
    x = torch.randn(1, 3, size, size, dtype=torch.float64)
    return Subject(net, x, scores or net, ("a",), (0, 0, size, size), torch.zeros(1, 3, 1, 1))


def steady(net: nn.Module) -> nn.Module:
    """Give every normalisation statistics as after training, and the network doubles, which leave no doubt."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.05)  # type: ignore[arg-type]
    return net.eval().double().requires_grad_(False)


def changed(subject: Subject, count: int = 5) -> tuple[Tensor, tuple[Any, Any, Any, Any]]:
    """Windows of 13 x 9 px of noise, at the corners too."""
    rng = np.random.default_rng(0)
    size = subject.size[0]
    y0, x0 = rng.integers(0, size - 8, (2, count))
    y0[:3], x0[:3] = (0, size - 5, 0), (0, size - 1, size - 9)
    box = y0, np.minimum(y0 + 13, size), x0, np.minimum(x0 + 9, size)
    inputs = subject.input.repeat(count, 1, 1, 1)
    for n, (a, b, c, d) in enumerate(zip(*box, strict=True)):
        inputs[n, :, a:b, c:d] = torch.randn(3, b - a, d - c, dtype=torch.float64)
    return inputs, box


def compared(net: nn.Module, size: int) -> tuple[Incremental, Tensor, Tensor, Tensor]:
    subject = subject_of(net, size)
    inputs, box = changed(subject)
    with torch.inference_mode():
        local = incremental(subject)
        assert local is not None
        return local, local(inputs, box), net(inputs), net(subject.input)


def vgg11_body() -> nn.Module:
    """VGG's own layers without its half a gigabyte of linear ones."""
    return VGG(make_layers(cfgs["A"]), num_classes=1, init_weights=False).features


@pytest.mark.parametrize("name", NETS)
def test_scores_are_those_of_a_plain_pass(name: str) -> None:
    """Fails if a window is cut a pixel short, at a wrong place or padded otherwise; or if the change is lost."""
    torch.manual_seed(0)
    net = get_model(name, num_classes=4) if name != "vgg11" else nn.Sequential(vgg11_body(), nn.Flatten())
    _, found, wanted, clean = compared(steady(net), 65)
    fall, most = float((wanted - clean).abs().max()), float(wanted.abs().max())
    assert fall > 1e-13 * most
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6 * fall + 1e-14 * most)
    assert not torch.equal(found, clean.expand_as(found))


@pytest.mark.parametrize("size", [17, 24, 31])
@pytest.mark.parametrize(
    "part",
    [
        nn.Conv2d(3, 4, 3, padding=1),
        nn.Conv2d(3, 4, (3, 5), stride=(2, 1), padding=(0, 3)),
        nn.Conv2d(3, 6, 3, stride=3, padding=2, dilation=2, groups=3),
        nn.Conv2d(3, 4, 1, stride=4),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
        nn.MaxPool2d(2, dilation=3),
        nn.AvgPool2d((2, 3), stride=2),
        nn.AvgPool2d(3, 2, padding=1),
        nn.Conv2d(3, 4, 3, padding="same", padding_mode="circular"),
        nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
    ],
)
def test_every_place_of_a_map_is_that_of_a_plain_pass(part: nn.Module, size: int) -> None:
    net = nn.Sequential(part, nn.Conv2d(6 if getattr(part, "groups", 1) == 3 else _width(part), 2, 3), nn.Flatten())
    _, found, wanted, clean = compared(steady(net), size)
    torch.testing.assert_close(found, wanted)
    assert not torch.allclose(wanted, clean)


def _width(part: nn.Module) -> int:
    return 3 if isinstance(part, nn.MaxPool2d | nn.AvgPool2d) else 4


def test_only_what_changes_is_computed() -> None:
    """Fails if windows are taken whole: the numbers would be right and nothing saved."""
    seen: list[int] = []

    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
    subject = subject_of(steady(net), 64)
    inputs, box = changed(subject)
    with torch.inference_mode():
        local = incremental(subject)
        assert local is not None
        handles = [net[i].register_forward_hook(lambda _, given, __: seen.append(given[0].shape[-1])) for i in (1, 3)]
        local(inputs, box)
    for handle in handles:
        handle.remove()
    assert seen == [11, 13]


class Forked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) if x.sum() > 0 else x.amax((2, 3))


class Overwritten(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x * 2
        return torch.relu_(y[:, :, 0]) + nn.functional.relu(y, inplace=True)[:, :, 0] + y[:, :, 0]


def test_a_network_that_cannot_be_followed_has_none() -> None:
    for net in (Forked(), Overwritten()):
        with torch.inference_mode():
            assert incremental(subject_of(steady(net), 20)) is None
    net = nn.Sequential(nn.Flatten()).eval()
    assert incremental(subject_of(net, 20, scores=net.forward)) is None


def test_other_scores_are_told_apart() -> None:
    wanted = torch.tensor([[1.0, -4.0]])
    assert agree(wanted + 1e-5, wanted) and not agree(wanted + 1e-2, wanted)
    assert not agree(wanted * float("nan"), wanted) and not agree(wanted[:, :1], wanted)
