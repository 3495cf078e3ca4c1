"""The objects that the parts of a window share, so that none of them depends on the window itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtWidgets import QMainWindow

from viewer.canvas.view import Canvas
from viewer.engine_texts import shown
from viewer.session.preferences import Settings
from viewer.session.session import Session
from viewer.widgets.dialogs.toast import Toasts
from viewer.window.docks import Docks
from viewer.window.lazy_panels import LazyPanels

if TYPE_CHECKING:
    from viewer.panels.log import LogPanel


class Messages:
    """Messages to the user: shown for a while, and written to the log."""

    def __init__(self, toasts: Toasts, panels: LazyPanels) -> None:
        self.toasts = toasts
        self._panels = panels

    def tell(self, text: str, *, details: str = "", severity: Any = "info", key: str = "", **more: Any) -> None:
        """Show a message, with further arguments of `Toasts.show_message`, and write it to the log."""
        text = shown(text.strip())
        self.toasts.show_message(text, details=details, severity=severity, key=key or text, **more)
        self.note(text, details)

    def note(self, text: str, details: str = "") -> None:
        """Write to the log only."""
        cast("LogPanel", self._panels["log"]).write(shown(text.strip()), details)


@dataclass
class WindowContext:
    """What each part of a window receives. `frame` is the parent of dialogs; `closed` says that the window is gone."""

    frame: QMainWindow
    session: Session
    settings: Settings
    canvas: Canvas
    panels: LazyPanels
    docks: Docks
    messages: Messages
    closed: bool = False
