"""Show the source in a TorchScript file as text, for the user to read before allowing it."""

from __future__ import annotations

import io
import zipfile
import zlib

MOST_BYTES = 4 << 20  # most source shown
BROKEN = (OSError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, KeyError)


def text_of(content: bytes) -> str:
    """Return the text of a file of code: the sources of a TorchScript file one after the other, any other file as it
    is.
    """
    return sources(content) or content.decode("utf-8", "replace")


def sources(content: bytes) -> str:
    """Return the sources in a TorchScript file, each preceded by its name; "" for any other file."""
    if not content.startswith(b"PK"):
        return ""
    found: list[str] = []
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                _, folder, path = (*member.filename.split("/", 2), "", "")[:3]
                if folder != "code" or not path.endswith(".py") or not 0 < member.file_size <= left:
                    continue
                left -= member.file_size
                with archive.open(member) as file:
                    found.append(f"# {path}\n{file.read(member.file_size).decode('utf-8', 'replace')}")
    except BROKEN:
        return "\n".join(found)
    return "\n".join(found)
