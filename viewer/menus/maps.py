"""Commands that export compared maps and faithfulness checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtWidgets import QFileDialog

from models import output_files, recipe
from models.output_files import OutputFiles
from models.runtime import user_folders
from models.types import Refusal
from viewer.commands.command import Command
from viewer.presenters import faithfulness
from viewer.translation import tr
from viewer.window.main_window import Window

if TYPE_CHECKING:
    from viewer.panels.map_comparison import MapsPanel
    from viewer.panels.proof import ProofPanel


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    file: dict[str, Any] = {"menu": "File", "group": "export"}
    return [
        Command(
            "export-maps",
            tr("Export compared maps…"),
            lambda: ask_maps(w),
            help=tr("The grid as PNG, every map as NPZ, numbers and verdicts as JSON, and recipes"),
            enabled=lambda: _ready(w, "maps"),
            **file,
        ),
        Command(
            "export-proof",
            tr("Export the proof…"),
            lambda: ask_proof(w),
            help=tr("The curves as CSV, or everything as JSON"),
            enabled=lambda: _ready(w, "proof"),
            **file,
        ),
    ]


def ask_maps(w: Window) -> None:
    """Ask for a path for the compared maps."""
    begin = Path(w.settings.last_folder or user_folders.user_folder()) / "maps.png"
    name, _ = QFileDialog.getSaveFileName(
        w, tr("Export compared maps"), str(begin), tr("Grid with NPZ and JSON (*.png)")
    )
    if name:
        export_maps(w, Path(name))


def export_maps(w: Window, path: Path) -> list[Path]:
    """Write the compared maps to `path`, a PNG, and beside it, and confirm it."""
    from viewer.export import map_grid

    panel = _maps(w)
    assert panel.sheet is not None
    pixels = {source: levels[0] for source, levels in panel.pixels.items() if levels}
    w.settings.last_folder = str(path.parent)
    try:
        written = map_grid.write(path.parent, path.name.removesuffix(".png"), panel.sheet, pixels)
    except Refusal as refusal:
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return []
    names = ", ".join(one.name for one in written[: len(map_grid.KINDS)])
    w.tell(tr("Exported {names} with their recipes.", names=names), severity="success", key="export")
    return written


def ask_proof(w: Window) -> None:
    """Ask for a path for the faithfulness check."""
    shown = _proof(w).shown
    if shown is None:
        return
    begin = Path(w.settings.last_folder or user_folders.user_folder()) / f"{shown[0].stem}.json"
    name, _ = QFileDialog.getSaveFileName(
        w, tr("Export the proof"), str(begin), tr("Everything (*.json);;Curves (*.csv)")
    )
    if name:
        export_proof(w, Path(name))


def export_proof(w: Window, path: Path) -> list[Path]:
    """Write the faithfulness check shown to `path`, JSON or CSV, with its recipe beside it, and confirm it."""
    panel = _proof(w)
    assert panel.shown is not None
    request, result = panel.shown
    is_csv = path.suffix.lower() == ".csv"
    text = faithfulness.as_csv(result) if is_csv else faithfulness.as_json(request, result, delta=panel.delta)
    beside = path.with_name(f"{path.stem}.recipe.json")
    w.settings.last_folder = str(path.parent)
    try:
        with OutputFiles() as files:
            files.add(path, text)
            files.add(beside, recipe.text(beside, request, result))
    except (OSError, UnicodeError, Refusal) as error:
        refusal = error if isinstance(error, Refusal) else output_files.refusal(path, error)
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return []
    w.tell(tr("Exported {path} with its recipe.", path=path.name), severity="success", key="export")
    return [path, beside]


def _ready(w: Window, name: str) -> bool:
    """Return whether a panel has something to write; a panel that was never opened has not."""
    panel = w.panels.there(name)
    return panel is not None and cast("MapsPanel | ProofPanel", panel).ready


def _maps(w: Window) -> MapsPanel:
    return cast("MapsPanel", w.panels["maps"])


def _proof(w: Window) -> ProofPanel:
    return cast("ProofPanel", w.panels["proof"])
