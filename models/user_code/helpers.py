"""The files of its own folder that a file of code imports, read off its source, and the consent to them. Runs nothing.

What is imported under a name that code makes while it runs cannot be read off; `models.user_code.imports` asks then.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from models import files
from models.types import Refusal
from models.user_code import consent, home, source

MOST_BYTES = 2_000_000
MOST_FILES = 500
BY_NAME = ("import_module", "__import__")


def found(file: Path, content: bytes) -> tuple[Path, ...]:
    """Return the files beside a file of code, or in packages there, that it imports, those that they import, and so on.

    Everything that may be imported counts, whether or not the line is reached. Raises Refusal for more than 500 files.
    """
    own = home.of(file, content)
    seen: dict[Path, None] = {}
    waiting: list[tuple[bytes, str, tuple[str, ...] | None]] = [(content, file.name, own.package or None)]
    while waiting:
        code, called, package = waiting.pop()
        for name in _names(code, called, package):
            for helper, within in _first(own.roots, name):
                if helper in seen or helper == file:
                    continue
                if len(seen) == MOST_FILES:
                    text = f"{file.name} imports more than {MOST_FILES} files of its folder."
                    raise Refusal(text, advice="Install them as a package, which is then imported by name.")
                seen[helper] = None
                if (read := _content(helper)) is not None:
                    waiting.append((read, helper.name, within))
    return tuple(sorted(seen))


def check(file: Path, content: bytes, *, why: str = "") -> str:
    """Return the SHA-256 of a file's content. Raises Consent unless that and all that it imports beside it is allowed.

    The consent that is asked for is always that to the file, which covers what it imports.
    """
    digest = consent.check(file, content, why=why)
    allowed = consent.allowed()
    for helper in found(file, content):
        if files.sha256(helper) not in allowed:
            raise consent.Consent(file, digest, why=why, helper=_shown(helper, file.parent))
    return digest


def allow(file: Path) -> dict[Path, str]:
    """Allow a file and what it imports beside it, as they are now; return their SHA-256. Raises OSError, Refusal."""
    content = files.check(file).read_bytes()
    script = files.is_script(file)
    given = {path: files.sha256(path) for path in (file, *(() if script else found(file, content)))}
    for path, digest in given.items():
        consent.allow(path, digest)
    return given


def _shown(helper: Path, folder: Path) -> str:
    return os.path.relpath(helper, folder)


def _first(roots: tuple[Path, ...], name: tuple[str, ...]) -> list[tuple[Path, tuple[str, ...]]]:
    """Return what importing a module runs, of the first folder that has it."""
    return next((found for root in roots if (found := list(_files(root, name)))), [])


def _content(path: Path) -> bytes | None:
    """Return what a helper says, None for one that cannot be read: importing it will fail, or ask."""
    try:
        checked = files.check(path, empty=True)
        return checked.read_bytes() if checked.stat().st_size <= MOST_BYTES else None
    except (Refusal, OSError):
        return None


def _names(content: bytes, called: str, package: tuple[str, ...] | None) -> Iterator[tuple[str, ...]]:
    """Yield the full names of the modules that a source may import; `package` is the one that it belongs to."""
    try:
        tree = source.tree(content, called)
    except (Refusal, SyntaxError, ValueError, RecursionError, MemoryError):
        return  # it cannot run either
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (tuple(alias.name.split(".")) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _base(package, level)
                if base is not None:
                    begin = (*base, *(module.split(".") if module else ()))
                    yield begin
                    yield from ((*begin, alias.name) for alias in names)
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=name), *_]):
                if called in BY_NAME and isinstance(name, str) and not name.startswith("."):
                    yield tuple(name.split("."))


def _base(package: tuple[str, ...] | None, level: int) -> tuple[str, ...] | None:
    """Return the package that so many dots mean, () for none, None where there is none to mean."""
    if not level:
        return ()
    up = level - 1
    if not package or up >= len(package):
        return None
    return package[: len(package) - up]


def _files(folder: Path, name: tuple[str, ...]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield the files that importing a module runs, each with the package it belongs to."""
    for depth, part in enumerate(name, 1):
        if not part.isidentifier():
            return
        inner = folder / part
        if (begin := inner / "__init__.py").is_file():
            yield begin, name[:depth]
        elif (module := folder / f"{part}.py").is_file():
            yield module, name[: depth - 1]
            return
        elif not inner.is_dir():
            return
        folder = inner
