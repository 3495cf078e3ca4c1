"""Sessions in a window: open, save, ask before changes are lost, show in the title."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox

from models.cards import card
from models.runtime import user_folders
from models.types import Refusal
from viewer.saving import session_file, validation
from viewer.saving.session_file import SUFFIX, Digests, Opened, is_session, listed
from viewer.session.document import Document, View
from viewer.session.history import NO_STEPS
from viewer.translation import tr
from viewer.window.context import WindowContext

KIND = tr("Vitrine session (*{suffix})", suffix=SUFFIX)
LOOK = "session"  # its slot in the thread pool
PANELS = {"lineage": "lineage", "missed": "missed", "explaining": "attribution", "layers": "layers"}
PANELS |= {"maps": "maps", "proof": "proof"}


class SavedSessions(QObject):
    """The session of one window: its file, and the Document as last saved or opened.

    `renamed` is emitted when the window's title changes.
    """

    renamed = Signal()

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context.frame)
        self._context = context
        self.path: Path | None = None
        self.working = False
        self.kept_elsewhere = False  # the document is in another file, so closing loses nothing
        self._saved: Document | None = None
        self._pending: Document | None = None
        self._missing: tuple[str, ...] = ()  # files the session names that could not be opened
        self._digests: Digests = {}
        context.session.store.listen(lambda before, after: self._mark())
        context.frame.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the window close only once changes are saved or discarded."""
        if event.type() == QEvent.Type.Close and not self._context.closed and not self.may_close():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    @property
    def changed(self) -> bool:
        """Whether the session's file differs from what is shown; visible panels and selections do not count."""
        if self.path is None or self._saved is None:
            return False
        return kept(self._saved) != kept(self._context.session.store.document)

    def title(self, parts: Sequence[str]) -> str:
        """Return the window's title: the session's name with its change mark, then what is shown."""
        name = (f"{_literal(self.path.stem)}[*]",) if self.path else ()
        return " · ".join([*name, *(_literal(part) for part in parts if part)])

    def take(self, paths: Sequence[str | Path]) -> list[str | Path]:
        """Open the first session among some paths, and return the paths that are no sessions."""
        found = [path for path in paths if is_session(path)]
        for path in found[:1]:
            self.open(Path(path))
        return [path for path in paths if path not in found]

    def ask_open(self) -> None:
        """Ask for a session to open."""
        settings = self._context.settings
        name, _ = QFileDialog.getOpenFileName(self._context.frame, tr("Open session"), settings.last_folder, KIND)
        if name:
            settings.last_folder = str(Path(name).parent)
            self.open(Path(name))

    def open(self, path: Path) -> None:
        """Open a session as an undo step; report what is missing, and open the rest."""
        path = path.absolute()
        self._work(partial(session_file.read, path), lambda opened: self._opened(path, opened))

    def save(self) -> None:
        """Save to the session's file, or ask for one. Ask before dropping files that are missing."""
        if self.path is None:
            self.ask_save()
        elif not self._missing:
            self.save_to(self.path)
        else:
            buttons = QMessageBox.StandardButton
            box = self._question(tr("Save over {path}?", path=self.path.name), buttons.Save | buttons.Cancel)
            other = box.addButton(tr("Save as…"), QMessageBox.ButtonRole.ActionRole)
            box.setDefaultButton(buttons.Cancel)
            chosen = box.exec()
            if box.clickedButton() is other:
                self.ask_save()
            elif chosen == buttons.Save:
                self.save_to(self.path)

    def ask_save(self) -> None:
        """Ask for a path for the session."""
        settings = self._context.settings
        document = self._context.session.store.document
        stem = self.path.stem if self.path else document.file.stem if document.file else "session"
        begin = Path(settings.last_folder or user_folders.user_folder()) / f"{stem}{SUFFIX}"
        name, _ = QFileDialog.getSaveFileName(self._context.frame, tr("Save session"), str(begin), KIND)
        if name:
            settings.last_folder = str(Path(name).parent)
            self.save_to(Path(name))

    def save_to(self, path: Path) -> None:
        """Save the session to a file, in the background."""
        path = with_suffix(path.absolute())
        document = self._pending = self._context.docks.recorded(self._context.session.store.document)
        work = partial(session_file.write, path, document, digests=self._digests)
        self._work(work, lambda left: self._saved_to(path, document, left))

    def may_close(self) -> bool:
        """Ask whether to save changes; return whether the window may close."""
        path = self.path
        if self.kept_elsewhere or path is None or not (self.changed or self._pending):
            return True
        if self._pending is None:
            buttons = QMessageBox.StandardButton
            standard = buttons.Save | buttons.Discard | buttons.Cancel
            chosen = self._question(tr("Save the changes to {path}?", path=path.name), standard).exec()
            if chosen != buttons.Save:
                return chosen == buttons.Discard
        try:
            document = self._context.docks.recorded(self._context.session.store.document)
            session_file.write(path, document, digests=self._digests)
        except Refusal as refusal:
            self._context.messages.tell(f"{refusal} {refusal.advice}", severity="error")
            return False
        return True

    def _question(self, text: str, buttons: QMessageBox.StandardButton) -> QMessageBox:
        box = QMessageBox(self._context.frame)
        box.setWindowTitle(tr("Save session"))
        box.setText(text)
        if self._missing:
            box.setInformativeText(
                tr("{listed} could not be opened: the file would no longer name them.", listed=listed(self._missing))
            )
        box.setStandardButtons(buttons)
        return box

    def restore(self, opened: Opened) -> None:
        """Restore a document saved for crash recovery, as an unsaved change of its session."""
        self.begin(opened.document, title=tr("Restore what was open"))
        if opened.of is not None:
            self.path, self._saved, self._missing = opened.of, Document(), opened.missing
            self.renamed.emit()
            self._mark()
        if opened.differences:
            self._context.messages.tell(opened.differences, details=opened.details, severity="warning", key="session")

    def _opened(self, path: Path, opened: Opened) -> None:
        self.begin(opened.document, title=tr("Open session {path}", path=path.stem))
        self._own(path)
        self._missing = opened.missing
        if opened.differences:
            self._context.messages.tell(
                tr("{path} was opened. {differences}", path=path.stem, differences=opened.differences),
                details=opened.details,
                severity="warning",
                key="session",
            )
        for weights, body in opened.cards.items():
            text = tr("The card of {weights}, with class names and preprocessing, is gone.", weights=weights.name)
            self._context.messages.toasts.show_message(
                text, severity="warning", key=text, action=(tr("Put it back"), partial(self._put_back, weights, body))
            )

    def begin(self, document: Document, *, title: str) -> None:
        """Show a stored document as one undo step, with its visible panels."""
        store, docks = self._context.session.store, self._context.docks
        for description in self._context.session.descriptions.values():
            document = validation.settled(document, description.offers, self._context.messages.note)
        now, wanted = store.document.view, document.view
        seen = {name: getattr(now, name) for name in (*PANELS, "inside", "unit", "patch", "workspace", "opened")}
        store.update(document.with_view(**seen), title=title)
        docks.recall(document)
        for name in (*(panel for flag, panel in PANELS.items() if getattr(wanted, flag)), *wanted.inside):
            if name in docks.by_id:
                docks.show(name)

    def _saved_to(self, path: Path, document: Document, left: Sequence[str]) -> None:
        self._pending = None
        self._own(path, document)
        self._context.messages.tell(tr("Saved {path}.", path=path.name), severity="success", key="session")
        for text in left:
            self._context.messages.tell(text, severity="warning")

    def _own(self, path: Path, document: Document | None = None) -> None:
        self.path, self._saved, self._missing = path, document or self._context.session.store.document, ()
        self._context.settings.add_session(path)
        self._context.settings.save()
        self.renamed.emit()
        self._mark()

    def _put_back(self, weights: Path, body: Mapping[str, Any]) -> None:
        try:
            card.write(weights, body)
        except (OSError, ValueError) as error:
            self._context.messages.tell(
                tr("The card of {weights} could not be written ({error}).", weights=weights.name, error=error),
                severity="error",
            )
            return
        self._context.session.again()

    def _work(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run work in the thread pool and pass its value on, on the window's thread; report a failure."""
        self.working = True

        def finish(value: Any) -> None:
            self.working = False
            if isinstance(value, Refusal):
                self._pending = None
                self._context.messages.tell(f"{value} {value.advice}", severity="error", key="session")
            else:
                done(value)

        def attempt() -> Callable[[], None]:
            try:
                value = work()
            except Refusal as refusal:
                value = refusal
            return lambda: finish(value)

        self._context.session.jobs.local(LOOK, attempt)

    def _mark(self) -> None:
        if self.path is not None:
            self._context.frame.setWindowModified(self.changed)


def with_suffix(path: Path) -> Path:
    """Return a path with the suffix of a session file."""
    return path if is_session(path) else path.with_name(path.name + SUFFIX)


def _literal(text: str) -> str:
    """Escape a text for a window title, in which "[*]" stands for the change mark."""
    return text.replace("[*]", "[*][*]")


def kept(document: Document) -> Document:
    """Return a document without what is no change of a session: visible panels, selections, and cached answers."""
    usual = View()
    view = dataclasses.replace(document.view, **{name: getattr(usual, name) for name in NO_STEPS})
    return dataclasses.replace(document, view=view, selected=-1, second=-1, other=-1).with_maps(found=())
