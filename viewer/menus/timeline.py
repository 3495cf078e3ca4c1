"""Commands of the timeline: keys, playing a path, exporting it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtWidgets import QFileDialog

from models.live import encoders
from models.requests import Request
from models.runtime import user_folders
from models.types import Refusal, Result
from viewer.commands.command import Command
from viewer.presenters import latent_path
from viewer.translation import tr
from viewer.window.main_window import Window

if TYPE_CHECKING:
    from viewer.panels.timeline import TimelinePanel

KINDS = {
    "mp4": (tr("Path as film…"), tr("MP4: every frame, at the path's frames per second")),
    "gif": (tr("Path as animation…"), tr("GIF: at most 50 frames per second")),
    "png": (tr("Path as strip of frames…"), tr("PNG: every frame, side by side")),
    "npy": (tr("Path as codes…"), tr("NPY: one row a frame, float32")),
    "json": (tr("Path as numbers…"), tr("JSON: codes, lengths, steps and scores of every frame")),
}


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""

    def latent() -> bool:
        return w.controller.generates

    def chosen() -> bool:
        return latent() and w.session.store.document.latent.at >= 0

    return [
        Command(
            "key-add",
            tr("Keep this code as a key"),
            partial(add_key, w),
            shortcut="K",
            icon="add",
            help=tr("On the timeline; two keys make a path"),
            enabled=latent,
            menu="Inspect",
            group="keys",
        ),
        Command(
            "key-remove",
            tr("Remove the chosen key"),
            lambda: panel(w).remove_key(),
            shortcut="Del",
            icon="remove",
            enabled=chosen,
            menu="Inspect",
            group="keys",
        ),
        Command(
            "key-back",
            tr("Move the chosen key back"),
            lambda: panel(w).move_key(-1),
            shortcut="Ctrl+Left",
            enabled=chosen,
            menu="Inspect",
            group="keys",
        ),
        Command(
            "key-on",
            tr("Move the chosen key forward"),
            lambda: panel(w).move_key(1),
            shortcut="Ctrl+Right",
            enabled=chosen,
            menu="Inspect",
            group="keys",
        ),
        *[
            Command(
                f"export-path-{kind}",
                tr("Export {title}{title_2}", title=title[0].lower(), title_2=title[1:]),
                partial(ask_export, w, kind),
                menu="File/Export path",
                group="path",
                help=help_text,
                enabled=lambda: shown(w) is not None,
            )
            for kind, (title, help_text) in KINDS.items()
        ],
    ]


def panel(w: Window) -> TimelinePanel:
    """Return the timeline of a window."""
    return cast("TimelinePanel", w.panels[latent_path.SLOT])


def plays(w: Window) -> bool:
    """Whether playback refers to the path: the canvas shows a generated picture."""
    return w.controller.generates


def play(w: Window) -> None:
    """Play or pause the path, once it is there, or explain how to create one; otherwise play or pause the video."""
    if not plays(w):
        w.live_view.toggle()
    elif panel(w).frames is None:
        w.docks.show(latent_path.SLOT)
        if len(w.session.store.document.latent.keys) > 1:
            panel(w).play_when_made()
    else:
        panel(w).toggle()


def step(w: Window, by: int) -> None:
    """Move some frames forwards or backwards."""
    if plays(w):
        panel(w).step(by)
    else:
        w.live_view.step(by)


def add_key(w: Window) -> None:
    """Add the current code as a key, and show the timeline."""
    w.docks.show(latent_path.SLOT)
    panel(w).add_key()


def shown(w: Window) -> tuple[Request, Result] | None:
    """Return the path that is shown, with its request."""
    found = w.session.results.get(latent_path.SLOT)
    return found if found is not None and found[0].inspection == latent_path.INSPECTION else None


def ask_export(w: Window, kind: str) -> None:
    """Ask for a path, and write the timeline's path as one kind of file."""
    found = shown(w)
    if found is None:
        return
    begin = Path(w.settings.last_folder or user_folders.user_folder()) / f"{found[0].stem}.{kind}"
    name, _ = QFileDialog.getSaveFileName(w, tr("Export path"), str(begin), f"*.{kind}")
    if name:
        export_to(w, Path(name), kind)


def export_to(w: Window, path: Path, kind: str) -> None:
    """Write the path shown to `path`, with its recipe beside it, in the background; report the outcome."""
    from viewer.export import answers

    found = shown(w)
    assert found is not None
    w.settings.last_folder = str(path.parent)
    name = path.name.removesuffix(f".{kind}")

    def work() -> object:
        try:
            written = answers.write(path.parent, *found, None, kinds=[kind], layers=[], name=name)
        except Refusal as refusal:
            text = f"{refusal} {refusal.advice}"
            return lambda: w.tell(text, severity="error")
        message = tr("Exported {written} with its recipe.", written=written[0].name)
        message += f" {encoders.note(written[0])}" if kind == "mp4" else ""
        return lambda: w.tell(message.strip(), severity="success", key="export")

    w.session.jobs.local("export", work)
