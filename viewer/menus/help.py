"""The Help menu: shortcuts, palette, messages, glossary, documentation, tour, about."""

from __future__ import annotations

from functools import partial

from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    return [
        Command(
            "shortcuts",
            tr("Keyboard shortcuts"),
            partial(show_shortcuts, w),
            shortcut="?",
            menu="Help",
            icon="keyboard",
        ),
        Command(
            "palette",
            tr("Command palette"),
            partial(show_palette, w),
            shortcut=("Ctrl+Shift+P", "Ctrl+K"),
            menu="Help",
            icon="palette",
        ),
        Command(
            "messages",
            tr("Messages"),
            partial(w.docks.show, "log"),
            menu="Help",
            icon="info",
            help=tr("Everything the program has said, with details, newest last"),
        ),
        Command(
            "help-here",
            tr("What is this?"),
            w.help.here,
            shortcut="F1",
            menu="Help",
            group="words",
            help=tr("Explains the word under the pointer or the focused control, or its panel"),
        ),
        Command(
            "glossary",
            tr("Glossary"),
            partial(show_glossary, w),
            menu="Help",
            group="words",
            help=tr("The field's words, from activation to VAE"),
        ),
        Command(
            "documentation",
            tr("Documentation"),
            partial(w.help.show_page, "features.md"),
            menu="Help",
            group="words",
        ),
        Command(
            "tour",
            tr("Take the tour"),
            w.help.begin_tour,
            menu="Help",
            group="words",
            help=tr("Five steps through the window"),
        ),
        Command("about", tr("About Vitrine"), partial(show_about, w), menu="Help", group="about"),
    ]


def show_palette(w: Window) -> None:
    """Open the command palette."""
    w.palette_overlay.open()


def show_shortcuts(w: Window) -> None:
    """Open the list of shortcuts."""
    w.shortcuts.open()


def show_glossary(w: Window) -> None:
    """Open the glossary at its first word."""
    w.help.glossary.open()


def show_about(w: Window) -> None:
    """Show the version, the libraries and the licences."""
    w.help.about.open()
