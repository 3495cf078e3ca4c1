"""Nearest vectors against scikit-learn's brute force, and what the graph of neighbours says of planted cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from models.datasets import nearest as nearest_vectors
from models.datasets.nearest import METRICS, Vectors, nearest
from models.datasets.neighbour_graph import Graph, disagreements, near_duplicates, outliers


def vectors(count: int, width: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def blobs(sizes: tuple[int, ...] = (40, 40), width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Clusters far from each other, and which of them each row belongs to."""
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    centres = 10 * np.eye(len(sizes), width)
    return (centres[labels] + 0.3 * rng.standard_normal((len(labels), width))).astype(np.float32), labels


@pytest.mark.parametrize("metric", METRICS)
def test_they_are_those_of_brute_force_in_any_pieces(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, queries = vectors(300), vectors(20, seed=1)
    oracle = NearestNeighbors(n_neighbors=7, algorithm="brute", metric=metric).fit(data.astype(np.float64))
    wanted_far, wanted = oracle.kneighbors(queries.astype(np.float64))
    for chunk, cuts in ((1 << 16, [0]), (32, [0, 100, 250])):
        monkeypatch.setattr(nearest_vectors, "CHUNK", chunk)
        pieces = [(at, data[at:end]) for at, end in zip(cuts, [*cuts[1:], 300], strict=True)]
        rows, far = nearest(queries, Vectors.of(pieces, 300), count=7, metric=metric)
        assert np.array_equal(rows, wanted)
        assert np.allclose(far, wanted_far, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_near_copies_are_ordered_rightly_where_float32_could_not(metric: str) -> None:
    base = 100 + vectors(1, 64)
    steps = np.linspace(1e-3, 2e-2, 50)[:, None] * vectors(1, 64, seed=2)
    data = np.concatenate([(base + steps), vectors(200, 64, seed=3)]).astype(np.float32)
    rows, _ = nearest(base, Vectors.of([(0, data)], len(data)), count=50, metric=metric)
    exact = nearest_vectors.distance(base[0], data, metric)
    assert np.array_equal(rows[0], np.lexsort((np.arange(len(data)), exact))[:50])


def test_a_planted_copy_is_first_at_distance_nought_and_the_picture_itself_is_left_out_by_row() -> None:
    data = vectors(50)
    data[30] = data[7]
    rows, far = nearest(data[[7]], Vectors.of([(0, data)], 50), count=3, without=np.array([7]))
    assert rows[0, 0] == 30 and far[0, 0] == 0 and 7 not in rows


def test_fewer_pictures_than_asked_failed_ones_and_vectors_of_zeros() -> None:
    data = vectors(5)
    data[1], data[2] = np.nan, 0
    rows, far = nearest(data[[0]], Vectors.of([(0, data)], 6), count=9, without=np.array([0]))
    assert sorted(rows[0][rows[0] >= 0].tolist()) == [2, 3, 4]  # row 5 was never computed, row 1 failed
    assert far[0][rows[0] == 2] == 1.0
    rows, _ = nearest(data[[0]], Vectors.of([], 6), count=3)
    assert rows.shape == (1, 0)


def test_a_permuted_set_gives_the_permuted_answer() -> None:
    data, order = vectors(100), np.random.default_rng(5).permutation(100)
    one, _ = nearest(data[:3], Vectors.of([(0, data)], 100), count=5)
    other, _ = nearest(data[:3], Vectors.of([(0, data[order])], 100), count=5)
    assert np.array_equal(order[other], one)


def test_the_graph_is_that_of_brute_force_and_counts_how_often_a_row_is_a_neighbour() -> None:
    data = vectors(200)
    graph = Graph(Vectors.of([(0, data)], 200), count=5).run()
    far, wanted = NearestNeighbors(n_neighbors=6, algorithm="brute", metric="cosine").fit(data).kneighbors(data)
    assert np.array_equal(graph.rows, wanted[:, 1:]) and graph.typical == pytest.approx(np.median(far[:, 1]), rel=1e-5)
    assert graph.occurrences().tolist() == np.bincount(wanted[:, 1:].ravel(), minlength=200).tolist()


def test_planted_label_errors_are_found_and_nothing_else() -> None:
    data, labels = blobs()
    wrong = [3, 50, 77]
    labels[wrong] = 1 - labels[wrong]
    graph = Graph(Vectors.of([(0, data)], len(data)), metric="euclidean").run()
    found = disagreements(graph, labels)
    assert sorted(found.rows.tolist()) == wrong
    assert np.array_equal(found.instead, 1 - labels[found.rows]) and (found.share > 0.5).all()


def test_planted_duplicates_and_outliers_are_first() -> None:
    data, _ = blobs()
    data[60], data[10] = data[5] + 1e-5, 40
    graph = Graph(Vectors.of([(0, data)], len(data)), metric="euclidean").run()
    pairs, far = near_duplicates(graph)
    assert pairs[0].tolist() == [5, 60] and far[0] < 1e-3 and len(pairs) == 1
    rows, ratio = outliers(graph)
    assert rows[0] == 10 and ratio[0] > 5 and ratio[1] < 5


def test_duplicates_between_two_sets_are_found() -> None:
    data, _ = blobs()
    test = vectors(10, 8, seed=9)
    test[4] = data[22]
    graph = Graph(Vectors.of([(0, test)], 10), metric="euclidean", among=Vectors.of([(0, data)], len(data))).run()
    pairs, far = near_duplicates(graph)
    assert pairs[0].tolist() == [4, 22] and far[0] == 0


def test_one_picture_and_the_same_vector_for_all_tell_nothing() -> None:
    alone = Graph(Vectors.of([(0, vectors(1))], 1)).run()
    assert alone.complete and alone.typical == 0 and not len(near_duplicates(alone)[0]) and not len(outliers(alone)[0])
    same = Graph(Vectors.of([(0, np.ones((20, 4), np.float32))], 20)).run()
    assert same.typical == 0 and not len(disagreements(same, np.zeros(20, np.int64)).rows)
