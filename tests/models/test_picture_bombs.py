"""Small files that ask for hours or gigabytes: each is refused or shown within bounds that are counted, not timed."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from pictures import chunk, never, noise, refused
from PIL import Image

from models.pictures import images, picture_limits, tiff
from models.types import Refusal


def jpeg(path: Path, *, progressive: bool = True, side: int = 64) -> bytes:
    noise(side, side).save(path, progressive=progressive)
    return path.read_bytes()


def sections(data: bytes) -> list[bytes]:
    """A JPEG's segments, each scan with its data."""
    found, at = [data[:2]], 2
    while data[at : at + 2] != b"\xff\xd9":
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xDA:
            while data[end] != 0xFF or data[end + 1] in (0, *range(0xD0, 0xD8)):
                end += 1
        found.append(data[at:end])
        at = end
    return [*found, data[at:]]


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = sections(jpeg(tmp_path / "a.jpg"))
    last = max(row for row, part in enumerate(parts) if part[1] == 0xDA)
    usual = sum(part[1] == 0xDA for part in parts)
    (tmp_path / "a.jpg").write_bytes(b"".join([*parts[:last], *([parts[last]] * 500), *parts[last + 1 :]]))
    monkeypatch.setattr(picture_limits, "MOST_SCAN_PIXELS", 100 * 64 * 64)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never)
    assert "asks for more than 100 passes over its 4,096 pixels" in str(refused(tmp_path / "a.jpg"))
    monkeypatch.undo()
    monkeypatch.setattr(picture_limits, "MOST_SCAN_PIXELS", usual * 64 * 64)
    jpeg(tmp_path / "b.jpg")
    assert images.read(tmp_path / "b.jpg").pixels.shape == (64, 64, 3)


def test_an_ordinary_progressive_jpeg_of_the_largest_size_is_within_the_limit() -> None:
    assert picture_limits.MOST_SCAN_PIXELS >= 14 * picture_limits.MAX_PIXELS


def test_a_jpeg_s_exif_of_absurd_size_is_refused(tmp_path: Path) -> None:
    data = jpeg(tmp_path / "a.jpg")
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2000)
    entries = b"".join(struct.pack("<HHII", 1000 + row, 7, 60_000, 8) for row in range(2000))
    body = exif + entries + bytes(8)
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    (tmp_path / "tags.jpg").write_bytes(data[:2] + segment + data[2:])
    many = b"\xff\xe1" + struct.pack(">H", 65_500 + 2) + b"Exif\0\0" + bytes(65_494)
    (tmp_path / "many.jpg").write_bytes(data[:2] + many * 80 + data[2:])
    for name in ("tags", "many"):
        assert "an absurdly large EXIF" in str(refused(tmp_path / f"{name}.jpg"))


def pages(path: Path, count: int, *, loop: int | None = None, big: bool = False) -> None:
    """Write a TIFF of `count` pages of one pixel; the last one leads back to page `loop`."""
    head, form, word = (16, "<Q", 8) if big else (8, "<I", 4)
    entry = (
        (lambda t, k, n, v: struct.pack("<HHQQ", t, k, n, v))
        if big
        else (lambda t, k, n, v: struct.pack("<HHII", t, k, n, v))
    )
    tags = [
        (256, 4, 1, 1),
        (257, 4, 1, 1),
        (258, 4, 1, 8),
        (259, 4, 1, 1),
        (262, 4, 1, 1),
        (273, 4, 1, 0),
        (279, 4, 1, 1),
    ]
    size = (8 if big else 2) + len(tags) * (20 if big else 12) + word
    made = io.BytesIO()
    made.write((b"II+\0" + struct.pack("<HHQ", 8, 0, head)) if big else b"II*\0" + struct.pack("<I", head))
    for number in range(count):
        made.write(struct.pack("<Q" if big else "<H", len(tags)) + b"".join(entry(*tag) for tag in tags))
        last = head + loop * size if loop is not None else 0
        made.write(struct.pack(form, head + (number + 1) * size if number + 1 < count else last))
    path.write_bytes(made.getvalue())


@pytest.mark.parametrize("big", [False, True])
def test_pages_are_counted_up_to_a_limit_and_circles_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, big: bool
) -> None:
    pages(tmp_path / "a.tif", 3000, big=big)
    assert images.read(tmp_path / "a.tif").note == "Page 1 of 3,000 is shown."
    monkeypatch.setattr(tiff, "MOST_PAGES", 1000)
    assert images.read(tmp_path / "a.tif").note == "Page 1 of more than 1,000 is shown."
    for loop in (0, 5, 9):
        pages(tmp_path / "loop.tif", 10, loop=loop, big=big)
        found = tiff.look(tmp_path / "loop.tif")
        assert (found.pages, found.more) == (10, False)


def test_a_tiff_s_tags_that_claim_the_same_bytes_again_and_again_are_refused(tmp_path: Path) -> None:
    blob, count = bytes(1_000_000), 500
    entries = b"".join(struct.pack("<HHII", 40_000 + row, 7, len(blob), 8) for row in range(count))
    at = 8 + len(blob)
    (tmp_path / "a.tif").write_bytes(
        b"II*\0" + struct.pack("<I", at) + blob + struct.pack("<H", count) + entries + bytes(4)
    )
    assert "absurdly large tags" in str(refused(tmp_path / "a.tif"))
    assert "absurdly large tags" in str(refused(tmp_path / "a.tif", images.size))


def one_page(width: int, height: int, strips: list[bytes], rows: int, **tags: int) -> bytes:
    """A TIFF of one page, its values deflated, of which each strip may be the same bytes."""
    names = {"compression": 259, "bits": 258, "format": 339, "tile_width": 322, "tile_height": 323}
    table = {256: width, 257: height, 258: 8, 259: 8, 262: 1, 277: 1, 278: rows} | {
        names[k]: v for k, v in tags.items()
    }
    data, places = io.BytesIO(), {}
    data.write(bytes(8))
    for strip in strips:
        if strip not in places:
            places[strip] = data.tell()
            data.write(strip)
    offsets, counts = data.tell(), data.tell() + 4 * len(strips)
    data.write(
        b"".join(struct.pack("<I", places[s]) for s in strips) + b"".join(struct.pack("<I", len(s)) for s in strips)
    )
    at, many = data.tell(), len(strips)
    rows_ = [(tag, 4, 1, value) for tag, value in table.items()]
    rows_ += [(273, 4, many, offsets if many > 1 else 8), (279, 4, many, counts if many > 1 else len(strips[0]))]
    data.write(struct.pack("<H", len(rows_)) + b"".join(struct.pack("<HHII", *row) for row in sorted(rows_)) + bytes(4))
    made = bytearray(data.getvalue())
    made[:8] = b"II*\0" + struct.pack("<I", at)
    return bytes(made)


def test_a_strip_that_unpacks_to_far_more_than_its_pixels_is_cut_at_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strip = zlib.compress(bytes(50_000_000))
    (tmp_path / "a.tif").write_bytes(one_page(10, 10, [strip], 10, bits=32, format=3))
    asked: list[int] = []

    class Counted:
        def decompress(self, data: bytes, most: int) -> bytes:
            asked.append(most)
            return zlib.decompress(data)[:most]

    monkeypatch.setattr(tiff.zlib, "decompressobj", Counted)
    assert images.read(tmp_path / "a.tif").pixels.shape == (10, 10, 3)
    assert asked == [10 * 10 * 4]


def test_values_and_tiles_far_larger_than_the_picture_are_refused(tmp_path: Path) -> None:
    strip = zlib.compress(bytes(100))
    (tmp_path / "wide.tif").write_bytes(one_page(9000, 9000, [strip], 9000, bits=64, format=3))
    table = tiff.look(tmp_path / "wide.tif")
    assert table.page.width == 9000
    (tmp_path / "pixels.tif").write_bytes(one_page(60_000, 60_000, [strip], 60_000))
    assert "3,600,000,000 pixels" in str(refused(tmp_path / "pixels.tif"))


def test_memory_for_values_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "MOST_BYTES", 399)
    (tmp_path / "a.tif").write_bytes(one_page(10, 10, [zlib.compress(bytes(400))], 10, bits=32, format=3))
    assert "GB of values" in str(refused(tmp_path / "a.tif"))


def test_a_gif_of_a_great_many_frames_is_counted_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(4, 4).save(tmp_path / "a.gif")
    data = (tmp_path / "a.gif").read_bytes()
    at = data.index(b"\x2c\0\0\0\0")
    frame = data[at:-1]
    (tmp_path / "many.gif").write_bytes(data[:at] + frame * 3000 + b";")
    assert images.read(tmp_path / "many.gif").note == "Animated: the first of 3,000 frames is shown."
    monkeypatch.setattr(picture_limits, "MOST_FRAMES", 500)
    assert images.read(tmp_path / "many.gif").note == "Animated: the first of more than 500 frames is shown."
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) * 5000 + b"\0"
    (tmp_path / "talk.gif").write_bytes(data[:at] + comment + data[at:])
    assert "an absurdly large comment" in str(refused(tmp_path / "talk.gif"))


def test_a_png_that_claims_frames_and_texts_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(4, 4).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    claim = chunk(b"acTL", struct.pack(">II", 0x7FFFFFFF, 0)) + chunk(
        b"fcTL", struct.pack(">IIIIIHHBB", 0, 4, 4, 0, 0, 1, 1, 0, 0)
    )
    (tmp_path / "frames.png").write_bytes(data[:33] + claim + data[33:])
    assert images.read(tmp_path / "frames.png").note.startswith("Animated: the first of more than 100,000 frames")
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(30_000_000)))
    (tmp_path / "text.png").write_bytes(data[:33] + text + data[33:])
    with pytest.raises(Refusal, match="absurdly large text"):
        images.read(tmp_path / "text.png")
    monkeypatch.setattr(picture_limits, "MOST_ODD_CHUNKS", 50)
    (tmp_path / "parts.png").write_bytes(data[:33] + chunk(b"abCd", b"") * 99 + data[33:])
    assert "made of more than" in str(refused(tmp_path / "parts.png"))


def test_a_webp_that_claims_a_canvas_beyond_the_limit_is_refused_from_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [noise(8, 8), noise(8, 8).rotate(90)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    assert images.read(tmp_path / "a.webp").note == "Animated: the first of 2 frames is shown."
    data = bytearray((tmp_path / "a.webp").read_bytes())
    at = data.index(b"VP8X")
    data[at + 12 : at + 18] = (16_382).to_bytes(3, "little") * 2
    (tmp_path / "b.webp").write_bytes(data)
    monkeypatch.setattr(images, "_identified", never)
    assert "268,402,689 pixels" in str(refused(tmp_path / "b.webp"))


def test_turns_are_read_as_pillow_reads_them(tmp_path: Path) -> None:
    for turn in (*range(1, 9), 0, 9, 4000):
        exif = Image.Exif()
        exif[0x0112] = turn
        wanted = turn if 1 <= turn <= 8 else 1
        for suffix in ("jpg", "png", "webp"):
            noise(9, 5).save(tmp_path / f"a.{suffix}", exif=exif)
            assert picture_limits.check(tmp_path / f"a.{suffix}").orientation == wanted
    assert picture_limits.orientation(b"") == picture_limits.orientation(b"II*\0" + bytes(9)) == 1


def test_what_a_range_is_taken_from_is_no_copy_of_everything(tmp_path: Path) -> None:
    values = np.zeros((3000, 3000), np.float32)
    strip = zlib.compress(values.tobytes())
    (tmp_path / "a.tif").write_bytes(one_page(3000, 3000, [strip], 3000, bits=32, format=3))
    import tracemalloc

    tracemalloc.start()
    images.read(tmp_path / "a.tif")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 6 * values.nbytes
