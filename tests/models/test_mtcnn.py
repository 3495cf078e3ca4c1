"""MTCNN from its parts: joined by what their tensors are, and the same faces as a cascade written apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from models.cards.card import PHOTOS
from models.engine import registry
from models.engine.engine import Engine
from models.features import synthesis
from models.pictures import images
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import CachedStages
from models.types import Result, Source

PHOTO = PHOTOS / "astronaut.jpg"


class PNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = f.max_pool2d(self.prelu1(self.conv1(x)), 2, 2, ceil_mode=True)
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return self.conv4_1(x).softmax(1)[:, 1], self.conv4_2(x)


class RNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = f.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = self.prelu3(self.conv3(f.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)))
        x = self.prelu4(self.dense4(x.permute(0, 3, 2, 1).flatten(1)))
        return self.dense5_1(x).softmax(1)[:, 1], self.dense5_2(x)


class ONet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = f.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = f.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = self.prelu4(self.conv4(f.max_pool2d(self.prelu3(self.conv3(x)), 2, 2, ceil_mode=True)))
        x = self.prelu5(self.dense5(x.permute(0, 3, 2, 1).flatten(1)))
        return self.dense6_1(x).softmax(1)[:, 1], self.dense6_2(x), self.dense6_3(x)


def trained() -> dict[str, nn.Module]:
    """The three networks with random weights under which a photo has some faces, and corrections are small."""
    torch.manual_seed(3)
    nets: dict[str, Any] = {"pnet": PNet(), "rnet": RNet(), "onet": ONet()}
    with torch.no_grad():
        for name, gain in (("conv4_1", 12.0), ("conv4_2", 0.5)):
            nets["pnet"].get_submodule(name).weight.mul_(gain)
        nets["rnet"].dense5_1.bias.copy_(torch.tensor([0.0, 2.0]))
        nets["onet"].dense6_1.weight.mul_(30)
    return {name: net.eval() for name, net in nets.items()}


def thinned(rows: list[dict[str, Any]], most: float) -> list[dict[str, Any]]:
    """Greedy suppression, row by row."""
    rows = sorted(rows, key=lambda r: -r["score"])
    kept: list[dict[str, Any]] = []
    boxes = np.zeros((0, 4))
    for row in rows:
        own = np.array(row["box"])
        inside = np.minimum(boxes[:, 2:], own[2:]) - np.maximum(boxes[:, :2], own[:2])
        both = inside.clip(0).prod(1)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (own[2:] - own[:2]).prod()
        if not (both / (areas - both) > most).any():
            kept.append(row)
            boxes = np.concatenate([boxes, own[None]])
    return kept


def cropped(image: Tensor, box: list[float], side: int) -> Tensor:
    x0, y0, x1, y1 = (int(v) for v in box)
    left, top = max(x0, 1) - 1, max(y0, 1) - 1
    part = image[:, :, top : min(y1, image.shape[2]), left : min(x1, image.shape[3])]
    return (f.interpolate(part, size=(side, side), mode="area") - 127.5) / 128


def squared(box: list[float]) -> list[float]:
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    x0, y0 = x0 + (x1 - x0) / 2 - side / 2, y0 + (y1 - y0) / 2 - side / 2
    return [x0, y0, x0 + side, y0 + side]


@torch.no_grad()
def cascade(nets: dict[str, Any], pixels: np.ndarray, first: float) -> list[dict[str, Any]]:
    """Zhang et al.'s cascade, row by row; the last network's boxes before suppression."""
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
    high, wide = pixels.shape[:2]
    rows, scale = [], 12 / 20
    while min(high, wide) * scale >= 12:
        small = f.interpolate(image, size=(int(high * scale + 1), int(wide * scale + 1)), mode="area")
        score, moved = nets["pnet"]((small - 127.5) / 128)
        level = []
        for y, x in (score[0] >= first).nonzero().tolist():
            box = [float(np.floor(np.float32(2 * v + d) / np.float32(scale))) for d in (1, 12) for v in (x, y)]
            level.append({"score": float(score[0, y, x]), "box": box, "move": moved[0, :, y, x].tolist()})
        rows += thinned(level, 0.5)
        scale *= 0.709
    rows = thinned(rows, 0.7)
    for row in rows:
        sides = [row["box"][2] - row["box"][0], row["box"][3] - row["box"][1]] * 2
        row["box"] = squared([b + m * s for b, m, s in zip(row["box"], row["move"], sides, strict=True)])
    second = []
    for row in rows:
        score, moved = nets["rnet"](cropped(image, row["box"], 24))
        if float(score) > 0.7:
            second.append({"score": float(score), "box": row["box"], "move": moved[0].tolist()})
    third = []
    for row in thinned(second, 0.7):
        sides = [row["box"][2] - row["box"][0] + 1, row["box"][3] - row["box"][1] + 1] * 2
        box = squared([b + m * s for b, m, s in zip(row["box"], row["move"], sides, strict=True)])
        score, moved, points = nets["onet"](cropped(image, box, 48))
        side = box[2] - box[0] + 1
        made = [b + m * side for b, m in zip(box, moved[0].tolist(), strict=True)]
        xs, ys = points[0, :5] * side + box[0] - 1, points[0, 5:] * side + box[1] - 1
        third.append({"score": float(score), "box": made, "points": torch.stack([xs, ys], 1).numpy()})
    return third


@pytest.mark.parametrize("way", ["apart", "in one file", "one state"])
def test_the_three_parts_are_one_detector_of_faces_with_landmarks(way: str, tmp_path: Path) -> None:
    nets = trained()
    states = {name: net.state_dict() for name, net in nets.items()}
    if way == "apart":
        for name, state in states.items():
            torch.save(state, tmp_path / f"{name}.pt")
        torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
        file = tmp_path / "rnet.pt"
    else:
        joined = {f"{n}.{key}": t for n, state in states.items() for key, t in state.items()}
        file = tmp_path / "mtcnn.pth"
        torch.save(states if way == "in one file" else joined, file)
    model = registry.open_model(str(file))
    assert model.card.architecture == "MTCNN" and model.card.task == "detection" and model.card.classes == ("face",)
    if way != "apart":
        for name, net in nets.items():
            x = torch.rand(2, 3, *((24, 24) if name == "rnet" else (48, 48)))
            with torch.no_grad():
                logit, moved, _ = getattr(model.net, name)(x)
                torch.testing.assert_close(moved, net(x)[1], rtol=0, atol=0)
                torch.testing.assert_close(logit.sigmoid().squeeze(1), net(x)[0], rtol=1e-5, atol=1e-6)
        return
    pixels = images.read(PHOTO).pixels[60:100, 190:240]
    images.save_png(pixels, tmp_path / "face.png")
    wanted = [row for row in cascade(nets, pixels, 0.6) if row["score"] > 0.05]
    assert len(wanted) > 3, "the random weights find something"
    engine = Engine(threads=1)
    asked = {"score": 0.05, "iou": 1.0, "max_detections": 1000}
    found = engine.run(Request.make("keypoints", str(file), Source.file(tmp_path / "face.png"), asked))
    assert isinstance(found, Result), found
    wanted.sort(key=lambda row: -row["score"])
    np.testing.assert_allclose(found.arrays["scores"], [row["score"] for row in wanted], atol=1e-4)
    clipped = np.array([row["box"] for row in wanted])
    np.testing.assert_allclose(found.arrays["boxes"], clipped, atol=0.05)
    np.testing.assert_allclose(found.arrays["points"][..., :2], [row["points"] for row in wanted], atol=0.05)
    assert found.meta["point_names"][2] == "nose"
    subject = engine.model(str(file)).subject(pixels, CachedStages(engine.cache, "subject", Context()))
    with torch.no_grad():
        scores = subject.scores(subject.input)
    np.testing.assert_allclose(subject.probabilities(scores).item(), wanted[0]["score"], atol=1e-4)
    white = synthesis.values_of(engine.model(str(file)), subject)
    torch.testing.assert_close(white, torch.full((1, 3, 1, 1), 127.5 / 128))


def test_a_part_alone_says_what_it_is(tmp_path: Path) -> None:
    nets = trained()
    for name, net in nets.items():
        folder = tmp_path / name
        folder.mkdir()
        torch.save(net.state_dict(), folder / "w.pt")
    alone = registry.open_model(str(tmp_path / "onet" / "w.pt"))
    assert alone.card.classes == ("no face", "face") and "P-Net is needed" in alone.card.about["note"]
    x = torch.rand(3, 3, 48, 48) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(alone.net(x).softmax(1)[:, 1], nets["onet"](x)[0], rtol=1e-5, atol=1e-6)
    first = registry.open_model(str(tmp_path / "pnet" / "w.pt"))
    picture = tmp_path / "part.png"
    images.save_png(images.read(PHOTO).pixels[60:100, 190:240], picture)
    assert first.card.architecture == "MTCNN without R-Net and O-Net"
    answer = Engine(threads=1).run(Request.make("detect", str(tmp_path / "pnet" / "w.pt"), Source.file(picture)))
    assert isinstance(answer, Result), answer


def caffe(net: nn.Module) -> dict[str, Tensor]:
    """The names of a well-known port of the weights: all but the heads lie in `features`."""
    heads = ("conv4_1", "conv4_2", "conv5_1", "conv5_2", "conv6_1", "conv6_2", "conv6_3")
    renamed = {key.replace("dense", "conv"): t for key, t in net.state_dict().items()}
    return {key if key.startswith(heads) else f"features.{key}": t for key, t in renamed.items()}


def floored(net: nn.Module) -> dict[str, Tensor]:
    """A network trained in PyTorch: pools round down, one score for a face, landmarks on every part."""
    state = net.state_dict()
    made = {key: t for key, t in state.items() if key.startswith(("conv", "prelu")) and not key.startswith("conv4_")}
    count = {3: 256, 4: 512}[sum(key.startswith("conv") and key.endswith("weight") for key in made)]
    made = {f"pre_layer.{key}": t for key, t in made.items()}
    for name, size in (("conv5", (128, count)), ("conv6_1", (1, 128)), ("conv6_2", (4, 128)), ("conv6_3", (10, 128))):
        made |= {f"{name}.weight": torch.randn(*size) * 0.1, f"{name}.bias": torch.zeros(size[0])}
    dense = {k: v for k, v in made.items() if k.startswith("conv5")}
    rest = {k: v for k, v in made.items() if k.startswith("conv6")}
    first = {k: v for k, v in made.items() if k not in dense and k not in rest and "prelu" in k}
    last = list(first)[-1]
    shared = {k: v for k, v in made.items() if k not in dense and k not in rest and k != last}
    return {**shared, **dense, "prelu5.weight": torch.full((128,), 0.25), **rest}


@pytest.mark.parametrize(
    ("saved", "flat", "order"),
    [(caffe, "channels_width_height", (0, 1, 3, 2)), (floored, "channels_height_width", (0, 1, 2, 3))],
)
def test_other_layouts_have_their_own_usual_choices(
    saved: Callable[[nn.Module], dict[str, Tensor]], flat: str, order: tuple[int, ...], tmp_path: Path
) -> None:
    net = trained()["rnet"]
    state = saved(net)
    torch.save(state, tmp_path / "w.pt")
    model = registry.open_model(str(tmp_path / "w.pt"))
    assert model.card.about["assumptions"]["flat"]["value"] == flat
    x = torch.rand(2, 3, 24, 24)
    ceil = saved is caffe
    own = {key.rpartition(".")[0].rpartition(".")[2] + "." + key.rpartition(".")[2]: t for key, t in state.items()}

    def prelu(y: Tensor, name: str) -> Tensor:
        return f.prelu(y, own[f"{name}.weight"])

    with torch.no_grad():
        y = f.max_pool2d(prelu(f.conv2d(x, own["conv1.weight"], own["conv1.bias"]), "prelu1"), 3, 2, ceil_mode=ceil)
        y = f.max_pool2d(prelu(f.conv2d(y, own["conv2.weight"], own["conv2.bias"]), "prelu2"), 3, 2, ceil_mode=ceil)
        y = prelu(f.conv2d(y, own["conv3.weight"], own["conv3.bias"]), "prelu3").permute(order).flatten(1)
        dense, last = ("conv4", "prelu4") if ceil else ("conv5", "prelu5")
        y = prelu(y @ own[f"{dense}.weight"].T + own[f"{dense}.bias"], last)
        head = "conv5_1" if ceil else "conv6_1"
        score = y @ own[f"{head}.weight"].T + own[f"{head}.bias"]
        logit = score[:, 1] - score[:, 0] if ceil else score[:, 0]
        made = model.net(x)
    torch.testing.assert_close(made[:, 1] - made[:, 0], logit, rtol=1e-4, atol=1e-5)
