"""Recognise folders that hold one model in Hugging Face's form, by their files' names: safe to ask about any path."""

from __future__ import annotations

import json
from pathlib import Path

from models import files
from models.cards.foreign_files import is_foreign
from models.types import Refusal

CONFIG = "config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
KIND = "model_type"  # in the configuration: the family, for `transformers`
MOST_BYTES = 4 << 20  # of a configuration


def is_folder(path: Path) -> bool:
    """Return whether a path is such a folder: a configuration that says of what kind, or with weights beside it."""
    try:
        if not path.is_dir() or not (path / CONFIG).is_file():
            return False
        return any((path / name).is_file() for name in (WEIGHTS, INDEX, *PICKLED)) or _has_kind(path)
    except (OSError, ValueError):
        return False


def folder_of(path: Path) -> Path | None:
    """Return the folder that a path belongs to: itself, or that around its configuration or its weights."""
    if is_folder(path):
        return path
    inside = path.name in (CONFIG, WEIGHTS, INDEX, *PICKLED)
    return path.parent if inside and is_folder(path.parent) and _has_kind(path.parent) else None


def is_model(path: str | Path) -> bool:
    """Return whether a path names a model: a file with the suffix of one, a folder that holds one, or one of another
    framework, of which opening says how it is exported.
    """
    path = Path(path)
    return path.suffix.lower() in files.MODEL_SUFFIXES or folder_of(path) is not None or is_foreign(path)


def first_weights(path: Path) -> Path:
    """Return the file of weights that a folder's card belongs to; it need not exist."""
    if (path / WEIGHTS).is_file():
        return path / WEIGHTS
    return next(
        (one for one in (*sorted(path.glob("*.safetensors")), path / PICKLED[0]) if one.is_file()), path / WEIGHTS
    )


def _has_kind(path: Path) -> bool:
    """Return whether a folder's configuration names its family."""
    try:
        found = json.loads(files.text_of(path / CONFIG, most=MOST_BYTES))
        return isinstance(found, dict) and isinstance(found.get(KIND), str)
    except (Refusal, ValueError, RecursionError):
        return False
