"""Pascal VOC's XML to ground truth: one file a picture. No entities are resolved, inside the file or outside of it.

The standard counts pixels from 1 with the last one included. Most files of this kind do not (labelImg's, BCCD's), and
none says so: numbers are taken as they stand. Objects that are `difficult` are neither to be found nor missed.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from models import files
from models.truth.gather import Gatherer, Progress, whole
from models.truth.types import Truth
from models.types import Refusal

CORNERS = ("xmin", "ymin", "xmax", "ymax")
FOLDERS = ("JPEGImages", "images", "Images", "")


def read(path: Path, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth of a VOC folder, of a folder of XML files, or of one split, ImageSets/Main/test.txt.

    Raises Refusal if there is none.
    """
    root, only = (path, None) if path.is_dir() else (path.absolute().parent.parent.parent, _split(path))
    folder = root / "Annotations" if (root / "Annotations").is_dir() else root
    home = folder.parent if folder.name == "Annotations" else folder
    gather = Gatherer(progress)
    stems = [Path(name).stem for name in gather.listing.names(str(folder)) if name.lower().endswith(".xml")]
    suffix = {Path(name).stem: name for name in gather.listing.names(str(folder)) if name.lower().endswith(".xml")}
    wanted = sorted(stems) if only is None else only
    labels: dict[str, int] = {}
    for number, stem in enumerate(wanted):
        gather.progress(number, len(wanted), f"Reading {home.name}")
        if stem in suffix:
            _picture(gather, folder / suffix[stem], home, labels)
        else:
            gather.omit(path.name, f"{stem} has no XML file in {folder.name}")
    name = home.name if only is None else f"{home.name} {path.stem}"
    return _sorted(gather.truth(name, "Pascal VOC", labels))


def _picture(gather: Gatherer, file: Path, home: Path, labels: dict[str, int]) -> None:
    """Add a picture, or write down why not."""
    try:
        tree = _tree(file)
    except (OSError, ValueError, LookupError, RecursionError, ElementTree.ParseError) as error:
        gather.omit(file.name, f"the file is left out: {getattr(error, 'strerror', None) or error}")
        return
    objects = list(tree.iter("object"))
    path = _find(gather, file, home, _text(tree, "filename"))
    if not path or gather.has(path):
        why = f"its picture {Path(path).name} has another file" if path else "its picture is not there"
        gather.omit(file.name, f"{why}, so its {len(objects):,} boxes are left out")
        return
    sides = whole(_text(tree, "size/width")) or 0, whole(_text(tree, "size/height")) or 0
    try:
        size = gather.size(path, sides)
    except Refusal as refusal:
        gather.omit(file.name, f"{refusal} Its {len(objects):,} boxes are left out")
        return
    boxes, rows, hard, what = [], [], [], []
    for number, each in enumerate(objects, 1):
        name = _text(each, "name")
        box = _box(each)
        if not name or box is None:
            gather.omit(file.name, f"object {number} has no {'box of four numbers' if name else 'name'}")
            continue
        boxes.append(box)
        rows.append(labels.setdefault(name, len(labels)))
        hard.append(_text(each, "difficult") == "1")
        what.append(f"object {number} ({name})")
    gather.add(path, size, boxes, rows, crowd=hard, file=file.name, what=lambda row: what[row])


def _tree(file: Path) -> Any:
    """Return the root of an XML file. Raises ValueError where it declares entities, which could grow without end."""
    content = file.read_bytes()
    if not content.strip():
        raise ValueError("it is empty")
    # Without the zero bytes UTF-16 reads the same.
    if b"<!ENTITY" in content.replace(b"\0", b""):
        raise ValueError("it declares entities, which are not read")
    return ElementTree.fromstring(content)


def _find(gather: Gatherer, file: Path, home: Path, named: str) -> str:
    """Return the picture of an XML file: by the name it gives, else by its own stem, "" for none."""
    base = os.path.basename(named.replace("\\", "/"))
    folders = dict.fromkeys([*(str(home / name) for name in FOLDERS), str(file.parent)])
    named_here = [at for folder in folders if base and gather.listing.has(at := os.path.join(folder, base))]
    own = [at for folder in folders if (at := gather.listing.picture(folder, file.stem))]
    # A name copied from another picture is common; the file's own stem decides where both are there.
    return next(iter([*own, *named_here]), "")


def _box(each: Any) -> list[float] | None:
    try:
        return [float(_text(each, f"bndbox/{corner}")) for corner in CORNERS]
    except ValueError:
        return None


def _text(node: Any, path: str) -> str:
    return (node.findtext(path) or "").strip()


def _split(path: Path) -> list[str]:
    """Return the names in a split's file: one a line; what comes after a blank is VOC's own mark for a class."""
    try:
        text = files.check(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"{path.name} is not text in UTF-8.", advice="Save it in UTF-8.") from error
    lines = (line.split() for line in text.splitlines())
    return list(dict.fromkeys(words[0] for words in lines if words and words[1:2] != ["-1"]))


def _sorted(truth: Truth) -> Truth:
    """Return the truth with its classes in alphabetical order, whichever picture was read first."""
    order = sorted(range(len(truth.classes)), key=lambda row: truth.classes[row])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    pictures = tuple(dataclasses.replace(p, labels=place[p.labels]) for p in truth.pictures)
    return dataclasses.replace(truth, classes=tuple(truth.classes[row] for row in order), pictures=pictures)
