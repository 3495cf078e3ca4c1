"""The Help menu: shortcuts, palette, about."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QMessageBox

from viewer.commands.command import Command
from viewer.window.main_window import Window


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    return [
        Command(
            "shortcuts", "Keyboard shortcuts", partial(show_shortcuts, w), shortcut="?", menu="Help", icon="keyboard"
        ),
        Command(
            "palette",
            "Command palette",
            partial(show_palette, w),
            shortcut=("Ctrl+Shift+P", "Ctrl+K"),
            menu="Help",
            icon="palette",
        ),
        Command(
            "messages",
            "Messages so far",
            partial(w.docks.show, "log"),
            menu="Help",
            icon="info",
            help="Everything the program has said, with details, newest last",
        ),
        Command("about", "About Vitrine", partial(show_about, w), menu="Help", group="about"),
    ]


def show_palette(w: Window) -> None:
    """Open the command palette."""
    w.palette_overlay.open()


def show_shortcuts(w: Window) -> None:
    """Open the list of shortcuts."""
    w.shortcuts.open()


def show_about(w: Window) -> None:
    """Show what Vitrine is."""
    text = "Vitrine opens a trained vision model and lets you look inside it.\n\nMIT licence."
    QMessageBox.about(w, "About Vitrine", text)
