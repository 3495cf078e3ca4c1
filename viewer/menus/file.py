"""The File menu: open pictures, videos, sessions and ground truth; export what is on screen."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtWidgets import QFileDialog

from models.pictures.images import PICTURE_SUFFIXES
from models.pictures.media import title
from models.requests import Request
from models.runtime import user_folders
from models.types import Refusal, Result
from viewer.commands.command import Command
from viewer.menus import data_set
from viewer.translation import tr
from viewer.window.main_window import Window

if TYPE_CHECKING:
    from viewer.panels.figures import FiguresPanel


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""

    def has(kind: str) -> bool:
        return answer_for(w, kind) is not None

    kinds = {
        "png": (tr("Overlay as PNG…"), tr("At the picture's own resolution"), ""),
        "svg": (tr("Overlay as SVG…"), tr("Boxes and text as vectors, for papers"), ""),
        "json": (tr("Numbers as JSON…"), tr("Detections, or the classes of the picture"), ""),
        "npy": (tr("Heat map as NPY…"), tr("The raw values of the map shown, float32, at its own resolution"), ""),
        "map.json": (tr("Heat map as JSON…"), tr("Target, verdict, scale and place of the map shown"), ""),
        "csv": (tr("Detections as CSV…"), "", ""),
        "coco.json": (tr("Detections as COCO…"), "", ""),
    }
    return [
        Command("open", tr("Open pictures…"), partial(ask_pictures, w), shortcut="Ctrl+O", menu="File", icon="open"),
        Command(
            "open-folder",
            tr("Open folder…"),
            partial(ask_folder, w),
            shortcut="Ctrl+Shift+O",
            menu="File",
            icon="folder",
        ),
        Command("open-video", tr("Open video…"), w.live_view.ask_video, menu="File", icon="film"),
        Command("open-live", tr("Open camera or stream…"), w.live_view.ask_live, menu="File", icon="camera"),
        Command("recent", tr("Open recent"), menu="File", children=lambda: _recent(w)),
        *_sessions(w),
        Command("sample", tr("Open sample"), menu="File", children=lambda: _samples(w)),
        Command(
            "open-truth",
            tr("Open ground truth…"),
            partial(ask_truth, w),
            shortcut="Ctrl+T",
            menu="File",
            group="truth",
            icon="truth",
            help=tr("A COCO file, a YOLO data.yaml, a Pascal VOC split, a table or a labelling tool's file"),
        ),
        Command(
            "open-truth-folder",
            tr("Open folder with ground truth…"),
            partial(ask_truth_folder, w),
            shortcut="Ctrl+Shift+T",
            menu="File",
            group="truth",
            help=tr("A folder with labels of Pascal VOC, YOLO, KITTI or a labelling tool"),
        ),
        Command(
            "close-truth",
            tr("Close ground truth"),
            w.session.truths.close,
            menu="File",
            group="truth",
            enabled=lambda: w.session.store.document.truth is not None,
        ),
        *data_set.commands(w),
        *[
            Command(
                f"export-{kind}",
                tr("Export {title}{title_2}", title=title[0].lower(), title_2=title[1:]),
                partial(ask_export, w, kind),
                shortcut=keys,
                menu="File",
                group="export",
                help=help_text,
                enabled=partial(has, kind),
            )
            for kind, (title, help_text, keys) in kinds.items()
        ],
        *[
            Command(
                f"export-{slot}",
                title,
                partial(ask_channels, w, slot),
                menu="File",
                group="export",
                help=tr("Every tile as PNG, or the values as NPY, with a recipe"),
                enabled=lambda slot=slot: slot in w.session.results,
            )
            for slot, title in (
                ("activations", tr("Export the layer's activations…")),
                ("filters", tr("Export the layer's filters…")),
            )
        ],
        Command(
            "export-figures",
            tr("Export figures of the data set…"),
            partial(ask_figures, w),
            menu="File",
            group="export",
            help=tr("As JSON, or the precision-recall curves as CSV"),
            enabled=lambda: figures(w) is not None,
        ),
        Command("quit", tr("Quit"), partial(close_window, w), shortcut="Ctrl+Q", menu="File", group="quit"),
    ]


def _sessions(w: Window) -> list[Command]:
    """Return the commands for session files."""
    file: dict[str, Any] = {"menu": "File", "group": "session"}
    sessions = w.sessions
    return [
        Command(
            "open-session",
            tr("Open session…"),
            sessions.ask_open,
            help=tr("Pictures, model and every setting as they were saved"),
            **file,
        ),
        Command("recent-sessions", tr("Recent sessions"), children=lambda: _recent_sessions(w), **file),
        Command(
            "restore-discarded",
            tr("Restore discarded work"),
            children=lambda: w.autosave.commands() if w.autosave else [],
            help=tr("What was open when the program ended badly, and was discarded in the last week"),
            **file,
        ),
        Command("save-session", tr("Save session"), sessions.save, shortcut="Ctrl+S", icon="save", **file),
        Command("save-session-as", tr("Save session as…"), sessions.ask_save, shortcut="Ctrl+Shift+S", **file),
    ]


def _recent_sessions(w: Window) -> list[Command]:
    paths = w.settings.recent_sessions
    return [Command(f"session-{p}", Path(p).stem, partial(w.sessions.open, Path(p)), help=p) for p in paths]


def _recent(w: Window) -> list[Command]:
    paths = w.settings.recent_pictures
    return [Command(f"recent-{p}", title(p), partial(w.session.open_paths, [p]), help=p) for p in paths]


def _samples(w: Window) -> list[Command]:
    return [Command(f"sample-{p.stem}", p.stem, partial(w.session.open_paths, [p])) for p in w.samples()]


def ask_pictures(w: Window) -> None:
    """Ask for pictures to open."""
    kinds = " ".join(f"*{suffix}" for suffix in sorted(PICTURE_SUFFIXES))
    names, _ = QFileDialog.getOpenFileNames(
        w, tr("Open pictures"), w.settings.last_folder, tr("Pictures ({kinds})", kinds=kinds)
    )
    if names:
        w.settings.last_folder = str(Path(names[0]).parent)
        w.session.open_paths(names)


def ask_folder(w: Window) -> None:
    """Ask for a folder of pictures to open."""
    name = QFileDialog.getExistingDirectory(w, tr("Open folder"), w.settings.last_folder)
    if name:
        w.settings.last_folder = name
        w.session.open_paths([name])


def ask_truth(w: Window) -> None:
    """Ask for a file of ground truth to open."""
    every = "*.json *.jsonl *.xml *.csv *.tsv *.yaml *.yml *.data *.txt *.manifest *.odgt"
    kinds = tr("Ground truth ({every});;JSON (*.json *.jsonl);;YOLO (*.yaml *.yml);;Tables (*.csv *.tsv)", every=every)
    name, _ = QFileDialog.getOpenFileName(w, tr("Open ground truth"), w.settings.last_folder, kinds)
    if name:
        w.settings.last_folder = str(Path(name).parent)
        w.session.truths.open(name)


def ask_truth_folder(w: Window) -> None:
    """Ask for a folder with ground truth to open."""
    name = QFileDialog.getExistingDirectory(w, tr("Open folder with ground truth"), w.settings.last_folder)
    if name:
        w.settings.last_folder = name
        w.session.truths.open(name)


def ask_export(w: Window, kind: str) -> None:
    """Ask for a path, and export what is on screen as one kind of file, with its recipe."""
    found = answer_for(w, kind)
    if found is None:
        return
    request, _ = found
    begin = Path(w.settings.last_folder or user_folders.user_folder()) / f"{request.stem}.{kind}"
    name, _ = QFileDialog.getSaveFileName(w, tr("Export"), str(begin), f"*.{kind}")
    if name:
        export_to(w, Path(name), kind)


def answer_for(w: Window, kind: str) -> tuple[Request, Result] | None:
    """Return the request and result that a kind of file is written from, None if there is none.

    A picture shows everything on screen; if a map is shown, its recipe is the map's.
    """
    slots = {
        "png": ("generated", "attribution", "detect", "classify", "segment"),
        "svg": ("attribution", "detect", "classify", "segment"),
        "json": ("generated", "detect", "classify", "segment"),
        "npy": ("generated", "attribution"),
        "map.json": ("attribution",),
    }
    results = w.session.results
    return next((results[slot] for slot in slots.get(kind, ("detect",)) if slot in results), None)


def export_to(w: Window, path: Path, kind: str) -> list[Path]:
    """Write what is on screen to `path` with its recipe beside it, and confirm it."""
    from viewer.export import answers

    found, pixels = answer_for(w, kind), w.canvas.pixels
    assert found is not None
    assert pixels is not None
    request, result = found
    w.settings.last_folder = str(path.parent)
    name = path.name.removesuffix(f".{kind}")
    try:
        written = answers.write(
            path.parent, request, result, pixels, kinds=[kind], layers=w.controller.layers(), name=name
        )
    except Refusal as refusal:
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return []
    w.tell(tr("Exported {written} with its recipe.", written=written[0].name), severity="success", key="export")
    return written


def ask_channels(w: Window, slot: str) -> None:
    """Ask for a path for the tiles of a panel, and write them as the kind of file that its name says."""
    request, result = w.session.results[slot]
    begin = Path(w.settings.last_folder or user_folders.user_folder()) / f"{request.stem}.png"
    name, _ = QFileDialog.getSaveFileName(w, tr("Export"), str(begin), "*.png *.npy")
    if name:
        write_answer(w, Path(name), Path(name).suffix.removeprefix(".") or "png", (request, result))


def write_answer(w: Window, path: Path, kind: str, answer: tuple[Request, Result]) -> list[Path]:
    """Write an answer that needs no picture to `path` with its recipe beside it, and confirm it."""
    from viewer.export import answers

    w.settings.last_folder = str(path.parent)
    name = path.name.removesuffix(f".{kind}")
    try:
        written = answers.write(path.parent, *answer, None, kinds=[kind if kind == "npy" else "png"], name=name)
    except Refusal as refusal:
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return []
    w.tell(tr("Exported {written} with its recipe.", written=written[0].name), severity="success", key="export")
    return written


def ask_figures(w: Window) -> None:
    """Ask for a path for the data set's figures: JSON, or the curves as CSV."""
    shown = figures(w)
    if shown is None:
        return
    begin = Path(w.settings.last_folder) / f"{shown[0].stem}.json"
    kinds = tr("Figures (*.json);;Precision-recall curves (*.csv)")
    name, _ = QFileDialog.getSaveFileName(w, tr("Export figures"), str(begin), kinds)
    if name:
        export_figures(w, Path(name))


def export_figures(w: Window, path: Path) -> list[Path]:
    """Write the figures on screen to `path` with the recipe beside it, and confirm it."""
    from viewer.export import answers

    shown = figures(w)
    if shown is None:
        return []
    kind = "csv" if path.suffix.lower() == ".csv" else "json"
    w.settings.last_folder = str(path.parent)
    try:
        written = answers.write_figures(path.parent, *shown, kinds=[kind], name=path.name.removesuffix(f".{kind}"))
    except Refusal as refusal:
        w.tell(f"{refusal} {refusal.advice}", severity="error")
        return []
    w.tell(tr("Exported {written} with its recipe.", written=written[0].name), severity="success", key="export")
    return written


def figures(w: Window) -> tuple[Request, Result] | None:
    """The figures of a data set that are shown, with their request."""
    panel = w.panels.there("figures")
    return cast("FiguresPanel", panel).shown if panel is not None else None


def close_window(w: Window) -> None:
    """Close the window."""
    w.close()
