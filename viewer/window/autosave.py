"""Keeps what is open in the background, and asks after a crash whether to restore it. It reads and writes no file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QTimer

from models.cards.card import DEFAULT_MODEL
from models.types import Refusal
from viewer.saving import crash_recovery
from viewer.saving.crash_recovery import Kept, Left
from viewer.session.document import Document
from viewer.widgets.dialogs.banner import Banner
from viewer.window.saved_sessions import kept

if TYPE_CHECKING:
    from viewer.window.main_window import Window

AFTER_MS = 500
MOST_SHARE = 0.05  # of the time may be spent on it, which counts where there are very many pictures
QUESTION = "Vitrine did not close properly."


class Autosave(QObject):
    """Autosave and recovery of one window."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self.window = window
        self.banner: Banner | None = None
        self._kept = Kept(window.settings.folder)
        self._written = Document()
        self._left: list[Left] = []
        self._told = False
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.setInterval(AFTER_MS)
        self._clock.timeout.connect(self._write)
        window.session.store.listen(lambda before, after: self._changed())
        window.installEventFilter(self)
        self._changed()
        window.session.jobs.local("recovery", self._look)

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._kept.path

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """End with the window, once it is closed for good."""
        if event.type() == QEvent.Type.Hide and self.window.closed:
            self._clock.stop()
            self._kept.end()
            for one in self._left:
                one.let_go()
            self._left = []
        return super().eventFilter(watched, event)

    def restore(self) -> None:
        """Show what was open, as one step; it is forgotten once it is kept for this window."""
        one = self._answered()
        self.window.sessions.restore(one.opened)
        self._write(slot=f"restore {one.path.name}", then=one.remove)

    def discard(self) -> None:
        """Forget what was open."""
        one = self._answered()
        self.window.session.jobs.local(f"discard {one.path.name}", lambda: _after(one.remove))

    def _changed(self) -> None:
        document = self.window.session.store.document
        if _empty(document) and _empty(self._written):
            return  # nothing that anybody would miss
        if not self._clock.isActive() and kept(document) != kept(self._written):
            self._clock.start()

    def _write(self, *, slot: str = "autosave", then: Callable[[], None] | None = None) -> None:
        document, of = self.window.session.store.document, self.window.sessions.path
        self._written = document

        def work() -> Callable[[], None]:
            start = time.perf_counter()
            try:
                self._kept.write(document, of=of)
            except Refusal as refusal:
                text = f"What is open is not kept for after a crash. {refusal} {refusal.advice}"
                return lambda: self._tell(text)
            if then is not None:
                then()
            took_ms = (time.perf_counter() - start) * 1000
            return lambda: self._clock.setInterval(max(AFTER_MS, round(took_ms / MOST_SHARE)))

        self.window.session.jobs.local(slot, work)

    def _look(self) -> Callable[[], None]:
        found = crash_recovery.left(self.window.settings.folder)

        def take() -> None:
            self._left = found
            self._ask()

        return take

    def _ask(self) -> None:
        """Ask about the newest of what was left behind, if there is any."""
        if not self._left:
            return
        one = self._left[0]
        document = one.opened.document
        shown = [document.file.name if document.file else "", Path(document.model.partition("?")[0]).name]
        what = ", ".join(part for part in shown if part)
        when = time.strftime("%d %B, %H:%M", time.localtime(one.written_s))
        more = f" ({len(self._left) - 1} more after this.)" if len(self._left) > 1 else ""
        self.banner = Banner(
            self.window,
            f"{QUESTION} Restore what was open? {what}, {when}.{more}",
            [("Restore", self.restore), ("Discard", self.discard)],
            help_text="It is kept until you answer, also when you close the window. Restoring can be undone.",
        )

    def _answered(self) -> Left:
        """Take the question away, ask the next one, and return what it was about."""
        assert self.banner is not None
        self.banner.leave()
        self.banner = None
        one = self._left.pop(0)
        self._ask()
        return one

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            self.window.tell(text, severity="warning", key="autosave")


def _after(call: Callable[[], None]) -> Callable[[], None]:
    """Do something on the pool that leaves nothing to do on the window's thread."""
    call()
    return lambda: None


def _empty(document: Document) -> bool:
    """Tell whether nothing is open but the model that every window begins with."""
    return not (document.sources or document.truth or document.beside) and document.model == DEFAULT_MODEL
