"""Starting: while Qt is being imported no thread imports anything, for then Shiboken aborts. Many starts, none lost.

VITRINE_STARTS says how many; `.ci/run` starts 30 times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
STARTS = int(os.environ.get("VITRINE_STARTS", "3"))
FORMATS = ("png", "jpg", "tif", "webp", "gif", "bmp", "ppm", "ico", "jp2", "tga", "pcx")

# The window as main.py opens it, over an engine that never answers; what threads import is written down.
START = """
import importlib.abc, json, sys, threading
from argparse import Namespace
from pathlib import Path

found = []

class Spy(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            found.append((name, "PySide6.QtCore" in sys.modules))

class Silent:
    def start(self, post): pass
    def submit(self, number, request): pass
    def reaches(self, path): return True
    def read(self, task, source, option=0, *, wanted, progress=None):
        from models.pictures import reading
        return reading.read(task, source, option, progress=progress)
    def live(self, number, command, *given): pass
    def cancel(self, number): pass
    def tick(self): pass
    def finish(self): pass
    def stop(self): pass

sys.meta_path.insert(0, Spy())
sys.setswitchinterval(1e-5)
from viewer.session.job_queue import Mailbox
from viewer.app import open_window
options = Namespace(pictures=sys.argv[1:], model=None, sample=False, theme=None, screenshot=None, truth=None, beside="",
                    restored=None, show=[])

def quit():
    from PySide6.QtWidgets import QApplication
    from PySide6.QtCore import QTimer
    window = next(w for w in QApplication.topLevelWidgets() if hasattr(w, "session"))
    watch = QTimer(window)
    watch.timeout.connect(lambda: window.session.reading or QApplication.closeAllWindows())
    watch.start(5)

mail = Mailbox()
mail.post(("call", quit))
code = open_window(options, say=print, lane=Silent(), mail=mail)
print(json.dumps(found))
sys.exit(code)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one picture of each format."""
    made = tmp_path_factory.mktemp("formats")
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    for suffix in FORMATS:
        one = made / suffix
        one.mkdir()
        Image.fromarray(pixels).save(one / f"picture.{suffix}")
    return made


def start(folder: Path, home: Path) -> list[tuple[str, bool]]:
    """Start with a folder, which a thread reads; return what threads imported, and whether Qt's core was there."""
    environment = {**os.environ, "VITRINE_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", START, str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("suffix", FORMATS)
def test_no_thread_imports_anything_before_qt_is_there(folder: Path, tmp_path: Path, suffix: str) -> None:
    """This is the rule that keeps Shiboken from aborting, whatever the threads' luck."""
    imported = start(folder / suffix, tmp_path)
    assert not [name for name, there in imported if not there]
    if suffix in ("png", "jpg", "gif", "bmp", "ppm"):
        assert not [name for name, _ in imported if name.partition(".")[0] != "viewer"]


@pytest.mark.timeout(60 + 30 * STARTS)
def test_every_start_shows_a_window(folder: Path, tmp_path: Path) -> None:
    for number in range(STARTS):
        start(folder / FORMATS[number % len(FORMATS)], tmp_path)
