"""Networks of no known family: what they are for is told by running them, what that leaves open can be flipped."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest
import torch
from torch import Tensor, nn

from models.adapters.any_classifier import AnyClassifierAdapter
from models.adapters.any_features import AnyFeaturesAdapter
from models.adapters.decoded import DecodedAdapter
from models.adapters.offsets import OffsetsAdapter
from models.attributions.target import TargetParams
from models.cards.card import Card
from models.detection.anchor_sets import KNOWN
from models.detection.box_rows import Boxes
from models.engine import registry
from models.engine.engine import Engine
from models.loading.preprocess import Preprocess
from models.pictures import images
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Refusal, Result, Source

CAT = Path(__file__).resolve().parents[2] / "assets" / "photos" / "cat.jpg"


class Returning(nn.Module):
    """Returns what it was made with, of a network's output."""

    def __init__(self, wrap: Any, *, channels: int = 3, classes: int = 4) -> None:
        super().__init__()
        self.net, self.wrap = programs.residual(channels=channels, classes=classes), wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(self.net(x))


WAYS = {
    "tensor": lambda y: y,
    "tuple": lambda y: (y,),
    "dictionary": lambda y: OrderedDict(logits=y, hidden=y[:, :2]),
    "with a map": lambda y: [y[:, :, None, None].expand(-1, -1, 3, 3), y],
    "of 1 x 1 places": lambda y: y[:, :, None, None],
}


def stages() -> Any:
    return CachedStages(Cache(), "picture", Context())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("way", WAYS)
def test_one_score_for_each_class_makes_a_classifier(way: str, channels: int) -> None:
    net = Returning(WAYS[way], channels=channels).eval()
    model = registry.adapt(net, Card("net"))
    assert isinstance(model, AnyClassifierAdapter)
    pixels = images.read(CAT).pixels
    x = model.preprocess.input(pixels, torch.device("cpu"))
    if channels == 1:
        x = torch.einsum("nchw,c->nhw", x, torch.tensor([0.299, 0.587, 0.114]))[:, None]
    with torch.no_grad():
        wanted = net.net(x)[0].numpy()
    np.testing.assert_allclose(model.logits(pixels, stages()), wanted, atol=1e-5)


def test_probabilities_are_not_put_through_a_softmax_again() -> None:
    net = nn.Sequential(programs.residual(), nn.Softmax(1)).eval()
    pixels = images.read(CAT).pixels
    model = registry.adapt(net, Card("net"))
    with torch.no_grad():
        wanted = net(model.preprocess.input(pixels, torch.device("cpu")))[0].numpy()
    logits = model.logits(pixels, stages())
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), wanted, rtol=1e-4)
    flipped = registry.adapt(net, Card("net"), {"scores": "logits"})
    np.testing.assert_allclose(flipped.logits(pixels, stages()), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("net", "size"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 3)), (28, 28)),
        (nn.Sequential(nn.Conv2d(3, 2, 5), nn.Flatten(), nn.Linear(2 * 28 * 28, 3)), (32, 32)),
        (nn.Sequential(nn.Conv2d(3, 3, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten()), (224, 224)),
    ],
)
def test_the_size_is_the_first_that_fits(net: nn.Module, size: tuple[int, int]) -> None:
    model = registry.adapt(net.eval(), Card("net"))
    assert model.preprocess.size == size


def test_a_card_tells_the_size_and_the_names() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(2 * 20 * 30, 2)).eval()
    with pytest.raises(Refusal, match="runs on no blank picture") as caught:
        registry.adapt(net, Card("net"))
    assert "mat1 and mat2" in str(caught.value) and '"crop"' in caught.value.advice
    about = {"preprocessing": {"crop": [20, 30], "fit": "stretch", "mean": [0, 0, 0], "std": [1, 1, 1]}}
    model = registry.adapt(net, Card("net", classes=("cat", "dog"), about=about))
    assert model.preprocess.size == (20, 30) and model.card.classes == ("cat", "dog")
    assert "input" not in model.card.about["assumptions"]
    assert model.subject(images.read(CAT).pixels, stages()).extent == (0, 0, *images.size(CAT))


def test_families_come_first_and_take_no_assumptions() -> None:
    net = programs.residual()
    known = [kind for kind in registry.adapter_classes() if not hasattr(kind, "serves")]
    assert known and not any(kind.match(net) for kind in known)
    tiny = next(kind for kind in known if kind.__name__ == "ClassifierAdapter").tiny()
    assert type(registry.adapt(tiny.eval(), Card("tiny"))).__name__ == "ClassifierAdapter"
    with pytest.raises(Refusal, match="no assumption 'input'"):
        registry.adapt(tiny, Card("tiny"), {"input": "zero_one"})
    with pytest.raises(Refusal, match="no assumption 'nonsense'"):
        registry.adapt(net, Card("net"), {"nonsense": "1"})


def test_the_first_normalisation_tells_the_preprocessing() -> None:
    """A network that saw photos under one preset only: its running statistics are theirs."""
    from models.loading import preprocess_presets

    pixels = [images.read(path).pixels for path in sorted(preprocess_presets.PHOTOS.glob("*.jpg"))]
    for name in ("imagenet", "minus_one_one", "zero_255", "zero_one"):
        torch.manual_seed(0)
        body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8, momentum=None), nn.ReLU())
        net = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
        made = Preprocess(crop=112, fit="crop", resize=128, **preprocess_presets.PRESETS[name])
        with torch.no_grad():
            net.train()(torch.cat([made.input(one, torch.device("cpu")) for one in pixels]))
        model = registry.adapt(net.eval(), Card("net"))
        assert model.card.about["assumptions"]["input"]["value"] == name
        assert not torch.nn.modules.module._global_forward_pre_hooks


def test_maps_are_features_with_layers_and_channels_to_explain() -> None:
    engine = Engine(threads=1)
    net = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.ReLU(), nn.Conv2d(6, 5, 3)).eval().requires_grad_(False)
    engine._models["net"] = model = registry.adapt(net, Card("net"))
    assert isinstance(model, AnyFeaturesAdapter) and model.card.classes == tuple(f"channel {n}" for n in range(5))
    for inspection in ("layers", "activations", "filters", "saliency", "grad_cam"):
        answer = engine.run(Request.make(inspection, "net", Source.file(CAT)))
        assert isinstance(answer, Result), answer
    assert answer.meta["probability"] is None
    offers = registry.describe(model).offers
    assert "gives features" in offers["detect"].reason and "gives features" in offers["classify"].reason
    pixels = images.read(CAT).pixels
    with torch.no_grad():
        wanted = net(model.preprocess.input(pixels, torch.device("cpu"))).mean((2, 3))
        torch.testing.assert_close(
            model.subject(pixels, stages()).scores(model.subject(pixels, stages()).input), wanted
        )


class Fixed(nn.Module):
    """Gives the same boxes for any picture; scores depend on it a little."""

    def __init__(self, scores: Tensor, boxes: Tensor, names: tuple[str, str] | None = None) -> None:
        super().__init__()
        self.scores, self.boxes = (nn.Parameter(one, requires_grad=False) for one in (scores, boxes))
        self.names = names

    def forward(self, x: Tensor) -> Any:
        count = len(x)
        scores = self.scores.expand(count, -1, -1) + 0 * x.mean((1, 2, 3))[:, None, None]
        boxes = self.boxes.expand(count, -1, -1)
        return dict(zip(self.names, (scores, boxes), strict=True)) if self.names else (boxes, scores)


CORNERS = torch.tensor([[0.1, 0.2, 0.5, 0.6], [0.5, 0.5, 0.9, 0.8], [0.0, 0.0, 1.0, 1.0]])


def centred(corners: Tensor) -> Tensor:
    return torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1)


@pytest.mark.parametrize("form", ["corners", "centre", "corner_size"])
@pytest.mark.parametrize("unit", ["normalised", "pixels"])
@pytest.mark.parametrize("kind", ["probabilities", "sigmoid", "softmax"])
def test_boxes_in_every_form_come_out_where_they_are(form: str, unit: str, kind: str) -> None:
    ways = {
        "corners": CORNERS,
        "centre": centred(CORNERS),
        "corner_size": torch.cat([CORNERS[:, :2], CORNERS[:, 2:] - CORNERS[:, :2]], 1),
    }
    chances = torch.tensor([[0.05, 0.9, 0.05], [0.2, 0.2, 0.6], [0.97, 0.02, 0.01]])
    logits = {"probabilities": chances, "sigmoid": chances.logit(), "softmax": chances.log()}[kind]
    boxes = ways[form] * (320 if unit == "pixels" else 1)
    net = Fixed(logits[None], boxes[None]).eval()
    about = {"preprocessing": {"crop": 320, "fit": "stretch"}}
    given = {"boxes": form, "unit": unit, "scores": kind, "background": "first"}
    model = registry.adapt(net, Card("net", about=about), given)
    assert isinstance(model, DecodedAdapter) and model.card.classes[0] == "__background__"
    pixels = images.read(CAT).pixels
    found = model.candidates(pixels, {}, stages())
    width, height = images.size(CAT)
    order = np.argsort(-found.score)
    np.testing.assert_allclose(found.score[order[:2]], [0.9, 0.6], atol=1e-5)
    assert found.label[order[:2]].tolist() == [1, 2] and 0 not in found.label
    wanted = CORNERS[:2].numpy() * np.array([width, height, width, height])
    np.testing.assert_allclose(found.drawn[order[:2]], wanted, rtol=1e-4, atol=0.01)
    seen = model.subject(pixels, stages())
    row = seen.scores(seen.input)
    torch.testing.assert_close(seen.probabilities(row)[0], chances[0], atol=1e-4, rtol=1e-3)
    np.testing.assert_allclose(row[0, 3:].detach().numpy(), wanted[0], rtol=1e-4, atol=0.01)


def test_forms_are_guessed_from_the_numbers() -> None:
    boxes = CORNERS.repeat(40, 1)
    scores = torch.tensor([[0.98, 0.02]]).repeat(120, 1)
    scores[3] = torch.tensor([0.1, 0.9])
    model = registry.adapt(Fixed(scores[None], boxes[None]).eval(), Card("net"))
    value = {key: item["value"] for key, item in model.card.about["assumptions"].items()}
    assert (value["boxes"], value["unit"], value["scores"], value["background"]) == (
        *("corners", "normalised", "probabilities", "first"),
    )
    net = Fixed(torch.randn(1, 120, 7) - 3, centred(CORNERS).repeat(40, 1)[None] * 320, ("pred_logits", "pred_boxes"))
    model = registry.adapt(net.eval(), Card("net", classes=tuple("abcdefg")))
    value = {key: item["value"] for key, item in model.card.about["assumptions"].items()}
    assert (value["boxes"], value["unit"], value["scores"], value["background"]) == (
        *("centre", "pixels", "sigmoid", "none"),
    )
    assert model.card.classes == tuple("abcdefg")


def test_offsets_are_decoded_from_anchors_as_the_papers_code_does() -> None:
    """Against a loop written after the priors of RetinaFace and of Ultra-Light."""
    for name, size in (("ultra_light", (240, 320)), ("retinaface", (64, 96))):
        known = KNOWN[name]
        priors = []
        for stride, sizes in zip(known.strides, known.sizes, strict=True):
            for i in range(-(-size[0] // stride)):
                for j in range(-(-size[1] // stride)):
                    for side in sizes:
                        row = [
                            (j + 0.5) * stride / size[1],
                            (i + 0.5) * stride / size[0],
                            side / size[1],
                            side / size[0],
                        ]
                        priors.append([min(max(v, 0), 1) for v in row] if known.clip else row)
        wanted = torch.tensor(priors)
        offsets = torch.randn(len(wanted), 4, generator=torch.Generator().manual_seed(0))
        centre = offsets[:, :2] * 0.1 * wanted[:, 2:] + wanted[:, :2]
        sides = torch.exp(offsets[:, 2:] * 0.2) * wanted[:, 2:]
        corners = torch.cat([centre - sides / 2, centre + sides / 2], 1) * torch.tensor([size[1], size[0]] * 2)
        assert known.count(size) == len(wanted)
        torch.testing.assert_close(known.decode(offsets, size), corners, rtol=1e-4, atol=1e-3)


def test_anchors_on_a_card_are_used_and_checked() -> None:
    about = {"preprocessing": {"crop": [16, 24], "fit": "stretch"}, "anchors": {"strides": [8], "sizes": [[8, 12]]}}
    net = Fixed(torch.rand(1, 12, 2), torch.zeros(1, 12, 4)).eval()
    model = registry.adapt(net, Card("net", about=about))
    assert isinstance(model, OffsetsAdapter)
    pixels = np.zeros((16, 24, 3), np.uint8)
    table = model.anchors(pixels, stages())
    assert table.grid.tolist() == [[2, 3]] and table.per_cell.tolist() == [2]
    np.testing.assert_allclose(table.boxes[0], [0, 0, 8, 8])
    short = Fixed(torch.rand(1, 10, 2), torch.zeros(1, 10, 4)).eval()
    with pytest.raises(Refusal, match="12 on an input of 24 x 16, the network gives 10"):
        registry.adapt(short, Card("net", about=about))


def test_odds_do_not_drown_where_a_network_is_sure() -> None:
    boxes = Boxes(0, "corners", "pixels", "probabilities", "first")
    logits = torch.tensor([[20.0, -20.0]], requires_grad=True)
    odds = boxes.logits(logits.softmax(1))
    assert odds[0, 1].item() == pytest.approx(-40, rel=1e-4)
    (gradient,) = torch.autograd.grad(odds[0, 0], logits)
    assert gradient[0].tolist() == pytest.approx([1, -1], abs=1e-3)


def test_a_region_is_explained_by_the_row_whose_box_is_nearest() -> None:
    net = Fixed(torch.rand(1, 3, 2), CORNERS[None]).eval()
    given = {"boxes": "corners", "unit": "normalised"}
    model = registry.adapt(net, Card("net", about={"preprocessing": {"crop": 64, "fit": "stretch"}}), given)
    pixels = np.zeros((100, 100, 3), np.uint8)
    seen = model.subject(pixels, stages(), region=(52, 48, 88, 82))
    assert seen.label == -1
    np.testing.assert_allclose(seen.scores(seen.input)[0, 2:].detach(), [50, 50, 90, 80], atol=1e-3)
    assert TargetParams().box == -1
