"""The window's docks: one per panel, arranged for each workspace, and the layouts the user made of them."""

from __future__ import annotations

from collections.abc import Set
from functools import partial

from PySide6.QtCore import QByteArray, QEvent, QObject, QRect, Qt, QTimer, Signal
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar

from models import model_name
from viewer.panels.base import WIDEST_PX, Panel
from viewer.session.document import Document
from viewer.session.preferences import Settings
from viewer.translation import tr
from viewer.window.invitations import Invited
from viewer.window.lazy_panels import LazyPanels
from viewer.window.workspaces import BY_ID, WORKSPACES, serves

AREAS = {
    "left": Qt.DockWidgetArea.LeftDockWidgetArea,
    "right": Qt.DockWidgetArea.RightDockWidgetArea,
    "bottom": Qt.DockWidgetArea.BottomDockWidgetArea,
}
LAYOUT_VERSION = 5
# Docks in the upper right; a model uses one of the first four.
TOP = ("detect", "classify", "segment", "explore", "model")
INTERPRETATION = "interpretation"
FILM, CLOSED = "film", "film_closed"
SIDE_PX = WIDEST_PX
BOTTOM_PX = 176
WINDOW_PX = (1280, 800)
BARS_PX = 110  # menus, workspaces and status
LOWER_PX = 150  # of a lower dock at the right that does not say what it needs
LOWER_LEAST, LOWER_MOST, BOTTOM_MOST = 0.4, 0.55, 0.4  # of the window's height


class Docks(QObject):
    """Docks by panel id in `by_id`, of which the current `workspace` shows those that can answer for the model.

    A panel is on stage while it is open in the workspace and the model has what it needs; opening and closing are the
    user's, the model's needs only hide it for the time being. The film strip appears with the second picture, unless
    the user closed it. `changed` is emitted when another workspace is shown or other panels are.
    """

    changed = Signal()
    command_wanted = Signal(str)

    def __init__(self, window: QMainWindow, panels: LazyPanels, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._panels, self._settings = window, panels, settings
        self._many: bool | None = None
        self._lacking: set[str] = set()
        self._model, self._suited = "", ""
        self._recalled = ""  # the model of a session that brought its own workspace
        self._closing = False
        self._fitted = ""  # the last model, without assumptions, whose workspace was known
        self.workspace = WORKSPACES[0].id
        self._open = {workspace.id: self._at_first(workspace.id) for workspace in WORKSPACES}
        self._layouts: dict[str, str] = {}
        self._holders: list[Invited] = []
        self._document = Document()
        self._unsized = False  # the initial layout had no dock at the right yet whose width could be set
        self._dismissed: set[str] = set()  # panels that came by themselves and that the user closed
        self.by_id: dict[str, QDockWidget] = {}
        options = QMainWindow.DockOption.AllowTabbedDocks | QMainWindow.DockOption.AllowNestedDocks
        window.setDockOptions(options)
        window.setCorner(Qt.Corner.BottomRightCorner, AREAS["right"])
        window.setCorner(Qt.Corner.BottomLeftCorner, AREAS["left"])
        for entry in panels.entries.values():
            dock = QDockWidget(entry.title, window)
            dock.setObjectName(f"dock-{entry.id}")
            dock.setAccessibleName(entry.title)
            if entry.area == "left":
                features = QDockWidget.DockWidgetFeature.DockWidgetClosable
                dock.setFeatures(features | QDockWidget.DockWidgetFeature.DockWidgetMovable)
            dock.installEventFilter(self)
            dock.visibilityChanged.connect(partial(self._seen, entry.id))
            dock.toggleViewAction().triggered.connect(partial(self._chosen, entry.id))
            self.by_id[entry.id] = dock
        panels.on_built.append(self._take)
        self._place()
        self._stage()
        # After hiding most: Qt enlarges a window for all docks that a state shows, if only for a moment.
        self._initial = window.saveState(LAYOUT_VERSION)

    # workspaces

    def enter(self, workspace: str) -> None:
        """Show a workspace as it was left, at first in its initial layout."""
        if workspace == self.workspace or workspace not in BY_ID:
            return
        self._keep()
        self.workspace = workspace
        self._lay_out()

    def is_current(self, workspace: str) -> bool:
        """Return whether a workspace is the one that is shown."""
        return workspace == self.workspace

    def serves(self, workspace: str) -> bool:
        """Return whether the model can answer to any panel of a workspace."""
        return serves(workspace, self._panels.entries.values(), self._lacking)

    def members(self) -> list[str]:
        """Return the panels to offer in the current workspace: its own that can answer, and others that are open."""
        opened = self._open[self.workspace]
        found = [
            entry
            for entry in self._panels.entries.values()
            if self.can(entry.id) and entry.id != FILM and (entry.workspace == self.workspace or entry.id in opened)
        ]
        return [entry.id for entry in sorted(found, key=lambda entry: self.workspace not in entry.opened)]

    def can(self, name: str) -> bool:
        """Return whether a panel can answer for the model."""
        return name not in self._lacking

    def suit(self, lacking: Set[str], *, model: str, fitting: str) -> None:
        """Take the panels that cannot answer for a model off the stage, and bring back those that can again.

        With another kind of model comes the workspace that is `fitting` for it; a file that is read in another way
        stays in the workspace in which that was chosen.
        """
        if lacking == self._lacking and (model, fitting) == (self._model, self._suited):
            return
        self._lacking = {*lacking}
        self._model = model
        base = model_name.split(model)[0]
        another = base == self._fitted and INTERPRETATION in self._open[self.workspace] and fitting != self.workspace
        enters = bool(fitting) and fitting != self._suited and model != self._recalled and base != self._fitted
        self._suited = fitting or self._suited
        self._fitted = base if fitting else self._fitted
        if enters and fitting != self.workspace:
            self.enter(fitting)
        elif not self.serves(self.workspace) and self._suited:
            self.enter(self._suited)
        self._stage()
        if another and fitting:
            self.show(INTERPRETATION)  # where another reading was chosen, it can be taken back

    # panels

    def arrange(self) -> None:
        """Arrange the panels in the current workspace's initial layout."""
        self._restore(self._initial)
        self._stage()
        self._proportion()
        QTimer.singleShot(0, self, self._retire_bars)

    def _place(self) -> None:
        """Give every dock its place, as tabs with the others of that place."""
        docks, entries = self.by_id, self._panels.entries
        for entry in entries.values():
            self._window.addDockWidget(AREAS[entry.area], docks[entry.id])
        firsts = {"bottom": "results", "right": "anchors"}
        for entry in entries.values():
            first = TOP[0] if entry.id in TOP else firsts.get(entry.area, "")
            if first in docks and entry.id != first:
                self._window.tabifyDockWidget(docks[first], docks[entry.id])

    def reset(self) -> None:
        """Restore the initial layout of the workspace, including panels that the user had closed for good."""
        self._settings.extra.pop(CLOSED, None)
        self._open[self.workspace] = self._at_first(self.workspace)
        self._layouts.pop(self.workspace, None)
        self.arrange()

    def toggle(self, name: str) -> None:
        """Show a panel in front of those in the same place; hide it if it is already in front."""
        dock = self.by_id[name]
        # For Qt, a dock behind another tab counts as visible.
        if dock.isVisible() and not dock.visibleRegion().isEmpty():
            self.hide(name)
        else:
            self.show(name)
        if name == FILM:
            self._settings.extra[CLOSED] = self.by_id[name].isHidden()

    def hide(self, name: str) -> None:
        """Close a panel in the current workspace."""
        self._open[self.workspace].discard(name)
        self._dismissed.add(name)
        self.by_id[name].hide()
        self.changed.emit()

    def show(self, name: str) -> None:
        """Open a panel in front of those in the same place, at least as high as it requires.

        One that cannot answer for the model comes with the next model for which it can.
        """
        self._open[self.workspace].add(name)
        self._dismissed.discard(name)
        if not self.can(name):
            return
        dock, least = self.by_id[name], self._panels.entries[name].height_px
        dock.show()
        dock.raise_()
        short = least - dock.height()
        if short > 0 and not dock.isFloating():
            docks, heights = [dock], [least]
            above = next((d for d in map(self.by_id.get, TOP) if d is not None and _over(d, dock)), None)
            if self._panels.entries[name].area == "right" and above is not None:
                # Given the height of one dock only, Qt distributes the difference over both.
                docks, heights = [above, dock], [max(1, above.height() - short), least]
            self._window.resizeDocks(docks, heights, Qt.Orientation.Vertical)
        if self._unsized and self._panels.entries[name].area == "right" and not dock.isFloating():
            self._unsized = False
            self._window.resizeDocks([dock], [SIDE_PX], Qt.Orientation.Horizontal)
        self.changed.emit()

    def offer(self, name: str) -> None:
        """Show a panel that says more about what was clicked, unless the user closed it before."""
        if name not in self._dismissed and self.can(name) and not self.shown(name):
            self.show(name)

    def invite(self, document: Document) -> None:
        """Let empty panels say what would fill them."""
        self._document = document
        for holder in self._holders:
            holder.follow(document)

    def shown(self, name: str) -> bool:
        """Whether a panel is shown, possibly behind another tab."""
        return not self.by_id[name].isHidden()

    def follow(self, *, many: bool) -> None:
        """Show the film strip when there are several pictures, hide it when there are no longer."""
        if many != self._many:
            self._many = many
            if not many:
                self._open[self.workspace].discard(FILM)
            self.by_id[FILM].setVisible(self._film)

    def quiet(self) -> None:
        """Stop telling panels about their visibility: the window is closing."""
        self._closing = True

    # keeping

    def save(self) -> None:
        """Store the layouts in the settings."""
        self._keep()
        settings = self._settings
        settings.geometry = bytes(self._window.saveGeometry().toBase64().data()).decode()
        settings.layouts = {
            name: {"state": self._layouts.get(name, ""), "open": sorted(opened)}
            for name, opened in self._open.items()
            if name in self._layouts or opened != self._at_first(name)
        }

    def restore(self) -> None:
        """Restore the window's size and every workspace's layout from the settings; never larger than the screen."""
        window, settings = self._window, self._settings
        if (layout := window.layout()) is not None:
            layout.activate()  # else the window stays as high as all docks together, which were shown to be placed
        window.resize(*WINDOW_PX)
        if settings.geometry:
            window.restoreGeometry(QByteArray.fromBase64(settings.geometry.encode()))
        if not window.windowState() & (Qt.WindowState.WindowMaximized | Qt.WindowState.WindowFullScreen):
            window.setGeometry(within(window.geometry(), window.screen().availableGeometry()))
        for name, layout in settings.layouts.items():
            if name in BY_ID:
                self._layouts[name] = str(layout["state"])
                self._open[name] = {*layout["open"]} & {*self.by_id}
        self._lay_out()

    def recorded(self, document: Document) -> Document:
        """Return a document that says which workspace is shown, and which panels are open in each."""
        opened = tuple((name, tuple(sorted(panels))) for name, panels in self._open.items())
        return document.with_view(workspace=self.workspace, opened=opened)

    def recall(self, document: Document) -> None:
        """Show the workspace and the panels that a document of a session says were shown."""
        view = document.view
        for name, opened in view.opened:
            if name in BY_ID:
                self._open[name] = {*opened} & {*self.by_id}
        if view.workspace in BY_ID:
            self._recalled = document.model
            self.enter(view.workspace)
            self._stage()

    # inside

    def _at_first(self, workspace: str) -> set[str]:
        return {entry.id for entry in self._panels.entries.values() if workspace in entry.opened}

    @property
    def _film(self) -> bool:
        wanted = bool(self._many) or FILM in self._open[self.workspace]
        return wanted and not self._settings.extra.get(CLOSED)

    def _keep(self) -> None:
        """Remember the current workspace's layout."""
        self._layouts[self.workspace] = bytes(self._window.saveState(LAYOUT_VERSION).toBase64().data()).decode()

    def _lay_out(self) -> None:
        """Bring the docks into the current workspace's layout."""
        kept = QByteArray.fromBase64(self._layouts.get(self.workspace, "").encode())
        if not kept.isEmpty() and self._restore(kept):
            self._stage()
            QTimer.singleShot(0, self, self._retire_bars)
        else:
            self.arrange()

    def _restore(self, state: QByteArray) -> bool:
        """Bring the docks into a stored arrangement; return whether it was one of this version."""
        bars = [] if self._window.isVisible() else self._bars()
        done = self._window.restoreState(state, LAYOUT_VERSION)
        for bar in bars:
            bar.hide()  # Qt replaces the bars, and retires the old ones only in a visible window
        return done

    def _stage(self) -> None:
        """Show the docks that are open and can answer, and hide the others."""
        opened, come = self._open[self.workspace], []
        for name, dock in self.by_id.items():
            wanted = self._film if name == FILM else name in opened and self.can(name)
            if wanted == dock.isHidden():
                dock.setVisible(wanted)
                come += [dock] if wanted and name != FILM else []
        for dock in reversed(come):
            dock.raise_()  # of several that come into one place, the first is in front, not the last
        self.changed.emit()

    def _proportion(self) -> None:
        """Give the docks of the initial layout their sizes, and put the workspace's own panels in front."""
        docks, entries = self.by_id, self._panels.entries
        shown = [name for name in entries if not docks[name].isHidden()]
        own = [name for name in shown if entries[name].workspace == self.workspace]
        for name in reversed([*own, *(name for name in shown if name not in own)]):
            docks[name].raise_()
        upper = next((name for name in shown if name in TOP), "")
        lower = next((n for n in (*own, *shown) if entries[n].area == "right" and n not in TOP), "")
        self._unsized = not (upper or lower)
        for name in filter(None, (upper, lower)):
            self._window.resizeDocks([docks[name]], [SIDE_PX], Qt.Orientation.Horizontal)
        if upper and lower:
            # Never more than there is: Qt would enlarge the window.
            room, wanted = max(2, self._window.height() - BARS_PX), entries[lower].height_px or LOWER_PX
            if entries[lower].height_px:
                wanted = max(wanted, round(room * LOWER_LEAST))
            wanted = min(wanted, round(room * LOWER_MOST))
            heights = [room - wanted, wanted]
            self._window.resizeDocks([docks[upper], docks[lower]], heights, Qt.Orientation.Vertical)
        for name in shown:
            if entries[name].area == "bottom":
                height = min(entries[name].height_px or BOTTOM_PX, round(self._window.height() * BOTTOM_MOST))
                self._window.resizeDocks([docks[name]], [height], Qt.Orientation.Vertical)

    def _seen(self, name: str, in_view: bool) -> None:
        """Tell a panel that it became visible or hidden; build it if necessary."""
        if self._closing or (not in_view and self.by_id[name].widget() is None):
            return
        self._panels[name].view_changed(in_view)

    def _chosen(self, name: str, on: bool) -> None:
        """Take the choice of a panel in the menu that Qt opens over titles of docks."""
        if on:
            self.show(name)
        else:
            self.hide(name)

    def _take(self, panel: Panel) -> None:
        """Put a newly built panel into its dock."""
        panel.recall(self._settings.memory(panel.id))
        holder = Invited(panel)
        holder.wanted.connect(self.command_wanted)
        holder.follow(self._document)
        self._holders.append(holder)
        self.by_id[panel.id].setWidget(holder)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Remember which panel the user closed."""
        if event.type() == QEvent.Type.Close and not self._closing:
            name = next((name for name, dock in self.by_id.items() if dock is watched), "")
            self._open[self.workspace].discard(name)
            self._dismissed.add(name)
            if name == FILM:
                self._settings.extra[CLOSED] = True
            self.changed.emit()
        return super().eventFilter(watched, event)

    def _retire_bars(self) -> None:
        """Hide the tab bars that Qt leaves in view, under those in use, where docks have been arranged anew."""
        if self._closing:
            return
        if (layout := self._window.layout()) is not None:
            layout.activate()  # which takes tabs of hidden docks from the bars in use
        by_title = {dock.windowTitle(): dock for dock in self.by_id.values()}
        for bar in self._bars():
            tabs = {by_title.get(bar.tabText(at)) for at in range(bar.count())}
            first = next(iter(tabs), None)
            if first is not None and (first.isHidden() or tabs != {first, *self._beside(first)}):
                bar.hide()

    def _beside(self, dock: QDockWidget) -> list[QDockWidget]:
        """Return the docks that are shown as tabs in a dock's place."""
        return [other for other in self._window.tabifiedDockWidgets(dock) if not other.isHidden()]

    def _bars(self) -> list[QTabBar]:
        """Return the bars with which docks in one place are chosen."""
        return self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)


def name_tabs(bar: QTabBar) -> None:
    """Give a bar with which docks are chosen its name, and show the docks' names in full."""
    bar.setAccessibleName(tr("Panels"))
    # Scrolled instead: names elided to a letter or two are useless.
    bar.setElideMode(Qt.TextElideMode.ElideNone)
    bar.setUsesScrollButtons(True)


def within(wanted: QRect, screen: QRect) -> QRect:
    """Return a window's place, moved and if need be reduced to lie within a screen."""
    size = wanted.size().boundedTo(screen.size())
    left = max(screen.left(), min(wanted.left(), screen.right() + 1 - size.width()))
    top = max(screen.top(), min(wanted.top(), screen.bottom() + 1 - size.height()))
    return QRect(left, top, size.width(), size.height())


def _over(upper: QDockWidget, lower: QDockWidget) -> bool:
    """Return whether a dock is above another on screen."""
    return upper is not lower and upper.isVisible() and not upper.isFloating() and upper.y() < lower.y()
