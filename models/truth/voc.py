"""Reads ground truth from Pascal VOC's XML, one file per picture.

XML entities are refused, inside the file or outside. The standard counts pixels from 1 and includes the last one, but
most files of this kind do not (labelImg's, BCCD's), and none says so: numbers are used as they are. `difficult` objects
count neither as found nor as missed.
"""

from __future__ import annotations

import codecs
import dataclasses
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from models import files
from models.texts import plain_text
from models.truth.gather import Gatherer, Progress, clean, number, whole
from models.truth.types import Truth
from models.types import Refusal

CORNERS = ("xmin", "ymin", "xmax", "ymax")
FOLDERS = ("JPEGImages", "images", "Images", "")
DATA = ("Data", "data")  # ImageNet's
ANNOTATIONS = ("Annotations", "annotations", "Annotation", "annotation", "xmls", "xml")  # names of the XML's folder
DEPTH = 3
MOST_BYTES = 32_000_000  # per XML file
MOST_POINTS = 10_000
HINT = ", as if width and height stood where the far corner belongs"
MENDED = "Export it with xmin + width as xmax and ymin + height as ymax."
OTHERS = {
    "annotations": "it is CVAT's own XML of many pictures; open it by itself",
    "dataset": "it is dlib's XML of many pictures; open it by itself",
}
_ENCODING = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,400}\?>")
_NO_TEXT = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7"}


def read(path: Path, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth of a VOC folder, a split or a single XML file.

    The folder may hold Annotations, XML files, or several VOC folders (VOCdevkit); a split is a file such as
    ImageSets/Main/test.txt. Raises Refusal if there is no ground truth.
    """
    single = path.suffix.lower() == ".xml" and not path.is_dir()
    if single:
        root, only = path.absolute().parent, None
    else:
        root, only = (path, None) if path.is_dir() else (path.absolute().parent.parent.parent, _split(path))
    gather = Gatherer(progress)
    found = [(path.absolute(), _home(root))] if single else _files(gather, root)
    name = root.parent.name if root.name in ANNOTATIONS else root.name
    if single:
        name = path.stem
    if only is not None:
        stems = {Path(file).stem: (file, home) for file, home in reversed(found)}
        found = []
        for stem in only:
            if stem in stems:
                found.append(stems[stem])
            else:
                gather.omit(path.name, f"{stem} has no XML file in Annotations")
        name = f"{name} {path.stem}"
    labels: dict[str, int] = {}
    pictures: list[_Read] = []
    for number_, (file, home) in enumerate(found):
        gather.progress(number_, len(found), f"Reading {name}")
        if (read_ := _picture(gather, file, home)) is not None:
            pictures.append(read_)
    far = sum(_is_size(box, each.size) for each in pictures for box in each.boxes)
    mistaken = far * 2 > sum(len(each.boxes) for each in pictures)
    if mistaken:
        gather.remark(f"{name}: xmax and ymax seem to hold width and height, so no box of it is used. {MENDED}")
    for each in pictures:
        _add(gather, each, labels, mistaken=mistaken)
    if only is None and not single:
        _name_bare(gather, found)
    return _sorted(gather.truth(name, "Pascal VOC", labels))


@dataclass(frozen=True)
class _Read:
    """The contents of one XML file."""

    file: Path
    path: str
    size: tuple[int, int]
    boxes: list[list[float]]
    names: list[str]
    hard: list[bool]
    what: list[str]


def _files(gather: Gatherer, root: Path) -> list[tuple[Path, Path]]:
    """Return the XML files below a folder, each with the folder to search for its picture."""
    folders = _folders(root)
    if not folders:
        folders = [each for sub in gather.listing.folders(str(root)) for each in _folders(Path(sub))]
    if not folders:
        folders = [(root, _home(root))]
    found = []
    for folder, home in folders:
        # Some exports sort annotations into subfolders like their pictures.
        for where in gather.listing.below(str(folder), DEPTH):
            names = sorted(name for name in gather.listing.names(where) if is_xml(Path(where), name))
            found += [(Path(where) / name, home) for name in names]
    return found


def is_xml(folder: Path, name: str) -> bool:
    """Return whether a file is XML: by its suffix or, without one as Stanford's dogs have it, by how it begins."""
    if name.lower().endswith(".xml"):
        return True
    if "." in name:
        return False
    try:
        with (folder / name).open("rb") as file:
            return file.read(64).lstrip().lower().startswith((b"<annotation", b"<?xml"))
    except OSError:
        return False


def _folders(root: Path) -> list[tuple[Path, Path]]:
    """Return the folder of XML files in a folder with the latter, once where the system ignores the case of names."""
    found = next((root / name for name in ANNOTATIONS if (root / name).is_dir()), None)
    return [(found, root)] if found is not None else []


def _home(folder: Path) -> Path:
    """Return the folder above that of the XML files, such as Annotations or annotations/xmls."""
    while folder.name in ANNOTATIONS:
        folder = folder.parent
    return folder


def tree(gather: Gatherer, file: Path) -> Any:
    """Return the root of an XML file, None where it cannot be read."""
    try:
        return _tree(gather, file)
    except (Refusal, ValueError, LookupError, RecursionError, MemoryError, ElementTree.ParseError):
        return None


def _picture(gather: Gatherer, file: Path, home: Path) -> _Read | None:
    """Return the contents of an XML file, or record why it is left out."""
    try:
        tree = _tree(gather, file)
    except Refusal as refusal:
        gather.omit(file.name, f"the file is left out: it {str(refusal).removeprefix(file.name).strip()}")
        return None
    except (ValueError, LookupError, RecursionError, MemoryError, ElementTree.ParseError) as error:
        gather.omit(file.name, f"the file is left out: {str(error) or 'not enough memory'}")
        return None
    if tree.tag in OTHERS:
        gather.omit(file.name, f"the file is left out: {OTHERS[tree.tag]}")
        return None
    objects = [each for each in tree.iter("object") if _text(each, "deleted") not in ("1", "true")]
    path = _find(gather, file, home, _text(tree, "filename"))
    if not path or gather.has(path):
        why = f"its picture {Path(path).name} already has another XML file" if path else "its picture is not there"
        gather.omit(file.name, f"{why}, so its {len(objects):,} boxes are left out")
        return None
    gather.claim(path)
    sides = whole(_text(tree, "size/width")) or 0, whole(_text(tree, "size/height")) or 0
    try:
        size = gather.size(path, sides)
    except Refusal as refusal:
        gather.omit(file.name, f"{refusal} Its {len(objects):,} boxes are left out")
        return None
    found = _Read(file, path, size, [], [], [], [])
    for row, each in enumerate(objects, 1):
        name = clean(_text(each, "name"))
        box = _box(each)
        if not name or box is None:
            gather.omit(file.name, f"object {row} has no {'box of four numbers' if name else 'name'}")
            continue
        found.boxes.append(box)
        found.names.append(name)
        found.hard.append(_text(each, "difficult").lower() in ("1", "1.0", "true", "yes"))
        found.what.append(f"object {row} ({name})")
    return found


def _add(gather: Gatherer, each: _Read, labels: dict[str, int], *, mistaken: bool) -> None:
    kept = list(range(len(each.boxes)))
    if mistaken:
        kept = [row for row, box in enumerate(each.boxes) if box[2] <= box[0] or box[3] <= box[1]]
        for row in sorted(set(range(len(each.boxes))) - set(kept)):
            gather.omit(each.file.name, f"{each.what[row]} is left out with the others{HINT}")

    def hint(row: int) -> str:
        return HINT if mistaken and _is_size(each.boxes[kept[row]], each.size) else ""

    boxes = [each.boxes[row] for row in kept]
    rows = [labels.setdefault(each.names[row], len(labels)) for row in kept]
    hard = [each.hard[row] for row in kept]
    gather.add(
        each.path,
        each.size,
        boxes,
        rows,
        crowd=hard,
        file=each.file.name,
        what=lambda row: each.what[kept[row]],
        hint=hint,
    )


def _is_size(box: list[float], size: tuple[int, int]) -> bool:
    """Return whether a box's far corner lies before its near one, and would fit the picture as a width and height."""
    x, y, width, height = box
    backwards = width <= x or height <= y
    return backwards and 0 < width <= size[0] - x + 1 and 0 < height <= size[1] - y + 1


def _name_bare(gather: Gatherer, found: list[tuple[Path, Path]]) -> None:
    """Record the pictures without an XML file, in the folders where others have one."""
    seen = gather.claimed
    stems = {file.stem for file, _ in found}
    for folder in sorted({os.path.dirname(path) for path in seen}):
        for name in sorted(gather.listing.names(folder)):
            at = os.path.join(folder, name)
            if gather.listing.is_picture(name) and at not in seen and Path(name).stem not in stems:
                gather.omit(name, "this picture has no XML file, so its objects are unknown")


def _tree(gather: Gatherer, file: Path) -> Any:
    """Return the root of an XML file in its declared or detected encoding.

    Raises Refusal if it cannot be read, ValueError if it declares entities, whose expansion is unbounded.
    """
    content = files.content(file, most=MOST_BYTES)
    if not content.strip():
        raise ValueError("it is empty")
    text, other = _decoded(content)
    if other:
        gather.remark(f"{file.name} is not in UTF-8 and does not say in which encoding it is; it was read as {other}.")
    if "<!ENTITY" in text:
        raise ValueError("it declares entities, which are not read")
    return ElementTree.fromstring(_DECLARATION.sub("", text, count=1))


def _decoded(content: bytes) -> tuple[str, str]:
    """Return the text of a file, and its encoding if it was guessed ("" if it is UTF-8 or declared).

    Raises ValueError or LookupError if the encoding is unknown or wrong. The XML parser cannot decode multi-byte
    encodings such as GBK itself.
    """
    declared = _ENCODING.match(content[:256])
    name = declared[1].decode("ascii") if declared else "utf-8"
    codec = codecs.lookup(name)
    if not getattr(codec, "_is_text_encoding", True) or codec.name in _NO_TEXT:
        raise LookupError(f"unknown encoding {name}")
    # Some programs declare one encoding and write in the system's own.
    try:
        text, guess = plain_text.decoded(content, declared=codec.name)
    except UnicodeError as error:
        raise ValueError(f"it is not text in {name.upper()}, as it should be") from error
    if declared and guess == plain_text.WESTERN:  # which any bytes are
        raise ValueError(f"it is not text in {name.upper()}, as it should be")
    return text, guess


def _find(gather: Gatherer, file: Path, home: Path, named: str) -> str:
    """Return the picture of an XML file by its own stem, else by the file name it gives; "" if there is none."""
    base = os.path.basename(named.replace("\\", "/"))
    # Subfolders of Annotations mirror those of the pictures.
    sub = os.path.relpath(file.parent, home / "Annotations") if (home / "Annotations") in file.parents else "."
    near = [os.path.normpath(home / name / sub) for name in FOLDERS]
    for name in (*ANNOTATIONS, *DATA):
        if (home / name) in file.parents:
            sub = os.path.relpath(file.parent, home / name)
            near += [os.path.normpath(home / each / sub) for each in (*FOLDERS[:-1], *DATA)]
    folders = dict.fromkeys([*near, *(str(home / name) for name in FOLDERS), str(file.parent)])
    named_here = [at for folder in folders if base and gather.listing.has(at := os.path.join(folder, base))]
    own = [at for folder in folders if (at := gather.listing.picture(folder, file.stem))]
    # A name copied from another picture is common, so the file's own stem wins if both exist.
    if found := next(iter([*own, *named_here]), ""):
        return found
    # The name may lack its suffix, or have another one than the picture.
    stems = (gather.listing.picture(folder, Path(base).stem) for folder in folders if base)
    return next((at for at in stems if at), "")


def _box(each: Any) -> list[float] | None:
    """Return the corners of an object, or those around its polygon or rotated box."""
    try:
        if each.find("bndbox") is not None:
            return [number(_text(each, f"bndbox/{corner}")) for corner in CORNERS]
        if each.find("robndbox") is not None:
            x, y, width, height, angle = (number(_text(each, f"robndbox/{n}")) for n in ("cx", "cy", "w", "h", "angle"))
            cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
            half = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
            return [x - half[0], y - half[1], x + half[0], y + half[1]]
        if points := each.findall("polygon/pt")[:MOST_POINTS]:  # LabelMe's of the web
            xs, ys = ([number(_text(point, name)) for point in points] for name in "xy")
            return [min(xs), min(ys), max(xs), max(ys)]
        corners = {node.tag: number(node.text or "") for node in each.findall("polygon/*")[: 2 * MOST_POINTS]}
        xs = [value for tag, value in corners.items() if tag.startswith("x")]
        ys = [value for tag, value in corners.items() if tag.startswith("y")]
        return [min(xs), min(ys), max(xs), max(ys)] if xs and ys else None
    except (ValueError, TypeError, OverflowError):
        return None


def _text(node: Any, path: str) -> str:
    return (node.findtext(path) or "").strip()


def _split(path: Path) -> list[str]:
    """Return the names in a split's file, one per line, without those that VOC marks as -1 (class absent)."""
    try:
        text, _ = _decoded(files.content(path, most=MOST_BYTES))
    except ValueError as error:
        raise Refusal(f"{path.name} is not text in UTF-8.", advice="Save it in UTF-8.") from error
    lines = (line.split() for line in text.splitlines())
    return list(dict.fromkeys(words[0] for words in lines if words and words[1:2] != ["-1"]))


def _sorted(truth: Truth) -> Truth:
    """Return the truth with its classes in alphabetical order, independent of the order of reading."""
    order = sorted(range(len(truth.classes)), key=lambda row: truth.classes[row])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    pictures = tuple(dataclasses.replace(p, labels=place[p.labels]) for p in truth.pictures)
    return dataclasses.replace(truth, classes=tuple(truth.classes[row] for row in order), pictures=pictures)
