"""Walk through every workspace of the window, for every bundled model: find text that is cut off and docks that grow.

Run: python -m docs.window_walk --out DIR. Each language and scale is walked in a process of its own, at three sizes of
the window and in both themes; DIR gets a picture of every stop. Prints what is to be mended, and then exits with 1.

Run: python -m docs.window_walk --chosen. Takes the twelve pictures of docs/workspaces.md, each workspace in both
languages.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = ((1024, 640), (1280, 800), (2560, 1440))
LANGUAGES, SCALES, THEMES = ("en", "ko"), ("1", "2"), ("light", "dark")
TURNS = 400  # of 10 ms at most, until a stop has settled
LAYOUT_TURNS = 3  # after the last answer, in which layouts inside of layouts come to rest
CHOSEN = {
    "find": ("digits-ssd", 0),
    "explain": ("photos-resnet", 1),
    "compare": ("photos-vit", 1),
    "evaluate": ("cells-faster-rcnn", 0),
    "generate": ("digits-vae", 0),
    "model": ("digits-lenet", 0),
}  # the model of each workspace in docs/workspaces.md, and which of its samples
CHOSEN_SIZE = (1280, 800)
SLACK_PX = 1  # by which Qt's hints round up


def main() -> int:
    """Walk in every language and scale that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for a picture of every stop; none are taken without it")
    parser.add_argument("--language", nargs="*", default=LANGUAGES)
    parser.add_argument("--scale", nargs="*", default=SCALES)
    parser.add_argument("--model", nargs="*", default=())
    parser.add_argument("--size", nargs="*", default=["x".join(map(str, size)) for size in SIZES])
    parser.add_argument("--inside", action="store_true", help="walk in this process, and print what was found as JSON")
    parser.add_argument("--chosen", action="store_true", help="take the pictures of docs/workspaces.md instead")
    options = parser.parse_args()
    if options.chosen and options.inside:
        _take_chosen(options.language[0])
        return 0
    if options.chosen:
        for language in LANGUAGES:
            _run(["--chosen", "--inside", "--language", language], "1")
        return 0
    if options.inside:
        sizes = [(int(w), int(h)) for w, h in (size.split("x") for size in options.size)]
        found = list(_walk(options.language[0], options.model, sizes, options.out, options.scale[0]))
        print(json.dumps(found, ensure_ascii=False))
        return 0
    found: list[str] = []
    for language in options.language:
        for scale in options.scale:
            found += walked(language, scale, options.model, options.size, options.out)
    print("\n".join(found) or "Nothing is cut off, and no dock grows.")
    return 1 if found else 0


def walked(language: str, scale: str, models: Any, sizes: Any, out: Path | None = None) -> list[str]:
    """Return what is to be mended in one language and scale, found in a process of its own."""
    given = ["--inside", "--language", language, "--scale", scale, "--size", *sizes]
    given += (["--model", *models] if models else []) + (["--out", str(out)] if out else [])
    return json.loads(_run(given, scale).splitlines()[-1])


def _run(given: list[str], scale: str) -> str:
    """Return what this program prints in a process of its own at a scale."""
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": scale}
    command = [sys.executable, "-m", "docs.window_walk", *given]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


def _take_chosen(language: str) -> None:
    """Take a picture of each workspace in one language, the light and the dark theme in turn."""
    from viewer import theme, translation

    translation.use(language)
    from PIL import Image
    from PySide6.QtWidgets import QApplication

    from models.cards import card

    application = QApplication([])
    window = _window(application, next(iter(CHOSEN.values()))[0])
    window.resize(*CHOSEN_SIZE)
    for at, (workspace, (name, sample)) in enumerate(CHOSEN.items()):
        if window.session.store.document.model != name:
            window.session.open_model(name)
            window.session.open_paths([card.samples(name)])
            _settle(window)
        window.session.go(sample)
        scheme: Any = THEMES[(at + LANGUAGES.index(language)) % len(THEMES)]
        theme.apply(application, scheme)
        window.docks.enter(workspace)
        window.docks.arrange()
        _settle(window)
        path = ROOT / "docs" / "images" / f"workspace-{workspace}-{language}.png"
        window.grab().save(str(path))
        with Image.open(path) as taken:
            few = taken.convert("RGB").quantize(256)
        few.save(path, optimize=True)
    window.close()


def _walk(language: str, models: Any, sizes: list[tuple[int, int]], out: Path | None, scale: str) -> Iterator[str]:
    """Yield a line for everything to be mended, at first sight only."""
    from viewer import theme, translation

    translation.use(language)
    from PySide6.QtWidgets import QApplication

    from models.cards import card
    from viewer.window.workspaces import WORKSPACES

    application = QApplication([])
    names: list[str] = list(models) or sorted(path.stem for path in card.BUNDLED.glob("*.json"))
    window = _window(application, names[0])
    seen: set[str] = set()
    for at, name in enumerate(names):
        if window.session.store.document.model != name:
            window.session.open_model(name)
            window.session.open_paths([card.samples(name)])
            _settle(window)
        scheme: Any = THEMES[at % len(THEMES)]
        theme.apply(application, scheme)
        for size in sizes:
            window.resize(*size)
            for workspace in filter(window.docks.serves, (each.id for each in WORKSPACES)):
                window.docks.enter(workspace)
                window.docks.arrange()
                _settle(window)
                if out is not None:
                    out.mkdir(parents=True, exist_ok=True)
                    title = f"{language}-{scale}x-{name}-{workspace}-{size[0]}x{size[1]}-{scheme}"
                    window.grab().save(str(out / f"{title}.png"))
                place = f"{language}, {scale}x, {name}, {workspace}, {size[0]}x{size[1]}"
                for line in _stops(window, size):
                    if line not in seen:
                        seen.add(line)
                        yield f"{place}: {line}"
    window.close()


def _window(application: Any, model: str) -> Any:
    """Return the window on a model's samples, its engine in this process."""
    from models.cards import card
    from models.engine.engine import Engine
    from models.pictures import images
    from viewer.app import Mailbox, build
    from viewer.session.document import Document
    from viewer.session.job_queue import InlineLane
    from viewer.session.session import Session

    sources = tuple(images.sources([card.samples(model)]))
    session, mail = Session(InlineLane(Engine(threads=1)), Document(sources, model=model)), Mailbox()
    session.begin(mail.post, [])
    window: Any = build(application, session, mail, theme_name="light", geometry=False)
    window.show()
    _settle(window)
    return window


def _settle(window: Any) -> None:
    """Let the window work until everything wanted is answered."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop, session, idle = QEventLoop(), window.session, 0
    for _ in range(TURNS):
        QTimer.singleShot(10, loop.quit)
        loop.exec()
        busy = session.description is None or session.jobs.busy or session.reading or session.stale
        idle = 0 if busy else idle + 1
        if idle == LAYOUT_TURNS:
            break


def _stops(window: Any, size: tuple[int, int]) -> Iterator[str]:
    """Yield what is to be mended in a workspace, in its first layout and then with each of its panels in front."""
    for panel in ("", *window.docks.members()):
        if panel:
            window.resize(*size)
            window.docks.show(panel)
            _settle(window)
        for line in (*_grown(window, size), *cut_off(window)):
            yield f"{line}, with {panel} in front" if panel and "grew" in line else line


def _grown(window: Any, size: tuple[int, int]) -> Iterator[str]:
    """Yield how the window or a dock is larger than it may be."""
    from viewer.window.docks import SIDE_PX

    if window.width() > size[0] or window.height() > size[1]:
        yield f"the window grew to {window.width()}x{window.height()}"
    for name, dock in window.docks.by_id.items():
        at_side = dock.isVisible() and not dock.isFloating() and window.panels.entries[name].area == "right"
        if at_side and not dock.visibleRegion().isEmpty() and dock.width() > SIDE_PX + SLACK_PX:
            yield f"the dock of {name} is {dock.width()} px wide"


def cut_off(window: Any) -> Iterator[str]:
    """Yield every text in view that its widget has no room for, with the widget's kind and the panel."""
    from PySide6.QtWidgets import QAbstractButton, QComboBox, QHeaderView, QLabel, QLineEdit, QScrollArea, QWidget

    for area in window.findChildren(QScrollArea):
        if area.isVisible() and not area.visibleRegion().isEmpty() and (wide := _beyond(area)):
            yield f"{wide} px at the right are cut off ({area.accessibleName()} in {_panel(area)})"
    checks = ((QLabel, _label), (QComboBox, _combo), (QHeaderView, _header), (QLineEdit, _entry))
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or widget.visibleRegion().isEmpty():
            continue
        found = _button(widget) if isinstance(widget, QAbstractButton) else ""
        for kind, check in checks:
            found = found or (check(widget) if isinstance(widget, kind) else "")
        if found:
            yield f"“{found}” is cut off ({type(widget).__name__} in {_panel(widget)})"


def _beyond(area: Any) -> int:
    """Return by how many pixels the content of an area that cannot be scrolled sideways is wider than it."""
    from PySide6.QtCore import Qt

    inside = area.widget()
    never = area.horizontalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOff
    return max(0, inside.width() - area.viewport().width() - SLACK_PX) if inside is not None and never else 0


def _panel(widget: Any) -> str:
    from PySide6.QtWidgets import QDockWidget

    parents = [widget]
    while (parent := parents[-1].parentWidget()) is not None:
        parents.append(parent)
        if isinstance(parent, QDockWidget):
            return parent.objectName().removeprefix("dock-")
    return "/".join(type(parent).__name__ for parent in parents[1:3])


def _label(label: Any) -> str:
    from viewer.widgets.controls.elided_label import ElidedLabel

    text = label.text()
    if not text or not label.pixmap().isNull():
        return ""
    if isinstance(label, ElidedLabel):
        return ""  # shortens its text with "…" and tells the whole of it in its tip
    if label.wordWrap():
        short = label.heightForWidth(label.width()) > label.height() + SLACK_PX
    else:
        short = label.sizeHint().width() > label.width() + SLACK_PX
    return text[:60] * short


def _button(button: Any) -> str:
    from PySide6.QtCore import Qt

    if len(button.text()) < 2:
        return ""  # signs such as "?" are painted by the button itself
    style = getattr(button, "toolButtonStyle", lambda: None)()
    beside = not button.icon().isNull() and style != Qt.ToolButtonStyle.ToolButtonTextUnderIcon
    room = button.width() - (button.iconSize().width() if beside else 0)
    lines = button.text().replace("&", "").split("\n")
    short = max(map(button.fontMetrics().horizontalAdvance, lines)) > room
    return button.text()[:60] * short


def _combo(box: Any) -> str:
    from PySide6.QtWidgets import QStyle, QStyleOptionComboBox

    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    place = box.style().subControlRect(
        QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, box
    )
    room = place.width() - (box.iconSize().width() + 4 if not box.itemIcon(box.currentIndex()).isNull() else 0)
    short = box.fontMetrics().horizontalAdvance(box.currentText()) > room + SLACK_PX
    return box.currentText()[:60] * (short and not box.toolTip())


def _header(header: Any) -> str:
    model = header.model()
    for at in range(header.count()):
        text = "" if header.isSectionHidden(at) else str(model.headerData(at, header.orientation()) or "")
        if header.fontMetrics().horizontalAdvance(text) > header.sectionSize(at):
            return text
    return ""


def _entry(entry: Any) -> str:
    hint = entry.placeholderText()
    short = not entry.text() and entry.fontMetrics().horizontalAdvance(hint) > entry.contentsRect().width()
    return hint * (short and not entry.toolTip())


if __name__ == "__main__":
    raise SystemExit(main())
