"""Weights without a card: timm's by their tensors, what is assumed of them, our own networks' preprocessing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import get_model

from models.cards import card as cards
from models.engine import registry
from models.engine.engine import Engine
from models.loading import preprocess_presets
from models.loading.preprocess import Preprocess
from models.requests import Request
from models.types import Refusal, Result, Source
from models.zoo import rebuild


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm", reason="timm is an extra of its own")


@pytest.mark.parametrize(("name", "classes"), [("convnext_atto", 7), ("vit_tiny_patch16_224", 1000)])
def test_timms_networks_are_told_by_their_tensors(timm: Any, tmp_path: Path, name: str, classes: int) -> None:
    torch.manual_seed(0)
    net = timm.create_model(name, pretrained=False, num_classes=classes).eval()
    path = tmp_path / "mine.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, path)
    model = registry.open_model(f"{path}?architecture=timm:{name}" if "vit" in name else str(path))
    assert model.card.architecture == name and len(model.card.classes) == classes
    picture = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(net(picture), model.net(picture))


def test_architectures_with_the_same_tensors_are_offered(timm: Any, tmp_path: Path) -> None:
    net = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=5)
    torch.save(net.state_dict(), tmp_path / "mine.pth")
    item = registry.open_model(str(tmp_path / "mine.pth")).card.about["assumptions"]["architecture"]
    assert {"timm:vit_tiny_patch16_224", "timm:deit_tiny_patch16_224"} <= set(item["choices"])
    with pytest.raises(Refusal, match="architecture cannot be"):
        registry.open_model(f"{tmp_path / 'mine.pth'}?architecture=timm:resnet18")


def test_without_timm_its_tensors_are_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timm: Any
) -> None:
    import sys

    net = timm.create_model("convnext_atto", pretrained=False, num_classes=5)
    torch.save(net.state_dict(), tmp_path / "mine.pth")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(Refusal, match="timm's convnext_atto") as refused:
        registry.open_model(str(tmp_path / "mine.pth"))
    assert "install timm" in refused.value.advice


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large"])
def test_a_segmenter_is_told_by_its_tensors(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    net = get_model(name, weights=None, weights_backbone=None, num_classes=4).eval()
    state = {key: tensor.detach() for key, tensor in net.state_dict().items()}
    found = rebuild.rebuild(cards.Card("mine", task=""), state, {})
    assert found is not None and found[1].task == "segmentation" and len(found[1].classes) == 4
    with torch.no_grad():
        picture = torch.rand(1, 3, 64, 64)
        assert torch.equal(net(picture)["out"], found[0].eval()(picture)["out"])


def test_what_no_tensor_tells_is_not_opened_by_the_zoo_either(tmp_path: Path) -> None:
    net = get_model("googlenet", weights=None, num_classes=4, init_weights=False)
    torch.save(net.state_dict(), tmp_path / "mine.pth")
    assert registry.open_model(str(tmp_path / "mine.pth")).card.about["unknown"]


@pytest.fixture
def squeezenet(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_file(get_model("squeezenet1_1", weights=None, num_classes=4).state_dict(), tmp_path / "mine.safetensors")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (256, 256, 3), np.uint8)).save(tmp_path / "noise.png")
    return tmp_path / "mine.safetensors"


@pytest.mark.parametrize(
    ("assumed", "change"),
    [
        ("", lambda x: (x - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])),
        ("?input=zero_one", lambda x: x),
        ("?input=minus_one_one", lambda x: 2 * x - 1),
        ("?input=minus_127", lambda x: (255 * x - 127) / 128),
        ("?input=caffe", lambda x: 255 * x.flip(-1) - torch.tensor([103.939, 116.779, 123.68])),
        ("?input=zero_one&colours=bgr", lambda x: x.flip(-1)),
    ],
)
def test_what_is_assumed_of_the_picture_reaches_the_network(squeezenet: Path, assumed: str, change: Any) -> None:
    engine, net = Engine(threads=1), registry.open_model(str(squeezenet)).net
    picture = Source.file(squeezenet.parent / "noise.png")
    answer = engine.run(Request("classify", f"{squeezenet}{assumed}", picture))
    assert isinstance(answer, Result), answer
    pixels = torch.from_numpy(np.array(Image.open(picture.path)))[16:240, 16:240].float() / 255
    with torch.no_grad():
        expected = net(change(pixels).permute(2, 0, 1)[None])[0].sort(descending=True).values
    np.testing.assert_allclose(answer.arrays["scores"], expected.numpy(), rtol=1e-4, atol=1e-4)


def test_a_card_that_says_how_leaves_nothing_to_assume(squeezenet: Path) -> None:
    cards.write(squeezenet, {"name": "mine", "weights": squeezenet.name, "preprocessing": {"crop": 64, "resize": 64}})
    model = registry.open_model(str(squeezenet))
    assert "input" not in model.card.about["assumptions"] and model.preprocess.size == (64, 64)


def test_a_classifier_of_ours_without_its_card_sees_pictures_as_it_was_trained(tmp_path: Path) -> None:
    card = cards.bundled()["photos-resnet"]
    assert card.weights is not None
    (tmp_path / "copy.safetensors").write_bytes(card.weights.read_bytes())
    model = registry.open_model(str(tmp_path / "copy.safetensors"))
    assert model.preprocess == Preprocess.of(card.about["preprocessing"])
    assert model.preprocess != Preprocess()


def test_usual_values_are_named_and_unusual_ones_are_own() -> None:
    odd = Preprocess(mean=(0.1, 0.2, 0.3))
    made, offered = preprocess_presets.assumed(odd, {})
    assert made == odd and offered["input"]["choices"][0] == preprocess_presets.OWN
    made, offered = preprocess_presets.assumed(Preprocess(), {"input": "zero_one", "fit": "pad"})
    assert offered["input"]["choices"][0] == "imagenet" and made.mean == (0.0, 0.0, 0.0) and made.fit == "pad"


@pytest.mark.parametrize("place", ["CLASSES", "dataset_meta"])
def test_a_toolboxs_parts_are_joined_and_its_class_names_are_read(tmp_path: Path, place: str) -> None:
    torch.manual_seed(0)
    net = get_model("resnet18", weights=None, num_classes=3).eval()
    state = {f"{'head' if name.startswith('fc') else 'backbone'}.{name}": t for name, t in net.state_dict().items()}
    names = ["ant", "bee", "cat"]
    meta = {"CLASSES": names} if place == "CLASSES" else {"dataset_meta": {"classes": tuple(names)}}
    torch.save({"meta": meta, "state_dict": state}, tmp_path / "epoch_9.pth")
    model = registry.open_model(str(tmp_path / "epoch_9.pth"))
    assert model.card.architecture == "resnet18" and model.card.classes == ("ant", "bee", "cat")
    assert "parts (backbone, head) are joined" in model.card.about["note"]
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=0, atol=0)
    torch.save({f"backbone.{key}": t for key, t in torch.nn.Conv2d(3, 4, 3).state_dict().items()}, tmp_path / "own.pth")
    assert registry.open_model(str(tmp_path / "own.pth")).card.about["unknown"], "what is no network stays unknown"
