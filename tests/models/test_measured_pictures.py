"""Pictures whose values are measurements: read as another reader reads them, shown by a range that is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from models.pictures import images, tiff, value_range
from models.types import Refusal

H, W = 45, 70


def ramp(dtype: str, low: float, high: float, bands: int = 1) -> np.ndarray:
    rows, columns = np.mgrid[:H, :W]
    share = np.stack([(rows * W + columns) / (H * W - 1) * (1 - 0.1 * b) for b in range(bands)], axis=2)
    made = (low + share * (high - low)).astype(dtype)
    return made if bands > 1 else made[:, :, 0]


LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (32, 16)},
    "deflate": {"compression": "zlib"},
    "deflate tiles": {"compression": "zlib", "tile": (16, 32)},
    "predictor": {"compression": "zlib", "predictor": True},
    "predictor tiles": {"compression": "zlib", "predictor": True, "tile": (32, 32)},
    "big": {"bigtiff": True},
    "motorola": {"byteorder": ">"},
    "motorola predictor": {"byteorder": ">", "compression": "zlib", "predictor": True},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize(
    ("bands", "planar"), [(1, "contig"), (2, "contig"), (5, "contig"), (2, "separate"), (5, "separate")]
)
def test_values_are_those_that_another_reader_reads(
    tmp_path: Path, layout: str, dtype: str, bands: int, planar: str
) -> None:
    walk = np.random.default_rng(0).normal(0, 50, (H, W, bands)).cumsum(axis=1)
    values = walk.astype("int64").astype(dtype) if dtype[0] == "u" else walk.astype(dtype)
    made = np.moveaxis(values, 2, 0) if planar == "separate" else values
    options: dict[str, Any] = {"byteorder": "<", **LAYOUTS[layout]}
    if dtype.startswith("float"):
        options.pop("predictor", None)  # the writer of this test has none for these; another's is below
    if bands > 1:
        options["planarconfig"] = planar
    tifffile.imwrite(
        tmp_path / "a.tif",
        made.squeeze(axis=2) if bands == 1 else made,
        photometric="minisblack",
        metadata=None,
        **options,
    )
    found = tiff.look(tmp_path / "a.tif")
    read = tiff.raster(tmp_path / "a.tif", found.page)
    assert (found.pages, found.more, read.dtype) == (1, False, values.dtype)
    assert np.array_equal(read, values, equal_nan=True)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_what_libtiff_takes_apart(tmp_path: Path, compression: str) -> None:
    values = ramp("uint16", 0, 4095)
    Image.fromarray(values).save(tmp_path / "a.tif", compression=compression)
    assert np.array_equal(tiff.raster(tmp_path / "a.tif", tiff.look(tmp_path / "a.tif").page)[:, :, 0], values)
    with_alpha = np.dstack([ramp("uint16", 0, 4095, 3), ramp("uint16", 0, 65535)])
    cv2.imwrite(str(tmp_path / "b.tif"), with_alpha, [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    page = tiff.look(tmp_path / "b.tif").page
    assert page.compression == tiff.LZW
    assert np.array_equal(tiff.raster(tmp_path / "b.tif", page)[:, :, [2, 1, 0, 3]], with_alpha)


def test_the_predictor_of_floats(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 50, (H, W, 3)).cumsum(axis=1).astype(np.float32)
    for bands in (1, 3):
        made = values[:, :, :bands].squeeze()
        options = [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, 3]
        assert cv2.imwrite(str(tmp_path / "a.tif"), made[..., ::-1] if bands == 3 else made, options)
        page = tiff.look(tmp_path / "a.tif").page
        assert (page.predictor, page.compression) == (3, tiff.LZW)
        assert np.array_equal(tiff.raster(tmp_path / "a.tif", page).squeeze(), made)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("form", ["tif grey", "tif colour", "png grey", "png colour"])
def test_bits_that_are_used_of_sixteen_are_the_range(tmp_path: Path, bits: int, form: str) -> None:
    suffix, _, kind = form.partition(" ")
    bands = 3 if kind == "colour" else 1
    values = ramp("uint16", 0, 2**bits - 1, bands)
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), values[..., ::-1] if bands == 3 else values)
    read = images.read(tmp_path / f"a.{suffix}")
    wanted = np.rint(values / (2**bits - 1) * 255)
    slack = 1 if bits == 16 and form == "png colour" else 0.51
    assert np.abs(read.pixels - wanted.reshape(H, W, -1)).max() <= slack
    assert "16 bit" in read.note and (bits == 16 or f"of which {bits} are used" in read.note)


def test_dark_values_far_below_their_bits_are_shown_by_their_own_range(tmp_path: Path) -> None:
    values = ramp("uint16", 300, 2600)
    values[0, :20] = 21000  # clouds
    tifffile.imwrite(tmp_path / "a.tif", values)
    read = images.read(tmp_path / "a.tif")
    assert read.pixels[3:].min() < 20 and np.percentile(read.pixels, 90) > 200
    assert "is shown as black" in read.note and "The network gets the same." in read.note


@pytest.mark.parametrize(
    ("values", "tag", "words"),
    [
        (ramp("float32", 0.1, 7), None, "Floating point: 0.1 is shown as black, 7 as white."),
        (ramp("int16", -200, 1800), None, "16 bit with sign: -200 is shown as black, 1800 as white."),
        (ramp("int32", -70000, 80000), None, "32 bit: -70000 is shown as black, 80000 as white."),
        (ramp("int16", 100, 1800), "-9999", "No data (-9999) is shown white."),
        (ramp("float32", 100, 1800), "-3.4028234663852886e+38", "is shown white"),
        (ramp("float32", 1, 2), "nan", "What is not a number is shown white."),
        (ramp("int16", 100, 1800), None, "No data (-32768) is shown white."),
        (ramp("uint8", 1, 255), "0", "8 bit: scaled to 8 bit. No data (0) is shown white."),
    ],
)
def test_no_data_is_transparent_and_no_part_of_the_range(
    tmp_path: Path, values: np.ndarray, tag: Any, words: str
) -> None:
    marked = "shown white" in words
    values = values.copy()
    if marked:
        values[10:20, 10:30] = float(tag) if tag else -32768
    extra = [(42113, "s", 0, tag, True)] if tag else []
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=extra, metadata=None)
    read = images.read(tmp_path / "a.tif")
    assert words in read.note, read.note
    grey = read.pixels[..., 0].astype(int)
    if marked:
        assert (grey[10:20, 10:30] == 255).all()
    assert grey[0, 0] <= 6 and grey[-1, -1] == 255 and 100 < grey[H // 2, 0] < 155


def test_a_few_far_values_do_not_make_the_rest_black(tmp_path: Path) -> None:
    values = ramp("float32", 0, 1)
    values[0, 0] = 1e9
    tifffile.imwrite(tmp_path / "a.tif", values)
    read = images.read(tmp_path / "a.tif")
    assert read.pixels[H // 2].mean() > 100 and "2 of 100 lie below" in read.note


def test_the_file_s_own_range_is_kept(tmp_path: Path) -> None:
    tags = [(280, "H", 1, 0, True), (281, "H", 1, 1000, True)]
    tifffile.imwrite(tmp_path / "a.tif", ramp("uint16", 100, 900), extratags=tags, metadata=None)
    read = images.read(tmp_path / "a.tif")
    assert "0 is shown as black, 1000 as white, as the file says" in read.note
    assert read.pixels.max() == round(900 / 1000 * 255)


def test_bands_that_are_shown_are_said_and_alpha_is_not_one_of_them(tmp_path: Path) -> None:
    five = ramp("uint8", 0, 255, 5)
    tifffile.imwrite(tmp_path / "five.tif", five, photometric="minisblack", planarconfig="contig")
    read = images.read(tmp_path / "five.tif")
    assert "5 bands, of which 1, 2 and 3 are shown as red, green and blue." in read.note
    assert np.array_equal(read.pixels, five[..., :3])
    rgba = np.dstack([ramp("uint16", 0, 65535, 3), np.full((H, W), 65535, np.uint16)])
    rgba[:9, :, 3] = 0
    tifffile.imwrite(tmp_path / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    read = images.read(tmp_path / "rgba.tif")
    assert (read.pixels[:9] == 255).all() and "bands" not in read.note and "on white" in read.note


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_plain_kinds_stay_as_pillow_reads_them(tmp_path: Path, suffix: str) -> None:
    colours = Image.fromarray(ramp("uint8", 0, 255, 3))
    for mode in ("1", "L", "P", "RGB", "RGBA", *(("CMYK", "YCbCr") if suffix == "tif" else ())):
        colours.convert(mode).save(tmp_path / f"a.{suffix}")
        wanted = np.asarray(colours.convert(mode).convert("RGB"))
        assert np.array_equal(images.read(tmp_path / f"a.{suffix}").pixels, wanted), mode
        assert images.size(tmp_path / f"a.{suffix}") == (W, H)


def test_the_first_page_that_is_no_preview_is_shown_and_said(tmp_path: Path) -> None:
    small, large = ramp("uint8", 0, 255, 3)[::4, ::4], ramp("uint8", 0, 255, 3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(small, subfiletype=1, photometric="rgb")
        file.write(large, photometric="rgb")
    read = images.read(tmp_path / "a.tif")
    assert np.array_equal(read.pixels, large) and images.size(tmp_path / "a.tif") == (W, H)
    assert read.note == f"Page 2 of 2 is shown: page 1 is a preview of {small.shape[1]} × {small.shape[0]}."


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_page_of_sixteen_bits_is_upright_and_has_its_size(tmp_path: Path, turn: int) -> None:
    values = ramp("uint16", 0, 65535)
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(274, "H", 1, turn, True)], metadata=None)
    Image.fromarray((values >> 8).astype(np.uint8)).save(tmp_path / "b.tif", tiffinfo={274: turn})
    mine, theirs = images.read(tmp_path / "a.tif").pixels, images.read(tmp_path / "b.tif").pixels
    assert mine.shape == theirs.shape and np.abs(mine.astype(int) - theirs).max() <= 1
    assert images.size(tmp_path / "a.tif") == images.size(tmp_path / "b.tif") == (mine.shape[1], mine.shape[0])


def test_what_cannot_be_shown_is_refused_naming_bands_and_kind(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.complex64))
    with pytest.raises(Refusal, match="complex numbers"):
        images.read(tmp_path / "a.tif")


def test_scaling_needs_little_more_memory_than_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_range, "ROWS_BYTES", 4096)
    values = ramp("float32", 0, 1)[:, :, None]
    assert np.array_equal(value_range.scaled(values).pixels, np.rint(values * 255).astype(np.uint8))
