"""Ground truth as files, written by hand: what the tests of the readers share. No tests here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from models.truth.types import Truth

Box = Sequence[float]


def picture(path: Path, width: int = 100, height: int = 80) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)
    return path


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def coco(path: Path, **parts: Any) -> Path:
    """Write a COCO file of one picture a.png, 100 × 80, unless told otherwise."""
    data = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 20, 30, 40], "iscrowd": 0}],
    }
    return write(path, json.dumps({**data, **parts}))


def xml(*objects: tuple[str, Box], name: str = "a.png", size: str = "", difficult: int = 0) -> str:
    size = size or "<size><width>100</width><height>80</height><depth>3</depth></size>"
    each = "".join(
        f"<object><name>{n}</name><difficult>{difficult}</difficult><bndbox><xmin>{a!r}</xmin><ymin>{b!r}</ymin>"
        f"<xmax>{c!r}</xmax><ymax>{d!r}</ymax></bndbox></object>"
        for n, (a, b, c, d) in objects
    )
    return f"<annotation><filename>{name}</filename>{size}{each}</annotation>"


def boxes(truth: Truth, name: str = "a.png") -> list[tuple[str, list[float]]]:
    """A picture's boxes with their classes' names."""
    (found,) = [p for p in truth.pictures if Path(p.path).name == name]
    return [(truth.classes[k], b) for k, b in zip(found.labels, found.boxes.tolist(), strict=True)]


def voc(root: Path) -> Path:
    picture(root / "JPEGImages" / "a.png")
    picture(root / "JPEGImages" / "b.png")
    write(root / "Annotations" / "a.xml", xml(("dog", (10, 20, 40, 60)), ("cat", (1, 1, 5, 5))))
    write(root / "Annotations" / "b.xml", xml(("dog", (0, 0, 9, 9)), name="b.png", difficult=1))
    write(root / "ImageSets" / "Main" / "test.txt", "b\n")
    return root


def yolo(root: Path, names: str = "names: [cat, dog]\n") -> Path:
    write(root / "data.yaml", names)
    picture(root / "images" / "a.png")
    picture(root / "images" / "b.png")
    write(root / "labels" / "a.txt", "1 0.25 0.5 0.3 0.5\n0 0.1 0.1 0.1 0.1 0.93\n")
    write(root / "labels" / "b.txt", "")
    return root
