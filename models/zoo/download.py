"""Downloads a file to `NAME.part`, resuming where it stopped, then verifies and renames it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from models.output_files import write_whole
from models.types import Cancelled, Refusal
from models.zoo.cached import PART

CHUNK = 1 << 18
TIMEOUT_S = 20.0
LOCK_WAIT_S = 0.1
MOST_BYTES = 1 << 40
MOST_DIGITS = 21  # in a Content-Length
SPARE_BYTES = 64 << 20  # to leave free on the disk
NOTE = ".part.json"
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
Report = Callable[[int, int], None]
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d{1,20})-\d{1,20}/(\d{1,20})")
_LATER = "Try again later; what came is kept."


@dataclass
class _Body:
    """A server's response: the bytes from `start` on, the `total` length (0 if unknown), a validator, and a hash."""

    stream: Any
    start: int
    total: int
    validator: str
    digest: str
    cut: bool = False  # a response without a length ended before its own end


def download(
    url: str,
    place: Path,
    *,
    digest: str = "",
    report: Report = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    timeout_s: float = TIMEOUT_S,
) -> Path:
    """Download `url` to `place` unless the file exists, and return `place`.

    An unfinished download is resumed if the file on the server has not changed. `digest` is the beginning of the
    SHA-256; if it is "", the one the server states is used (the hub's ETag). `report` is called with the bytes present
    and in all, 0 if unknown. `free` returns the free bytes on a disk. Of two downloads of the same file the second
    waits for the first and uses its file. Raises Cancelled, or Refusal with the reason; both keep the partial file,
    except after a wrong checksum.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(place.with_name(place.name + ".lock"), cancelled):
            if place.is_file():
                return place
            with contextlib.closing(_Answer(url, timeout_s, cancelled)) as answer:
                _fetch(answer, place, digest=digest, report=report, cancelled=cancelled, free=free)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise _refusal(error, url, place) from error
    return place


@contextlib.contextmanager
def _locked(path: Path, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock file at `path`, which threads and processes share, waiting for other holders; remove it afterwards.

    Raises Cancelled while waiting.
    """
    import filelock  # here, so that opening a model does not import it

    lock = filelock.FileLock(path)
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except filelock.Timeout:
            if cancelled():
                raise Cancelled from None
            time.sleep(LOCK_WAIT_S)
    try:
        yield
    finally:
        # Remove it while it is still held: a waiter that had it open notices and starts again. Windows deletes no open
        # file, so there it is removed afterwards, unless a waiter has it open.
        if os.name != "nt":
            path.unlink(missing_ok=True)
        lock.release()
        if os.name == "nt":
            with contextlib.suppress(OSError):
                path.unlink()


def _fetch(
    answer: _Answer,
    place: Path,
    *,
    digest: str,
    report: Report,
    cancelled: Callable[[], bool],
    free: Callable[[Path], int],
) -> None:
    part, note = place.with_name(place.name + PART), place.with_name(place.name + NOTE)
    # Request the last byte again: for a part that is already complete the range would be empty, which is an error.
    body = answer.begin(max(0, part.stat().st_size - 1) if part.is_file() else 0, _noted(note, answer.url))
    if body.total and body.total - body.start + SPARE_BYTES > (left := free(place.parent)):
        need = _size(body.total - body.start + SPARE_BYTES)
        message = f"There is not enough room for {place.name}: it needs {need}, {_size(left)} are free."
        raise Refusal(message, advice=f"Make room on the disk of {place.parent}, then try again.")
    write_whole(note, json.dumps({"url": answer.url, "validator": body.validator}))
    with part.open("r+b" if body.start else "wb") as file:
        file.truncate(body.start)
        file.seek(body.start)
        done = _copy(body, file, report, cancelled)
        file.flush()
        os.fsync(file.fileno())
    if body.cut or (body.total and done < body.total):
        of = f" of {_size(body.total)}" if body.total else ""
        message = f"The connection was cut after {_size(done)}{of} of {place.name}."
        raise Refusal(message, advice="What has been downloaded is kept: the next attempt continues from there.")
    _check(part, note, digest or body.digest, place.name)
    part.replace(place)
    note.unlink(missing_ok=True)


class _Answer:
    """One request for a file, with its response."""

    def __init__(self, url: str, timeout_s: float, cancelled: Callable[[], bool]) -> None:
        self.url, self._timeout_s, self._cancelled = url, timeout_s, cancelled
        self._stream: Any = None

    def begin(self, have: int, validator: str) -> _Body:
        """Request the rest of a file of which `have` bytes are present, or all of it if that is not possible."""
        if have and validator:
            try:
                body = self._ask(have, validator)
                if body.start in (0, have):
                    return body
            except urllib.error.HTTPError as error:
                if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                error.close()
            self.close()
        return self._ask(0, "")

    def close(self) -> None:
        """Close the connection."""
        if self._stream is not None:
            self._stream.close()

    def _ask(self, start: int, validator: str) -> _Body:
        if self._cancelled():
            raise Cancelled
        # With compression, the length and the ranges would not be those of the file.
        headers = {"User-Agent": "vitrine", "Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        redirects = _Redirects()
        opener = urllib.request.build_opener(redirects)
        self._stream = opener.open(urllib.request.Request(self.url, headers=headers), timeout=self._timeout_s)
        given: Message = self._stream.headers
        length = _length(given.get("Content-Length", ""))
        found = _RANGE.match(given.get("Content-Range", "")) if self._stream.status == 206 else None
        begin, total = (int(found[1]), int(found[2])) if found else (0, length)
        if max(begin, total) > MOST_BYTES:
            host = urlsplit(self.url).hostname
            raise Refusal(f"{host} says that the file has {_size(total)}, which no model has.", advice=_LATER)
        etag = given.get("ETag", "")
        known_by = etag if etag and not etag.startswith("W/") else given.get("Last-Modified", "")
        named = (tag.strip('"').lower() for tag in (redirects.linked, given.get("X-Linked-Etag", ""), etag))
        digest = next((tag for tag in named if _SHA256.fullmatch(tag)), "")
        return _Body(self._stream, begin, total, known_by, digest)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to http; keeps the checksum that the hub states in the first one."""

    linked = ""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: PLR0917
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            host = urlsplit(newurl).hostname
            message = f"The download was redirected to an address without encryption ({host}), which was not followed."
            raise Refusal(message, advice="Try another network; download weights only over https.")
        self.linked = self.linked or headers.get("X-Linked-Etag", "")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _copy(body: _Body, file: IO[bytes], report: Report, cancelled: Callable[[], bool]) -> int:
    """Write the response to the file, and return how many bytes of the file are then present."""
    done = body.start
    report(done, body.total)
    try:
        while True:
            if cancelled():
                raise Cancelled
            # read1 makes at most one read of the connection, so that a slow download can be cancelled.
            if not (chunk := body.stream.read1(CHUNK)):
                break
            if done + len(chunk) > MOST_BYTES:
                raise Refusal(f"More than {_size(MOST_BYTES)} arrived, so the download was stopped.", advice=_LATER)
            file.write(chunk)
            done += len(chunk)
            report(done, body.total)
    except (http.client.IncompleteRead, ValueError):  # ValueError: the length of a chunk is not a number
        body.cut = True
    return done


def _length(given: str) -> int:
    """Return the length that a server states, 0 if it is missing or impossible."""
    given = given.strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) < MOST_DIGITS else 0


def _noted(note: Path, url: str) -> str:
    """Return the validator recorded for the part of `url`, "" if there is none."""
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
        return str(kept["validator"]) if kept["url"] == url else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _check(part: Path, note: Path, digest: str, name: str) -> None:
    if not digest:
        return
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(digest.lower()):
        part.unlink()
        note.unlink(missing_ok=True)
        message = f"{name} did not arrive as it was published: its SHA-256 is {found[:8]}…, not {digest[:8]}…."
        raise Refusal(message, advice="The file was deleted. Try again, over another network if this happens again.")


def _refusal(error: Exception, url: str, place: Path) -> Refusal:
    host = urlsplit(url).hostname or url
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if error.code in (401, 403):
            message = f"{host} gives {place.name} only to users who sign in ({error.code})."
            return Refusal(message, advice=f"Sign in there, download {url}, and open the file.")
        if error.code in (404, 410):
            message = f"{place.name} is not at {host} any more ({error.code})."
            return Refusal(message, advice="Choose other weights, or look there for where they moved.")
        return Refusal(f"{host} does not answer as it should ({error.code} {error.reason}).", advice=_LATER)
    reason: object = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, OSError) and reason.errno in FULL:
        message = f"The disk became full while {place.name} was downloaded."
        advice = f"Make room on the disk of {place.parent}; the next attempt continues from there."
        return Refusal(message, advice=advice)
    if isinstance(reason, PermissionError):
        message = f"{place.name} may not be written to {place.parent}."
        return Refusal(message, advice="Change its permissions, or set TORCH_HOME to a folder of your own.")
    if isinstance(reason, ssl.SSLCertVerificationError):
        message = f"{host} could not be trusted: {reason.verify_message}."
        return Refusal(message, advice="Check this computer's clock and certificates, or try another network.")
    if isinstance(reason, socket.gaierror):
        message = f"{host} was not found: this computer seems to be offline."
        return Refusal(message, advice="Connect it to the internet. Models in the cache open without.")
    if isinstance(reason, TimeoutError):
        return Refusal(
            f"{host} stopped answering.",
            advice="What has been downloaded is kept: the next attempt continues from there.",
        )
    if isinstance(reason, ConnectionRefusedError):
        message = f"{host} could not be reached: the connection was refused."
        return Refusal(message, advice="Check the network and its proxy. Models in the cache open without.")
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    message = f"The connection to {host} failed ({text})."
    return Refusal(message, advice="Check the network and try again; what came is kept.")


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
