"""The Data set panel with 100,000 pictures: its first screen, scrolling, filtering, and memory meanwhile.

The panel is the real one, 1280 x 800, off screen; the pictures are links to a few hundred JPEG files of 256 x 192
pixels, so that reading one is like reading any. A frame is a step of the scroll bar and the view painted, with the
thumbnails that have arrived: those in view are brought after each step, which is not counted, because another process
reads them. With `--cpu` times are the processor's, where others use the machine too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

COUNT, FILES, CLASSES = 100_000, 300, 10
WIDTH, HEIGHT = 1280, 800
FRAMES, ROUNDS = 160, 7
FIRST_S, FRAME_S, GROWTH_MB = 0.3, 0.033, 20.0
clock: Callable[[], float] = time.perf_counter


def folder_of(place: Path, count: int) -> Path:
    """Make class folders of links to a few hundred pictures."""
    from PIL import Image

    rng = np.random.default_rng(0)
    own = place / "own"
    own.mkdir()
    for number in range(FILES):
        small = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(small).resize((256, 192), Image.Resampling.BICUBIC).save(own / f"{number}.jpg", quality=90)
    for name in range(CLASSES):
        (place / "set" / f"class {name}").mkdir(parents=True)
    for number in range(count):
        os.link(own / f"{number % FILES}.jpg", place / "set" / f"class {number % CLASSES}" / f"{number:06}.jpg")
    return place / "set"


def resident_mb() -> float:
    """Return the resident memory of this process."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Shown:
    """The panel with a listing, and its thumbnails read where they are asked for."""

    def __init__(self, folder: Path) -> None:
        from models.engine.engine import Engine
        from models.requests import Request
        from models.types import Result, Source
        from viewer.panels.data_set import LIST, DataSetPanel
        from viewer.session.document import Document
        from viewer.session.history import Store

        self._slot, self.read = LIST, 0
        source = Source.file(folder)
        self.request = Request.make("pictures", "photos-resnet", source)
        begin = clock()
        answer = Engine(threads=1).run(self.request)
        self.listing_s = clock() - begin
        assert isinstance(answer, Result), answer
        self.listed = answer
        self.panel: Any = DataSetPanel(Store(Document().with_data_set(source)))
        self.panel.thumbnail_wanted.connect(self._bring)
        self.panel.resize(WIDTH, HEIGHT)
        self.panel.show()

    def list(self) -> None:
        """Show the listing and paint it."""
        self.panel.show_result(self._slot, self.request, self.listed)
        self.paint()

    def paint(self) -> None:
        """Paint the grid."""
        self.panel.grid.viewport().repaint()

    def bring(self) -> None:
        """Read the thumbnails in view."""
        self.panel.grid._ask()  # reads all of them, as each that is brought asks for the next

    def _bring(self, source: Any) -> None:
        from PySide6.QtCore import QTimer

        from models.pictures import images
        from viewer import theme

        self.read += 1
        small = images.thumbnail(source, side=theme.THUMBNAIL_PX * 2)
        QTimer.singleShot(0, self.panel, lambda: self.panel.set_thumbnail(source, small))


def measured(folder: Path) -> list[tuple[str, float, str, bool]]:
    """Return a line for each question: its title, the value, the value and its goal in words, whether it is met."""
    from PySide6.QtWidgets import QApplication

    application: Any = QApplication.instance() or QApplication([])
    shown = Shown(folder)
    application.processEvents()
    count, grid = len(shown.listed.meta["paths"]), shown.panel.grid

    def settle() -> None:
        shown.bring()
        before = -1
        while shown.read != before or grid._asked:
            before = shown.read
            application.processEvents()

    first = []
    for _ in range(ROUNDS):
        shown.panel._listed = None  # as if it had not been listed
        begin = clock()
        shown.list()
        first.append(clock() - begin)
    begin, before = clock(), shown.read
    settle()
    filled, in_view = clock() - begin, shown.read - before
    bar, frames, wheel = grid.verticalScrollBar(), [], []
    rng = np.random.default_rng(0)
    memory: list[float] = []
    for number in range(FRAMES):
        far = number % 2 == 0
        begin = clock()
        bar.setValue(int(rng.integers(0, bar.maximum())) if far else bar.value() + 60)
        shown.paint()
        (frames if far else wheel).append(clock() - begin)
        settle()
        shown.paint()
        if number in (FRAMES // 2, FRAMES - 1):
            memory.append(resident_mb())
    typed = []
    for text in ("1", "12", "123", "class 7", ""):
        begin = clock()
        shown.panel.text.setText(text)
        shown.paint()
        typed.append(clock() - begin)
    slow, growth = float(np.percentile(frames + wheel, 95)), memory[1] - memory[0]
    return [
        (f"listing {count:,} files, once", shown.listing_s, f"{shown.listing_s:.2f} s", True),
        ("first screen, median", median(first), f"{median(first) * 1e3:.0f} ms; under 300 ms", median(first) < FIRST_S),
        (f"and its {in_view} thumbnails, read one by one", filled, f"{filled * 1e3:.0f} ms", True),
        ("a frame of the wheel, median", median(wheel), f"{median(wheel) * 1e3:.1f} ms", True),
        ("a frame anywhere else, median", median(frames), f"{median(frames) * 1e3:.1f} ms", True),
        ("the slowest 5 % of the frames", slow, f"{slow * 1e3:.1f} ms; under 33 ms", slow < FRAME_S),
        ("a letter of the filter, slowest", max(typed), f"{max(typed) * 1e3:.0f} ms", True),
        (f"memory, frames {FRAMES // 2} to {FRAMES}", growth, f"{growth:+.1f} MB; under +20 MB", growth < GROWTH_MB),
    ]


def main() -> int:
    """Measure, print a table, and return 1 where a goal is missed."""
    global clock  # noqa: PLW0603
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=COUNT)
    options.add_argument("--cpu", action="store_true", help="time of the processor, where others use the machine too")
    given = options.parse_args()
    if given.cpu:
        clock = time.process_time
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory(prefix="vitrine-thumbnails-") as place:
        os.environ.setdefault("VITRINE_HOME", place)
        found = measured(folder_of(Path(place), given.count))
    for title, _, text, met in found:
        print(f"| {title} | {text} | {'' if met else 'MISSED'} |")
    return 0 if all(met for *_, met in found) else 1


if __name__ == "__main__":
    sys.exit(main())
