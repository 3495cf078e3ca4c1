"""How long until the window, the picture and the first boxes are painted, from the start of the process, and how much
memory the window's process then has, against bare scripts. Every run is a fresh process; ours and the peers' alternate.

Ours is `main.py` itself, run by a few lines that only watch: they note when a paint has been carried out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.paired import ROOT, SAMPLES, Line, at_most, surroundings, table

PICTURE = SAMPLES / "board.png"
LIMIT_S = 120

# `run_path` makes main.py the main module, so that the engine is spawned just as it is without us.
WATCHED = """
import builtins, json, os, runpy, sys, time

real = builtins.__import__

def importing(name, *given, **named):
    # `viewer.app` is watched as soon as it is imported: nothing is imported before main.py does it.
    module = real(name, *given, **named)
    app = sys.modules.get("viewer.app")
    if app is not None and hasattr(app, "build"):
        builtins.__import__ = real
        built = app.build
        app.build = lambda *given, **named: watched(built(*given, **named))
    return module

builtins.__import__ = importing

def watched(window):
    from PySide6.QtCore import QEvent, QObject, QTimer
    from PySide6.QtWidgets import QGraphicsView

    class Watch(QObject):
        def __init__(self):
            super().__init__(window)
            self.known, self.painted = {"window"}, {}
            window.installEventFilter(self)
            self.viewport = window.canvas.findChild(QGraphicsView).viewport()
            self.viewport.installEventFilter(self)
            window.session.on.picture.append(lambda *_: self.known.add("picture"))
            window.session.on.result.append(lambda slot, *_: self.known.add("boxes") if slot == "detect" else None)

        def eventFilter(self, watched, event):
            if event.type() == QEvent.Type.Paint:
                names = {"window"} if watched is window else self.known - {"window"}
                # A timer of 0 fires when the whole window has been painted and flushed.
                QTimer.singleShot(0, lambda: self.note(names))
            return False

        def note(self, names):
            for name in names - set(self.painted):
                self.painted[name] = time.time()
            if "boxes" in self.painted:
                count = sum(len(layer) for layer in window.canvas.layers if layer.id == "detections")
                from models.runtime.memory_limits import resident_bytes

                used = {"count": count, "bytes": resident_bytes(os.getpid())}
                print(json.dumps(self.painted | used), flush=True)
                window.close()

    Watch()
    return window

runpy.run_path("main.py", run_name="__main__")
"""

BARE_WINDOW = """
import json, os, sys, time
import numpy as np
import pyqtgraph as pg
from PIL import Image
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow

application = QApplication(sys.argv[:1])
window = QMainWindow()
window.resize(1280, 800)
view = pg.GraphicsView()
box = pg.ViewBox(lockAspect=True, invertY=True)
box.addItem(pg.ImageItem(np.asarray(Image.open(sys.argv[1]).convert("RGB")), axisOrder="row-major"))
view.setCentralItem(box)
window.setCentralWidget(view)

class Watch(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            QTimer.singleShot(0, self.note)
        return False

    def note(self):
        painted, used = time.time(), 0
        if os.path.exists("/proc/self/statm"):
            used = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        print(json.dumps({"window": painted, "bytes": used}), flush=True)
        view.viewport().removeEventFilter(self)
        window.close()

watch = Watch()
view.viewport().installEventFilter(watch)
window.show()
application.exec()
"""

BARE_MODEL = """
import json, os, sys, time
import torch
import torchvision
import numpy as np
from PIL import Image
from safetensors.torch import load_file
from models.bundled import digits

torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
card = json.load(open(f"assets/models/{sys.argv[2]}.json"))
model = getattr(digits, card["architecture"])()
model.load_state_dict(load_file("assets/models/" + card["weights"]))
model.eval()
pixels = np.array(Image.open(sys.argv[1]).convert("RGB"))
with torch.inference_mode():
    found = model([torch.from_numpy(pixels).permute(2, 0, 1).float() / 255])[0]
print(json.dumps({"boxes": time.time(), "count": len(found["boxes"])}), flush=True)
"""


def measure(
    rounds: int, *, picture: Path = PICTURE, model: str = "digits-faster-rcnn", xcb: bool = False
) -> list[Line]:
    """Run each program `rounds` times in turn, after one run that only warms the disk's cache, and compare."""
    ours = ["-c", WATCHED, str(picture.absolute()), "--model", model]
    window = ["-c", BARE_WINDOW, str(picture.absolute())]
    network = ["-c", BARE_MODEL, str(picture.absolute()), model]
    runs: list[tuple[dict[str, float], dict[str, float], dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as home, platform(xcb=xcb) as places:
        surrounding = {**places, "VITRINE_HOME": home}
        for _ in range(rounds + 1):
            runs.append((run(ours, surrounding), run(window, surrounding), run(network, surrounding)))
            tell(*runs[-1])
    del runs[0]
    a, b, c = zip(*runs, strict=True)
    shown, bare = [r["window"] for r in a], [r["window"] for r in b]
    painted, boxes, answered = [r["picture"] for r in a], [r["boxes"] for r in a], [r["boxes"] for r in c]
    held = [r["bytes"] for r in a], [r["bytes"] for r in b]
    what = "Resident memory of the window's process, boxes shown; of the bare window's"
    return [
        at_most("Start to window painted; bare PySide6 + pyqtgraph window", shown, bare, limit=1.5),
        at_most("Start to picture painted; the same bare window", painted, bare),
        at_most(f"Start to first boxes painted, {model}; bare torch script", boxes, answered, limit=1.1),
        *([at_most(what, *held, limit=1.3, unit="B")] if all(held[0] + held[1]) else []),
    ]


def run(arguments: list[str], surrounding: Mapping[str, str]) -> dict[str, float]:
    """Run a script in a fresh process and return the seconds from its start to each moment that it printed."""
    start = time.time()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=dict(surrounding),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode or not done.stdout:
        raise RuntimeError(f"A run ended with {done.returncode}: {done.stderr or 'it printed nothing'}")
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: value if name in ("count", "bytes") else value - start for name, value in found.items()}


def tell(ours: Mapping[str, float], window: Mapping[str, float], network: Mapping[str, float]) -> None:
    """Say on standard error how one round went."""
    texts = [", ".join(f"{name} {value:.3g}" for name, value in part.items()) for part in (ours, window, network)]
    print("  Vitrine {} | bare window {} | bare model {}".format(*texts), file=sys.stderr, flush=True)


@contextmanager
def platform(*, xcb: bool) -> Iterator[dict[str, str]]:
    """Lend the variables for a run: Qt off screen, or with `xcb` on $DISPLAY or an Xvfb started for it.

    Compiled modules may be kept, as they are for everybody who does not forbid it.
    """
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    if not xcb:
        yield variables | {"QT_QPA_PLATFORM": "offscreen"}
        return
    variables["QT_QPA_PLATFORM"] = "xcb"
    if "DISPLAY" in variables:
        yield variables
        return
    found = shutil.which("Xvfb")
    if found is None:
        raise SystemExit("There is no $DISPLAY and no Xvfb.")
    reading, writing = os.pipe()
    command = [found, "-displayfd", str(writing), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as answer:
            variables["DISPLAY"] = ":" + answer.readline().strip()
        try:
            yield variables
        finally:
            server.terminate()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--picture", type=Path, default=PICTURE)
    options.add_argument("--model", default="digits-faster-rcnn")
    options.add_argument("--xcb", action="store_true", help="on $DISPLAY, or on an Xvfb started for it")
    given = options.parse_args()
    lines = measure(given.rounds, picture=given.picture, model=given.model, xcb=given.xcb)
    print(f"{surroundings()}, medians of {given.rounds} runs each, in turn\n\n{table(lines)}")


if __name__ == "__main__":
    main()
