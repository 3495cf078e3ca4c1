"""The bar at the top: the workspaces, and the panels of the one that is shown."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow, QToolBar, QToolButton

from viewer import theme
from viewer.translation import tr
from viewer.window.docks import Docks
from viewer.window.workspaces import WORKSPACES


class WorkspaceBar(QToolBar):
    """Buttons for the workspaces, then one for each panel of the current workspace; what has no room is behind »."""

    def __init__(self, actions: Mapping[str, QAction], docks: Docks, window: QMainWindow) -> None:
        super().__init__(tr("Workspaces"), window)
        self._actions, self._docks = actions, docks
        self._panels: list[str] = []
        self.setObjectName("workspaces")
        self.setAccessibleName(tr("Workspaces"))
        self.setMovable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.toggleViewAction().setVisible(False)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        for workspace in WORKSPACES:
            self.addAction(actions[f"workspace-{workspace.id}"])
        self.addSeparator()
        self.restyle()
        extension = self.findChild(QToolButton, "qt_toolbar_ext_button")
        if extension is not None:
            extension.setAccessibleName(tr("More panels"))
            extension.setToolTip(tr("More panels"))
        docks.changed.connect(self.follow)
        self.follow()

    def follow(self) -> None:
        """Offer the panels of the current workspace, and mark what is shown."""
        wanted = self._docks.members()
        if wanted != self._panels:
            for name in self._panels:
                self.removeAction(self._actions[f"panel-{name}"])
            for name in wanted:
                action = self._actions[f"panel-{name}"]
                self.addAction(action)
                button = self.widgetForAction(action)
                if isinstance(button, QToolButton):
                    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            self._panels = wanted
        for workspace in WORKSPACES:
            action = self._actions[f"workspace-{workspace.id}"]
            action.setEnabled(self._docks.serves(workspace.id))
            action.setChecked(self._docks.is_current(workspace.id))
        for name in wanted:
            self._actions[f"panel-{name}"].setEnabled(True)
            self._actions[f"panel-{name}"].setChecked(self._docks.shown(name))

    def restyle(self) -> None:
        """Draw the icons in the colours of the theme."""
        for workspace in WORKSPACES:
            self._actions[f"workspace-{workspace.id}"].setIcon(theme.icon(workspace.icon))
