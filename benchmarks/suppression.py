"""How much faster one tick of the suppression graph is than torchvision's NMS on the same boxes, with equal results."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torchvision.ops import nms

from models.detection.suppression import SuppressionGraph
from models.types import Float

POSITIONS = [round(0.3 + 0.05 * step, 2) for step in range(13)]


def candidates(count: int, *, objects: int = 40, width: int = 1333, height: int = 800) -> tuple[Float, Float]:
    """Return boxes (N, 4) xyxy in pixels and score (N,): half crowd around the objects, half are scattered background.

    Sizes are log-uniform; near an object the score falls with the distance from its centre.
    """
    rng = np.random.default_rng(0)
    picture = np.array([width, height])
    crowd = count // 2
    size = np.exp(rng.uniform(np.log(24), np.log(320), (objects, 1))) * np.exp(rng.normal(0, 0.3, (objects, 2)))
    centre = rng.uniform(0, 1, (objects, 2)) * picture
    owner = rng.integers(0, objects, crowd)
    shift = rng.normal(0, 0.15, (crowd, 2))
    near_centre = centre[owner] + shift * size[owner]
    near_size = size[owner] * np.exp(rng.normal(0, 0.15, (crowd, 2)))
    near_score = 0.95 * np.exp(-6 * (shift**2).sum(axis=1)) - rng.uniform(0, 0.2, crowd)
    far_centre = rng.uniform(0, 1, (count - crowd, 2)) * picture
    far_size = np.exp(rng.uniform(np.log(8), np.log(400), (count - crowd, 1)) + rng.normal(0, 0.3, (count - crowd, 2)))
    middle, whole = np.concatenate([near_centre, far_centre]), np.concatenate([near_size, far_size])
    boxes = np.concatenate([middle - whole / 2, middle + whole / 2], axis=1).clip(0, np.tile(picture, 2))
    score = np.concatenate([near_score, rng.beta(1, 8, count - crowd)]).clip(0.001, 0.999)
    mixed = rng.permutation(count)
    return boxes[mixed].astype(np.float32), score[mixed].astype(np.float32)


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--candidates", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    torch.set_num_threads(1)
    boxes, score = candidates(given.candidates)
    tensors = torch.from_numpy(boxes), torch.from_numpy(score)
    graph = SuppressionGraph.build(boxes, score)
    build = median(seconds(lambda: SuppressionGraph.build(boxes, score)) for _ in range(given.rounds))
    print(f"{len(score)} class-agnostic candidates, {graph.edges} edges above IoU {graph.floor}, ", end="")
    print(f"graph built in {1e3 * build:.0f} ms, one thread, median of {given.rounds} interleaved rounds\n")
    print("| IoU | kept | torchvision (ms) | tick (ms) | ratio | with provenance (ms) | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    ratios = []
    for iou in POSITIONS:
        expected = nms(*tensors, iou).numpy()
        np.testing.assert_array_equal(graph.tick(iou).kept, expected)
        times = []
        for _ in range(given.rounds):
            stock = seconds(lambda iou=iou: nms(*tensors, iou))
            tick = seconds(lambda iou=iou: graph.tick(iou))
            times.append((stock, tick, seconds(lambda iou=iou: graph.tick(iou).removed_by)))
        stock, tick, traced = (median(column) for column in zip(*times, strict=True))
        ratios.append((stock / tick, stock / traced))
        print(f"| {iou:.2f} | {len(expected)} | {1e3 * stock:.1f} | {1e3 * tick:.2f} | {stock / tick:.0f} ", end="")
        print(f"| {1e3 * traced:.2f} | {stock / traced:.0f} |")
    for name, column in zip(("kept", "with provenance"), zip(*ratios, strict=True), strict=True):
        print(f"\n{name}: median {median(column):.1f} times faster, least {min(column):.1f}", end="")
    print()


if __name__ == "__main__":
    main()
