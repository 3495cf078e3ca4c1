"""Write files atomically: each appears complete or not at all, and files that belong together appear together.

All of Vitrine's files are written here. A file is written under a temporary name in its folder, flushed to the disk,
and only then renamed. So an older file survives a full disk, a killed program and a power cut.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from models.types import Refusal

PART = ".part"
LONGEST_STEM, LONGEST_SUFFIX = 40, 12  # of a temporary name, which must stay within the file system's limit
FORGOTTEN_S = 3600.0  # a temporary file unchanged for this long was left behind by a killed program
COPY_BYTES = 1 << 20
NEW_MODE = 0o666  # before the umask applies
ADVICE = "Choose another name or folder, or make room on the disk."


class OutputFiles:
    """Files that appear together when the block ends without an exception; otherwise none of them does.

    Raises OSError if a path is a pipe, a device, a folder, a loop of links or not writable, or the disk is full.
    Links are followed, and the permissions of older files kept. If the program is killed between the final renames,
    some of the files are new and others old, but each of them is complete.
    """

    def __init__(self) -> None:
        self._parts: dict[Path, Path] = {}  # temporary file by final path

    def add(self, path: Path, content: bytes | str) -> None:
        """Write a file. It appears at `path` together with the others."""
        with _naming(path), self.part(path).open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)

    def part(self, path: Path) -> Path:
        """Create an empty temporary file for the file that will appear at `path`; return where to write it."""
        place = target(path)
        if place in self._parts:
            raise FileExistsError(errno.EEXIST, "two files of this name would be written", str(path))
        _forget_old(place)
        part = place.with_name(f"{_stem(place)}{os.urandom(4).hex()}{PART}{place.suffix[-LONGEST_SUFFIX:]}")
        mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with _naming(path):
            handle = os.open(part, flags, NEW_MODE if mode is None else 0o600)
        self._parts[place] = part
        try:
            if mode is not None and hasattr(os, "fchmod"):
                with contextlib.suppress(PermissionError):  # file systems without permissions
                    os.fchmod(handle, mode)
        finally:
            os.close(handle)
        return part

    def __enter__(self) -> OutputFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()

    def commit(self) -> None:
        """Flush all files to the disk and rename them to their final paths, or none."""
        try:
            self._place()
        finally:
            self.discard()

    def discard(self) -> None:
        """Delete temporary files that have not been renamed."""
        for part in self._parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        self._parts.clear()

    def _place(self) -> None:
        for place, part in self._parts.items():
            with _naming(place):
                _to_disk(part)
        done: list[tuple[Path, Path | None]] = []
        try:
            for place, part in self._parts.items():
                done.append((place, _kept(place) if len(self._parts) > 1 else None))
                with _naming(place):
                    part.replace(place)
        except BaseException:
            for place, older in reversed(done):
                with contextlib.suppress(OSError):
                    if older is not None:
                        older.replace(place)
                        # Renaming between two hard links of one file does nothing, so remove the second name.
                        older.unlink(missing_ok=True)
                    elif len(self._parts) > 1:
                        place.unlink(missing_ok=True)
            raise
        for _, older in done:
            if older is not None:
                with contextlib.suppress(OSError):
                    older.unlink(missing_ok=True)
        for folder in {place.parent for place in self._parts}:
            _folder_to_disk(folder)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write; it is renamed to `path` when the block ends without error. Raises OSError."""
    with OutputFiles() as files:
        yield files.part(path)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file completely or not at all: on failure nothing is left of it, and an older file stays.

    Raises OSError.
    """
    with OutputFiles() as files:
        files.add(path, content)


def bring(file: Path, path: Path) -> None:
    """Move a file to `path`, also from another disk, whole or not at all. Raises OSError."""
    with OutputFiles() as files:
        part = files.part(path)
        mode = stat.S_IMODE(part.stat().st_mode)
        try:
            file.replace(part)
            part.chmod(mode)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with file.open("rb") as source, part.open("wb") as copy:
                shutil.copyfileobj(source, copy, COPY_BYTES)
            file.unlink()


def target(path: Path) -> Path:
    """Return the real path that a file of this name is written to: `path`, or the target of its links.

    Raises OSError if it is not writable or not an ordinary file; opening a pipe, for example, would block for ever.
    """
    place = Path(os.path.realpath(path))  # realpath leaves a loop of links as it is, and `stat` then raises
    try:
        status = place.stat()
    except FileNotFoundError:
        return place
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a folder has this name", str(path))
    if not stat.S_ISREG(status.st_mode):
        what = "a named pipe" if stat.S_ISFIFO(status.st_mode) else "a device or socket"
        raise OSError(errno.EINVAL, f"{what} has this name, and no file", str(path))
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, "the file of this name may not be changed", str(path))
    return place


def refusal(path: Path, error: Exception) -> Refusal:
    """Return a refusal that explains why files could not be written to `path`, or which one of them."""
    named = getattr(error, "filename", None)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    where = named if isinstance(named, str) else path
    return Refusal(f"{where} cannot be written ({reason}).", advice=ADVICE)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Make errors name the final file rather than the temporary one."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _stem(place: Path) -> str:
    """Return the prefix of the temporary names of a file."""
    return f".{place.stem.encode()[:LONGEST_STEM].decode(errors='ignore')}."


def _forget_old(place: Path) -> None:
    """Remove temporary files of this file that a killed program left behind."""
    begin, now = _stem(place), time.time()
    with contextlib.suppress(OSError):
        for entry in os.scandir(place.parent):
            if entry.name.startswith(begin) and PART in entry.name and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    if now - entry.stat().st_mtime > FORGOTTEN_S:
                        Path(entry.path).unlink()


def _kept(place: Path) -> Path | None:
    """Give an older file a second name from which it can be restored; return that, None if there is no file."""
    if not place.exists():
        return None
    older = place.with_name(f"{_stem(place)}{os.urandom(4).hex()}.old{PART}{place.suffix[-LONGEST_SUFFIX:]}")
    try:
        os.link(place, older)
    except OSError:  # file systems without hard links
        place.rename(older)
    return older


def _to_disk(part: Path) -> None:
    with part.open("rb+") as file:
        os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    """Flush a folder so that its new name survives a power cut, where folders can be flushed (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
