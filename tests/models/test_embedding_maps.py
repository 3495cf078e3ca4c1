"""Maps of vectors: components as the SVD gives them, t-SNE as openTSNE does, kept neighbours as brute force finds."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

import main
from models.datasets.nearest import COSINE, EUCLIDEAN, Vectors
from models.embedding_maps import principal_components, tsne
from models.embedding_maps.kept_neighbours import KeptNeighbours, TrueNeighbours
from models.embedding_maps.tsne import TSNE
from models.engine.engine import Engine
from models.requests import Request
from models.runtime.context import Context
from models.types import Failure, Refusal, Result, Source


def blobs(count: int, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Return three Gaussian blobs (N, width), far from each other, and which each row is of."""
    rng = np.random.default_rng(0)
    of = np.arange(count) % 3
    return (6 * rng.normal(size=(3, width))[of] + rng.normal(size=(count, width))).astype(np.float32), of


def held(data: np.ndarray) -> Vectors:
    return Vectors.of([(0, data[:70]), (70, data[70:])], len(data))


@pytest.mark.parametrize("exact_width", [1024, 4], ids=["eigenvalues", "iteration"])
@pytest.mark.parametrize("metric", [EUCLIDEAN, COSINE])
def test_principal_components_are_those_of_the_svd(
    exact_width: int, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(principal_components, "EXACT_WIDTH", exact_width)
    data = np.random.default_rng(1).normal(size=(150, 40)).astype(np.float32) * np.linspace(4, 0.2, 40) + 3
    data = data.astype(np.float32)
    data[7] = np.nan  # a picture that failed
    rows = np.flatnonzero(held(data).known)
    found = principal_components.fit(held(data), rows, count=3, metric=metric)
    wanted = data[rows].astype(np.float64)
    if metric == COSINE:
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    centred = wanted - wanted.mean(0)
    _, sizes, ways = np.linalg.svd(centred, full_matrices=False)
    assert np.allclose(found.shares, (sizes**2 / (sizes**2).sum())[:3], rtol=1e-3)
    assert np.abs((found.axes[:2] * ways[:2]).sum(1)) == pytest.approx([1, 1], abs=1e-4)
    signs = np.sign((found.axes[:2] * ways[:2]).sum(1))
    placed = found.place(data[rows])[:, :2]
    assert np.abs(placed - centred @ (ways[:2].T * signs)).max() < 1e-2 * np.abs(placed).max()


def test_vectors_that_are_all_the_same_or_alone_have_no_map_and_those_on_a_line_one_axis() -> None:
    same = np.tile(np.float32([1e3, 2, 3]), (40, 1))
    with pytest.raises(Refusal, match="the same vector"):
        principal_components.fit(held(same), np.arange(40), count=2, metric=EUCLIDEAN)
    with pytest.raises(Refusal, match="the same vector"):
        principal_components.fit(held(same), np.arange(1), count=2, metric=EUCLIDEAN)
    line = np.outer(np.arange(40), [1, 2, 2]).astype(np.float32)
    found = principal_components.fit(held(line), np.arange(40), count=2, metric=EUCLIDEAN)
    assert found.shares == pytest.approx([1, 0], abs=1e-9)
    assert np.allclose(np.diff(found.place(line)[:, 0]), 3)


def test_steps_of_t_sne_are_one_run_of_opentsne() -> None:
    openTSNE = pytest.importorskip("openTSNE")  # noqa: N806 - its name
    from openTSNE import affinity

    data = principal_components.scaled(blobs(200)[0], unit=False)
    work = TSNE(data, perplexity=20, exaggerated=15, then=15)
    begin = work.places
    affinities = affinity.PerplexityBasedNN(data, perplexity=20, method="exact")
    library = openTSNE.TSNE(n_jobs=1, early_exaggeration_iter=15, n_iter=15)
    wanted = library.fit(affinities=affinities, initialization=begin)
    work.run()
    assert work.iteration == work.iterations == 30 and work.share == 1
    assert work.kl == pytest.approx(wanted.kl_divergence, rel=1e-3)
    assert np.abs(work.places - np.array(wanted)).max() < 1e-2 * np.abs(work.places).max()


def test_t_sne_keeps_blobs_together_and_places_a_further_point_in_its_own() -> None:
    pytest.importorskip("openTSNE")
    data, of = blobs(183)
    work = TSNE(data[:180].astype(np.float64), perplexity=30, exaggerated=100, then=100).run()
    assert trustworthiness(data[:180], work.places, n_neighbors=10) > 0.95
    before = work.places.copy()
    placed = work.transform(data[180:].astype(np.float64))
    assert (work.places == before).all() and placed.shape == (3, 2)
    near = np.linalg.norm(work.places[None] - placed[:, None], axis=2).argsort(1)[:, :10]
    assert (of[near] == of[180:, None]).all()


def test_t_sne_lowers_its_perplexity_and_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openTSNE")
    assert tsne.perplexity_for(61, 30) == 20 and tsne.perplexity_for(1000, 30) == 30
    few = TSNE(np.random.default_rng(0).normal(size=(6, 1)), perplexity=30, exaggerated=5, then=5).run()
    assert few.perplexity == pytest.approx(5 / 3) and np.isfinite(few.places).all() and np.isfinite(few.kl)
    with pytest.raises(Refusal, match="at least 4 pictures, there are 3"):
        TSNE(np.zeros((3, 2)), perplexity=30, exaggerated=5, then=5)
    monkeypatch.setattr(tsne, "find_spec", lambda name: None)
    with pytest.raises(Refusal) as raised:
        TSNE(np.zeros((9, 2)), perplexity=30, exaggerated=5, then=5)
    assert "pip install openTSNE" in raised.value.advice


@pytest.mark.parametrize("rows", [np.arange(120), np.arange(1, 120, 2)], ids=["all", "some"])
def test_the_share_of_kept_neighbours_is_that_of_brute_force(rows: np.ndarray) -> None:
    data, _ = blobs(120)
    places = data[rows][:, :2] + np.random.default_rng(3).normal(size=(len(rows), 2)).astype(np.float32)
    true = TrueNeighbours(held(data), rows, EUCLIDEAN)
    points = np.arange(0, len(rows), 3)
    found = KeptNeighbours(true, places, points).run()

    def near(values: np.ndarray) -> np.ndarray:
        oracle = NearestNeighbors(n_neighbors=11, algorithm="brute").fit(values.astype(np.float64))
        return oracle.kneighbors(values.astype(np.float64), return_distance=False)[:, 1:]

    wanted = [len(set(a) & set(b)) / 10 for a, b in zip(near(data[rows]), near(places), strict=True)]
    assert found.shares[points] == pytest.approx(np.array(wanted)[points])
    assert np.isnan(np.delete(found.shares, points)).all()
    assert found.mean == pytest.approx(np.array(wanted)[points].mean()) and found.by_chance == 10 / (len(rows) - 1)


def test_a_map_of_the_plane_keeps_all_neighbours_and_few_points_compare_half_of_the_others() -> None:
    flat = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    true = TrueNeighbours(Vectors.of([(0, flat)], 9), np.arange(9), EUCLIDEAN)
    found = KeptNeighbours(true, flat, np.arange(9)).run()
    assert true.count == 4 and (found.shares == 1).all()
    turned = KeptNeighbours(true, flat[::-1].copy(), np.arange(9)).run()
    assert turned.mean < 1 and true.found.min() >= 0


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red, green and blue noise by class, a copy, and a file that is no picture."""
    place = tmp_path_factory.mktemp("three")
    rng = np.random.default_rng(0)
    for number in range(30):
        pixels = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
        pixels[..., number % 3] += 180
        path = place / ("red", "green", "blue")[number % 3] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    (place / "red" / "copy.png").write_bytes((place / "red" / "0.png").read_bytes())
    (place / "blue" / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    return place


def asked(engine: Engine, about: Path, *, finish: bool = True, **settings: Any) -> Any:
    request = Request.make("map", "photos-resnet", Source.file(about), settings)
    answer = engine.run(request, Context())
    while finish and isinstance(answer, Result) and answer.meta["partial"]:
        engine.finish_idle()
        answer = engine.run(request, Context())
    return answer


def test_the_map_of_a_folder_has_its_classes_apart_and_tells_what_it_holds(engine: Engine, folder: Path) -> None:
    first = asked(engine, folder, finish=False)
    assert first.meta["partial"] and first.meta["method"] == "pca"
    found = asked(engine, folder)
    assert len(found.arrays["rows"]) == 31 and found.arrays["shares"].sum() <= 1 + 1e-9
    assert found.meta["paths"][0].endswith("0.png") or "blue" in found.meta["paths"][0]
    places, label = found.arrays["places"], found.arrays["label"]
    middles = np.stack([places[label == one].mean(0) for one in range(3)])
    assert (np.linalg.norm(places[:, None] - middles, axis=2).argmin(1) == label).all()
    assert 0 < found.meta["kept_share"] <= 1 and found.meta["kept_measured"] == 31 and not found.meta["partial"]
    notes = " ".join(found.meta["notes"])
    assert "could not be placed: 1" in notes and "Exact copies of other pictures: 1." in notes
    assert "mean nothing" not in notes and "of the variance" in found.meta["text"]


def test_a_picture_stands_at_its_own_point_or_where_it_would_be(engine: Engine, folder: Path, tmp_path: Path) -> None:
    own = asked(engine, folder, picture=str(folder / "green" / "1.png"))
    at = own.meta["own"]
    assert own.meta["paths"][at] == str(folder / "green" / "1.png")
    assert own.arrays["here"] == pytest.approx(own.arrays["places"][at])
    other = np.random.default_rng(9).integers(0, 60, (32, 32, 3), dtype=np.uint8)
    other[..., 2] += 180
    Image.fromarray(other).save(tmp_path / "other.png")
    for settings in ({}, {"method": "tsne", "iterations": 60}):
        if settings:
            pytest.importorskip("openTSNE")
        found = asked(engine, folder, picture=str(tmp_path / "other.png"), **settings)
        assert found.meta["own"] == -1 and len(found.arrays["here"]) == 2, settings
        nearest = np.linalg.norm(found.arrays["places"] - found.arrays["here"], axis=1).argmin()
        assert found.meta["set_classes"][found.arrays["label"][nearest]] == "blue"
    gone = asked(engine, folder, picture=str(tmp_path / "gone.png"))
    assert isinstance(gone, Failure) and "gone.png" in gone.message


def test_t_sne_is_seen_while_it_runs_stops_where_asked_and_goes_on(engine: Engine, folder: Path) -> None:
    pytest.importorskip("openTSNE")
    settings: dict[str, Any] = {"method": "tsne", "iterations": 70, "seed": 3, "metric": "cosine"}
    asked(engine, folder, metric="cosine", seed=3)  # the pass is through
    seen: list[tuple[int, np.ndarray]] = []
    answer = asked(engine, folder, finish=False, **settings)
    while answer.meta["iteration"] < 20:
        engine.work_idle(0.001)
        answer = asked(engine, folder, finish=False, **settings)
        if answer.meta["method"] == "tsne":
            seen.append((answer.meta["iteration"], answer.arrays["places"]))
    assert answer.meta["partial"] and "Iteration" in answer.meta["text"]
    assert len({iteration for iteration, _ in seen}) > 2 and not np.allclose(seen[0][1], seen[-1][1])
    held_there = asked(engine, folder, stop=True, **settings)
    assert "Stopped after" in held_there.meta["text"] and 20 <= held_there.meta["iteration"] < 140
    again = asked(engine, folder, stop=True, **settings)
    assert again.meta["iteration"] == held_there.meta["iteration"] and again.meta["kept_share"] > 0
    whole = asked(engine, folder, kept=True, **settings)
    assert whole.meta["iteration"] == 140 and np.isfinite(whole.meta["kl"]) and whole.meta["kept_share"] > 0
    notes = " ".join(whole.meta["notes"])
    assert "Distances between groups mean nothing here" in notes and "30 needs more than 90 pictures" in notes


@pytest.mark.timeout(600)
def test_pacmap_is_asked_for_as_t_sne_is(engine: Engine, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pacmap")
    other = np.random.default_rng(9).integers(0, 60, (32, 32, 3), dtype=np.uint8)
    other[..., 2] += 180
    Image.fromarray(other).save(tmp_path / "other.png")
    found = asked(engine, folder, method="pacmap", near=6, picture=str(tmp_path / "other.png"))
    assert found.meta["method"] == "pacmap" and not found.meta["partial"] and found.meta["kept_share"] > 0
    nearest = np.linalg.norm(found.arrays["places"] - found.arrays["here"], axis=1).argmin()
    assert found.meta["set_classes"][found.arrays["label"][nearest]] == "blue"
    notes = " ".join(found.meta["notes"])
    assert "Distances between groups mean nothing" in notes and "middle of its nearest neighbours" in notes


def test_what_cannot_be_placed_is_said_in_a_sentence(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / f"{number}.png")
    same = asked(engine, tmp_path)
    assert isinstance(same, Failure) and "All pictures have the same vector" in same.message
    monkeypatch.setattr(tsne, "find_spec", lambda name: None)
    missing = asked(engine, tmp_path, method="tsne")
    assert isinstance(missing, Failure) and "pip install openTSNE" in missing.advice


def test_the_command_line_writes_every_point_and_replays_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main.main(["run", "map", str(folder), "--model", "photos-resnet", "--out", str(out)]) == 0
    name = f"{folder.name}.map"
    told = json.loads((out / f"{name}.json").read_text())
    assert len(told["points"]) == 31 and told["method"] == "pca" and 0 < told["shares"][0] < 1
    with (out / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [point["path"] for point in told["points"]]
    assert {row["label"] for row in rows} == {"red", "green", "blue"} and rows[0]["width"] == "32.0"
    again = tmp_path / "again"
    assert main.main(["replay", str(out / f"{name}.recipe.json"), "--out", str(again)]) == 0
    repeated = json.loads((again / f"{name}.json").read_text())
    assert np.allclose([p["x"] for p in repeated["points"]], [p["x"] for p in told["points"]], atol=1e-5)
