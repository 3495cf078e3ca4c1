"""Commands that choose the folders and files which Concepts and Influence compare with."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QFileDialog

from viewer.commands.command import Command
from viewer.window.main_window import Window

# Inspection and parameter of each folder: what is chosen, and what for.
SETS = {
    ("concepts", "concept"): ("pictures of a concept", "Ten or more pictures, or crops, that show the concept to test"),
    ("concepts", "random"): ("random pictures", "Twenty or more pictures that do not show the concept"),
    ("concepts", "examples"): (
        "pictures of the class",
        "Pictures of the class that a concept is tested for",
    ),
    ("influence", "folder"): (
        "training pictures",
        "What the model was trained on, in one folder for each class",
    ),
    ("influence", "checkpoints"): ("checkpoints", "A folder with weights saved during the training, for TracIn"),
}


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store = w.session.store

    def choose(inspection: str, name: str, what: str) -> None:
        now = str(store.document.values(inspection).get(name, ""))
        found = QFileDialog.getExistingDirectory(w, f"Choose {what}", now or w.settings.last_folder)
        if found:
            w.docks.show(inspection)
            store.update(store.document.with_value(inspection, **{name: found}), title=f"Choose {what}")

    def classifies() -> bool:
        description = w.session.description
        return description is not None and {"Classifies", "Explains"} <= {*description.capabilities}

    return [
        Command(
            f"{'concept' if inspection == 'concepts' else inspection}-{name}",
            f"Choose {what}…",
            partial(choose, inspection, name, what),
            menu="Inspect",
            group=inspection,
            help=help_text,
            enabled=classifies,
        )
        for (inspection, name), (what, help_text) in SETS.items()
    ]
