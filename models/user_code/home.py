"""Where a file of code imports from: its own folder, and the folder that it is written to be run from."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from models.runtime.module_paths import ROOT
from models.types import Refusal
from models.user_code import source

MOST_ABOVE = 4  # folders above the file's own that are looked into
OURS = ("models", "viewer", "main", "vitrine")


@dataclass(frozen=True)
class Home:
    """The folders that a file's imports are looked for in, the likeliest first, and the `package` it belongs to.

    The package is () unless the file has imports that begin with a dot.
    """

    roots: tuple[Path, ...]
    package: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def of(file: Path, content: bytes) -> Home:
    """Return where a file with this content imports from. Runs nothing."""
    try:
        module = source.tree(content, file.name)
    except (Refusal, SyntaxError, ValueError, RecursionError, MemoryError):
        return Home((file.parent,))
    level = max((node.level for node in ast.walk(module) if isinstance(node, ast.ImportFrom)), default=0)
    roots, package = [file.parent], ()
    if level:
        root, package = _package(file, level)
        roots = [root, file.parent] if root != file.parent else roots
    for name in dict.fromkeys(_tops(module)):
        above = _above(file, name)
        if above is not None and above not in roots:
            roots.append(above)
    return Home(tuple(roots), package)


def _package(file: Path, level: int) -> tuple[Path, tuple[str, ...]]:
    """Return the folder that a file's package lies in, and the package's name."""
    root, parts = file.parent, list[str]()
    while root.name.isidentifier() and (len(parts) < level or (root / "__init__.py").is_file()):
        parts.insert(0, root.name)
        root = root.parent
    return root, tuple(parts)


def _tops(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0]


def _above(file: Path, name: str) -> Path | None:
    """Return the nearest folder above a file's own that has a module of this name which is installed nowhere."""
    if name in sys.stdlib_module_names or _lies_in(file.parent, name) or (name not in OURS and _is_installed(name)):
        return None
    above = list(file.parents)[1 : 1 + MOST_ABOVE]
    return next((folder for folder in above if folder != ROOT and _lies_in(folder, name)), None)


def _lies_in(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").is_file() or (folder / name).is_dir()


def _is_installed(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False
