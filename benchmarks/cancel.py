"""How long a cancelled attribution goes on at worst, over all methods: ResNet-50 at 224 px, through the engine.

`python -m benchmarks.cancel`. A method notices a cancel at its next check, so that the worst is the longest time
between two checks, or of one slice of idle work, and then the way out of a run cancelled halfway; no hook may be left.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from statistics import median

from torch.nn.modules import module as hooks

from benchmarks.paired import SAMPLES, Line, duration, surroundings, table
from models.engine import registry
from models.engine.engine import Engine
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache
from models.types import Failure, Result, Source

MODEL, PICTURE = "resnet50", SAMPLES / "board.png"
FREE_S = 1.0
SLICES = 12  # of the idle work of each method: all are alike


def lines(rounds: int, *, threads: int | None = None) -> list[Line]:
    """Return one line: the worst method, and how far it is from the second that the engine may take."""
    engine, source = Engine(threads=threads), Source.file(PICTURE)
    engine.run(Request("describe", MODEL))
    worst = {}
    for method in registry.all_attributions():
        request = Request(method, MODEL, source)
        first = engine.run(request)
        if isinstance(first, Result):
            worst[method] = median(delay(engine, request) for _ in range(rounds))
    slowest = max(worst, key=worst.__getitem__)
    middle, most = median(worst.values()), worst[slowest]
    what = f"A cancel in the middle, at worst, {MODEL}, the slowest of {len(worst)} methods: {slowest}"
    return [Line(what, most, None, f"half below {duration(middle)}", f"≤ {FREE_S:g} s", most <= FREE_S)]


def delay(engine: Engine, request: Request) -> float:
    """Return the seconds for which the engine is not free after a cancel at the worst moment."""
    checks = [time.perf_counter()]

    def noted() -> bool:
        checks.append(time.perf_counter())
        return False

    fresh(engine, request)
    answer = engine.run(request, Context(cancelled=noted))
    checks.append(time.perf_counter())
    assert isinstance(answer, Result), answer
    for _ in range(SLICES):
        if engine.idle_work:
            begin = time.perf_counter()
            engine.work_idle(1e-4)
            checks += [begin, time.perf_counter()]
    half, seen = len(checks) // 4, []

    def called_off() -> bool:
        seen.append(time.perf_counter())
        return len(seen) > half

    fresh(engine, request)
    answer = engine.run(request, Context(cancelled=called_off))
    out = time.perf_counter() - seen[-1]
    assert isinstance(answer, Failure) and answer.cancelled
    assert not hooks._global_forward_hooks and not hooks._global_forward_pre_hooks
    return max(after - before for before, after in pairwise(checks)) + out


def fresh(engine: Engine, request: Request) -> None:
    """Forget all answers but that of the class, which the window has asked for before."""
    engine._idle.clear()
    engine.cache = Cache()
    engine.run(Request("classify", request.model, request.source))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, default=None)
    given = options.parse_args()
    before = surroundings()
    print(f"{before}; medians of {given.rounds} rounds\n\n{table(lines(given.rounds, threads=given.threads))}")


if __name__ == "__main__":
    main()
