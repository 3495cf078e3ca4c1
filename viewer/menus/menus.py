"""Every command of the program in one table, from which menus, shortcuts and palette are built."""

from __future__ import annotations

from viewer.commands.command import Commands
from viewer.menus import (
    edit,
    figure,
    file,
    inspect,
    interpretation,
    latent,
    maps,
    model,
    picture_sets,
    second_model,
    timeline,
    translation,
    user_code,
    view,
)
from viewer.menus import help as help_menu
from viewer.window.main_window import Window

GESTURES = (
    ("Wheel", "Zoom to the cursor"),
    ("Drag", "Move the picture"),
    ("Click", "Select a box, or pin the place for anchors"),
    ("Ctrl + click", "Pick a second box beside the selected one"),
    ("Shift + drag", "Draw a rectangle: why was nothing found here?"),
    ("Up / Down", "Next of the overlapping boxes"),
    ("Shift + drop", "Open weights beside the model, to compare the two"),
    ("Double click", "A slider goes back to the model's own value, a thumbnail's picture is fitted"),
    ("Right click", "What can be done with the picture, a box, a row, a channel, a map or a thumbnail"),
    ("Delete in the strip", "Take the picture out; its file stays"),
)


def table(window: Window) -> Commands:
    """Return the command table of a window."""
    return Commands(
        [
            *file.commands(window),
            *figure.commands(window),
            *edit.commands(window),
            *view.commands(window),
            *view.playback(window),
            *model.commands(window),
            *user_code.commands(window),
            *interpretation.commands(window),
            *translation.commands(window),
            *second_model.commands(window),
            *inspect.commands(window),
            *maps.commands(window),
            *picture_sets.commands(window),
            *latent.commands(window),
            *timeline.commands(window),
            *help_menu.commands(window),
        ]
    )
