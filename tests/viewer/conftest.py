"""A window over a real engine in this process, and a lane that answers only when it is told to. No timing here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QMimeData, QPoint, QPointF, QRectF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from models.cards.card import BUNDLED
from models.engine.engine import Engine
from models.pictures import reading
from models.requests import Request
from models.runtime.context import Context
from models.types import Failure, Result, Source
from viewer.app import Mailbox, build
from viewer.panels.anchors import AnchorPanel
from viewer.panels.detection import DetectionPanel
from viewer.panels.film_strip import FilmPanel
from viewer.panels.log import LogPanel
from viewer.panels.results import ResultsPanel
from viewer.session.document import Document
from viewer.session.job_queue import InlineLane, Lane, Post
from viewer.session.session import Session
from viewer.window.main_window import Window

SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
WRONG = "Something went wrong in the window"


class LateLane:
    """An engine that takes its time: each request waits until `answer` is called."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.waiting: list[tuple[int, Request]] = []
        self.cancelled: list[int] = []
        self.post: Post = lambda message: None

    def start(self, post: Post) -> None:
        self.post = post
        post(("ready", {}))

    def reaches(self, path: str) -> bool:
        return True

    def submit(self, number: int, request: Request) -> None:
        self.waiting.append((number, request))

    def cancel(self, number: int) -> None:
        """Answer as an engine does that heeds the flag."""
        self.cancelled.append(number)
        self.waiting = [w for w in self.waiting if w[0] != number]
        self.post(("done", number, Failure("Cancelled.", cancelled=True)))

    def read(self, task: str, source: Source, option: int = 0, *, wanted: Any, progress: Any = None) -> Any:
        return reading.read(task, source, option, progress=progress)

    def restart(self) -> None:
        self.waiting.clear()
        self.post(("ready", {}))

    def stop(self) -> None: ...

    def answer(self, inspection: str = "", answer: Result | Failure | None = None) -> None:
        """Answer what waits: every request, or those of one inspection; with a given answer or the engine's own."""
        now = [w for w in self.waiting if inspection in ("", w[1].inspection)]
        self.waiting = [w for w in self.waiting if w not in now]
        for number, request in now:
            self.post(("done", number, answer or self.engine.run(request, Context())))


class Desk:
    """A shown window, and what a user and a test do with it."""

    def __init__(self, window: Window, qtbot: QtBot, engine: Engine) -> None:
        self.window, self.qtbot, self.engine = window, qtbot, engine
        self.session, self.store, self.canvas = window.session, window.session.store, window.canvas

    @property
    def document(self) -> Document:
        return self.store.document

    @property
    def result(self) -> Result:
        return self.session.results["detect"][1]

    @property
    def messages(self) -> list[str]:
        return [m.text for m in self.window.toasts.messages]

    def panel(self, kind: type[Any]) -> Any:
        return self.window.panels[kind.id]

    @property
    def detection(self) -> DetectionPanel:
        return self.panel(DetectionPanel)

    @property
    def anchors(self) -> AnchorPanel:
        return self.panel(AnchorPanel)

    @property
    def film(self) -> FilmPanel:
        return self.panel(FilmPanel)

    @property
    def results(self) -> ResultsPanel:
        return self.panel(ResultsPanel)

    @property
    def log(self) -> LogPanel:
        return self.panel(LogPanel)

    def settle(self) -> None:
        """Wait until everything that is wanted is answered."""
        session = self.session

        def idle() -> bool:
            return not (session.jobs.busy or session.reading or session.stale) and session.description is not None

        self.qtbot.waitUntil(idle, timeout=60_000)

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=60_000)

    def play_until(self, condition: Callable[[], object]) -> None:
        """Play on, as the window's clock has the engine do but faster, until a condition holds."""

        def look() -> bool:
            self.session.tick()
            return bool(condition())

        self.until(look)

    def open(self, *paths: Path | str) -> None:
        self.session.open_paths(paths)
        self.settle()

    def run(self, command: str) -> None:
        """Run a command of the table, as its menu entry does."""
        self.window.commands.actions(self.window)[command].trigger()

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key where the focus is."""
        target = QApplication.focusWidget()
        assert target is not None
        self.qtbot.keyClick(target, key, modifier)

    def place(self, x: float, y: float) -> QPoint:
        return self.canvas.to_screen(QPointF(x, y)).toPoint()

    def hover(self, x: float, y: float) -> None:
        self.qtbot.mouseMove(self.canvas, QPoint(1, 1))
        self.qtbot.mouseMove(self.canvas, self.place(x, y))

    def click(self, x: float, y: float) -> None:
        self.hover(x, y)
        self.qtbot.mouseClick(self.canvas, Qt.MouseButton.LeftButton, pos=self.place(x, y))

    def layer(self, name: str) -> Any:
        """The layer on the canvas with an id, or None."""
        return next((layer for layer in self.canvas.layers if layer.id == name), None)

    def set(self, name: str, value: Any) -> None:
        """Move a control of the detection form, as its user does."""
        assert self.detection.form is not None
        self.detection.form.reveal(name)
        row: Any = self.detection.form.rows[name]
        if isinstance(value, bool):
            if row.box.isChecked() != value:
                self.qtbot.mouseClick(row.box, Qt.MouseButton.LeftButton, pos=QPoint(8, row.box.height() // 2))
        else:
            row.entry.setFocus()
            row.entry.selectAll()
            self.qtbot.keyClicks(row.entry, str(value))
            self.qtbot.keyClick(row.entry, Qt.Key.Key_Return)
        self.settle()

    def direct(self, inspection: str = "detect", model: str = "", **params: Any) -> Result:
        """The engine's own answer on the current picture."""
        request = Request.make(inspection, model or self.document.model, self.document.source, params)
        answer = self.engine.run(request)
        assert isinstance(answer, Result), answer
        return answer

    def drop(self, data: QMimeData) -> str:
        """Drop data on the window and return what the window said it would do, "" if it refused."""
        place, none = QPoint(300, 300), (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
        enter = QDragEnterEvent(place, Qt.DropAction.CopyAction, data, *none)
        QApplication.sendEvent(self.window, enter)
        if not enter.isAccepted():
            return ""
        said = self.window.drops.label.text()
        event = QDropEvent(QPointF(place), Qt.DropAction.CopyAction, data, *none)
        QApplication.sendEvent(self.window, event)
        assert event.isAccepted()
        return said

    def drop_files(self, *paths: Path) -> str:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        return self.drop(data)

    def shows(self, wanted: Result) -> bool:
        """Whether exactly these boxes are on the canvas, dashed ones included."""
        layers = {name: self.layer(name) for name in ("detections", "removed")}
        shown, removed = (0 if x is None else x.boxes for x in layers.values())
        gone = wanted.arrays["removed_boxes"]
        return np.array_equal(shown, wanted.arrays["boxes"]) and np.array_equal(removed, gone if len(gone) else 0)

    def box(self, row: int) -> QRectF:
        """A shown detection's box."""
        x0, y0, x1, y1 = (float(v) for v in self.result.arrays["boxes"][row])
        return QRectF(QPointF(x0, y0), QPointF(x1, y1))


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture
def late(engine: Engine) -> LateLane:
    return LateLane(engine)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three pictures in a folder of their own, the second broken."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, sample in zip("ac", SAMPLES, strict=False):
        shutil.copy(sample, folder / f"{name}.png")
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:900])
    return sorted(folder.iterdir())


@pytest.fixture
def desk(
    qtbot: QtBot, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Desk]]:
    """Make windows: `desk(*pictures, model=..., lane=...)`. None may outlive the test, nor say that it went wrong."""
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
    before, hook = set(QApplication.topLevelWidgets()), sys.excepthook
    made: list[Desk] = []

    def make(*paths: Path, model: str = SSD, lane: Lane | None = None, settle: bool = True) -> Desk:
        document = Document(sources=tuple(Source.file(p) for p in paths), model=model)
        session, mail = Session(lane or InlineLane(engine), document), Mailbox()
        session.begin(mail.post, [])
        hook_now = sys.excepthook
        window = build(QApplication.instance(), session, mail, theme_name="dark")
        sys.excepthook = hook_now
        if not window.settings.geometry:
            window.resize(1280, 800)  # wider than the screen that there is not
        window.show()
        qtbot.waitExposed(window)
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        made.append(Desk(window, qtbot, engine))
        if settle:
            made[-1].settle()
        return made[-1]

    yield make
    sys.excepthook = hook
    # Data of ours that outlives the interpreter in the clipboard crashes it on the way out.
    QGuiApplication.clipboard().clear()
    for each in made:
        each.window.close()
        each.window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # type: ignore[arg-type]
    QCoreApplication.processEvents()
    left: Sequence[QWidget] = [w for w in QApplication.topLevelWidgets() if w not in before]
    assert not left, f"these outlived the window: {left}"
    for each in made:
        assert not [text for text in each.messages if text.startswith(WRONG)]
