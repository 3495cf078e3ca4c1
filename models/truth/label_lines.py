"""Reads ground truth from plain text of other kinds than YOLO's: one line for an object, or for a picture.

KITTI (label_2), VisDrone (annotations), DOTA (labelTxt), MOT (gt/gt.txt), WIDER FACE's list, and lists of the first
YOLO repositories (`picture x0,y0,x1,y1,class …`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from models import files
from models.truth.gather import Gatherer, Progress, number
from models.truth.marked import SUFFIXES, Box, Mark, Marked, around, sized, truth
from models.truth.types import Truth
from models.types import Refusal

MOST_BYTES = 200_000_000
PEEKED = 1 << 14
NAMES = ("_classes.txt", "classes.txt", "voc_classes.txt", "obj.names")
LIST, WIDER, KITTI, VISDRONE, DOTA, MOT = "list of boxes", "WIDER FACE", "KITTI", "VisDrone", "DOTA", "MOT"
COUNTED = "BBox-Label-Tool"  # the number of boxes, then the corners and the class of each
IGNORED = ("DontCare", "ignored regions")
VISDRONE_CLASSES = (
    *("ignored regions", "pedestrian", "people", "bicycle", "car", "van", "truck"),
    *("tricycle", "awning-tricycle", "bus", "motor", "others"),
)
_ROW = re.compile(
    r"^(?P<picture>\S.*?\.(?:jpe?g|png|bmp|tiff?|webp))(?P<boxes>(?:\s+[-\d.]+(?:,[-\d.]+){3,4},?)*)\s*$", re.I
)
# Folders of labels by their names, with the folders of pictures beside them, likely ones first.
FOLDERS = {"label_2": KITTI, "label_02": KITTI, "labeltxt": DOTA, "labeltxt-v1.0": DOTA, "labeltxt-v1.5": DOTA}
BESIDE = ("image_2", "image_02", "images", "Images", "img", "img1", "JPEGImages", "train_img", "")


def read(path: Path, kind: str, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth at a path that `recognise` told the kind of. Raises Refusal where no picture is found."""
    gather = Gatherer(progress)
    name, classes = path.name, ()
    match kind:
        case "list of boxes":
            classes = _names(path.parent)
            pictures = list(_list(path, classes))
        case "WIDER FACE":
            pictures = list(_wider(path))
        case "MOT":
            name, pictures = path.parent.parent.name, list(_mot(path))
        case _:
            folder = labels_in(path)
            if kind == COUNTED:
                pictures = [_counted(each, folder) for each in sorted(folder.rglob("*.txt"))]
                return truth(Path(name).stem, kind, pictures, gather=gather)
            reader = {KITTI: _kitti, DOTA: _dota, VISDRONE: _visdrone}[kind]
            pictures = [_of_folder(each, folder, reader) for each in sorted(folder.glob("*.txt"))]
    return truth(Path(name).stem, kind, pictures, gather=gather, classes=classes)


def recognise(path: Path) -> str:
    """Return the kind of a text file or of a folder of them, by names and first lines; "" for none of these."""
    if not path.is_dir():
        kind = _of_file(path) if path.suffix.lower() in (".txt", ".csv") else ""
        return kind if path.suffix.lower() == ".txt" or kind == LIST else ""
    folder = labels_in(path)
    if folder.name.lower() in FOLDERS:
        return FOLDERS[folder.name.lower()]
    if (path / "gt" / "gt.txt").is_file():
        return ""
    first = next(iter(islice(folder.glob("*.txt"), 1)), None) or next(iter(islice(folder.glob("*/*.txt"), 1)), None)
    lines = _head(first) if first is not None else []
    words = [line.replace(",", " ").split() for line in lines if line.strip()]
    if folder.name.lower() in ("annotations", "labels", "label", "label_2") and words:
        if words[0] == [str(len(words) - 1)] and all(len(row) in (4, 5) and _are_numbers(row[:4]) for row in words[1:]):
            return COUNTED
        if all(len(row) in (15, 16) and not _is_number(row[0]) and _are_numbers(row[1:]) for row in words):
            return KITTI
        if all(line.count(",") >= 7 for line in lines if line.strip()) and all(_are_numbers(row[:8]) for row in words):
            return VISDRONE
    return ""


def labels_in(path: Path) -> Path:
    """Return the folder of labels in or at a path."""
    if path.name.lower() in FOLDERS:
        return path
    for name in (*FOLDERS, "labelTxt", "annotations", "Annotations", "labels", "label", "Labels"):
        if (path / name).is_dir():
            return path / name
    return path


def _of_file(path: Path) -> str:
    if path.name == "gt.txt" and path.parent.name == "gt":
        return MOT
    lines = [line for line in _head(path) if line.strip()]
    if not lines:
        return ""
    if len(lines) > 2 and lines[0].strip().lower().endswith(SUFFIXES) and lines[1].strip().isdecimal():
        numbers = lines[2].split()
        return WIDER if len(numbers) >= 4 and _are_numbers(numbers) else ""
    rows = [match for line in lines if (match := _ROW.match(line.strip()))]
    return LIST if len(rows) == len(lines) and any(match["boxes"] for match in rows) else ""


def _head(path: Path) -> list[str]:
    """Return the first lines of an ordinary file, without one that is cut; none if it cannot be read."""
    try:
        with files.check(path).open("rb") as file:
            head = file.read(PEEKED)
    except (Refusal, OSError):
        return []
    lines = head.decode("utf-8-sig", "replace").splitlines()
    return lines[:-1] if len(head) == PEEKED else lines


def _lines(path: Path) -> list[str]:
    content = files.content(path, most=MOST_BYTES, empty=True)
    return content.decode("utf-8-sig", "replace").splitlines()


def _is_number(word: str) -> bool:
    try:
        number(word)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _are_numbers(words: Sequence[str]) -> bool:
    return all(map(_is_number, words))


def _box(words: Sequence[str], *, corners: bool = True) -> Box | str:
    try:
        a, b, c, d = (number(word) for word in words)
    except (ValueError, TypeError, OverflowError):
        return "has no box of four numbers"
    return (a, b, c, d) if corners else sized(a, b, c, d)


def _names(folder: Path) -> tuple[str, ...]:
    """Return the names of classes in the list beside a file, none if there is none."""
    found = next((at for name in NAMES if (at := folder / name).is_file()), None)
    return tuple(line.strip() for line in _lines(found) if line.strip()) if found is not None else ()


def _list(path: Path, names: Sequence[str]) -> Iterator[Marked]:
    for line_number, line in enumerate(_lines(path), 1):
        if match := _ROW.match(line.strip()):
            marks = []
            for group in match["boxes"].split():
                words = group.strip(",").split(",")
                label = words[4] if len(words) > 4 else "object"
                if label.isascii() and label.isdecimal() and int(label[:9]) < len(names):
                    label = names[int(label)]
                marks.append(Mark(label, _box(words[:4]), f"line {line_number}"))
            yield Marked(match["picture"], path, marks)


def _wider(path: Path) -> Iterator[Marked]:
    lines = [line.strip() for line in _lines(path)]
    at = 0
    while at < len(lines):
        name = lines[at]
        at += 1
        if not name.lower().endswith(SUFFIXES) or at >= len(lines) or not lines[at].isdecimal():
            continue
        count = int(lines[at])
        marks = []
        for row in range(at + 1, min(at + 1 + max(count, 1), len(lines))):
            words = lines[row].split()
            if count and len(words) >= 4:
                ignored = len(words) > 7 and words[7] == "1"
                marks.append(Mark("face", _box(words[:4], corners=False), f"line {row + 1}", ignored))
        # A picture without faces has one line of zeros.
        at += 1 + count if count else (2 if at + 1 < len(lines) and _are_numbers(lines[at + 1].split()) else 1)
        yield Marked(name, path, marks)


def _mot(path: Path) -> Iterator[Marked]:
    frames: dict[int, list[Mark]] = {}
    for line_number, line in enumerate(_lines(path), 1):
        words = line.split(",")
        if len(words) >= 6 and _are_numbers(words[:6]):
            ignored = len(words) > 7 and (words[6].strip() == "0" or words[7].strip() not in ("1", "-1"))
            mark = Mark("person", _box(words[2:6], corners=False), f"line {line_number}", ignored)
            frames.setdefault(int(number(words[0])), []).append(mark)
    for frame, marks in sorted(frames.items()):
        yield Marked(f"img1/{frame:06d}.jpg", path.parent, marks)


def _of_folder(file: Path, folder: Path, reader: Callable[[str, str], Mark | None]) -> Marked:
    """Return a picture with the labels of one file, looked for in the folders beside the labels'."""
    marks = []
    for line_number, line in enumerate(_lines(file), 1):
        mark = reader(line, f"line {line_number}")
        if mark is not None:
            marks.append(mark)
    for name in BESIDE:
        at = folder.parent / name
        found = next(
            (at / f"{file.stem}{suffix}" for suffix in SUFFIXES if (at / f"{file.stem}{suffix}").is_file()), None
        )
        if found is not None:
            return Marked(str(found), file, marks)
    return Marked(file.stem, file, marks)


def _counted(file: Path, folder: Path) -> Marked:
    marks = []
    for line_number, line in enumerate(_lines(file)[1:], 2):
        words = line.split()
        if len(words) >= 4:
            marks.append(Mark(words[4] if len(words) > 4 else "object", _box(words[:4]), f"line {line_number}"))
    below = file.relative_to(folder).with_suffix("")
    for name in BESIDE:
        found = next((at for s in SUFFIXES if (at := folder.parent / name / f"{below}{s}").is_file()), None)
        if found is not None:
            return Marked(str(found), file, marks)
    return Marked(file.stem, file, marks)


def _kitti(line: str, what: str) -> Mark | None:
    words = line.split()
    if len(words) < 8:
        return None
    return Mark(words[0], _box(words[4:8]), what, words[0] in IGNORED)


def _visdrone(line: str, what: str) -> Mark | None:
    words = [word.strip() for word in line.split(",") if word.strip()]
    if len(words) < 6:
        return None
    label = int(words[5]) if words[5].isdecimal() else -1
    name = VISDRONE_CLASSES[label] if 0 <= label < len(VISDRONE_CLASSES) else words[5]
    return Mark(name, _box(words[:4], corners=False), what, label == 0 or words[4] == "0")


def _dota(line: str, what: str) -> Mark | None:
    words = line.split()
    if len(words) < 9 or not _are_numbers(words[:8]):
        return None
    values = [number(word) for word in words[:8]]
    return Mark(words[8], around(values[::2], values[1::2]), what, len(words) > 9 and words[9] == "2")
