"""t-SNE by openTSNE, one iteration at a time, so that it can be watched, stopped and gone on with.

The neighbours are exact, found by `models.datasets.neighbour_graph`. Steps give what one run of openTSNE gives: its
optimiser keeps momentum and gains between calls.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.nearest import EUCLIDEAN, Vectors, nearest
from models.datasets.neighbour_graph import Graph
from models.types import Refusal

EXAGGERATION = 12.0
MOMENTUM = 0.8  # openTSNE's own, with exaggeration and without
KL_EVERY = 25  # iterations
LEAST = 4  # pictures
Double = NDArray[np.float64]


def check() -> None:
    """Raise Refusal where openTSNE is missing."""
    if find_spec("openTSNE") is None:
        raise Refusal(
            "t-SNE needs openTSNE, which is not installed.",
            advice="Install it with: pip install openTSNE. Principal components need nothing more.",
        )


def perplexity_for(pictures: int, wanted: float) -> float:
    """Return the perplexity that so many pictures allow: each has three times as many others at least."""
    return min(wanted, (pictures - 1) / 3)


class TSNE:
    """The layout of N vectors (N, D): `places` (N, 2) after `iteration` of `iterations`, `kl` when last measured.

    It fits `models.runtime.context.Work`. Before its neighbours are known it stands at `iteration` 0.
    """

    def __init__(self, vectors: Double, *, perplexity: float, exaggerated: int, then: int, seed: int = 0) -> None:
        """Raises Refusal for too few vectors, and where openTSNE is missing."""
        check()
        if len(vectors) < LEAST:
            raise Refusal(
                f"t-SNE needs at least {LEAST} pictures, there are {len(vectors):,}.", advice="Take PCA instead."
            )
        self.vectors, self.perplexity, self.seed = vectors, perplexity_for(len(vectors), perplexity), seed
        self.exaggerated, self.iterations = exaggerated, exaggerated + then
        self.places: Double = first_places(vectors, seed)
        self.iteration, self.kl = 0, float("nan")
        self.failure: Exception | None = None
        near = max(1, min(len(vectors) - 1, int(3 * self.perplexity)))
        self._among = Vectors.of([(0, vectors.astype(np.float32))], len(vectors))
        self.graph = Graph(self._among, count=near, metric=EUCLIDEAN)
        self._embedding: Any = None
        self._objective: Any = None

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""
        return self.vectors.nbytes + self.graph.nbytes * 3

    @property
    def complete(self) -> bool:
        """Whether every iteration is done."""
        return self.iteration >= self.iterations

    @property
    def share(self) -> float:
        """How much of the work is done, from 0 to 1; the neighbours are a twentieth of it."""
        found = self.graph.done / len(self.vectors)
        return 0.05 * found + 0.95 * self.iteration / self.iterations

    def step(self) -> None:
        """Find further neighbours, or do one iteration."""
        if not self.graph.complete:
            self.graph.step()
        elif self._embedding is None:
            self._begin()
        else:
            self._iterate()

    def run(self) -> TSNE:
        """Do all of it."""
        while not self.complete:
            self.step()
        return self

    def transform(self, vectors: Double) -> Double:
        """Return where further vectors (K, D) lie on the map as it is now, which does not move. Needs neighbours."""
        with _quiet():
            copy = self._embedding.optimize(0)  # transform moves the whole map to the middle
            middle = (np.max(copy, axis=0) + np.min(copy, axis=0)) / 2
            placed = copy.transform(vectors, perplexity=perplexity_for(len(self.vectors), 5.0))
        return np.array(placed) + np.array(middle)

    @property
    def begun(self) -> bool:
        """Whether neighbours are known, so that further vectors can be placed."""
        return self._embedding is not None

    def _begin(self) -> None:
        import openTSNE
        from openTSNE import affinity, nearest_neighbors, tsne

        graph, among = self.graph, self._among

        class Exact(nearest_neighbors.KNNIndex):
            """The neighbours that are known already."""

            VALID_METRICS = [EUCLIDEAN]  # noqa: RUF012 - as the library declares it

            def build(self) -> Any:
                return graph.rows.astype(np.int64), graph.distances.astype(np.float64)

            def query(self, query: Any, k: int) -> Any:
                return nearest(np.asarray(query, np.float32), among, count=k, metric=EUCLIDEAN)

        with _quiet():
            perplexity: Any = self.perplexity  # a float, though the library's default is none
            index = Exact(self.vectors, graph.count)
            found = affinity.PerplexityBasedNN(knn_index=index, perplexity=perplexity, n_jobs=1)
            library = openTSNE.TSNE(n_jobs=1, random_state=self.seed)
            self._embedding = library.prepare_initial(affinities=found, initialization=self.places)
        self._objective = tsne.kl_divergence_bh if len(self.vectors) < 10_000 else tsne.kl_divergence_fft
        if self.exaggerated:
            found.P *= EXAGGERATION

    def _iterate(self) -> None:
        """Do one iteration of the library's gradient descent, without the divergence that it measures after each."""
        early = self.iteration < self.exaggerated
        factor = EXAGGERATION if early else 1.0
        embedding, measured = self._embedding, (self.iteration + 1) % KL_EVERY == 0
        calls = 0

        def objective(*given: Any, should_eval_error: bool = False, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 1:
                error, gradient = self._objective(*given, should_eval_error=measured, **named)
                if measured:
                    self.kl = float(error / factor - np.log(factor))
                return error, gradient
            if self.iteration + 1 < self.iterations:
                return 0.0, None
            error, gradient = self._objective(*given, should_eval_error=True, **named)
            self.kl = float(error / factor - np.log(factor))
            return error, gradient

        with _quiet():
            embedding.optimize(
                n_iter=1,
                inplace=True,
                exaggeration=1,  # the affinities are exaggerated once for all, which rounds as one run does
                learning_rate=len(self.vectors) / factor,
                momentum=MOMENTUM,
                negative_gradient_method=objective,
            )
        self.iteration += 1
        if self.iteration == self.exaggerated:
            embedding.affinities.P /= EXAGGERATION
        self.places = np.array(embedding)


def first_places(vectors: Double, seed: int) -> Double:
    """Return where optimisation begins: the first two columns, which are principal components, made small.

    A little noise keeps equal vectors apart.
    """
    found = np.zeros((len(vectors), 2))
    found[:, : vectors.shape[1]] = vectors[:, :2]
    spread = found[:, 0].std()
    found *= 1e-4 / spread if spread > 0 else 1.0
    return found + np.random.default_rng(seed).normal(0, 1e-6, found.shape)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from logging warnings about what is chosen here, and NumPy from warning of its arithmetic."""
    log = logging.getLogger("openTSNE")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        log.setLevel(level)
