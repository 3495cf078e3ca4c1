"""From the Result's arrival to 2,048 channels on screen, beside pyqtgraph's image of the same channels, in turn.

`python -m benchmarks.activations`: the panel takes the answer and repaints its grid, at once, every channel in view.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

import numpy as np

from benchmarks.paired import Line, surroundings, table
from benchmarks.suppression import seconds
from models.requests import Request
from models.types import Result, Source

CHANNELS, COLUMNS = 2048, 64
SIDES = (7, 14, 28, 56)
LIMIT_S = 0.050
SIZE_PX = (1900, 1000)


def channels(seed: int, side: int) -> Result:
    """Return the answer of a layer with so many channels, as ReLU leaves them."""
    rng = np.random.default_rng(seed)
    maps = np.maximum(rng.normal(size=(CHANNELS, side, side)), 0).astype(np.float32)
    flat = maps.reshape(CHANNELS, -1)
    arrays = {"maps": maps, "tiles": maps, "mean": flat.mean(1), "max": flat.max(1), "min": flat.min(1)}
    arrays |= {"zeros": (flat == 0).mean(1), "relevance": rng.normal(size=CHANNELS).astype(np.float32)}
    arrays |= {"dead": (flat == 0).all(1), "order": np.arange(CHANNELS)}
    meta = {"layer": "layer4", "grid": (side, side), "extent": (0.0, 0.0, 224.0, 224.0), "target": "a"}
    return Result(arrays, {**meta, "dead_count": 0, "counts": True, "scale": float(maps.max())})


def pair(side: int) -> tuple[Callable[[Result], None], Callable[[Result], None]]:
    """Return what shows an answer in our panel, and what does in pyqtgraph, each scaled by its own maximum."""
    import pyqtgraph as pg
    from PySide6.QtWidgets import QApplication

    from viewer import theme
    from viewer.panels.activations import ActivationPanel
    from viewer.session.document import Document
    from viewer.session.history import Store

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    theme.apply(app, "dark")
    source = Source("picture.png")
    panel = ActivationPanel(Store(Document(sources=(source,)).with_inside("activations", True)))
    panel.resize(*SIZE_PX)
    panel.show()
    request = Request("activations", panel.store.document.model, source)
    view, item = pg.GraphicsLayoutWidget(), pg.ImageItem(axisOrder="row-major")
    view.addViewBox().addItem(item)
    view.resize(*SIZE_PX)
    view.show()
    item.setLookupTable(theme.heat_lut("sequential"))
    app.processEvents()

    def ours(answer: Result) -> None:
        panel.show_result("activations", request, answer)
        panel.grid.viewport().repaint()
        assert panel.grid.verticalScrollBar().maximum() == 0, "every channel must be in view"

    def theirs(answer: Result) -> None:
        maps = answer.arrays["maps"] / np.maximum(answer.arrays["max"], 1e-30)[:, None, None]
        lines = CHANNELS // COLUMNS
        mosaic = np.zeros((lines, side + 1, COLUMNS, side + 1), np.float32)
        mosaic[:, :side, :, :side] = maps.reshape(lines, COLUMNS, side, side).transpose(0, 2, 1, 3)
        item.setImage(mosaic.reshape(lines * (side + 1), COLUMNS * (side + 1)), levels=(0, 1))
        view.viewport().repaint()

    return ours, theirs


def lines(rounds: int) -> list[Line]:
    """Measure every size of map."""
    found = []
    for side in SIDES:
        ours, theirs = pair(side)
        answers = [channels(seed, side) for seed in range(3)]
        ours(answers[0])
        theirs(answers[0])
        times = [[seconds(lambda a=a, show=show: show(a)) for show in (ours, theirs)] for a in answers * rounds]
        mine, peer = np.array(times).T
        middle, worst = float(np.median(mine)), float(mine.max())
        ratio = f"{middle / float(np.median(peer)):.2f}x, slowest {1e3 * worst:.0f} ms"
        what = f"{CHANNELS:,} channels of {side} × {side} painted; `pyqtgraph.ImageItem`"
        found.append(Line(what, middle, float(np.median(peer)), ratio, "≤ 50 ms", middle <= LIMIT_S))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    print(f"{surroundings()}\n\n{table(lines(given.rounds))}")


if __name__ == "__main__":
    main()
