"""Drag and drop on a window: says what a drop will do, and opens what was dropped or pasted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QImage
from PySide6.QtWidgets import QLabel

from models.cards.model_folder import is_model
from models.files import CODE_SUFFIXES, MODEL_SUFFIXES
from models.pictures.images import PICTURE_SUFFIXES, save_png
from models.pictures.media import is_endless, title
from models.truth.read import recognise
from models.types import Refusal
from viewer.canvas.painter import pixels_of
from viewer.saving.session_file import is_session
from viewer.translation import tr
from viewer.window import data_set_opening
from viewer.window.context import WindowContext

LINES_MOST = 1000
FOLDERS_MOST = 64  # dropped paths that are looked into for a model, at every move of the pointer

HINT_SIZE_PX = (400, 48)
HINT_ABOVE_PX = 88


class DragAndDrop(QObject):
    """Handles a window's drag events, and opens what was dropped or pasted.

    `take_sessions` opens the first session among some paths and returns the others, `open_code` asks about a file of
    code, `choose_second` opens weights beside the model. `hinted` is emitted with what a drop would do.
    """

    hinted = Signal(str)

    def __init__(
        self,
        context: WindowContext,
        *,
        take_sessions: Callable[[Sequence[str | Path]], list[str | Path]],
        open_code: Callable[[str], None],
        choose_second: Callable[[str], None],
    ) -> None:
        super().__init__(context.frame)
        self._context = context
        self._take_sessions, self._open_code, self._choose_second = take_sessions, open_code, choose_second
        self._data_sets = data_set_opening.DataSetOffer(context)
        self.label = QLabel(context.canvas)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.label.setObjectName("drop-hint")
        self.label.setAccessibleName(tr("What a drop will do"))
        self.label.setAutoFillBackground(True)
        self.label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.label.hide()
        context.frame.setAcceptDrops(True)
        context.frame.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Handle the window's drag events."""
        match event.type():
            case QEvent.Type.DragEnter if isinstance(event, QDragEnterEvent):
                text = hint(paths_in(event.mimeData()), beside=_shift(event))
                if not text and event.mimeData().hasImage():
                    text = tr("Drop to open the picture")
                self.hint(text)
                if text:
                    event.acceptProposedAction()
                return True
            case QEvent.Type.DragMove if isinstance(event, QDragMoveEvent):
                if text := hint(paths_in(event.mimeData()), beside=_shift(event)):
                    self.hint(text)
                event.setAccepted(bool(self.label.text()))
                return True
            case QEvent.Type.DragLeave:
                self.hint("")
                return True
            case QEvent.Type.Drop if isinstance(event, QDropEvent):
                self._take(event)
                return True
        return super().eventFilter(watched, event)

    def hint(self, text: str) -> None:
        """Show what a drop would do; an empty text hides it."""
        self.hinted.emit(text)
        self.label.setText(text)
        width, height = HINT_SIZE_PX
        room = self._context.canvas.rect()
        self.label.setGeometry((room.width() - width) // 2, room.height() - HINT_ABOVE_PX, width, height)
        self.label.setVisible(bool(text))
        self.label.raise_()

    def open_data(self, data: QMimeData) -> bool:
        """Open what was pasted or dropped; return whether there was anything to open."""
        paths: Sequence[str | Path] = paths_in(data)
        try:
            if not paths and (path := pasted_picture(data, self._context.settings.folder / "pasted")):
                paths = [path]
        except Refusal as refusal:
            self._context.messages.tell(f"{refusal} {refusal.advice}", severity="error")
            return True
        code = [path for path in paths if Path(path).suffix.lower() in CODE_SUFFIXES]
        if code:
            self._open_code(str(code[0]))
        found = self._take_sessions([path for path in paths if path not in code])
        tables = [path for path in found if data_set_opening.is_table(path)]
        if tables:
            data_set_opening.open_data_set(self._context, str(Path(tables[0]).absolute()))
        if pictures := [path for path in found if path not in tables]:
            self._context.session.open_paths(pictures)
            if not tables:
                models = {str(path) for path in weights_in([str(path) for path in pictures])}
                self._data_sets.dropped([path for path in pictures if str(path) not in models])
        return bool(paths)

    def _take(self, event: QDropEvent) -> None:
        self.hint("")
        weights = weights_in(paths_in(event.mimeData()))
        if weights and _shift(event):
            self._choose_second(str(weights[0].absolute()))
            event.acceptProposedAction()
        elif self.open_data(event.mimeData()):
            event.acceptProposedAction()
            self._context.frame.activateWindow()


def _shift(event: QDropEvent) -> bool:
    """Return whether Shift is held, in which case the drop opens beside the model."""
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)


def paths_in(data: QMimeData) -> list[str]:
    """Return what dropped or pasted data names: files, lines of text that are paths, addresses of streams."""
    if data.hasUrls():
        found = [url.toLocalFile() if url.isLocalFile() else url.toString() for url in data.urls()]
        return [path for path in found if Path(path).is_absolute() or _plays(path)]
    lines = data.text().splitlines() if data.hasText() else []
    return [path for line in lines[:LINES_MOST] if (path := _path(line.strip().strip("\"'")))]


def _plays(address: str) -> bool:
    """Return whether an address is a camera or a stream, not a picture on the web."""
    return is_endless(address) and Path(address.partition("?")[0]).suffix.lower() not in PICTURE_SUFFIXES


def _path(line: str) -> str:
    """Return a line of text if it is the path of something that exists, else ""."""
    if not line:
        return ""
    try:
        if _plays(line):
            return line
        path = Path(QUrl(line).toLocalFile() if line.startswith("file:") else line).expanduser()
        return str(path) if path.exists() else ""
    except (OSError, RuntimeError, ValueError):
        return ""


def weights_in(paths: list[str]) -> list[Path]:
    """Return the paths that are weights of models, or folders that hold a model."""
    few = len(paths) <= FOLDERS_MOST
    return [p for p in map(Path, paths) if p.suffix.lower() in MODEL_SUFFIXES or (few and is_model(p))]


def hint(paths: list[str], *, beside: bool = False) -> str:
    """Return what dropping these paths will do, "" for nothing; weights may open `beside` the model."""
    if not paths:
        return ""
    sessions = [Path(p) for p in paths if is_session(p)]
    if sessions:
        return tr("Drop to open the session {sessions}", sessions=sessions[0].stem)
    weights = weights_in(paths)
    if weights:
        name = weights[0].name
        return (
            tr("Drop to open {name} beside the model", name=name)
            if beside
            else tr("Drop to open {name} as the model", name=name)
        )
    if len(paths) == 1 and data_set_opening.is_table(paths[0]):
        return tr("Drop to open {first} as a data set", first=Path(paths[0]).name)
    truths = [Path(p) for p in paths if recognise(p)]
    if truths:
        first = truths[0]
        also = tr(" with the ground truth {first}", first=first.name) if len(paths) > 1 else ""
        what = (
            tr("the folder {first} with its ground truth", first=first.name)
            if first.is_dir()
            else tr("the ground truth {first}", first=first.name)
        )
        return tr("Drop to open {what}", what=tr("pictures") + also if also else what)
    first = Path(paths[0])
    if is_endless(paths[0]):
        return tr("Drop to play {paths}", paths=title(paths[0]))
    if len(paths) > 1:
        folders = sum(Path(p).is_dir() for p in paths)
        what = tr("folders") if folders == len(paths) else tr("pictures and folders") if folders else tr("pictures")
        return tr("Drop to open {paths} {what}", paths=len(paths), what=what)
    return (
        tr("Drop to open the folder {first}", first=first.name)
        if first.is_dir()
        else tr("Drop to open {first}", first=first.name)
    )


def pasted_picture(data: QMimeData, folder: Path) -> Path | None:
    """Save a pasted picture as a PNG file in `folder`, so that recipes can refer to it, and return its path.

    Raises Refusal if it cannot be saved.
    """
    image = data.imageData() if data.hasImage() else None
    if not isinstance(image, QImage) or image.isNull():
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = tr(
            "The pasted picture cannot be kept in {folder} ({strerror}).",
            folder=folder,
            strerror=error.strerror or error,
        )
        raise Refusal(message, advice=tr("Save it as a file and open that.")) from error
    path = folder / f"pasted-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}.png"
    save_png(pixels_of(image), path)
    return path
