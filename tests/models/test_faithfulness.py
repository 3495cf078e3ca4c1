"""Proof: curves against a naive loop and a closed form, the twin against a copy, and what is said of both."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from perturbed import Linear, engine_of, opened, picture, probed
from scipy.stats import spearmanr
from scipy.stats import t as student
from skimage.metrics import structural_similarity

from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.faithfulness import (
    MOST_DRAWS,
    STUDENT,
    area,
    centre_map,
    curves_of,
    on_input,
    random_map,
    ranks,
    reach,
    spearman,
    ssim,
    twin_words,
    verdict,
)
from models.attributions.perturbation import baseline
from models.attributions.random_twin import twin
from models.attributions.target import TargetParams
from models.bundled.photos import PhotosResNet
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIZE = 24


@pytest.fixture
def source(tmp_path: Path) -> Source:
    save_png(picture(SIZE), tmp_path / "a.png")
    return Source.file(tmp_path / "a.png")


@pytest.fixture
def engine() -> Engine:
    torch.manual_seed(0)
    return engine_of(PhotosResNet(width=4, blocks=1, classes=4), SIZE)


def whole(engine: Engine, source: Source, **params: Any) -> Result:
    request = Request.make("proof", "tiny", source, params)
    answer = engine.run(request)
    while isinstance(answer, Result) and answer.meta.get("partial"):
        engine.finish_idle()
        answer = engine.run(request)
    assert isinstance(answer, Result), answer
    assert answer.meta["collected"] == answer.meta["of"]
    return answer


def test_the_curves_are_those_of_a_naive_loop(engine: Engine, source: Source) -> None:
    result = whole(
        engine, source, method="occlusion", target="c", steps=6, draws=2, baseline="mean", settings="window=6;stride=3"
    )
    model = engine.model("tiny")
    heat, subject, _ = probed(model, picture(SIZE), "occlusion", target="c", window=6, stride=3)
    own = result.arrays["map"]
    np.testing.assert_allclose(own, heat.values, atol=1e-7)  # passes of other sizes round otherwise
    random = [random_map(own, seed=(0, number)) for number in range(2)]
    maps = own, centre_map((SIZE, SIZE)), *random
    curves = {}
    for name in ("deletion", "insertion"):
        three, draws = result.arrays[name], result.arrays[f"{name}_draws"]
        np.testing.assert_allclose(three[1], draws.mean(0), atol=1e-6)
        curves[name] = np.concatenate([three[[0, 2]], draws])
    blurred, mean = baseline(subject, "blur"), baseline(subject, "mean")
    for row, values in enumerate(maps):
        best_first = ranks(values, seed=0).ravel().argsort()
        assert (np.diff(values.ravel()[best_first]) <= 0).all()
        for level, share in enumerate(np.linspace(0, 1, 7)):
            first = best_first[: round(share * SIZE * SIZE)]
            deleted, inserted = subject.input.clone(), blurred.clone()
            for at in first:
                y, x = divmod(int(at), SIZE)
                deleted[0, :, y, x] = mean[0, :, y, x]
                inserted[0, :, y, x] = subject.input[0, :, y, x]
            with torch.no_grad():
                wanted = subject.net(torch.cat([deleted, inserted])).softmax(1)[:, 2].numpy()
            assert curves["deletion"][row, level] == pytest.approx(wanted[0], abs=1e-5)
            assert curves["insertion"][row, level] == pytest.approx(wanted[1], abs=1e-5)
    found = np.trapezoid(result.arrays["deletion"], np.linspace(0, 1, 7), axis=1)
    np.testing.assert_allclose(result.meta["deletion_areas"], found, rtol=1e-5)


def test_deletion_of_a_linear_network_is_known(source: Source) -> None:
    """The best map, w * (x - b), takes the score away as fast as can be: its curve is a running sum of its values."""
    torch.manual_seed(1)
    model = opened(Linear(SIZE), SIZE)
    _, subject, probe = probed(model, picture(SIZE), "occlusion", target="b", window=1, stride=1, baseline="black")
    exact = (model.net.weight[1] * (subject.input - baseline(subject, "black"))[0].numpy()).sum(0)
    curves = curves_of(subject, (exact, -exact), steps=12, filling="black", seed=0)
    sweep = curves.sweep(4)
    while not sweep.complete:
        sweep.step(50)
    deletion, _ = curves.read(sweep.of_target(probe.target), sweep.known)
    gone = np.concatenate([[0], np.sort(exact.ravel())[::-1].cumsum()])
    counts = np.rint(curves.levels * SIZE * SIZE).astype(int)
    np.testing.assert_allclose(deletion[0], probe.score - gone[counts], atol=1e-3)
    worst, best = area(curves.levels, deletion)[::-1]
    assert best < worst


def test_occlusion_by_single_pixels_of_a_linear_network_is_exact(source: Source) -> None:
    torch.manual_seed(1)
    model = opened(Linear(SIZE), SIZE)
    heat, subject, _ = probed(model, picture(SIZE), "occlusion", target="b", window=1, stride=1, baseline="black")
    exact = (model.net.weight[1] * (subject.input - baseline(subject, "black"))[0].numpy()).sum(0)
    np.testing.assert_allclose(heat.values, exact, atol=1e-5)


def test_levels_not_known_yet_lie_between() -> None:
    model = opened(Linear(SIZE), SIZE)
    _, subject, _ = probed(model, picture(SIZE), "occlusion", window=6, baseline="black")
    curves = curves_of(subject, (centre_map((SIZE, SIZE)),), steps=10, filling="black", seed=0)
    order, first = curves.order
    assert first == 6 and set(order[:first].tolist()) == {0, 5, 10, 11, 16, 21}
    values = np.concatenate([curves.levels * 3, 1 - curves.levels])
    known = np.isin(np.arange(22), order[:first])
    deletion, insertion = curves.read(np.where(known, values, 99).astype(np.float32), known)
    np.testing.assert_allclose(deletion[0], curves.levels * 3, atol=1e-6)
    np.testing.assert_allclose(insertion[0], 1 - curves.levels, atol=1e-6)


@pytest.mark.parametrize("name", ["photos", "vit", "mobilenet"])
def test_the_twin_is_a_copy_with_other_parameters_and_the_network_stays(name: str) -> None:
    from torchvision.models import VisionTransformer, mobilenet_v3_small

    torch.manual_seed(0)
    net: torch.nn.Module = {
        "photos": lambda: PhotosResNet(width=4, blocks=1, classes=4),
        "vit": lambda: VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=4),
        "mobilenet": lambda: mobilenet_v3_small(num_classes=4),
    }[name]()
    net.eval().requires_grad_(False)
    for parameter in net.parameters():
        if not parameter.any():  # as the head of a transformer and every bias begin
            parameter.normal_(0, 0.3)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    x = torch.randn(2, 3, 32, 32)
    made = twin(net, seed=3)
    other = copy.deepcopy(net)
    for mine, theirs in zip(net.parameters(), other.parameters(), strict=True):
        theirs.data = made.tensors[id(mine)]
    with torch.no_grad(), made.running():
        found = net(x)
    with torch.no_grad():
        np.testing.assert_allclose(found.numpy(), other(x).numpy(), rtol=1e-5, atol=1e-6)
        assert not np.allclose(found.numpy(), net(x).numpy(), rtol=1e-2)
    for parameter in net.parameters():
        if parameter.numel() > 500:
            drawn = made.tensors[id(parameter)]
            assert float(drawn.std()) == pytest.approx(float(parameter.std()), rel=0.2, abs=1e-6)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_the_twins_map_is_that_of_such_a_copy(engine: Engine, source: Source) -> None:
    result = whole(engine, source, method="grad_cam", target="b", seed=5, settings='{"layer": "layer2"}')
    net = engine.model("tiny").net
    made, other = twin(net, seed=5), copy.deepcopy(net)
    for mine, theirs in zip(net.parameters(), other.parameters(), strict=True):
        theirs.data = made.tensors[id(mine)]
    wanted = engine_of(other, SIZE).run(Request.make("grad_cam", "tiny", source, {"target": "b", "layer": "layer2"}))
    assert isinstance(wanted, Result)
    np.testing.assert_allclose(result.arrays["twin"], wanted.arrays["map"], rtol=1e-4, atol=1e-6)
    assert result.meta["correlation"] == pytest.approx(spearman(result.arrays["map"], result.arrays["twin"]))


@attribution(id="edges", title="Edges", help="Edges.", cite="None.", params=TargetParams, signed=False)
def edges(probe: Probe, params: TargetParams) -> Heatmap:
    """A method that ignores the network: it draws the picture's edges."""
    grey = probe.subject.input[0].mean(0).numpy()
    return Heatmap(np.hypot(*np.gradient(grey)).astype(np.float32), probe.subject.extent)


def test_a_method_that_ignores_the_weights_is_found_out(
    engine: Engine, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "all_attributions", lambda: {"edges": edges})
    meta = whole(engine, source, method="edges").meta
    assert meta["correlation"] == pytest.approx(1) and meta["similarity"] == pytest.approx(1)
    assert "hardly depends on the weights" in meta["twin_text"]


def test_it_comes_in_parts_and_other_questions_can_come_between(engine: Engine, source: Source) -> None:
    request = Request.make("proof", "tiny", source, {"method": "occlusion"})
    seen = []
    for _ in range(20_000):
        answer = engine.run(request)
        assert isinstance(answer, Result)
        seen.append((answer.meta["collected"], tuple(answer.arrays)))
        if not answer.meta.get("partial"):
            break
        engine.work_idle(0.0001)
    assert [count for count, _ in seen] == sorted(count for count, _ in seen)
    curves = ("deletion", "deletion_draws", "insertion", "insertion_draws")
    assert seen[0][1] == ("map", "levels") and seen[-1][1] == ("map", "levels", *curves, "twin")
    assert len({count for count, _ in seen}) > 3


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"method": "grad_cm"}, "Did you mean grad_cam"),
        ({"settings": "layer"}, "cannot be read"),
        ({"settings": "{layer"}, "not valid JSON"),
        ({"settings": "layr=x"}, "layr"),
        ({"settings": "target=a"}, "not a setting of the method"),
        ({"settings": "layer=nowhere"}, "no layer 'nowhere'"),
        ({"part": "x0"}, "part"),
        ({"target": "zebra"}, "no class 'zebra'"),
    ],
)
def test_what_cannot_be_asked_is_said(engine: Engine, source: Source, params: dict[str, Any], words: str) -> None:
    answer = engine.run(Request.make("proof", "tiny", source, params))
    assert isinstance(answer, Failure) and words in answer.text


def test_rank_correlation_and_similarity_are_those_of_scipy_and_scikit_image() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(1, 9, (40, 30)).astype(np.float32)
    b = a + rng.normal(0, 3, a.shape).astype(np.float32)
    assert spearman(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel())[0], abs=1e-9)
    x, y = ((v - v.min()) / np.ptp(v) for v in (a, b))
    wanted = structural_similarity(
        x.astype(float), y.astype(float), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0,
        full=True,
    )[1]  # fmt: skip
    assert ssim(a, b) == pytest.approx(wanted.mean(), abs=1e-6)
    assert spearman(a, np.ones_like(a)) == 0.0


def test_places_where_both_maps_are_nothing_do_not_make_them_alike() -> None:
    rng = np.random.default_rng(0)
    a, b = np.zeros((2, 80, 80), np.float32)
    a[10:40, 10:40], b[10:40, 10:40] = rng.random((2, 30, 30)) + 0.1
    assert abs(spearman(a, b)) < 0.2 < spearmanr(a.ravel(), b.ravel())[0]


def test_the_random_map_has_the_grain_of_the_other_and_none_of_its_places() -> None:
    values = centre_map((48, 64)) - 0.3
    other = random_map(values, seed=1)
    np.testing.assert_allclose(
        np.abs(np.fft.fft2(other))[1:], np.abs(np.fft.fft2(values - values.mean()))[1:], atol=1e-2
    )
    assert abs(np.corrcoef(values.ravel(), other.ravel())[0, 1]) < 0.9
    assert not np.allclose(other, random_map(values, seed=2))


def test_a_map_is_enlarged_where_it_lies() -> None:
    model = opened(Linear(SIZE), SIZE)
    _, subject, _ = probed(model, picture(SIZE), "occlusion", window=6, baseline="black")
    values = np.random.default_rng(0).random((6, 6)).astype(np.float32)
    wanted = torch.nn.functional.interpolate(torch.from_numpy(values)[None, None], (SIZE, SIZE), mode="bilinear")
    np.testing.assert_allclose(on_input(values, subject.extent, subject), wanted[0, 0].numpy(), atol=2e-2)
    part = on_input(np.array([[0, 1]], np.float32), (6.0, 0.0, 18.0, 24.0), subject)
    assert (part[:, :8] == 0).all() and (part[:, 16:] == 1).all() and (np.diff(part[0]) >= 0).all()


def test_the_reach_of_random_maps_is_students() -> None:
    draws = np.random.default_rng(0).normal(3, 2, 7)
    mean, away = reach(draws)
    wide = student.ppf(0.975, 6) * draws.std(ddof=1) * np.sqrt(8 / 7)
    assert (mean, away) == pytest.approx((draws.mean(), wide), rel=1e-3)
    wanted = [student.ppf(0.975, freedom) for freedom in range(1, MOST_DRAWS)]
    np.testing.assert_allclose(STUDENT, wanted, atol=1e-3)


def test_the_headline_follows_from_the_spread_of_random_maps() -> None:
    near = np.array([0.1, 0.2, 0.3])
    assert verdict(0.9, near, 0.3) == (
        True,
        "Better than 3 random maps and a map of the centre: 0.900 against 0.200 ± 0.497 and 0.300.",
    )
    # The same mean: what the spread does not allow to be told apart is no better.
    assert verdict(0.5, near, 0.3)[1].startswith("Better than a map of the centre, but no better than 3 random maps:")
    better, said = verdict(0.5, np.array([0.19, 0.2, 0.21]), 0.6)
    assert not better and said.startswith("Better than 3 random maps, but no better than a map of the centre:")
    assert verdict(0.1, near, 0.095) == (
        False,
        "No better than 3 random maps or a map of the centre: 0.100 against 0.200 ± 0.497 and 0.095.",
    )
    assert "0.80" in twin_words(0.8) and "hardly" in twin_words(-0.7) and "hardly" not in twin_words(0.2)
    assert "one random draw" in twin_words(0.8) and "one random draw" in twin_words(0.2)
