"""What one move of a slider costs under each method of suppression, on the same candidates. No network is run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median

import numpy as np

from benchmarks.suppression import candidates, seconds
from models.detection.soft_nms import Overlaps, fuse, gaussian, linear, soft
from models.detection.suppression import SuppressionGraph

CLASSES = 10
POSITIONS = [round(0.3 + 0.05 * step, 2) for step in range(13)]


def ticks(count: int, group: np.ndarray | None) -> tuple[dict[str, float], dict[str, Callable[[float], object]]]:
    """Return what is made once for a picture, in seconds, and a move of the slider that each method listens to."""
    boxes, score = candidates(count)
    alive = np.ones(count, np.bool_)
    overlaps, graph = Overlaps.build(boxes, score, group), SuppressionGraph.build(boxes, score, group)
    distance = SuppressionGraph.build(boxes, score, group, distance=True)
    once = {
        "overlaps": seconds(lambda: Overlaps.build(boxes, score, group)),
        "graph, in idle time": seconds(lambda: SuppressionGraph.build(boxes, score, group)),
        "DIoU graph, in idle time": seconds(lambda: SuppressionGraph.build(boxes, score, group, distance=True)),
    }
    return once, {
        "greedy": graph.tick,
        "DIoU": distance.tick,
        "Soft-NMS, Gaussian": lambda at: soft(overlaps, score, gaussian(at)),
        "Soft-NMS, linear": lambda at: soft(overlaps, score, linear(at)),
        "box fusion": lambda at: fuse(boxes, score, group, at, alive),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--candidates", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    label = np.random.default_rng(1).integers(0, CLASSES, given.candidates)
    print("| ms | grouping | median | slowest |\n| --- | --- | ---: | ---: |")
    for grouping, group in (("class-agnostic", None), (f"{CLASSES} classes", label)):
        once, moves = ticks(given.candidates, group)
        for name, move in moves.items():
            times = [seconds(lambda at=at, move=move: move(at)) for _ in range(given.rounds) for at in POSITIONS]
            print(f"| {name} | {grouping} | {1e3 * median(times):.2f} | {1e3 * max(times):.2f} |")
        for name, time in once.items():
            print(f"| once: {name} | {grouping} | {1e3 * time:.1f} | |")


if __name__ == "__main__":
    main()
