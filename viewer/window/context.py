"""What the parts of a window share, so that none of them has to know the window itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtWidgets import QMainWindow

from viewer.canvas.view import Canvas
from viewer.panels.log import LogPanel
from viewer.session.preferences import Settings
from viewer.session.session import Session
from viewer.widgets.dialogs.toast import Toasts
from viewer.window.docks import Docks
from viewer.window.lazy_panels import LazyPanels


class Messages:
    """What is told to the user: shown for a while, and written to the log."""

    def __init__(self, toasts: Toasts, log: Callable[[], LogPanel]) -> None:
        self.toasts = toasts
        self._log = log

    def tell(self, text: str, *, details: str = "", severity: Any = "info", key: str = "", **more: Any) -> None:
        """Show a message, with what else `Toasts.show_message` takes, and write it to the log."""
        self.toasts.show_message(text.strip(), details=details, severity=severity, key=key or text, **more)
        self.note(text, details)

    def note(self, text: str, details: str = "") -> None:
        """Write to the log alone."""
        self._log().write(text.strip(), details)


@dataclass
class WindowContext:
    """What each part of a window is given. Dialogs stand in front of `frame`; `closed` says that it is gone."""

    frame: QMainWindow
    session: Session
    settings: Settings
    canvas: Canvas
    panels: LazyPanels
    docks: Docks
    messages: Messages
    closed: bool = False
