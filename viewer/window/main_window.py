"""The main window: canvas, docks and bars. Gestures change the document; everything shown follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QChildEvent, QPoint, QPointF, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QContextMenuEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QTabBar, QWidget

from models import model_name
from models.cards import card, packaged, samples
from models.inspection import Description
from models.pictures import images
from models.pictures.images import Picture
from models.pictures.media import is_endless
from models.requests import Request
from models.runtime import memory_limits
from models.truth.types import Truth
from models.types import Failure, Int, Result, Source
from viewer import theme
from viewer.canvas.view import Canvas, Pointer
from viewer.commands.command import Command, Commands, within_sentence
from viewer.commands.palette import CommandPalette
from viewer.commands.shortcut_sheet import ShortcutSheet
from viewer.context_menu.subject import Subject, find
from viewer.engine_texts import spoken
from viewer.panels.base import Panel
from viewer.panels.registry import PANELS
from viewer.session import second_model
from viewer.session.document import Document
from viewer.session.preferences import Settings
from viewer.session.session import Session
from viewer.translation import tr
from viewer.widgets.controls.elided_label import plain
from viewer.widgets.controls.model_picker import ModelBox
from viewer.widgets.controls.tab_order import put_in_reading_order
from viewer.widgets.dialogs.banner import Notices
from viewer.widgets.dialogs.toast import Toasts
from viewer.widgets.dialogs.welcome import Welcome
from viewer.window import settings_search
from viewer.window.autosave import Autosave
from viewer.window.canvas_controller import SLOT, CanvasController
from viewer.window.context import Messages, WindowContext
from viewer.window.context_menus import ContextMenus
from viewer.window.docks import Docks, name_tabs
from viewer.window.drag_and_drop import DragAndDrop
from viewer.window.focus_keys import FocusKeys
from viewer.window.help import Help
from viewer.window.lazy_panels import LazyPanels
from viewer.window.live_view import LiveView
from viewer.window.model_knowledge import ModelKnowledge
from viewer.window.model_prompts import ModelPrompts
from viewer.window.model_zoo import ModelZoo
from viewer.window.panes import Panes
from viewer.window.saved_sessions import SavedSessions
from viewer.window.status_bar import Status
from viewer.window.thumbnails import Thumbnails
from viewer.window.workspace_bar import WorkspaceBar
from viewer.window.workspaces import fitting

if TYPE_CHECKING:
    from viewer.panels.data_set import DataSetPanel
    from viewer.panels.film_strip import FilmPanel
    from viewer.panels.map import MapPanel

STALE_AFTER_MS = 150
# How often the availability of commands is updated while a slider is dragged; results are painted first.
OUTDATED_MS = 100
PAUSE_MS = 200  # in typing, before panels are built for what is searched


class Window(QMainWindow):
    """The window of one session. `restart` is a file with what was open, if the program is to start again."""

    restart: Path | None = None

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__()
        self.session = session
        self.settings = settings
        self.canvas = Canvas()
        self.welcome = Welcome()
        self.centre = QStackedWidget()
        self.centre.addWidget(self.welcome)
        self.bundled = [*card.bundled(), *packaged.cards()]
        self.notices = Notices(self.centre)
        self.setCentralWidget(self.notices)
        self.autosave: Autosave | None = None  # set by the program, not by every window
        self.panels = LazyPanels(PANELS, session.store)
        self.docks = Docks(self, self.panels, settings)
        self.toasts = Toasts(self)
        self.messages = Messages(self.toasts, self.panels)
        self.context = WindowContext(
            self, session, settings, canvas=self.canvas, panels=self.panels, docks=self.docks, messages=self.messages
        )
        self.controller = CanvasController(self.context)
        self.panes = Panes(self.context, self.controller)
        self.centre.addWidget(self.panes)
        for dock in self.docks.by_id.values():
            # Queued, because Qt raises the central widget above everything after emitting the signal.
            dock.visibilityChanged.connect(self.toasts.raise_, Qt.ConnectionType.QueuedConnection)
        self.zoo = ModelZoo(self.context, put_beside=self.panes.put_beside)
        self.prompts = ModelPrompts(self.context, self.zoo, put_beside=self.panes.put_beside)
        self.knowledge = ModelKnowledge(self.context, self.zoo, self.notices)
        self.live_view = LiveView(self.context, self.controller)
        self.sessions = SavedSessions(self.context)
        self.help = Help(self.context, self._tour_part)
        self.commands = Commands()
        self.palette_overlay: CommandPalette
        self.shortcuts: ShortcutSheet
        self.status = Status(self.statusBar())
        self.model_box = ModelBox(more=True)
        self.drops = DragAndDrop(
            self.context,
            take_sessions=self.sessions.take,
            open_code=self.prompts.open_code,
            choose_second=self.panes.choose,
        )
        self._focus_keys = FocusKeys(self)
        self._thumbnails = {name: Thumbnails(self.context, name) for name in ("film", "data_set", "map")}
        self._titles = ("", "")
        self._answered: set[str] = set()
        self._outdated = QTimer(self)
        self._outdated.setSingleShot(True)
        self._outdated.setInterval(OUTDATED_MS)
        self._outdated.timeout.connect(self._update_commands)
        self._searching = QTimer(self)
        self._searching.setSingleShot(True)
        self._searching.timeout.connect(self._build_searched)
        self._stale = QTimer(self)
        self._stale.setSingleShot(True)
        self._stale.setInterval(STALE_AFTER_MS)
        self._stale.timeout.connect(self._show_stale)
        self._connect()
        self.welcome.set_recent(settings.recent_pictures)

    def put_menus(self, commands: Commands, gestures: Sequence[tuple[str, str]]) -> None:
        """Add menus, palette and the sheet of shortcuts, built from the commands; the window is then complete."""
        self.commands = commands
        commands.fill(self.menuBar())
        self.palette_overlay = CommandPalette(commands, self, more=self._search)
        self.palette_overlay.typed.connect(self._search_further)
        self.shortcuts = ShortcutSheet(commands, self, gestures=gestures)
        self.toasts.place, self.toasts.spare = self.centre, self._uncovered_areas
        self.toasts.keep_clear_of(self.canvas.legend)
        self.menus = ContextMenus(self.context, commands)
        self.panes.menu_wanted.connect(self.menus.open_beside)
        self.model_box.place(self.menuBar())
        self.workspace_bar = WorkspaceBar(commands.actions(self), self.docks, self)
        self.addToolBar(self.workspace_bar)
        self.docks.restore()
        self.refresh()
        self.welcome.open_button.setFocus()

    @property
    def closed(self) -> bool:
        """Whether it is closed for good."""
        return self.context.closed

    @property
    def busy(self) -> bool:
        """Whether work is running that can be cancelled."""
        return self.session.jobs.busy or self.session.truths.reading or self.zoo.busy

    # what commands ask

    @property
    def has_picture(self) -> bool:
        """Whether a picture is shown."""
        return self.canvas.pixels is not None

    @property
    def has_result(self) -> bool:
        """Whether the detections shown belong to the current picture and model."""
        return "detect" in self.session.results

    @property
    def has_anchors(self) -> bool:
        """Whether the model has anchors, as far as is known."""
        description = self.session.description
        return description is None or "HasAnchors" in description.capabilities

    @property
    def many(self) -> bool:
        """Whether there are several pictures."""
        return len(self.session.store.document.sources) > 1

    @property
    def film(self) -> FilmPanel:
        """The strip of pictures."""
        return cast("FilmPanel", self.panels["film"])

    def samples(self) -> list[Path]:
        """The bundled sample pictures."""
        return images.pictures_in(card.samples(self.session.store.document.model))

    # what is shown

    def refresh(self, *, commands: bool = True) -> None:
        """Update panels, actions and title from the document; actions now (`commands`) or shortly."""
        document, description = self.session.store.document, self.session.description
        lacking = {n: entry.lacking(description) for n, entry in self.panels.entries.items()} if description else {}
        missing = {name for name, reason in lacking.items() if reason} or self.panels.unlikely(document.model)
        self.docks.suit(missing, model=document.model, fitting=fitting(document.model, description))
        self.panels.build_painting(document)
        for name, dock in self.docks.by_id.items():
            dock.setToolTip(plain(lacking.get(name, "")))
        for panel in self.panels.built:
            panel.setEnabled(not lacking.get(panel.id))
            panel.refresh(document, description)
        store = self.session.store
        if commands or (store.undo_title, store.redo_title) != self._titles:
            self._update_commands()
        elif not self._outdated.isActive():
            self._outdated.start()
        self.docks.follow(many=self.many)
        self.knowledge.refresh()
        self.docks.invite(document)
        name = document.source.name if document.source and not self.controller.generates else ""
        shown = (name, model_name.title(document.model)) if name or self.controller.generates else ()
        self.setWindowTitle(self.sessions.title((*shown, "Vitrine")))
        self._list_models()

    def tell(self, text: str, *, details: str = "", severity: Any = "info", key: str = "", **more: Any) -> None:
        """Show a message and write it to the log, like `Messages.tell`."""
        self.messages.tell(text, details=details, severity=severity, key=key, **more)

    def arrange(self) -> None:
        """Arrange all panels in their initial layout."""
        self.docks.reset()
        self.refresh()

    def _update_commands(self) -> None:
        """Update the actions; undo and redo name what they would do."""
        self._outdated.stop()
        if not len(self.commands):
            return  # the menus do not exist yet
        self.commands.refresh()
        self._titles = self.session.store.undo_title, self.session.store.redo_title
        store, actions_by_id = self.session.store, self.commands.actions(self)
        for name, title in (("undo", store.undo_title), ("redo", store.redo_title)):
            actions_by_id[name].setText(
                f"{self.commands[name].title} {within_sentence(title)}".rstrip().replace("&", "&&")
            )

    def _changed(self, before: Document, after: Document) -> None:
        if before.source != after.source:
            for panel in self.panels.built:
                panel.forget()
        if (before.model, before.source) != (after.model, after.source):
            self._answered.clear()
            self.controller.follow(before, after)
            self.status.forget()
        self.toasts.drop_outdated()
        moved = dataclasses.replace(before, settings=after.settings) == after
        self.refresh(commands=not moved)
        if not moved:
            self.controller.repaint_layers()

    def _picture(self, source: Source, picture: Picture) -> None:
        self.controller.opened(source, picture)
        self.refresh()
        if picture.note:
            self.tell(f"{source.name}: {picture.note}", key=f"note {source.path}")

    def _result(self, slot: str, request: Request, result: Result) -> None:
        if second_model.slot_of(slot):
            return  # belongs to the second pane
        self.panels.answered(slot)
        for panel in self.panels.built:
            panel.show_result(slot, request, spoken(result))
        if "warning" in result.meta:
            self.tell(str(result.meta["warning"]), severity="warning")
        if slot == SLOT:
            self.controller.made(result)
        if slot in (SLOT, "anatomy"):
            self.knowledge.refresh()
        if slot in ("detect", SLOT):
            description = self.session.description
            device = description.device if description else ""
            self.status.show_times(result.meta["timings"], device, result.meta.get("device_bytes", 0))
        if slot not in self._answered:
            self._answered.add(slot)
            self._update_commands()
        elif not self._outdated.isActive():
            self._outdated.start()

    def _described(self, description: Description) -> None:
        self.controller.settle()
        self.refresh()
        self.controller.repaint_layers()
        self.prompts.describe(description)
        if card.is_file(model_name.split(model := self.session.store.document.model)[0]):
            self.settings.add_model(model)

    def _failure(self, slot: str, failure: Failure) -> None:
        said = [panel.show_failure(slot, failure) for panel in self.panels.built]
        if not failure.cancelled and not any(said):
            self.prompts.tell(slot, failure)

    def _opened(self, kind: str, path: str) -> None:
        if kind == "truth":
            self._report_truth()
            return
        if kind == "picture":
            self.settings.add_picture(path)
            self.controller.answer()
            self.canvas.setFocus()
        elif path not in card.UNTRAINED:
            self.settings.add_model(path)
        self._recent_changed()
        self._list_models()

    def _unreadable(self, source: Source, failure: Failure) -> None:
        if self.panels.there("film") is not None:
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
        self.status.show_engine(jobs.state, used_bytes=used, busy=self.busy)
        if not self.session.stale:
            self._stale.stop()
            self.canvas.set_stale(False)
        elif not self._stale.isActive() and not self.canvas.is_stale:
            self._stale.start()

    def _progress(self, fraction: float | None, text: str) -> None:
        self.status.activity.set_progress(fraction, text)

    def _show_stale(self) -> None:
        self.canvas.set_stale(self.session.stale and self.has_picture)

    # the frame

    def childEvent(self, event: QChildEvent) -> None:
        """Name a bar of tabs that Qt made while it laid the docks out."""
        if event.polished() and isinstance(bar := event.child(), QTabBar):
            name_tabs(bar)
        super().childEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save the layout and stop the engine."""
        if not self.closed:
            self.docks.quiet()
        self.context.closed = True
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
        on.truth.append(self._show_truth)
        on.unreadable.append(self._unreadable)
        self.panels.on_built.append(self._fill_panel)
        for panel in self.panels.built:
            self._fill_panel(panel)
        self.canvas.pointer_moved.connect(self._pointed)
        self.canvas.layers_changed.connect(lambda: self._pointed(self.canvas.pointer))
        self.panes.repainted.connect(lambda: self._pointed(self.canvas.pointer))
        self.controller.fronted.connect(self._show_panes)
        self.controller.emptied.connect(self._show_welcome)
        self.controller.zoomed.connect(self.status.show_zoom)
        self.docks.command_wanted.connect(self._run_command)
        self.drops.hinted.connect(self.welcome.set_drop_hint)
        self.sessions.renamed.connect(self.refresh)
        self.panes.model_wanted.connect(partial(self.zoo.open_model, as_second=True))
        self.canvas.zoom_changed.connect(self._zoomed)
        self.status.activity.cancelled.connect(partial(self._run_command, "cancel"))
        self.model_box.chosen.connect(self.zoo.open_model)
        self.model_box.more_wanted.connect(self.zoo.open)
        self.welcome.open_requested.connect(partial(self._run_command, "open"))
        self.welcome.sample_requested.connect(self._begin)
        self.welcome.recent_requested.connect(lambda path: self.session.open_paths([path]))
        theme.changes().connect(self._restyle)

    def _fill_panel(self, panel: Panel) -> None:
        """Connect a newly built panel, and pass it what the others have received."""
        panel.layers_changed.connect(self.controller.repaint_layers)
        panel.command_wanted.connect(self._run_command)
        panel.open_wanted.connect(self.session.open_picture)
        panel.menu_wanted.connect(self._open_menu)
        panel.picture_shown.connect(self.controller.play)
        if panel.id == "film":
            film = cast("FilmPanel", panel)
            film.chosen.connect(self.session.go)
            film.stepped.connect(self.session.step)
            film.thumbnail_wanted.connect(self._thumbnails["film"].want)
        if panel.id == "map":
            placed = cast("MapPanel", panel)
            placed.thumbnail_wanted.connect(self._thumbnails["map"].want)
            placed.strip_wanted.connect(self.session.open_paths)
            placed.rows_wanted.connect(self._list_alone)
        if panel.id == "data_set":
            cast("DataSetPanel", panel).thumbnail_wanted.connect(self._thumbnails["data_set"].want)
        document, description = self.session.store.document, self.session.description
        reason = panel.lacking(description) if description else ""
        panel.setEnabled(not reason)
        panel.refresh(document, description)
        if self.session.truth is not None:
            panel.show_truth(self.session.truth)
        for slot, (request, result) in self.session.results.items():
            panel.show_result(slot, request, spoken(result))

    def _list_alone(self, rows: Int) -> None:
        """List only some pictures of the data set in its panel, all of them for none."""
        if len(rows) or "data_set" in {panel.id for panel in self.panels.built}:
            cast("DataSetPanel", self.panels["data_set"]).list_alone(rows)

    def _begin(self, sample: samples.Sample) -> None:
        """Open a sample of the first page together with its model."""
        self.session.open_model(samples.model_of(sample))
        if sample.pictures:
            self.session.open_paths(samples.pictures_of(sample))

    def _pointed(self, pointer: Pointer | None) -> None:
        self.status.show_pointer(pointer, self.panes.status_layers())

    def _show_panes(self) -> None:
        if self.centre.currentWidget() is not self.panes:
            self.centre.setCurrentWidget(self.panes)
            self.canvas.setFocus()

    def _show_welcome(self) -> None:
        self.centre.setCurrentWidget(self.welcome)
        self.welcome.open_button.setFocus()

    def _report_truth(self) -> None:
        """Report what was imported of the ground truth and what was not, and show its panel."""
        truth = self.session.truth
        if truth is not None:
            left_out = tr("; {omitted:,} left out", omitted=truth.omitted) if truth.omitted else ""
            text = tr(
                "Imported {pictures:,} pictures, {boxes:,} boxes{left_out}.",
                pictures=len(truth.pictures),
                boxes=truth.boxes,
                left_out=left_out,
            )
            severity = "warning" if truth.omitted or truth.remarks else "success"
            self.docks.show("truth")
            self.tell(text, details="\n".join(truth.notes), severity=severity, key="truth")

    def _show_truth(self, truth: Truth | None) -> None:
        """Pass the current ground truth to the panels."""
        for panel in self.panels.built:
            panel.show_truth(truth)
        self.refresh()
        self.controller.repaint_layers()

    def _zoomed(self, percent: float) -> None:
        self.status.show_zoom(percent if self.has_picture else None)

    def _uncovered_areas(self) -> list[QRect]:
        """Return what messages must not cover: the selected box and the drawn rectangle."""
        region = self.session.store.document.region
        rects = [self.controller.selected_box, QRectF(QPointF(*region[:2]), QPointF(*region[2:])) if region else None]
        corner = self.canvas.mapTo(self, QPoint(0, 0))
        return [
            QRectF(self.canvas.to_screen(rect.topLeft()), self.canvas.to_screen(rect.bottomRight()))
            .toRect()
            .translated(corner)
            for rect in rects
            if rect is not None
        ]

    def _open_menu(self, subject: Subject, place: QPoint) -> None:
        self.menus.open(subject, place)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Let the Tab key enter every panel in view at the control that is read first."""
        for panel in self.panels.built:
            if panel.isVisible() and not panel.isAncestorOf(self.focusWidget()):  # which has put itself in order
                put_in_reading_order(panel)
        return super().focusNextPrevChild(forward)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Open the menu of a thing that is in no panel, such as a row of the zoo.

        Qt's own, of all panels whether they can answer or not, is not wanted.
        """
        found = find(self, event)
        if found is not None:
            self.menus.open(found, event.globalPos())

    def _run_command(self, name: str) -> None:
        self.commands.actions(self)[name].trigger()

    def _tour_part(self, name: str) -> QWidget | None:
        bars = {"centre": self.centre, "workspaces": self.workspace_bar, "model": self.model_box}
        return bars.get(name, self.menuBar())

    def _search(self) -> list[Command]:
        """Return what the palette finds beside commands."""
        return [*settings_search.settings(self.context), *self.help.entries()]

    def _search_further(self) -> None:
        """Build panels for their settings once the typing pauses."""
        if settings_search.unbuilt(self.context):
            self._searching.start(PAUSE_MS)

    def _build_searched(self) -> None:
        """Build one panel, so that a letter typed meanwhile need not wait; search their settings after the last."""
        waiting = settings_search.unbuilt(self.context)
        if not self.palette_overlay.isVisible() or self.closed:
            return
        if waiting:
            _ = self.panels[waiting[0]]
            self._searching.start(0)
        else:
            self.palette_overlay.put(self._search())

    def _restyle(self) -> None:
        self.commands.restyle()
        self.workspace_bar.restyle()
        self.controller.repaint_layers()
