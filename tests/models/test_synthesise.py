"""Class visualization: exact on a linear network, uphill on others, the same for a seed, honest in words."""

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
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import read, save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIDE = 16
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
NAMES = ("a", "b", "c")
PLAIN = {"jitter": 0.0, "steps": 12, "rate": 0.02}


class Linear(nn.Module):
    """Scores that are linear in the picture."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(3 * SIDE * SIDE, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


class Deep(nn.Module):
    """A convolution in place, a ReLU in place, and a dead one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.relu = nn.Conv2d(3, 5, 3, stride=2), nn.ReLU(inplace=True)
        self.fc = nn.Linear(5, 3)
        with torch.no_grad():
            self.conv.weight[2].zero_()
            self.conv.bias[2] = -1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.conv(x)).mean((2, 3)))


def engine_of(net: nn.Module, *, classes: tuple[str, ...] = NAMES, **preparation: Any) -> Engine:
    made = Engine(threads=1)
    add(made, "tiny", net, classes=classes, **preparation)
    return made


def add(engine: Engine, name: str, net: nn.Module, *, classes: tuple[str, ...] = NAMES, **preparation: Any) -> None:
    about = {"preprocessing": {"resize": SIDE, "crop": SIDE, "mean": MEAN, "std": STD, **preparation}}
    net.eval().requires_grad_(False)
    engine._models[name] = ClassifierAdapter(net, Card(name, classes=classes, about=about))


@pytest.fixture
def picture(tmp_path: Path) -> Source:
    save_png(np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8), tmp_path / "a.png")
    return Source.file(tmp_path / "a.png")


def ask(engine: Engine, source: Source, **params: Any) -> Result:
    answer = engine.run(Request.make("synthesise", "tiny", source, params))
    assert isinstance(answer, Result), answer
    return answer


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("target", ["a", "c"])
def test_of_a_linear_classifier_it_is_its_weight_image(picture: Source, target: str, order: str) -> None:
    net = Linear()
    result = ask(engine_of(net, order=order), picture, target=target, jitter=0.0)
    weights = net.head.weight[NAMES.index(target)].detach().view(3, SIDE, SIDE) / torch.tensor(STD).view(3, 1, 1)
    weights = weights.flip(0) if order == "bgr" else weights
    made = result.arrays["pictures"][0].astype(float) / 255 - 0.5
    assert cosine(made, weights.permute(1, 2, 0).numpy()) > 0.9, "values near black and white saturate"
    small = ask(engine_of(Linear(), order=order), picture, target=target, **PLAIN)
    change = small.arrays["pictures"][0].astype(float) - small.arrays["strip"][0].astype(float)
    assert cosine(change, weights.permute(1, 2, 0).numpy()) > 0.99
    values = small.arrays["objective"][:, 0]
    assert (np.diff(values) > 0).all(), "monotone on a linear model"
    down = ask(engine_of(Linear(), order=order), picture, target=target, negative=True, **PLAIN)
    assert (np.diff(down.arrays["objective"][:, 0]) < 0).all()


def test_what_it_reports_is_what_the_networks_say_of_its_pictures(picture: Source) -> None:
    engine = engine_of(Deep())
    torch.manual_seed(5)
    second = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    add(engine, "second", second, classes=("c", "B", "x"))
    result = ask(engine, picture, target="b", starts=2, steps=20, other="second")
    for row, made in enumerate(result.arrays["pictures"]):
        for name, column, told in (
            ("tiny", 1, result.meta["own"][row]),
            ("second", 1, result.meta["other"]["same"][row]),
        ):
            model = engine.model(name)
            with torch.no_grad():
                chances = model.net(model.preprocess.input(made, torch.device("cpu"))).softmax(1)[0]
            assert told == pytest.approx(float(chances[column]), abs=1e-5)
    assert result.meta["own"][0] > result.meta["start"] and result.arrays["objective"].shape == (21, 2)
    assert "second sees this class at" in result.meta["text"] and "of its certainty" in result.meta["text"]
    assert result.arrays["strip"].shape == (8, SIDE, SIDE, 3) and result.arrays["strip_steps"][-1] == 20
    np.testing.assert_array_equal(result.arrays["strip"][-1], result.arrays["pictures"][0])
    assert not np.array_equal(result.arrays["pictures"][0], result.arrays["pictures"][1])
    again = ask(engine_of(Deep()), picture, target="b", starts=2, steps=20)
    np.testing.assert_array_equal(again.arrays["pictures"], result.arrays["pictures"])
    assert "ask a second model" in again.meta["text"]
    other = ask(engine_of(Deep()), picture, target="b", steps=20, seed=4)
    assert not np.array_equal(other.arrays["pictures"][0], result.arrays["pictures"][0])


@pytest.mark.parametrize("space", ["pixels", "fourier"])
@pytest.mark.parametrize("optimiser", ["gradient", "adam"])
def test_every_way_goes_uphill(picture: Source, space: str, optimiser: str) -> None:
    result = ask(engine_of(Deep()), picture, target="a", space=space, optimiser=optimiser, steps=15, jitter=0.0)
    values = result.arrays["objective"][:, 0]
    assert values[-1] > values[0] and "went from" in result.meta["text"]


def test_it_may_start_from_the_picture(picture: Source) -> None:
    for space in ("pixels", "fourier"):
        result = ask(engine_of(Deep()), picture, start="picture", space=space, steps=2, rate=0.001, kept=2)
        assert np.abs(result.arrays["strip"][0].astype(int) - read(picture).pixels.astype(int)).max() <= 6, space


def test_the_regularisers_do_what_they_are_named_for(picture: Source) -> None:
    def roughness(**params: Any) -> tuple[float, float]:
        made = ask(engine_of(Linear()), picture, target="b", jitter=0.0, steps=30, **params).arrays["pictures"][0] / 255
        return float(np.abs(np.diff(made, axis=0)).mean()), float(np.square(made - 0.5).mean())

    plain = roughness()
    assert roughness(blur=1.0)[0] < 0.8 * plain[0] and roughness(variation=5000.0)[0] < 0.8 * plain[0]
    assert roughness(length=5000.0)[1] < 0.8 * plain[1] and roughness(blur=1.0, space="fourier")[0] < plain[0]


@pytest.mark.parametrize("layer", ["conv", "relu", "fc"])
def test_a_channels_value_is_what_the_layer_returns(picture: Source, layer: str) -> None:
    net = Deep()
    result = ask(engine_of(net), picture, objective="channel", unit_layer=layer, channel=1, steps=10, jitter=0.0)
    x = torch.from_numpy(result.arrays["pictures"][0]).permute(2, 0, 1)[None] / 255 - torch.tensor(MEAN).view(3, 1, 1)
    x = x / torch.tensor(STD).view(3, 1, 1)
    conv = net.conv(x)
    wanted = {"conv": conv, "relu": conv.relu(), "fc": net(x)[..., None, None]}[layer][0, 1].mean()
    assert result.arrays["objective"][-1, 0] == pytest.approx(float(wanted), abs=0.02)
    assert (
        result.arrays["objective"][-1, 0] > result.arrays["objective"][0, 0] and "channel 1 of" in result.meta["target"]
    )
    if layer != "fc":
        unit = ask(engine_of(net), picture, objective="unit", unit_layer=layer, channel=1, row=2, column=3, steps=3)
        change = np.abs(unit.arrays["strip"][-1].astype(int) - unit.arrays["strip"][0]).sum(2)
        assert "row 2, column 3" in unit.meta["target"] and change.any()


def test_a_detectors_class_is_made_at_the_place_of_a_box(picture: Source) -> None:
    kind = next(each for each in registry.adapter_classes() if each.__name__ == "SsdAdapter")
    engine = Engine(threads=1)
    engine._models["tiny"] = kind(
        kind.tiny().requires_grad_(False), Card("tiny", classes=("background", "a", "b", "c"))
    )
    result = ask(engine, picture, target="c", steps=8)
    assert result.arrays["objective"][-1, 0] > result.arrays["objective"][0, 0]
    assert result.arrays["pictures"].shape[1:3] == (96, 96) and "c of box" in result.meta["target"]
    assert result.meta["own"][0] > result.meta["start"]


class Detached(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class InPlace(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mul_(2).sub_(0.1))


@pytest.mark.parametrize(
    ("net", "params", "words"),
    [
        (Detached(), {}, "cuts it off"),
        (Deep(), {"objective": "channel", "unit_layer": "relu", "channel": 2}, "does not respond at the start"),
        (Deep(), {"objective": "channel", "unit_layer": "conv", "channel": 5}, "has 5 channels"),
        (Deep(), {"objective": "unit", "unit_layer": "conv", "row": 7}, "7 rows and 7 columns"),
        (Deep(), {"objective": "channel", "unit_layer": "convolution"}, "no layer 'convolution'"),
        (Deep(), {"target": "z"}, "no class 'z'"),
    ],
    ids=["cut", "dead", "channel", "place", "layer", "class"],
)
def test_what_cannot_be_made_is_said(picture: Source, net: nn.Module, params: dict[str, Any], words: str) -> None:
    answer = engine_of(net).run(Request.make("synthesise", "tiny", picture, params))
    assert isinstance(answer, Failure) and words in answer.text and "Traceback" not in answer.text


def test_a_network_that_writes_into_its_input_changes_nothing_of_it(picture: Source, tmp_path: Path) -> None:
    result = ask(engine_of(InPlace()), picture, target="a", **PLAIN)
    assert (np.diff(result.arrays["objective"][:, 0]) > 0).all()


def test_a_second_model_without_classes_is_refused(picture: Source) -> None:
    engine = engine_of(Linear())
    vae = next(each for each in registry.adapter_classes() if each.__name__ == "VAEAdapter")
    engine._models["vae"] = registry.adapt(vae.tiny().requires_grad_(False).eval(), Card("vae"))
    answer = engine.run(Request.make("synthesise", "tiny", picture, {"other": "vae", "steps": 2}))
    assert isinstance(answer, Failure) and "tells no classes" in answer.text


def test_halving_is_bilinear(picture: Source) -> None:
    engine = engine_of(Linear())
    result = ask(engine, picture, target="a", steps=5)
    made = torch.from_numpy(result.arrays["pictures"]).permute(0, 3, 1, 2) / 255
    small = functional.interpolate(made, scale_factor=0.5, mode="bilinear", antialias=True)
    large = functional.interpolate(small, (SIDE, SIDE), mode="bilinear")
    x = (large - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    chance = engine.model("tiny").net(x).softmax(1)[0, 0]
    assert result.meta["halved"][0] == pytest.approx(float(chance), abs=0.01)
