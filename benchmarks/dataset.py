"""Figures of a data set: how long a slider's tick takes over 5,000 pictures, and collecting beside the bare loop.

`python -m benchmarks.dataset [--data FOLDER_WITH_bccd.zip] [--model NAME_OR_FILE]`; without data only the ticks.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.paired import Line, at_least, surroundings, table
from models.cards import card
from models.engine.engine import Engine
from models.evaluation import tide
from models.evaluation.curve import curves, operating_point
from models.evaluation.figures import confusion, figures, prepare
from models.evaluation.funnel import best_scores, funnel
from models.evaluation.matched import Setting, match, survivors
from models.evaluation.measure import Measured, measure
from models.evaluation.table import Table, assemble
from models.pictures import images
from models.requests import Request
from models.truth.types import Annotated
from models.types import Candidates, Result, Source

PICTURES, CANDIDATES, OBJECTS, CLASSES = 5_000, 300, 8, 10
DIFFERENT = 250
LIMIT_S = 0.25
CHUNK = 28
ASKED_EVERY_S = 0.25


def picture(rng: np.random.Generator) -> tuple[Measured, Annotated]:
    """Return a made-up picture: two thirds of the candidates crowd around its objects, the rest is scattered."""
    count = int(rng.integers(1, 2 * OBJECTS))
    size = np.exp(rng.uniform(np.log(24), np.log(240), (count, 2)))
    centre = rng.uniform(0, 1, (count, 2)) * (640, 480)
    labels = rng.integers(0, CLASSES, count)
    near = CANDIDATES * 2 // 3
    owner = rng.integers(0, count, near)
    shift = rng.normal(0, 0.12, (near, 2))
    far = np.exp(rng.uniform(np.log(12), np.log(200), (CANDIDATES - near, 2)))
    middle = np.concatenate([centre[owner] + shift * size[owner], rng.uniform(0, 1, far.shape) * (640, 480)])
    whole = np.concatenate([size[owner] * np.exp(rng.normal(0, 0.12, (near, 2))), far])
    boxes = np.concatenate([middle - whole / 2, middle + whole / 2], 1).clip(0, (640, 480) * 2).astype(np.float32)
    label = np.append(labels[owner], rng.integers(0, CLASSES, len(far)))
    label = np.where(rng.random(CANDIDATES) < 0.15, rng.integers(0, CLASSES, CANDIDATES), label) + 1
    best = 0.98 * np.exp(-8 * (shift**2).sum(1)) - rng.uniform(0, 0.25, near)
    score = np.append(best, rng.beta(1, 12, len(far))).clip(0.01, 0.999).astype(np.float32)
    none, empty = np.full(CANDIDATES, -1, np.int64), np.zeros((0, 4), np.float32)
    found = Candidates(boxes, boxes, score, label, none, none, empty, empty[:, 0])
    objects = np.concatenate([centre - size / 2, centre + size / 2], 1).astype(np.float32)
    truth = Annotated("", (640, 480), objects, labels, rng.random(count) < 0.01)
    return measure(found, None, truth), truth


def data_set() -> Table:
    rng = np.random.default_rng(0)
    different = [picture(rng) for _ in range(DIFFERENT)]
    chosen = [different[row % DIFFERENT] for row in range(PICTURES)]
    measured, truth = (list(column) for column in zip(*chosen, strict=True))
    return assemble(measured, truth, np.arange(1, CLASSES + 1))


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def tick_lines(rounds: int) -> list[Line]:
    """Time a tick of the NMS slider and of the score slider, and their parts, at scores where much is left."""
    whole = data_set()
    nms, score, parts = [], [], {}
    for number in range(rounds):
        setting = Setting(0.4 + 0.01 * number, False, 100, 0.5)
        nms.append(seconds(lambda setting=setting: figures(prepare(whole, setting), 0.05)))
        prepared = prepare(whole, setting)
        matched = prepared.matched
        score.append(seconds(lambda p=prepared: figures(p, 0.05)))
        best = prepared.best_scores
        calls: dict[str, Callable[[], Any]] = {
            "suppression": lambda s=setting: survivors(whole, s.iou, agnostic=False),
            "matching at 10 IoUs": lambda s=setting: match(whole, s, survivors(whole, s.iou, agnostic=False)),
            "curves": lambda m=matched: curves(m),
            "error types sorted": lambda m=matched: tide.errors(m),
            "best scores of objects": lambda m=matched: best_scores(m),
            "error types, score tick": lambda p=prepared: p.errors.tick(0.05),
            "confusion, score tick": lambda m=matched: confusion(m, 0.05),
            "funnel, score tick": lambda m=matched, b=best: funnel(m, b, 0.05),
            "rates, score tick": lambda m=matched: operating_point(m, 0.05),
        }
        for name, call in calls.items():
            parts.setdefault(name, []).append(seconds(call))
    title = f"all figures of {PICTURES:,} pictures, {len(whole.score):,} candidates, {len(whole.crowd):,} objects"
    lines = [
        Line(f"NMS tick, {title}", median(nms), goal="≤ 250 ms", reached=median(nms) <= LIMIT_S),
        Line("Score tick, the same", median(score), goal="≤ 250 ms", reached=median(score) <= LIMIT_S),
    ]
    return lines + [Line(f"of which {name}", median(times)) for name, times in parts.items()]


def collecting_line(data: Path, model: str, rounds: int) -> Line:
    """Compare collecting, asked for figures as the window does, with reading pictures and running the model on them."""
    torch.set_num_threads(1)
    engine = Engine(threads=1)
    net = engine.model(card.canonical(model)).net
    with tempfile.TemporaryDirectory() as place:
        with zipfile.ZipFile(data / "bccd.zip") as archive:
            archive.extractall(place)
        request = Request("figures", card.canonical(model), Source.file(Path(place) / "BCCD"))
        first = figures_of(engine, request)
        store = next(v for v, _ in engine.cache._values.values() if type(v).__name__ == "Store")
        paths = [one.path for one in store.truth.pictures]
        ours, peer = [], []

        def bare(some: list[str]) -> None:
            for path in some:
                pixels = images.read(path).pixels
                with torch.inference_mode():
                    net([torch.from_numpy(pixels).permute(2, 0, 1).float() / 255])

        def collected(until: int) -> None:
            asked = 0.0
            while len(store.measured) + len(store.failed) < until:
                if time.perf_counter() - asked > ASKED_EVERY_S:
                    figures_of(engine, request)
                    asked = time.perf_counter()
                engine.work_idle()

        bare(paths[:4])
        for start in range(0, min(len(paths), rounds * CHUNK), CHUNK):
            some = paths[start : start + CHUNK]
            peer.append(seconds(lambda some=some: bare(some)))
            ours.append(seconds(lambda some=some, start=start: collected(start + len(some))))
    what = f"Collecting {len(ours) * CHUNK} of {first.meta['of']} photographs by {CHUNK}; `read` and `model([image])`"
    line = at_least(what, ours, peer, limit=0.95)
    return Line(line.what, line.ours, line.peer, f"{median(peer) / median(ours):.2f}x", line.goal, line.reached)


def figures_of(engine: Engine, request: Request) -> Result:
    answer = engine.run(request)
    assert isinstance(answer, Result), answer
    return answer


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=13)
    options.add_argument("--data", type=Path, help="folder with bccd.zip")
    options.add_argument("--model", default="cells-faster-rcnn")
    given = options.parse_args()
    torch.set_num_threads(1)
    before = surroundings()
    lines = tick_lines(given.rounds)
    if given.data:
        lines.append(collecting_line(given.data, given.model, given.rounds))
    print(f"{before}; medians of {given.rounds} interleaved rounds\n\n{table(lines)}")


if __name__ == "__main__":
    main()
