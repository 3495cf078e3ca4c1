"""What arrives in the window by drop or paste: which paths, and what opening them will do. No decoding here."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QMimeData
from PySide6.QtGui import QImage

from models.images import WEIGHTS_SUFFIXES, save_png
from models.types import Pixels


def paths_in(data: QMimeData) -> list[str]:
    """Return the local paths that dropped or pasted data names, as files or as lines of text that exist."""
    if data.hasUrls():
        return [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
    if data.hasText():
        lines = [line.strip().strip("\"'").removeprefix("file://") for line in data.text().splitlines()]
        return [line for line in lines if line and len(line) < 4096 and Path(line).expanduser().exists()]
    return []


def hint(paths: list[str]) -> str:
    """Return what a drop of these paths will do, "" for nothing."""
    if not paths:
        return ""
    first = Path(paths[0])
    if first.suffix.lower() in WEIGHTS_SUFFIXES:
        return f"Drop to open {first.name} as the model"
    if len(paths) > 1:
        return f"Drop to open {len(paths)} pictures"
    return f"Drop to open the folder {first.name}" if first.is_dir() else f"Drop to open {first.name}"


def pasted_picture(data: QMimeData, folder: Path) -> Path | None:
    """Save a pasted picture as a PNG file in `folder`, so that recipes can name it, and return its path."""
    image = data.imageData() if data.hasImage() else None
    if not isinstance(image, QImage) or image.isNull():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"pasted-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}.png"
    save_png(pixels_of(image), path)
    return path


def pixels_of(image: QImage) -> Pixels:
    """Return an image as (H, W, 3) uint8 RGB, transparent parts on white."""
    if image.hasAlphaChannel():
        flat = QImage(image.size(), QImage.Format.Format_RGB32)
        flat.fill(0xFFFFFFFF)
        from PySide6.QtGui import QPainter

        painter = QPainter(flat)
        painter.drawImage(0, 0, image)
        painter.end()
        image = flat
    rgb = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(rgb.constBits(), np.uint8).reshape(rgb.height(), rgb.bytesPerLine())
    return np.ascontiguousarray(rows[:, : 3 * rgb.width()].reshape(rgb.height(), rgb.width(), 3))
