"""The Edit menu: undo, copy, paste, deselect, cancel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from PySide6.QtGui import QGuiApplication

from viewer.canvas.painter import render
from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window

if TYPE_CHECKING:
    from viewer.panels.results import ResultsPanel


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store = w.session.store
    return [
        Command(
            "undo",
            tr("Undo"),
            w.session.undo,
            shortcut="Ctrl+Z",
            menu="Edit",
            icon="undo",
            enabled=lambda: bool(store.undo_title),
        ),
        Command(
            "redo",
            tr("Redo"),
            w.session.redo,
            shortcut=("Ctrl+Shift+Z", "Ctrl+Y"),
            menu="Edit",
            icon="redo",
            enabled=lambda: bool(store.redo_title),
        ),
        Command(
            "copy-image",
            tr("Copy picture with overlay"),
            partial(copy_image, w),
            shortcut="Ctrl+Shift+C",
            menu="Edit",
            group="clipboard",
            icon="copy",
            help=tr("At the picture's own resolution"),
            enabled=lambda: w.has_picture,
        ),
        Command(
            "copy-view",
            tr("Copy view"),
            partial(copy_view, w),
            menu="Edit",
            group="clipboard",
            help=tr("What the canvas shows, as it shows it"),
            enabled=lambda: w.has_picture,
        ),
        Command(
            "copy-table",
            tr("Copy detections as text"),
            partial(copy_table, w),
            shortcut="Ctrl+Alt+C",
            menu="Edit",
            group="clipboard",
            enabled=lambda: w.has_result,
        ),
        Command(
            "paste",
            tr("Paste picture or path"),
            partial(paste, w),
            shortcut="Ctrl+V",
            menu="Edit",
            group="clipboard",
            icon="paste",
        ),
        Command(
            "deselect",
            tr("Select nothing"),
            partial(deselect, w),
            menu="Edit",
            group="select",
            enabled=lambda: store.document.selected >= 0,
        ),
        Command(
            "select-best",
            tr("Select the best box"),
            partial(select_best, w),
            menu="Edit",
            group="select",
            help=tr("The detection with the highest score"),
            enabled=lambda: w.has_result,
        ),
        Command(
            "remove-picture",
            tr("Remove this picture"),
            lambda: w.session.remove(store.document.current),
            menu="Edit",
            group="select",
            icon="remove",
            help=tr("From the strip of pictures; its file stays"),
            enabled=lambda: bool(store.document.sources),
        ),
        Command(
            "cancel",
            tr("Cancel"),
            partial(cancel, w),
            shortcut="Esc",
            help=tr("Stop what the engine works on; else select nothing, clear the rectangle, go back to the picture"),
        ),
    ]


def copy_image(w: Window) -> None:
    """Copy the picture with its overlay, at its own resolution."""
    from viewer.export import two_models

    pixels = w.canvas.pixels
    if pixels is not None:
        panes = w.panes
        image = two_models.picture(panes.sides()) if panes.on else render(pixels, w.controller.layers())
        QGuiApplication.clipboard().setImage(image)
        w.tell(tr("Copied the picture with its overlay."), key="copy")


def copy_view(w: Window) -> None:
    """Copy what the canvas shows."""
    panes = w.panes
    QGuiApplication.clipboard().setImage(panes.image() if panes.on else w.canvas.grab_image())
    w.tell(tr("Copied the view."), key="copy")


def copy_table(w: Window) -> None:
    """Copy the detections as tab-separated text."""
    QGuiApplication.clipboard().setText(cast("ResultsPanel", w.panels["results"]).text)
    w.tell(tr("Copied the detections as text."), key="copy")


def paste(w: Window) -> None:
    """Open the content of the clipboard: a picture, or paths."""
    if not w.drops.open_data(QGuiApplication.clipboard().mimeData()):
        pasted = QGuiApplication.clipboard().text().strip()
        if pasted and "\n" not in pasted and ("/" in pasted or "\\" in pasted):
            text = tr("{pasted} is not there. Copy the path of a file or folder that is.", pasted=pasted[:200])
        else:
            text = tr("There is no picture and no path of a file on the clipboard. Copy one first.")
        w.tell(text, severity="warning", key="paste")


def deselect(w: Window) -> None:
    """Deselect the box."""
    w.session.store.update(w.session.store.document.with_selected(-1))


def select_best(w: Window) -> None:
    """Select the detection with the highest score, and show where it came from."""
    result = w.session.results["detect"][1]
    if len(result.arrays["scores"]):
        best = int(result.arrays["scores"].argmax())
        w.session.store.update(w.session.store.document.with_selected(int(result.arrays["ids"][best])))


def cancel(w: Window) -> None:
    """Cancel the engine's work; if it is idle, deselect, remove the drawn rectangle, or return to the picture."""
    if w.session.truths.reading:
        w.session.truths.cancel()
        w.tell(tr("Cancelled. No ground truth was read."), key="cancel")
        return
    if w.session.jobs.busy:
        w.session.jobs.cancel()
        w.tell(tr("Cancelled. The last answer stays; F5 asks again."), key="cancel")
        return
    if w.zoo.busy:
        w.zoo.stop()
        w.tell(tr("The download is stopped. The part received is kept: continue it from the zoo."), key="cancel")
        return
    deselect(w)
    store = w.session.store
    if store.document.region is not None:
        store.update(store.document.with_region(None), title=tr("Clear the rectangle"))
    if w.has_picture:
        w.canvas.setFocus()
