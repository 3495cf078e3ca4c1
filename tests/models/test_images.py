"""Pictures of every kind and every way a file can be wrong, each built here: nothing is read from the repository."""

import os
import subprocess
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from models import files, images
from models.types import Refusal, Source

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def picture(width: int = 5, height: int = 3) -> np.ndarray:
    """A picture without any symmetry: red and blue corners on a gradient."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows * 20 + 10, columns * 20 + 10, (rows + columns) * 9 + 3], axis=2).astype(np.uint8)
    pixels[0, 0], pixels[0, -1] = RED, BLUE
    return pixels


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png_of(width: int, height: int) -> bytes:
    """The header of an RGB PNG with pixel data for almost none of it."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    pixels = zlib.compress(bytes(64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def refused(source: Any, call: Callable[[Any], object] = images.read) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call(source)
    assert caught.value.advice, "every refusal says what to do"
    assert "Error" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("suffix", ["png", "bmp", "dib", "tif", "ppm", "tga", "qoi", "webp", "jp2", "pcx", "avif"])
def test_lossless_formats_come_back_exactly(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {"quality": 100, "subsampling": "4:4:4"}
    Image.fromarray(picture()).save(path, **(options if suffix in {"webp", "avif"} else {}))
    read = images.read(path)
    tolerance = 3 if suffix == "avif" else 0
    assert np.abs(read.pixels.astype(int) - picture()).max() <= tolerance
    assert read.note == ""
    assert images.size(path) == (5, 3)
    assert path.suffix in images.PICTURE_SUFFIXES


def test_pixels_are_what_torch_and_qt_take_without_a_copy(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    pixels = images.read(tmp_path / "a.png").pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (3, 5, 3)
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@pytest.mark.parametrize("name", ["a b c.png", "Größe 図 фото.png", "~weiß.png", "a.png.jpg", "no suffix"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    Image.fromarray(picture()).save(tmp_path / name, "PNG")
    for source in (tmp_path / name, str(tmp_path / name), Source.file(tmp_path / name)):
        assert np.array_equal(images.read(source).pixels, picture())


def test_a_file_beginning_with_a_tilde_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture()).save("~nobody-of-that-name.png")
    assert images.size("~nobody-of-that-name.png") == (5, 3)


def test_one_pixel(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "dot.png")
    assert images.read(tmp_path / "dot.png").pixels.tolist() == [[[1, 2, 3]]]


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}
RED_CORNER = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}


@pytest.mark.parametrize("suffix", ["png", "tif", "lzw.tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    options = {"webp": {"lossless": True}, "lzw.tif": {"compression": "tiff_lzw"}}.get(suffix, {})
    Image.fromarray(picture()).save(path, exif=exif, **options)
    read = images.read(path)
    assert np.array_equal(read.pixels, UPRIGHT[orientation](picture()))
    assert tuple(read.pixels[RED_CORNER[orientation]]) == RED
    assert images.size(path) == (read.pixels.shape[1], read.pixels.shape[0])
    assert read.pixels.flags.c_contiguous


def test_exif_orientation_of_a_jpeg_and_of_16_bit_grey(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    big = np.zeros((40, 64, 3), np.uint8)
    big[:16, :16] = RED
    Image.fromarray(big).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    pixels = images.read(tmp_path / "a.jpg").pixels
    assert pixels.shape == (64, 40, 3)
    assert np.abs(pixels[4, -4].astype(int) - RED).max() < 8
    Image.fromarray(np.array([[0, 65535]], np.uint16)).save(tmp_path / "b.png", exif=exif)
    assert images.read(tmp_path / "b.png").pixels[:, 0, 0].tolist() == [0, 255]


def test_exif_behind_the_pixels_is_found_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(picture()).save(tmp_path / "plain.png")
    plain = (tmp_path / "plain.png").read_bytes()
    late = plain[:-12] + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + plain[-12:]
    (tmp_path / "late.png").write_bytes(late)
    assert np.array_equal(images.read(tmp_path / "late.png").pixels, np.rot90(picture()))
    monkeypatch.setattr(Image.Image, "load", never)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never)
    assert images.size(tmp_path / "late.png") == (3, 5)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("exif", [b"Exif\0\0rubbish!", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"\0", b"Exif\0\0MM\0*\0"])
def test_broken_exif_does_not_cost_the_picture(tmp_path: Path, exif: bytes, suffix: str) -> None:
    noise().save(tmp_path / f"a.{suffix}", exif=exif)
    assert images.read(tmp_path / f"a.{suffix}").pixels.shape == (48, 64, 3)
    assert images.size(tmp_path / f"a.{suffix}") == (64, 48)


@pytest.mark.parametrize("orientation", [0, 9, 4000])
def test_an_orientation_that_does_not_exist_is_ignored(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture()).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(images.read(tmp_path / "a.png").pixels, picture())
    assert images.size(tmp_path / "a.png") == (5, 3)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    red = np.zeros((16, 16, 4), np.uint8)
    red[:] = (0, 255, 255, 0)
    Image.fromarray(red, mode="CMYK").save(tmp_path / f"a.{suffix}")
    read = images.read(tmp_path / f"a.{suffix}")
    assert np.abs(read.pixels.astype(int) - RED).max() <= 3
    assert "CMYK" in read.note


@pytest.mark.parametrize(("mode", "red"), [("LAB", (136, 208, 195)), ("YCbCr", (76, 85, 255))])
def test_other_colour_spaces(tmp_path: Path, mode: str, red: tuple[int, ...]) -> None:
    Image.new(mode, (2, 2), red).save(tmp_path / "a.tif")
    assert np.abs(images.read(tmp_path / "a.tif").pixels.astype(int) - RED).max() < 16


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(np.array([[0, 257, 32768, 65535]], np.uint16)).save(tmp_path / f"a.{suffix}")
    read = images.read(tmp_path / f"a.{suffix}")
    assert read.pixels[0].tolist() == [[0] * 3, [1] * 3, [128] * 3, [255] * 3]
    assert read.note == "16 bit: scaled to 8 bit."


def test_big_endian_16_bit_grey(tmp_path: Path) -> None:
    Image.frombytes("I;16B", (2, 1), b"\x80\x00\xff\xff").save(tmp_path / "a.tif")
    assert images.read(tmp_path / "a.tif").pixels[0, :, 0].tolist() == [128, 255]


@pytest.mark.parametrize(("top", "bits"), [(4095, 12), (255, 8)])
def test_fewer_bits_kept_in_16_are_not_shown_black(tmp_path: Path, top: int, bits: int) -> None:
    Image.fromarray(np.array([[0, top // 2 + 1, top]], np.uint16)).save(tmp_path / "scan.png")
    read = images.read(tmp_path / "scan.png")
    assert read.pixels[0, :, 1].tolist() == [0, 128, 255]
    assert f"{bits} are used" in read.note


def test_16_bit_colour_is_told(tmp_path: Path) -> None:
    rows = b"\0" + np.array([65535, 32768, 0, 0, 0, 65535], ">u2").tobytes()
    header = (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([16, 2, 0, 0, 0])
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    read = images.read(tmp_path / "deep.png")
    assert read.pixels.tolist() == [[[255, 128, 0], [0, 0, 255]]]
    assert "16 bit" in read.note


def test_32_bit_integers_and_floats_are_stretched(tmp_path: Path) -> None:
    Image.fromarray(np.array([[-1000, 0, 1000]], np.int32)).save(tmp_path / "int.tif")
    Image.fromarray(np.array([[-0.5, 0.25, 1.0]], np.float32)).save(tmp_path / "float.tif")
    for name, words in (("int.tif", "32 bit: -1000"), ("float.tif", "Floating point: -0.5")):
        read = images.read(tmp_path / name)
        assert read.pixels[0, :, 0].tolist() == [0, 128, 255]
        assert words in read.note


def test_floats_that_are_not_numbers(tmp_path: Path) -> None:
    values = np.array([[np.nan, 0, 1, np.inf], [-np.inf, 1, 0, 0.5]], np.float32)
    Image.fromarray(values).save(tmp_path / "holes.tif")
    assert images.read(tmp_path / "holes.tif").pixels[..., 0].tolist() == [[0, 0, 255, 0], [0, 255, 0, 128]]
    Image.fromarray(np.full((2, 2), np.nan, np.float32)).save(tmp_path / "none.tif")
    assert not images.read(tmp_path / "none.tif").pixels.any()
    Image.fromarray(np.array([[-3e38, 3e38]], np.float32)).save(tmp_path / "wide.tif")
    assert images.read(tmp_path / "wide.tif").pixels[0, :, 0].tolist() == [0, 255]


def test_black_and_white_palette_and_grey(tmp_path: Path) -> None:
    colours = Image.fromarray(np.array([[RED, GREEN, WHITE]], np.uint8))
    expected = {
        "1": [BLACK, WHITE, WHITE],
        "L": [(76,) * 3, (75,) * 3, WHITE],
        "P": [RED, GREEN, WHITE],
    }
    colours.point(lambda v: v).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "P.png")
    colours.convert("L").save(tmp_path / "L.png")
    Image.fromarray(np.array([[False, True, True]])).save(tmp_path / "1.png")
    for mode, pixels in expected.items():
        with Image.open(tmp_path / f"{mode}.png") as stored:
            assert stored.mode == mode
        read = images.read(tmp_path / f"{mode}.png")
        assert np.abs(read.pixels[0].astype(int) - pixels).max() <= 1
        assert read.note == ""


def test_transparency_is_shown_on_white(tmp_path: Path) -> None:
    rgba = np.array([[(0, 0, 0, 0), (255, 0, 0, 255), (0, 0, 0, 128)]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    read = images.read(tmp_path / "rgba.png")
    assert read.pixels[0].tolist() == [list(WHITE), list(RED), [127] * 3]
    assert read.note == "Transparent areas are shown on white."
    Image.fromarray(rgba[..., [0, 3]], mode="LA").save(tmp_path / "la.png")
    assert images.read(tmp_path / "la.png").pixels[0].tolist() == [list(WHITE), [255] * 3, [127] * 3]


def test_opaque_alpha_is_not_mentioned(tmp_path: Path) -> None:
    Image.fromarray(picture()).convert("RGBA").save(tmp_path / "a.png")
    read = images.read(tmp_path / "a.png")
    assert read.note == ""
    assert np.array_equal(read.pixels, picture())


@pytest.mark.parametrize("mode", ["P", "RGB", "L"])
@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_colour(tmp_path: Path, mode: str, suffix: str) -> None:
    image = Image.new(mode, (2, 1), 0)
    image.putpixel((1, 0), {"P": 1, "RGB": BLUE, "L": 90}[mode])
    if mode == "P":
        image.putpalette([*BLACK, *BLUE])
    if (mode, suffix) == ("RGB", "gif"):
        image = image.convert("P", palette=Image.Palette.ADAPTIVE)
    transparent = image.getpixel((0, 0))
    image.save(tmp_path / f"a.{suffix}", transparency=transparent)
    read = images.read(tmp_path / f"a.{suffix}")
    assert tuple(read.pixels[0, 0]) == WHITE
    assert tuple(read.pixels[0, 1]) == ((90,) * 3 if mode == "L" else BLUE)
    assert "white" in read.note


def test_a_palette_with_a_transparency_for_each_colour(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*BLACK, *BLUE])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=b"\x80\xff")
    assert images.read(tmp_path / "a.png").pixels[0].tolist() == [[127] * 3, list(BLUE)]


@pytest.mark.parametrize("suffix", ["gif", "webp", "apng"])
def test_the_first_frame_of_an_animation(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in (RED, BLUE, GREEN)]
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    kind = {"apng": "PNG"}.get(suffix, suffix.upper())
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=50, **options)
    read = images.read(path)
    assert (read.pixels == RED).all()
    assert read.note == "Animated: the first of 3 frames is shown."


def test_the_first_page_and_several_notes(tmp_path: Path) -> None:
    page = np.array([[0, 65535]], np.uint16)
    Image.fromarray(page).save(tmp_path / "a.tif", save_all=True, append_images=[Image.fromarray(page)])
    assert images.read(tmp_path / "a.tif").note == "The first of 2 pages is shown. 16 bit: scaled to 8 bit."


def test_an_icon_is_its_largest_size_and_a_stereo_jpeg_its_first(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), RED).save(tmp_path / "a.ico", sizes=[(16, 16), (32, 32)])
    assert images.read(tmp_path / "a.ico").pixels.shape == (32, 32, 3)
    Image.new("RGB", (8, 8), RED).save(tmp_path / "a.mpo", save_all=True, append_images=[Image.new("RGB", (4, 4))])
    read = images.read(tmp_path / "a.mpo")
    assert read.pixels.shape == (8, 8, 3)
    assert read.note == "", "phones keep a preview there, of no interest to anyone"


# What cannot be shown.


def test_colours_that_cannot_be_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("YCbCr", (2, 2)).save(tmp_path / "a.tif")

    def unknown(*_args: object, **_options: object) -> None:
        raise ValueError("conversion from La to RGB not supported")

    monkeypatch.setattr(Image.Image, "convert", unknown)
    refusal = refused(tmp_path / "a.tif")
    assert "a.tif stores its colours" in str(refusal)
    assert "YCbCr" in str(refusal)
    assert "RGB" in refusal.advice


def never(*_args: object, **_options: object) -> None:
    pytest.fail("the picture was decoded")  # unlike an AssertionError, nothing catches this one


@pytest.mark.parametrize(("side", "told"), [(20_000, "400,000,000"), (10_001, "100,020,001"), (13_000, "169,000,000")])
def test_too_many_pixels_are_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, told: str
) -> None:
    (tmp_path / "huge.png").write_bytes(png_of(side, side))
    monkeypatch.setattr(Image.Image, "load", never)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never)
    began = time.perf_counter()
    for call in (images.read, images.size):
        refusal = refused(tmp_path / "huge.png", call)
        assert "huge.png" in str(refusal)
        assert told in str(refusal)
        assert "limit is 100 million" in str(refusal)
        assert "shrink" in refusal.advice
    assert time.perf_counter() - began < 5


def test_just_under_the_limit_is_not_refused_warns_nobody_and_has_its_size_read_from_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never)
    limit = Image.MAX_IMAGE_PIXELS
    (tmp_path / "large.png").write_bytes(png_of(10_000, 10_000))
    assert images.size(tmp_path / "large.png") == (10_000, 10_000)
    assert limit == Image.MAX_IMAGE_PIXELS, "another library's setting is left alone"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello, I am a letter\n" * 9, "a text file"),
        ("Grüße\n".encode() * 200, "a text file"),
        (b"%PDF-1.7\n\xff", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (b"\0\0\0\x18ftypheic" + bytes(90), "HEIC"),
        (b"\0\0\0\x18ftypisom" + bytes(90), "a video"),
        (bytes(range(256)) * 9, "not a picture"),
        (bytes(1000), "not a picture"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG picture, but cut short"),
        (b"\xff\xd8\xff\xe0", "cut short"),
        (b"II*\0\x08\0\0\0", "cut short"),
    ],
)
def test_what_is_not_a_picture(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "thing.jpg").write_bytes(content)
    for call in (images.read, images.size):
        refusal = refused(tmp_path / "thing.jpg", call)
        assert words in str(refusal)
        assert str(refusal).startswith("thing.jpg")
        assert str(tmp_path) not in str(refusal)


@pytest.mark.parametrize(
    "suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm", "tga", "qoi", "jp2", "avif", "pcx"]
)
def test_a_truncated_picture_is_refused_wherever_it_is_cut(tmp_path: Path, suffix: str) -> None:
    noise().save(tmp_path / f"whole.{suffix}")
    whole = (tmp_path / f"whole.{suffix}").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97):
        path.write_bytes(whole[: int(len(whole) * share)])
        refusal = refused(path)
        assert f"cut.{suffix}" in str(refusal)
        assert share < 0.3 or "cut short" in str(refusal)


def test_a_truncated_compressed_tiff_and_an_animation(tmp_path: Path) -> None:
    noise().save(tmp_path / "whole.tif", compression="tiff_lzw")
    frames = [noise(), noise().transpose(Image.Transpose.ROTATE_180)]
    frames[0].save(tmp_path / "whole.gif", save_all=True, append_images=frames[1:])
    for name, share in (("tif", 0.6), ("gif", 0.3)):
        whole = (tmp_path / f"whole.{name}").read_bytes()
        (tmp_path / f"cut.{name}").write_bytes(whole[: int(len(whole) * share)])
        assert "cut short" in str(refused(tmp_path / f"cut.{name}"))


def make(suffix: str, folder: Path) -> bytes:
    noise(12, 9).save(folder / f"fuzz.{suffix}")
    return (folder / f"fuzz.{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "tga", "jp2", "ico", "pcx"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_a_picture_or_a_refusal_and_nothing_else(
    tmp_path: Path, suffix: str, data: st.DataObject
) -> None:
    content = bytearray(make(suffix, tmp_path))
    for _ in range(data.draw(st.integers(1, 6))):
        # Damage to the first bytes finds more than damage to the pixels.
        content[data.draw(st.integers(0, min(len(content), 120) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(content)
    try:
        width, height = images.size(path)
        if width * height < 1_000_000:
            assert images.read(path).pixels.shape[2] == 3
    except Refusal as refusal:
        assert refusal.advice
        assert "damaged" in str(refusal)


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    assert "gone.png is not there" in str(refused(tmp_path / "gone.png"))
    assert str(tmp_path) in refused(tmp_path / "gone.png").advice
    assert "is not there" in str(refused(tmp_path / "gone" / "a.png"))
    assert f"{tmp_path.name} is a folder" in str(refused(tmp_path))
    assert "cannot be read" in str(refused("a\0b.png"))
    os.mkfifo(tmp_path / "pipe.png")
    assert "not an ordinary file" in str(refused(tmp_path / "pipe.png"))


def test_a_file_that_vanishes_between_the_check_and_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    checked = files.check

    def check(path: Path) -> Path:
        found = checked(path)
        found.unlink()
        return found

    monkeypatch.setattr(files, "check", check)
    assert "a.png is not there" in str(refused(tmp_path / "a.png"))


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(picture()).save(tmp_path / "secret.png")
    if os.geteuid():
        (tmp_path / "secret.png").chmod(0)
    else:  # root may read everything

        def denied(*_args: object, **_options: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", denied)
    refusal = refused(tmp_path / "secret.png")
    assert "secret.png may not be read" in str(refusal)
    assert "permission" in refusal.advice


def test_more_memory_than_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png")

    def full(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", full)
    assert "memory" in str(refused(tmp_path / "a.png"))


# Folders.


def test_a_folder_lists_pictures_in_natural_order(tmp_path: Path) -> None:
    for name in ("img10.png", "img2.PNG", "Img1.jpg", "b.txt", ".hidden.png", "a.pth", "img02.webp", "10.png", "9.png"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    names = [p.name for p in images.pictures_in(tmp_path)]
    assert names == ["9.png", "10.png", "Img1.jpg", "img02.webp", "img2.PNG", "img10.png"]
    assert [p.name for p in images.pictures_in(tmp_path, limit=2)] == ["9.png", "10.png"]


def test_a_folder_without_pictures_and_one_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    refusal = refused(tmp_path, images.pictures_in)
    assert tmp_path.name in str(refusal)
    assert ".jpeg" in refusal.advice
    assert "is not there" in str(refused(tmp_path / "gone", images.pictures_in))
    assert "not a folder" in str(refused(tmp_path / "a.txt", images.pictures_in))


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    assert "may not be read" in str(refused(tmp_path, images.pictures_in))


def test_expand_keeps_files_and_opens_folders(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("in/2.png", "in/1.png", "in/x.txt", "z.txt"):
        (tmp_path / name).touch()
    found = images.expand([str(tmp_path / "z.txt"), tmp_path / "in", tmp_path / "gone.png"])
    assert [p.name for p in found] == ["z.txt", "1.png", "2.png", "gone.png"]


# Around it.


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert images.sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert "gone is not there" in str(refused(tmp_path / "gone", images.sha256))


def test_save_png(tmp_path: Path) -> None:
    images.save_png(picture(), tmp_path / "a.png")
    assert np.array_equal(images.read(tmp_path / "a.png").pixels, picture())
    with pytest.raises(Refusal, match=r"a\.png could not be written"):
        images.save_png(picture(), tmp_path / "gone" / "a.png")


def test_warnings_are_ignored_inside_and_heard_outside_even_when_threads_overlap() -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with files.Quiet():
            entered.set()
            leave.wait(10)

    before = list(warnings.filters)
    thread = threading.Thread(target=other)
    with files.Quiet():
        thread.start()
        assert entered.wait(10)
    warnings.warn("still quiet, the other is inside", stacklevel=1)
    leave.set()
    thread.join()
    assert warnings.filters == before
    with pytest.raises(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_the_import_is_light() -> None:
    code = "import sys, models.images; sys.exit(bool({'torch', 'cv2', 'PySide6', 'torchvision'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
