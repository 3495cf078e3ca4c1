"""Preparations that photographs do not settle: the usual one stays, and the user is asked."""

from __future__ import annotations

import pytest
import torch
from test_seeing_detectors import SIZE, Seeing, placed
from torch import Tensor, nn

from models.cards.card import Card
from models.engine import registry
from models.interpretation import examine, point_codes, vector_readings
from models.interpretation.examine import PICTURES, USUAL, Preparation
from models.interpretation.network_reading import Reading
from models.loading import heads, pair_preparation, score_vectors
from models.loading.heads import Head
from models.loading.pair_preparation import Pair
from models.loading.preprocess import Preprocess
from models.loading.preprocess_presets import PRESETS

CPU = torch.device("cpu")


class Answers:
    """How sure a detector is of each photograph in each preparation, in place of its outputs."""

    def __init__(self, sure: dict[str, tuple[float, float, float]]) -> None:
        self._sure = sure

    def of(self, way: Preprocess, name: str) -> float:
        key = next(one for one in self._sure if Preparation(*one.split()).preprocess(SIZE) == way)
        return self._sure[key][PICTURES.index(name)]


CONTRAST = {"minus_one_one bgr stretch grey": (0.9, 0.9, 0.9), "zero_one rgb pad grey": (0.8, 0.0, 0.1)}
BLIND = {"minus_one_one bgr stretch grey": (0.9, 0.9, 0.9), "zero_one rgb pad grey": (0.1, 0.0, 0.1)}
FITS = {"zero_one rgb stretch grey": (0.9, 0.9, 0.9), "zero_one rgb pad grey": (0.9, 0.1, 0.1)}


@pytest.mark.parametrize(
    ("sure", "first", "asks"),
    [(CONTRAST, "zero_one", True), (BLIND, "minus_one_one", False), (FITS, "stretch", False)],
    ids=["more contrast", "sees nothing as usual", "another fit"],
)
def test_the_usual_preparation_stays_where_it_finds_something_as_sure(
    sure: dict[str, tuple[float, float, float]], first: str, asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More contrast makes any network surer, so it tells no preparation; that nothing is seen does."""
    monkeypatch.setattr(examine, "_merit", lambda layout, shown, size: sum(shown) / len(shown))
    monkeypatch.setattr(examine, "_usual", lambda layout: USUAL[0])
    ranked = [Preparation(*each.split(), merit=sum(values) / 3) for each, values in sure.items()]
    found, question = examine._decided(Answers(sure), ranked, None, SIZE)  # type: ignore[arg-type]
    assert first in (found[0].values, found[0].fit)
    assert bool(question) == asks
    assert not asks or ("0 to 1, RGB" in question and "-1 to 1, BGR" in question)


def test_the_order_of_colours_is_asked_where_both_are_answered_alike() -> None:
    way = Preparation("minus_127", "bgr", "stretch", "grey")

    class Blind(Seeing):
        """It does not see colours: it gets the mean of all three."""

        def __call__(self, x: Tensor) -> list[tuple[str, Tensor]]:
            return super().__call__(x.mean(1, keepdim=True).expand(-1, 3, -1, -1))

    known = []
    for name in PICTURES:
        photo, thing = placed(way, name)
        known.append((photo.mean(1, keepdim=True).expand(-1, 3, -1, -1), thing))
    found = examine.examine(Blind(tuple(known), raw=False), SIZE, CPU, given={})
    assert found is not None
    best = found.preparations[0]
    assert best.values in ("minus_127", "minus_one_one") and best.order == "rgb"
    assert "RGB" in found.question and "BGR" in found.question


def test_a_detector_that_knows_one_preparation_asks_nothing() -> None:
    way = Preparation(*USUAL[7])
    found = examine.examine(Seeing(tuple(placed(way, name) for name in PICTURES), raw=False), SIZE, CPU, given={})
    assert found is not None and found.question == ""


class Queries:
    """Scores and boxes of queries of a network that knows a photograph as it is prepared under each of some presets."""

    def __init__(self, *presets: str) -> None:
        from models.cards.card import PHOTOS
        from models.pictures import images

        photo = images.read(PHOTOS / "astronaut.jpg").pixels
        self._known = [prepared(name).input(photo, CPU) for name in presets]

    def __call__(self, x: Tensor) -> list[Tensor]:
        near = max(float(torch.exp(-6 * (x - one).abs().mean() / one.std())) for one in self._known)
        scores = torch.full((1, 100, 3), -8.0)
        scores[0, 7, 1] = torch.logit(torch.tensor(min(max(near, 1e-4), 0.99)))
        return [scores, torch.tensor([0.5, 0.5, 0.3, 0.2]).expand(1, 100, 4)]


def prepared(name: str) -> Preprocess:
    return Preprocess(crop=SIZE, fit="stretch", **PRESETS[name])


@pytest.mark.parametrize("preset", ["imagenet", "zero_one", "zero_255", "minus_one_one"])
def test_the_values_that_queries_see_with_are_taken(preset: str) -> None:
    pair = Pair(0, 1, {}, SIZE)
    assert pair_preparation.chosen(Queries(preset), pair, prepared, CPU, queries=True) == (preset, "")


def test_values_that_queries_see_with_alike_are_asked_about() -> None:
    name, asks = pair_preparation.chosen(
        Queries("imagenet", "zero_one"), Pair(0, 1, {}, SIZE), prepared, CPU, queries=True
    )
    assert name == "imagenet" and "0 to 1" in asks and "Choose by a picture" in asks


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("age", "values"), ("yaw_pitch_roll", "values"), ("embedding", "features"), ("landms", "points"), ("fc7", "")],
)
def test_an_outputs_name_tells_what_numbers_leave_open(name: str, wanted: str) -> None:
    told = score_vectors.told_by_name(name)
    assert told == wanted
    head, features = Head(heads.LOGITS, 136, "sums"), Reading("features", "features: 136 channels", "features", 0.05)
    inside = torch.linspace(0.2, 0.8, 136)[None]
    points = point_codes.of_vector(inside, 0, (112, 112), named=told == "points")
    best = vector_readings.named(head, 0, features, points, told=told, name=name)[1][0]
    assert best.kind == (wanted or "classes")
    assert not wanted or name in " ".join(best.evidence)
    # What a softmax made stays what it is, whatever its name.
    sure = Head(heads.PROBABILITIES, 136, "sum to 1")
    assert vector_readings.named(sure, 0, features, [], told=told, name=name)[1][0].kind == "classes"


def test_a_segmenter_that_sees_nothing_asks_about_its_values() -> None:
    class Bright(nn.Module):
        """It sees what is bright, on a scale from 0 to 255."""

        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[1] == 3
            return (x.mean(1, keepdim=True) * x[:, :1].sign() - 100).sigmoid()

    found = registry.adapt(Bright().eval(), Card("net")).interpretation
    assert found.reading.kind == "segments" and "0 to 255" in found.question
    chosen = registry.adapt(Bright().eval(), Card("net"), {"input": "zero_255"}).interpretation
    assert "sees nothing" not in chosen.question
