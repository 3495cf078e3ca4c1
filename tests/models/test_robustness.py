"""The smallest change that flips an answer: exact on a linear network, captum's PGD, honest in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import captum.robust
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adapters.classifier import ClassifierAdapter
from models.attributions.adversarial import Attack
from models.cards.card import Card
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIDE = 8
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


class Line(nn.Module):
    """Scores 0 and w·x + b, of values as they come from the preprocessing."""

    def __init__(self, bias: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(3 * SIDE * SIDE, 1)
        nn.init.constant_(self.head.bias, bias)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        value = self.head(x.flatten(1))
        return torch.cat([torch.zeros_like(value), value], 1)


def engine_of(net: nn.Module, **preparation: Any) -> Engine:
    about = {"preprocessing": {"resize": SIDE, "crop": SIDE, "mean": MEAN, "std": STD, **preparation}}
    made = Engine(threads=1)
    made._models["tiny"] = ClassifierAdapter(net.eval(), Card("tiny", classes=("no", "yes"), about=about))
    return made


@pytest.fixture
def grey(tmp_path: Path) -> Source:
    noise = np.random.default_rng(0).integers(110, 140, (SIDE, SIDE, 3), dtype=np.uint8)
    save_png(noise, tmp_path / "grey.png")
    return Source.file(tmp_path / "grey.png")


def ask(engine: Engine, source: Source, **params: Any) -> Result:
    answer = engine.run(Request.make("robustness", "tiny", source, params))
    assert isinstance(answer, Result), answer
    return answer


def margin_of(engine: Engine, source: Source) -> tuple[float, np.ndarray]:
    """How far the two scores are apart, and what a pixel unit of each value moves that."""
    answer = engine.run(Request.make("classify", "tiny", source))
    assert isinstance(answer, Result)
    net = engine.model("tiny").net
    slope = net.head.weight.view(3, SIDE, SIDE) / torch.tensor(STD).view(3, 1, 1) / 255
    with torch.no_grad():
        x = engine.model("tiny").preprocess.input(np.asarray(pixels(source)), torch.device("cpu"))
        scores = net(x)[0]
    return float((scores[1] - scores[0]).abs()), slope.numpy()


def pixels(source: Source) -> np.ndarray:
    from models.pictures.images import read

    return read(source).pixels


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_on_a_linear_network_epsilon_is_the_margin_over_the_slope(grey: Source, order: str) -> None:
    engine = engine_of(Line(bias=1.5), order=order)
    margin, slope = margin_of(engine, grey)
    result = ask(engine, grey)
    meta, exact = result.meta, margin / np.abs(slope).sum()
    assert meta["found"] and exact - 1e-3 <= meta["epsilon"] <= exact + 0.26
    assert {meta["before"], meta["after"]} == {"no", "yes"}
    difference = result.arrays["difference"]
    assert np.abs(difference).max() == pytest.approx(meta["epsilon"], abs=1e-3)
    np.testing.assert_allclose(
        result.arrays["changed"].astype(float), pixels(grey).astype(float) + difference, atol=0.51
    )
    np.testing.assert_array_equal(result.arrays["picture"], pixels(grey))
    assert meta["random"] <= 2 and f"{meta['epsilon']:.3g} of 255" in meta["text"] and "L∞" in meta["text"]
    again = ask(engine_of(Line(bias=1.5), order=order), grey)
    np.testing.assert_array_equal(again.arrays["difference"], difference)


def test_in_the_mean_norm_it_is_no_smaller_than_the_exact_one(grey: Source) -> None:
    engine = engine_of(Line(bias=1.5))
    margin, slope = margin_of(engine, grey)
    exact = margin / np.sqrt((slope.astype(np.float64) ** 2).sum()) / np.sqrt(slope.size)
    meta = ask(engine, grey, norm="L2").meta
    assert meta["found"] and exact - 1e-3 <= meta["epsilon"] <= 1.5 * exact + 0.26
    assert "root mean square" in meta["text"]


@pytest.mark.filterwarnings("ignore::UserWarning")  # captum's, about what it sets itself
def test_the_change_is_captums_for_the_radius_found(grey: Source) -> None:
    engine = engine_of(Line(bias=1.5))
    result = ask(engine, grey, steps=5)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    net, plain = engine.model("tiny").net, torch.from_numpy(pixels(grey)).permute(2, 0, 1)[None] / 255
    label = ("no", "yes").index(result.meta["before"])
    pgd = captum.robust.PGD(lambda p: net((p - mean) / std), Attack(label).margin, lower_bound=0, upper_bound=1)
    radius = round(result.meta["epsilon"] * 4) / 4
    theirs = pgd.perturb(plain, radius / 255, 2.5 * radius / 255 / 5, 5, None)
    expected = ((theirs - plain)[0].permute(1, 2, 0) * 255).numpy()
    np.testing.assert_allclose(result.arrays["difference"], expected, atol=1e-3)


def test_what_is_not_found_is_said_not_to_be_proved(grey: Source) -> None:
    result = ask(engine_of(Line(bias=500.0)), grey, most=2.0)
    text = result.meta["text"]
    assert not result.meta["found"] and "does not prove" in text and "up to 2 of 255" in text
    assert np.abs(result.arrays["difference"]).max() == pytest.approx(2.0, abs=1e-3)


def test_only_what_the_network_sees_of_the_picture_changes(tmp_path: Path) -> None:
    save_png(np.full((SIDE // 2, SIDE, 3), 120, np.uint8), tmp_path / "wide.png")
    engine = engine_of(Line(bias=1.0), fit="pad", crop=[SIDE, SIDE])
    difference = ask(engine, Source.file(tmp_path / "wide.png")).arrays["difference"]
    assert not difference[:2].any() and not difference[-2:].any() and difference[2:-2].any()


class Rounded(Line):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


@pytest.mark.parametrize(
    ("net", "params", "words"),
    [
        (Line(), {"toward": "maybe"}, "no class 'maybe'"),
        (Line(bias=9.0), {"toward": "yes"}, "the answer already"),
        (Rounded(), {}, "cuts it off"),
    ],
    ids=["unknown", "already", "cut"],
)
def test_what_cannot_be_sought_is_said(grey: Source, net: nn.Module, params: dict[str, Any], words: str) -> None:
    answer = engine_of(net).run(Request.make("robustness", "tiny", grey, params))
    assert isinstance(answer, Failure) and words in answer.text and "Traceback" not in answer.text


def test_a_class_may_be_wished_for(grey: Source) -> None:
    meta = ask(engine_of(Line(bias=1.5)), grey, toward="no").meta
    assert meta["found"] and meta["after"] == "no" == meta["toward"]
