"""File basics: whether a file can be read, what type it appears to be, its SHA-256."""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
import threading
import warnings
import zipfile
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from models.types import Refusal

ASSETS = Path(__file__).resolve().parent.parent / "assets"
WEIGHTS_SUFFIXES = frozenset(
    {".safetensors", ".pt", ".pth", ".ckpt", ".th", ".tar", ".bin", ".torchscript", ".jit", ".ptl"}
)
PROGRAM_SUFFIXES = frozenset({".pt2", ".onnx"})
CODE_SUFFIXES = frozenset({".py", ".ipynb"})
MODEL_SUFFIXES = WEIGHTS_SUFFIXES | PROGRAM_SUFFIXES | CODE_SUFFIXES

_HEAD_BYTES = 512
_MAGIC = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"II+\0", "a TIFF picture"),
    (b"MM\0+", "a TIFF picture"),
    (b"8BPS", "a Photoshop picture"),
    (b"qoif", "a QOI picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xffO\xffQ", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\x01\0", "an icon picture"),
    (b"FUJIFILMCCD-RAW", "a camera's raw picture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance picture"),
    (b"SIMPLE  =", "a FITS picture"),
    (b"DDS ", "a DDS picture"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"version https://git-lfs", "a pointer of Git LFS: the file itself is still to be fetched (git lfs pull)"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"BM", "a BMP picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x89HDF", "an HDF5 file"),
)
_BOXES = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "a HEIC picture"),
    **dict.fromkeys((b"avif", b"avis"), "an AVIF picture"),
    b"crx ": "a camera's raw picture",
}
_ANY_BOXES = (b"mif1", b"msf1", b"mif2", b"miaf")  # only say that it is a still picture of some codec
_WEB = ("<!doctype html", "<html", "<head", "<script", "<body", "<!-- ")


def check(path: str | Path, *, empty: bool = False) -> Path:
    """Return `path` as an absolute path to a readable, non-empty file.

    Raises Refusal if it is missing, a folder, not an ordinary file (a pipe would block), not readable, or empty unless
    `empty` is set.
    """
    absolute = Path(path).absolute()
    try:
        status = absolute.stat()
        if stat.S_ISDIR(status.st_mode):
            raise Refusal(f"{absolute.name or absolute} is a folder.", advice="Choose a file inside it.")
        if not stat.S_ISREG(status.st_mode):
            raise Refusal(f"{absolute.name} is not an ordinary file.", advice="Choose a file on a disk.")
        if not status.st_size and not empty:
            raise Refusal(f"{absolute.name} is empty (0 bytes).", advice="Copy or download it again.")
        with absolute.open("rb"):
            return absolute
    except (OSError, ValueError) as exc:
        raise refusal(absolute, exc) from exc


def exists(path: str | Path) -> bool:
    """Return whether a path exists; a name that the system does not accept counts as missing."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def refusal(path: Path, exc: Exception) -> Refusal:
    """Return a refusal that explains why the file at `path` could not be opened."""
    if isinstance(exc, FileNotFoundError | NotADirectoryError):
        return Refusal(f"{path.name} is not there.", advice=f"It was looked for in {path.parent}; choose it again.")
    if isinstance(exc, PermissionError):
        return Refusal(f"{path.name} may not be read.", advice="Change its permissions, or copy it to your own folder.")
    reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
    return Refusal(f"{path.name} cannot be read ({reason}).", advice="Copy it to another place and open it there.")


def content(path: Path, *, most: int, empty: bool = False) -> bytes:
    """Return a file's content, at most `most` bytes. Raises Refusal if it is longer or cannot be opened.

    The file is checked again after it was opened without blocking: reading a pipe put in its place would never end.
    """
    size = check(path, empty=empty).stat().st_size
    if size > most:
        raise _too_long(path, size, most)
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:  # noqa: PTH123 - by its number
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Refusal(f"{path.name} is not an ordinary file.", advice="Choose a file on a disk.")
            found = file.read(most + 1)
    except (OSError, ValueError, MemoryError) as exc:
        raise refusal(path, exc) from exc
    if len(found) > most:
        raise _too_long(path, len(found), most)
    return found


def text_of(path: Path, *, most: int) -> str:
    """Return a file's text, at most `most` bytes. Raises Refusal if longer or unreadable, ValueError if not UTF-8."""
    return content(path, most=most).decode("utf-8")


def _too_long(path: Path, size: int, most: int) -> Refusal:
    limit = f"{most >> 20} MB" if most >= 1 << 20 else f"{most >> 10} kB"
    return Refusal(f"{path.name} is {size / 1e6:,.1f} MB long.", advice=f"At most {limit} of it are read.")


def kind(path: Path) -> str:
    """Return the file type from its first bytes, with article ("a PNG picture"), or "" if unknown."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture"
    if head[4:8] == b"ftyp":
        brands = [
            head[8:12],
            *(head[at : at + 4] for at in range(16, min(len(head), int.from_bytes(head[:4], "big")), 4)),
        ]
        named = next((_BOXES[brand] for brand in brands if brand in _BOXES), "")
        return named or ("a HEIF picture" if any(brand in _ANY_BOXES for brand in brands) else "a video")
    if head[128:132] == b"DICM":
        return "a DICOM picture"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:
        return "a safetensors file"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return ""
    if any(c < " " and c not in "\t\r\n\f" for c in text):
        return ""
    begin = text.lstrip("\ufeff \t\r\n").lower()
    if begin.startswith(_WEB):
        return "a web page"
    return "an SVG drawing" if begin.startswith("<svg") or "<svg" in begin else "a text file"


def is_program(path: Path) -> bool:
    """Return whether a file is an exported program (.pt2, .onnx, TorchScript) rather than weights alone."""
    if path.suffix.lower() in PROGRAM_SUFFIXES:
        return True
    try:
        # Check for an ordinary file first: reading a pipe or a device might never end.
        if not path.is_file() or not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return any(name.split("/")[1:2] == ["code"] for name in archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def is_script(path: Path) -> bool:
    """Return whether a file is TorchScript, which is code."""
    return path.suffix.lower() in WEIGHTS_SUFFIXES and is_program(path)


def code_of(name: str) -> tuple[Path, str] | None:
    """Return the file and the function named by `path/file.py:build`; the function is "" without the colon."""
    path, colon, function = name.rpartition(":")
    if colon and path.lower().endswith(tuple(CODE_SUFFIXES)) and function.isidentifier():
        return Path(path).absolute(), function
    return (Path(name).absolute(), "") if name.lower().endswith(tuple(CODE_SUFFIXES)) else None


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal. Raises Refusal if it cannot be read."""
    try:
        # `check` refuses pipes and devices, whose content might never end.
        with check(path, empty=True).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise refusal(Path(path).absolute(), exc) from exc


class Quiet:
    """Suppress Python warnings while any thread is inside: Vitrine reports problems of files in its own words.

    `warnings.catch_warnings` alone is not enough: two overlapping threads would restore each other's filters.
    """

    _lock: ClassVar = threading.Lock()
    _inside: ClassVar[int] = 0
    _caught: ClassVar[warnings.catch_warnings | None] = None

    def __enter__(self) -> None:
        with Quiet._lock:
            if not Quiet._inside:
                Quiet._caught = warnings.catch_warnings()
                Quiet._caught.__enter__()
                warnings.simplefilter("ignore")
            Quiet._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with Quiet._lock:
            Quiet._inside -= 1
            if not Quiet._inside and Quiet._caught:
                Quiet._caught.__exit__(None, None, None)
                Quiet._caught = None
