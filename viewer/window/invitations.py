"""What an empty panel invites to: a button below it that fills it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from viewer.panels.base import GAP, Panel
from viewer.session.document import Document

# Panels that have something to show for every model they are for.
NEVER_EMPTY = ("explore", "samples", "manifold", "arithmetic", "critic", "model", "interpretation", "log", "directions")


@dataclass(frozen=True)
class Invitation:
    """A command that fills a panel while `when` holds of the document; `help` says what happens."""

    when: Callable[[Document], bool]
    command: str
    title: str
    help: str


OPEN = Invitation(
    lambda document: document.source is None, "open", "Open picture…", "Everything here is about a picture"
)
TRUTH = Invitation(
    lambda document: document.truth is None,
    "open-truth",
    "Open ground truth…",
    "COCO, Pascal VOC or YOLO",
)
EXPLAIN = Invitation(
    lambda document: not document.method,
    "explain",
    "Explain",
    "By the usual method, for the highest class",
)


def _folder(panel: str, name: str, what: str) -> Invitation:
    """Return the invitation to choose a folder of pictures while none is chosen."""
    command = f"{'concept' if panel == 'concepts' else panel}-{name}"
    title = f"Choose pictures of {what}…"
    return Invitation(lambda document: not document.values(panel).get(name), command, title, "A folder of pictures")


INVITATIONS: dict[str, tuple[Invitation, ...]] = {
    "film": (OPEN,),
    "live": (
        Invitation(
            lambda document: document.source is None or not document.source.moving,
            "open-video",
            "Open video…",
            "Play it with the model's answers",
        ),
    ),
    "lineage": (
        OPEN,
        Invitation(lambda document: document.selected < 0, "select-best", "Take the best box", "Or click any box"),
    ),
    "missed": (
        OPEN,
        Invitation(
            lambda document: document.region is None,
            "missed-middle",
            "Ask about the middle",
            "A rectangle in the middle of the picture; or hold Shift and drag one around what was missed",
        ),
    ),
    "truth": (TRUTH,),
    "figures": (TRUTH,),
    "workbench": (TRUTH,),
    "compare": (
        OPEN,
        Invitation(lambda document: document.pinned is None, "compare-pin", "Pin these settings", "Then change any"),
    ),
    "beside": (
        Invitation(
            lambda document: not document.beside,
            "beside-file",
            "Choose a second model…",
            "On the same picture",
        ),
    ),
    "attribution": (OPEN, EXPLAIN),
    "proof": (OPEN, EXPLAIN),
    "concepts": (OPEN, _folder("concepts", "concept", "the concept"), _folder("concepts", "random", "no concept")),
    "influence": (OPEN, _folder("influence", "folder", "the training")),
    "timeline": (
        Invitation(lambda document: not document.latent.keys, "key-add", "Keep this code", "Two codes make a path"),
    ),
    "neighbours": (
        Invitation(
            lambda document: document.source is None and not document.latent.reals,
            "latent-reals",
            "Choose real pictures…",
            "The folder to look for near ones in",
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
        self.button.setAccessibleName(f"Fill {panel.entry.title}")  # until there is an invitation
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self._ask)
        row = QHBoxLayout()
        row.setContentsMargins(GAP, 0, GAP, GAP)
        row.addWidget(self.button)
        row.addStretch(1)
        self._foot = QWidget()
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
        self._foot.setVisible(found is not None)

    def _ask(self) -> None:
        if self._shown is not None:
            self.wanted.emit(self._shown.command)
