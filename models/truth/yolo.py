"""YOLO's text files to ground truth: a line a box, class and normalised centre and size, or class and polygon.

A picture whose text file is empty has no objects; one that has no text file is not annotated.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from models.truth.gather import Gatherer, Progress, whole
from models.truth.types import Truth
from models.types import Refusal

DEPTH = 3
MOST_CLASSES = 10_000
# Text files that stand beside labels but hold none.
NO_LABELS = frozenset(
    {"classes", "labels", "names", "notes", "obj", "predefined_classes", "readme", "requirements"}
    | {"readme.dataset", "readme.roboflow", "test", "train", "val", "valid"}
)
_NAMES = re.compile(r"^names\s*:[ \t]*(.*(?:\n(?:[ \t]+.*|- ?.*|[ \t]*#.*|[ \t]*))*)", re.MULTILINE)
_ITEM = re.compile(r"""\s*(?:["']?(\d+)["']?\s*:)?\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,#\]}]+)""")
_LINE = re.compile(r"""\s*(?:["']?(\d+)["']?\s*:|-)\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|.*?)\s*(?:\s#.*)?$""")


def read(path: Path, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth of a YOLO folder, or of the folder of a data.yaml. Raises Refusal if there is none."""
    root = path.absolute() if path.is_dir() else path.absolute().parent
    root = root.parent if root.name.lower() == "labels" else root
    gather = Gatherer(progress)
    names, pose = _names(root, path)
    pairs = _pairs(gather, root)
    lines: list[tuple[Path, str, list[tuple[int, int, list[float]]]]] = []
    highest = -1
    for number, (file, picture) in enumerate(pairs):
        gather.progress(number, len(pairs), f"Reading {root.name}")
        if not picture or gather.has(picture):
            gather.omit(file.name, "there is no picture with this name")
            continue
        rows = _rows(gather, file, pose=pose)
        if rows is None:
            continue
        highest = max([highest, *(label for _, label, _ in rows)])
        lines.append((file, picture, rows))
    classes = names or [str(label) for label in range(highest + 1)]
    for number, (file, picture, rows) in enumerate(lines):
        gather.progress(number, len(lines), f"Looking at the pictures of {root.name}")
        _picture(gather, file, picture, rows, classes)
    bare = _unlabelled(gather, lines)
    if bare:
        gather.omit(root.name, f"{bare:,} pictures have no text file, so nothing is known of what is on them")
    return gather.truth(root.name, "YOLO", classes)


def _picture(
    gather: Gatherer, file: Path, picture: str, rows: list[tuple[int, int, list[float]]], classes: list[str]
) -> None:
    try:
        width, height = gather.size(picture, (0, 0))
    except Refusal as refusal:
        gather.omit(Path(picture).name, f"{refusal} Its {len(rows):,} boxes are left out")
        return
    known = [row for row in rows if row[1] < len(classes)]
    for line, label, _ in rows:
        if label >= len(classes):
            gather.omit(file.name, f"line {line} has class {label}, but there are {len(classes)} classes, from 0")
    boxes = [[x0 * width, y0 * height, x1 * width, y1 * height] for _, _, (x0, y0, x1, y1) in known]
    labels = [label for _, label, _ in known]
    gather.add(picture, (width, height), boxes, labels, file=file.name, what=lambda row: f"line {known[row][0]}")


def _rows(gather: Gatherer, file: Path, *, pose: bool) -> list[tuple[int, int, list[float]]] | None:
    """Return line number, class and normalised x0 y0 x1 y1 of each box; None if the file cannot be read."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        gather.omit(file.name, f"the file is left out: {getattr(error, 'strerror', None) or 'it is not text in UTF-8'}")
        return None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        label, box = whole(words[0]), _box(words[1:], pose=pose)
        if label is None or not 0 <= label < MOST_CLASSES:
            gather.omit(file.name, f"line {number} begins with {words[0][:20]!r}, which is no class")
        elif box is None:
            gather.omit(file.name, f"line {number} is neither a box of four numbers nor a polygon")
        else:
            found.append((number, label, box))
    return found


def _box(words: list[str], *, pose: bool) -> list[float] | None:
    """Return a box from centre and size, behind which a confidence may stand, or around a polygon."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        return None
    if len(values) in (4, 5) or (pose and len(values) > 5):
        x, y, width, height = values[:4]
        return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    if len(values) < 6 or len(values) % 2:
        return None
    return [min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])]


def _pairs(gather: Gatherer, root: Path) -> list[tuple[Path, str]]:
    """Return each text file that holds labels, with its picture's path or "" if there is none."""
    found: list[tuple[Path, str]] = []
    folders = list(_below(gather, str(root), DEPTH))
    apart = [folder for folder in folders if "labels" in _parts(folder, root)]
    for folder in apart or folders:
        texts = sorted(name for name in gather.listing.names(folder) if name.lower().endswith(".txt"))
        beside = _pictures_of(folder) if apart else folder
        for name in texts:
            stem = Path(name).stem
            picture = gather.listing.picture(beside, stem) or gather.listing.picture(folder, stem)
            if picture or stem.lower() not in NO_LABELS:
                found.append((Path(folder) / name, picture))
    return found


def _unlabelled(gather: Gatherer, lines: list[tuple[Path, str, list[tuple[int, int, list[float]]]]]) -> int:
    """Return how many pictures beside those with labels have none."""
    seen = {picture for _, picture, _ in lines}
    folders = {os.path.dirname(picture) for picture in seen}
    return sum(
        1
        for folder in folders
        for name in gather.listing.names(folder)
        if (at := gather.listing.picture(folder, Path(name).stem)) and os.path.basename(at) == name and at not in seen
    )


def _below(gather: Gatherer, folder: str, depth: int) -> list[str]:
    deeper = gather.listing.folders(folder) if depth else ()
    return [folder, *(each for sub in deeper for each in _below(gather, sub, depth - 1))]


def _parts(folder: str, root: Path) -> list[str]:
    return [part.lower() for part in Path(folder).relative_to(root).parts]


def _pictures_of(folder: str) -> str:
    """Return the folder of pictures beside a folder of labels: labels/train, images/train."""
    parts = list(Path(folder).parts)
    last = max(i for i, part in enumerate(parts) if part.lower() == "labels")
    parts[last] = "images"
    return str(Path(*parts))


def _names(root: Path, given: Path) -> tuple[list[str], bool]:
    """Return the names of the classes, none if nothing tells them, and whether lines hold key points."""
    for folder in (root, root.parent):
        sheets = [given] if given.suffix.lower() in (".yaml", ".yml") else []
        sheets += [folder / "data.yaml", folder / "data.yml", folder / "dataset.yaml"]
        for sheet in sheets:
            text = _text(sheet)
            if names := _yaml_names(text):
                return names, bool(re.search(r"^kpt_shape\s*:", text, re.MULTILINE))
        lists = [folder / "classes.txt", folder / "labels" / "classes.txt", *sorted(folder.glob("*.names"))]
        for each in lists:
            if names := [line.strip() for line in _text(each).splitlines() if line.strip()]:
                return names, False
    return [], False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _yaml_names(text: str) -> list[str]:
    """Return what `names:` lists, in one line or in several, with numbers or without; other YAML is passed over."""
    match = _NAMES.search(text)
    if match is None:
        return []
    body = match[1].strip()
    if body[:1] in ("[", "{"):
        inside = body[1 : max(body.rfind("]"), body.rfind("}"))]
        found = [(number, name) for number, name in _ITEM.findall(inside.replace("\n", " ")) if name.strip()]
    else:
        found = [item.groups("") for line in body.splitlines() if (item := _LINE.match(line))]
    numbered = {(int(number) if number else row): _bare(name) for row, (number, name) in enumerate(found)}
    highest = max((row for row in numbered if row < MOST_CLASSES), default=-1)
    return [numbered.get(row, str(row)) for row in range(highest + 1)]


def _bare(name: str) -> str:
    name = name.strip()
    if name[:1] == name[-1:] and name[:1] in ("'", '"') and len(name) > 1:
        return name[1:-1].replace("''", "'") if name[0] == "'" else name[1:-1].replace('\\"', '"')
    return name
