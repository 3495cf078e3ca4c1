"""Adapters that are always offered: files kept by the user, and adapters of installed packages.

Weights that one of them recognises are opened with it. A package registers an adapter in the entry point group
`vitrine.adapters`. Listing them runs none of their code. A minimal adapter:

    import vitrine

    class MyDetector(vitrine.OneStage):
        @classmethod
        def match(cls, state):  # the state dict's names and tensors
            return "my_head.weight" in state

        @classmethod
        def build(cls):
            return MyNet()

    ADAPTER = MyDetector
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.output_files import write_whole
from models.runtime import user_folders
from models.user_code import outline

FILE = "adapters.json"
GROUP = "vitrine.adapters"


@dataclass(frozen=True)
class Kept:
    """An adapter: the file of its code, its name there, and for an installed package its module."""

    path: Path
    name: str = outline.ADAPTER
    module: str = ""


def kept() -> tuple[Kept, ...]:
    """Return all adapters offered, the user's own first; missing files are skipped."""
    own = (Kept(Path(path)) for path in paths())
    return tuple(each for each in (*own, *_installed()) if each.path.is_file())


def paths() -> tuple[str, ...]:
    """Return the files kept by the user; none if the list cannot be read."""
    try:
        found: Any = json.loads((user_folders.home() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()
    return tuple(dict.fromkeys(p for p in found if isinstance(p, str) and p)) if isinstance(found, list) else ()


def keep(path: Path) -> None:
    """Offer a file's adapter from now on. Raises OSError if the list cannot be written."""
    _write((*paths(), str(path.absolute())))


def forget(path: Path) -> None:
    """Stop offering a file's adapter. Raises OSError."""
    _write(tuple(each for each in paths() if each != str(path.absolute())))


def _write(found: tuple[str, ...]) -> None:
    folder = user_folders.home()
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(list(dict.fromkeys(found)), indent=2, ensure_ascii=False)
    write_whole(folder / FILE, f"{text}\n".encode())


def _installed() -> tuple[Kept, ...]:
    from importlib import metadata

    found = []
    for point in metadata.entry_points(group=GROUP):
        path = _source(point.module)
        if path is not None:
            found.append(Kept(path, point.attr or outline.ADAPTER, point.module))
    return tuple(found)


def _source(module: str) -> Path | None:
    """Return the file of a module without importing it.

    `importlib.util.find_spec("a.b")` would import, and so run, `a`.
    """
    top, *parts = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not parts:
        return Path(spec.origin) if spec.origin else None
    for folder in spec.submodule_search_locations or ():
        begin = Path(folder, *parts)
        for path in (begin.with_name(f"{begin.name}.py"), begin / "__init__.py"):
            if path.is_file():
                return path
    return None
