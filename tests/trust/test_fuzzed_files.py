"""Damaged and hostile files, by the hundred: each is read, or refused in words. Nothing else is ever raised.

`VITRINE_FUZZ` multiplies how many of each kind there are; the seeds are the same every time.
"""

from __future__ import annotations

import json
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from models import recipe
from models.pictures import images
from models.requests import Request
from models.truth.read import read as read_truth
from models.types import Refusal, Result, Source
from models.zoo.download import download
from viewer.saving import session_file
from viewer.session.document import Document
from viewer.session.preferences import Settings

MORE = int(os.environ.get("VITRINE_FUZZ", "1"))
HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1 << 70, 10**400, 1e308, float("nan"), float("inf"), -float("inf"), 0.5),
    *(
        "",
        "\0",
        "a\0b",
        "x" * 300,
        "x/" * 3000,
        "../" * 50,
        "/dev/zero",
        "/dev/stdin",
        "/",
        ".",
        "..",
        "\ud800",
        "é",
        "1e999",
    ),
    *("camera:0", "file:///etc/passwd", "http://[", "seed:3seed:3", "a" * 70_000, "1,0", "１", "٣", "1_0"),
    *([], {}, [[]], [None], [[[[[]]]]], {"a": {"b": {}}}, [1e400], ["\udfff"]),
)
DEEP = "[" * 5000 + "]" * 5000


def bytes_of(rng: random.Random, good: bytes) -> bytes:
    """Return bytes that were damaged: some changed, some gone, some twice."""
    data = bytearray(good)
    for _ in range(rng.randint(1, 6)):
        if not data:
            break
        at = rng.randrange(min(len(data), 400)) if rng.random() < 0.7 else rng.randrange(len(data))
        match rng.randrange(6):
            case 0 | 1:
                data[at] = rng.randrange(256)
            case 2:
                data[at] = rng.choice((0, 0xFF, 0x7F, 0x80))
            case 3:
                del data[at : at + rng.randint(1, 40)]
            case 4:
                data[at:at] = data[at : at + rng.randint(1, 40)]
            case _:
                word = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"))
                data[at : at + 4] = word
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.15 and data else data)


def json_of(rng: random.Random, good: Any) -> bytes:
    """Return JSON of which some values, keys or items are hostile."""
    body = json.loads(json.dumps(good))
    for _ in range(rng.randint(1, 3)):
        places = list(_places(body))
        holder, key = rng.choice(places)
        value = rng.choice(HOSTILE)
        if rng.random() < 0.15 and isinstance(holder, dict):
            holder[rng.choice([h for h in HOSTILE if isinstance(h, str)])] = holder.pop(key)
        elif rng.random() < 0.2 and isinstance(holder, list):
            holder.insert(key, value)
        else:
            holder[key] = value
    text = json.dumps(body)
    if rng.random() < 0.05:
        text = text.replace("0", DEEP, 1)
    return bytes_of(rng, text.encode()) if rng.random() < 0.2 else text.encode()


def _places(body: Any) -> Iterator[tuple[Any, Any]]:
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in list(items):
        yield body, key
        yield from _places(value)


def survives(call: Callable[[], object], seed: object) -> bool:
    """Tell whether a call answered; a refusal must have its words, in letters that can be written anywhere."""
    try:
        call()
    except Refusal as refusal:
        assert str(refusal) and refusal.advice, seed
        f"{refusal} {refusal.advice}".encode()
        return False
    except BaseException as error:
        raise AssertionError(f"seed {seed}") from error
    return True


def picture_files(folder: Path) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp", "tga", "jp2", "ico", "pcx", "ppm", "qoi", "avif"):
        more: Any = {"exif": exif} if suffix in ("png", "jpg", "webp") else {}
        noise.save(folder / f"a.{suffix}", **more)
    noise.save(folder / "p.jpg", progressive=True)
    noise.save(folder / "f.gif", save_all=True, append_images=[noise.rotate(90)])
    noise.save(folder / "f.png", save_all=True, append_images=[noise.rotate(90)])
    noise.save(folder / "f.webp", save_all=True, append_images=[noise.rotate(90)])
    noise.save(folder / "l.tif", compression="tiff_lzw")
    noise.save(folder / "j.tif", compression="jpeg")
    five = rng.normal(0, 1, (20, 30, 5)).astype(np.float32)
    tifffile.imwrite(folder / "five.tif", five, photometric="minisblack", planarconfig="contig", tile=(16, 16))
    tifffile.imwrite(folder / "big.tif", five[..., 0], bigtiff=True, compression="zlib")
    tifffile.imwrite(folder / "dem.tif", five[..., 0].astype(np.int16), extratags=[(42113, "s", 0, "-9999", True)])
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


NAMES = "a.png a.jpg a.gif a.bmp a.tif a.webp a.tga a.jp2 a.ico a.pcx a.ppm a.qoi a.avif p.jpg f.gif f.png f.webp l.tif"
NAMES += " j.tif five.tif big.tif dem.tif"


@pytest.mark.parametrize("name", NAMES.split())
def test_pictures(tmp_path: Path, name: str) -> None:
    good = picture_files(tmp_path)[name]
    path = tmp_path / f"x-{name}"
    for seed in range(25 * MORE):
        path.write_bytes(bytes_of(random.Random(f"{name} {seed}"), good))

        def look() -> None:
            width, height = images.size(path)
            if width * height < 4_000_000:
                assert images.read(path).pixels.shape == (height, width, 3) or name in (
                    "a.ico",
                    "a.gif",
                    "f.gif",
                    "a.jp2",
                )

        survives(look, (name, seed))


def truth_files(root: Path) -> None:
    for at in ("coco/a.png", "voc/JPEGImages/a.png", "yolo/images/a.png", "yolo/images/b.png"):
        (root / at).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80)).save(root / at)
    (root / "voc" / "Annotations").mkdir()
    (root / "yolo" / "labels").mkdir()


COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
    "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 20, 30, 40], "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 7, "segmentation": {"size": [80, 100], "counts": [90, 5, 75, 5]}},
        {"id": 3, "image_id": 1, "category_id": 7, "segmentation": {"size": [80, 100], "counts": "hP6i09"}},
        {"id": 4, "image_id": 1, "category_id": 7, "segmentation": [[1, 2, 30, 4, 5, 60]]},
    ],
}
XML = (
    '<?xml version="1.0" encoding="utf-8"?><annotation><filename>a.png</filename><size><width>100</width>'
    "<height>80</height></size><object><name>dog</name><difficult>0</difficult><bndbox><xmin>10</xmin><ymin>20</ymin>"
    "<xmax>40</xmax><ymax>60</ymax></bndbox></object><object><name>cat</name><polygon><x1>1</x1><y1>2</y1><x2>30</x2>"
    "<y2>40</y2></polygon></object></annotation>"
)
YAML = "path: .\ntrain: images\nval: [images]\nnames:\n  0: cat\n  1: dog\nkpt_shape: [2, 3]\n"
LINES = "1 0.25 0.5 0.3 0.5\n0 0.1 0.1 0.1 0.1 0.93\n1 0.1 0.25 0.4 0.75 0.2 0.5\n"


def check_truth(path: Path) -> None:
    truth = read_truth(path)
    truth.prepare()
    "\n".join([*truth.notes, *truth.classes, truth.name]).encode()
    for picture in truth.pictures:
        assert np.isfinite(picture.boxes).all() and (picture.boxes[:, 2:] > picture.boxes[:, :2]).all()
        assert picture.labels.max(initial=0) < max(1, len(truth.classes))


def test_ground_truth_in_coco_s_format(tmp_path: Path) -> None:
    truth_files(tmp_path)
    for seed in range(400 * MORE):
        (tmp_path / "coco" / "set.json").write_bytes(json_of(random.Random(f"coco {seed}"), COCO))
        survives(lambda: check_truth(tmp_path / "coco" / "set.json"), seed)


def test_ground_truth_in_pascal_voc_s_format(tmp_path: Path) -> None:
    truth_files(tmp_path)
    for seed in range(300 * MORE):
        rng = random.Random(f"voc {seed}")
        text = XML.replace(
            "utf-8", rng.choice(("utf-8", "gbk", "utf-16", "latin-1", "rot13", "idna", "zlib", "x" * 50))
        )
        if rng.random() < 0.5:
            value = rng.choice([str(h) for h in HOSTILE])
            text = text.replace(rng.choice(("10", "a.png", "dog", "100", "cat")), value.replace("<", ""))
        good = text.encode("utf-8", "surrogatepass")
        (tmp_path / "voc" / "Annotations" / "a.xml").write_bytes(bytes_of(rng, good))
        (tmp_path / "split.txt").write_bytes(bytes_of(rng, b"a\nb 1\nc -1\n"))
        survives(lambda: check_truth(tmp_path / "voc"), seed)


def test_ground_truth_in_yolo_s_format(tmp_path: Path) -> None:
    truth_files(tmp_path)
    root = tmp_path / "yolo"
    for seed in range(300 * MORE):
        rng = random.Random(f"yolo {seed}")
        lines, sheet = LINES, YAML
        for _ in range(rng.randint(0, 3)):
            value = str(rng.choice(HOSTILE))
            lines = lines.replace(rng.choice(("0.25", "0.1", "1", "0.5")), value, 1)
            sheet = sheet.replace(rng.choice(("images", "cat", "0", ".", "train", "names", "path")), value, 1)
        (root / "labels" / "a.txt").write_bytes(bytes_of(rng, lines.encode("utf-8", "surrogatepass")))
        (root / "labels" / "b.txt").write_bytes(bytes_of(rng, b""))
        (root / "data.yaml").write_bytes(bytes_of(rng, sheet.encode("utf-8", "surrogatepass")))
        survives(lambda: check_truth(root), seed)


def test_sessions(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    document = Document(sources=(Source.file(tmp_path / "a.png"),)).with_value("detect", score=0.4)
    session_file.write(tmp_path / "good.vitrine", document)
    good = json.loads((tmp_path / "good.vitrine").read_bytes())
    for seed in range(400 * MORE):
        (tmp_path / "x.vitrine").write_bytes(json_of(random.Random(f"session {seed}"), good))

        def look() -> None:
            opened = session_file.read(tmp_path / "x.vitrine")
            f"{opened.differences} {opened.details}".encode()
            hash(opened.document)
            session_file.write(tmp_path / "again.vitrine", opened.document)

        survives(look, seed)


def test_recipes(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    request = Request.make("detect", "digits-ssd", Source.file(tmp_path / "a.png"), {"score": 0.4})
    recipe.write(
        tmp_path / "good.recipe.json", request, Result(meta={"sha256": "0" * 64, "parameters": {"score": 0.4}})
    )
    good = json.loads((tmp_path / "good.recipe.json").read_bytes())
    for seed in range(400 * MORE):
        (tmp_path / "x.recipe.json").write_bytes(json_of(random.Random(f"recipe {seed}"), good))

        def look() -> None:
            found = recipe.read(tmp_path / "x.recipe.json")
            hash(found.request)
            repr(found).encode()

        survives(look, seed)


def test_settings(tmp_path: Path) -> None:
    good = {
        "theme": "dark",
        "geometry": "AAAA",
        "recent_pictures": ["a.png"],
        "panels": {"a": {"b": 1}},
        "last_folder": "x",
    }
    for seed in range(300 * MORE):
        (tmp_path / "settings.json").write_bytes(json_of(random.Random(f"settings {seed}"), good))
        found = Settings.load(tmp_path)
        "\n".join(found.notes).encode()
        found.memory("a")
        found.save()
        assert Settings.load(tmp_path).theme in ("system", "dark", "light")


def test_settings_that_are_no_file_are_noted_and_kept(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "settings.json")
    found = Settings.load(tmp_path)
    assert "not an ordinary file" in found.notes[0] and found.theme == "system"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "settings.json").symlink_to("/dev/zero")
    assert "not an ordinary file" in Settings.load(tmp_path / "other").notes[0]


BODY = b"weights" * 100
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS: dict[str, tuple[bytes, str]] = {
    "cut chunked": (CHUNKED + b"10\r\n0123456789abcdef\r\n20\r\n0123", "was cut after"),
    "chunked without an end": (CHUNKED + b"10\r\n0123456789abcdef\r\n", "was cut after"),
    "chunked of no number": (CHUNKED + b"zz\r\n0123", "was cut after"),
    "chunked of a huge number": (CHUNKED + b"f" * 40 + b"\r\n0123", "was cut after"),
    "cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + BODY, "was cut after"),
    "absurd length": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n" + BODY, "which no model has"),
    "endless length": (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n" + BODY, ""),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + BODY, ""),
    "length of no number": (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + BODY, ""),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n", "failed"),
    "nothing": (b"", "failed"),
    "long line": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "failed"),
    "many headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", "failed"),
    "no status": (b"HTTP/1.1 abc OK\r\n\r\n", "failed"),
    "odd location": (b"HTTP/1.1 302 F\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n", ""),
    "location of a file": (b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", ""),
}


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Return what makes the next answers of a server, and its address."""
    server = socket.create_server(("127.0.0.1", 0))
    answer = [b""]

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                try:
                    client.recv(65_536)
                    client.sendall(answer[0])
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()

    def set_answer(content: bytes) -> str:
        answer[0] = content
        return f"http://127.0.0.1:{server.getsockname()[1]}/file.pth"

    yield set_answer
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.mark.parametrize("case", ANSWERS)
def test_answers_of_a_server(tmp_path: Path, answering: Callable[[bytes], str], case: str) -> None:
    content, words = ANSWERS[case]
    url = answering(content)
    try:
        download(url, tmp_path / "file.pth", timeout_s=5)
        assert not words and (tmp_path / "file.pth").read_bytes() == BODY
    except Refusal as refusal:
        assert words in str(refusal) and refusal.advice
        assert not (tmp_path / "file.pth").exists()


def test_damaged_answers_of_a_server(tmp_path: Path, answering: Callable[[bytes], str]) -> None:
    good = b'HTTP/1.1 200 OK\r\nContent-Length: 700\r\nETag: "one"\r\nLast-Modified: x\r\n\r\n' + BODY
    for seed in range(120 * MORE):
        url = answering(bytes_of(random.Random(f"http {seed}"), good))
        place = tmp_path / str(seed) / "file.pth"
        survives(lambda: download(url, place, timeout_s=5), seed)  # noqa: B023 - called at once
