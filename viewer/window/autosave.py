"""Save the open document in the background, and offer to restore it after a crash."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer

from models.cards.card import DEFAULT_MODEL
from models.types import Refusal
from viewer.commands.command import Command
from viewer.saving import crash_recovery
from viewer.saving.crash_recovery import Discarded, Kept, Left
from viewer.session.document import Document
from viewer.translation import tr
from viewer.widgets.dialogs.banner import Banner, Notices
from viewer.window.context import WindowContext
from viewer.window.saved_sessions import SavedSessions, kept

AFTER_MS = 500
MOST_SHARE = 0.05  # largest share of time spent on it; matters with very many pictures
QUESTION = tr("Vitrine did not close properly.")
FOR_A_WEEK = tr("File > Restore discarded work brings it back within a week.")


class Autosave(QObject):
    """Autosave and crash recovery of one window."""

    def __init__(self, context: WindowContext, sessions: SavedSessions, notices: Notices) -> None:
        super().__init__(context.frame)
        self._context, self._sessions, self._notices = context, sessions, notices
        self.banner: Banner | None = None
        self._kept = Kept(context.settings.folder)
        self._written = Document()
        self._left: list[Left] = []
        self.discarded: list[Discarded] = []
        self._reported = False
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.setInterval(AFTER_MS)
        self._clock.timeout.connect(self._write)
        context.session.store.listen(lambda before, after: self._changed())
        context.frame.installEventFilter(self)
        self._changed()
        context.session.jobs.local("recovery", self._look_for_crashes)

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._kept.path

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stop once the window is closed for good."""
        if event.type() == QEvent.Type.Hide and self._context.closed:
            self._clock.stop()
            self._kept.end()
            for one in self._left:
                one.release()
            self._left = []
        return super().eventFilter(watched, event)

    def restore(self) -> None:
        """Restore the document as one undo step; delete the old file once this window has saved it."""
        one = self._answered()
        self._sessions.restore(one.opened)
        self._write(slot=f"restore {one.path.name}", then=one.remove)

    def discard(self) -> None:
        """Ask whether to discard the document."""
        assert self.banner is not None
        self.banner.leave()
        self.banner = Banner(
            self._notices,
            tr("Discard {about}? {for_a_week}", about=_about(self._left[0].opened.document), for_a_week=FOR_A_WEEK),
            [(tr("Discard it"), self.discard_surely), (tr("Keep it"), self._ask_again)],
        )

    def discard_surely(self) -> None:
        """Discard the document; it can be restored for a week."""
        one, folder = self._answered(), self._context.settings.folder

        def work() -> Callable[[], None]:
            one.discard()
            found = crash_recovery.discarded(folder)

            def take() -> None:
                self.discarded = found
                self._context.messages.tell(tr("Discarded. {for_a_week}", for_a_week=FOR_A_WEEK), key="discarded")

            return take

        self._context.session.jobs.local(f"discard {one.path.name}", work)

    def commands(self) -> list[Command]:
        """Return the commands that restore discarded work, newest first."""

        def command(one: Discarded) -> Command:
            title = f"{_about(one.opened.document)}, {_when(one.written_s)}"
            return Command(f"discarded-{one.path.name}", title, partial(self._sessions.restore, one.opened))

        return [command(one) for one in self.discarded]

    def _changed(self) -> None:
        document = self._context.session.store.document
        if _empty(document) and _empty(self._written):
            return  # nothing worth keeping
        if not self._clock.isActive() and kept(document) != kept(self._written):
            self._clock.start()

    def _write(self, *, slot: str = "autosave", then: Callable[[], None] | None = None) -> None:
        document, of = self._context.docks.recorded(self._context.session.store.document), self._sessions.path
        self._written = document

        def work() -> Callable[[], None]:
            start = time.perf_counter()
            try:
                self._kept.write(document, of=of)
            except Refusal as refusal:
                text = tr(
                    "The open work cannot be saved for recovery after a crash. {refusal} {advice}",
                    refusal=refusal,
                    advice=refusal.advice,
                )
                return lambda: self._report(text)
            if then is not None:
                then()
            took_ms = (time.perf_counter() - start) * 1000
            return lambda: self._clock.setInterval(max(AFTER_MS, round(took_ms / MOST_SHARE)))

        self._context.session.jobs.local(slot, work)

    def _look_for_crashes(self) -> Callable[[], None]:
        found = crash_recovery.left(self._context.settings.folder)
        discarded = crash_recovery.discarded(self._context.settings.folder)

        def take() -> None:
            self._left, self.discarded = found, discarded
            self._ask()

        return take

    def _ask(self) -> None:
        """Ask about the newest work left by a crash, if there is any."""
        if not self._left:
            return
        one = self._left[0]
        more = tr(" ({left} more after this.)", left=len(self._left) - 1) if len(self._left) > 1 else ""
        what = f"{_about(one.opened.document)}, {_when(one.written_s)}"
        self.banner = Banner(
            self._notices,
            tr("{question} Restore what was open? {what}.{more}", question=QUESTION, what=what, more=more),
            [(tr("Restore"), self.restore), (tr("Discard…"), self.discard)],
            help_text=tr("It is kept until you answer, also when you close the window. Restoring can be undone."),
        )

    def _ask_again(self) -> None:
        if self.banner is not None:
            self.banner.leave()
        self._ask()

    def _answered(self) -> Left:
        """Close the question, ask the next one, and return what it was about."""
        assert self.banner is not None
        self.banner.leave()
        self.banner = None
        one = self._left.pop(0)
        self._ask()
        return one

    def _report(self, text: str) -> None:
        if not self._reported:
            self._reported = True
            self._context.messages.tell(text, severity="warning", key="autosave")


def _about(document: Document) -> str:
    """Describe the content of a document in a few words."""
    shown = [document.file.name if document.file else "", Path(document.model.partition("?")[0]).name]
    return ", ".join(part for part in shown if part)


def _when(written_s: float) -> str:
    return tr("{moment:%d %B, %H:%M}", moment=datetime.datetime.fromtimestamp(written_s))


def _empty(document: Document) -> bool:
    """Return whether nothing is open except the model that every window starts with."""
    return not (document.sources or document.truth or document.beside) and document.model == DEFAULT_MODEL
