"""Limit the work that a picture file may demand, from its headers, in bounded time, before any decoder runs.

A small file can demand hours of work: hundreds of scans over the same pixels, thousands of frames, texts and tags that
claim the same bytes again and again. `check` refuses those by count, and returns what the headers say.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.pictures import tiff
from models.types import Refusal

MAX_PIXELS = 100_000_000
MOST_SCAN_PIXELS = 1_500_000_000  # of a JPEG: its pixels times its scans
MOST_HEADER_BYTES = 64_000_000  # of all headers of a JPEG, of a comment, or of a profile
MOST_EXIF_BYTES = 4_000_000
MOST_EXIF_ENTRIES = 2000
MOST_FRAMES = 100_000
MOST_CHUNKS = 2_000_000
MOST_ODD_CHUNKS = 20_000  # of a PNG, without those that hold its pixels
MOST_COMMENT_BYTES = 1_000_000
MOST_QOI_PIXELS = 20_000_000
MOST_PLAIN_BYTES = 40_000_000  # of a PPM whose numbers are written as text
_ORIENTATION = 0x0112
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_AGAIN = "Copy or export it again with another program."


@dataclass(frozen=True)
class Facts:
    """What the headers say: `format` by Pillow's name, "" for formats not examined here; `frames` of an animation,
    `more` if there are more than were counted; the EXIF `orientation`, 0 if it was not searched for.
    """

    format: str = ""
    frames: int = 1
    more: bool = False
    orientation: int = 0
    tiff: tiff.File | None = None


def check(path: Path) -> Facts:
    """Return what the headers say; damaged files are left to the decoder. Raises Refusal for excessive demands."""
    with path.open("rb") as file:
        head = file.read(32)
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return Facts("TIFF", tiff=_tiff(path))
        reader = {b"\xff\xd8\xff": _jpeg, b"\x89PN": _png, b"GIF": _gif, b"RIF": _webp, b"qoi": _qoi}.get(head[:3])
        if head[:2] in (b"P1", b"P2", b"P3") and path.stat().st_size > MOST_PLAIN_BYTES:
            raise _too_much(path, "writes its pixels as text, more than can be read in time")
        if reader is None:
            return Facts()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return reader(path, data)
            except (struct.error, IndexError, ValueError):
                return Facts()  # the decoder describes the damage better


def orientation(exif: bytes) -> int:
    """Return the orientation in the first directory of EXIF data, 1 to 8; 1 if it is missing or unreadable."""
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        at = struct.unpack(order + "I", exif[4:8])[0]
        count = min(struct.unpack(order + "H", exif[at : at + 2])[0], MOST_EXIF_ENTRIES)
        for start in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack(order + "HHI", exif[start : start + 8])
            if tag == _ORIENTATION and number == 1 and kind in (1, 3, 4):
                form = order + {1: "B", 3: "H", 4: "I"}[kind]
                found = struct.unpack(form, exif[start + 8 : start + 8 + struct.calcsize(form)])[0]
                return found if 1 <= found <= 8 else 1
    except (KeyError, struct.error):
        pass
    return 1


def _claims(exif: bytes) -> int:
    """Return how many bytes the EXIF entries claim in total, which a reader that stores each of them would allocate."""
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        at = struct.unpack(order + "I", exif[4:8])[0]
        count = struct.unpack(order + "H", exif[at : at + 2])[0]
        entries = exif[at + 2 : at + 2 + 12 * count]
        return sum(size for _, _, size, _ in struct.iter_unpack(order + "HHII", entries[: len(entries) // 12 * 12]))
    except (KeyError, struct.error):
        return 0


def _exif(path: Path, exif: bytes) -> int:
    """Return the orientation. Raises Refusal for EXIF data of absurd size."""
    if len(exif) > MOST_EXIF_BYTES or _claims(exif) > MOST_HEADER_BYTES:
        raise _too_much(path, "carries an absurdly large EXIF")
    return orientation(exif)


def _too_much(path: Path, why: str) -> Refusal:
    return Refusal(f"{path.name} {why}, so it is not opened.", advice=_AGAIN)


def _jpeg(path: Path, data: mmap.mmap) -> Facts:
    at, scans, pixels, headers, exif = 2, 0, 0, 0, b""
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            break
        if marker in (0x01, *range(0xD0, 0xD9)):
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            pixels = max(pixels, height * width)
        elif marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            exif += data[at + 10 : at + 2 + length]
            if len(exif) > MOST_EXIF_BYTES:
                break
        headers += length if marker != 0xDA else 0
        if headers > MOST_HEADER_BYTES:
            raise _too_much(path, "carries absurdly large headers")
        at += 2 + length
        if marker != 0xDA:
            continue
        scans += 1
        if scans * pixels > MOST_SCAN_PIXELS:
            raise _too_much(path, f"asks for more than {scans - 1:,} passes over its {pixels:,} pixels")
        found = _MARKER.search(data, at)
        at = found.start() if found else len(data)
    return Facts("JPEG", orientation=_exif(path, exif) if exif else 1)


def _png(path: Path, data: mmap.mmap) -> Facts:
    at, odd, chunks, frames, turn = 8, 0, 0, 1, 1
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        chunks += 1
        odd += kind not in (b"IDAT", b"fdAT", b"fcTL")
        if chunks > MOST_CHUNKS or odd > MOST_ODD_CHUNKS:
            raise _too_much(path, f"is made of more than {chunks - 1:,} parts")
        if kind == b"acTL":
            frames = max(1, int.from_bytes(data[at + 8 : at + 12], "big"))
        elif kind == b"eXIf":
            turn = _exif(path, data[at + 8 : at + 8 + min(length, MOST_EXIF_BYTES + 1)])
        elif kind in (b"zTXt", b"iTXt", b"tEXt", b"iCCP") and length > MOST_HEADER_BYTES:
            raise _too_much(path, "carries an absurdly large text or profile")
        if kind == b"IEND":
            break
        at += 12 + length
    return Facts("PNG", min(frames, MOST_FRAMES), frames > MOST_FRAMES, turn)


def _gif(path: Path, data: mmap.mmap) -> Facts:
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    frames = 0
    while at < len(data) and frames <= MOST_FRAMES:
        kind = data[at]
        if kind == 0x2C:
            frames += 1
            flags = data[at + 9]
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        elif kind == 0x21:
            label, start = data[at + 1], at + 2
            for end in _blocks(data, start):
                at = end
                if label != 0xF9 and end - start > MOST_COMMENT_BYTES:
                    raise _too_much(path, "carries an absurdly large comment")
            continue
        elif kind == 0x3B:
            break
        else:
            at += 1
            continue
        for end in _blocks(data, at):
            at = end
    return Facts("GIF", max(1, min(frames, MOST_FRAMES)), frames > MOST_FRAMES, 1)


def _blocks(data: mmap.mmap, at: int) -> Iterator[int]:
    """Yield the end of each of a GIF's blocks, including the final block of length 0."""
    while at < len(data):
        length = data[at]
        at += 1 + length
        yield min(at, len(data))
        if not length:
            return


def _webp(path: Path, data: mmap.mmap) -> Facts:
    at, frames, turn, chunks = 12, 0, 1, 0
    if data[8:12] != b"WEBP":
        return Facts()
    while at + 8 <= len(data):
        kind, length = struct.unpack("<4sI", data[at : at + 8])
        chunks += 1
        if chunks > MOST_FRAMES + 100:
            break
        frames += kind == b"ANMF"
        if kind == b"VP8X":
            sides = (int.from_bytes(data[at + start : at + start + 3], "little") for start in (12, 15))
            _size(path, *(1 + side for side in sides))
        elif kind == b"EXIF":
            exif = data[at + 8 : at + 8 + min(length, MOST_EXIF_BYTES + 1)]
            turn = _exif(path, exif.removeprefix(b"Exif\0\0"))
        elif kind in (b"ICCP", b"XMP ") and length > MOST_HEADER_BYTES:
            raise _too_much(path, "carries an absurdly large text or profile")
        at += 8 + length + (length & 1)
    return Facts("WEBP", max(1, min(frames, MOST_FRAMES)), frames > MOST_FRAMES, turn)


def _size(path: Path, width: int, height: int) -> None:
    """Raise Refusal for a picture that is too large, before its decoder allocates memory for it."""
    if width * height > MAX_PIXELS:
        message = f"{path.name} has {width * height:,} pixels; the limit is {MAX_PIXELS / 1e6:,.0f} million."
        raise Refusal(message, advice="Crop or shrink it in another program first.")


def _qoi(path: Path, data: mmap.mmap) -> Facts:
    width, height = struct.unpack(">II", data[4:12])
    if MOST_QOI_PIXELS < width * height <= MAX_PIXELS:
        raise _too_much(path, f"has {width * height:,} pixels, more than the {MOST_QOI_PIXELS:,} that a QOI may have")
    return Facts("QOI", orientation=1)


def _tiff(path: Path) -> tiff.File:
    """Return the directory of a TIFF file. Raises Refusal if its page or its pieces are too large."""
    found = tiff.look(path)
    page = found.page
    _size(path, page.width, page.height)
    across, down = page.piece
    if across * down > 4 * max(page.width * page.height, 1 << 22):
        raise _too_much(path, f"is made of tiles of {across:,} × {down:,} pixels, far larger than itself")
    if page.compression == tiff.JPEG:
        _scans(path, page)
    return found


def _scans(path: Path, page: tiff.Page) -> None:
    """Raise Refusal for strips or tiles whose JPEG data demand too many passes."""
    length, spent, passes = path.stat().st_size, 0, 0
    counted: dict[tuple[int, int], int] = {}
    pixels = page.piece[0] * page.piece[1]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for place in zip(page.offsets, page.counts, strict=False):
            if place not in counted:
                start, size = place
                spent += size
                if spent > 4 * length:
                    raise _too_much(path, "is made of pieces that lie one over the other")
                counted[place] = _count(data[start : start + size])
            passes += counted[place]
            if passes * pixels > 4 * MOST_SCAN_PIXELS:
                raise _too_much(path, "asks for too many passes over its pixels")


def _count(part: bytes) -> int:
    return part.count(b"\xff\xda")
