"""Maps of a data set: t-SNE of 5,000 points beside openTSNE alone, principal components, and a frame of 100,000 points.

`python -m benchmarks.embedding_maps`: in turn, in one process, with equal results.
"""

from __future__ import annotations

import argparse
import os
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.paired import Line, at_most, surroundings, table

POINTS, WIDTH, ITERATIONS = 5_000, 50, 250
VECTORS = 512
GRID, FRAMES, FRAME_S = 100_000, 60, 0.033


def blobs(count: int, width: int) -> np.ndarray:
    """Return vectors (N, D) of ten groups."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 2, (10, width))[rng.integers(0, 10, count)] + rng.normal(size=(count, width))


def tsne_lines(rounds: int, points: int, iterations: int) -> list[Line]:
    """Compare the steps of the job with one run of the library on the same vectors, which ends at the same KL."""
    import openTSNE

    from models.embedding_maps.tsne import TSNE

    data = blobs(points, WIDTH)
    ours, peer = [], []
    for _ in range(rounds):
        began = perf_counter()
        work = TSNE(data, perplexity=30, exaggerated=iterations, then=iterations)
        first = work.places
        work.run()
        middle = perf_counter()
        library = openTSNE.TSNE(
            perplexity=30, neighbors="exact", n_jobs=1, early_exaggeration_iter=iterations, n_iter=iterations
        )
        bare = library.fit(data, initialization=first)
        ended = perf_counter()
        assert abs(work.kl - bare.kl_divergence) < 0.02 * bare.kl_divergence, (work.kl, bare.kl_divergence)
        ours.append(middle - began)
        peer.append(ended - middle)
    what = f"t-SNE of {points:,} points, twice {iterations} iterations, {WIDTH} components; openTSNE alone"
    return [at_most(what, ours, peer, limit=1.1)]


def component_lines(rounds: int) -> list[Line]:
    """Measure the principal components that a map begins with."""
    from models.datasets.nearest import EUCLIDEAN, Vectors
    from models.embedding_maps import principal_components

    data = blobs(POINTS, VECTORS).astype(np.float32)
    vectors, rows = Vectors.of([(0, data)], POINTS), np.arange(POINTS)
    times = []
    for _ in range(rounds):
        began = perf_counter()
        principal_components.fit(vectors, rows, count=50, metric=EUCLIDEAN).place(data)
        times.append(perf_counter() - began)
    return [Line(f"principal components of {POINTS:,} x {VECTORS}", median(times))]


def frame_lines() -> list[Line]:
    """Measure a frame of a map of 100,000 points while it is moved and zoomed."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from viewer import theme
    from viewer.widgets.charts.point_map import PointMap

    application: Any = QApplication.instance() or QApplication([])
    theme.apply(application, "dark")
    shown = PointMap("Map")
    shown.resize(1000, 700)
    shown.show()
    colours = np.array([theme.class_colour(row).rgba() for row in range(10)], np.uint32)
    places = blobs(GRID, 2).astype(np.float32)
    shown.show_points(places, colours[np.arange(GRID) % 10], axes=("First", "Second"))
    application.processEvents()
    frames, view = [], shown.plot.vb
    for number in range(FRAMES):
        began = perf_counter()
        if number % 2:
            view.scaleBy((0.97, 0.97))
        else:
            view.translateBy(x=0.1, y=0.05)
        application.processEvents()
        frames.append(perf_counter() - began)
    middle, slow = median(frames), sorted(frames)[int(0.95 * FRAMES)]
    goal = f"≤ {FRAME_S * 1000:.0f} ms"
    return [
        Line(f"a frame of {GRID:,} points, moved and zoomed", median(frames), None, "", goal, middle <= FRAME_S),
        Line("the same, the slowest of 20", slow, None, "", goal, slow <= FRAME_S),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    options = parser.parse_args()
    print(surroundings())
    lines = frame_lines() + component_lines(options.rounds)
    print(table(lines + tsne_lines(options.rounds, options.points, options.iterations)))


if __name__ == "__main__":
    main()
