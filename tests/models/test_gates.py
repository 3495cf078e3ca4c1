"""Gates: found by their form in blocks as others write them, recomputed by hand, and switched off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import SqueezeExcitation

from models.adapters.classifier import ClassifierAdapter
from models.cards.card import Card
from models.engine.engine import Engine
from models.features import gates
from models.pictures.images import read, save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIDE, CHANNELS = 16, 6


class FunctionalSE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(CHANNELS, 3), nn.Linear(3, CHANNELS)

    def gate(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.up(functional.relu(self.down(x.mean((2, 3))))))[..., None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class ECA(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        y = x.mean((2, 3))[:, None]
        return self.conv(y).sigmoid().transpose(1, 2)[..., None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x).expand_as(x)


class CBAM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv2d(CHANNELS, 3, 1), nn.ReLU(), nn.Conv2d(3, CHANNELS, 1))
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.sigmoid(self.mlp(functional.adaptive_avg_pool2d(x, 1)) + self.mlp(x.amax((2, 3), keepdim=True)))
        x *= torch.sigmoid(self.conv(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)))
        return x


class GlobalContext(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mask, self.change = nn.Conv2d(CHANNELS, 1, 1), nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.mask(x).flatten(2).softmax(2)
        context = torch.matmul(x.flatten(2), weight.transpose(1, 2))[..., None]
        return x + self.change(context)


class Scaled(nn.Module):
    """What is no gate: a learnt scale, a residual, a product of two maps, a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((1, CHANNELS, 1, 1), 0.5))
        self.norm = nn.GroupNorm(2, CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * self.norm(x) * x.sigmoid()


class Net(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.block, self.fc = nn.Conv2d(3, CHANNELS, 3, stride=2), block, nn.Linear(CHANNELS, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.block(self.conv(x)).mean((2, 3)))


def engine_of(net: nn.Module, *, side: int = SIDE) -> Engine:
    about = {"preprocessing": {"resize": side, "crop": side, "mean": (0.5,) * 3, "std": (0.25,) * 3}}
    made = Engine(threads=1)
    made._models["tiny"] = ClassifierAdapter(
        net.eval().requires_grad_(False), Card("tiny", classes=("a", "b", "c"), about=about)
    )
    return made


@pytest.fixture
def picture(tmp_path: Path) -> Source:
    rng = np.random.default_rng(2)
    for name in "ab":
        save_png(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8), tmp_path / f"{name}.png")
    for folder, name in (("cats", "1"), ("cats", "2"), ("dogs", "1")):
        (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
        save_png(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8), tmp_path / "set" / folder / f"{name}.png")
    return Source.file(tmp_path / "a.png")


def ask(engine: Engine, source: Source, **params: Any) -> Result:
    answer = engine.run(Request.make("gates", "tiny", source, params))
    assert isinstance(answer, Result), answer
    return answer


def inputs(engine: Engine, path: Path | str) -> Tensor:
    return engine.model("tiny").preprocess.input(read(Source.file(path)).pixels, torch.device("cpu"))


BLOCKS = {
    "torchvision": (lambda: SqueezeExcitation(CHANNELS, 3), ["SE"], ["channel"]),
    "functional": (FunctionalSE, ["SE"], ["channel"]),
    "eca": (ECA, ["ECA"], ["channel"]),
    "cbam": (CBAM, ["Channel gate (CBAM)", "Spatial gate (CBAM)"], ["channel", "spatial"]),
    "context": (GlobalContext, ["Global context"], ["added"]),
}


@pytest.mark.parametrize("name", [*BLOCKS])
def test_a_block_is_found_by_its_form(picture: Source, name: str) -> None:
    make, families, kinds = BLOCKS[name]
    net = Net(make())
    engine = engine_of(net)
    result = ask(engine, picture)
    assert [gate["family"] for gate in result.meta["gates"]] == families
    assert [gate["kind"] for gate in result.meta["gates"]] == kinds
    # Each applied by hand gives the output of the block.
    x = net.conv(inputs(engine, picture.path))
    subject = engine.model("tiny").subject(read(picture).pixels, _Plain())
    _, found = gates.run(subject, inputs(engine, picture.path))
    whole = x.clone()
    for gate in found:
        value = gate.value[None] if gate.kind == "spatial" else gate.value[:, None, None]
        whole = whole + value if gate.kind == "added" else whole * value
    torch.testing.assert_close(whole, net.block(x.clone()), rtol=0, atol=1e-6)
    # Without them the network is one without the block.
    off = ask(engine, picture, off="*")
    plain = net.fc(x.mean((2, 3))).softmax(1)[0]
    assert dict(off.meta["after"]) == pytest.approx(dict(zip("abc", plain.tolist(), strict=True)), abs=1e-6)
    own = net(inputs(engine, picture.path)).softmax(1)[0]
    assert dict(off.meta["before"]) == pytest.approx(dict(zip("abc", own.tolist(), strict=True)), abs=1e-6)
    assert "Without all gates" in off.meta["text"]


class _Plain:
    """Stages without a cache."""

    def run(self, name: str, make: Any, *key: object) -> Any:
        return make()


def test_ecas_gate_is_its_convolution_by_hand(picture: Source) -> None:
    net = Net(ECA())
    engine = engine_of(net)
    result = ask(engine, picture, pictures=1)
    pooled = net.conv(inputs(engine, picture.path)).mean((2, 3))[0]
    weight = net.block.conv.weight[0, 0]  # type: ignore[union-attr]
    padded = torch.cat([torch.zeros(1), pooled, torch.zeros(1)])
    expected = torch.sigmoid(torch.stack([(padded[i : i + 3] * weight).sum() for i in range(CHANNELS)]))
    assert result.arrays["values"][0] == pytest.approx(expected.tolist(), abs=1e-6)


def test_gates_by_class_over_a_folder(picture: Source, tmp_path: Path) -> None:
    net = Net(FunctionalSE())
    engine = engine_of(net)
    result = ask(engine, picture, folder=str(tmp_path / "set"))
    assert result.meta["pictures"] == 4 and result.meta["names"][0] == "cats" and "dogs" in result.meta["names"]
    files = [tmp_path / "set" / "cats" / "1.png", tmp_path / "set" / "cats" / "2.png"]
    block: Any = net.block
    by_hand = torch.cat([block.gate(net.conv(inputs(engine, path)))[..., 0, 0] for path in files])
    assert result.arrays["by_class"][0] == pytest.approx(by_hand.mean(0).tolist(), abs=1e-6)
    assert result.meta["counts"][0] == 2 and result.arrays["values"].shape == (4, CHANNELS)
    assert result.arrays["spread"][0] == pytest.approx(float(result.arrays["values"].std(0).mean()), abs=1e-6)
    assert "differ by" in result.meta["text"]
    with torch.no_grad():
        block.up.weight.zero_()
    still = ask(engine_of(net), picture, folder=str(tmp_path / "set"))
    assert "a weight rather than attention" in still.meta["text"]


def test_one_of_two_gates_can_be_shown_and_switched_off(picture: Source) -> None:
    net = Net(CBAM())
    engine = engine_of(net)
    ids = [gate["id"] for gate in ask(engine, picture).meta["gates"]]
    spatial = ask(engine, picture, gate=ids[1], off=ids[1])
    assert spatial.arrays["map"].shape == (7, 7) and spatial.meta["gate_kind"] == "spatial"
    x = net.conv(inputs(engine, picture.path))
    block: Any = net.block
    first = torch.sigmoid(block.mlp(x.mean((2, 3), keepdim=True)) + block.mlp(x.amax((2, 3), keepdim=True)))
    plain = net.fc((x * first).mean((2, 3))).softmax(1)[0]
    assert dict(spatial.meta["after"]) == pytest.approx(dict(zip("abc", plain.tolist(), strict=True)), abs=1e-6)


def test_what_is_no_gate_is_none_and_what_is_unknown_is_said(picture: Source) -> None:
    for block, params, words in (
        (Scaled(), {}, "has no gates"),
        (FunctionalSE(), {"gate": "nowhere"}, "no gate 'nowhere'"),
        (FunctionalSE(), {"off": "nowhere"}, "no gate 'nowhere'"),
    ):
        answer = engine_of(Net(block)).run(Request.make("gates", "tiny", picture, params))
        assert isinstance(answer, Failure) and words in answer.text, answer


def test_torchvisions_mobilenet_has_nine(picture: Source) -> None:
    torch.manual_seed(0)
    answer = ask(engine_of(torchvision.models.mobilenet_v3_small(num_classes=3), side=96), picture, pictures=1)
    assert len(answer.meta["gates"]) == 9 and {gate["family"] for gate in answer.meta["gates"]} == {"SE"}
