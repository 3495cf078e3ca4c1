"""Commands that open, close and export a data set."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from models.types import Refusal
from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.data_set_opening import open_data_set
from viewer.window.main_window import Window

FILTER = "*.csv *.tsv *.jsonl *.parquet *.json *.yaml *.yml *.txt"
PASS = "data_set.embed"


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store = w.session.store

    def is_open() -> bool:
        return store.document.data_set is not None

    show = partial(open_data_set, w.context)

    def ask_folder() -> None:
        found = QFileDialog.getExistingDirectory(w, tr("Open a data set"), w.settings.last_folder)
        if found:
            show(found)

    def ask_file() -> None:
        kinds = tr("Tables, lists and ground truth")
        found, _ = QFileDialog.getOpenFileName(w, tr("Open a data set"), w.settings.last_folder, f"{kinds} ({FILTER})")
        if found:
            show(found)

    def current() -> None:
        source = store.document.file
        if source is not None:
            show(str(Path(source.path).parent))

    def close() -> None:
        store.update(store.document.with_data_set(None), title=tr("Close the data set"))

    def passed() -> bool:
        return PASS in w.session.results

    def export() -> None:
        found = QFileDialog.getExistingDirectory(w, tr("Export the data set to"), w.settings.last_folder)
        if found:
            write(w, Path(found))

    return [
        Command(
            "open-data-set",
            tr("Open data set…"),
            ask_folder,
            menu="File",
            group="data set",
            icon="folder",
            help=tr("A folder of pictures that the model goes over; its subfolders may be classes"),
        ),
        Command(
            "open-data-set-file",
            tr("Open data set from a file…"),
            ask_file,
            menu="File",
            group="data set",
            help=tr("A table with paths and labels, a list of paths or patterns, or ground truth"),
        ),
        Command(
            "data-set-here",
            tr("This picture's folder as data set"),
            current,
            menu="File",
            group="data set",
            enabled=lambda: store.document.file is not None,
        ),
        Command(
            "close-data-set",
            tr("Close the data set"),
            close,
            menu="File",
            group="data set",
            enabled=is_open,
        ),
        Command(
            "export-data-set",
            tr("Export the data set's table and vectors…"),
            export,
            menu="File",
            group="data set",
            help=tr("As Parquet, or CSV without pyarrow, and NPY: what the model said of every picture"),
            enabled=passed,
        ),
    ]


def write(w: Window, folder: Path) -> None:
    """Write the table and vectors of the pass over the open data set into a folder, and say so."""
    from viewer.export import answers

    request, result = w.session.results[PASS]
    try:
        paths = answers.write_data_set(folder, request, result, name=request.stem)
    except Refusal as refusal:
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return
    w.tell(tr("Written: {names}", names=", ".join(path.name for path in paths)))
