"""Find and replace the paths of files and folders in a Document, including those in models' names."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

from models import model_name
from models.files import code_of
from models.pictures.media import is_endless
from models.requests import Request
from models.types import Source
from viewer.session.dataclass_json import mapped
from viewer.session.document import Document, Latent

# Of inspections; they hold paths.
_FOLDERS = {"folder", "with_folder", "without_folder", "concept", "random", "examples", "checkpoints"}
PARAMETERS = frozenset({*_FOLDERS, "truth", "reference", "style"})
WEIGHTS = "weights"
Move = Callable[[str], str]


def of_model(name: str) -> set[str]:
    """Return the paths in a model's full name; names that are not paths may be among them."""
    found: set[str] = set()
    _model(name, lambda path: found.add(path) or path)
    return found


def of_request(request: Request) -> set[str]:
    """Return the absolute paths of files that a request names."""
    found = of_model(request.model) | ({request.source.path} if request.source is not None else set())
    found |= {value for name, value in request.settings.items() if name in PARAMETERS and isinstance(value, str)}
    return {path for path in found if os.path.isabs(path)}  # noqa: PTH117


def named(document: Document) -> set[str]:
    """Return the absolute paths that a document names."""
    found: set[str] = set()

    def note(path: str) -> str:
        if os.path.isabs(path):  # noqa: PTH117
            found.add(path)
        return path

    _moved(document, note)
    return found


def moved(document: Document, places: Mapping[str, str]) -> Document:
    """Return a document with its paths replaced; paths that `places` does not contain stay."""
    return _moved(document, lambda path: places.get(path) or path)


def _moved(document: Document, move: Move) -> Document:
    def change(value: Any) -> Any:
        match value:
            case Source(path=path) if not is_endless(path):
                return dataclasses.replace(value, path=move(path))
            case Request():
                return dataclasses.replace(value, model=_model(value.model, move), params=_values(value.params, move))
            case Latent():
                first, second = (move(folder) for folder in value.folders)
                return dataclasses.replace(value, reals=move(value.reals), folders=(first, second))
            case Document():
                settings = (((_model(n, move), i), _values(values, move)) for (n, i), values in value.settings)
                pinned = None if value.pinned is None else _values(value.pinned, move)
                names = {"model": _model(value.model, move), "beside": _model(value.beside, move)}
                return dataclasses.replace(value, **names, settings=tuple(settings), pinned=pinned)
        return value

    return mapped(document, change)


def _values(values: Any, move: Move) -> Any:
    return tuple(
        (name, move(value) if name in PARAMETERS and isinstance(value, str) else value) for name, value in values
    )


def _model(name: str, move: Move) -> str:
    """Return a model's full name with its paths replaced: that of its file or code, and that of its weights."""
    base, given = model_name.split(name)
    path, _, function = base.rpartition(":")
    code, assumed = code_of(base), dict(given)
    file = f"{move(path)}:{function}" if code and code[1] else move(base)
    if WEIGHTS in given:
        assumed[WEIGHTS] = move(given[WEIGHTS])
    return name if (file, assumed) == (base, given) else model_name.join(file, assumed)
