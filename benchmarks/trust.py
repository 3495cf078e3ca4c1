"""The hostile corpus opened once: how many of which kind were refused, the worst memory, the longest time. No test.

python benchmarks/trust.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "trust")]

import test_trust  # noqa: E402

WORST = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        reports, changed, canaries = test_trust.opened(Path(folder))
        took = time.perf_counter() - start
    print(f"{len(reports)} files in {took:.0f} s, making them included")
    for (kind, outcome), count in sorted(Counter((r.file.kind, r.outcome) for r in reports).items()):
        print(f"  {kind:10} {outcome:10} {count:4}")
    print(f"executed {len(canaries)}, written or changed {len(changed)}")
    for title, worst in (("memory", lambda r: r.grown), ("time", lambda r: r.seconds)):
        print(f"worst in {title}")
        for report in sorted(reports, key=worst, reverse=True)[:WORST]:
            name = report.file.path.name.encode("ascii", "backslashreplace").decode()
            print(f"  {name[:40]:40} {report.grown / 2**20:6.0f} MB {report.seconds:6.2f} s")


if __name__ == "__main__":
    main()
