"""View > Text size: how large text and controls are, beyond what the system says. It is in force after a restart."""

from __future__ import annotations

from functools import partial

from viewer.commands.command import Command
from viewer.menus.language import offer_restart
from viewer.session.preferences import PERCENTS
from viewer.translation import tr
from viewer.window.main_window import Window

KEY = "text size"


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    begun = w.settings.percent
    return [
        Command(
            f"text-size-{percent}",
            tr("{percent} %", percent=percent),
            partial(choose, w, percent, begun),
            menu="View/Text size",
            group="window",
            help=tr("Show all text and controls at {percent} % of their usual size", percent=percent),
            checked=partial(_is_chosen, w, percent),
        )
        for percent in PERCENTS
    ]


def choose(w: Window, percent: int, begun: int) -> None:
    """Keep a size, and offer to start again if it is not the one the window was begun with."""
    w.settings.percent = percent
    w.settings.save()
    text = tr("The size of text changes when Vitrine starts again. Pictures, model and settings stay open.")
    offer_restart(w, text if percent != begun else "", key=KEY)


def _is_chosen(w: Window, percent: int) -> bool:
    return w.settings.percent == percent
