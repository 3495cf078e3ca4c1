"""Sampling pixel by pixel beside the naive loop, and translation through Vitrine beside the bare network.

`python -m benchmarks.generative [--rounds N]`. The naive loop asks the network for the whole picture once for every
pixel; both draw the same picture, which is checked. Times are the processor's, of one thread.
"""

from __future__ import annotations

import argparse
from statistics import median

import numpy as np
import torch

from benchmarks.attribution import timed
from benchmarks.paired import Line, at_most, surroundings, table
from models.engine import registry
from models.likelihood import cached_passes, sampling
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages

SAMPLE_S, TRANSLATION, PX = 1.5, 1.05, 512
SAMPLERS = ("digits-pixelcnn", "digits-nade")
TRANSLATORS = (("photos-upscaler", PX), ("digits-cyclegan", 32))


def sampled(name: str, rounds: int) -> Line:
    """Compare one picture of 28 px drawn with caches with the naive loop, which runs once."""
    model = registry.open_model(name)

    def fast() -> sampling.Film:
        return sampling.film(model, cached_passes.conditionals(model), seed=3)

    def naive() -> sampling.Film:
        return sampling.film(model, sampling.WholePasses(model), seed=3)

    slow_s, slow = timed(naive)
    times, film = [], fast()
    np.testing.assert_array_equal(film.values, slow.values)
    for _ in range(rounds):
        times.append(timed(fast)[0])
    own = median(times)
    what = f"One picture of 28 px by {name}; the naive loop of whole passes"
    return Line(what, own, slow_s, f"{slow_s / own:.0f}x faster", f"≤ {SAMPLE_S:g} s", own <= SAMPLE_S)


def translated(name: str, side: int, rounds: int) -> Line:
    """Compare a picture made through Vitrine, from pixels to pixels, with the bare network on the same input."""
    model = registry.open_model(name)
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255

    def through() -> np.ndarray:
        stages = CachedStages(Cache(), "benchmark", Context())
        return model.translated(pixels, stages, tile=0).picture

    def bare() -> np.ndarray:
        with torch.inference_mode():
            return model.net.translate(x)[0].permute(1, 2, 0).numpy()

    np.testing.assert_allclose(through(), bare(), rtol=0, atol=1e-5)
    ours, theirs = [], []
    for number in range(rounds):
        pair = [(ours, through), (theirs, bare)]
        for times, call in pair if number % 2 else reversed(pair):
            times.append(timed(call)[0])
    return at_most(f"A picture of {side} px through {name}; the bare network", ours, theirs, limit=TRANSLATION)


def lines(rounds: int) -> list[Line]:
    """Return all comparisons."""
    torch.set_num_threads(1)
    found = [sampled(name, rounds) for name in SAMPLERS]
    return [*found, *(translated(name, side, 4 * rounds) for name, side in TRANSLATORS)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    before = surroundings()
    print(table(lines(given.rounds)), before, sep="\n\n")


if __name__ == "__main__":
    main()
