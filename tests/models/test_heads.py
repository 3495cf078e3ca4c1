"""What the last numbers of a network are: found out by running it, told with the evidence, flipped, and honoured."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from headed import ALONE, FORMS, Means
from torch import Tensor, nn
from torch.nn import functional

from models.cards.card import PHOTOS, Card
from models.engine import registry
from models.engine.engine import Engine
from models.loading import heads
from models.pictures import images
from models.requests import Request
from models.types import Failure, Refusal, Result, Source

CAT = PHOTOS / "cat.jpg"


def opened(net: nn.Module, given: dict[str, str] | None = None, **card: Any) -> tuple[Engine, Any]:
    """An engine with a network opened as "net"."""
    engine = Engine(threads=1)
    model = registry.adapt(net.eval().requires_grad_(False), Card("net", **card), given)
    engine._models["net"] = model
    return engine, model


def ask(engine: Engine, inspection: str, **settings: Any) -> Result:
    answer = engine.run(Request.make(inspection, "net", Source.file(CAT), settings))
    while isinstance(answer, Result) and answer.meta.get("partial"):
        engine.finish_idle()
        answer = engine.run(Request.make(inspection, "net", Source.file(CAT), settings))
    assert isinstance(answer, Result), answer
    return answer


def logits(net: Means, model: Any) -> np.ndarray:
    """The network's three logits for the picture, without anything of ours but the input."""
    with torch.no_grad():
        return net.logits(model.preprocess.input(images.read(CAT).pixels, torch.device("cpu")))[0].double().numpy()


def scripted(net: nn.Module) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return torch.jit.trace(net, torch.rand(1, 3, 64, 64))


def kind(model: Any) -> str:
    return model.card.about["assumptions"]["scores"]["value"]


@pytest.mark.parametrize("form", FORMS)
def test_logits_in_every_form_are_classified_as_they_are(form: str) -> None:
    net = Means(FORMS[form])
    engine, model = opened(net)
    answer = ask(engine, "classify")
    wanted = logits(net, model)
    off = 5e-2 if form in ("half", "bfloat16") else 1e-4
    np.testing.assert_allclose(answer.arrays["scores"], np.sort(wanted)[::-1], atol=off)
    np.testing.assert_allclose(answer.arrays["probabilities"].sum(), 1)
    assert kind(model) == heads.LOGITS and answer.meta["distribution"]
    for method in ("saliency", "occlusion"):
        assert abs(ask(engine, method).meta["score"] - wanted.max()) < off


@pytest.mark.parametrize("form", ALONE)
def test_one_number_is_a_value_in_every_form(form: str) -> None:
    net = Means(ALONE[form])
    engine, model = opened(net)
    answer = ask(engine, "classify")
    assert model.card.classes == ("value",) and kind(model) == heads.VALUES
    assert "probabilities" not in answer.arrays and answer.meta["quantity"] == "value"
    np.testing.assert_allclose(answer.arrays["scores"], logits(net, model)[:1], atol=1e-4)
    seen = ask(engine, "occlusion")
    assert seen.meta["probability"] is None and seen.meta["quantity"] == "value" and seen.meta["target"] == "value"
    assert ask(engine, "proof", method="saliency", steps=5).meta["quantity"] == "value"


# What a network makes of its logits, what that is, and the probabilities there are.
HEADS: dict[str, tuple[Any, str, Any]] = {
    "softmax": (lambda y: y.softmax(1), heads.PROBABILITIES, lambda y: y.softmax(0)),
    "log-softmax": (lambda y: functional.log_softmax(y, 1), heads.LOG_PROBABILITIES, lambda y: y.softmax(0)),
    "sigmoid": (torch.sigmoid, heads.INDEPENDENT, torch.sigmoid),
    "sigmoid by hand": (lambda y: 1 / (1 + torch.exp(-y)), heads.INDEPENDENT, torch.sigmoid),
    "sigmoid, clamped": (lambda y: y.sigmoid().clamp(1e-6, 1 - 1e-6), heads.INDEPENDENT, torch.sigmoid),
    "log-sigmoid": (functional.logsigmoid, heads.LOG_PROBABILITIES, torch.sigmoid),
}


@pytest.mark.parametrize("script", [False, True], ids=["eager", "TorchScript"])
@pytest.mark.parametrize("name", HEADS)
def test_probabilities_are_shown_as_the_network_gives_them(name: str, script: bool) -> None:
    head, wanted_kind, of = HEADS[name]
    net = Means(head, gain=2.0).eval()
    engine, model = opened(scripted(net) if script else net)
    assert kind(model) == wanted_kind, model.card.about["note"]
    wanted = of(torch.from_numpy(logits(net, model))).numpy()
    answer = ask(engine, "classify")
    order = np.argsort(-wanted)
    assert answer.arrays["labels"].tolist() == order.tolist()
    np.testing.assert_allclose(answer.arrays["probabilities"], wanted[order], atol=1e-5)
    assert answer.meta["distribution"] == name.endswith("softmax")
    for label in range(3):
        seen = ask(engine, "occlusion", target=f"class {label}", window=60, stride=60)
        assert seen.meta["probability"] == pytest.approx(wanted[label], abs=1e-5)
    few = {"settings": "window=60; stride=60", "squares": 0, "nudges": 0}
    proof = ask(engine, "proof", method="occlusion", steps=5, **few)
    assert proof.meta["quantity"] == "probability"
    assert proof.arrays["deletion"][0, 0] == pytest.approx(wanted.max(), abs=1e-5)


@pytest.mark.parametrize("through", ["sigmoid", "half of a softmax"])
def test_one_probability_is_that_of_yes_and_the_rest_that_of_no(through: str) -> None:
    ways = {"sigmoid": lambda y: y[:, 0].sigmoid(), "half of a softmax": lambda y: y[:, :2].softmax(1)[:, 1]}
    net = Means(ways[through])
    engine, model = opened(net)
    assert kind(model) == heads.INDEPENDENT and model.card.classes == ("negative", "positive")
    with torch.no_grad():
        chance = float(net(model.preprocess.input(images.read(CAT).pixels, torch.device("cpu"))))
    answer = ask(engine, "classify")
    told = dict(zip(answer.arrays["labels"].tolist(), answer.arrays["probabilities"].tolist(), strict=True))
    assert told == {1: pytest.approx(chance, abs=1e-6), 0: pytest.approx(1 - chance, abs=1e-6)}
    yes, no = (ask(engine, "occlusion", target=name) for name in ("positive", "negative"))
    np.testing.assert_allclose(yes.arrays["map"], -no.arrays["map"], atol=1e-4)
    assert yes.meta["probability"] == pytest.approx(chance, abs=1e-6)


def test_a_card_names_the_one_class_or_both() -> None:
    for names, wanted in ((("red",), ("not red", "red")), (("no", "yes"), ("no", "yes"))):
        _, model = opened(Means(lambda y: y[:, 0].sigmoid()), classes=names)
        assert model.card.classes == wanted and "note" in model.card.about


def test_every_choice_is_honoured_whatever_was_recognised() -> None:
    net = Means()
    chosen = {name: opened(net, {"scores": name}) for name in heads.MANY}
    wanted = torch.from_numpy(logits(net, chosen["logits"][1]))
    ways = {"logits": wanted.softmax(0), "sigmoid": wanted.sigmoid(), "log_probabilities": wanted.exp()}
    for name, way in ways.items():
        shown = ask(chosen[name][0], "classify")
        np.testing.assert_allclose(shown.arrays["probabilities"], np.sort(way.numpy())[::-1], rtol=1e-4)
        seen = ask(chosen[name][0], "saliency", target="class 1")
        assert seen.meta["probability"] == pytest.approx(float(way[1]), rel=1e-4)
        assert "Chosen" in chosen[name][1].card.about["note"] or name == "logits"
    values = ask(chosen["values"][0], "classify")
    assert values.arrays["labels"].tolist() == [0, 1, 2] and "probabilities" not in values.arrays
    np.testing.assert_allclose(values.arrays["scores"], wanted.numpy(), atol=1e-5)
    assert ask(chosen["values"][0], "saliency").meta["target"] == "value 0"
    one = Means(ALONE["column"])
    engine, model = opened(one, {"scores": "sigmoid"})
    assert ask(engine, "classify").arrays["probabilities"].sum() == pytest.approx(1)
    assert model.card.classes == heads.SIGNS
    with pytest.raises(Refusal, match="scores cannot be 'logits'"):
        opened(one, {"scores": "logits"})


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (torch.tanh, heads.VALUES),
        (lambda y: torch.relu(y) * 100, heads.LOGITS),
        (lambda y: functional.softplus(y) + 0, heads.LOGITS),
        (lambda y: functional.softplus(y * 9), heads.VALUES),
        (lambda y: y * 1e4, heads.LOGITS),
    ],
    ids=["tanh", "scaled", "sum", "softplus", "huge"],
)
def test_bounds_tell_values_from_logits(head: Any, wanted: str) -> None:
    engine, model = opened(Means(head))
    assert kind(model) == wanted, model.card.about["note"]
    assert np.isfinite(ask(engine, "classify").arrays["scores"]).all()


def test_vectors_of_length_one_are_features() -> None:
    net = Means(lambda y: functional.normalize(y.repeat(1, 8), dim=1))
    _, model = opened(net)
    assert type(model).__name__ == "AnyFeaturesAdapter" and "length 1" in model.card.about["note"]
    _, model = opened(net, {"reading": "values"})
    assert kind(model) == heads.VALUES


def test_one_part_of_several_can_be_chosen() -> None:
    net = Means(lambda y: (y.repeat(1, 4).sigmoid(), y + 0))
    engine, model = opened(net)
    assert model.card.about["assumptions"]["part"]["value"] == "2" and len(model.card.classes) == 3
    engine, model = opened(net, {"part": "1"})
    assert len(ask(engine, "classify").arrays["labels"]) == 5 and len(model.card.classes) == 12
    assert kind(model) == heads.INDEPENDENT
    with pytest.raises(Refusal, match="part cannot be '3'"):
        opened(net, {"part": "3"})


WRONG: dict[str, tuple[Any, str]] = {
    "argmax": (lambda y: y.argmax(1), "returns whole numbers .* as argmax gives"),
    "bytes": (lambda y: (y > 0).to(torch.uint8), "whole numbers"),
    "complex": (lambda y: torch.complex(y, y), "complex numbers"),
    "text": (lambda y: "cat", "returns text, no tensor"),
    "nothing": (lambda y: None, "returns None, no tensor"),
    "empty": (lambda y: y[:, :0], "empty tensors"),
    "empty list": (lambda y: [], "an empty list"),
}


@pytest.mark.parametrize("name", WRONG)
def test_outputs_of_no_use_are_refused_in_a_sentence(name: str) -> None:
    head, words = WRONG[name]
    with pytest.raises(Refusal, match=words) as caught:
        opened(Means(head))
    assert caught.value.advice


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_told(bad: float) -> None:
    engine, _ = opened(Means(lambda y: y * bad))
    answer = engine.run(Request.make("classify", "net", Source.file(CAT)))
    assert isinstance(answer, Failure) and "not a number" in answer.message


def test_a_recognised_classifier_of_one_number_is_none_of_100_per_cent(tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    net = squeezenet1_1(num_classes=1)
    save_file(net.state_dict(), tmp_path / "age.safetensors")
    engine, name = Engine(threads=1), str(tmp_path / "age.safetensors")
    answer = engine.run(Request.make("classify", name, Source.file(CAT)))
    assert isinstance(answer, Result) and "probabilities" not in answer.arrays and answer.meta["quantity"] == "value"
    flipped = engine.run(Request.make("classify", f"{name}?scores=sigmoid", Source.file(CAT)))
    assert isinstance(flipped, Result)
    chance = 1 / (1 + np.exp(-answer.arrays["scores"][0]))
    assert sorted(flipped.arrays["probabilities"]) == pytest.approx(sorted([chance, 1 - chance]))
    plain = engine.run(Request.make("classify", "squeezenet1_1?scores=sigmoid", Source.file(CAT)))
    assert isinstance(plain, Result) and not plain.meta["distribution"]


class Caffe(Means):
    """Takes BGR from 0 to 255 less (104, 117, 123), as Caffe's trainings do."""

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(((x + x.new_tensor([104.0, 117.0, 123.0])[:, None, None]) / 255).flip(1))


def test_caffes_colours_and_means_are_offered() -> None:
    wanted = ask(opened(Means(), {"input": "zero_one"})[0], "classify")
    engine, model = opened(Caffe(), {"input": "caffe_104"})
    assert model.preprocess.order == "bgr"
    np.testing.assert_allclose(ask(engine, "classify").arrays["scores"], wanted.arrays["scores"], atol=1e-4)


class Two(Means):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.logits(a) + self.logits(b)


class Clips(Means):
    def forward(self, x: Tensor) -> Tensor:
        n, t, c, h, w = x.shape
        return self.logits(x.reshape(n * t, c, h, w)).reshape(n, t, 3).mean(1)


class Bare(Means):
    def forward(self, x: Tensor) -> Tensor:
        c, h, w = x.shape
        return self.logits(x.reshape(1, c, h, w))


def flat(height: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * height * width, 3))


REFUSED: dict[str, tuple[Any, str]] = {
    "two inputs": (Two, r"wants 2 inputs \(a, b\), not one picture"),
    "four channels": (lambda: nn.Sequential(nn.Conv2d(4, 3, 1)), "wants inputs of 4 channels; a picture has 3"),
    "five channels, in groups": (lambda: nn.Conv2d(10, 5, 1, groups=5), "wants inputs of 10 channels"),
    "clips": (Clips, "wants clips of five dimensions"),
    "without a batch": (Bare, "wants inputs of three dimensions, without a batch"),
    "rows": (lambda: nn.Linear(784, 3), "wants rows of 784 numbers"),
    "another size": (lambda: flat(64, 192), r"wants inputs of another size .* 192x64"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_takes_no_picture_says_what_it_wants(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(Refusal, match=words) as caught:
        opened(make())
    assert len(str(caught.value)) < 200 and caught.value.advice


def test_a_size_that_is_asked_for_is_taken_and_offered() -> None:
    engine, model = opened(flat(64, 192), {"size": "192x64"})
    assert model.preprocess.size == (64, 192) and isinstance(ask(engine, "classify"), Result)
    _, square = opened(flat(80, 80))
    assert square.preprocess.size == (80, 80)
    _, other = opened(Means(), {"size": "100x60"})
    choices = other.card.about["assumptions"]["size"]["choices"]
    assert choices[0] == "224x224" and other.card.about["assumptions"]["size"]["value"] == "100x60"
    with pytest.raises(Refusal, match="'large' is not a size"):
        opened(Means(), {"size": "large"})
