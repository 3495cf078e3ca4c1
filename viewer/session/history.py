"""The Store: holds the current Document and its undo history, and notifies listeners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from viewer.session.document import Document

Listener = Callable[[Document, Document], None]
MOST_STEPS = 500
# Fields of the view that are not undone: what is visible is no step of the user's.
NO_STEPS = (
    "lineage",
    "missed",
    "explaining",
    "layers",
    "judged",
    "unfit",
    "inside",
    "unit",
    "patch",
    "maps",
    "proof",
    "workspace",
    "opened",
)


@dataclass(frozen=True)
class Step:
    """A change: its title, as in "Undo score", and the documents before and after."""

    title: str
    before: Document
    after: Document
    merge: str


class Store:
    """A document with undo and redo steps. Consecutive changes with the same `merge` key become one step."""

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
        """Make `document` the current one. Without a title, the change is no step of its own (such as a selection)."""
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
        self._set(document)

    def settle(self) -> None:
        """End a series of merged changes: the next change is a new step (a slider was released)."""
        self._open_merge = ""

    @property
    def undo_title(self) -> str:
        """The title of the step that undo would take back, "" for none."""
        return self._done[-1].title if self._done else ""

    @property
    def redo_title(self) -> str:
        """The title of the step that redo would repeat, "" for none."""
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
        """The titles of past steps, oldest first."""
        return [step.title for step in self._done]

    def undo(self) -> None:
        """Undo the last step."""
        if self._done:
            step = self._done.pop()
            self._undone.append(step)
            self._open_merge = ""
            self._set(self._kept(step.before))

    def redo(self) -> None:
        """Redo the last undone step."""
        if self._undone:
            step = self._undone.pop()
            self._done.append(step)
            self._open_merge = ""
            self._set(self._kept(step.after))

    def _kept(self, document: Document) -> Document:
        """Return a past document with the current selection, frame and visible panels, which are not undone."""
        now = self.document
        document = document.with_view(**{name: getattr(now.view, name) for name in NO_STEPS})
        document = document.with_frame(now.frame if now.file == document.file else -1)
        same = (now.model, now.source) == (document.model, document.source)
        return (
            document.with_selected(now.selected).with_other(now.other).with_maps(found=now.maps.found)
            if same
            else document
        )

    def _set(self, document: Document) -> None:
        before, self.document = self.document, document
        for listener in tuple(self._listeners):
            listener(before, document)
