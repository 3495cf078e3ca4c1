"""Data sets: a pass beside a bare batched loop, a query beside numpy's product, and a grid of 100,000 thumbnails.

`python -m benchmarks.neighbours`: in turn, in one process, with equal results.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.paired import Line, at_most, surroundings, table

ROWS, WIDTH, COUNT = 60_000, 128, 7
PICTURES, MODEL = 64, "resnet18"
GRID, FRAMES = 100_000, 60
QUERY_S, FIRST_S, FRAME_S = 0.030, 0.3, 0.033


def query_lines(rounds: int) -> list[Line]:
    """Compare a query over 60,000 vectors with numpy's product and selection, which gives the same rows."""
    from models.datasets.nearest import EUCLIDEAN, Vectors, nearest

    data = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    vectors = Vectors.of([(0, data)], ROWS)
    squares = np.einsum("ij,ij->i", data, data)
    ours, peer = [], []
    for number in range(rounds + 1):
        query = data[number] + 0.1
        began = perf_counter()
        rows, _ = nearest(query[None], vectors, count=COUNT, metric=EUCLIDEAN)
        middle = perf_counter()
        far = squares - 2 * (data @ query)
        best = np.argpartition(far, COUNT)[:COUNT]
        best = best[np.argsort(far[best])]
        ended = perf_counter()
        assert np.array_equal(best, rows[0])
        ours.append(middle - began)
        peer.append(ended - middle)
    what = f"{COUNT} neighbours of {ROWS:,} x {WIDTH}"
    reached = median(ours[1:]) <= QUERY_S
    limit = Line(f"{what}, alone", median(ours[1:]), None, "", f"≤ {QUERY_S * 1000:.0f} ms", reached)
    return [at_most(what, ours[1:], peer[1:], limit=1.1), limit]


def pass_lines(rounds: int) -> list[Line]:
    """Compare the pass over a folder with a bare loop that decodes the same and gives the same vectors."""
    import torch
    from PIL import Image

    from models.dataset_pass.forward import Forward
    from models.dataset_pass.job import Job
    from models.dataset_pass.layer_choice import choose
    from models.dataset_pass.products.embeddings import Embeddings
    from models.datasets.opening import open_data_set
    from models.engine import registry
    from models.pictures import images

    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    model = registry.open_model(MODEL)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "pictures")
        folder.mkdir()
        for number in range(PICTURES):
            small = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
            small.resize((400, 300)).save(folder / f"{number:03}.jpg", quality=90)
        data_set, forward = open_data_set(folder), Forward(model)
        pixels = images.read(data_set.paths[0]).pixels
        forward.settle(pixels)
        layer = choose(forward, forward.prepare(pixels))
        ours, peer = [], []
        for number in range(rounds + 1):
            began = perf_counter()
            found = Job(forward, data_set, (Embeddings.of(layer),), "", folder=Path(made, str(number))).run()
            middle = perf_counter()
            bare = _bare(model, data_set.paths, forward.batch)
            ended = perf_counter()
            assert np.allclose(found.array("vector.0"), bare, atol=1e-4)
            ours.append(middle - began)
            peer.append(ended - middle)
    what = f"a pass over {PICTURES} pictures, {MODEL}"
    return [at_most(what, ours[1:], peer[1:], limit=1 / 0.95)]


def _bare(model: Any, paths: tuple[str, ...], batch: int) -> np.ndarray:
    """Return the penultimate vectors of pictures by the shortest loop."""
    import torch

    from models.pictures import images

    kept: list[Any] = []
    hook = model.net.fc.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    with torch.no_grad():
        for at in range(0, len(paths), batch):
            inputs = [model.preprocess.input(images.read(path).pixels, model.device) for path in paths[at : at + batch]]
            model.net(torch.cat(inputs))
    hook.remove()
    return torch.cat(kept).numpy()


def grid_lines() -> list[Line]:
    """Measure the first screen of a grid of 100,000 thumbnails, and a frame while it is scrolled."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from viewer import theme
    from viewer.widgets.pictures.thumbnail_grid import ThumbnailGrid

    application: Any = QApplication.instance() or QApplication([])
    theme.apply(application, "dark")
    paths = [f"/pictures/{number}.jpg" for number in range(GRID)]
    pixels = np.zeros((64, 64, 3), np.uint8)
    grid = ThumbnailGrid("Pictures")
    grid.thumbnail_wanted.connect(lambda path: grid.set_thumbnail(path, pixels))
    grid.resize(1200, 800)
    began = perf_counter()
    grid.show()
    grid.show_rows(paths, np.arange(GRID))
    grid.viewport().repaint()
    first = perf_counter() - began
    frames, bar = [], grid.verticalScrollBar()
    for number in range(FRAMES):
        began = perf_counter()
        bar.setValue(number * bar.maximum() // FRAMES)
        grid.viewport().repaint()
        application.processEvents()
        frames.append(perf_counter() - began)
    slow = sorted(frames)[int(0.95 * FRAMES)]
    return [
        Line(f"first screen of {GRID:,} thumbnails", first, None, "", f"≤ {FIRST_S:g} s", first <= FIRST_S),
        Line("a frame while they are scrolled (95 %)", slow, None, "", f"≤ {FRAME_S * 1000:.0f} ms", slow <= FRAME_S),
    ]


def lines(rounds: int) -> list[Line]:
    """Return all lines."""
    parts: list[Callable[[], list[Line]]] = [lambda: query_lines(rounds), lambda: pass_lines(rounds), grid_lines]
    return [line for part in parts for line in part()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(surroundings())
    print(table(lines(options.rounds)))


if __name__ == "__main__":
    main()
