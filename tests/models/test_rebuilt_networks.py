"""Networks rebuilt from their tensors alone: the same answers as the network that was saved, or said to be unknown."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import collection_networks as collection
import numpy as np
import pytest
import small_networks as small
import torch
from latents import CHECKPOINTS
from PIL import Image
from torch import nn
from torchvision.models import resnet18

from models.cards.card import PHOTOS
from models.detection.iou import iou
from models.engine import registry
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source

CASES = CHECKPOINTS.parent / "cases"
DATA = CHECKPOINTS.parent / "data"


def adapted(build: Callable[..., Any], channels: int = 3, **more: Any) -> nn.Module:
    """torchvision's network for small pictures: a first layer of 3 x 3 without pooling."""
    net = build(num_classes=10, **more)
    net.conv1, net.maxpool = nn.Conv2d(channels, 64, 3, 1, 1, bias=False), nn.Identity()
    net.side, net.channels = 32 if channels == 3 else 28, channels
    return net


NETWORKS: dict[str, Callable[[], Any]] = {
    "MNIST example": small.MnistExample,
    "old MNIST example": small.OldMnistExample,
    "CIFAR tutorial": small.CifarTutorial,
    "two stages": small.TwoStages,
    "three convolutions": small.ThreeConvolutions,
    "perceptron": small.Perceptron,
    "VGG for CIFAR": small.CifarVGG,
    "ResNet-20": small.CifarResNet,
    "ResNet-32": lambda: small.CifarResNet(5),
    "collection ResNet-18": small.CollectionResNet,
    "collection ResNet-50": lambda: small.CollectionResNet(deep=True),
    "collection PreActResNet": lambda: small.CollectionResNet(before=True, stem_norm=False),
    "collection PreAct bottlenecks": lambda: small.CollectionResNet(deep=True, before=True, stem_norm=False),
    "collection ResNeXt": lambda: small.CollectionResNet(deep=True, groups=4),
    "collection SENet": lambda: small.CollectionResNet(before=True, squeeze=True),
    "collection MobileNet": collection.MobileNet,
    "collection MobileNetV2": collection.MobileNetV2,
    "collection EfficientNet": collection.EfficientNet,
    "collection DenseNet": collection.DenseNet,
    "collection GoogLeNet": collection.GoogLeNet,
    "collection RegNetX": lambda: collection.RegNet(weighs=False),
    "collection RegNetY": lambda: collection.RegNet(weighs=True),
    "torchvision's ResNet-18 adapted to grey": lambda: adapted(resnet18, 1),
}
SAVED: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "plain": lambda state: state,
    "training": lambda state: {"net": state, "acc": 93.1, "epoch": 199},
    "parallel": lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}, "best_prec1": 91.7},
    "numpy": lambda state: {"model": state, "acc": np.float64(97.4), "optimizer": {"state": {}, "param_groups": []}},
    "old": lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_rebuilt_network_answers_as_the_one_that_was_saved(name: str, tmp_path: Path) -> None:
    net = NETWORKS[name]()
    small.settled(net, side=net.side, channels=net.channels)
    way = list(SAVED)[list(NETWORKS).index(name) % len(SAVED)]
    torch.save(SAVED[way](net.state_dict()), tmp_path / "w.pth")
    model = registry.open_model(str(tmp_path / "w.pth"))
    x = torch.rand(2, net.channels, net.side, net.side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-4, atol=1e-4)
    assert model.preprocess.size == (net.side, net.side)
    assert model.card.task == "classification" and len(model.card.classes) == net(x).shape[1]
    assert model.card.about["note"].startswith("Recognised by its tensors: ")


def test_what_no_tensor_tells_can_be_flipped(tmp_path: Path) -> None:
    net = small.settled(small.Lenet5(), side=32, channels=1)
    torch.save(net.state_dict(), tmp_path / "w.pt")
    x = torch.rand(2, 1, 32, 32)
    offered = registry.open_model(str(tmp_path / "w.pt")).card.about["assumptions"]
    assert {"activation", "pooling", "structure"} <= set(offered)
    model = registry.open_model(f"{tmp_path / 'w.pt'}?activation=tanh&pooling=mean")
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x))


def test_pictures_decide_where_statistics_were_kept(tmp_path: Path) -> None:
    """A norm after the activation, Leaky ReLU and mean pooling: all unusual, all told by the norms' statistics."""

    class Odd(small.ThreeConvolutions):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
                x = nn.functional.avg_pool2d(norm(torch.tanh(conv(x))), 2)
            return self.fc2(torch.tanh(self.fc1(x.flatten(1))))

    net = small.settled(Odd(), side=32, channels=3)
    torch.save(net.state_dict(), tmp_path / "w.pt")
    model = registry.open_model(str(tmp_path / "w.pt"))
    chosen = {name: item["value"] for name, item in model.card.about["assumptions"].items()}
    assert (chosen["order"], chosen["activation"], chosen["pooling"]) == ("activation", "tanh", "mean")
    assert "nats" in model.card.about["note"]


def test_blocks_of_unknown_code_are_not_guessed(tmp_path: Path) -> None:
    class Own(nn.Module):
        def __init__(self, width: int, out: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out)

    net = nn.Module()
    net.conv1 = nn.Conv2d(1, 8, 3)
    net.layers1, net.layers2 = nn.Sequential(Own(8, 8)), nn.Sequential(Own(8, 16))
    net.linear = nn.Linear(16, 10)
    torch.save(net.state_dict(), tmp_path / "w.pt")
    model = registry.open_model(str(tmp_path / "w.pt"))
    about = model.card.about
    assert about["unknown"] and "10 classes" in about["note"] and "grey pictures" in about["note"]
    assert "convolutions" in about["note"] and "its filters can be seen" in about["note"]


# The real files of others, with the figures that belong to them.


def accuracy(name: str) -> float:
    """The share of every 25th test picture of CIFAR-10 that a model tells right."""
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    model = registry.open_model(name)
    with zipfile.ZipFile(DATA / "cifar10-jpeg.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.startswith("test/") and n.endswith(".jpg"))[::25]
        pixels = [np.array(Image.open(io.BytesIO(archive.read(n))).convert("RGB")) for n in names]
    with torch.no_grad():
        inputs = torch.cat([model.preprocess.input(one, torch.device("cpu")) for one in pixels])
        found = model.scores(inputs).argmax(1).numpy()
    return float(np.mean(found == [classes.index(n.split("/")[1]) for n in names]))


@pytest.mark.parametrize(("file", "right"), [("resnet20-12fca82f.th", 0.80), ("cifar_torchvision.pt", 0.5725)])
def test_real_networks_for_cifar_reach_their_figure(file: str, right: float) -> None:
    if not (CASES / "models" / file).exists():
        pytest.skip("the shared cases are not on this machine")
    assert accuracy(str(CASES / "models" / file)) == pytest.approx(right, abs=1e-6)


def test_the_real_lenet_tells_digits() -> None:
    file = CHECKPOINTS / "lenet_mnist" / "lenet.pth"
    if not file.exists():
        pytest.skip("the shared checkpoints are not on this machine")
    model = registry.open_model(str(file))
    assert model.card.classes == tuple("0123456789") and "100% right" in model.card.about["note"]
    with np.load(DATA / "mnist.npz") as held:
        pictures, labels = held["test_images"][:1000], held["test_labels"][:1000]
    inputs = torch.cat([model.preprocess.input(np.repeat(p[..., None], 3, 2), torch.device("cpu")) for p in pictures])
    with torch.no_grad():
        assert float((model.scores(inputs).argmax(1).numpy() == labels).mean()) > 0.985


def test_a_real_checkpoint_with_numbers_of_numpy_shows_what_it_is() -> None:
    file = CASES / "models" / "mnist_ckpt.pth"
    if not file.exists():
        pytest.skip("the shared cases are not on this machine")
    about = registry.open_model(str(file)).card.about
    assert about["unknown"] and "grey pictures" in about["note"] and "10 classes" in about["note"]


@pytest.mark.parametrize(("channels", "classes", "bilinear"), [(3, 2, False), (3, 1, True), (1, 4, False)])
def test_a_plain_u_net_labels_pixels(channels: int, classes: int, bilinear: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = small.UNet(channels, classes, bilinear=bilinear).eval()
    torch.save({**net.state_dict(), "mask_values": [0, 255]}, tmp_path / "unet.pth")
    model = registry.open_model(str(tmp_path / "unet.pth"))
    x = torch.rand(1, channels, 50, 70)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-4, atol=1e-5)
    assert model.card.task == "segmentation" and len(model.card.classes) == max(classes, 2)
    engine = Engine(threads=1)
    answer = engine.run(Request.make("segment", str(tmp_path / "unet.pth"), Source.file(PHOTOS / "cat.jpg")))
    assert isinstance(answer, Result), answer


def test_states_deep_in_a_file_are_found(tmp_path: Path) -> None:
    net = small.settled(small.TwoStages(), side=28, channels=1)
    other = {"optimizer": {"state": {0: {"exp_avg.x": torch.ones(2)}}}, "step": 3}
    torch.save({"checkpoint": {"weights": {"model": net.state_dict()}, **other}}, tmp_path / "w.pt")
    model = registry.open_model(str(tmp_path / "w.pt"))
    x = torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x))


def test_the_real_face_detector_finds_one_face_where_it_is() -> None:
    file = CASES / "models" / "mobilenet0.25_Final.pth"
    if not file.exists():
        pytest.skip("the shared cases are not on this machine")
    engine = Engine(threads=1)
    found = engine.run(Request.make("detect", str(file), Source.file(PHOTOS / "astronaut.jpg")))
    assert isinstance(found, Result), found
    assert len(found.arrays["boxes"]) == 1 and found.arrays["scores"][0] > 0.99
    assert iou(found.arrays["boxes"], np.array([[178.0, 72.0, 268.0, 178.0]], np.float32))[0] > 0.7
    none = engine.run(Request.make("detect", str(file), Source.file(PHOTOS / "coffee.jpg")))
    assert isinstance(none, Result) and len(none.arrays["boxes"]) == 0


def test_the_real_network_against_spoofing_is_known_with_its_preparation() -> None:
    file = CASES / "models" / "2.7_80x80_MiniFASNetV2.pth"
    if not file.exists():
        pytest.skip("the shared cases are not on this machine")
    model = registry.open_model(str(file))
    assert model.card.architecture == "MiniFASNet for 80 px" and len(model.card.classes) == 3
    assert (model.preprocess.order, model.preprocess.range, model.preprocess.size) == ("bgr", 255.0, (80, 80))
    nats = float(model.card.about["note"].partition("get values ")[2].split()[0])
    assert nats < 0.3, "what reaches the norms is what they saw in training"


def test_a_head_of_ones_own_on_torchvisions_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = resnet18().eval()
    net.fc = nn.Sequential(nn.Linear(512, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 5)).eval()  # type: ignore[assignment]
    torch.save({"state_dict": net.state_dict()}, tmp_path / "w.pth")
    model = registry.open_model(f"{tmp_path / 'w.pth'}?input=imagenet&stem=halved&activation=relu")
    x = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-4, atol=1e-4)
    assert model.preprocess.size == (224, 224) and len(model.card.classes) == 5
