"""What an empty panel invites to: a button below it that fills it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from viewer.panels.base import GAP, Panel
from viewer.session.document import Document
from viewer.translation import tr

# Panels that have something to show for every model they are for.
NEVER_EMPTY = ("explore", "samples", "manifold", "arithmetic", "critic", "model", "interpretation", "log", "directions")
NEVER_EMPTY += ("pixel_film", "causality", "class_grid", "prior_match", "growth")


@dataclass(frozen=True)
class Invitation:
    """A command that fills a panel while `when` holds of the document; `help` says what happens.

    `other` is a second way: another command, its title and help.
    """

    when: Callable[[Document], bool]
    command: str
    title: str
    help: str
    other: tuple[str, str, str] | None = None


OPEN = Invitation(
    lambda document: document.source is None, "open", tr("Open picture…"), tr("Everything here is about a picture")
)
TRUTH = Invitation(
    lambda document: document.truth is None,
    "open-truth",
    tr("Open ground truth…"),
    tr("COCO, Pascal VOC or YOLO"),
    ("open-truth-folder", tr("Folder…"), tr("A folder with labels of Pascal VOC, YOLO, KITTI or a labelling tool")),
)
EXPLAIN = Invitation(
    lambda document: not document.method,
    "explain",
    tr("Explain"),
    tr("By the usual method, for the highest class"),
)


def _folder(panel: str, name: str, what: str) -> Invitation:
    """Return the invitation to choose a folder of pictures while none is chosen."""
    command = f"{'concept' if panel == 'concepts' else panel}-{name}"
    title = tr("Choose pictures of {what}…", what=what)
    return Invitation(lambda document: not document.values(panel).get(name), command, title, tr("A folder of pictures"))


INVITATIONS: dict[str, tuple[Invitation, ...]] = {
    "film": (OPEN,),
    "live": (
        Invitation(
            lambda document: document.source is None or not document.source.moving,
            "open-video",
            tr("Open video…"),
            tr("Play it with the model's answers"),
        ),
    ),
    "lineage": (
        OPEN,
        Invitation(
            lambda document: document.selected < 0, "select-best", tr("Take the best box"), tr("Or click any box")
        ),
    ),
    "missed": (
        OPEN,
        Invitation(
            lambda document: document.region is None,
            "missed-middle",
            tr("Ask about the middle"),
            tr("A rectangle in the middle of the picture; or hold Shift and drag one around what was missed"),
        ),
    ),
    "deidentify": (OPEN,),
    "truth": (TRUTH,),
    "figures": (TRUTH,),
    "workbench": (TRUTH,),
    "compare": (
        OPEN,
        Invitation(
            lambda document: document.pinned is None, "compare-pin", tr("Pin these settings"), tr("Then change any")
        ),
    ),
    "beside": (
        Invitation(
            lambda document: not document.beside,
            "beside-file",
            tr("Choose a second model…"),
            tr("On the same picture"),
        ),
    ),
    "attribution": (OPEN, EXPLAIN),
    "proof": (OPEN, EXPLAIN),
    "concepts": (
        OPEN,
        _folder("concepts", "concept", tr("the concept")),
        _folder("concepts", "random", tr("no concept")),
    ),
    "classification_figures": (
        Invitation(
            lambda document: not (document.values("classification_figures").get("folder") or document.data_set),
            "classification_figures-folder",
            tr("Choose a labelled data set…"),
            tr("A folder with a folder for each class"),
        ),
    ),
    "data_set": (
        Invitation(
            lambda document: document.data_set is None,
            "open-data-set",
            tr("Open data set…"),
            tr("A folder of pictures; subfolders may be classes"),
        ),
        Invitation(
            lambda document: document.data_set is None and document.file is not None,
            "data-set-here",
            tr("This picture's folder as data set"),
            tr("The folder that the open picture lies in"),
        ),
    ),
    "neighbours": (
        OPEN,
        Invitation(
            lambda document: document.data_set is None and not document.values("neighbours").get("folder"),
            "neighbours-folder",
            tr("Choose pictures to compare with…"),
            tr("A folder of pictures"),
        ),
    ),
    "patches": (
        Invitation(
            lambda document: document.data_set is None,
            "open-data-set",
            tr("Open data set…"),
            tr("A folder of pictures; subfolders may be classes"),
        ),
        Invitation(
            lambda document: document.data_set is None and document.file is not None,
            "data-set-here",
            tr("This picture's folder as data set"),
            tr("The folder that the open picture lies in"),
        ),
    ),
    "influence": (OPEN, _folder("influence", "folder", tr("the training"))),
    "timeline": (
        Invitation(
            lambda document: not document.latent.keys, "key-add", tr("Keep this code"), tr("Two codes make a path")
        ),
    ),
    "real_neighbours": (
        Invitation(
            lambda document: document.source is None and not document.latent.reals,
            "latent-reals",
            tr("Choose real pictures…"),
            tr("The folder to search for similar pictures"),
        ),
    ),
}


def of(name: str) -> tuple[Invitation, ...]:
    """Return the invitations of a panel; most need a picture."""
    return () if name in NEVER_EMPTY else INVITATIONS.get(name, (OPEN,))


class Invited(QWidget):
    """A panel with a button below it while it is empty. `wanted` emits the id of the command to run."""

    wanted = Signal(str)

    def __init__(self, panel: Panel) -> None:
        super().__init__()
        self._name = panel.id
        self._shown: Invitation | None = None
        self.button = QPushButton()
        self.button.setAccessibleName(tr("Fill {entry}", entry=panel.entry.title))  # until there is an invitation
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self._ask)
        self.other = QPushButton()
        self.other.setAccessibleName(tr("Fill {entry} in another way", entry=panel.entry.title))
        self.other.setAutoDefault(False)
        self.other.clicked.connect(self._ask_other)
        row = QHBoxLayout()
        row.setContentsMargins(GAP, GAP // 2, GAP, GAP // 2)
        row.addWidget(self.button)
        row.addWidget(self.other)
        row.addStretch(1)
        # A panel that scrolls ends at the line, so that the button does not seem to lie over what is cut off there.
        self._foot = QFrame()
        self._foot.setObjectName("foot")
        self._foot.setLayout(row)
        self._foot.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(panel, 1)
        column.addWidget(self._foot)

    def follow(self, document: Document) -> None:
        """Show the first invitation that holds, if any."""
        found = next((each for each in of(self._name) if each.when(document)), None)
        if found is not self._shown:
            self._shown = found
            if found is not None:
                self.button.setText(found.title)
                self.button.setToolTip(found.help)
                self.button.setAccessibleName(f"{found.title.removesuffix('…')}: {found.help}")
            self.other.setVisible(found is not None and found.other is not None)
            if found is not None and found.other is not None:
                _, title, help_text = found.other
                self.other.setText(title)
                self.other.setToolTip(help_text)
                self.other.setAccessibleName(f"{title.removesuffix('…')}: {help_text}")
        self._foot.setVisible(found is not None)

    def _ask_other(self) -> None:
        if self._shown is not None and self._shown.other is not None:
            self.wanted.emit(self._shown.other[0])

    def _ask(self) -> None:
        if self._shown is not None:
            self.wanted.emit(self._shown.command)
