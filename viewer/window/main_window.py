"""The window: canvas, docks, bars, made from tables. It decides nothing: gestures change the document."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget

from models import images, model_name
from models.cards import card
from models.images import Picture
from models.inspection import Description
from models.media import is_endless
from models.requests import Request
from models.runtime import memory_limits
from models.types import Failure, Result, Source
from viewer import theme
from viewer.canvas.layers import Layer
from viewer.canvas.view import Canvas, Pointer
from viewer.commands.command import inside
from viewer.commands.palette import CommandPalette
from viewer.commands.shortcut_sheet import Shortcuts
from viewer.menus import menus
from viewer.panels.base import Panel
from viewer.panels.film_strip import FilmPanel
from viewer.panels.log import LogPanel
from viewer.presenters import attribution, box_pair
from viewer.session import second_model
from viewer.session.document import Document
from viewer.session.lookup import row_of
from viewer.session.preferences import Settings
from viewer.session.session import Session
from viewer.verbs import Verbs
from viewer.widgets.controls.model_picker import ModelBox
from viewer.widgets.dialogs.banner import Notices
from viewer.widgets.dialogs.toast import Toasts
from viewer.widgets.dialogs.welcome import Welcome
from viewer.widgets.plain import plain
from viewer.window import model_prompts
from viewer.window.canvas_controller import SLOT, Easel
from viewer.window.docks import Docks
from viewer.window.drag_and_drop import Drops
from viewer.window.focus_keys import Keys
from viewer.window.lazy_panels import Shelf
from viewer.window.live_view import Playback
from viewer.window.panel_registry import PANELS
from viewer.window.panes import Panes
from viewer.window.saved_sessions import Sessions
from viewer.window.status_bar import Status
from viewer.window.thumbnails import Thumbnails

STALE_AFTER_MS = 150
P = TypeVar("P", bound=Panel)


class Window(QMainWindow):
    """One session's window."""

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__()
        self.session = session
        self.settings = settings
        self.closed = False
        self._thumbnails = Thumbnails(self)
        self.setAcceptDrops(True)
        self.canvas = Canvas()
        self.easel = Easel(self)
        self.welcome = Welcome()
        self.centre = QStackedWidget()
        self.centre.addWidget(self.welcome)
        self.bundled = list(card.bundled())
        self.notices = Notices(self.centre)
        self.setCentralWidget(self.notices)
        self.autosave: Any = None  # which comes with the program, not with every window
        self.panels = Shelf(PANELS, session.store)
        self.docks = Docks(self, self.panels, settings)
        self.film = _the(FilmPanel, self.panels)
        self.panes = Panes(self)
        self.centre.addWidget(self.panes)
        self.toasts = Toasts(self)
        for dock in self.docks.by_id.values():
            # Queued: once it has told of a dock, Qt puts the centre over everything.
            dock.visibilityChanged.connect(self.toasts.raise_, Qt.ConnectionType.QueuedConnection)
        self.verbs = Verbs(self)
        self.playback = Playback(self)
        self.sessions = Sessions(self)
        self.commands = menus.table(self)
        self.commands.fill(self.menuBar())
        self.palette_overlay = CommandPalette(self.commands, self)
        self.shortcuts = Shortcuts(self.commands, self, gestures=menus.GESTURES)
        self.status = Status(self.statusBar())
        self.model_box = ModelBox()
        self.model_box.place(self.menuBar())
        self.drops = Drops(self)
        self.keys = Keys(self)
        self._outdated = QTimer(self)
        self._outdated.setSingleShot(True)
        self._outdated.timeout.connect(self._update_commands)
        self._stale = QTimer(self)
        self._stale.setSingleShot(True)
        self._stale.setInterval(STALE_AFTER_MS)
        self._stale.timeout.connect(self._show_stale)
        self._connect()
        self.welcome.set_recent(settings.recent_pictures)
        self.docks.restore()
        self.refresh()
        self.welcome.open_button.setFocus()

    # what commands ask

    @property
    def has_picture(self) -> bool:
        """Whether a picture is shown."""
        return self.canvas.pixels is not None

    @property
    def has_result(self) -> bool:
        """Whether detections are shown that belong to the picture and the model."""
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
        if not self.has_result:
            return None
        result = self.session.results["detect"][1]
        row = row_of(result, self.session.store.document.selected)
        if row < 0:
            return None
        x0, y0, x1, y1 = (float(v) for v in result.arrays["boxes"][row])
        return QRectF(x0, y0, x1 - x0, y1 - y0)

    def samples(self) -> list[Path]:
        """The bundled sample pictures."""
        return images.pictures_in(card.samples(self.session.store.document.model))

    # what is shown

    def layers(self) -> list[Layer]:
        """Everything painted over the picture, bottom first."""
        document = self.session.store.document
        shown = [panel for panel in sorted(self.panels.built, key=lambda panel: panel.rank) if panel.isEnabled()]
        layers = [layer for panel in shown for layer in panel.layers(document)]
        for panel in shown:
            layers = panel.restyle(layers, document)
        return [*layers, *box_pair.layers_of(layers, document.selected, document.second)]

    def refresh(self, *, commands: bool = True) -> None:
        """Bring panels, actions and title up to date with the document; `commands` now or when all is painted."""
        document, description = self.session.store.document, self.session.description
        lacking = {n: kind.lacking(description) for n, kind in self.panels.kinds.items()} if description else {}
        self.docks.suit({name for name, reason in lacking.items() if reason} or self.panels.unlikely(document.model))
        self.panels.call(document)
        for name, dock in self.docks.by_id.items():
            dock.setToolTip(plain(lacking.get(name, "")))
        for panel in self.panels.built:
            panel.setEnabled(not lacking.get(panel.id))
            panel.refresh(document, description)
        if commands:
            self._update_commands()
        else:
            self._outdated.start()
        self.docks.follow(many=self.many)
        name = document.source.name if document.source and not self.easel.generates else ""
        shown = (name, model_name.title(document.model)) if name or self.easel.generates else ()
        self.setWindowTitle(self.sessions.title((*shown, "Vitrine")))
        self._list_models()

    def repaint_layers(self) -> None:
        """Paint what the panels have now."""
        self.canvas.set_layers(self.layers())

    def tell(self, text: str, *, details: str = "", severity: Any = "info", key: str = "", **more: Any) -> None:
        """Show a message, with what else `Toasts.show_message` takes, and write it to the log."""
        self.toasts.show_message(text.strip(), details=details, severity=severity, key=key or text, **more)
        self.note(text, details)

    def note(self, text: str, details: str = "") -> None:
        """Write to the log alone."""
        _the(LogPanel, self.panels).write(text.strip(), details)

    def arrange(self) -> None:
        """Put every panel where it is at first."""
        self.docks.reset()
        self.refresh()

    def _update_commands(self) -> None:
        """Bring the actions up to date; undo and redo say what they would do."""
        self._outdated.stop()
        self.commands.refresh()
        store, actions_by_id = self.session.store, self.commands.actions(self)
        for name, title in (("undo", store.undo_title), ("redo", store.redo_title)):
            actions_by_id[name].setText(f"{self.commands[name].title} {inside(title)}".rstrip().replace("&", "&&"))

    def _changed(self, before: Document, after: Document) -> None:
        if before.source != after.source:
            for panel in self.panels.built:
                panel.forget()
        if (before.model, before.source) != (after.model, after.source):
            self.easel.follow(before, after)
            self.status.forget()
        moved = dataclasses.replace(before, settings=after.settings) == after
        self.refresh(commands=not moved)  # a slider is dragged: what may run can wait until it is painted
        if not moved:
            self.repaint_layers()

    def _picture(self, source: Source, picture: Picture) -> None:
        self.easel.opened(source, picture)
        self.refresh()
        if picture.note:
            self.tell(f"{source.name}: {picture.note}", key=f"note {source.path}")

    def _result(self, slot: str, request: Request, result: Result) -> None:
        if second_model.slot_of(slot):
            return  # the second pane's
        self.panels.answered(slot)
        for panel in self.panels.built:
            panel.show_result(slot, request, result)
        if "warning" in result.meta:
            self.tell(str(result.meta["warning"]), severity="warning")
        if slot == SLOT:
            self.easel.made(result)
        if slot in ("detect", SLOT):
            description = self.session.description
            device = description.device if description else ""
            self.status.show_times(result.meta["timings"], device, result.meta.get("device_bytes", 0))
        self._outdated.start()

    def _described(self, description: Description) -> None:
        self.easel.settle()
        self.refresh()
        self.repaint_layers()
        model_prompts.describe(self, description)
        if card.is_file(model_name.split(model := self.session.store.document.model)[0]):
            self.settings.add_model(model)

    def _failure(self, slot: str, failure: Failure) -> None:
        said = [panel.show_failure(slot, failure) for panel in self.panels.built]
        if not failure.cancelled and not any(said):
            model_prompts.tell(self, slot, failure)

    def _opened(self, kind: str, path: str) -> None:
        if kind == "truth":
            self.verbs.tell_truth()
            return
        if kind == "picture":
            self.settings.add_picture(path)
            self.easel.answer()
            self.canvas.setFocus()
        elif path not in card.UNTRAINED:
            self.settings.add_model(path)
        self._recent_changed()
        self._list_models()

    def _unreadable(self, source: Source, failure: Failure) -> None:
        self.film.set_thumbnail(source, None)
        if not (is_endless(source.path) or Path(source.path).exists()):
            self.settings.forget(source.path)
            self._recent_changed()

    def _recent_changed(self) -> None:
        self.welcome.set_recent(self.settings.recent_pictures)
        self.settings.save()

    def _state(self) -> None:
        jobs = self.session.jobs
        used = memory_limits.resident_bytes(getattr(jobs.lane, "pid", 0))
        self.status.show_engine(jobs.state, used_bytes=used, busy=self.verbs.busy)
        if not self.session.stale:
            self._stale.stop()
            self.canvas.set_stale(False)
        elif not self._stale.isActive() and not self.canvas.is_stale:
            self._stale.start()

    def _progress(self, fraction: float | None, text: str) -> None:
        self.status.activity.set_progress(fraction, text)

    def _show_stale(self) -> None:
        self.canvas.set_stale(self.session.stale and self.has_picture)

    # the pointer

    def _pointed(self, pointer: Pointer | None) -> None:
        outside = pointer is None or pointer.rgb is None
        for panel in self.panels.built:
            panel.pointer(None if pointer is None or outside else (pointer.x, pointer.y))
        self.status.show_pointer(pointer, self.panes.status_layers())

    def _clicked(self, pointer: Pointer) -> None:
        inside = pointer.rgb is not None
        takers = [panel for panel in self.panels.built if panel.isEnabled() and inside]
        if any(panel.clicked((pointer.x, pointer.y)) for panel in takers):
            return
        if pointer.hit is not None and not pointer.extend and any(panel.picked(*pointer.hit) for panel in takers):
            return
        selected = box_pair.pick(self.canvas.layers, pointer)
        document = self.session.store.document
        if pointer.extend and document.selected >= 0:
            self.session.store.update(document.with_second(-1 if selected == document.selected else selected))
        else:
            self.session.store.update(document.with_selected(selected))

    def _region(self, rect: QRectF) -> None:
        document = self.session.store.document.with_region((rect.left(), rect.top(), rect.right(), rect.bottom()))
        description = self.session.description
        if description is None or "Detects" in description.capabilities:
            self.session.store.update(document, title="Draw a rectangle")
            self.docks.show("missed")
        elif not description.offers["ablation"].reason:
            self.docks.show("attribution")
            self.session.store.update(document, title="Draw a rectangle")
            within = "SegmentsPicture" in description.capabilities
            self.tell(attribution.WITHIN if within else attribution.HIDES, key="region")

    # the frame

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the layout and end the engine."""
        if not self.closed:
            self.docks.quiet()
        self.closed = True
        self.docks.save()
        self.settings.save()
        self.session.stop()
        event.accept()

    def _list_models(self) -> None:
        recent = self.settings.recent_models
        self.model_box.list_models((*self.bundled, *recent), self.session.store.document.model)

    def _connect(self) -> None:
        on = self.session.on
        self.session.store.listen(self._changed)
        on.picture.append(self._picture)
        on.result.append(self._result)
        on.described.append(self._described)
        on.failure.append(self._failure)
        on.progress.append(self._progress)
        on.state.append(self._state)
        on.opened.append(self._opened)
        on.truth.append(self.verbs.show_truth)
        on.unreadable.append(self._unreadable)
        self.panels.furnish.append(self._furnish)
        for panel in self.panels.built:
            self._furnish(panel)
        self.film.chosen.connect(self.session.go)
        self.film.stepped.connect(self.session.step)
        self.film.thumbnail_wanted.connect(self._thumbnails.want)
        self.canvas.pointer_moved.connect(self._pointed)
        self.canvas.clicked.connect(self._clicked)
        self.canvas.region_drawn.connect(self._region)
        self.canvas.zoom_changed.connect(self._zoomed)
        self.status.activity.cancelled.connect(self.verbs.cancel)
        self.model_box.chosen.connect(self.verbs.zoo.open_model)
        self.welcome.open_requested.connect(self.verbs.ask_pictures)
        self.welcome.sample_requested.connect(lambda: self.session.open_paths(self.samples()))
        self.welcome.recent_requested.connect(lambda path: self.session.open_paths([path]))
        theme.changes().connect(self._restyle)

    def _furnish(self, panel: Panel) -> None:
        """Connect a panel that was just built, and tell it what the others have heard."""
        panel.layers_changed.connect(self.repaint_layers)
        panel.command_wanted.connect(self._run_command)
        panel.picture_shown.connect(self.easel.play)
        document, description = self.session.store.document, self.session.description
        reason = panel.lacking(description) if description else ""
        panel.setEnabled(not reason)
        panel.refresh(document, description)
        if self.session.truth is not None:
            panel.show_truth(self.session.truth)
        for slot, (request, result) in self.session.results.items():
            panel.show_result(slot, request, result)

    def _zoomed(self, percent: float) -> None:
        self.status.show_zoom(percent if self.has_picture else None)

    def _run_command(self, name: str) -> None:
        self.commands.actions(self)[name].trigger()

    def _restyle(self) -> None:
        self.commands.restyle()
        self.repaint_layers()


def _the(kind: type[P], panels: Mapping[str, Panel]) -> P:
    panel = panels[kind.id]
    assert isinstance(panel, kind)
    return panel
