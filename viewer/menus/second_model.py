"""Commands for a second model beside the first: choose it, swap the two, close it, export both."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from models import model_name
from models.cards import card
from models.files import MODEL_SUFFIXES
from models.runtime import user_folders
from models.types import Refusal
from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    both = {"menu": "Model", "group": "beside", "enabled": lambda: w.panes.on}
    return [
        Command(
            "beside",
            tr("Compare with"),
            menu="Model",
            group="beside",
            icon="beside",
            children=lambda: _models(w),
            help=tr("A second model beside this one, on the same picture and with the same settings"),
        ),
        Command(
            "beside-file",
            tr("Compare with a model's file…"),
            partial(ask, w),
            shortcut="Ctrl+Alt+Shift+M",
            help=tr("A second model beside this one; it is also listed under Model > Compare with"),
        ),
        Command(
            "export-beside",
            tr("Export both models…"),
            partial(ask_export, w),
            menu="File",
            group="export",
            help=tr("Both panes as one PNG, what differs as JSON, a recipe for each model"),
            enabled=lambda: w.panes.on and w.has_picture,
        ),
        Command("beside-swap", tr("Swap the two models"), w.panes.swap, shortcut="Ctrl+Alt+X", icon="swap", **both),
        Command("beside-close", tr("Show one model"), w.panes.close_second, **both),
    ]


def ask(w: Window) -> None:
    """Ask for a file to open beside the current model."""
    kinds = " ".join(f"*{suffix}" for suffix in sorted(MODEL_SUFFIXES))
    name, _ = QFileDialog.getOpenFileName(
        w, tr("Compare with a model"), w.settings.last_folder, tr("Models ({kinds})", kinds=kinds)
    )
    if name:
        w.settings.last_folder = str(Path(name).parent)
        w.panes.choose(name)


def ask_export(w: Window) -> None:
    """Ask for a path for both panes."""
    document = w.session.store.document
    stem = document.source.stem if document.source else "picture"
    begin = Path(w.settings.last_folder or user_folders.user_folder()) / f"{stem}.two-models.png"
    name, _ = QFileDialog.getSaveFileName(
        w, tr("Export both models"), str(begin), tr("Both panes and what differs (*.png)")
    )
    if name:
        export_to(w, Path(name))


def export_to(w: Window, path: Path) -> list[Path]:
    """Write both panes to `path`, with the differences and recipes beside it, and confirm it."""
    from viewer.export import two_models

    w.settings.last_folder = str(path.parent)
    try:
        written = two_models.write(path.parent, path.name.removesuffix(".png"), w.panes.sides())
    except Refusal as refusal:
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return []
    w.tell(
        tr(
            "Exported {written} and {written_2} with a recipe each.", written=written[0].name, written_2=written[1].name
        ),
        severity="success",
        key="export",
    )
    return written


def _models(w: Window) -> list[Command]:
    now = w.session.store.document
    names = dict.fromkeys((*card.bundled(), *w.settings.recent_models))
    found = [
        Command(f"beside-{name}", model_name.title(name), partial(w.panes.choose, name), help=name)
        for name in names
        if name not in (now.model, now.beside)
    ]
    return [
        *found,
        Command("beside-from-file", tr("From a file…"), partial(ask, w), help=tr("Weights, a program or code")),
    ]
