"""Commands that choose the folders of pictures which panels compare with."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QFileDialog

from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window

# Inspection and parameter of each folder: what is chosen, and what for.
SETS = {
    ("concepts", "concept"): (
        tr("pictures of a concept"),
        tr("Ten or more pictures, or crops, that show the concept to test"),
    ),
    ("concepts", "random"): (tr("random pictures"), tr("Twenty or more pictures that do not show the concept")),
    ("concepts", "examples"): (
        tr("pictures of the class"),
        tr("Pictures of the class that a concept is tested for"),
    ),
    ("influence", "folder"): (
        tr("training pictures"),
        tr("What the model was trained on, in one folder for each class"),
    ),
    ("neighbours", "folder"): (
        tr("pictures to compare with"),
        tr("Where the pictures most like the open one are sought; subfolders may be classes"),
    ),
    ("gradients", "folder"): (
        tr("pictures of a batch"),
        tr("Where the other pictures of a batch come from, whose gradients are accumulated"),
    ),
    ("activation_functions", "folder"): (
        tr("pictures to pass"),
        tr("Pictures whose values at the activation functions are counted"),
    ),
    ("gates", "folder"): (
        tr("pictures of classes"),
        tr("Pictures whose gates are compared, in one folder for each class"),
    ),
    ("augmentation", "folder"): (
        tr("pictures to mix with"),
        tr("Where the other pictures of a mosaic, of CutMix and of MixUp come from"),
    ),
    ("classification_figures", "folder"): (
        tr("a labelled data set"),
        tr("Pictures in one folder for each class, which a classifier is measured on"),
    ),
    ("influence", "checkpoints"): ("checkpoints", tr("A folder with weights saved during the training, for TracIn")),
}

ANY_MODEL = ("neighbours", "augmentation")


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store = w.session.store

    def choose(inspection: str, name: str, what: str) -> None:
        now = str(store.document.values(inspection).get(name, ""))
        found = QFileDialog.getExistingDirectory(w, tr("Choose {what}", what=what), now or w.settings.last_folder)
        if found:
            w.docks.show(inspection)
            store.update(store.document.with_value(inspection, **{name: found}), title=tr("Choose {what}", what=what))

    def classifies() -> bool:
        description = w.session.description
        return description is not None and {"Classifies", "Explains"} <= {*description.capabilities}

    def always() -> bool:
        return True

    return [
        Command(
            f"{'concept' if inspection == 'concepts' else inspection}-{name}",
            tr("Choose {what}…", what=what),
            partial(choose, inspection, name, what),
            menu="Inspect",
            group=inspection,
            help=help_text,
            enabled=always if inspection in ANY_MODEL else classifies,
        )
        for (inspection, name), (what, help_text) in SETS.items()
    ]
