"""The cycle and its steganography test over toys whose answers are known; directions, labels, training mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adapters.directed_translator import DirectedTranslatorAdapter
from models.bundled.translation import DigitsCycleGAN, DigitsStarGAN, chroma, coloured, luminance
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.evaluation.picture_quality import largest_of_channels, psnr
from models.families.proposal import RebuiltTranslator
from models.features import cycle
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

EPS, STEPS = 2 / 255, 15


class Inversion(RebuiltTranslator):
    def run(self, x: Tensor) -> Tensor:
        return 1 - x


class Hiding(RebuiltTranslator):
    """Grey in 16 steps, with the colours hidden in the last bit or so."""

    def run(self, x: Tensor) -> Tensor:
        grey = (x.mean(1, keepdim=True) * STEPS).round() / STEPS
        return grey * (1 - 2 * EPS) + EPS + EPS * (x - 0.5)


class Finding(RebuiltTranslator):
    """Reads the colours out of it."""

    def run(self, x: Tensor) -> Tensor:
        grey = ((x - EPS) / (1 - 2 * EPS) * STEPS).round() / STEPS
        return (x - grey * (1 - 2 * EPS) - EPS) / EPS + 0.5


class Dropping(RebuiltTranslator):
    """As a pix2pix network: batch normalisation and dropout, without effect in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm2d(3), nn.Dropout(0.5)

    def run(self, x: Tensor) -> Tensor:
        return self.drop(self.norm(x)).sigmoid()


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine(threads=1)
    plain = {"preprocessing": {"resize": 256, "fit": "whole", "mean": [0.0] * 3, "std": [1.0] * 3}}
    for net in (Inversion(), Hiding(), Finding(), Dropping()):
        name = type(net).__name__.lower()
        made._models[name] = registry.adapt(net.eval().requires_grad_(False), Card(name, about=plain))
    return made


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    save_png(np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8), path)
    return Source.file(path)


def test_an_inversion_is_honest_and_its_curve_flat(engine: Engine, picture: Source) -> None:
    answer = engine.run(Request.make("cycle", "inversion", picture, {"back": "inversion", "other": picture.path}))
    assert isinstance(answer, Result), answer
    meta, arrays = answer.meta, answer.arrays
    assert meta["cycle"] < 1e-6 and meta["other_cycle"] < 1e-6 and meta["curve"] == "flat"
    np.testing.assert_array_equal(arrays["made"], 255 - arrays["input"])
    np.testing.assert_array_equal(arrays["returned"], arrays["input"])
    # What noise adds comes back as it is, but for what is cut at black and white.
    noise = [k for k, kind in enumerate(meta["kinds"]) if kind == cycle.NOISE and arrays["sigma"][k]]
    assert all(0.8 < meta["times"][k] <= 1.001 for k in noise)
    assert arrays["error"][noise[-1]] == pytest.approx(8 / 255 * np.sqrt(2 / np.pi), rel=0.1)
    # The identity of an inversion is as far off as the picture is from its opposite.
    plain = arrays["input"] / 255
    assert meta["identity_error"] == pytest.approx(float(np.abs(1 - 2 * plain).mean()), abs=1e-6)
    assert meta["losses"]["identity"] == pytest.approx(10 * meta["identity_error"])


def test_a_planted_message_makes_the_curve_steep(engine: Engine, picture: Source) -> None:
    answer = engine.run(Request.make("cycle", "hiding", picture, {"back": "finding"}))
    assert isinstance(answer, Result), answer
    meta, arrays = answer.meta, answer.arrays
    assert meta["cycle"] < 0.01 and meta["curve"] == "steep" and "hidden message" in meta["text"]
    assert np.abs(arrays["made"].astype(int) - arrays["made"].mean(-1, keepdims=True)).max() < 2, "it looks grey"
    by_kind = dict(zip(meta["kinds"], arrays["error"], strict=True))
    assert by_kind["8 bits"] > 5 * meta["cycle"] and by_kind["JPEG 75"] > 0.1
    details = arrays["details"].astype(int)
    assert np.abs(details - details.mean(-1, keepdims=True)).max() > 5, "enlarged, the message shows"
    again = engine.run(Request.make("cycle", "hiding", picture, {"back": "finding", "seed": 1}))
    assert isinstance(again, Result) and not np.array_equal(again.arrays["error"], arrays["error"])


def test_without_a_way_back_it_says_where_one_comes_from(engine: Engine, picture: Source) -> None:
    answer = engine.run(Request.make("cycle", "hiding", picture))
    assert isinstance(answer, Failure) and "no way back" in answer.message and "second model" in answer.advice


def test_training_mode_is_offered_with_a_seed_and_leaves_the_model(engine: Engine, picture: Source) -> None:
    def made(**settings: Any) -> Result:
        answer = engine.run(Request.make("translate", "dropping", picture, settings))
        assert isinstance(answer, Result), answer
        return answer

    plain, again = made(), made(tile=0)
    assert np.array_equal(plain.arrays["output"], again.arrays["output"])
    assert any("As in training" in note for note in plain.meta["notes"])
    trained = made(training=True, seed=3)
    assert not np.array_equal(trained.arrays["output"], plain.arrays["output"])
    engine.cache.__init__()
    assert np.array_equal(made(training=True, seed=3).arrays["output"], trained.arrays["output"])
    assert not np.array_equal(made(training=True, seed=4).arrays["output"], trained.arrays["output"])
    net = engine.model("dropping").net
    assert not net.norm.training and int(net.norm.num_batches_tracked) == 0
    refused = engine.run(Request.make("translate", "inversion", picture, {"training": True}))
    assert isinstance(refused, Failure) and "no batch normalisation" in refused.text


def test_directions_are_assumptions_and_labels_come_in_groups(picture: Source) -> None:
    torch.manual_seed(0)
    net = DigitsCycleGAN(width=4, blocks=1).eval()
    there = DirectedTranslatorAdapter.assuming(net, Card("c"), {})
    back = DirectedTranslatorAdapter.assuming(net, Card("c"), {"direction": net.directions[1]})
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(there.made_of(x), net.translate(x, 0)) and torch.equal(back.made_of(x), net.translate(x, 1))
    assert (there.back, back.back) == (1, 0) and there.critic_map(x).shape == (1, 1, 8, 8)
    assert there.made_of(torch.rand(1, 3, 50, 70)).shape == (1, 3, 32, 32)
    star = DirectedTranslatorAdapter.assuming(DigitsStarGAN(width=4).eval(), Card("s"), {})
    assert star.labels("") == (1, 0, 0, 0, 1, 0) and star.labels("thick, blue") == (0, 0, 1, 0, 0, 1)
    assert star.labels("thick", ("blue", "thin")) == (0, 0, 1, 0, 0, 1), "what is not named stays as it is"
    for wrong, said in (("pink", "knows no 'pink'"), ("red, blue", "exclude each other")):
        with pytest.raises(Exception, match=said):
            star.labels(wrong)


def test_alternatives_are_the_single_changes_and_the_other_directions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_png(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8), tmp_path / "a.png")
    picture = Source.file(tmp_path / "a.png")
    net = DigitsStarGAN(width=4).eval()
    engine = Engine(threads=1)
    engine._models["star"] = DirectedTranslatorAdapter(net.requires_grad_(False), Card("star"))
    engine._models["pair"] = DirectedTranslatorAdapter(DigitsCycleGAN(width=4, blocks=1).eval(), Card("pair"))
    made = engine.run(Request.make("translate", "star", picture, {"others": True, "condition": "green"}))
    assert isinstance(made, Result), made
    seen = made.meta["seen"]
    x = torch.from_numpy(made.arrays["input"].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        logits = net.attributes(x)[0]
    assert seen == (net.groups[0][int(logits[:4].argmax())], net.groups[1][int(logits[4:].argmax())])
    assert made.meta["condition"] == ("green", seen[1]), "the width was not named: it is that of the picture"
    assert made.meta["alternatives"] == ("red", "green", "blue", "black", "thin", "thick")
    assert [name for name, own in zip(made.meta["alternatives"], made.meta["own"], strict=True) if own] == [
        "green",
        seen[1],
    ]
    blue = made.meta["alternatives"].index("blue")
    wanted = engine.run(
        Request.make("translate", "star", picture, {"condition": made.meta["alternative_values"][blue]})
    )
    assert isinstance(wanted, Result) and wanted.meta["condition"] == ("blue", seen[1])
    near = np.abs(made.arrays["alternatives"][blue].astype(int) - wanted.arrays["output"])
    assert near.max() <= 1, "as asked for by itself, but for rounding"
    both = engine.run(Request.make("translate", "pair", picture, {"others": True}))
    assert isinstance(both, Result) and len(both.arrays["alternatives"]) == 2 and both.meta["own"] == [True, False]
    assert not np.array_equal(both.arrays["alternatives"][0], both.arrays["alternatives"][1])
    # There and back again it is told what was asked, and what it is.
    cycled = engine.run(Request.make("cycle", "star", picture, {"condition": "green", "draws": 1}))
    assert isinstance(cycled, Result), cycled
    assert cycled.meta["condition"] == ("green", seen[1]) and cycled.meta["back_condition"] == seen
    assert "identity" not in cycled.meta["losses"]


def test_colours_part_and_join() -> None:
    x = torch.rand(2, 3, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(coloured(luminance(x), chroma(x)), x)


def test_the_mean_over_a_region_is_explained(engine: Engine, picture: Source) -> None:
    """Of an inversion the gradient of a region's mean is -1 / its pixels there, and 0 outside."""
    settings = {"target": "green", "region": "8,4,16,12"}
    answer = engine.run(Request.make("saliency", "inversion", picture, settings))
    assert isinstance(answer, Result), answer
    side = answer.meta["input"]
    found, times = answer.arrays["map"], side[1] / 32
    inside = found[round(4 * times) : round(12 * times), round(8 * times) : round(16 * times)]
    assert inside.min() > 0 and found.sum() == pytest.approx(inside.sum(), rel=1e-5)


def test_the_upscaler_is_what_its_card_says(tmp_path: Path) -> None:
    """At least 1 dB above bicubic on its card, and above it on a bundled photograph that it never saw."""
    from models.cards import card as cards
    from models.pictures import images
    from models.training.super_resolution import smaller

    (figures,) = cards.bundled()["photos-upscaler"].about["figures"].values()
    assert figures["PSNR"] > figures["PSNR, bicubic"] + 1 > figures["PSNR, nearest"] + 1
    model = registry.open_model("photos-upscaler")
    pixels = images.read(cards.PHOTOS / "astronaut.jpg").pixels[:160, :160]
    wanted = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    x = smaller(wanted)
    bicubic = nn.functional.interpolate(x, scale_factor=2, mode="bicubic").clamp(0, 1)
    assert psnr(model.made_of(x)[0].clamp(0, 1), wanted[0]) > psnr(bicubic[0], wanted[0]) + 0.5


def test_the_bundled_cyclegan_is_what_its_card_says() -> None:
    from models.cards import card as cards

    (figures,) = cards.bundled()["digits-cyclegan"].about["figures"].values()
    assert figures["digits recognised, paper to white on black"] > 0.95
    assert figures["cycle error B to A to B"] > 2 * figures["cycle error A to B to A"], "the paper's colours are lost"
    engine = Engine(threads=1)
    answer = engine.run(Request.make("cycle", "digits-cyclegan", Source.file(cards.DIGITS / "3.png"), {"draws": 1}))
    assert isinstance(answer, Result), answer
    assert answer.meta["cycle"] < 0.04 and answer.arrays["critic_made"].shape == (8, 8)
    assert answer.meta["losses"].keys() >= {"cycle", "identity", "adversarial"}


def test_the_bundled_stargan_is_what_its_card_says() -> None:
    """Over a bundled digit that it never saw: its critic sees what the picture is, and the ink that was asked for."""
    from models.cards import card as cards

    (figures,) = cards.bundled()["digits-stargan"].about["figures"].values()
    assert figures["agreement as its own critic sees it"] > 0.9 and figures["digits recognised"] > 0.95
    assert figures["agreement of the ink"] > 0.9 and figures["error of the way back"] < 0.03
    assert cards.samples("digits-stargan") == cards.INKS
    engine = Engine(threads=1)
    picture = Source.file(cards.INKS / "3-red-thin.png")
    made = engine.run(Request.make("translate", "digits-stargan", picture, {"condition": "blue"}))
    assert isinstance(made, Result), made
    assert made.meta["seen"] == ("red", "thin") and made.meta["condition"] == ("blue", "thin")
    # Where the ink is, blue is now the strongest colour.
    darkest = made.arrays["output"][made.arrays["input"].sum(2) < 350]
    assert len(darkest) > 5 and darkest.mean(0).argmax() == 2


def test_a_change_of_colour_alone_is_not_hidden_by_a_mean_of_the_colours() -> None:
    difference = torch.tensor([[[0.2, 0.1]], [[-0.5, 0.0]], [[0.3, -0.1]]])
    assert torch.allclose(difference.mean(0), torch.zeros(1, 2), atol=1e-7)
    assert largest_of_channels(difference)[0, 0] == -0.5
    assert abs(float(largest_of_channels(difference)[0, 1])) == pytest.approx(0.1)
