"""Masks as sums of prototypes: the terms add up, their order is by what they shape, and the panel's answer says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.adapters.yolo import ADAPTER, layout
from models.bundled.yolo import DigitsYolo
from models.cards.card import Card
from models.detection import prototypes
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine with a miniature that is sure of something everywhere, its rows decoded and raw."""
    made = Engine(threads=1)
    for name, given in (("tiny", {}), ("raw", {"rows": "raw"})):
        net = ADAPTER.tiny().eval().requires_grad_(False)
        with torch.no_grad():
            for head in net.heads:
                head.bias[4] = 3.0
        made._models[name] = registry.adapt(net, Card(name, classes=("a", "b", "c")), given)
    return made


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("prototypes") / "a.png"
    save_png(np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8), path)
    return Source.file(path)


def ask(engine: Engine, source: Source, inspection: str, model: str = "tiny", **values: object) -> Result:
    answer = engine.run(Request.make(inspection, model, source, {"score": 0.2, **values}))
    assert isinstance(answer, Result), answer
    return answer


def test_the_contributions_add_up_to_the_logit(engine: Engine, source: Source) -> None:
    found = ask(engine, source, "prototypes", x=70.0, y=40.0, crop=False)
    arrays, meta = found.arrays, found.meta
    row, column = meta["place"]
    assert arrays["contributions"].sum() == pytest.approx(meta["logit"], abs=1e-5)
    assert arrays["sum"][row, column] == pytest.approx(meta["logit"], abs=1e-5)
    whole = np.einsum("p,phw->hw", arrays["coefficients"], arrays["maps"])
    np.testing.assert_allclose(arrays["sum"], whole, atol=1e-5)
    assert (row, column) == (int(40 / 120 * whole.shape[0]), int(70 / 160 * whole.shape[1]))


def test_terms_are_added_in_their_order_and_the_crop_is_the_box(engine: Engine, source: Source) -> None:
    whole = ask(engine, source, "prototypes")
    arrays = whole.arrays
    two = ask(engine, source, "prototypes", terms=2).arrays
    order, own, maps = arrays["order"], arrays["coefficients"], arrays["maps"]
    weight = np.abs(own) * maps.std((1, 2))
    assert (np.diff(weight[order]) <= 1e-9).all()
    inside = np.isfinite(two["sum"])
    wanted = own[order[0]] * maps[order[0]] + own[order[1]] * maps[order[1]]
    np.testing.assert_allclose(two["sum"][inside], wanted[inside], atol=1e-5)
    np.testing.assert_array_equal(inside, prototypes.within(arrays["box"], maps.shape[1:], whole.meta["extent"]))
    assert arrays["agreement"][-1] == 1 and 1 <= whole.meta["enough"] <= len(order)


def test_raw_rows_give_the_same_boxes_and_masks(engine: Engine, source: Source) -> None:
    one, other = (ask(engine, source, "detect", model) for model in ("tiny", "raw"))
    np.testing.assert_allclose(one.arrays["boxes"], other.arrays["boxes"], atol=1e-3)
    np.testing.assert_allclose(one.arrays["scores"], other.arrays["scores"], atol=1e-5)
    masks = [ask(engine, source, "masks", model).arrays["masks"] for model in ("tiny", "raw")]
    np.testing.assert_allclose(*masks, atol=1e-4)
    net: DigitsYolo = engine.model("raw").net
    assert net.raw and layout(3, (64, 64), raw=True).code.name == "yolox"


def test_a_box_that_is_not_shown_is_named(engine: Engine, source: Source) -> None:
    answer = engine.run(Request.make("prototypes", "tiny", source, {"score": 0.2, "box": 10**9}))
    assert isinstance(answer, Failure) and "There is no box" in answer.message
    none = ask(engine, source, "prototypes", score=0.999)
    assert set(none.arrays) == {"maps"} and "lower the score" in none.meta["text"]


def test_enough_is_where_the_mask_stays_whole() -> None:
    assert prototypes.enough(np.array([0.2, 0.95, 0.5, 0.92, 1.0], np.float32)) == 4
    assert prototypes.enough(np.ones(3, np.float32)) == 1
