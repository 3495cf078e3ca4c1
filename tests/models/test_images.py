"""Pictures of every kind, each built here: nothing is read from the repository."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from pictures import BLACK, BLUE, GREEN, RED, WHITE, chunk, never, noise, picture
from PIL import Image

from models.pictures import images
from models.types import Source


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


def test_floats_from_0_to_1_are_shown_as_they_are(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.2, 0.4, 0.8]], np.float32)).save(tmp_path / "share.tif")
    read = images.read(tmp_path / "share.tif")
    assert read.pixels[0, :, 0].tolist() == [51, 102, 204] and "1 as white" in read.note
    Image.fromarray(np.array([[0.0, 0.001, 0.002]], np.float32)).save(tmp_path / "faint.tif")
    assert images.read(tmp_path / "faint.tif").pixels[0, :, 0].tolist() == [0, 128, 255]


def test_floats_that_are_not_numbers(tmp_path: Path) -> None:
    values = np.array([[np.nan, 0, 1, np.inf], [-np.inf, 1, 0, 0.5]], np.float32)
    Image.fromarray(values).save(tmp_path / "holes.tif")
    assert images.read(tmp_path / "holes.tif").pixels[..., 0].tolist() == [[255, 0, 255, 255], [255, 255, 0, 128]]
    Image.fromarray(np.full((2, 2), np.nan, np.float32)).save(tmp_path / "none.tif")
    assert images.read(tmp_path / "none.tif").pixels.all()
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
    assert images.read(tmp_path / "a.tif").note == "Page 1 of 2 is shown. 16 bit: scaled to 8 bit."


def test_an_icon_is_its_largest_size_and_a_stereo_jpeg_its_first(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), RED).save(tmp_path / "a.ico", sizes=[(16, 16), (32, 32)])
    assert images.read(tmp_path / "a.ico").pixels.shape == (32, 32, 3)
    Image.new("RGB", (8, 8), RED).save(tmp_path / "a.mpo", save_all=True, append_images=[Image.new("RGB", (4, 4))])
    read = images.read(tmp_path / "a.mpo")
    assert read.pixels.shape == (8, 8, 3)
    assert read.note == "", "phones keep a preview there, of no interest to anyone"
