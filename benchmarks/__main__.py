"""All benchmarks in one run, printed as one Markdown table: `python -m benchmarks`. Each is its own module as well."""

from __future__ import annotations

import argparse
import os
import sys
from statistics import median

from benchmarks import (
    activations,
    anchors,
    cancel,
    dataset,
    latent,
    manifold,
    opening,
    opening_exported,
    startup,
    ticks,
)
from benchmarks.paired import Line, surroundings, table

CANDIDATES = 10_000


def suppression_lines(rounds: int) -> list[Line]:
    """Compare a tick of the suppression graph with torchvision's NMS on the same boxes, in turn, with equal results."""
    import numpy as np
    import torch
    from torchvision.ops import nms

    from benchmarks.suppression import POSITIONS, candidates, seconds
    from models.detection.suppression import SuppressionGraph

    torch.set_num_threads(1)
    boxes, score = candidates(CANDIDATES)
    tensors = torch.from_numpy(boxes), torch.from_numpy(score)
    graph = SuppressionGraph.build(boxes, score)
    ticks_s, peers_s, ratios = [], [], []
    for iou in POSITIONS:
        np.testing.assert_array_equal(graph.tick(iou).kept, nms(*tensors, iou).numpy())
        pairs = [(seconds(lambda i=iou: graph.tick(i)), seconds(lambda i=iou: nms(*tensors, i))) for _ in range(rounds)]
        tick, peer = (median(column) for column in zip(*pairs, strict=True))
        ticks_s.append(tick)
        peers_s.append(peer)
        ratios.append(peer / tick)
    title = f"NMS tick, {CANDIDATES:,} class-agnostic candidates, IoU {POSITIONS[0]} to {POSITIONS[-1]}"
    slow = ratios.index(min(ratios))
    middle, least = median(ratios), ratios[slow]
    typical = Line(
        f"{title}; `torchvision.ops.nms`",
        median(ticks_s),
        median(peers_s),
        f"{middle:.0f}x faster",
        "≥ 20x",
        middle >= 20,
    )
    text = f"The same at the least favourable position, IoU {POSITIONS[slow]}"
    return [typical, Line(text, ticks_s[slow], peers_s[slow], f"{least:.1f}x faster", "≥ 5x", least >= 5)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--xcb", action="store_true", help="on $DISPLAY, or on an Xvfb started for it")
    given = options.parse_args()
    before = surroundings()
    lines = startup.measure(given.rounds, xcb=given.xcb)
    with startup.platform(xcb=given.xcb) as places:
        os.environ.update(places)
        lines += ticks.window_lines(given.rounds)
        lines += anchors.lines(given.rounds)
        lines += activations.lines(given.rounds)
        lines += latent.lines(given.rounds)
    lines += ticks.engine_lines(given.rounds)
    lines += manifold.lines(given.rounds)
    lines += opening.lines(given.rounds)
    lines += opening_exported.lines(given.rounds)
    lines += cancel.lines(1)
    lines += suppression_lines(given.rounds)
    lines += dataset.tick_lines(given.rounds)[:2]
    print(f"{before}; medians of {given.rounds} interleaved rounds\n\n{table(lines)}")
    missed = [line.what for line in lines if line.reached is False]
    print(f"{len(missed)} of {sum(line.reached is not None for line in lines)} goals missed", file=sys.stderr)


if __name__ == "__main__":
    main()
