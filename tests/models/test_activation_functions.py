"""Activation functions: found by name and form, counted as by hand, replaced as in a network written with another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adapters.classifier import ClassifierAdapter
from models.cards.card import Card
from models.engine.engine import Engine
from models.features.activation_functions import FLAT, TITLES, Called
from models.pictures.images import read, save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIDE = 16


def silu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def mish(x: Tensor) -> Tensor:
    return x * torch.tanh(functional.softplus(x))


class Net(nn.Module):
    """A function in the middle, one of its own at the end, a gate that is none of them, and a dead channel."""

    def __init__(self, middle: Any = nn.ReLU(inplace=True)) -> None:  # noqa: B008
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 5, 3), nn.Linear(5, 3)
        self.middle = middle
        with torch.no_grad():
            self.conv1.weight[1].zero_()
            self.conv1.bias[1] = -9.0

    def forward(self, x: Tensor) -> Tensor:
        x = self.middle(self.conv1(x))
        x = functional.leaky_relu(self.conv2(x), 0.2)
        x = x.mean((2, 3))
        return self.fc(x * torch.sigmoid(x.mean(1, keepdim=True)))


def engine_of(net: nn.Module) -> Engine:
    about = {"preprocessing": {"resize": SIDE, "crop": SIDE, "mean": (0.5,) * 3, "std": (0.25,) * 3}}
    made = Engine(threads=1)
    made._models["tiny"] = ClassifierAdapter(
        net.eval().requires_grad_(False), Card("tiny", classes=("a", "b", "c"), about=about)
    )
    return made


@pytest.fixture
def picture(tmp_path: Path) -> Source:
    rng = np.random.default_rng(2)
    for name in "abc":
        save_png(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8), tmp_path / f"{name}.png")
    return Source.file(tmp_path / "a.png")


def ask(engine: Engine, source: Source, **params: Any) -> Result:
    answer = engine.run(Request.make("activation_functions", "tiny", source, params))
    assert isinstance(answer, Result), answer
    return answer


def inputs(engine: Engine, source: Source) -> Tensor:
    files = [source, *(Source.file(Path(source.path).with_name(f"{name}.png")) for name in "bc")]
    device = torch.device("cpu")
    return torch.cat([engine.model("tiny").preprocess.input(read(each).pixels, device) for each in files])


def test_every_call_is_listed_and_its_inputs_are_counted(picture: Source) -> None:
    net = Net()
    engine = engine_of(net)
    result = ask(engine, picture)
    assert result.meta["titles"] == ("ReLU", "LeakyReLU", "Sigmoid") and not any(result.meta["form"])
    assert result.meta["calls"] == ("middle", "(network)", "(network)#2") and result.meta["pictures"] == 3
    x = inputs(engine, picture)
    first = net.conv1(x)
    second = net.conv2(first.relu())
    for row, value in enumerate((first, second)):
        span = float(result.arrays["span"][row])
        expected, _ = np.histogram(value.numpy(), 64, (-span, span))
        assert abs(result.arrays["counts"][row] - expected).sum() <= 2 and result.arrays["outside"][row] == 0
        assert result.arrays["below"][row] == pytest.approx(float((value < 0).float().mean()), abs=1e-6)
    assert result.arrays["flat"][0] == pytest.approx(float((first <= 0).float().mean()), abs=1e-6)
    dead = int((first.amax((0, 2, 3)) <= 0).sum())
    assert dead >= 1 and result.arrays["dead"].tolist() == [dead, 0, 0] and result.arrays["units"].tolist() == [4, 5, 1]
    assert f"{dead:,} of 10 units are dead" in result.meta["text"]
    # A leaky ReLU's own slope is on the curve.
    left = result.arrays["slope"][1][result.arrays["x"][1] < -0.01]
    assert left == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize(("form", "title", "plain"), [(silu, "SiLU", nn.SiLU()), (mish, "Mish", nn.Mish())])
def test_products_are_recognised_by_their_form(picture: Source, form: Any, title: str, plain: nn.Module) -> None:
    found, known = ask(engine_of(Net(form)), picture), ask(engine_of(Net(plain)), picture)
    assert found.meta["titles"] == known.meta["titles"] == (title, "LeakyReLU", "Sigmoid")
    assert found.meta["form"] == (True, False, False) and known.meta["form"][0] is False
    for name in ("counts", "curve", "slope", "flat", "dead"):
        np.testing.assert_allclose(found.arrays[name], known.arrays[name], atol=1e-6, err_msg=name)


@pytest.mark.parametrize("net", [Net(), Net(nn.ReLU()), Net(silu), Net(mish), Net(lambda x: x.clamp(min=0))])
def test_a_replacement_gives_what_a_network_written_so_gives(picture: Source, net: nn.Module) -> None:
    engine = engine_of(net)
    calls = ask(engine, picture).meta["calls"]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    result = ask(engine, picture, by="GELU", call=calls[0])
    x = inputs(engine, picture)[:1]
    expected = Net(nn.GELU()).requires_grad_(False)(x).softmax(1)[0]
    assert dict(result.meta["after"]) == pytest.approx(dict(zip("abc", expected.tolist(), strict=True)), abs=1e-6)
    own = net(x.clone()).softmax(1)[0]
    assert dict(result.meta["before"]) == pytest.approx(dict(zip("abc", own.tolist(), strict=True)), abs=1e-6)
    assert result.meta["change"] == pytest.approx(float((own - expected).abs().max()), abs=1e-6)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    whole = ask(engine, picture, by="Identity")
    plain = net.conv2(net.conv1(x)).mean((2, 3))
    scores = net.fc(plain * plain.mean(1, keepdim=True)).softmax(1)[0]
    assert dict(whole.meta["after"]) == pytest.approx(dict(zip("abc", scores.tolist(), strict=True)), abs=1e-5)


def test_curves_are_the_known_ones() -> None:
    x, y, slope = Called("m", "Mish", False, 4.0, functional.mish).curves()
    middle = int(np.abs(x).argmin())
    assert y[middle] == pytest.approx(0, abs=1e-6) and slope[middle] == pytest.approx(0.6, abs=1e-6)
    np.testing.assert_allclose(y, x * np.tanh(np.log1p(np.exp(x))), atol=1e-5)
    x, y, slope = Called("s", "SiLU", False, 8.0, functional.silu).curves()
    gate = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(slope, gate * (1 + x * (1 - gate)), atol=1e-5)
    assert (slope[np.abs(x) > 7.9] >= FLAT).any() and set(TITLES.values()) >= {"ReLU", "GELU", "Hardswish"}


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.mean((2, 3)))


def test_what_cannot_be_shown_is_said(picture: Source) -> None:
    for net, params, words in (
        (Plain(), {}, "no activation function"),
        (Net(), {"by": "GELU", "call": "nowhere"}, "no activation function called 'nowhere'"),
        (Net(), {"folder": str(Path(picture.path).with_name("none"))}, "not a folder"),
    ):
        answer = engine_of(net).run(Request.make("activation_functions", "tiny", picture, params))
        assert isinstance(answer, Failure) and words in answer.text, answer
