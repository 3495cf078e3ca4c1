"""How long occlusion takes against captum's, by default and with its best batch, for equal maps; and its first picture.

All through the engine as the window asks it: a coarse picture, then idle work. 224 px, window 32, stride 16.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from captum.attr import Occlusion

from benchmarks.paired import SAMPLES, Line, at_least, duration, surroundings, table
from models.engine.engine import Engine
from models.pictures.images import read
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Result, Source

MODELS = ("resnet18", "mobilenet_v2")
PICTURE = SAMPLES / "board.png"
WINDOW, STRIDE = 32, 16
BATCHES = (4, 8, 16, 32)
FASTER, FASTER_THAN_BEST, FIRST = 4.0, 1.3, 0.2
TOLERANCE = 1e-5

clock = time.perf_counter


def lines(rounds: int, *, picture: Path = PICTURE, threads: int | None = None) -> list[Line]:
    """Compare both models; captum's best batch is found by one run of each."""
    found = []
    for name in MODELS:
        engine, source = Engine(threads=threads), Source.file(picture)
        model = engine.model(name)
        subject = model.subject(read(picture).pixels, CachedStages(Cache(), "peer", Context()))
        target = int(engine.run(Request("classify", name, source)).arrays["labels"][0])  # type: ignore[union-attr]

        def peer(batch: int, *, net: Any = model.net, x: Any = subject.input, black: Any = subject.black) -> np.ndarray:
            with torch.no_grad():
                return (
                    Occlusion(net)
                    .attribute(
                        x,
                        (3, WINDOW, WINDOW),
                        (3, STRIDE, STRIDE),
                        baselines=black.expand_as(x),
                        target=target,  # noqa: B023 - called within the turn
                        perturbations_per_eval=batch,
                    )[0, 0]
                    .numpy()
                )

        peer(8)
        best = min(BATCHES, key=lambda batch: seconds(lambda: peer(batch))[0])  # noqa: B023
        ours, first, default, fastest = [], [], [], []
        for _ in range(rounds):
            begun, whole, values = occluded(engine, name, source)
            first.append(begun)
            ours.append(whole)
            for times, batch in ((fastest, best), (default, 1)):
                took, wanted = seconds(lambda batch=batch: peer(batch))
                times.append(took)
                assert np.abs(values - wanted).max() <= TOLERANCE * np.abs(wanted).max()
        title = f"Occlusion, {name}, 169 positions"
        found.append(at_least(f"{title}; captum's default", ours, default, limit=FASTER))
        found.append(at_least(f"{title}; captum at its best, {best} at once", ours, fastest, limit=FASTER_THAN_BEST))
        share = median(a / b for a, b in zip(first, ours, strict=True))
        what = f"{title}, first picture, of the whole ({duration(median(ours))})"
        found.append(Line(what, median(first), None, f"{share:.2f}", f"≤ {FIRST:g}", share <= FIRST))
    return found


def occluded(engine: Engine, name: str, source: Source) -> tuple[float, float, np.ndarray]:
    """Return the seconds until the first picture and until the exact one, and that."""
    engine.cache = Cache()
    engine.run(Request("classify", name, source))
    request = Request.make("occlusion", name, source, {"window": WINDOW, "stride": STRIDE, "baseline": "black"})
    begin = clock()
    answer, first = engine.run(request), clock() - begin
    while isinstance(answer, Result) and answer.meta.get("partial"):
        engine.work_idle(1.0)
        answer = engine.run(request)
    assert isinstance(answer, Result), answer
    return first, clock() - begin, answer.arrays["map"]


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    begin = clock()
    value = call()
    return clock() - begin, value


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=None)
    options.add_argument("--cpu", action="store_true", help="time of the processor, where others use the machine too")
    given = options.parse_args()
    if given.cpu:
        global clock  # noqa: PLW0603 - one clock for all that is measured
        clock = time.process_time
    before = surroundings()
    print(
        f"{before}; medians of {given.rounds} interleaved rounds\n\n{table(lines(given.rounds, threads=given.threads))}"
    )


if __name__ == "__main__":
    main()
