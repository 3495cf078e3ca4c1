"""Likelihood pixel by pixel: probabilities that sum to 1, sampling with caches, films that replay, leaks found."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adapters.autoregressive import AutoregressiveAdapter
from models.bundled.autoregressive import NADE, PixelCNN
from models.cards.card import Card
from models.engine.engine import Engine
from models.likelihood import cached_passes, causality, dependency_cones, pixel_model, pixel_order, sampling
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

EVERY = torch.tensor(list(itertools.product((0, 1), repeat=9))).view(-1, 1, 3, 3)
KINDS = ("pixelcnn", "nade")


def network(kind: str, size: tuple[int, int], *, seed: int = 0) -> nn.Module:
    """A small network with large random weights, so that nothing is near a half."""
    torch.manual_seed(seed)
    net = PixelCNN(width=4, layers=3, hidden=6, size=size) if kind == "pixelcnn" else NADE(hidden=6, size=size)
    for parameter in net.parameters():
        parameter.data.normal_(std=0.7)
    return net.eval().requires_grad_(False)


def opened(net: nn.Module) -> Any:
    return AutoregressiveAdapter(net, Card("x"))


class Planted(PixelCNN):
    """A gated PixelCNN of which one logit also sees the pixel after it, faintly."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x).clone()
        logits[:, 1, 1, 1] += 0.05 * x[:, 0, 1, 2]
        return logits


def planted() -> nn.Module:
    torch.manual_seed(0)
    net = Planted(width=4, layers=3, hidden=6, size=(3, 3))
    for parameter in net.parameters():
        parameter.data.normal_(std=0.7)
    return net.eval().requires_grad_(False)


@pytest.mark.parametrize("kind", KINDS)
def test_the_probabilities_of_all_pictures_of_3_by_3_sum_to_1(kind: str) -> None:
    model = opened(network(kind, (3, 3)).double())
    assert np.exp(-pixel_model.nats(model, EVERY)).sum() == pytest.approx(1, abs=1e-9)


def test_a_planted_leak_is_found_by_the_sum_and_by_the_audit() -> None:
    leaking, sound = opened(planted().double()), opened(network("pixelcnn", (3, 3)))
    assert abs(np.exp(-pixel_model.nats(leaking, EVERY)).sum() - 1) > 1e-6

    class Stages:
        def progress(self, *_: object) -> None:
            pass

    found = causality.audit(leaking, Stages())
    assert found.changed == 9 and found.leaking == 1 and found.leaks[1, 2] == 1
    assert found.examples == (((0, 1, 2), (0, 1, 1)),)
    assert causality.audit(sound, Stages()).leaking == 0
    future = causality.dependence(leaking, (0, 1, 1)).future
    assert np.argwhere(future).tolist() == [[0, 1, 2]]
    assert not causality.dependence(sound, (0, 1, 1)).future.any()


@pytest.mark.parametrize("kind", KINDS)
def test_sampling_with_caches_is_the_naive_loop(kind: str) -> None:
    """The same picture bit for bit; probabilities to 1e-5. The film's log p is that of one pass."""
    model = opened(network(kind, (9, 7)))
    for seed in range(3):
        fast = sampling.film(model, cached_passes.conditionals(model), seed=seed)
        slow = sampling.film(model, sampling.WholePasses(model), seed=seed)
        assert type(cached_passes.conditionals(model)) is not sampling.WholePasses
        assert np.array_equal(fast.values, slow.values)
        np.testing.assert_allclose(fast.probabilities, slow.probabilities, atol=1e-5)
        one_pass = pixel_model.nats(model, torch.from_numpy(fast.values)[None])[0]
        assert -fast.log_p.sum() == pytest.approx(one_pass, abs=1e-4)
    assert 0.05 < fast.values.mean() < 0.95


def test_the_frequencies_of_samples_are_those_of_enumeration() -> None:
    model = opened(network("nade", (2, 2), seed=3))
    every = torch.tensor(list(itertools.product((0, 1), repeat=4))).view(-1, 1, 2, 2)
    p = np.exp(-pixel_model.nats(model, every))
    wanted = (p[:, None, None, None] * every.numpy()).sum(0)
    drawn = [sampling.film(model, cached_passes.conditionals(model), seed=seed).values for seed in range(400)]
    assert np.abs(np.mean(drawn, 0) - wanted).max() < 4 * 0.5 / math.sqrt(400)


def test_overruling_a_pixel_changes_only_what_comes_after_it() -> None:
    """The random numbers stay, so what does not depend on the pixel stays as well."""
    model = opened(network("pixelcnn", (9, 7)))
    before = sampling.film(model, cached_passes.conditionals(model), seed=5)
    given, values = np.zeros(model.shape, np.bool_), before.values.copy()
    given[0, 4, 3], values[0, 4, 3] = True, 1 - values[0, 4, 3]
    after = sampling.film(model, cached_passes.conditionals(model), seed=5, given=given, values=values)
    earlier = model.ranks < model.ranks[0, 4, 3]
    assert np.array_equal(after.values[earlier], before.values[earlier])
    assert after.values[0, 4, 3] != before.values[0, 4, 3]
    assert np.array_equal(after.uniform, before.uniform)
    cold = sampling.film(model, cached_passes.conditionals(model), seed=5, temperature=0.05)
    assert (cold.probabilities.max(0) > 0.99).mean() > 0.8 > (before.probabilities.max(0) > 0.99).mean()


def test_orders_rank_each_value_once_and_colours_follow_each_other() -> None:
    for name in pixel_order.ORDERS:
        ranks = pixel_order.rank(name, (3, 4, 5))
        assert sorted(ranks.flatten().tolist()) == list(range(60))
        assert np.array_equal(ranks[1], ranks[0] + 1)
    assert pixel_order.rank("rows", (1, 2, 3))[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert pixel_order.rank("columns", (1, 2, 3))[0].tolist() == [[0, 2, 4], [1, 3, 5]]
    assert pixel_order.rank("rows_up", (1, 2, 3))[0].tolist() == [[5, 4, 3], [2, 1, 0]]


def test_the_cones_of_pixelrnn_are_a_triangle_and_everything() -> None:
    row = dependency_cones.cone(dependency_cones.ROW_LSTM, (5, 7), (3, 3))
    assert row.astype(int).tolist() == [
        [1, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
    whole = dependency_cones.cone(dependency_cones.DIAGONAL_BILSTM, (5, 7), (3, 3))
    assert whole.sum() == 3 * 7 + 3 and (whole | ~row).all()


class Masked(nn.Module):
    """Plain masked convolutions of 3x3 (van den Oord et al. 2016a), which have a blind spot."""

    levels, size = 2, (15, 15)

    def __init__(self, layers: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.ModuleList(nn.Conv2d(1 if at == 0 else 4, 4, 3, padding=1) for at in range(layers))
        self.out = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        for at, layer in enumerate(self.layers):
            mask = torch.zeros(3, 3)
            mask[0], mask[1, : 1 + (at > 0)] = 1, 1
            x = nn.functional.conv2d(x, layer.weight * mask, layer.bias, padding=1).tanh()
        return self.out(x)


def test_the_blind_spot_of_masked_convolutions_is_found() -> None:
    """Four layers of 3x3: above and to the right lies a wedge that no path reaches; the gated network has none."""
    model = opened(Masked(4))
    found = causality.dependence(model, (0, 8, 7))
    assert not found.future.any()
    wanted = {(row, column) for row in range(4, 8) for column in range(8, 12) if column - 7 > 8 - row}
    assert {(int(r), int(c)) for _, r, c in np.argwhere(found.blind)} == wanted
    assert not causality.dependence(opened(network("pixelcnn", (15, 15))), (0, 8, 7)).blind.any()


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine(threads=1)
    made._models["x"] = opened(network("pixelcnn", (9, 7)))
    made._models["leaks"] = opened(planted())
    made._models["nade"] = opened(network("nade", (9, 7)))
    return made


def ask(engine: Engine, inspection: str, source: Source | None = None, model: str = "x", **given: Any) -> Result:
    answer = engine.run(Request.make(inspection, model, source, given))
    assert isinstance(answer, Result), answer
    return answer


def refused(engine: Engine, inspection: str, source: Source | None = None, **given: Any) -> str:
    answer = engine.run(Request.make(inspection, "x", source, given))
    assert isinstance(answer, Failure)
    return answer.text


@pytest.fixture(scope="module")
def folder(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sample of the model, its negative, and a grey picture of another size."""
    place = tmp_path_factory.mktemp("ranked")
    sample = ask(engine, "pixel_film", seed=4, temperature=0.5).arrays["picture"]
    save_png(sample, place / "sample.png")
    save_png(255 - sample, place / "negative.png")
    save_png(np.full((20, 30, 3), 77, np.uint8), place / "other.png")
    return place


def test_one_pass_gives_the_bits_of_each_pixel(engine: Engine, folder: Path) -> None:
    found = ask(engine, "pixel_likelihood", Source.file(folder / "sample.png"))
    film = ask(engine, "pixel_film", seed=4, temperature=0.5)
    assert found.meta["nats"] == pytest.approx(film.meta["nats"], abs=1e-4)
    assert found.arrays["map"].sum() == pytest.approx(found.meta["bits"], rel=1e-5)
    np.testing.assert_allclose(found.arrays["map"], -film.arrays["log_p"].sum(0) / math.log(2), atol=1e-4)
    p = found.arrays["probabilities"][1, 0]
    np.testing.assert_allclose(found.arrays["entropy"], -(p * np.log2(p) + (1 - p) * np.log2(1 - p)), atol=1e-5)
    shown = ask(engine, "pixel_likelihood", Source.file(folder / "sample.png"), shown="entropy")
    np.testing.assert_array_equal(shown.arrays["map"], found.arrays["entropy"])
    assert not found.meta["note"]
    note = ask(engine, "pixel_likelihood", Source.file(folder / "other.png")).meta["note"]
    assert note == "The picture was resized from 30 × 20 to 7 × 9 px, lit from grey value 128 on for this model."


def test_the_pictures_of_a_folder_are_ranked(engine: Engine, folder: Path) -> None:
    found = ask(engine, "likelihood_ranking", Source.file(folder / "sample.png"))
    assert found.meta["names"][-1] == "sample.png" and (np.diff(found.arrays["nats"]) <= 0).all()
    own = ask(engine, "pixel_likelihood", Source.file(folder / "sample.png")).meta["nats"]
    assert found.arrays["nats"][-1] == pytest.approx(own, abs=1e-4)


def test_a_picture_is_completed_where_the_order_allows_it(engine: Engine, folder: Path) -> None:
    source = Source.file(folder / "sample.png")
    values = ask(engine, "pixel_likelihood", source).arrays["values"]
    half = ask(engine, "pixel_film", source, begin="picture", kept=0.5, seed=1)
    assert half.meta["drawn"] == 31 and np.array_equal(half.arrays["given"], half.arrays["ranks"] < 32)
    kept = half.arrays["given"]
    assert np.array_equal(half.arrays["values"][kept], values[kept])
    low = ask(engine, "pixel_film", source, begin="picture", hole="0,6,7,9")
    assert low.meta["drawn"] == 21
    assert "come after it in the model's order" in refused(
        engine, "pixel_film", source, begin="picture", hole="2,2,5,5"
    )
    assert "No picture is open" in refused(engine, "pixel_film", begin="picture")


def test_values_are_overruled_by_place(engine: Engine) -> None:
    plain, changed = ask(engine, "pixel_film", seed=2), ask(engine, "pixel_film", seed=2, overruled="3,2=1; 3,3=0")
    assert changed.arrays["values"][0, 3, 2:4].tolist() == [1, 0] and changed.arrays["given"].sum() == 2
    before = plain.arrays["ranks"] < 3 * 7 + 2
    assert np.array_equal(changed.arrays["values"][before], plain.arrays["values"][before])
    assert "not a pixel of this model" in refused(engine, "pixel_film", overruled="9,0=1")
    assert "names no pixel" in refused(engine, "pixel_film", overruled="x")


def test_a_film_has_frames_that_end_in_the_picture(engine: Engine) -> None:
    found = ask(engine, "pixel_film", seed=2, frames=8)
    frames, ends = found.arrays["pictures"], found.arrays["ends"]
    assert len(frames) == len(ends) == 8 and ends[0] == 0 and ends[-1] == 63
    assert np.array_equal(frames[-1], found.arrays["picture"]) and (frames[0] == 96).all()


def test_the_audit_says_what_it_found(engine: Engine) -> None:
    found = ask(engine, "causality", row=4, column=3)
    assert found.meta["text"].startswith("No leak: none of 63") and found.meta["used_future"] == 0
    assert (found.arrays["used"] <= found.arrays["past"]).all() and found.meta["blind"] == 0
    leaks = ask(engine, "causality", model="leaks", row=1, column=1)
    assert leaks.meta["text"].startswith("The network leaks: 1 of 9") and leaks.meta["used_future"] == 1
    assert "no pixel at row 20" in refused(engine, "causality", row=20)


def test_the_weights_of_a_nade_are_receptive_fields(engine: Engine) -> None:
    found = ask(engine, "causality", model="nade")
    net: Any = engine._models["nade"].net
    assert found.arrays["fields"].shape == (6, 9, 7)
    first = found.arrays["fields"][0].ravel()
    assert any(np.allclose(first, column) for column in net.W.T.numpy())
    assert "fields" not in ask(engine, "causality").arrays
