"""The content of a drop or paste: which paths, and what opening them will do."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QImage

from models.files import MODEL_SUFFIXES
from models.pictures.images import PICTURE_SUFFIXES, save_png
from models.pictures.media import is_endless, title
from models.truth.read import recognise
from models.types import Refusal
from viewer.canvas.painter import pixels_of
from viewer.saving.session_file import is_session

LINES_MOST = 1000


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
    """Return the paths that are weights of models."""
    return [p for p in map(Path, paths) if p.suffix.lower() in MODEL_SUFFIXES]


def hint(paths: list[str], *, beside: bool = False) -> str:
    """Return what dropping these paths will do, "" for nothing; weights may open `beside` the model."""
    if not paths:
        return ""
    sessions = [Path(p) for p in paths if is_session(p)]
    if sessions:
        return f"Drop to open the session {sessions[0].stem}"
    weights = weights_in(paths)
    if weights:
        return f"Drop to open {weights[0].name} {'beside' if beside else 'as'} the model"
    truths = [Path(p) for p in paths if recognise(p)]
    if truths:
        first = truths[0]
        also = f" with the ground truth {first.name}" if len(paths) > 1 else ""
        what = f"the folder {first.name} with its ground truth" if first.is_dir() else f"the ground truth {first.name}"
        return f"Drop to open {'pictures' + also if also else what}"
    first = Path(paths[0])
    if is_endless(paths[0]):
        return f"Drop to play {title(paths[0])}"
    if len(paths) > 1:
        folders = sum(Path(p).is_dir() for p in paths)
        what = "folders" if folders == len(paths) else "pictures and folders" if folders else "pictures"
        return f"Drop to open {len(paths)} {what}"
    return f"Drop to open the folder {first.name}" if first.is_dir() else f"Drop to open {first.name}"


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
        message = f"The pasted picture cannot be kept in {folder} ({error.strerror or error})."
        raise Refusal(message, advice="Save it as a file and open that.") from error
    path = folder / f"pasted-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}.png"
    save_png(pixels_of(image), path)
    return path
