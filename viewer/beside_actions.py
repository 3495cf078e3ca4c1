"""The actions on a second model beside the first: choose it, swap the two, close it, export both."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from models import cards
from models.files import WEIGHTS_SUFFIXES
from viewer.commands import Command

if TYPE_CHECKING:
    from viewer.window import Window


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    both = {"menu": "Model", "group": "beside", "enabled": lambda: w.panes.on}
    return [
        Command(
            "beside",
            "Compare with another model",
            menu="Model",
            group="beside",
            icon="beside",
            children=lambda: _models(w),
            help="A second model beside this one, on the same picture and with the same settings",
        ),
        Command(
            "beside-file",
            "Compare with weights…",
            partial(ask, w),
            shortcut="Ctrl+Shift+M",
            menu="Model",
            group="beside",
            help="A second model from a file, beside this one",
        ),
        Command("beside-swap", "Swap the two models", w.panes.swap, shortcut="Ctrl+Alt+X", icon="swap", **both),
        Command("beside-close", "Show one model", w.panes.close_second, **both),
    ]


def ask(w: Window) -> None:
    """Ask for a weights file to show beside the model there is."""
    kinds = " ".join(f"*{suffix}" for suffix in sorted(WEIGHTS_SUFFIXES))
    name, _ = QFileDialog.getOpenFileName(w, "Compare with weights", w.settings.last_folder, f"Weights ({kinds})")
    if name:
        w.settings.last_folder = str(Path(name).parent)
        w.panes.choose(name)


def _models(w: Window) -> list[Command]:
    now = w.session.store.document
    names = dict.fromkeys((*cards.bundled(), *w.settings.recent_models))
    return [
        Command(f"beside-{name}", Path(name).name, partial(w.panes.choose, name), help=name)
        for name in names
        if name not in (now.model, now.beside)
    ]
