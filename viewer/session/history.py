"""The Store: holds the current Document, remembers how to undo, tells who listens. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from viewer.session.document import Document

Listener = Callable[[Document, Document], None]
MOST_STEPS = 500
# Of the view: what is in sight is no step of the user's.
NO_STEPS = ("lineage", "missed", "explaining", "layers", "judged", "unfit", "inside", "unit", "patch", "maps", "proof")


@dataclass(frozen=True)
class Step:
    """A change: its title, for "Undo score", and the documents before and after."""

    title: str
    before: Document
    after: Document
    merge: str


class Store:
    """One document, its undo and redo steps. Changes with the same `merge` key in a row become one step."""

    def __init__(self, document: Document | None = None) -> None:
        self.document = document or Document()
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._listeners: list[Listener] = []
        self._open_merge = ""

    def listen(self, listener: Listener) -> None:
        """Call `listener(before, after)` after every change."""
        self._listeners.append(listener)

    def update(self, document: Document, *, title: str = "", merge: str = "") -> None:
        """Make `document` the current one. Without a title the change is not a step of its own (a selection)."""
        before = self.document
        if document == before:
            return
        if title:
            last = self._done[-1] if self._done else None
            if last and merge and last.merge == merge and self._open_merge == merge:
                self._done[-1] = Step(title, last.before, document, merge)
                if document == last.before:
                    self._done.pop()
                    merge = ""
            else:
                self._done.append(Step(title, before, document, merge))
                del self._done[:-MOST_STEPS]
            self._open_merge = merge
            self._undone.clear()
        self._become(document)

    def settle(self) -> None:
        """End a run of merged changes: the next one is a new step (a slider was let go)."""
        self._open_merge = ""

    @property
    def undo_title(self) -> str:
        """What undo would take back, "" for nothing."""
        return self._done[-1].title if self._done else ""

    @property
    def redo_title(self) -> str:
        """What redo would do again, "" for nothing."""
        return self._undone[-1].title if self._undone else ""

    @property
    def previous(self) -> Document | None:
        """The document that undo leads to, None if there is nothing to undo."""
        return self._kept(self._done[-1].before) if self._done else None

    @property
    def following(self) -> Document | None:
        """The document that redo leads to, None if there is nothing to redo."""
        return self._kept(self._undone[-1].after) if self._undone else None

    @property
    def history(self) -> list[str]:
        """The titles of the steps done, oldest first."""
        return [step.title for step in self._done]

    def undo(self) -> None:
        """Take the last step back."""
        if self._done:
            step = self._done.pop()
            self._undone.append(step)
            self._open_merge = ""
            self._become(self._kept(step.before))

    def redo(self) -> None:
        """Do the last undone step again."""
        if self._undone:
            step = self._undone.pop()
            self._done.append(step)
            self._open_merge = ""
            self._become(self._kept(step.after))

    def _kept(self, document: Document) -> Document:
        """Return a document of the past with the box, the frame and the panels in view of now, which are no steps."""
        now = self.document
        document = document.with_view(**{name: getattr(now.view, name) for name in NO_STEPS})
        document = document.with_frame(now.frame if now.file == document.file else -1)
        same = (now.model, now.source) == (document.model, document.source)
        return (
            document.with_selected(now.selected).with_other(now.other).with_maps(found=now.maps.found)
            if same
            else document
        )

    def _become(self, document: Document) -> None:
        before, self.document = self.document, document
        for listener in tuple(self._listeners):
            listener(before, document)
