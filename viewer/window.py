"""The window: canvas, docks, bars, made from tables. It decides nothing: gestures change the document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QRectF, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMainWindow, QStackedWidget, QWidget

from models import cards
from models.images import Picture
from models.inspection import Description
from models.requests import Request
from models.thumbnail import thumbnail
from models.types import Failure, Pixels, Refusal, Result, Source
from viewer import actions, theme
from viewer.canvas.layers import Layer
from viewer.canvas.view import Canvas, Pointer
from viewer.docks import Docks
from viewer.document import Document
from viewer.drops import Drops
from viewer.keys import Keys
from viewer.overlay import DETECTIONS
from viewer.panels.anchors import AnchorPanel
from viewer.panels.base import Panel
from viewer.panels.detection import DetectionPanel
from viewer.panels.film import THUMB_PX, FilmPanel
from viewer.panels.log import LogPanel
from viewer.panels.results import ResultsPanel
from viewer.session import Session
from viewer.settings import Settings
from viewer.status import Status
from viewer.verbs import Verbs
from viewer.widgets.palette import CommandPalette
from viewer.widgets.shortcuts import Shortcuts
from viewer.widgets.toast import Toasts
from viewer.widgets.welcome import Welcome

PANELS: tuple[type[Panel], ...] = (DetectionPanel, AnchorPanel, FilmPanel, ResultsPanel, LogPanel)
SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"
STALE_AFTER_MS = 150
GAP = 8


class Window(QMainWindow):
    """One session's window."""

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__()
        self.session = session
        self.settings = settings
        self.closing = False
        self.setWindowTitle("Vitrine")
        self.setAcceptDrops(True)
        self.setDockOptions(QMainWindow.DockOption.AllowTabbedDocks | QMainWindow.DockOption.AllowNestedDocks)
        self.canvas = Canvas()
        self.welcome = Welcome()
        self.centre = QStackedWidget()
        self.centre.addWidget(self.welcome)
        self.centre.addWidget(self.canvas)
        self.setCentralWidget(self.centre)
        self.panels: dict[str, Panel] = {kind.id: kind(session.store) for kind in PANELS}
        self.docks: dict[str, QDockWidget] = {}
        self._make_docks()
        self.toasts = Toasts(self)
        self.verbs = Verbs(self)
        self.commands = actions.table(self)
        self.commands.fill(self.menuBar())
        self.palette_overlay = CommandPalette(self.commands, self)
        self.shortcuts = Shortcuts(self.commands, self, gestures=actions.GESTURES)
        self.model_box = QComboBox()
        self._make_bars()
        self.drops = Drops(self)
        self._stale = QTimer(self)
        self._stale.setSingleShot(True)
        self._stale.setInterval(STALE_AFTER_MS)
        self._stale.timeout.connect(self._show_stale)
        self._connect()
        self._restore()
        self.refresh()

    # what commands ask

    @property
    def has_picture(self) -> bool:
        """Whether a picture is shown."""
        return self.canvas.pixels is not None

    @property
    def has_result(self) -> bool:
        """Whether detections are shown."""
        return "detect" in self.session.results

    @property
    def has_anchors(self) -> bool:
        """Whether the model has anchors, as far as is known."""
        description = self.session.description
        return description is None or "HasAnchors" in description.capabilities

    @property
    def many(self) -> bool:
        """Whether there is more than one picture."""
        return len(self.session.store.document.sources) > 1

    @property
    def selected_box(self) -> QRectF | None:
        """The selected detection's box in pixels of the picture."""
        if "detect" not in self.session.results:
            return None
        arrays = self.session.results["detect"][1].arrays
        rows = (arrays["ids"] == self.session.store.document.selected).nonzero()[0]
        if not len(rows):
            return None
        x0, y0, x1, y1 = (float(v) for v in arrays["boxes"][rows[0]])
        return QRectF(x0, y0, x1 - x0, y1 - y0)

    def samples(self) -> list[Path]:
        """The bundled sample pictures."""
        return sorted(SAMPLES.glob("*.png")) + sorted(SAMPLES.glob("*.jpg"))

    # what is shown

    def layers(self) -> list[Layer]:
        """Everything painted over the picture, bottom first."""
        document = self.session.store.document
        order = ("anchors", "detect", "results", "film", "log")
        return [layer for name in order for layer in self.panels[name].layers(document)]

    def refresh(self) -> None:
        """Bring panels, actions and title up to date with the document."""
        document, description = self.session.store.document, self.session.description
        for panel in self.panels.values():
            panel.refresh(document, description)
        self.repaint_layers()
        self.commands.refresh()
        self.docks["film"].setVisible(self.many and self.docks["film"].property("wanted") is not False)
        name = document.source.name if document.source else ""
        self.setWindowTitle(f"{name} · {Path(document.model).name} · Vitrine" if name else "Vitrine")
        self._list_models()
        self.canvas.setAccessibleDescription(name)

    def repaint_layers(self) -> None:
        """Paint what the panels have now."""
        self.canvas.set_layers(self.layers())

    def tell(self, text: str, *, details: str = "", severity: Any = "info", key: str = "") -> None:
        """Show a message and write it to the log."""
        self.toasts.show_message(text.strip(), details=details, severity=severity, key=key or text)
        log = self.panels["log"]
        assert isinstance(log, LogPanel)
        log.write(text.strip(), details)

    def _changed(self, before: Document, after: Document) -> None:
        if (before.model, before.source) != (after.model, after.source):
            for panel in self.panels.values():
                panel.forget()
        self.refresh()

    def _picture(self, source: Source, picture: Picture) -> None:
        self.centre.setCurrentWidget(self.canvas)
        self.canvas.show_picture(picture.pixels, keep_view=True)
        self._zoomed(self.canvas.scale_percent)
        self.refresh()
        if picture.note:
            self.tell(f"{source.name}: {picture.note}", key=f"note {source.path}")

    def _result(self, slot: str, request: Request, result: Result) -> None:
        for panel in self.panels.values():
            panel.show_result(slot, request, result)
        if slot == "detect":
            self._show_times(result)
        self.commands.refresh()

    def _described(self, description: Description) -> None:
        for panel in self.panels.values():
            reason = panel.lacking(description)
            self.docks[panel.id].setToolTip(reason)
            panel.setEnabled(not reason)
        self.refresh()

    def _failure(self, slot: str, failure: Failure) -> None:
        self.tell(failure.text, details=failure.details, severity="error", key=failure.message)

    def _opened(self, kind: str, path: str) -> None:
        if kind == "picture":
            self.settings.add_picture(path)
        else:
            self.settings.add_model(path)
        self.welcome.set_recent(self.settings.recent_pictures)

    def _unreadable(self, source: Source, failure: Failure) -> None:
        film = self.panels["film"]
        assert isinstance(film, FilmPanel)
        film.set_thumbnail(source, None)
        self._list_models()

    def _state(self) -> None:
        jobs = self.session.jobs
        self.engine_state.setText("engine ready" if jobs.ready else "engine starting…")
        if jobs.busy and not self.activity.busy:
            self.activity.start("Working…" if jobs.ready else "Starting the engine…")
        elif not jobs.busy and self.activity.busy:
            self.activity.finish()
        if not self.session.stale:
            self._stale.stop()
            self.canvas.set_stale(False)
        elif not self._stale.isActive() and not self.canvas.is_stale:
            self._stale.start()

    def _progress(self, fraction: float, text: str) -> None:
        self.activity.set_progress(fraction, text)

    def _show_stale(self) -> None:
        self.canvas.set_stale(self.session.stale and self.has_picture)

    def _show_times(self, result: Result) -> None:
        times: dict[str, float] = result.meta["timings"]
        forward = sum(times.get(name, 0.0) for name in FORWARD)
        nms = times.get("nms", 0.0) + times.get("own nms", 0.0)
        if forward:
            self._forward_text = f"forward {forward:.0f} ms"
        device = self.session.description.device if self.session.description else ""
        self.times.setText(" · ".join(t for t in (device, self._forward_text, f"nms {nms:.1f} ms") if t))
        self.times.setToolTip("\n".join(f"{name}: {ms:.1f} ms" for name, ms in times.items()) or "All from the cache")

    # the pointer

    def _pointed(self, pointer: Pointer | None) -> None:
        place = None if pointer is None else (pointer.x, pointer.y)
        for panel in self.panels.values():
            panel.pointer(place)
        if pointer is None or pointer.rgb is None:
            self.pixel.setText("")
            return
        r, g, b = pointer.rgb
        self.pixel.setText(f"x {int(pointer.x)}  y {int(pointer.y)}   rgb {r} {g} {b}")

    def _clicked(self, pointer: Pointer) -> None:
        if any(panel.clicked((pointer.x, pointer.y)) for panel in self.panels.values() if panel.isEnabled()):
            self.refresh()
            return
        selected = -1
        if pointer.hit is not None and pointer.hit[0] == DETECTIONS and self.has_result:
            selected = int(self.session.results["detect"][1].arrays["ids"][pointer.hit[1]])
        self.session.store.update(self.session.store.document.with_selected(selected))

    # the frame

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the layout and end the engine."""
        self.closing = True
        self.settings.geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        self.settings.state = bytes(self.saveState(LAYOUT_VERSION).toBase64().data()).decode()
        self.settings.save()
        self.session.jobs.stop()
        event.accept()

    def _make_docks(self) -> None:
        for panel in self.panels.values():
            dock = QDockWidget(panel.title, self)
            dock.setObjectName(f"dock-{panel.id}")
            dock.setAccessibleName(panel.title)
            dock.setWidget(panel)
            self.docks[panel.id] = dock
            panel.layers_changed.connect(self.repaint_layers)
        self.arrange()

    def arrange(self) -> None:
        """Put every panel where it is at first."""
        for panel in self.panels.values():
            dock = self.docks[panel.id]
            dock.setFloating(False)
            self.addDockWidget(AREAS[panel.area], dock)
            dock.setVisible(panel.opened)
        self.tabifyDockWidget(self.docks["results"], self.docks["log"])
        self.resizeDocks([self.docks["detect"]], [SIDE_PX], Qt.Orientation.Horizontal)
        self.resizeDocks([self.docks["detect"], self.docks["anchors"]], [560, 160], Qt.Orientation.Vertical)
        self.docks["results"].raise_()

    def _make_bars(self) -> None:
        self.model_box.setAccessibleName("Model")
        self.model_box.setToolTip("The model that is looked into")
        self.model_box.setMinimumWidth(200)
        self.model_box.activated.connect(self._choose_model)
        self._corner = QWidget(self.menuBar())
        line = QHBoxLayout(self._corner)
        line.setContentsMargins(GAP, GAP // 2, GAP, GAP // 2)
        line.addWidget(self.model_box)
        self.menuBar().setCornerWidget(self._corner)
        bar = self.statusBar()
        bar.setContentsMargins(GAP, 0, GAP, 0)
        self.engine_state, self.times, self.pixel, self.zoom_text = QLabel(), QLabel(), QLabel(), QLabel()
        names = ("Engine", "Times", "Pixel under the pointer", "Zoom")
        for label, name in zip((self.engine_state, self.times, self.pixel, self.zoom_text), names, strict=True):
            label.setAccessibleName(name)
        self._forward_text = ""
        self.activity = Activity()
        bar.addWidget(self.engine_state)
        bar.addWidget(self.times)
        bar.addPermanentWidget(self.activity)
        bar.addPermanentWidget(self.pixel)
        bar.addPermanentWidget(self.zoom_text)

    def _list_models(self) -> None:
        current = self.session.store.document.model
        names = list(cards.bundled())
        names += [m for m in self.settings.recent_models if m not in names]
        if current not in names:
            names.append(current)
        listed = [self.model_box.itemData(i) for i in range(self.model_box.count())]
        if listed != names:
            self.model_box.clear()
            for name in names:
                self.model_box.addItem(Path(name).name, name)
        self.model_box.setCurrentIndex(names.index(current))

    def _choose_model(self, index: int) -> None:
        name = str(self.model_box.itemData(index))
        self._list_models()
        if name != self.session.store.document.model:
            self.session.open_model(name)

    def _thumbnail(self, source: Source) -> None:
        film = self.panels["film"]
        assert isinstance(film, FilmPanel)

        def work() -> Any:
            try:
                small: Pixels | None = thumbnail(source, side=THUMB_PX * 2)
            except Refusal:
                small = None

            def show() -> None:
                film.set_thumbnail(source, small)
                film.refresh(self.session.store.document, self.session.description)

            return show

        self.session.jobs.local("thumbnail", work)

    def _connect(self) -> None:
        on, film = self.session.on, self.panels["film"]
        assert isinstance(film, FilmPanel)
        self.session.store.listen(self._changed)
        on.picture.append(self._picture)
        on.result.append(self._result)
        on.described.append(self._described)
        on.failure.append(self._failure)
        on.progress.append(self._progress)
        on.state.append(self._state)
        on.opened.append(self._opened)
        on.unreadable.append(self._unreadable)
        film.chosen.connect(self.session.go)
        film.thumbnail_wanted.connect(self._thumbnail)
        self.canvas.pointer_moved.connect(self._pointed)
        self.canvas.clicked.connect(self._clicked)
        self.canvas.zoom_changed.connect(self._zoomed)
        self.activity.cancelled.connect(self.verbs.cancel)
        self.welcome.open_requested.connect(self.verbs.ask_pictures)
        self.welcome.sample_requested.connect(self._open_sample)
        self.welcome.recent_requested.connect(self._open_recent)
        theme.changes().connect(self._restyle)

    def _zoomed(self, percent: float) -> None:
        self.zoom_text.setText(f"{percent:.0f} %" if self.has_picture else "")

    def _open_sample(self) -> None:
        self.session.open_paths(self.samples())

    def _open_recent(self, path: str) -> None:
        self.session.open_paths([path])

    def _restyle(self) -> None:
        self.commands.restyle()
        self.repaint_layers()

    def _restore(self) -> None:
        self.resize(1280, 800)
        self.welcome.set_recent(self.settings.recent_pictures)
        if self.settings.geometry:
            self.restoreGeometry(QByteArray.fromBase64(self.settings.geometry.encode()))
        if self.settings.state:
            self.restoreState(QByteArray.fromBase64(self.settings.state.encode()), LAYOUT_VERSION)
