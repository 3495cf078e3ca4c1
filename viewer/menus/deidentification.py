"""Commands that export de-identified copies of a folder: choose where to, stop, open what was written."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog

from models.pictures import reading
from models.pictures.images import Picture
from models.requests import Request
from models.types import Answer, Cancelled, Refusal, Result, Source
from viewer.commands.command import Command
from viewer.engine_texts import shown
from viewer.session.deidentification import GO, INSPECTION, LOOK, SLOT, folder_of
from viewer.translation import tr
from viewer.window.main_window import Window

if TYPE_CHECKING:
    from models.deidentification.output import Export
    from viewer.panels.deidentify import DeidentifyPanel

TOLD_EVERY_S = 0.1


class FolderExport:
    """The export of a window: where it goes, whether it was stopped, and where the last one went.

    The folder is known here alone: neither a session nor a recipe holds it.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._out: Path | None = None
        self._last: Path | None = None
        self._writing = self._stopped = False
        window.session.on.result.append(self._take)

    @property
    def going_on(self) -> bool:
        """Whether pictures are looked at or written."""
        return self._out is not None

    @property
    def can_begin(self) -> bool:
        """Whether a detector and a folder are open, and no export goes on."""
        description = self._window.session.description
        fits = description is not None and "Detects" in description.capabilities
        return fits and bool(folder_of(self._window.session.store.document)) and not self.going_on

    @property
    def last(self) -> Path | None:
        """The folder that was written last."""
        return self._last

    def ask(self) -> None:
        """Ask for the output folder, and begin."""
        title = tr("Empty folder for the de-identified copies")
        found = QFileDialog.getExistingDirectory(self._window, title, self._window.settings.last_folder)
        if found:
            self.begin(Path(found))

    def begin(self, out: Path) -> bool:
        """Look through the pictures, then write their copies into a folder; return whether that began."""
        from models.deidentification.output import check_folder

        w, document = self._window, self._window.session.store.document
        folder = folder_of(document)
        try:
            if Path(folder).is_dir():
                check_folder(out, {"paths": (), "root": folder, "kind_of_set": "folder"})
        except Refusal as refusal:
            w.tell(shown(f"{refusal} {refusal.advice}"), severity="error")
            return False
        self._out, self._stopped = out, False
        w.docks.show(INSPECTION)
        self._panel.show_progress(0, 1)
        self._panel.state.setText(tr("Looking for what is to be hidden…"))
        w.session.store.update(document.with_value(INSPECTION, **{LOOK: GO}), title=tr("De-identify a folder"))
        found, wanted = w.session.results.get(SLOT), w.session.wanted.get(SLOT)
        if found is not None and found[0] == wanted:
            self._take(SLOT, *found)
        return True

    def stop(self) -> None:
        """Stop looking or writing; what is done stays."""
        self._stopped = True
        if not self._writing:
            self._end(tr("Stopped. The next export into the same folder goes on."))

    def open(self) -> None:
        """Open the folder that was written last, in the system's file manager."""
        if self._last is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._last)))

    @property
    def _panel(self) -> DeidentifyPanel:
        return cast("DeidentifyPanel", self._window.panels[INSPECTION])

    def _take(self, slot: str, request: Request, answer: Answer) -> None:
        """Write once every picture was looked at."""
        if slot != SLOT or self._out is None or self._writing or not isinstance(answer, Result):
            return
        if answer.meta["complete"] and request == self._window.session.wanted.get(SLOT):
            self._writing = True
            self._write(request, answer, self._out)

    def _write(self, request: Request, result: Result, out: Path) -> None:
        """Write copies and report in the background."""
        jobs = self._window.session.jobs

        def read(path: str) -> Picture:
            return jobs.read(reading.PICTURE, Source.file(path), wanted=lambda: not self._stopped)

        def work() -> object:
            from models.deidentification.output import Export
            from viewer.export import answers

            told = 0.0
            try:
                export = Export(request, result, out)
                steps = export.run(read)
                try:
                    for done, of in steps:
                        if time.monotonic() - told > TOLD_EVERY_S:
                            told = time.monotonic()
                            jobs.later(partial(self._progress, done, of))
                        if self._stopped:
                            break
                except Cancelled:
                    pass
                finally:
                    steps.close()
                if not self._stopped:
                    with answers.written_files(out) as files:
                        answers.add_recipe(files, out, f"{request.stem}", (request, result), ())
            except Refusal as refusal:
                return partial(self._end, shown(f"{refusal} {refusal.advice}"), failed=True)
            return partial(self._written, export)

        jobs.local(INSPECTION, work)

    def _progress(self, done: int, of: int) -> None:
        self._panel.show_progress(done, of)
        self._panel.state.setText(tr("{done:,} of {of:,} pictures written", done=done, of=of))

    def _written(self, export: Export) -> None:
        """Say what was done."""
        from models.deidentification.report import DONE, FAILED, NOTHING

        counts = export.counts
        text = tr(
            "{areas:,} areas hidden in {hidden:,} pictures. Nothing found in {nothing:,}: look through these first, "
            "the report lists them at its top. {failed:,} failed.",
            areas=counts["areas"],
            hidden=counts[DONE],
            nothing=counts[NOTHING],
            failed=counts[FAILED],
        )
        if self._stopped:
            text = tr("Stopped. The next export into the same folder goes on.") + " " + text
        self._last = self._out
        self._end(text)

    def _end(self, text: str, *, failed: bool = False) -> None:
        self._out, self._writing = None, False
        w = self._window
        w.session.store.update(w.session.store.document.with_value(INSPECTION, **{LOOK: None}), title=tr("Export"))
        self._panel.show_export(text, self._last if not failed else None)
        w.tell(text, severity="error" if failed else "success", key="export")


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    export = FolderExport(w)
    store = w.session.store

    def choose() -> None:
        now = folder_of(store.document)
        found = QFileDialog.getExistingDirectory(w, tr("Choose pictures to copy"), now or w.settings.last_folder)
        if found:
            w.docks.show(INSPECTION)
            store.update(store.document.with_value(INSPECTION, folder=found), title=tr("Choose pictures to copy"))

    def detects() -> bool:
        description = w.session.description
        return description is not None and "Detects" in description.capabilities

    return [
        Command(
            "export-deidentified",
            tr("Export de-identified copies of a folder…"),
            export.ask,
            menu="File",
            group="export",
            help=tr("What the model finds in the pictures is hidden; the originals stay as they are"),
            enabled=lambda: export.can_begin,
        ),
        Command(
            f"{INSPECTION}-folder",
            tr("Choose pictures to copy…"),
            choose,
            menu="Inspect",
            group=INSPECTION,
            enabled=detects,
        ),
        Command(
            "stop-deidentified",
            tr("Stop the de-identification"),
            export.stop,
            menu="Inspect",
            group=INSPECTION,
            enabled=lambda: export.going_on,
        ),
        Command(
            "open-deidentified",
            tr("Open the folder of de-identified copies"),
            export.open,
            menu="Inspect",
            group=INSPECTION,
            enabled=lambda: export.last is not None,
        ),
    ]
