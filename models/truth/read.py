"""Reads ground truth in any format: recognises the format by path and calls its reader."""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import nullcontext, suppress
from pathlib import Path

from models import files
from models.truth.gather import Progress
from models.truth.types import Truth
from models.types import Refusal, Source

MOST_KEPT = 2
MOST_BELOW = 100  # folders that are looked into
SPLITS = ("train", "valid", "val", "test")
_kept: OrderedDict[Source, Truth] = OrderedDict()

ROBOFLOW = "_annotations.coco.json"
PEEKED_BYTES = 1 << 16
MOST_SHEETS = 5  # files of JSON that are read to find the one of a tool
MOST_PEEKED = 3  # files without a suffix
COCO, VOC, YOLO, TABLE, LINES, MAPS, BELOW = "COCO", "VOC", "YOLO", "table", "lines", "maps", "below"
CUB = "CUB"
TABLES = (".csv", ".tsv")
ADVICE = "Choose a COCO file (.json), a Pascal VOC folder (Annotations), a YOLO folder (labels) or a table (.csv)."
IMAGES = ("images", "jpegimages", "imgs", "img")
SUPERVISELY = "meta.json"  # which only names the classes
CITYSCAPES = ("gtFine", "gtCoarse")
SINGLE_FILES = (".odgt", ".data", ".ndjson", ".manifest", "metadata.jsonl")
BOX_LISTS = ("_bbx_gt.txt",)  # WIDER FACE's
MASKS = ("masks", "mask", "segmentationclass", "segmentationobject", "labels_png", "annotations", "labels")


def read(path: str | Path, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth at a path: a file or folder of any format that a reader of this room knows.

    `progress` is called with the share done, 0 to 1, and a text; its exceptions, such as Cancelled, propagate. Raises
    Refusal, and nothing else, if nothing can be used. What was left out is in the truth's `left_out`.
    """
    path = Path(path).absolute()
    try:
        if not path.is_dir():
            files.check(path)
        return _read(path, recognise(path), progress)
    except OSError as error:
        raise files.refusal(path, error) from error
    except MemoryError as error:
        raise files.refusal(path, OSError("not enough memory")) from error


def _read(path: Path, kind: str, progress: Progress | None) -> Truth:
    # Imported here, because a window that has just been opened needs none of the readers.
    from models.truth import cub, instance_maps, label_lines, tables, voc, yolo

    match kind:
        case "COCO":
            return _json(path / ROBOFLOW if path.is_dir() else path, progress)
        case "VOC":
            return _many(path, progress) or voc.read(path, progress=progress)
        case "YOLO":
            return yolo.read(path, progress=progress)
        case "table":
            return tables.read(path, progress=progress)
        case "lines":
            return label_lines.read(path, label_lines.recognise(path), progress=progress)
        case "maps" if (found := instance_maps.read(path, progress=progress)) is not None:
            return found
        case "CUB":
            return cub.read(path if path.is_dir() else path.parent, progress=progress)
        case "below":
            return _only(path, progress)
    if path.is_dir() and (found := _in_folder(path, progress)) is not None:
        return found
    raise _unknown(path)


def _json(path: Path, progress: Progress | None) -> Truth:
    """Return the ground truth in a JSON file: COCO's, or another tool's where it has none of COCO's lists."""
    from models.truth import coco, labelling_tools

    if path.suffix.lower() in labelling_tools.LINES or not _has_lists(path):
        own = None
        if path.stat().st_size <= labelling_tools.MOST_BYTES:
            with suppress(Refusal) if path.suffix.lower() == ".json" else nullcontext():
                content = labelling_tools.content_of(path)
                own = content if labelling_tools.kind_of(content) else None
        if own is not None:
            return labelling_tools.read(path, own, progress=progress)
        if path.suffix.lower() != ".json":
            raise _unknown(path)
        if (
            path.name == SUPERVISELY
            and (found := labelling_tools.of_folder(path.parent, progress=progress)) is not None
        ):
            return found
    return coco.read(path, progress=progress)


def _only(path: Path, progress: Progress | None) -> Truth:
    """Return the only ground truth in the folders below one. Raises Refusal where there are several."""
    found = inside(path)
    if len(found) == 1:
        return _read(found[0], recognise(found[0]), progress)
    names = ", ".join(each.relative_to(path).as_posix() for each in found[:8])
    raise Refusal(f"{path.name} holds several sets of ground truth.", advice=f"Choose one: {names}.")


def inside(path: Path) -> list[Path]:
    """Return the ground truth of known data sets that lies in a folder or one or two folders below it."""
    from models.truth import label_lines

    found: list[Path] = []
    level = [path]
    for depth in range(3):
        below: list[Path] = []
        for folder in level[:MOST_BELOW]:
            with os.scandir(folder) as entries:
                listed = sorted((entry.name, entry.is_dir()) for entry in entries)
            names = [name for name, is_dir in listed if not is_dir]
            found += [folder / name for name in names if name.lower().endswith(SINGLE_FILES)]
            found += [folder / name for name in names if name.lower().endswith(BOX_LISTS)]
            found += [folder / name for name in names if name == "gt.txt" and folder.name == "gt"]  # MOT's sequences
            subs = [folder / name for name, is_dir in listed if is_dir and not name.startswith(".")]
            found += [sub for sub in subs if depth and sub.name.lower() in label_lines.FOLDERS]
            below += subs
        level = below
    return found


def _many(path: Path, progress: Progress | None) -> Truth | None:
    """Return the ground truth of the only XML file in a folder, or of one itself, if it is of many pictures."""
    from models.truth import cvat

    found = [path] if path.suffix.lower() == ".xml" else sorted(path.glob("*.xml"))[:2]
    if path.is_dir() and not found:
        found = sorted(path.glob("[Aa]nnotations/*.xml"))[:2]
    tree = cvat.of_file(found[0]) if len(found) == 1 and found[0].is_file() else None
    return cvat.read(found[0], tree, progress=progress) if tree is not None else None


def _in_folder(path: Path, progress: Progress | None) -> Truth | None:
    """Return the ground truth in a folder that its name and contents do not tell: its only sheet, or one a picture."""
    from models.truth import labelling_tools, tables

    found, sheet = _sheets(path), _sheet(path)
    if sheet is not None and sheet.name == SUPERVISELY:
        sheet = None
    if sheet is not None and (_has_lists(sheet) or _is_tool(sheet)):
        return _json(sheet, progress)
    if (single := labelling_tools.of_folder(path, progress=progress)) is not None:
        return single
    if sheet is not None:
        return _json(sheet, progress)
    listed = [each for each in sorted(path.glob("*.csv")) if not _names_classes(each)]
    return tables.read(listed[0], progress=progress) if len(listed) == 1 and not found else None


def _names_classes(table: Path) -> bool:
    """Return whether a table lists the names of classes, judged by its own name."""
    return table.stem in ("_classes", "classes") or table.stem.startswith("class-descriptions")


def _is_tool(sheet: Path) -> bool:
    """Return whether a JSON file is a labelling tool's of many pictures."""
    from models.truth import labelling_tools

    try:
        return labelling_tools.kind_of(labelling_tools.content_of(sheet)) not in ("", *labelling_tools.SINGLE)
    except Refusal:
        return False


def recognise(path: str | Path) -> str:
    """Return the kind of ground truth, judged by a path's name, a folder's contents, a text's first lines; else ""."""
    path = Path(path)
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            return _folder(path.absolute())
        return _file(path.absolute(), suffix)
    except (OSError, ValueError):
        return ""


def _file(path: Path, suffix: str) -> str:
    from models.truth import cub, instance_maps, label_lines, labelling_tools, tables, yolo

    if suffix == ".json" or suffix in labelling_tools.LINES:
        return COCO
    if suffix in (".yaml", ".yml", ".data"):
        return YOLO
    if suffix == ".xml":
        return VOC
    if suffix in TABLES:
        return LINES if label_lines.recognise(path) else TABLE
    if path.name == cub.BOXES and cub.is_it(path.parent):
        return CUB
    if suffix == ".txt" and [p.name for p in path.parents[:2]] == ["Main", "ImageSets"]:
        return VOC
    if suffix == ".txt" and label_lines.recognise(path):
        return LINES
    if instance_maps.is_map(path):
        return MAPS
    if yolo.is_list(path):
        return YOLO
    return TABLE if suffix == ".txt" and tables.is_list(path) else ""


def _folder(path: Path) -> str:
    from models.truth import cub, label_lines, yolo
    from models.truth.voc import ANNOTATIONS

    if cub.is_it(path):
        return CUB

    if any((path / name).is_dir() and _has_xml(path / name) for name in ANNOTATIONS):
        return VOC
    if (path / ROBOFLOW).is_file():
        return COCO
    if label_lines.recognise(path):
        return LINES
    marks = ("data.yaml", "data.yml", "dataset.yaml", "labels", "classes.txt", "obj.data")
    if path.name.lower() == "labels" or any((path / mark).exists() for mark in marks) or _has_file(path, ".names"):
        return YOLO
    if path.name.lower() in IMAGES and any((path.parent / name).is_dir() for name in ("labels", "Labels")):
        return YOLO
    if any((path / name).is_dir() for name in yolo.WITH_PICTURES) and any(
        (path / name).is_dir() and _has_file(path / name, ".txt") for name in yolo.TEXT_FOLDERS
    ):
        return YOLO
    if _has_file(path, ".xml"):
        return VOC
    with os.scandir(path) as entries:
        below = [entry.path for entry in entries if entry.is_dir()][:MOST_BELOW]
    if any((Path(each) / name).is_dir() for each in below for name in ANNOTATIONS if _is_voc(Path(each), name)):
        return VOC
    if any(os.path.isdir(os.path.join(each, "labels")) for each in below) or yolo.lies_flat(path):
        return YOLO
    if any(os.path.basename(each) in SPLITS and _has_file(Path(each), ".xml") for each in below):
        return VOC
    if path.name in CITYSCAPES or any(os.path.basename(each) in CITYSCAPES for each in below):
        return "" if _has_polygons(path) else MAPS
    return BELOW if inside(path) else ""


def _has_polygons(path: Path) -> bool:
    """Return whether Cityscapes' JSON lies below a folder, in the first of the folders that may hold it."""
    return next(path.glob("**/*_polygons.json"), None) is not None


def _has_xml(folder: Path, depth: int = 2) -> bool:
    """Return whether XML lies in a folder or a little below it; the first files without a suffix are looked into."""
    from models.truth.voc import is_xml

    with os.scandir(folder) as entries:
        listed = [(entry.name, entry.path, entry.is_dir()) for entry in entries]
    names = [name for name, _, is_dir in listed if not is_dir]
    bare = [name for name in names if "." not in name][:MOST_PEEKED]
    if any(name.lower().endswith(".xml") for name in names) or any(is_xml(folder, name) for name in bare):
        return True
    return depth > 0 and any(_has_xml(Path(path), depth - 1) for _, path, is_dir in listed[:MOST_BELOW] if is_dir)


def _is_voc(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() and _has_xml(folder / name, 0)


def _has_file(folder: Path, suffix: str, *, deep: bool = False) -> bool:
    with os.scandir(folder) as entries:
        listed = [(entry.name, entry.path, entry.is_dir()) for entry in entries]
    if any(name.lower().endswith(suffix) and not is_dir for name, _, is_dir in listed):
        return True
    return deep and any(_has_file(Path(path), suffix) for _, path, is_dir in listed[:MOST_BELOW] if is_dir)


def _unknown(path: Path) -> Refusal:
    from models.truth import other_formats

    if (known := other_formats.refusal(path)) is not None:
        return known
    if not path.is_dir():
        files.check(path)
        return Refusal(f"{path.name} is not ground truth that can be read.", advice=ADVICE)
    found = [each.relative_to(path).as_posix() for each in _sheets(path)]
    if found:
        return Refusal(f"{path.name} holds several JSON files.", advice=f"Choose one: {', '.join(found[:8])}.")
    tables = [each.name for each in sorted(path.glob("*.csv"))]
    if tables:
        return Refusal(f"{path.name} holds several tables.", advice=f"Choose one: {', '.join(tables[:8])}.")
    if masks := _masks(path):
        text = f"{path.name} holds masks ({masks}), and ground truth of detectors has boxes."
        return Refusal(text, advice="Convert them to COCO with a segmentation for each object, and open that.")
    return Refusal(f"There is no ground truth in the folder {path.name or path}.", advice=ADVICE)


def _masks(folder: Path) -> str:
    """Return the name of a folder of PNG files that is called as masks are, "" if there is none."""
    with os.scandir(folder) as entries:
        below = [Path(entry.path) for entry in entries if entry.is_dir()][:MOST_BELOW]
    named = (each for each in below if each.name.lower() in MASKS or "mask" in each.name.lower())
    return next((each.name for each in named if _has_file(each, ".png", deep=True)), "")


def _sheet(folder: Path) -> Path | None:
    """Return the only JSON file in a folder, or the only one that looks like COCO; otherwise None."""
    found = _sheets(folder)
    likely = [each for each in found if _has_lists(each)] if len(found) > 1 else found
    if not likely:
        likely = [each for each in found[:MOST_SHEETS] if _is_tool(each)]
    return likely[0] if len(likely) == 1 else None


def likely_sheet(path: str | Path) -> Path | None:
    """Return the one JSON file in a folder, or in its annotations, that looks like COCO; None if there is none."""
    likely = [each for each in _sheets(Path(path)) if _has_lists(each)]
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
    if b'"items"' in seen and b'"images"' not in seen:  # Datumaro's
        return False
    return sum(f'"{name}"'.encode() in seen for name in ("images", "annotations", "categories")) >= 2


def _sheets(folder: Path) -> list[Path]:
    """Return the JSON files in a folder that may be COCO's."""
    found = {*folder.glob("*.json"), *folder.glob("annotations/*.json"), *folder.glob("Annotations/*.json")}
    found = found or set(folder.glob(f"*/{ROBOFLOW}"))
    return sorted(each for each in found if not each.is_dir())


def truth_at(source: Source, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth of a Source, reading it again if its stamp has changed. Raises Refusal."""
    if source not in _kept:
        _kept[source] = read(source.path, progress=progress)
    _kept.move_to_end(source)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return _kept[source]
