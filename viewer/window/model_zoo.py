"""The model zoo in a window: list models, download the wanted one, and open it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject

from models import model_name
from models.cards.zoo_catalogue import Entry
from models.zoo import cached
from models.zoo.fetch import missing
from viewer.session.downloads import Downloads
from viewer.translation import tr
from viewer.window.context import WindowContext

if TYPE_CHECKING:
    from viewer.widgets.dialogs.zoo_dialog import Zoo

SLOT = "zoo"


class ModelZoo(QObject):
    """The dialog, and the download it started, which continues when the dialog is closed.

    `put_beside` shows a model as the second one.
    """

    def __init__(self, context: WindowContext, *, put_beside: Callable[[str], None]) -> None:
        super().__init__(context.frame)
        self._context, self._put_beside = context, put_beside
        self.downloads = Downloads(context.session.jobs)
        self._wanted: Entry | None = None
        self._opens: dict[str, Callable[[], None]] = {}
        self.downloads.listeners.append(self._changed)
        context.frame.installEventFilter(self)

    @cached_property
    def dialog(self) -> Zoo:
        """The dialog, created when first needed."""
        from viewer.widgets.dialogs.zoo_dialog import Zoo

        dialog = Zoo(self._context.frame)
        dialog.opened.connect(self._context.session.open_model)
        dialog.fetched.connect(self.fetch)
        dialog.stopped.connect(self.stop)
        return dialog

    @property
    def busy(self) -> bool:
        """Whether a download is running."""
        return self.downloads.entry is not None

    def open(self) -> None:
        """Show the dialog, and read the list of models."""
        self.dialog.open()
        self._list()

    def open_model(self, name: str, *, as_second: bool = False) -> None:
        """Open a model by name, or show it beside the model.

        A model of the zoo is downloaded first if necessary; the dialog shows the progress.
        """
        open_it = self._put_beside if as_second else self._context.session.open_model
        entry = missing(model_name.split(name)[0])
        if entry is None:
            open_it(name)
            return
        self._wanted, self._opens[entry.name] = entry, lambda: open_it(name)
        self.open()
        self.fetch(entry)

    def fetch(self, entry: Entry) -> None:
        """Download the weights of an entry, then open it if the dialog is still open."""
        self.downloads.start(entry, self._there)

    def stop(self) -> None:
        """Cancel the download."""
        self.downloads.cancel()
        self._opens.clear()
        self._changed()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stop everything when the window closes."""
        if event.type() == QEvent.Type.Close:
            self.downloads.cancel()
        return super().eventFilter(watched, event)

    def _list(self) -> None:
        def work() -> Callable[[], None]:
            entries = cached.listed()
            there = cached.found(entries)

            def show() -> None:
                self.dialog.take(entries, there)
                if self._wanted is not None:
                    self.dialog.choose(self._wanted)
                    self._wanted = None

            return show

        self._context.session.jobs.local(SLOT, work)

    def _changed(self) -> None:
        now, failure = self.downloads, self.downloads.failure
        failed = failure.text if failure is not None else ""
        self.dialog.show_download(now.entry, done=now.done, total=now.total, stopping=now.stopping, failed=failed)
        if now.entry is None and failure is not None and not failure.cancelled and not self.dialog.isVisible():
            self._context.messages.tell(failure.text, severity="error", key=failure.message)
        on = self._context.session.on
        for tell in on.state:
            tell()
        if now.entry is not None:
            for show in on.progress:
                show(
                    now.done / now.total if now.total else None,
                    tr("Downloading {architecture}", architecture=now.entry.architecture),
                )

    def _there(self, entry: Entry) -> None:
        if self.dialog.isVisible():
            self.dialog.dismiss()
            self._opens.pop(entry.name, lambda: self._context.session.open_model(entry.name))()
        else:
            self._context.messages.tell(
                tr("{entry} was downloaded: it opens from the zoo.", entry=entry.name), severity="success", key="zoo"
            )
