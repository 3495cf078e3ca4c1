"""The user's consent to run files of code, stored by SHA-256."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from models.output_files import write_whole
from models.runtime import user_folders
from models.types import Refusal
from models.user_code import source

FILE = "allowed.json"
COPIES = "allowed"
MOST_KEPT_BYTES = 16 << 20


class Consent(Refusal):
    """Refusal that asks for consent to run the file at `path` with exactly this `sha256`.


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
    """Record that content with this SHA-256 may run; keep a copy, to show the difference when the file changes.

    Raises OSError if the record cannot be written.
    """
    known = allowed()
    known.pop(sha256, None)  # reinserted, so that the newest entry is the last
    folder = user_folders.home()
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, (json.dumps({**known, sha256: str(path)}, indent=2, ensure_ascii=False) + "\n").encode())
    with suppress(OSError):
        if path.stat().st_size > MOST_KEPT_BYTES:
            return  # such a file also holds weights, which need no second copy
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == sha256:
            (folder / COPIES).mkdir(exist_ok=True)
            write_whole(folder / COPIES / sha256, content)


def before(path: Path) -> tuple[str, str | None]:
    """Return SHA-256 and text of the content last allowed at a path; "" if none, and None if no valid copy is kept."""
    found = [sha256 for sha256, place in allowed().items() if place == str(path)]
    if not found:
        return "", None
    try:
        content = (user_folders.home() / COPIES / found[-1]).read_bytes()
    except OSError:
        return found[-1], None
    right = hashlib.sha256(content).hexdigest() == found[-1]
    return found[-1], source.shown(content, path.name) if right else None


def revoke() -> None:
    """Revoke every consent and delete the copies. Raises OSError."""
    (user_folders.home() / FILE).unlink(missing_ok=True)
    for copy in (user_folders.home() / COPIES).glob("*"):
        copy.unlink(missing_ok=True)


def allowed() -> dict[str, str]:
    """Return, by SHA-256, the path at which each content was allowed. An unreadable record allows nothing."""
    try:
        known: Any = json.loads((user_folders.home() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in known.items()} if isinstance(known, dict) else {}
