"""The window's docks: one per panel, their initial layout, and the layout the user made."""

from __future__ import annotations

from collections.abc import Set
from functools import partial

from PySide6.QtCore import QByteArray, QEvent, QObject, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar

from viewer.panels.base import Panel
from viewer.session.preferences import Settings
from viewer.window.lazy_panels import LazyPanels

AREAS = {
    "left": Qt.DockWidgetArea.LeftDockWidgetArea,
    "right": Qt.DockWidgetArea.RightDockWidgetArea,
    "bottom": Qt.DockWidgetArea.BottomDockWidgetArea,
}
LAYOUT_VERSION = 4
# Docks in the upper right; a model uses one of the first four.
TOP = ("detect", "classify", "segment", "explore", "model")
CLOSED = "film_closed"
SIDE_PX = 304
BOTTOM_PX = 176
WINDOW_PX = (1280, 800)


class Docks(QObject):
    """Docks by panel id in `by_id`. The film strip appears with the second picture, unless the user closed it."""

    def __init__(self, window: QMainWindow, panels: LazyPanels, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._panels, self._settings = window, panels, settings
        self._many: bool | None = None
        self._lacking: set[str] = set()
        self._away: set[str] = set()
        self._closing = False
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
            self.by_id[entry.id] = dock
        panels.furnish.append(self._take)
        self.arrange()

    def arrange(self) -> None:
        """Arrange all panels in their initial layout."""
        docks = self.by_id
        for entry in self._panels.entries.values():
            dock = docks[entry.id]
            dock.setFloating(False)
            self._window.addDockWidget(AREAS[entry.area], dock)
            dock.setVisible(entry.opened and entry.id not in self._lacking)
        for area, first in (("right", "anchors"), ("bottom", "results")):
            for entry in self._panels.entries.values():
                if entry.area == area and entry.id not in (*TOP, first):
                    self._window.tabifyDockWidget(docks[first], docks[entry.id])
        for name in TOP[1:]:
            if name in docks:
                self._window.tabifyDockWidget(docks["detect"], docks[name])
        self._window.resizeDocks([docks["detect"]], [SIDE_PX], Qt.Orientation.Horizontal)
        self._window.resizeDocks([docks["detect"], docks["anchors"]], [590, 150], Qt.Orientation.Vertical)
        self._window.resizeDocks([docks["results"]], [BOTTOM_PX], Qt.Orientation.Vertical)
        docks["anchors"].raise_()
        docks["results"].raise_()
        docks["film"].setVisible(bool(self._many))

    def reset(self) -> None:
        """Restore the initial layout, including panels that the user had closed for good."""
        self._settings.extra.pop(CLOSED, None)
        self.arrange()

    def toggle(self, name: str) -> None:
        """Show a panel in front of those in the same place; hide it if it is already in front."""
        dock = self.by_id[name]
        # For Qt, a dock behind another tab counts as visible.
        if dock.isVisible() and not dock.visibleRegion().isEmpty():
            dock.hide()
        else:
            self.show(name)
        if name == "film":
            self._settings.extra[CLOSED] = self.by_id[name].isHidden()

    def show(self, name: str) -> None:
        """Show a panel in front of those in the same place, at least as high as it requires."""
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
        self._name_tabs()

    def shown(self, name: str) -> bool:
        """Whether a panel is shown, possibly behind another tab."""
        return not self.by_id[name].isHidden()

    def follow(self, *, many: bool) -> None:
        """Show the film strip when there are several pictures, hide it when there are no longer."""
        if many != self._many:
            self._many = many
            self.by_id["film"].setVisible(many and not self._settings.extra.get(CLOSED))

    def suit(self, lacking: Set[str]) -> None:
        """Hide panels of the initial layout that do not apply to the model, and show those that apply again.

        Other panels stay where they are, greyed out, because the user opened them.
        """
        if lacking == self._lacking:
            return
        self._lacking = set(lacking)
        for name, entry in self._panels.entries.items():
            dock = self.by_id[name]
            if entry.opened and name in lacking and not dock.isHidden():
                dock.hide()
                self._away.add(name)
            elif name in self._away and name not in lacking:
                dock.show()
                self._away.discard(name)

    def quiet(self) -> None:
        """Stop telling panels about their visibility: the window is closing."""
        self._closing = True

    def _seen(self, name: str, in_view: bool) -> None:
        """Tell a panel that it became visible or hidden; build it if necessary."""
        if self._closing or (not in_view and self.by_id[name].widget() is None):
            return
        self._panels[name].seen(in_view)

    def _take(self, panel: Panel) -> None:
        """Put a newly built panel into its dock."""
        panel.recall(self._settings.memory(panel.id))
        self.by_id[panel.id].setWidget(panel)

    def save(self) -> None:
        """Store the layout in the settings."""
        window, settings = self._window, self._settings
        for name in self._away:
            self.by_id[name].show()
        settings.geometry = bytes(window.saveGeometry().toBase64().data()).decode()
        settings.state = bytes(window.saveState(LAYOUT_VERSION).toBase64().data()).decode()

    def restore(self) -> None:
        """Restore the size and layout of the last session."""
        window, settings = self._window, self._settings
        window.resize(*WINDOW_PX)
        if settings.geometry:
            window.restoreGeometry(QByteArray.fromBase64(settings.geometry.encode()))
        if settings.state:
            window.restoreState(QByteArray.fromBase64(settings.state.encode()), LAYOUT_VERSION)
        self._name_tabs()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Remember that the user closed the film strip."""
        if event.type() == QEvent.Type.Close and watched is self.by_id.get("film"):
            self._settings.extra[CLOSED] = True
        return super().eventFilter(watched, event)

    def _name_tabs(self) -> None:
        for bar in self._window.findChildren(QTabBar):
            bar.setAccessibleName("Panels")
            if bar.parent() is self._window:
                # Show names in full and scroll the tabs: names elided to a letter or two are useless.
                bar.setElideMode(Qt.TextElideMode.ElideNone)
                bar.setUsesScrollButtons(True)


def _over(upper: QDockWidget, lower: QDockWidget) -> bool:
    """Return whether a dock is above another on screen."""
    return upper is not lower and upper.isVisible() and not upper.isFloating() and upper.y() < lower.y()
