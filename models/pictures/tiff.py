"""Read TIFF files that Pillow does not: any number of bands, integers and floats of 8 to 64 bits, strips or tiles.

Directories are walked with bounds and no further than needed, because a file may claim millions of pages or contain a
cycle. Compressed data are decoded by zlib or, disguised as one wide grey picture, by Pillow's libtiff; predictors are
undone here. Sources: TIFF 6.0, its supplements 1 and 3, BigTIFF, and GDAL's no-data tag.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.types import Refusal

MOST_PAGES = 100_000
MOST_PREVIEWS = 16  # pages examined to find the first that is not a preview
MOST_ENTRIES = 4096
MOST_TAG_BYTES = 64_000_000  # of all tags of a page together
MOST_BYTES = 1_200_000_000  # of a page's decompressed values
NONE, LZW, DEFLATE, ADOBE_DEFLATE, JPEG = 1, 5, 32946, 8, 7
ZLIB = (ADOBE_DEFLATE, DEFLATE)
UINT, INT, FLOAT = 1, 2, 3
WHITE_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 2, 3, 5, 6
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_AGAIN = "Copy or export it again."


@dataclass(frozen=True)
class Page:
    """One picture of a TIFF file: `number` from 0, size, and how its values are stored, under the tags' own names."""

    number: int
    width: int
    height: int
    bits: tuple[int, ...]
    kind: int
    samples: int
    planar: bool
    compression: int
    predictor: int
    photometric: int
    extra: tuple[int, ...]
    orientation: int
    preview: bool
    nodata: float | None
    span: tuple[float, float] | None
    piece: tuple[int, int]
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    order: Literal["<", ">"]

    @property
    def plain(self) -> bool:
        """Whether Pillow shows it correctly: 8 bits or fewer, and a usual number of bands."""
        if self.nodata is not None or self.kind not in (UINT, 4) or self.planar:
            return self.samples == 1 and max(self.bits) == 1
        if max(self.bits) < 8:
            return self.samples == 1
        usual = {WHITE_IS_ZERO: (1,), 1: (1, 2), RGB: (3, 4), PALETTE: (1,), CMYK: (4,), YCBCR: (3,), 8: (3,)}
        return set(self.bits) == {8} and self.samples in usual.get(self.photometric, ())


@dataclass(frozen=True)
class File:
    """A TIFF file: the number of `pages`, whether there are `more` than were counted, and the `page` to show."""

    pages: int
    more: bool
    page: Page
    first: tuple[int, int]


def look(path: Path) -> File:
    """Return what a TIFF file holds, from its directories alone. Raises Refusal."""
    try:
        with path.open("rb") as file:
            return _look(file, path)
    except (struct.error, ValueError, OverflowError, MemoryError) as error:
        raise _damaged(path) from error


def raster(path: Path, page: Page) -> NDArray[Any]:
    """Return a page's stored values (H, W, samples). Raises Refusal."""
    dtype = _dtype(path, page)
    size = page.height * page.width * page.samples * dtype.itemsize
    if size > MOST_BYTES:
        message = f"{path.name} has {size / 1e9:,.1f} GB of values; the limit is {MOST_BYTES / 1e9:,.1f} GB."
        raise Refusal(message, advice="Crop it, or keep fewer bands, in another program first.")
    values = np.zeros((page.height, page.width, page.samples), dtype)
    try:
        with path.open("rb") as file:
            for top, left, band, piece in _pieces(file, path, page, dtype):
                place = values[top : top + piece.shape[0], left : left + piece.shape[1], band]
                place[...] = piece[: place.shape[0], : place.shape[1]]
    except (struct.error, zlib.error, ValueError, OverflowError, EOFError, OSError, SyntaxError) as error:
        raise _damaged(path) from error
    return values


def _damaged(path: Path) -> Refusal:
    return Refusal(f"{path.name} is cut short or damaged, so it is not shown.", advice=_AGAIN)


def _look(file: BinaryIO, path: Path) -> File:
    head = file.read(16)
    order: Literal["<", ">"] = ">" if head[:2] == b"MM" else "<"
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    at = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])[0]
    length = path.stat().st_size
    seen: set[int] = set()
    pages: list[Page] = []
    while at and at not in seen and len(seen) < MOST_PAGES and at < length:
        seen.add(at)
        wanted = len(pages) < MOST_PREVIEWS and (not pages or pages[-1].preview)
        table, at = _directory(file, at, order, big=big, length=length, path=path, wanted=wanted)
        if wanted:
            pages.append(_page(len(pages), table, order, path))
    if not pages:
        raise _damaged(path)
    shown = next((page for page in pages if not page.preview), pages[0])
    return File(len(seen), bool(at) and at not in seen, shown, (pages[0].width, pages[0].height))


def _directory(
    file: BinaryIO, at: int, order: str, *, big: bool, length: int, path: Path, wanted: bool
) -> tuple[dict[int, tuple[Any, ...]], int]:
    """Return a directory's tags (empty unless `wanted`) and the offset of the next directory."""
    file.seek(at)
    count = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))[0]
    size = 20 if big else 12
    if count > MOST_ENTRIES:
        raise _damaged(path)
    entries = file.read(count * size)
    after = struct.unpack(order + ("Q" if big else "I"), file.read(8 if big else 4).ljust(8 if big else 4, b"\0"))[0]
    table: dict[int, tuple[Any, ...]] = {}
    spent = 0
    for start in range(0, len(entries) - size + 1, size) if wanted else ():
        tag, kind = struct.unpack(order + "HH", entries[start : start + 4])
        number = struct.unpack(order + ("Q" if big else "I"), entries[start + 4 : start + (12 if big else 8)])[0]
        inline = entries[start + (12 if big else 8) : start + size]
        total = number * _SIZES.get(kind, 1)
        spent += total
        if spent > MOST_TAG_BYTES:
            # Several tags may claim the same bytes; count them each time, because a reader would store them each time.
            raise Refusal(f"{path.name} claims absurdly large tags, so it is not opened.", advice=_AGAIN)
        if kind not in _LETTERS and kind not in (2, 5, 7):
            continue
        data = inline[:total]
        if total > len(inline):
            where = struct.unpack(order + ("Q" if big else "I"), inline)[0]
            if tag not in _TAGS:
                continue
            if where + total > length:
                raise _damaged(path)
            file.seek(where)
            data = file.read(total)
        if kind in (2, 7):
            table[tag] = (data,)
        elif kind in _LETTERS and len(data) == total:
            table[tag] = struct.unpack(f"{order}{number}{_LETTERS[kind]}", data)
    return table, after


_TAGS = {254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 280, 281, 284, 317, 322, 323, 324, 325, 338, 339, 340}
_TAGS |= {341, 42113}


def _page(number: int, table: dict[int, tuple[Any, ...]], order: Literal["<", ">"], path: Path) -> Page:
    def one(tag: int, default: int) -> int:
        found = table.get(tag, ())
        return int(found[0]) if found and isinstance(found[0], int | float) else default

    width, height, samples = one(256, 0), one(257, 0), one(277, 1)
    bits = tuple(int(b) for b in table.get(258, (1,))) or (1,)
    if width < 1 or height < 1 or not 1 <= samples <= 65535 or not all(1 <= b <= 64 for b in bits):
        raise _damaged(path)
    tiled = 324 in table or 322 in table
    piece = (one(322, width), one(323, height)) if tiled else (width, min(one(278, height) or height, height))
    offsets = tuple(int(o) for o in table.get(324 if tiled else 273, ()))
    counts = tuple(int(c) for c in table.get(325 if tiled else 279, ()))
    low, high = table.get(340, table.get(280, ())), table.get(341, table.get(281, ()))
    span = (float(min(low)), float(max(high))) if low and high and isinstance(low[0], int | float) else None
    return Page(
        number,
        width,
        height,
        bits,
        one(339, UINT),
        samples,
        one(284, 1) == 2 and samples > 1,
        one(259, NONE),
        one(317, 1),
        one(262, 1),
        tuple(int(e) for e in table.get(338, ())),
        one(274, 1),
        bool(one(254, 0) & 1),
        _nodata(table.get(42113, ())),
        span if span and span[0] < span[1] else None,
        piece,
        offsets,
        counts,
        order,
    )


def _nodata(tag: tuple[Any, ...]) -> float | None:
    """Return the no-data value of GDAL's tag, None without one."""
    text = tag[0].split(b"\0")[0][:64].strip() if tag and isinstance(tag[0], bytes) else b""
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _dtype(path: Path, page: Page) -> np.dtype[Any]:
    """Return the dtype of a stored value. Raises Refusal for unsupported ones."""
    letter = {UINT: "u", INT: "i", FLOAT: "f", 4: "u"}.get(page.kind, "")
    bits = page.bits[0]
    known = bits in ((16, 32, 64) if letter == "f" else (8, 16, 32, 64))
    if not letter or not known or len(set(page.bits)) != 1:
        named = {5: "complex whole numbers", 6: "complex numbers"}.get(
            page.kind, f"{page.samples} bands of {bits} bits"
        )
        raise Refusal(f"{path.name} stores {named}, which cannot be shown.", advice="Save it with 8 or 16 bits first.")
    return np.dtype(f"{letter}{bits // 8}")


def _pieces(
    file: BinaryIO, path: Path, page: Page, dtype: np.dtype[Any]
) -> Iterator[tuple[int, int, Any, NDArray[Any]]]:
    """Yield top, left, band and values (h, w, bands) of each strip or tile; one band at a time if stored separately."""
    across, down = page.piece
    if not 0 < across <= 1 << 20 or not 0 < down <= 1 << 24 or across * down > 4 * MOST_BYTES:
        raise _damaged(path)
    columns, rows = math.ceil(page.width / across), math.ceil(page.height / down)
    planes = page.samples if page.planar else 1
    inner = 1 if page.planar else page.samples
    if len(page.offsets) < columns * rows * planes or (
        len(page.counts) < len(page.offsets) and page.compression != NONE
    ):
        raise _damaged(path)
    whole_tiles = across != page.width or (page.piece[1] != page.height and rows * down != page.height and columns > 1)
    length = path.stat().st_size
    for plane in range(planes):
        for row in range(rows):
            high = down if columns > 1 or whole_tiles else min(down, page.height - row * down)
            for column in range(columns):
                index = (plane * rows + row) * columns + column
                need = high * across * inner * dtype.itemsize
                stored = page.counts[index] if index < len(page.counts) else need
                if page.offsets[index] >= length:
                    raise _damaged(path)
                file.seek(page.offsets[index])
                data = file.read(min(stored, length))
                values = _unpacked(data, page, (high, across, inner), dtype)
                band = slice(plane, plane + 1) if page.planar else slice(None)
                yield row * down, column * across, band, values


def _unpacked(data: bytes, page: Page, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    need = math.prod(shape) * dtype.itemsize
    if page.compression == NONE:
        raw = data[:need]
    elif page.compression in ZLIB:
        raw = zlib.decompressobj().decompress(data, need)
    else:
        raw = _by_libtiff(data, page, shape, dtype)
    if len(raw) < need:
        # Tiles at the bottom may be stored without the rows below the picture.
        if page.compression == NONE or len(raw) * 2 < need:
            raise EOFError("a piece is cut short")
        raw = raw.ljust(need, b"\0")
    stored = dtype.newbyteorder(page.order)
    if page.predictor == 3 and dtype.kind == "f":
        return _float_prediction(raw, shape, dtype)
    values = np.frombuffer(raw, stored).reshape(shape).astype(dtype)
    if page.predictor == 2:
        unsigned = values.view(f"u{dtype.itemsize}")
        np.cumsum(unsigned, axis=1, dtype=unsigned.dtype, out=unsigned)
    return values


def _float_prediction(raw: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Undo the predictor of TIFF's supplement 3.

    It splits each row into its bytes by significance, highest first, and stores each byte's difference to the previous.
    """
    high, across, inner = shape
    rows = np.frombuffer(raw, np.uint8).reshape(high, -1, inner).copy()
    np.cumsum(rows, axis=1, dtype=np.uint8, out=rows)
    planes = rows.reshape(high, dtype.itemsize, across * inner)
    values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(dtype.newbyteorder(">"))
    return values.reshape(shape).astype(dtype)


def _by_libtiff(data: bytes, page: Page, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> bytes:
    """Decompress a strip or tile with Pillow, presented as a grey picture of bytes, as wide as a whole row."""
    high, across, inner = shape
    wide = across * inner * dtype.itemsize
    tags = [(256, wide), (257, high), (258, 8), (259, page.compression), (262, 1), (273, 0), (277, 1), (278, high)]
    tags.append((279, len(data)))
    start = 8 + 2 + 12 * len(tags) + 4
    made = io.BytesIO()
    made.write(b"II*\0" + struct.pack("<IH", 8, len(tags)))
    for tag, value in tags:
        made.write(struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value))
    made.write(struct.pack("<I", 0) + data)
    made.seek(0)
    with Image.open(made, formats=["TIFF"]) as image:
        return image.tobytes()
