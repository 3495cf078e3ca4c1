"""Networks that colour grey pictures, planted with known colours: OpenCV's Lab is the oracle of the pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.cards.card import PHOTOS, Card
from models.engine import registry
from models.engine.engine import Engine
from models.exported import onnx_file
from models.interpretation import lab_colours
from models.pictures import images
from models.pictures.images import save_png
from models.requests import Request
from models.types import Result, Source
from models.user_code import consent

SIDE = 64
RNG = np.random.default_rng(3)
Floats = NDArray[np.float32]
SLOPES, SHIFTS = np.array([0.5, -0.3], np.float32), np.array([12.0, 25.0], np.float32)  # of planted ab in L - 50


class Planted(nn.Module):
    """Colours a grey picture: ab is a line of L, on any scales."""

    def __init__(self, less: float, by: float, times: float, more: float = 0.0, step: int = 1, given: int = 1) -> None:
        super().__init__()
        self.less, self.by, self.times, self.more, self.step = less, by, times, more, step
        self.tell = nn.Conv2d(given, 2, 1)
        with torch.no_grad():
            self.tell.weight.copy_(torch.from_numpy(SLOPES).view(2, 1, 1, 1).expand(-1, given, -1, -1) / given)
            self.tell.bias.copy_(torch.from_numpy(SHIFTS))  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        ab = self.tell(x * self.by + self.less - 50)
        ab = functional.avg_pool2d(ab, self.step) if self.step > 1 else ab
        return (ab - self.more) / self.times


class Bins(nn.Module):
    """Gives for each fourth pixel shares of the 313 bins: the one nearest to ab of a line of L."""

    def __init__(self, shares: bool) -> None:
        super().__init__()
        self.first, self.shares = nn.Conv2d(1, 1, 1), shares
        self.register_buffer("points", torch.tensor(lab_colours.BINS))

    def forward(self, x: Tensor) -> Tensor:
        light = functional.avg_pool2d(x, 4) - 50
        ab = torch.cat([s * light + t for s, t in zip(SLOPES.tolist(), SHIFTS.tolist(), strict=True)], 1)
        away = (ab[:, None] - self.points.view(1, -1, 2, 1, 1)).square().sum(2)
        logits = -away / 20
        return logits.softmax(1) if self.shares else logits


def wanted(pixels: NDArray[np.uint8], ab: Floats | None = None) -> Floats:
    """The picture (H, W, 3) of a picture's lightness and planted ab, by OpenCV."""
    light = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., :1]
    ab = (light - 50) * SLOPES + SHIFTS if ab is None else cv2.resize(ab, pixels.shape[1::-1])
    return cv2.cvtColor(np.concatenate([light, ab], 2).astype(np.float32), cv2.COLOR_LAB2RGB)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "cat.png"
    save_png(np.ascontiguousarray(cv2.resize(images.read(PHOTOS / "cat.jpg").pixels, (SIDE, SIDE))), path)
    return path


def opened(net: nn.Module, assumed: dict[str, str] | None = None, side: int = SIDE) -> tuple[Engine, Any]:
    made = Engine(threads=1)
    card = Card("net", about={"input": (0, side, side)} if side else {})
    made._models["net"] = registry.adapt(net.eval(), card, assumed)
    return made, made._models["net"]


def asked(made: Engine, inspection: str, picture: Path, name: str = "net") -> Result:
    answer = made.run(Request.make(inspection, name, Source.file(picture)))
    assert isinstance(answer, Result), answer
    return answer


def off(answer: Result, picture: Path, ab: Floats | None = None) -> float:
    made = answer.arrays["output"].astype(np.float32) / 255
    return float(np.abs(made - wanted(images.read(picture).pixels, ab).clip(0, 1)).max())


CLOSE = 1.6 / 255  # rounding to whole numbers, and OpenCV's tables

# What goes in as (less, by), what comes out as (times, more), and what must be flipped for it.
PLANTED: dict[str, tuple[tuple[float, float], tuple[float, float], dict[str, str]]] = {
    "L and ab as they are": ((0, 1), (1, 0), {}),
    "L - 50 and ab": ((50, 1), (1, 0), {"lightness": "l_50"}),
    "0 to 1 and -1 to 1": ((0, 100), (110, 0), {}),
    "-1 to 1 and -1 to 1 of 128": ((50, 50), (128, 0), {"lightness": "l_signed", "ab": "ab_128"}),
    "0 to 1 and 0 to 1": ((0, 100), (255, -128), {"lightness": "l_one", "ab": "ab_255"}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_network_gives_the_known_picture(name: str, picture: Path) -> None:
    (less, by), (times, more), flips = PLANTED[name]
    _, model = opened(Planted(less, by, times, more))
    first = model.card.about["assumptions"]
    assert model.interpretation.reading.id == "colours" or model.interpretation.question
    told = all(first.get(key, {}).get("value") == value for key, value in flips.items())
    assert told or model.interpretation.question, "what no number tells is asked"
    made, model = opened(Planted(less, by, times, more), {"reading": "colours", **flips})
    assert {"lightness", "ab"} <= model.card.about["assumptions"].keys()
    answer = asked(made, "translate", picture)
    assert off(answer, picture) < CLOSE
    assert answer.meta["way"] == "coloured"
    given = answer.arrays["input"].astype(int)
    assert np.ptp(given, axis=2).max() <= 1, "what went in has no colours"
    rows = {row["id"]: row for row in asked(made, "interpretation", picture).meta["readings"]}
    assert rows["colours"]["chosen"] and rows["colours"]["finds"]
    assert any(row["kind"] == "segments" for row in rows.values()), "the alternatives are listed"


@pytest.mark.parametrize("shares", [True, False])
def test_bins_are_the_means_of_their_colours(shares: bool, picture: Path) -> None:
    made, model = opened(Bins(shares))
    found = model.interpretation
    assert found.reading.id == "colours" and found.preprocess.size == (SIDE, SIDE)
    light = cv2.cvtColor(images.read(picture).pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
    coarse = light.reshape(SIDE // 4, 4, SIDE // 4, 4).mean((1, 3))
    away = ((coarse[..., None] - 50) * SLOPES + SHIFTS)[:, :, None] - np.array(lab_colours.BINS, np.float32)
    logits = -(away**2).sum(-1) / 20 / (1 if shares else 0.38)
    chances = np.exp(logits - logits.max(-1, keepdims=True))
    ab = (chances / chances.sum(-1, keepdims=True)) @ np.array(lab_colours.BINS)
    assert off(asked(made, "translate", picture), picture, ab.astype(np.float32)) < CLOSE
    assert model.card.about["assumptions"]["bins"]["value"] == ("mean" if shares else "annealed")


def test_what_nears_a_photographs_own_colours_tells_the_scales() -> None:
    class Knows(nn.Module):
        """Gives the colours of the bundled photographs, of L from -50 to 50, and none of any other picture."""

        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(1, 1, 1)
            rows = [
                model.preprocess.input(images.read(PHOTOS / f"{n}.jpg").pixels, CPU) for n in ("astronaut", "coffee")
            ]
            self.register_buffer("known", lab_colours.lab(torch.cat([model.preprocess.plain(x) for x in rows])))

        def forward(self, x: Tensor) -> Tensor:
            same = ((self.known[:, :1] - 50 - x).abs().amax((1, 2, 3)) < 1).float()
            return (same.view(-1, 1, 1, 1) * self.known[:, 1:]).sum(0, keepdim=True) / 128

    CPU = torch.device("cpu")  # noqa: N806 - a constant
    _, model = opened(Planted(0, 1, 1))  # how it prepares pictures
    _, found = opened(Knows())
    values = {key: item["value"] for key, item in found.card.about["assumptions"].items()}
    assert (values["lightness"], values["ab"]) == ("l_50", "ab_128")
    assert found.interpretation.reading.id == "colours" and not found.interpretation.question
    assert "100%" in " ".join(found.interpretation.reading.evidence)


def test_two_classes_of_pixels_stay_classes_or_are_asked() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(1, 1, 5, padding=2)

        def forward(self, x: Tensor) -> Tensor:
            sure = 9 * (functional.avg_pool2d(x, 5, 1, 2) - 0.4)
            return torch.cat([sure, -sure], 1)

    _, model = opened(Two())
    found = model.interpretation
    assert found.reading.id == "segments-softmax"
    assert any(one.id == "colours" for one in found.readings)
    _, model = opened(nn.Sequential(nn.Conv2d(1, 2, 1), nn.Softmax(1)))
    assert not any(one.id == "colours" for one in model.interpretation.readings), "shares of two classes are no colours"


def test_a_network_that_sees_colours_gets_a_grey_picture(picture: Path) -> None:
    made, model = opened(Planted(50, 100, 1, given=3), {"reading": "colours"})
    answer = asked(made, "translate", picture)
    pixels = images.read(picture).pixels
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    grey = cv2.cvtColor(np.concatenate([lab[..., :1], 0 * lab[..., 1:]], 2), cv2.COLOR_LAB2RGB)[..., :1]
    assert off(answer, picture, (grey * 100 * SLOPES + SHIFTS).astype(np.float32)) < CLOSE
    assert model.card.about["assumptions"]["lightness"]["value"] == "grey"


def test_an_exported_network_of_one_size_colours_the_whole_picture(picture: Path, tmp_path: Path) -> None:
    onnx = onnx_file.package()
    tensors = [
        onnx.numpy_helper.from_array(SLOPES.reshape(2, 1, 1, 1), "w"),
        onnx.numpy_helper.from_array(SHIFTS - 50 * SLOPES, "b"),
    ]
    nodes = [onnx.helper.make_node("Conv", ["l", "w", "b"], ["ab"])]
    kind = onnx.TensorProto.FLOAT
    entry, leave = (onnx.helper.make_tensor_value_info(n, kind, [1, c, SIDE, SIDE]) for n, c in (("l", 1), ("ab", 2)))
    graph = onnx.helper.make_graph(nodes, "g", [entry], [leave], tensors)
    path = tmp_path / "colours.onnx"
    path.write_bytes(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]).SerializeToString()
    )
    engine = Engine(threads=1)
    assert off(asked(engine, "translate", picture, f"{path}?reading=colours"), picture) < CLOSE
    large = tmp_path / "large.png"
    save_png(np.ascontiguousarray(cv2.resize(images.read(PHOTOS / "cat.jpg").pixels, (160, 96))), large)
    answer = asked(engine, "translate", large, str(path))
    assert answer.arrays["output"].shape == (96, 160, 3), "its lightness is the picture's own"
    before = cv2.cvtColor(answer.arrays["input"].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
    assert np.abs(before - cv2.cvtColor(images.read(large).pixels.astype(np.float32) / 255, 41 + 4)[..., 0]).max() < 1


def test_own_code_from_grey_to_colours_opens_as_a_picture(picture: Path, tmp_path: Path) -> None:
    code = tmp_path / "sepia.py"
    code.write_text(
        "import torch\nfrom torch import nn\n\nclass Sepia(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.tell = nn.Conv2d(1, 3, 1)\n        with torch.no_grad():\n"
        "            self.tell.weight.copy_(torch.tensor([1.0, 0.8, 0.6]).view(3, 1, 1, 1))\n"
        "            self.tell.bias.zero_()\n\n    def forward(self, x):\n        return self.tell(x)\n"
    )
    consent.allow(code, hashlib.sha256(code.read_bytes()).hexdigest())
    answer = asked(Engine(threads=1), "translate", picture, f"{code}:Sepia")
    grey = images.read(picture).pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255
    expected = grey[..., None] * np.array([1.0, 0.8, 0.6], np.float32)
    assert np.abs(answer.arrays["output"] / 255 - expected).max() <= 1 / 255


def test_lab_is_that_of_opencv_and_comes_back() -> None:
    pixels = RNG.random((1, 3, 20, 20)).astype(np.float32)
    found = lab_colours.lab(torch.from_numpy(pixels))
    theirs = cv2.cvtColor(pixels[0].transpose(1, 2, 0), cv2.COLOR_RGB2LAB).transpose(2, 0, 1)
    assert np.abs(found[0].numpy() - theirs).max() < 0.3
    back = lab_colours.joined(found[:, :1], found[:, 1:])
    assert np.abs(back.numpy() - pixels).max() < 1e-4
    assert len(lab_colours.BINS) == len(set(lab_colours.BINS)) == 313
