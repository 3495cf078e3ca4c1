"""Export what the canvas shows as a figure, in the dialog."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from models.requests import Request
from models.runtime import user_folders
from models.types import Refusal, Result
from viewer.canvas.legend import Legend
from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window

if TYPE_CHECKING:  # built when first wanted: the window opens without them
    from viewer.export.figure import Content, Options
    from viewer.window.export_dialog import ExportDialog

SLOTS = ("generated", "attribution", "detect", "classify", "segment")  # what most figures are of, the first first


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    return [
        Command(
            "export",
            tr("Export picture…"),
            lambda: ask(w),
            shortcut="Ctrl+E",
            menu="File",
            group="export",
            icon="export",
            help=tr("As PNG, SVG or PDF, with colour bar, legend and caption, in any size; or copy it"),
            enabled=lambda: answer_for(w) is not None and w.canvas.pixels is not None,
        )
    ]


def answer_for(w: Window) -> tuple[Request, Result] | None:
    """Return the request and result that a figure's caption and recipe are of, None if there is none."""
    results, document = w.session.results, w.session.store.document
    slot = next((slot for slot in SLOTS if slot in results), "")
    if not slot:
        panels = sorted(w.panels.built, key=lambda panel: -panel.rank)
        painting = (p for p in panels if p.isEnabled() and p.id in results and p.layers(document))
        slot = next((panel.id for panel in painting), "")
    return results.get(slot)


def content(w: Window) -> Content:
    """Return what the canvas shows, as the content of a figure."""
    from viewer.export.figure import Content
    from viewer.presenters.caption import caption

    pixels, answer = w.canvas.pixels, answer_for(w)
    assert pixels is not None
    assert answer is not None
    layers, found = w.controller.layers(), w.session.results.get("detect")
    look, today = w.session.store.document.look, datetime.datetime.now(datetime.UTC).astimezone().date()
    offers = w.session.description.offers if w.session.description is not None else {}
    asked = answer[0].inspection
    title = offers[asked].title if asked in offers else ""
    text = caption(*answer, look, found=found[1] if found else None, date=today, title=title)
    legend: Legend = w.controller.legend(layers, always=True)
    return Content(pixels, layers, legend, w.canvas.legend.at, text)


def dialog(w: Window) -> ExportDialog:
    """Return the dialog for what the canvas shows now."""
    from viewer.window.export_dialog import KEY, ExportDialog

    answer = answer_for(w)
    assert answer is not None
    shown = content(w)
    kept: dict[str, Any] = w.settings.extra.setdefault(KEY, {})
    if not isinstance(kept, dict):
        kept = w.settings.extra[KEY] = {}
    begin = Path(w.settings.last_folder or user_folders.user_folder()) / answer[0].stem

    def write(folder: Path, name: str, options: Options) -> bool:
        return bool(export_to(w, folder / name, options, shown, answer))

    return ExportDialog(shown, begin, kept=kept, write=write, parent=w)


def ask(w: Window) -> None:
    """Open the dialog."""
    if answer_for(w) is not None and w.canvas.pixels is not None:
        made = dialog(w)
        made.exec()
        made.deleteLater()


def export_to(w: Window, place: Path, options: Options, shown: Content, answer: tuple[Request, Result]) -> list[Path]:
    """Write a figure's files, called `place` without their suffixes, and confirm it; say why if that fails."""
    from viewer.export import figure

    folder = place.parent
    try:
        written = figure.write(folder, place.name, shown, options, answer)
    except Refusal as refusal:
        w.tell(f"{refusal} {refusal.advice}", severity="error", key="export")
        return []
    w.settings.last_folder = str(folder)
    names = ", ".join(path.name for path in written[:-1])
    show = tr("Open folder"), lambda: open_folder(folder)
    w.tell(
        tr("Exported {names} with {written}.", names=names, written=written[-1].name),
        severity="success",
        key="export",
        action=show,
    )
    return written


def open_folder(folder: Path) -> bool:
    """Show a folder in the system's file manager."""
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
