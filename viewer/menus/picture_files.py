"""Commands that choose the single picture files which panels compare with, or take something from."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from models.pictures.images import PICTURE_SUFFIXES
from models.requests import Request
from models.runtime import user_folders
from models.types import Refusal, Result
from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window

# Inspection and parameter of each file: what is chosen, what for, and the inspection that must apply.
STYLE, CYCLE = "style", "cycle"
FILES = {
    (STYLE, "style"): (tr("a style picture"), tr("A picture whose style is put on the open one")),
    (CYCLE, "other"): (
        tr("a picture of the other world"),
        tr("A picture of the kind that is made, for the cycle from there"),
    ),
}
# Title of the command, of its dialog, and what is written.
EXPORTS = {
    STYLE: (
        tr("Export the picture with the style…"),
        tr("Export the picture with the style"),
        tr("The picture as PNG, the film of its steps as GIF, its losses as JSON, and the recipe"),
    ),
    CYCLE: (
        tr("Export the cycle…"),
        tr("Export the cycle"),
        tr("The picture, what was made and what returned as PNG, all numbers as JSON, and the recipe"),
    ),
}


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store = w.session.store

    def choose(inspection: str, name: str, what: str) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in sorted(PICTURE_SUFFIXES))
        title = tr("Choose {what}", what=what)
        found, _ = QFileDialog.getOpenFileName(w, title, w.settings.last_folder, tr("Pictures ({kinds})", kinds=kinds))
        if found:
            w.docks.show(inspection)
            store.update(store.document.with_value(inspection, **{name: found}), title=title)

    def applies(inspection: str) -> bool:
        description = w.session.description
        offer = description.offers.get(inspection) if description is not None else None
        return offer is not None and not offer.reason

    return [
        Command(
            f"export-{inspection}",
            title,
            partial(ask_export, w, inspection),
            menu="File",
            group="export",
            help=help_text,
            enabled=partial(lambda each: _made(w, each) is not None, inspection),
        )
        for inspection, (title, _, help_text) in EXPORTS.items()
    ] + [
        Command(
            f"{inspection}-{name}",
            tr("Choose {what}…", what=what),
            partial(choose, inspection, name, what),
            menu="Inspect",
            group=inspection,
            help=help_text,
            enabled=partial(applies, inspection),
        )
        for (inspection, name), (what, help_text) in FILES.items()
    ]


def ask_export(w: Window, inspection: str) -> None:
    """Ask for a path for the picture of an answer."""
    found = _made(w, inspection)
    if found is None:
        return
    begin = Path(w.settings.last_folder or user_folders.user_folder()) / f"{found[0].stem}.png"
    name, _ = QFileDialog.getSaveFileName(w, EXPORTS[inspection][1], str(begin), "*.png")
    if name:
        export(w, inspection, Path(name))


def export(w: Window, inspection: str, path: Path) -> list[Path]:
    """Write the picture of an answer, its numbers and what else belongs to it, with the recipe, and confirm it."""
    from viewer.export import answers

    found = _made(w, inspection)
    if found is None:
        return []
    try:
        kinds = answers.KINDS_OF[inspection]
        written = answers.write(path.parent, *found, None, kinds=kinds, name=path.name.removesuffix(".png"))
    except Refusal as refusal:
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return []
    w.settings.last_folder = str(path.parent)
    w.tell(tr("Exported {written} with its recipe.", written=written[0].name), severity="success", key="export")
    return written


def _made(w: Window, inspection: str) -> tuple[Request, Result] | None:
    found = w.session.results.get(inspection)
    return found if found is not None and not found[1].meta.get("partial") else None
