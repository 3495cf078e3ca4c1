"""torchvision's classifiers by their tensors: each family, any number of classes; what is none; what it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from models.cards import card
from models.engine import registry
from models.engine.engine import Engine
from models.loading import architectures
from models.pictures.images import save_png
from models.requests import Request
from models.runtime.context import Context
from models.types import Refusal, Result, Source

UNSEEN = ("googlenet", "inception_v3")  # their input may be transformed first, which no tensor tells
SMALL = ("alexnet", "densenet121", "mnasnet0_5", "mobilenet_v3_small", "regnet_x_400mf", "resnet18", "resnext50_32x4d")
MORE = ("shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "vgg11_bn", "vit_b_32", "maxvit_t", "efficientnet_b1")


@pytest.mark.parametrize("name", [*SMALL, *MORE])
@pytest.mark.parametrize("classes", [1000, 7])
def test_each_family_is_told_by_its_tensors_and_so_is_the_number_of_classes(name: str, classes: int) -> None:
    shapes = architectures.shapes_of(name, classes, 17)
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    assert architectures.recognise(state) == (name, classes)


@pytest.mark.parametrize("name", UNSEEN)
def test_what_cannot_be_told_is_left_to_a_card(name: str) -> None:
    shapes = architectures.shapes_of(name, 10, 17)
    with pytest.raises(Refusal, match="no network") as refused:
        architectures.recognise({key: torch.empty(shape, device="meta") for key, shape in shapes.items()})
    assert "card" in refused.value.advice


def test_one_tensor_of_another_size_is_another_network() -> None:
    shapes = dict(architectures.shapes_of("resnet18", 10, 17))
    shapes["layer3.1.conv2.weight"] = (256, 250, 3, 3)
    with pytest.raises(Refusal, match="no network that Vitrine knows"):
        architectures.recognise({key: torch.empty(shape, device="meta") for key, shape in shapes.items()})


def test_own_weights_open_without_a_card_and_answer_as_in_torchvision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = get_model("squeezenet1_1", weights=None, num_classes=5).eval()
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, tmp_path / "mine.pth")
    model = registry.open_model(str(tmp_path / "mine.pth"))
    assert model.card.task == "classification" and model.card.classes == tuple(f"class {i}" for i in range(5))
    rng = np.random.default_rng(0)
    save_png(rng.integers(0, 255, (300, 260, 3), dtype=np.uint8), tmp_path / "a.png")
    engine, source = Engine(threads=1), Source.file(tmp_path / "a.png")
    told = engine.run(Request.make("classify", str(tmp_path / "mine.pth"), source, {"top": 5}))
    assert isinstance(told, Result)
    preset = architectures.get_model_weights("squeezenet1_1").DEFAULT.transforms()
    pixels = torch.from_numpy(engine.pixels(Request("classify", "", source), Context())).permute(2, 0, 1)
    with torch.no_grad():
        expected = net(preset(pixels)[None])[0].numpy()
    scores = told.arrays["scores"][np.argsort(told.arrays["labels"])]
    assert np.allclose(scores, expected, atol=1e-5)
    heat = engine.run(Request.make("grad_cam", str(tmp_path / "mine.pth"), source))
    assert isinstance(heat, Result)


def test_a_thousand_classes_have_imagenets_names() -> None:
    names = architectures.class_names("resnet18", 1000)
    assert names[281] == "tabby" and len(names) == 1000
    assert card.task("resnet18") == "classification"
