"""About 200 hostile or broken files, the same ones every time: of each how it is opened, and who must refuse it."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import exported
import numpy as np
import pickles
import torch
from PIL import Image


@dataclass(frozen=True)
class Hostile:
    """A file, and how the window opens it: as a "model", "picture", "truth", "recipe", "session", "settings", ..."""

    kind: str
    path: Path


def write(folder: Path, canary: Path) -> list[Hostile]:
    """Write the corpus into a folder; what runs would create `canary`."""
    made: list[Hostile] = []

    def put(kind: str, name: str, content: bytes) -> None:
        path = folder / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        made.append(Hostile(kind, path))

    for name, content in (*pickles.files(canary), *pickles.shapes(), *pickles.bombs(), *safetensors(), *programs()):
        put("model", name, content)
    for name, content in exported.exported(str(canary)):
        put("model", name, content)
    for name, content in exported.scripted(str(canary)):
        put("model", name, content)
        put("script", name, content)  # as if the user had allowed it
    for kind, name, content in (*documents(), *pictures(), *codes()):
        put(kind, name, content)
    made += oddities(folder)
    return made


def safetensors() -> Iterator[tuple[str, bytes]]:
    """Headers that lie."""

    def file(header: Any, data: bytes = bytes(16), *, length: int | None = None) -> bytes:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text) if length is None else length) + text + data

    def one(**changed: Any) -> dict[str, Any]:
        return {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **changed}}

    yield "header-claims-more.safetensors", file(one(), length=2**40)
    yield "header-of-all.safetensors", file(one(), length=2**64 - 1)
    yield "header-empty.safetensors", file(b"", length=0)
    yield "header-huge.safetensors", file(b"{" + b" " * 100_000_001 + b"}", length=100_000_003)
    yield "beyond-the-file.safetensors", file(one(shape=[2**30], data_offsets=[0, 2**32]))
    yield "overlapping.safetensors", file({"a": one()["a"], "b": one(data_offsets=[8, 24])["a"]}, bytes(24))
    yield "reversed.safetensors", file(one(data_offsets=[16, 0]))
    yield "negative.safetensors", file(one(data_offsets=[-16, 0]))
    yield "huge-shape.safetensors", file(one(shape=[2**62, 2**62]))
    yield "zero-times-huge.safetensors", file(one(shape=[0, 2**62, 2**62], data_offsets=[0, 0]), b"")
    yield "many-dimensions.safetensors", file(one(shape=[1] * 5000, data_offsets=[0, 4]), bytes(4))
    yield "unknown-dtype.safetensors", file(one(dtype="F99"))
    yield (
        "duplicate-keys.safetensors",
        file(
            b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
        ),
    )
    yield "nested-metadata.safetensors", file(b'{"__metadata__":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}")
    yield "not-utf8.safetensors", file(b'{"\xff\xfe":1}')
    yield "a-list.safetensors", file([1, 2])
    yield "trailing.safetensors", file(one(), bytes(4096))
    yield (
        "many-empty.safetensors",
        file({f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(200_000)}, b""),
    )
    yield "markup.safetensors", file({"<img src='file:///x'>": one()["a"]})
    yield "short.safetensors", b"\1\0\0"


def programs() -> Iterator[tuple[str, bytes]]:
    """ONNX files and programs: broken, bombs, data from elsewhere."""
    yield "nothing.onnx", b"\0" * 100
    yield "text.onnx", b"hello"
    yield "deep.onnx", deep(40_000)
    yield "truncated.onnx", b"\x08\x09\x3a\xff\xff\xff\xff\x0f"
    yield "not-a-program.pt2", b"PK\3\4 no"
    yield "empty-zip.pt2", b"PK\5\6" + bytes(18)
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError:
        return
    places = {
        "parent": "../../../etc/passwd",
        "absolute": "/etc/passwd",
        "nul": "a\0b",
        "device": "/dev/zero",
        "windows": "C:\\x",
        "home": "~/x",
    }
    for name, location in places.items():
        tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", location), ("offset", "0"), ("length", "16")):
            tensor.external_data.add(key=key, value=value)
        yield f"external-{name}.onnx", proto(helper, TensorProto, tensor)
    for name, dims in {"huge": [2**40], "negative": [-4], "overflow": [2**62, 2**62]}.items():
        tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=bytes(16))
        yield f"initializer-{name}.onnx", proto(helper, TensorProto, tensor)
    graph = helper.make_graph(
        [helper.make_node("Python", ["x"], ["y"], domain="evil", code="import os")],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", 1, [1, 3, 8, 8])],
    )
    yield "custom-op.onnx", helper.make_model(graph).SerializeToString()
    fill = helper.make_node("ConstantOfShape", ["s"], ["y"])
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [2**20, 2**20])
    graph = helper.make_graph(
        [fill],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", 1, [2**20, 2**20])],
        [shape],
    )
    yield "fills-memory.onnx", helper.make_model(graph).SerializeToString()
    import graphs

    yield from graphs.graphs()


def proto(helper: Any, kinds: Any, tensor: Any) -> bytes:
    """A small model with one initialiser."""
    node = helper.make_node("Add", ["x", "w"], ["y"])
    x, y = (helper.make_tensor_value_info(name, kinds.FLOAT, [4]) for name in "xy")
    return helper.make_model(helper.make_graph([node], "g", [x], [y], [tensor])).SerializeToString()


def deep(count: int) -> bytes:
    """Messages inside messages."""
    content = b""
    for _ in range(count):
        length, size = b"", len(content)
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        content = b"\x3a" + length + bytes([size]) + content
        if len(content) > 300_000:
            break
    return content


def documents() -> Iterator[tuple[str, str, bytes]]:
    """JSON where cards, recipes, sessions, settings and ground truth are expected."""
    deep = b"[" * 200_000 + b"]" * 200_000
    nested = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    keys = json.dumps({f"k{n}": n for n in range(300_000)}).encode()
    bodies = {
        "deep": deep,
        "nested": nested,
        "keys": keys,
        "cut": b'{"a": [1, 2',
        "binary": bytes(range(256)),
        "number": b"1" * 100_000,
        "list": b"[1,2]",
    }
    for name, body in bodies.items():
        for kind, file in (
            ("recipe", "x.recipe.json"),
            ("session", "x.vitrine"),
            ("settings", "settings.json"),
            ("truth", "x.json"),
            ("card", "x.json"),
        ):
            yield kind, f"{name}/{file}", body
    recipe = {"vitrine_recipe": 1, "inspection": "detect", "parameters": {}, "picture": None}
    model = {"name": "digits-ssd", "sha256": ""}
    for name, changed in {
        "model-traversal": {"model": {"name": "../../../../etc/passwd.pt", "sha256": ""}},
        "picture-traversal": {"model": model, "picture": {"file": "../../../../etc/passwd", "sha256": "0"}},
        "nan": {"model": model, "parameters": {"score": float("nan")}},
        "wrong-types": {"model": [], "parameters": 3},
        "huge-frame": {"model": model, "picture": {"file": "x", "sha256": "", "frame": 1e400}},
        "unhashable": {"model": model, "parameters": {"score": [1, 2]}},
        "format": {"model": model, "vitrine_recipe": 10**9},
    }.items():
        yield "recipe", f"{name}/x.recipe.json", json.dumps({**recipe, **changed}).encode()
    truth = {
        "images": [{"id": 1, "file_name": "../../../etc/passwd", "width": 1, "height": 1}],
        "annotations": [],
        "categories": [{"id": 1, "name": "<img src=x>"}],
    }
    box = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 1}
    for name, boxes in {"nan": [float("nan")] * 4, "huge": [1e308] * 4, "short": [1], "text": "four"}.items():
        yield "truth", f"box-{name}/x.json", json.dumps({**truth, "annotations": [{**box, "bbox": boxes}]}).encode()
    yield (
        "truth",
        "polygon/x.json",
        json.dumps(
            {
                **truth,
                "annotations": [{**box, "bbox": [0, 0, 1, 1], "segmentation": {"size": [10**9, 10**9], "counts": "x"}}],
            }
        ).encode(),
    )
    yield (
        "session",
        "wrong/x.vitrine",
        json.dumps({"vitrine_session": 1, "document": {"sources": 3, "model": [], "current": 1e400}}).encode(),
    )
    yield (
        "session",
        "traversal/x.vitrine",
        json.dumps(
            {
                "vitrine_session": 1,
                "files": {"./../../etc/passwd": {"sha256": "0"}},
                "document": {"model": "./../../etc/passwd"},
            }
        ).encode(),
    )
    yield (
        "card",
        "weights-elsewhere/x.json",
        json.dumps({"name": "x", "weights": "../../../etc/passwd", "classes": 3}).encode(),
    )
    yield (
        "card",
        "wrong/x.json",
        json.dumps(
            {"name": ["x"], "weights": "x.pt", "classes": [[]] * 10, "bytes": "many", "preprocessing": 3}
        ).encode(),
    )


def pictures() -> Iterator[tuple[str, str, bytes]]:
    """Pictures and videos: bombs, lies, remains."""
    good = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(good, "PNG")
    png = good.getvalue()
    jpeg = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(jpeg, "JPEG")

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def claimed(width: int, height: int, rows: int, depth: int = 8) -> bytes:
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
        data = zlib.compress(bytes(min(rows * (width * 3 + 1), 10**8)), 9)
        return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")

    yield "picture", "bomb.png", claimed(50_000, 50_000, 600)
    yield "picture", "bomb-wide.png", claimed(2**31 - 1, 1, 0)
    yield "picture", "claims.png", claimed(9_999, 9_999, 1)
    yield "picture", "text-bomb.png", png[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8))) + png[33:]
    yield "picture", "profile-bomb.png", png[:33] + chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8))) + png[33:]
    yield "picture", "cut.png", png[:40]
    yield "picture", "cut.jpg", jpeg.getvalue()[:200]
    yield "picture", "is-a-png.jpg", png
    yield "picture", "is-a-zip.png", pickles.archive({"x": b"y"})
    yield "picture", "is-a-pickle.png", pickle.dumps({"a": 1})
    yield "picture", "polyglot.png", png + pickles.archive({"archive/data.pkl": b"x"})
    yield "picture", "html.png", b"<html><script>1</script></html>"
    yield "picture", "svg.png", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "picture", "postscript.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\n"
    yield (
        "picture",
        "big.bmp",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 70, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
    )
    yield "picture", "big.ppm", b"P6 999999999 999999999 255\n" + bytes(30)
    yield (
        "picture",
        "big.gif",
        b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;",
    )
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 3)
    for tag, value in ((256, 2**31), (257, 2**31), (273, 0)):
        tiff += struct.pack("<HHII", tag, 4, 1, value)
    yield "picture", "big.tif", tiff + struct.pack("<I", 8)
    yield "picture", "endless.tif", b"II*\0\x08\0\0\0" + struct.pack("<HI", 0, 8)
    yield "picture", "qoi.qoi", b"qoif" + struct.pack(">II", 2**31, 2**31) + b"\3\0"
    yield "picture", "empty.png", b""
    yield "video", "nothing.mp4", b"\0\0\0\x18ftypisom" + bytes(100)
    yield "video", "text.avi", b"not a video"
    yield "video", "playlist.mkv", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"
    yield "video", "concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n"
    yield "video", "cut.webm", b"\x1a\x45\xdf\xa3" + bytes(50)


def codes() -> Iterator[tuple[str, str, bytes]]:
    """Numbers for generative models."""
    objects = io.BytesIO()
    np.save(objects, np.array([pickles.Call(os.getpid)], object), allow_pickle=True)
    yield "codes", "object.npy", objects.getvalue()

    def npy(header: str) -> bytes:
        text = header.encode().ljust(118) + b"\n"
        return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text

    yield "codes", "huge.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 64), }")
    yield "codes", "wrong.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }") + bytes(64)
    yield "codes", "code.npy", npy("__import__('os').system('true')")
    yield "codes", "deep.npy", npy("(" * 100)
    squeezed = io.BytesIO()
    np.savez_compressed(squeezed, a=np.zeros(10**7, np.float32))
    yield "codes", "archive.npz", squeezed.getvalue()
    yield "codes", "archive.npy", squeezed.getvalue()


def oddities(folder: Path) -> list[Hostile]:
    """What is no ordinary file, or has no ordinary name."""
    place = folder / "odd"
    place.mkdir(parents=True)
    found: list[Hostile] = []
    good = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(good, "PNG")
    weights = pickles.saved({"a": torch.zeros(1)})
    for name in (
        "<img src=x>",
        "line\nbreak",
        "\u202egnp",
        "x" * 200,
        "a&amp;b",
        "?precision=bfloat16",
        ":build",
        "%2e%2e",
    ):
        for kind, suffix, content in (("picture", ".png", good.getvalue()), ("model", ".pt", weights)):
            path = place / f"{name}{suffix}"
            path.write_bytes(content)
            found.append(Hostile(kind, path))
    (place / "folder.pt").mkdir()
    (place / "folder.png").mkdir()
    (place / "loop.pt").symlink_to("loop.pt")
    (place / "nowhere.png").symlink_to("/nowhere/at/all")
    (place / "zero.pt").symlink_to("/dev/zero")
    (place / "zero.png").symlink_to("/dev/zero")
    found += [Hostile("model", place / n) for n in ("folder.pt", "loop.pt", "zero.pt")]
    found += [Hostile("picture", place / n) for n in ("folder.png", "nowhere.png", "zero.png")]
    for name, kind in (
        ("pipe.pt", "model"),
        ("pipe.png", "picture"),
        ("pipe.json", "truth"),
        ("pipe.vitrine", "session"),
        ("pipe.py", "model"),
    ):
        os.mkfifo(place / name)
        found.append(Hostile(kind, place / name))
    code = place / "unasked.py"
    code.write_text(f"open({str(folder / 'ran')!r}, 'w')\nADAPTER = 1\n")
    return [*found, Hostile("model", code), Hostile("model", place / "unasked.py:build")]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    print(len(write(target, target / "canary")), "files in", target)
