"""Every way a picture file can be wrong: each is refused in words, none crashes."""

import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import never, noise, picture, png_of, refused
from PIL import Image

from models import files
from models.pictures import images
from models.types import Refusal


def test_colours_that_cannot_be_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("YCbCr", (2, 2)).save(tmp_path / "a.tif")

    def unknown(*_args: object, **_options: object) -> None:
        raise ValueError("conversion from La to RGB not supported")

    monkeypatch.setattr(Image.Image, "convert", unknown)
    refusal = refused(tmp_path / "a.tif")
    assert "a.tif stores its colours" in str(refusal)
    assert "YCbCr" in str(refusal)
    assert "RGB" in refusal.advice


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
    code = "import sys, models.pictures.images\n"
    code += "sys.exit(bool({'torch', 'cv2', 'PySide6', 'torchvision'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
