"""Which files of code the user has allowed to run, by SHA-256. It runs nothing."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from models import places
from models.exported.torchscript_text import text_of
from models.output_files import write_whole
from models.types import Refusal

FILE = "allowed.json"
COPIES = "allowed"
MOST_KEPT_BYTES = 16 << 20


class Consent(Refusal):
    """A file of code waits for the user's word: the one at `path` with this `sha256`, and no other.

    The word for it covers what it imports from its folder; `helper` is what of that was not allowed yet, or changed.
    """

    def __init__(self, path: Path, sha256: str, *, why: str = "", helper: str = "") -> None:
        what = f"{helper}, which {path.name} imports," if helper else path.name
        super().__init__(
            f"{what} holds code, which has not been allowed to run.",
            advice=f"{why} Look at it, then allow it once: in the window, or with --allow.".strip(),
            offer=("allow", str(path), sha256),
        )


def check(path: Path, content: bytes, *, why: str = "") -> str:
    """Return the SHA-256 of a file's content. Raises Consent unless the user has allowed exactly this content."""
    digest = hashlib.sha256(content).hexdigest()
    if digest not in allowed():
        raise Consent(path, digest, why=why)
    return digest


def allow(path: Path, sha256: str) -> None:
    """Remember that content with this SHA-256 may run, and what it says, to show what is new when the file changes.

    Raises OSError where that cannot be written down.
    """
    known = allowed()
    known.pop(sha256, None)  # the newest stands last
    folder = places.home()
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, (json.dumps({**known, sha256: str(path)}, indent=2, ensure_ascii=False) + "\n").encode())
    with suppress(OSError):
        if path.stat().st_size > MOST_KEPT_BYTES:
            return  # a network's numbers lie in it too: they would be kept twice
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == sha256:
            (folder / COPIES).mkdir(exist_ok=True)
            write_whole(folder / COPIES / sha256, content)


def before(path: Path) -> tuple[str, str | None]:
    """Return the SHA-256 of what was allowed last under a path, "" where nothing was, and its text where it is kept."""
    found = [sha256 for sha256, place in allowed().items() if place == str(path)]
    if not found:
        return "", None
    try:
        content = (places.home() / COPIES / found[-1]).read_bytes()
    except OSError:
        return found[-1], None
    right = hashlib.sha256(content).hexdigest() == found[-1]
    return found[-1], text_of(content) if right else None


def withdraw() -> None:
    """Forget everything that was allowed. Raises OSError."""
    (places.home() / FILE).unlink(missing_ok=True)
    for copy in (places.home() / COPIES).glob("*"):
        copy.unlink(missing_ok=True)


def allowed() -> dict[str, str]:
    """Return where each allowed content was when it was allowed, by SHA-256. What cannot be read allows nothing."""
    try:
        known: Any = json.loads((places.home() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in known.items()} if isinstance(known, dict) else {}
