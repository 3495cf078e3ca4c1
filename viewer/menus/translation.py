"""Commands of networks that make a picture of a picture: a reference to compare with, and export of the output."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from models import output_files
from models.pictures.images import PICTURE_SUFFIXES
from models.types import Result
from viewer.canvas.painter import as_image, png
from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window

SLOT = "translate"


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    return [
        Command(
            "translation-reference",
            tr("Compare the output with a reference…"),
            partial(ask_reference, w),
            menu="Inspect",
            group="translation",
            help=tr("PSNR and SSIM of what the network makes of the picture"),
            enabled=lambda: _result(w) is not None,
        ),
        Command(
            "export-translation",
            tr("Export the output picture…"),
            partial(ask_export, w),
            menu="File",
            group="export",
            help=tr("The picture that the network made, at its own size, as PNG"),
            enabled=lambda: _result(w) is not None,
        ),
    ]


def ask_reference(w: Window) -> None:
    """Ask for the reference picture."""
    kinds = " ".join(f"*{suffix}" for suffix in sorted(PICTURE_SUFFIXES))
    name, _ = QFileDialog.getOpenFileName(
        w, tr("Reference picture"), w.settings.last_folder, tr("Pictures ({kinds})", kinds=kinds)
    )
    if name:
        set_reference(w, Path(name))


def set_reference(w: Window, path: Path) -> None:
    """Compare the output with a picture file."""
    document = w.session.store.document.with_value(SLOT, reference=str(path))
    w.session.store.update(document, title=tr("Compare with {path}", path=path.name))


def ask_export(w: Window) -> None:
    """Ask for a path for the output."""
    source = w.session.store.document.source
    if source is None:
        return
    begin = Path(w.settings.last_folder or Path.home()) / f"{source.stem}.output.png"
    name, _ = QFileDialog.getSaveFileName(w, tr("Export the output"), str(begin), "*.png")
    if name:
        export(w, Path(name))


def export(w: Window, path: Path) -> Path | None:
    """Write the output at its own size, and confirm it."""
    result = _result(w)
    if result is None:
        return None
    path = path if path.suffix.lower() == ".png" else path.with_name(f"{path.name}.png")
    try:
        output_files.write_whole(path, png(as_image(result.arrays["output"])))
    except (OSError, UnicodeError) as error:
        refusal = output_files.refusal(path, error)
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return None
    w.tell(tr("Exported {path}.", path=path.name), severity="success", key="export")
    return path


def _result(w: Window) -> Result | None:
    found = w.session.results.get(SLOT)
    return found[1] if found is not None else None
