"""What hides superpixels or a region, or looks through a layer: against captum, scikit-learn and closed forms."""

from __future__ import annotations

import itertools
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, KernelShap
from perturbed import Linear, engine_of, opened, picture, probed
from skimage.measure import label as pieces_of
from skimage.segmentation import slic
from sklearn.linear_model import Ridge
from torch.nn import functional

from models.attributions.methods.kernel_shap import coalitions
from models.attributions.methods.lime import drawn, nearness
from models.attributions.perturbation import BASELINES, baseline
from models.attributions.regression import complete, explained, ridge
from models.attributions.superpixels import superpixels
from models.bundled.photos import PhotosResNet
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIZE = 32


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    return opened(PhotosResNet(width=4, blocks=1, classes=4), SIZE)


@pytest.fixture
def linear() -> Any:
    torch.manual_seed(1)
    return opened(Linear(SIZE), SIZE)


def contributions(net: Any, subject: Any, parts: np.ndarray, filling: torch.Tensor, target: int) -> np.ndarray:
    """Return w * (x - b), summed over each part."""
    each = (net.weight[target] * (subject.input - filling)[0].numpy()).sum(0)
    return np.bincount(parts.ravel(), each.ravel())


@pytest.mark.parametrize("name", BASELINES)
def test_ablation_is_that_of_captum(model: Any, name: str) -> None:
    heat, subject, _ = probed(model, picture(SIZE), "ablation", target="b", segments=20, baseline=name)
    mask = torch.from_numpy(heat.arrays["segments"])[None, None].expand(1, 3, -1, -1)
    assert 10 <= int(mask.max()) + 1 <= 30
    with torch.no_grad():
        wanted = FeatureAblation(subject.net).attribute(
            subject.input,
            baselines=baseline(subject, name),
            target=1,
            feature_mask=mask,
        )
    np.testing.assert_allclose(heat.values, wanted[0, 0].numpy(), rtol=1e-5, atol=1e-6)


def test_a_region_taken_away_is_one_number(model: Any) -> None:
    heat, subject, probe = probed(model, picture(SIZE), "ablation", target="b", mask="4,8,20,30", baseline="black")
    hidden = subject.input.clone()
    hidden[:, :, 8:30, 4:20] = subject.black
    with torch.no_grad():
        wanted = probe.score - float(subject.net(hidden)[0, 1])
    assert heat.more["effect"] == pytest.approx(wanted, abs=1e-5)
    inside = heat.values[8:30, 4:20]
    assert (inside == np.float32(heat.more["effect"])).all() and np.count_nonzero(heat.values) == inside.size


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("ablation", {"mask": "40,40,50,50"}, "nothing of the region"),
        ("ablation", {"mask": "1,2,3"}, "not a region"),
        ("ablation", {"mask": "5,5,5,9"}, "is empty"),
        ("lime", {"segments": 1}, "out of range"),
        ("score_cam", {"layer": "fc"}, "no map of the picture"),
    ],
)
def test_what_cannot_be_asked_is_said(tmp_path: Path, name: str, params: dict[str, Any], words: str) -> None:
    save_png(picture(SIZE), tmp_path / "a.png")
    engine = engine_of(PhotosResNet(width=4, blocks=1, classes=4), SIZE)
    answer = engine.run(Request.make(name, "tiny", Source.file(tmp_path / "a.png"), params))
    assert isinstance(answer, Failure) and words in answer.message and answer.advice


@pytest.mark.parametrize("name", ["ablation", "lime", "kernel_shap", "score_cam"])
def test_the_first_answer_comes_from_a_part_and_the_last_from_all(tmp_path: Path, name: str) -> None:
    save_png(picture(SIZE), tmp_path / "a.png")
    engine = engine_of(PhotosResNet(width=4, blocks=1, classes=4), SIZE)
    request = Request.make(name, "tiny", Source.file(tmp_path / "a.png"))
    first = engine.run(request)
    assert isinstance(first, Result), first
    assert first.meta["partial"] and first.meta["collected"] <= 1 + first.meta["of"] / 4
    assert np.isfinite(first.arrays["map"]).all() and first.arrays["map"].std() > 0
    engine.finish_idle()
    last = engine.run(request)
    assert isinstance(last, Result) and "partial" not in last.meta
    assert last.meta["collected"] == last.meta["of"]
    assert not np.array_equal(first.arrays["map"], last.arrays["map"])


def test_shapley_values_of_a_linear_network_are_its_contributions(linear: Any) -> None:
    """Whatever the coalitions: fails if the constraint, the pairs or the baseline's score are taken wrongly."""
    heat, subject, _ = probed(
        linear, picture(SIZE), "kernel_shap", target="c", segments=20, samples=200, baseline="black"
    )
    parts = heat.arrays["segments"]
    wanted = contributions(linear.net, subject, parts, baseline(subject, "black"), 2)
    np.testing.assert_allclose(heat.values, wanted[parts], atol=1e-4 * np.abs(wanted).max())
    assert heat.delta == pytest.approx(0, abs=1e-9) and heat.more["r2"] == pytest.approx(1, abs=1e-6)
    mask = torch.from_numpy(parts)[None, None].expand(1, 3, -1, -1)
    torch.manual_seed(0)
    with torch.no_grad():
        peer = KernelShap(linear.net).attribute(
            subject.input,
            baselines=baseline(subject, "black"),
            target=2,
            feature_mask=mask,
            n_samples=400,
            perturbations_per_eval=50,
        )
    np.testing.assert_allclose(heat.values, peer[0, 0].numpy(), atol=1e-3 * np.abs(wanted).max())


def test_all_coalitions_give_exact_shapley_values() -> None:
    """Against the definition, by every order in which the parts can come."""
    torch.manual_seed(2)
    model = opened(Linear(SIZE, square=True), SIZE)
    heat, subject, probe = probed(
        model, picture(SIZE), "kernel_shap", target="a", segments=6, samples=300, baseline="black"
    )
    parts = heat.arrays["segments"]
    count = int(parts.max()) + 1
    assert 4 <= count <= 8

    def score(seen: frozenset[int]) -> float:
        shown = torch.from_numpy(np.isin(parts, list(seen)))
        with torch.no_grad():
            return float(subject.net(torch.where(shown, subject.input, subject.black))[0, 0])

    known = {s: score(s) for k in range(count + 1) for s in map(frozenset, itertools.combinations(range(count), k))}
    wanted = np.zeros(count)
    for part in range(count):
        for seen, value in known.items():
            if part not in seen:
                share = factorial(len(seen)) * factorial(count - len(seen) - 1) / factorial(count)
                wanted[part] += share * (known[seen | {part}] - value)
    np.testing.assert_allclose(heat.values, wanted[parts], atol=1e-4 * np.abs(wanted).max())
    assert wanted.sum() == pytest.approx(probe.score - known[frozenset()], rel=1e-4)


def test_coalitions_come_in_pairs_with_the_kernels_sizes() -> None:
    shown, weights = coalitions(12, 4000, seed=3)
    assert len(shown) == 4001 and not shown[0].any() and weights[0] == 0 and (weights[1:] == 1).all()
    assert (shown[1::2] == ~shown[2::2]).all()
    sizes = shown[1:].sum(1)
    k = np.arange(1, 12)
    wanted = 1 / (k * (12 - k))
    np.testing.assert_allclose(np.bincount(sizes, minlength=12)[1:] / 4000, wanted / wanted.sum(), atol=0.02)
    np.testing.assert_allclose(shown[1:].mean(0), 0.5, atol=1e-9)


def test_lime_is_a_weighted_ridge_regression(model: Any) -> None:
    heat, subject, _ = probed(
        model, picture(SIZE), "lime", target="d", segments=16, samples=120, seed=5, baseline="black"
    )
    parts = heat.arrays["segments"]
    shown = drawn(int(parts.max()) + 1, 120, 5)
    inputs = torch.stack([torch.where(torch.from_numpy(s[parts]), subject.input[0], subject.black[0]) for s in shown])
    with torch.no_grad():
        y = subject.net(inputs)[:, 3].numpy()
    weights = np.exp(-(((1 - np.sqrt(shown.mean(1))) / 0.25) ** 2)) ** 0.5
    peer = Ridge(alpha=1.0).fit(shown, y, sample_weight=weights)
    np.testing.assert_allclose(heat.values, peer.coef_[parts], rtol=1e-4, atol=1e-6)
    assert heat.more["r2"] == pytest.approx(peer.score(shown, y, sample_weight=weights), abs=1e-5)
    other, _, _ = probed(model, picture(SIZE), "lime", target="d", segments=16, samples=120, seed=6, baseline="black")
    again, _, _ = probed(model, picture(SIZE), "lime", target="d", segments=16, samples=120, seed=5, baseline="black")
    assert np.array_equal(again.values, heat.values) and not np.array_equal(other.values, heat.values)


def test_the_cosine_distance_is_to_the_whole_picture() -> None:
    z = np.random.default_rng(0).random((9, 30)) < 0.4
    whole = np.ones(30)
    cosine = z @ whole / (np.linalg.norm(z, axis=1) * np.linalg.norm(whole))
    np.testing.assert_allclose(nearness(z.astype(float), 0.3), np.sqrt(np.exp(-((1 - cosine) ** 2) / 0.09)))


def test_regressions_and_what_they_explain() -> None:
    rng = np.random.default_rng(1)
    z, y, weights = rng.random((40, 5)), rng.random(40), rng.random(40)
    peer = Ridge(alpha=0.3).fit(z, y, sample_weight=weights)
    slopes, intercept = ridge(z, y, weights, penalty=0.3)
    np.testing.assert_allclose(slopes, peer.coef_)
    assert intercept == pytest.approx(peer.intercept_)
    assert explained(y, z @ slopes + intercept, weights) == pytest.approx(peer.score(z, y, sample_weight=weights))
    found = complete(z, y, weights, total=2.0)
    assert found.sum() == pytest.approx(2.0)

    def loss(values: np.ndarray) -> float:
        return float((weights * (y - z @ values) ** 2).sum())

    for step in rng.normal(0, 0.01, (50, 5)):
        assert loss(found + step - step.mean()) >= loss(found)


def test_score_cam_is_the_naive_loop(model: Any) -> None:
    heat, subject, _ = probed(model, picture(SIZE), "score_cam", target="b", layer="layer2")
    kept = []
    hook = subject.net.layer2.register_forward_hook(lambda module, inputs, output: kept.append(output.clone()))
    with torch.no_grad():
        subject.net(subject.input)
        hook.remove()
        planes, scores = kept[0][0], []
        empty = float(subject.net(torch.zeros_like(subject.input))[0, 1])
        for plane in planes:
            large = functional.interpolate(plane[None, None], (SIZE, SIZE), mode="bilinear")
            mask = (large - large.min()) / (large.max() - large.min())
            scores.append(float(subject.net(subject.input * mask)[0, 1]) - empty)
    weights = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(heat.values, np.tensordot(weights, planes.numpy(), 1), rtol=1e-4, atol=1e-6)
    assert heat.more["layer"] == "layer2"


@pytest.mark.parametrize(("size", "count"), [((60, 80), 40), ((33, 21), 12), ((300, 400), 60), ((16, 16), 500)])
def test_superpixels_are_numbered_connected_and_about_as_many(size: tuple[int, int], count: int) -> None:
    rng = np.random.default_rng(0)
    labels = superpixels(rng.integers(0, 255, (*size, 3), dtype=np.uint8), count)
    found = np.unique(labels)
    assert labels.shape == size and found.tolist() == list(range(len(found)))
    assert min(count, size[0] * size[1]) / 2 <= len(found) <= 1.5 * count
    if size[0] < 100:
        assert all(pieces_of(labels == part, connectivity=1).max() == 1 for part in found)


def test_superpixels_keep_to_edges_as_well_as_those_of_scikit_image() -> None:
    shapes = np.zeros((96, 128, 3), np.uint8) + 40
    y, x = np.mgrid[:96, :128]
    shapes[(y - 50) ** 2 + (x - 40) ** 2 < 700] = (200, 60, 30)
    shapes[20:70, 85:115] = (40, 90, 220)
    truth = shapes[..., 0].astype(int) * 256 + shapes[..., 2]

    def impure(labels: np.ndarray) -> float:
        wrong = 0
        for part in np.unique(labels):
            _, counts = np.unique(truth[labels == part], return_counts=True)
            wrong += counts.sum() - counts.max()
        return wrong / truth.size

    ours, theirs = superpixels(shapes, 50), slic(shapes, n_segments=50, compactness=10, start_label=0)
    grid = np.arange(96)[:, None] // 14 * 10 + np.arange(128)[None] // 14
    assert impure(ours) <= impure(theirs) + 0.005
    assert impure(ours) < 0.2 * impure(grid)
