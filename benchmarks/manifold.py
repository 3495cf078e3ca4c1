"""How long a map of 25 x 25 pictures takes against the bare decoding of as many codes, in one batch and at its best.

The map is asked of the engine as the window asks it: its coarse tiles, then idle work, then the whole.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.paired import Line, at_most, surroundings, table
from models.engine.engine import Engine
from models.requests import Request
from models.runtime.stage_cache import Cache
from models.types import Result

MODELS = ("digits-vae", "digits-vae-2d", "digits-gan")
SIDE, SLOWER = 25, 1.2
BATCHES = (16, 64, 128, SIDE * SIDE)

clock: Callable[[], float] = time.perf_counter


def lines(rounds: int, *, models: tuple[str, ...] = MODELS, threads: int | None = None) -> list[Line]:
    """Compare each model's map with its decoder alone; the best batch is found by one run of each."""
    found = []
    for name in models:
        engine = Engine(threads=threads)
        model = engine.model(name)
        codes = model.tensor(model.space.draw(0, count=SIDE * SIDE))

        def bare(batch: int, *, decode: Any = model.decode, codes: Any = codes) -> float:
            begin = clock()
            with torch.inference_mode():
                for part in codes.split(batch):
                    decode(part)
            return clock() - begin

        bare(SIDE * SIDE)
        mapped(engine, name)
        best = min(BATCHES, key=bare)
        ours, plain, fastest, first = [], [], [], []
        for _ in range(rounds):
            coarse, whole = mapped(engine, name)
            first.append(coarse)
            ours.append(whole)
            plain.append(bare(SIDE * SIDE))
            fastest.append(bare(best))
        title = f"Map of {SIDE} x {SIDE}, {name}"
        found.append(at_most(f"{title}; one batch", ours, plain, limit=SLOWER))
        found.append(at_most(f"{title}; the best batch, {best}", ours, fastest))
        found.append(at_most(f"{title}, coarse tiles; the whole map", first, ours))
    return found


def mapped(engine: Engine, name: str) -> tuple[float, float]:
    """Return the seconds until the coarse tiles and until the whole map."""
    engine.cache = Cache()
    request = Request.make("manifold", name, None, {"side": SIDE})
    begin = clock()
    answer = engine.run(request)
    coarse = clock() - begin
    engine.finish_idle()
    answer = engine.run(request)
    assert isinstance(answer, Result), answer
    assert not answer.meta["partial"]
    return coarse, clock() - begin


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--threads", type=int, default=None)
    options.add_argument("--model", action="append", help="instead of the bundled ones, by name or file")
    options.add_argument("--cpu", action="store_true", help="time of the processor, where others use the machine too")
    given = options.parse_args()
    if given.cpu:
        global clock  # noqa: PLW0603 - one clock for all that is measured
        clock = time.process_time
    before = surroundings()
    made = lines(given.rounds, models=tuple(given.model or MODELS), threads=given.threads)
    print(f"{before}; medians of {given.rounds} interleaved rounds\n\n{table(made)}")


if __name__ == "__main__":
    main()
