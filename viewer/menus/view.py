"""The View menu: zoom, pictures, panels, theme, playback."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from viewer import theme
from viewer.commands.command import Command
from viewer.menus import timeline
from viewer.translation import tr
from viewer.window.main_window import Window
from viewer.window.workspaces import BY_ID, WORKSPACES

MODIFIERS = ("Alt", "Alt+Shift", "Ctrl+Alt", "Ctrl+Alt+Shift")


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store, canvas = w.session.store, w.canvas
    named = {"boxes": tr("boxes"), "labels": tr("labels"), "legend": tr("legend")}

    def shown(name: str) -> bool:
        return bool(getattr(store.document.view, name))

    def flip(name: str) -> None:
        title = tr("Hide {name}", name=named[name]) if shown(name) else tr("Show {name}", name=named[name])
        store.update(store.document.with_view(**{name: not shown(name)}), title=title)

    go = {"menu": "View", "group": "go", "enabled": lambda: w.many}
    zoom = {"menu": "View", "group": "zoom", "enabled": lambda: w.has_picture}
    return [
        Command("fit", tr("Fit"), canvas.fit, shortcut="F", icon="fit", **zoom),
        Command("actual-size", "100 %", canvas.actual_size, shortcut="1", icon="actual-size", **zoom),
        Command(
            "zoom-in", tr("Zoom in"), partial(canvas.zoom, 1.25), shortcut=("Ctrl++", "Ctrl+="), icon="zoom-in", **zoom
        ),
        Command("zoom-out", tr("Zoom out"), partial(canvas.zoom, 0.8), shortcut="Ctrl+-", icon="zoom-out", **zoom),
        Command(
            "zoom-selection",
            tr("Zoom to selection"),
            partial(zoom_to_selection, w),
            shortcut="Z",
            menu="View",
            group="zoom",
            enabled=lambda: w.controller.selected_box is not None,
        ),
        Command("next-picture", tr("Next picture"), partial(w.session.step, 1), shortcut="Right", **go),
        Command("last-picture", tr("Previous picture"), partial(w.session.step, -1), shortcut="Left", **go),
        Command(
            "boxes",
            tr("Boxes"),
            partial(flip, "boxes"),
            shortcut="B",
            menu="View",
            group="layers",
            checked=lambda: shown("boxes"),
        ),
        Command(
            "labels",
            tr("Labels"),
            partial(flip, "labels"),
            shortcut="L",
            menu="View",
            group="layers",
            checked=lambda: shown("labels"),
        ),
        Command(
            "knowledge",
            tr("What the model knows"),
            w.knowledge.toggle,
            menu="View",
            group="layers",
            help=tr("A line under the picture: what the model was made for, and which models know more"),
            checked=lambda: w.knowledge.wanted,
        ),
        Command(
            "legend",
            tr("Legend"),
            partial(flip, "legend"),
            shortcut="Shift+L",
            menu="View",
            group="layers",
            help=tr("What the colours of boxes and maps mean; it can be dragged"),
            checked=lambda: shown("legend"),
        ),
        *[
            Command(
                f"workspace-{workspace.id}",
                workspace.title,
                partial(w.docks.enter, workspace.id),
                shortcut=f"Ctrl+{number}",
                menu="View/Workspace",
                group="workspace",
                icon=workspace.icon,
                help=workspace.help,
                enabled=partial(w.docks.serves, workspace.id),
                checked=partial(w.docks.is_current, workspace.id),
            )
            for number, workspace in enumerate(WORKSPACES, 1)
        ],
        *[
            Command(
                f"panel-{panel.id}",
                panel.title,
                partial(w.docks.toggle, panel.id),
                shortcut=_panel_keys(number),
                menu=f"View/Panels/{BY_ID[panel.workspace].title}" if panel.workspace in BY_ID else "View/Panels",
                group="window",
                icon=panel.icon,
                enabled=partial(w.docks.can, panel.id),
                checked=partial(w.docks.shown, panel.id),
            )
            for number, panel in enumerate(w.panels.entries.values(), 1)
        ],
        Command("reset-layout", tr("Reset layout"), w.arrange, menu="View/Panels", group="reset"),
        *[
            Command(
                f"theme-{scheme}",
                title,
                partial(set_theme, w, scheme),
                menu="View/Theme",
                group="window",
                checked=partial(theme_is, w, scheme),
            )
            for scheme, title in (
                ("system", tr("Theme of the system")),
                ("dark", tr("Dark theme")),
                ("light", tr("Light theme")),
            )
        ],
        Command(
            "full-screen",
            tr("Full screen"),
            partial(toggle_full_screen, w),
            shortcut="F11",
            menu="View",
            group="window",
        ),
    ]


def playback(w: Window) -> list[Command]:
    """Return the commands for playback of a video, or of a path through a latent space."""
    play, step = w.live_view, partial(timeline.step, w)
    live = {"menu": "View/Playback", "group": "live", "enabled": lambda: play.open}
    both = {**live, "enabled": lambda: timeline.plays(w) or play.open}
    return [
        Command("play", tr("Play or pause"), partial(timeline.play, w), shortcut="Space", icon="play", **both),
        Command("next-frame", tr("Next frame"), partial(step, 1), shortcut=".", icon="step-forward", **both),
        Command("last-frame", tr("Previous frame"), partial(step, -1), shortcut=",", icon="step-back", **both),
        Command(
            "record",
            tr("Record video…"),
            play.record,
            shortcut="Ctrl+Shift+R",
            icon="record",
            help=tr("Write what is shown, with its overlay; again to finish the file"),
            checked=lambda: play.recording,
            **live,
        ),
    ]


def _panel_keys(number: int) -> str:
    """Return the keys of the panel with a number from 1, "" if there are none left.

    Nine with Alt, nine more with a further modifier, and so on.
    """
    more, digit = divmod(number - 1, 9)
    return f"{MODIFIERS[more]}+{digit + 1}" if more < len(MODIFIERS) else ""


def zoom_to_selection(w: Window) -> None:
    """Zoom to the selected box, with a margin."""
    box = w.controller.selected_box
    if box is not None:
        room = max(box.width(), box.height())
        w.canvas.zoom_to(box.adjusted(-room, -room, room, room))


def set_theme(w: Window, scheme: Any) -> None:
    """Set and store a theme."""
    w.settings.theme = scheme
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    theme.apply(application, scheme)


def theme_is(w: Window, scheme: str) -> bool:
    """Whether a theme is the chosen one."""
    return w.settings.theme == scheme


def toggle_full_screen(w: Window) -> None:
    """Enter or leave full screen."""
    w.setWindowState(w.windowState() ^ Qt.WindowState.WindowFullScreen)
