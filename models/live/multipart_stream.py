"""A stream of JPEGs over HTTP (multipart/x-mixed-replace), as cameras serve it, read in bounded memory.

FFmpeg takes a part as long as its header says, however long that is; here none is longer than `MOST_PART_BYTES`.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import numpy as np

from models.pictures.media import title
from models.pictures.picture_limits import MAX_PIXELS
from models.types import Pixels, Refusal

KIND = "multipart/x-mixed-replace"
MOST_PART_BYTES = 64 << 20
MOST_LINE_BYTES = 8192
MOST_LINES = 100  # of one part's headers
CHUNK_BYTES = 1 << 16
_END = b"\xff\xd9"  # of a JPEG


class Multipart:
    """An opened stream. `read` gives the next picture (H, W, 3) as OpenCV decodes it, `None` where none came."""

    def __init__(self, path: str, answer: Any, cv2: Any) -> None:
        self._path, self._answer, self._cv2 = path, answer, cv2
        self._boundary = b"--" + (answer.headers.get_boundary() or "").strip("-").encode("latin-1", "replace")

    def read(self) -> tuple[bool, Any]:
        """Return whether a picture came, and it: BGR, or grey of two dimensions. Raises Refusal for one too large."""
        try:
            content = self._part()
        except (OSError, http.client.HTTPException, ValueError):
            return False, None
        return (True, self._picture(content)) if content else (False, None)

    def grab(self) -> bool:
        """Pass over the next picture; False where none came."""
        return self.read()[0]

    def get(self, prop: int) -> float:
        """Return 0: such a stream says nothing of itself."""
        return 0.0

    def release(self) -> None:
        """Close the connection."""
        self._answer.close()

    def _part(self) -> bytes:
        """Return the content of the next part, b"" at the end."""
        length = self._headers()
        if length is None:
            return b""
        if length > MOST_PART_BYTES:
            raise self._too_large(f"says that it has {length:,} bytes")
        if length:
            content = bytearray()
            while len(content) < length and (chunk := self._answer.read(min(CHUNK_BYTES, length - len(content)))):
                content += chunk
            return bytes(content) if len(content) == length else b""
        content = bytearray()  # without a length it ends where the next part begins
        while line := self._answer.readline(CHUNK_BYTES):
            content += line
            before, mark, after = bytes(content[-len(line) - 4 :]).rstrip(b"\r\n").rpartition(self._boundary)
            if mark and after in (b"", b"--") and before.rstrip(b"\r\n").endswith(_END):
                self._begun = True
                return bytes(content[: content.rindex(self._boundary)])
            if len(content) > MOST_PART_BYTES:
                raise self._too_large(f"goes on beyond {MOST_PART_BYTES:,} bytes")
        return b""

    _begun = False  # whether the line that begins the next part was read with the part before

    def _headers(self) -> int | None:
        """Read up to a part's content. Return its length, 0 where it is not said, None at the end of the stream."""
        length, begun = 0, self._begun
        self._begun = False
        for _ in range(MOST_LINES):
            line = self._answer.readline(MOST_LINE_BYTES)
            if not line:
                return None
            name, colon, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and colon:
                digits = value.strip()
                if not digits.isdigit() or len(digits) > 18:
                    raise self._too_large("says that it has a length that is none")
                length, begun = int(digits), True
            elif colon or line.strip().startswith(b"--"):
                begun = True
            elif begun and not line.strip():
                return length
        return None

    def _picture(self, content: bytes) -> Pixels | None:
        cv2 = self._cv2
        height, width = _size(content)
        if height * width > MAX_PIXELS:
            raise self._too_large(f"is of {width:,} x {height:,} pixels")
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)

    def _too_large(self, what: str) -> Refusal:
        most = f"at most {MOST_PART_BYTES >> 20} MB"
        return Refusal(
            f"{title(self._path)} sends no camera picture: a part of the stream {what} ({most} are read).",
            advice="Check the address, or the program that serves it.",
        )


def opened(path: str, cv2: Any, *, seconds: float) -> Multipart | None:
    """Return the stream at an address of HTTP, None where it is of another kind or does not answer."""
    if not path.lower().startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(path)
        host = parts.netloc.rpartition("@")[2]
        bare = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if parts.username is not None:
            passwords.add_password(None, bare, unquote(parts.username), unquote(parts.password or ""))
        known = (urllib.request.HTTPBasicAuthHandler(passwords), urllib.request.HTTPDigestAuthHandler(passwords))
        # Cameras sign for themselves; FFmpeg does not ask either.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        secure = urllib.request.HTTPSHandler(context=context)
        answer = urllib.request.build_opener(secure, *known).open(bare, timeout=seconds)
    except (OSError, http.client.HTTPException, ValueError, urllib.error.URLError):
        return None
    if answer.headers.get_content_type() == KIND:
        return Multipart(path, answer, cv2)
    answer.close()
    return None


def _size(content: bytes) -> tuple[int, int]:
    """Return the height and width that a JPEG's header says, (0, 0) where there is none."""
    at = 2
    while content[:2] == b"\xff\xd8" and at + 9 <= len(content) and content[at] == 0xFF:
        mark = content[at + 1]
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(content[at + 5 : at + 7]), int.from_bytes(content[at + 7 : at + 9])
        at += 1 if mark == 0xFF else 2 + int.from_bytes(content[at + 2 : at + 4])
    return 0, 0
