"""Make the README's screenshots from the real window, off screen. Run: python -m docs.screenshots --out docs/images."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "assets" / "samples"
LIMIT_S = 60.0


def main() -> None:
    """Bring the program up once and take every picture of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    os.environ["VITRINE_HOME"] = tempfile.mkdtemp()

    from PySide6.QtWidgets import QApplication

    from models.types import Source
    from viewer.app import build
    from viewer.document import Document
    from viewer.jobs import Mailbox, ProcessLane
    from viewer.session import Session

    pictures = tuple(Source.file(p) for p in sorted(SAMPLES.glob("*.png")))
    session, mail = Session(ProcessLane(), Document(sources=pictures)), Mailbox()
    session.begin(mail.post, [])
    application = QApplication([])
    window = build(application, session, mail, theme_name="dark")
    window.show()
    store = session.store

    def settle() -> None:
        wait(application, lambda: not session.jobs.busy and not session.stale and "detect" in session.results)

    def take(name: str) -> None:
        settle()
        application.processEvents()
        window.toasts.clear()
        window.grab().save(str(out / f"{name}.png"))

    take("dark")
    window.verbs.set_theme("light")
    take("light")
    store.update(store.document.with_value("detect", suppressed=True, iou=0.3, score=0.1))
    take("suppressed")
    window.verbs.set_theme("dark")
    store.update(store.document.with_own("detect").with_view(anchors="here", anchor_at=(300.0, 240.0), boxes=False))
    take("anchors")
    found = session.results["detect"][1].arrays
    sides = found["boxes"][:, 2:] - found["boxes"][:, :2]
    largest = int(found["ids"][sides.prod(1).argmax()])
    store.update(store.document.with_view(anchors="lineage", boxes=True, anchor_at=None).with_selected(largest))
    window.commands.run("panel-results")
    take("lineage")
    window.close()


def wait(application: Any, done: Callable[[], bool]) -> None:
    """Let the program run until `done`. Raises TimeoutError."""
    end = time.monotonic() + LIMIT_S
    quiet = 0
    while quiet < 5:
        application.processEvents()
        time.sleep(0.02)
        quiet = quiet + 1 if done() else 0
        if time.monotonic() > end:
            raise TimeoutError("the window did not settle")


if __name__ == "__main__":
    main()
