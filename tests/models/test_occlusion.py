"""Occlusion: the same map as captum's, coarse at first; other targets for nothing; what cannot be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import Occlusion

from models.attributions.incremental import Incremental
from models.attributions.methods.occlusion import Windows, _filled
from models.attributions.perturbation import BASELINES, Pace, baseline
from models.bundled.photos import PhotosResNet
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache
from models.types import Failure, Pixels, Result, Source

CLASSES = ("a", "b", "c", "d")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    rng = np.random.default_rng(0)
    save_png(rng.integers(0, 255, (50, 60, 3), dtype=np.uint8), tmp_path / "a.png")
    return Source.file(tmp_path / "a.png")


@pytest.fixture
def engine() -> Engine:
    torch.manual_seed(0)
    about = {"preprocessing": {"resize": 40, "crop": 40}}
    made = Engine(threads=1)
    net = PhotosResNet(width=4, blocks=1, classes=4).eval().requires_grad_(False)
    made._models["tiny"] = registry.adapt(net, Card("tiny", classes=CLASSES, about=about))
    return made


def ask(engine: Engine, source: Source, **params: Any) -> Result:
    answer = engine.run(Request.make("occlusion", "tiny", source, params))
    assert isinstance(answer, Result), answer
    return answer


def whole(engine: Engine, source: Source, **params: Any) -> Result:
    ask(engine, source, **params)
    engine.finish_idle()
    answer = ask(engine, source, **params)
    assert not answer.meta.get("partial")
    return answer


def pixels_of(source: Source, engine: Engine) -> Pixels:
    return engine.pixels(Request("occlusion", "tiny", source), Context())


def subject(engine: Engine, source: Source) -> Any:
    class Plain:
        def run(self, name: str, make: Any, *key: object) -> Any:
            return make()

    return engine.model("tiny").subject(pixels_of(source, engine), Plain())


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(("window", "stride"), [(8, 4), (9, 4), (7, 7), (11, 3), (40, 20), (6, 5)])
def test_the_map_is_that_of_captum(engine: Engine, source: Source, window: int, stride: int, name: str) -> None:
    """Fails if overlaps are averaged otherwise, or the last windows, which pass the edge, are left out or moved."""
    result = whole(engine, source, window=window, stride=stride, baseline=name, target="c")
    seen = subject(engine, source)
    with torch.no_grad():
        wanted = Occlusion(seen.net).attribute(
            seen.input, (3, window, window), (3, stride, stride), baselines=baseline(seen, name), target=2
        )
    wanted = wanted[0].numpy()
    assert np.ptp(wanted, axis=0).max() == 0
    found = result.arrays["map"]
    np.testing.assert_allclose(found, wanted[0], rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
    assert found.std() > 0 or window == 40


def test_the_first_answer_is_coarse_and_costs_at_most_a_fifth(engine: Engine, source: Source) -> None:
    first = ask(engine, source, window=6, stride=3)
    assert first.meta["partial"] and 0 < first.meta["collected"] <= first.meta["of"] / 5
    assert ask(engine, source, window=6, stride=3).meta["collected"] == first.meta["collected"]
    seen = [first.meta["collected"]]
    while engine.idle_work:
        engine.work_idle(0.0001)
        seen.append(ask(engine, source, window=6, stride=3).meta["collected"])
    assert seen == sorted(seen) and len(set(seen)) > 2 and seen[-1] == first.meta["of"]
    assert "partial" not in ask(engine, source, window=6, stride=3).meta


def test_between_coarse_positions_the_picture_is_linear_and_what_is_known_stays() -> None:
    windows = Windows((224, 224), 32, 16)
    order, first = windows.order
    assert (windows.grid, windows.step, first) == ((13, 13), 4, 16)
    y, x = np.divmod(np.arange(169), 13)
    wanted = (2 * y - x).astype(np.float32)
    known = np.isin(np.arange(169), order[: first + 40])
    np.testing.assert_allclose(_filled(windows, np.where(known, wanted, 0), known), wanted, atol=1e-5)
    wrong = np.where(known, wanted, 0)
    wrong[order[first]] = 99
    assert _filled(windows, wrong, known)[order[first]] == 99


def test_another_class_costs_no_pass(engine: Engine, source: Source) -> None:
    before = whole(engine, source, window=8, stride=8, target="a")
    passes = []
    hook = torch.nn.modules.module.register_module_forward_hook(lambda *_: passes.append(1))
    try:
        after = ask(engine, source, window=8, stride=8, target="b", against="c")
    finally:
        hook.remove()
    assert not passes
    assert not np.allclose(before.arrays["map"], after.arrays["map"])


def test_the_default_window_is_a_seventh_and_moves_by_half_of_it(engine: Engine, source: Source) -> None:
    meta = ask(engine, source).meta
    assert (meta["window"], meta["stride"], meta["of"]) == (6, 3, 13 * 13)


def test_where_nothing_can_be_put_off_all_is_done(engine: Engine, source: Source) -> None:
    engine.take_frame(source, pixels_of(source, engine))
    answer = engine.run_frame(Request.make("occlusion", "tiny", source, {"window": 6}), Context())
    assert isinstance(answer, Result) and "partial" not in answer.meta


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"window": 41}, "larger than the network's input of 40 x 40 px"),
        ({"stride": 0}, "stride=0"),
        ({"window": 0}, "window=0"),
        ({"window": 4, "stride": 5}, "leaves gaps"),
        ({"window": -2}, "out of range"),
        ({"baseline": "pink"}, "baseline"),
    ],
)
def test_what_cannot_be_asked_is_said(engine: Engine, source: Source, params: Any, words: str) -> None:
    answer = engine.run(Request.make("occlusion", "tiny", source, params))
    assert isinstance(answer, Failure) and words in answer.message and answer.advice


def test_what_goes_wrong_meanwhile_is_said_at_the_next_question(engine: Engine, source: Source) -> None:
    ask(engine, source, window=6, stride=3)
    net = engine.model("tiny").net
    forward, net.fc.forward = net.fc.forward, lambda x: 1 / 0
    engine.finish_idle()
    net.fc.forward = forward
    answer = engine.run(Request.make("occlusion", "tiny", source, {"window": 6, "stride": 3}))
    assert isinstance(answer, Failure) and "division by zero" in answer.message
    assert whole(engine, source, window=6, stride=3).meta["collected"] == 169


def test_where_only_what_changes_would_be_wrong_all_is_computed(
    engine: Engine, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if the scores of a network that was followed wrongly are believed."""
    wanted = whole(engine, source, window=8, stride=4).arrays["map"]
    engine.cache = Cache()
    followed = Incremental.__call__
    monkeypatch.setattr(Incremental, "__call__", lambda *given: followed(*given) + 1)
    np.testing.assert_allclose(whole(engine, source, window=8, stride=4).arrays["map"], wanted, atol=1e-5)


def test_every_position_stands_once_in_the_order() -> None:
    for size, side, stride in (((224, 224), 32, 16), ((40, 61), 6, 3), ((32, 32), 5, 2), ((9, 9), 9, 1)):
        windows = Windows(size, side, stride)
        order, first = windows.order
        count = windows.grid[0] * windows.grid[1]
        assert sorted(order.tolist()) == list(range(count))
        assert first == count or first <= count / 5


def test_the_batch_is_the_faster_of_two_and_never_keeps_the_engine_long() -> None:
    pace = Pace((224, 224), "cpu")
    for wanted, seconds in ((1, 0.02), (4, 0.08), (4, 0.04), (8, 0.16), (8, 0.12)):
        assert pace.count == wanted
        pace.record(wanted, seconds)
    assert pace.count == 4
    slow = Pace((800, 1333), "cpu")
    slow.record(1, 2.0)
    assert slow.count == 1
