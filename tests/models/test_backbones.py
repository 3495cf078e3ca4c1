"""Published classifiers in somebody's wrapper with another head: the answers of the network that was saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import alexnet, mobilenet_v2, resnet18, squeezenet1_1, vgg11

from models.engine import registry
from models.loading import backbones, linear_heads


def _listed(last: int) -> nn.Sequential:
    return nn.Sequential(*list(resnet18(weights=None).children())[:last])


class Outside(nn.Module):
    """A head beside the backbone, whose own is removed."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = resnet18(weights=None)
        self.backbone.fc = nn.Identity()  # type: ignore[assignment]
        self.classifier = nn.Linear(512, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.backbone(x))


class Listed(nn.Module):
    """The backbone's children in a list, and a head of two layers with a norm between."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = _listed(-1)
        self.head = nn.Sequential(nn.Linear(512, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 6))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cnn(x).flatten(1))


class BothPools(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([functional.adaptive_max_pool2d(x, 1), functional.adaptive_avg_pool2d(x, 1)], 1).flatten(1)


def fastai() -> nn.Module:
    """A body and a head as fastai saves them: the activation stands before the norm."""
    head = [BothPools(), nn.Flatten(), nn.BatchNorm1d(1024), nn.Dropout(), nn.Linear(1024, 64, bias=False), nn.ReLU()]
    head += [nn.BatchNorm1d(64), nn.Dropout(), nn.Linear(64, 37, bias=False)]
    return nn.Sequential(_listed(-2), nn.Sequential(*head))


class Features(nn.Module):
    """MobileNetV2's features by another name, unnumbered layers after."""

    def __init__(self) -> None:
        super().__init__()
        self.base = mobilenet_v2(weights=None).features
        self.fc1, self.fc2 = nn.Linear(1280, 20), nn.Linear(20, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.relu(self.fc1(self.base(x).mean((2, 3)))))


def flattened() -> nn.Module:
    """All values of the last maps of pictures of 64 px."""
    return nn.Sequential(_listed(-2), nn.Flatten(), nn.Linear(512 * 4, 3))


NETWORKS: tuple[tuple[Callable[[], nn.Module], int], ...] = (
    (Outside, 5),
    (Listed, 6),
    (fastai, 37),
    (Features, 4),
    (flattened, 3),
)


def _with_statistics(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    net = make()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return net.eval()


@pytest.mark.parametrize(("make", "count"), NETWORKS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_wrapped_backbone_gives_the_scores_of_the_network_that_was_saved(
    make: Callable[[], nn.Module], count: int, tmp_path: Path
) -> None:
    net = _with_statistics(make)
    torch.save({"model": net.state_dict(), "opt": {"state": {}, "param_groups": []}}, tmp_path / "best.pth")
    model = registry.open_model(str(tmp_path / "best.pth"))
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-4, atol=1e-5)
    assert model.card.task == "classification"
    assert len(model.card.classes) == count
    assert "resnet18" in model.card.about["note"] or "mobilenet_v2" in model.card.about["note"]
    if make is flattened:
        assert model.preprocess.size == (64, 64), "only pictures of 64 px have maps of that length"


class Several(nn.Module):
    """Three heads on the same features."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _listed(-1)
        self.age, self.gender, self.race = nn.Linear(512, 1), nn.Linear(512, 2), nn.Linear(512, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.backbone(x).flatten(1)
        return {"age": self.age(features), "gender": self.gender(features), "race": self.race(features)}


def test_each_of_several_heads_is_an_output(tmp_path: Path) -> None:
    net = _with_statistics(Several)
    torch.save(net.state_dict(), tmp_path / "multitask.pth")
    model = registry.open_model(str(tmp_path / "multitask.pth"))
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        made, wanted = model.net(x), net(x)
    assert made.keys() == wanted.keys()
    for name, scores in wanted.items():
        torch.testing.assert_close(made[name], scores, rtol=1e-4, atol=1e-5)


def test_other_layers_beside_a_backbone_are_not_passed_over() -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in Outside().state_dict().items()}
    assert backbones.propose(shapes) is not None
    for more in ({"neck.weight": (256, 512, 1, 1)}, {"classifier2.weight": (7, 300)}, {"token": (1, 1, 512)}):
        assert backbones.propose({**shapes, **more}) is None
    del shapes["backbone.layer3.1.bn2.weight"]
    assert backbones.propose(shapes) is None


def test_a_body_with_a_head_of_convolutions_is_not_taken() -> None:
    shapes = {f"net.{name}": tuple(tensor.shape) for name, tensor in squeezenet1_1(weights=None).state_dict().items()}
    assert backbones.propose(shapes) is None


@pytest.mark.parametrize(
    ("shapes", "active"),
    [
        ({"h.0.weight": (8, 4), "h.0.bias": (8,), "h.3.weight": (2, 8)}, [True, False]),
        ({"h.0.weight": (8, 4), "h.1.weight": (2, 8)}, [False, False]),
        ({"fc1.weight": (8, 4), "fc2.weight": (2, 8)}, [True, False]),
        (
            {"h.0.weight": (8, 4), "h.2.weight": (8,), "h.2.bias": (8,), "h.2.running_mean": (8,)}
            | {"h.2.running_var": (8,), "h.4.weight": (2, 8)},
            [True, False, False],
        ),
    ],
)
def test_numbers_left_out_tell_where_a_head_has_activations(shapes: Any, active: list[bool]) -> None:
    found = linear_heads.heads(shapes, {4})
    assert found is not None
    assert [unit.active for unit in found.heads[0].units] == active


def test_a_tensor_that_no_head_takes_is_said() -> None:
    shapes = {"yaw.weight": (66, 4), "pitch.weight": (66, 4), "finetune.weight": (3, 7), "finetune.bias": (3,)}
    found = linear_heads.heads(shapes, {4})
    assert found is not None
    assert [head.path for head in found.heads] == ["yaw", "pitch"]
    assert found.spare == ("finetune.weight", "finetune.bias")
    assert linear_heads.heads({**shapes, "other.weight": (3, 99)}, {4}) is None


def test_a_vgg_or_alexnet_for_small_pictures_is_not_taken_for_the_published_one() -> None:
    """Their features have the same names and shapes; the head takes one value of each channel."""
    for name, features in (("vgg", vgg11(weights=None).features), ("alexnet", alexnet(weights=None).features)):
        shapes = {f"features.{path}": tuple(tensor.shape) for path, tensor in features.state_dict().items()}
        small = {"classifier.weight": (10, 512 if name == "vgg" else 256), "classifier.bias": (10,)}
        assert backbones.propose({**shapes, **small}) is None
        large = {"classifier.fc.weight": (10, 512 * 49 if name == "vgg" else 256 * 36), "classifier.fc.bias": (10,)}
        assert backbones.propose({**shapes, **large}) is not None
