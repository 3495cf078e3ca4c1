"""A change in the Region pooling panel, from the request to its answer: another proposal, rule, sampling or channel.

`python -m benchmarks.region_pooling [--rounds N]`. The picture's maps are cached by the first answer, as in the window;
that no change runs a stage of the network is checked. Times are the processor's, of one thread, without painting.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import process_time
from typing import Any

import torch

from benchmarks.paired import Line, surroundings, table
from models.cards.card import SAMPLES
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source

MODEL, LIMIT_S = "digits-faster-rcnn", 0.05
CHANGES: dict[str, tuple[dict[str, Any], ...]] = {
    "another proposal": tuple({"proposal": row} for row in (3, 40, 120)),
    "another rule": tuple({"pooling": rule} for rule in ("pool", "pyramid", "align")),
    "other sampling points": tuple({"sampling": points} for points in ("1", "4", "-1")),
    "another channel": tuple({"channel": number} for number in (1, 7, 30)),
}
ALLOWED = {"pool", "proposals pooled otherwise"}


def asked(engine: Engine, settings: dict[str, Any]) -> tuple[float, Result]:
    """Return how long an answer takes in seconds, and the answer."""
    request = Request.make("region_pooling", MODEL, Source.file(SAMPLES / "board.png"), settings)
    began = process_time()
    found = engine.run(request)
    taken = process_time() - began
    assert isinstance(found, Result), found
    return taken, found


def lines(rounds: int) -> list[Line]:
    """Return a line for each kind of change: the median of all, whether it keeps to the limit."""
    torch.set_num_threads(1)
    engine = Engine(threads=1)
    first, _ = asked(engine, {})
    made = []
    for name, changes in CHANGES.items():
        times = []
        for step in range(rounds):
            for change in changes:  # on another proposal each time, so that no answer was given before
                seconds, found = asked(engine, {**change, "proposal": change.get("proposal", 0) + step})
                times.append(seconds)
                assert {*found.meta["timings"]} <= ALLOWED, "a change ran a stage of the network"
        middle, slowest = median(times), max(times)
        text = f"slowest {slowest * 1e3:.0f} ms"
        what = f"region pooling, {name}; the first answer about a picture"
        made.append(Line(what, middle, first, text, "< 50 ms", middle < LIMIT_S))
    return made


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    before = surroundings()
    print(f"{before}; medians of {given.rounds} rounds\n\n{table(lines(given.rounds))}")


if __name__ == "__main__":
    main()
