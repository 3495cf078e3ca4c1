"""Commands that keep how a network's outputs are read: as a card beside its file, as an adapter file."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from models import model_name, output_files
from models.cards import card as cards
from models.cards import form, interpretation_file
from models.types import Refusal
from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window

WEIGHTS = "weights"


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    return [
        Command(
            "interpretation-card",
            tr("Save the interpretation as card"),
            partial(_save, w),
            menu="Model",
            group="card",
            icon="save",
            help=tr("Beside the file, which then opens like this by itself"),
            enabled=lambda: _file(w) is not None,
        ),
        Command(
            "interpretation-adapter",
            tr("Export the interpretation as adapter file…"),
            lambda: ask_adapter(w),
            menu="Model",
            group="card",
            icon="export",
            help=tr("A few lines of Python that open the file like this"),
            enabled=lambda: _file(w) is not None,
        ),
    ]


def _save(w: Window) -> None:
    save_card(w)


def save_card(w: Window) -> Path | None:
    """Write what is assumed of the model into the card of its file, reopen it by its plain name, and confirm it."""
    file, description = _file(w), w.session.description
    if file is None or description is None:
        return None
    try:
        names = interpretation_file.named(description.classes)
        written = form.written(file, {"assume": _assumed(w), **({"classes": list(names)} if names else {})})
    except Refusal as refusal:
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return None
    where = tr("beside the file") if written.parent == file.parent else tr("in {parent}", parent=written.parent)
    w.tell(
        tr("Saved as {written} {where}: the file opens like this by itself.", written=written.name, where=where),
        severity="success",
        key="card",
    )
    store = w.session.store
    base, given = model_name.split(store.document.model)
    plain = model_name.join(base, {key: value for key, value in given.items() if key == WEIGHTS})
    if plain != store.document.model:
        store.update(store.document.with_model(plain), title=tr("Read as its card says"))
    else:
        w.commands.actions(w)["again"].trigger()
    return written


def ask_adapter(w: Window) -> None:
    """Ask for a path for the adapter file."""
    file = _file(w)
    if file is None:
        return
    begin = file.with_name(f"{_identifier(file.stem)}_adapter.py")
    name, _ = QFileDialog.getSaveFileName(w, tr("Export adapter file"), str(begin), tr("Python (*.py)"))
    if name:
        export_adapter(w, Path(name))


def export_adapter(w: Window, path: Path) -> Path | None:
    """Write what is assumed of the model as an adapter file, and confirm it."""
    description = w.session.description
    if description is None:
        return None
    path = path if path.suffix == ".py" else path.with_name(f"{path.name}.py")
    base, given = model_name.split(w.session.store.document.model)
    own = {WEIGHTS: _relative(Path(given[WEIGHTS]), path.parent)} if WEIGHTS in given else {}
    name = model_name.join(_relative(Path(base), path.parent) if cards.is_file(base) else base, own)
    content = interpretation_file.text(
        name, title=description.title or description.name, assume=_assumed(w), classes=description.classes
    )
    try:
        output_files.write_whole(path, content)
    except (OSError, UnicodeError) as error:
        refusal = output_files.refusal(path, error)
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return None
    w.tell(
        tr("Exported {path}. Open it like a model: it is code, so you are asked once.", path=path.name),
        severity="success",
    )
    return path


def _assumed(w: Window) -> dict[str, str]:
    """Return every assumption about the model that is in force."""
    description = w.session.description
    assert description is not None
    return {str(key): str(item["value"]) for key, item in description.about.get("assumptions", {}).items()}


def _file(w: Window) -> Path | None:
    """Return the file of the model, None where it has none of its own."""
    document, description = w.session.store.document, w.session.description
    if description is None or "Interpreted" not in description.capabilities or "read by" in description.about:
        return None
    return cards.file_of(document.model)


def _relative(file: Path, folder: Path) -> str:
    """Return a file's path relative to a folder where it lies in it or beside it, else as it is."""
    try:
        relative = os.path.relpath(file, folder)
    except ValueError:  # on another drive
        return str(file)
    return relative if not relative.startswith(str(Path("..", ".."))) else str(file)


def _identifier(stem: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in stem) or "model"
