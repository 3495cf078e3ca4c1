"""What the benchmarks share: lines of one table from paired measurements, and the machine they were taken on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "assets" / "samples"


@dataclass(frozen=True)
class Line:
    """One line of the table. Times are in seconds, or sizes in bytes where `unit` is "B"; `goal` in words is reached or
    not, or None where nothing is due."""

    what: str
    ours: float
    peer: float | None = None
    ratio: str = ""
    goal: str = ""
    reached: bool | None = None
    unit: str = "s"


def at_most(
    what: str, ours: Sequence[float], peer: Sequence[float], *, limit: float | None = None, unit: str = "s"
) -> Line:
    """Compare pairs of times or sizes: how many times the peer's ours is, by the medians and by the pairs' median."""
    ratio, pairs = median(ours) / median(peer), median(a / b for a, b in zip(ours, peer, strict=True))
    goal, reached = ("", None) if limit is None else (f"≤ {limit:g}x", ratio <= limit)
    return Line(what, median(ours), median(peer), f"{ratio:.2f}x (pairs {pairs:.2f}x)", goal, reached, unit)


def at_least(what: str, ours: Sequence[float], peer: Sequence[float], *, limit: float) -> Line:
    """Compare pairs of times: how many times faster than the peer we are."""
    ratio, pairs = median(peer) / median(ours), median(b / a for a, b in zip(ours, peer, strict=True))
    text = f"{ratio:.3g}x faster (pairs {pairs:.3g}x)"
    return Line(what, median(ours), median(peer), text, f"≥ {limit:g}x", ratio >= limit)


def table(lines: Sequence[Line]) -> str:
    """Return the lines as one Markdown table."""
    rows = ["| what | Vitrine | peer | ratio | goal |", "| --- | ---: | ---: | ---: | --- |"]
    for line in lines:
        text = duration if line.unit == "s" else size
        peer = "" if line.peer is None else text(line.peer)
        verdict = {None: "", True: ", reached", False: ", **missed**"}[line.reached]
        rows.append(f"| {line.what} | {text(line.ours)} | {peer} | {line.ratio} | {line.goal}{verdict} |")
    return "\n".join(rows)


def duration(seconds: float) -> str:
    """Return a time with three digits, in s, ms or µs."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 1000 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 1e-6:.0f} µs"


def size(count: float) -> str:
    """Return a number of bytes in MB."""
    return f"{count / 1e6:.0f} MB"


def surroundings() -> str:
    """Return one line on the machine, for a table that is quoted elsewhere; the load tells whether it was quiet."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{load}, Python {platform.python_version()}"
