"""The folder of all part files stays within a size: what was used longest ago goes, what is in use stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

from models.datasets import kept_parts


def job(root: Path, name: str, *, ago_s: float, size: int = 1000) -> Path:
    """Make the folder of a job with two files of that size, used so long ago."""
    place = root / name
    place.mkdir(parents=True)
    for part in ("a.json", "a.vector.0.npy"):
        (place / part).write_bytes(bytes(size // 2))
    used = time.time() - ago_s
    os.utime(place, (used, used))
    return place


def test_what_was_used_longest_ago_goes_until_the_rest_fits(tmp_path: Path) -> None:
    places = {name: job(tmp_path, name, ago_s=ago) for name, ago in (("old", 9e5), ("older", 1e6), ("recent", 7200))}
    now = job(tmp_path, "now", ago_s=2e6)
    (tmp_path / "stray.txt").write_text("not ours")
    assert kept_parts.prune(tmp_path, now, most=4000) == 0 and all(place.exists() for place in places.values())
    assert kept_parts.prune(tmp_path, now, most=2500) == 2000
    assert not places["older"].exists() and not places["old"].exists() and places["recent"].exists()
    assert now.exists() and (tmp_path / "stray.txt").exists()


def test_jobs_of_other_windows_and_those_used_again_stay(tmp_path: Path) -> None:
    running, again = job(tmp_path, "running", ago_s=60), job(tmp_path, "again", ago_s=1e6)
    kept_parts.use(again)
    gone = job(tmp_path, "gone", ago_s=8e5)
    assert kept_parts.prune(tmp_path, tmp_path / "mine", most=0) == 1000
    assert running.exists() and again.exists() and not gone.exists()
    kept_parts.use(tmp_path / "missing")
    assert kept_parts.prune(tmp_path / "missing", tmp_path, most=0) == 0
