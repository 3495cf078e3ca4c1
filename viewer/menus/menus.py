"""Every command of the program in one table, from which menus, shortcuts and palette are built."""

from __future__ import annotations

from viewer.commands.command import Commands
from viewer.menus import (
    cluster,
    deidentification,
    edit,
    figure,
    file,
    inspect,
    interpretation,
    language,
    latent,
    maps,
    model,
    picture_files,
    picture_sets,
    second_model,
    text_size,
    timeline,
    translation,
    user_code,
    view,
)
from viewer.menus import help as help_menu
from viewer.translation import tr
from viewer.window.main_window import Window

GESTURES = (
    (tr("Wheel"), tr("Zoom to the cursor")),
    (tr("Drag"), tr("Move the picture")),
    (tr("Click"), tr("Select a box, or pin the place for anchors")),
    (tr("Ctrl + click"), tr("Pick a second box beside the selected one")),
    (tr("Shift + drag"), tr("Draw a rectangle: why was nothing found here?")),
    (tr("Up / Down"), tr("Next of the overlapping boxes")),
    (tr("Shift + drop"), tr("Open weights beside the model, to compare the two")),
    (tr("Double click"), tr("A slider goes back to the model's own value, a thumbnail's picture is fitted")),
    (tr("Right click"), tr("What can be done with the picture, a box, a row, a channel, a map or a thumbnail")),
    (tr("Delete in the strip"), tr("Take the picture out; its file stays")),
)


def table(window: Window) -> Commands:
    """Return the command table of a window."""
    return Commands(
        [
            *file.commands(window),
            *figure.commands(window),
            *edit.commands(window),
            *view.commands(window),
            *language.commands(window),
            *text_size.commands(window),
            *view.playback(window),
            *model.commands(window),
            *user_code.commands(window),
            *cluster.commands(window),
            *interpretation.commands(window),
            *translation.commands(window),
            *deidentification.commands(window),
            *second_model.commands(window),
            *inspect.commands(window),
            *maps.commands(window),
            *picture_sets.commands(window),
            *picture_files.commands(window),
            *latent.commands(window),
            *timeline.commands(window),
            *help_menu.commands(window),
        ]
    )
