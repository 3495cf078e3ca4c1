"""Reads ground truth in any format: recognises the format by path and calls its reader."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

from models import files
from models.truth.gather import Progress
from models.truth.types import Truth
from models.types import Refusal, Source

MOST_KEPT = 2
_kept: OrderedDict[Source, Truth] = OrderedDict()

ROBOFLOW = "_annotations.coco.json"
PEEKED_BYTES = 1 << 16
ADVICE = "Choose a COCO file (.json), a Pascal VOC folder (Annotations) or a YOLO folder (labels)."


def read(path: str | Path, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth at a path: a COCO file, a VOC folder or split, a YOLO folder or its data.yaml.

    `progress` is called with the share done, 0 to 1, and a text; its exceptions, such as Cancelled, propagate. Raises
    Refusal, and nothing else, if nothing can be used. What was left out is in the truth's `left_out`.
    """
    # Imported here, because a window that has just been opened needs none of the readers.
    from models.truth import coco, voc, yolo

    path = Path(path).absolute()
    try:
        if not path.is_dir():
            files.check(path)
        match recognise(path):
            case "COCO":
                return coco.read(path / ROBOFLOW if path.is_dir() else path, progress=progress)
            case "VOC":
                return voc.read(path, progress=progress)
            case "YOLO":
                return yolo.read(path, progress=progress)
            case _ if path.is_dir() and (sheet := _sheet(path)) is not None:
                return coco.read(sheet, progress=progress)
            case _:
                raise _unknown(path)
    except OSError as error:
        raise files.refusal(path, error) from error
    except MemoryError as error:
        raise files.refusal(path, OSError("not enough memory")) from error


def recognise(path: str | Path) -> str:
    """Return COCO, VOC or YOLO, judged by a path's name and the folder's contents without opening files, else ""."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".json" and not path.is_dir():
        return "COCO"
    if suffix in (".yaml", ".yml", ".data") and not path.is_dir():
        return "YOLO"
    if suffix == ".txt" and [p.name for p in path.absolute().parents[:2]] == ["Main", "ImageSets"]:
        return "VOC"
    from models.truth import yolo

    try:
        return "YOLO" if yolo.is_list(path.absolute()) else _folder(path)
    except (OSError, ValueError):
        return ""


def _folder(path: Path) -> str:
    if not path.is_dir():
        return ""
    if (path / "Annotations").is_dir() and _holds(path / "Annotations", ".xml", deep=True):
        return "VOC"
    if (path / ROBOFLOW).is_file():
        return "COCO"
    marks = ("data.yaml", "data.yml", "dataset.yaml", "labels", "classes.txt", "obj.data")
    if path.name.lower() == "labels" or any((path / mark).exists() for mark in marks) or _holds(path, ".names"):
        return "YOLO"
    if _holds(path, ".xml"):
        return "VOC"
    with os.scandir(path) as entries:
        below = [entry.path for entry in entries if entry.name.upper().startswith("VOC") and entry.is_dir()]
    return "VOC" if any(os.path.isdir(os.path.join(each, "Annotations")) for each in below) else ""


def _holds(folder: Path, suffix: str, *, deep: bool = False) -> bool:
    with os.scandir(folder) as entries:
        listed = [(entry.name, entry.path, entry.is_dir()) for entry in entries]
    if any(name.lower().endswith(suffix) and not is_dir for name, _, is_dir in listed):
        return True
    return deep and any(_holds(Path(path), suffix) for _, path, is_dir in listed[:100] if is_dir)


def _unknown(path: Path) -> Refusal:
    if not path.is_dir():
        files.check(path)
        return Refusal(f"{path.name} is not ground truth that can be read.", advice=ADVICE)
    found = [each.name for each in _sheets(path)]
    if found:
        return Refusal(f"{path.name} holds several JSON files.", advice=f"Choose one: {', '.join(found[:8])}.")
    if any(path.glob("*.csv")):
        advice = f"Tables (.csv) are not read. {ADVICE}"
        return Refusal(f"There is no ground truth in the folder {path.name or path} that can be read.", advice=advice)
    return Refusal(f"There is no ground truth in the folder {path.name or path}.", advice=ADVICE)


def _sheet(folder: Path) -> Path | None:
    """Return the only JSON file in a folder, or the only one that looks like COCO; otherwise None."""
    found = _sheets(folder)
    likely = [each for each in found if _has_lists(each)] if len(found) > 1 else found
    return likely[0] if len(likely) == 1 else None


def _has_lists(sheet: Path) -> bool:
    """Return whether a JSON file names COCO's lists near its beginning or end."""
    try:
        files.check(sheet)
        with sheet.open("rb") as file:
            head = file.read(PEEKED_BYTES)
            file.seek(max(0, sheet.stat().st_size - PEEKED_BYTES))
            seen = head + file.read(PEEKED_BYTES)
    except (OSError, Refusal):
        return False
    return sum(f'"{name}"'.encode() in seen for name in ("images", "annotations", "categories")) >= 2


def _sheets(folder: Path) -> list[Path]:
    """Return the JSON files in a folder that may be COCO's."""
    found = {*folder.glob("*.json"), *folder.glob("annotations/*.json"), *folder.glob("Annotations/*.json")}
    return sorted(each for each in found if not each.is_dir())


def truth_at(source: Source, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth of a Source, reading it again if its stamp has changed. Raises Refusal."""
    if source not in _kept:
        _kept[source] = read(source.path, progress=progress)
    _kept.move_to_end(source)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return _kept[source]
