"""Reads ground truth from COCO's JSON files: images, annotations, categories.

Result files, which hold detections, are refused. The file is parsed entry by entry: one call of the JSON parser for a
file of 20 MB would block the window's thread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from models import files
from models.texts import plain_text
from models.truth import masks
from models.truth.find_pictures import finder
from models.truth.gather import Gatherer, Progress, clean, number, shown, whole
from models.truth.types import Truth
from models.types import Refusal

WANTED = ("images", "annotations", "categories")
MOST_NAMED = 5
LEAST_SIDE = 4  # px
LEAST_TOLD = 3  # boxes that tell how they are written
BEYOND = 10  # at least one in so many reaches beyond its picture
SHARES_MOST = 1.01
_SPACE = re.compile(r"[ \t\n\r]*")
_NO_COCO = "Ground truth in COCO's format has the lists images, annotations and categories."
_CONVERT = "Export it as COCO, Pascal VOC or YOLO there, and open that."
MOST_BYTES = 2_000_000_000
MOST_ENTRY = 64_000_000  # characters; parsing one entry cannot be interrupted
# Formats of other programs, recognised by keys of the outermost object, or of a list's first entry (_LISTS).
_OTHERS = (
    ({"info", "image", "annotations", "dataset"}, "a file of another annotation program"),
    ({"vitrine_recipe"}, "a recipe"),
)
_LISTS = (
    ({"image_id", "bbox", "score"}, "a list of detections (COCO results)"),
    ({"image_id", "segmentation", "score"}, "a list of detections (COCO results)"),
)
Key = int | str
Entry = tuple[object, object, object, object, object]


def read(path: Path, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth in a COCO file. Raises Refusal for another kind of file, or if no picture is found."""
    gather = Gatherer(progress)
    images: dict[Key, tuple[str, tuple[int, int]]] = {}
    rows: dict[Key, list[Entry]] = {}
    categories: dict[Key, str] = {}
    seen: set[Key] = set()
    surfaces: set[Key] = set()

    def take(part: str, item: Any) -> None:
        if not isinstance(item, dict):
            gather.omit(path.name, f"an entry of {part} is not an object but {shown(item)}")
            return
        key = _key(item.get("id"))
        if part == "categories":
            _category(gather, path.name, categories, key, item)
            if item.get("isthing") in (0, False) and key is not None:
                surfaces.add(key)
        elif part == "images":
            _image(gather, path.name, images, key, item)
        elif isinstance(segments := item.get("segments_info"), list):  # a panoptic picture's annotations in one entry
            image = _key(item.get("image_id"))
            own = rows.setdefault("" if image is None else image, [])
            own += [_entry(_key(one.get("id")), one) for one in segments if isinstance(one, dict)]
        elif key is not None and key in seen:
            gather.omit(path.name, f"annotation {key} appears twice; the first is used")
        else:
            if key is not None:
                seen.add(key)
            image = _key(item.get("image_id"))
            rows.setdefault("" if image is None else image, []).append(_entry(key, item))

    found = parse(path, take, progress)
    missing = [part for part in WANTED if part not in found]
    if missing:
        raise Refusal(f"{path.name} has no {' and no '.join(missing)}, so it is not ground truth.", advice=_NO_COCO)

    if surfaces:
        stuff = ", ".join([categories[key] for key in surfaces if key in categories][:MOST_NAMED])
        gather.remark(f"Surfaces ({stuff}) have no boxes and are left out.")
        rows = {image: [e for e in own if _key(e[2]) not in surfaces] for image, own in rows.items()}
        categories = {key: name for key, name in categories.items() if key not in surfaces}
    rows = _as_sizes(gather, rows, {key: size for key, (_, size) in images.items()})
    places = {key: row for row, key in enumerate(categories)}
    find = finder(path, gather.listing)
    for row, (image, (name, size)) in enumerate(images.items()):
        gather.progress(row, len(images), f"Looking for the pictures of {path.name}")
        own = rows.pop(image, [])
        _picture(gather, path.name, path=find(name), name=name, size=size, own=own, places=places)
    for image, lost in rows.items():
        for key, *_ in lost:
            gather.omit(path.name, f"annotation {key} is of picture {shown(image)}, which is not among the images")
    return gather.truth(path.stem, "COCO", categories.values())


def _entry(key: Key | None, item: dict[str, Any]) -> Entry:
    box = item.get("bbox")
    mask = item.get("segmentation") if _missing(box) else None
    return key, box, item.get("category_id"), item.get("iscrowd"), mask


def _as_sizes(
    gather: Gatherer, rows: dict[Key, list[Entry]], sizes: dict[Key, tuple[int, int]]
) -> dict[Key, list[Entry]]:
    """Return entries whose boxes are x, y, width and height in pixels, where a program wrote shares or corners.

    Shares: no number is above 1, though pictures are larger. Corners: each far one lies beyond its near one and within
    the picture, while as sizes some would reach beyond it.
    """
    listed = [
        (box, sizes.get(image, (0, 0))) for image, own in rows.items() for _, given, *_ in own if (box := _box(given))
    ]
    known = [(box, size) for box, size in listed if min(size) > LEAST_SIDE]
    if not known or len(known) < len(listed):
        return rows
    fine = sum(value * 4 % 1 != 0 for box, _ in known for value in box)  # finer than a quarter, as shares are
    if all(max(box) <= SHARES_MOST and min(box) >= 0 for box, _ in known) and fine >= LEAST_TOLD:
        gather.remark("The boxes are taken as shares of the pictures' sides: no number is above 1.")
        change = lambda box, size: [value * side for value, side in zip(box, (*size, *size), strict=True)]  # noqa: E731
    else:
        ends = [(x1 - x0, y1 - y0, x0, y0, x1, y1, *size) for (x0, y0, x1, y1), size in known]
        corners = all(x < u <= wide + 1 and y < v <= high + 1 for u, v, x, y, _, _, wide, high in ends)
        beyond = sum(x1 > wide + 1 or y1 > high + 1 for *_, x1, y1, wide, high in ends)
        if len(known) < LEAST_TOLD or not corners or beyond * BEYOND < len(known):
            return rows
        gather.remark("The boxes are taken as corners x0, y0, x1, y1: as sizes they would reach beyond the pictures.")
        change = lambda box, _: [box[0], box[1], box[2] - box[0], box[3] - box[1]]  # noqa: E731
    changed: dict[Key, list[Entry]] = {}
    for image, own in rows.items():
        for key, given, category, crowded, mask in own:
            box: object = given
            if isinstance(given, list) and _box(given) is not None:
                box = change([number(value) for value in given], sizes[image])
            changed.setdefault(image, []).append((key, box, category, crowded, mask))
    return changed


def _category(gather: Gatherer, file: str, categories: dict[Key, str], key: Key | None, item: dict[str, Any]) -> None:
    name = item.get("name")
    if key is None or not isinstance(name, str) or not name.strip():
        gather.omit(file, f"a category has no {'id' if key is None else 'name'}")
    elif key in categories:
        gather.omit(file, f"category {key} ({name}) appears twice; the first is used")
    else:
        categories[key] = clean(name.strip())


def _image(gather: Gatherer, file: str, images: dict[Key, Any], key: Key | None, item: dict[str, Any]) -> None:
    name = item.get("file_name") or _last_parts(item.get("coco_url"))
    if key is None or not isinstance(name, str) or not name.strip() or "\0" in name:
        gather.omit(file, f"a picture has no {'id' if key is None else 'file name'}")
    elif key in images:
        gather.omit(file, f"picture {key} ({name}) appears twice; the first is used")
    else:
        width, height = whole(item.get("width")), whole(item.get("height"))
        images[key] = name.strip(), (max(width or 0, 0), max(height or 0, 0))


def _last_parts(address: object) -> str | None:
    """Return folder and file name of an address, which LVIS gives in the place of a file name."""
    return "/".join(address.split("/")[-2:]) if isinstance(address, str) and "/" in address else None


def _picture(
    gather: Gatherer,
    file: str,
    *,
    path: str,
    name: str,
    size: tuple[int, int],
    own: list[Entry],
    places: dict[Key, int],
) -> None:
    """Add a picture with its annotations, or record why it is left out."""
    if not path or gather.has(path):
        why = "is listed twice" if path else "is not there"
        gather.omit(name, f"this picture {why}, so its {len(own):,} boxes are left out")
        return
    try:
        size = gather.size(path, size)
    except Refusal as refusal:
        gather.omit(name, f"{refusal} Its {len(own):,} boxes are left out")
        return
    boxes, labels, crowd, keys = [], [], [], []
    for key, bbox, category, crowded, mask in own:
        label = places.get(_key(category))  # type: ignore[arg-type]
        box = masks.box(mask, size) if mask else _box(bbox)
        if label is None:
            gather.omit(file, f"annotation {key} on {name} has the unknown category {shown(category)}")
        elif not isinstance(box, tuple):
            gather.omit(file, f"annotation {key} on {name} {box or 'has no box of four numbers'}")
        else:
            boxes.append(box)
            labels.append(label)
            crowd.append(whole(crowded) == 1 or crowded is True)
            keys.append(key)
    gather.add(path, size, boxes, labels, crowd=crowd, file=file, what=lambda row: f"annotation {keys[row]} on {name}")


def _missing(given: Any) -> bool:
    """Return whether a box is missing: absent, empty, or the four zeros that some programs write instead."""
    return given in (None, [], "") or (isinstance(given, list) and len(given) == 4 and not any(given))


def _box(given: Any) -> tuple[float, float, float, float] | None:
    """Convert COCO's x, y, width, height to x0, y0, x1, y1."""
    if not isinstance(given, list) or len(given) != 4:
        return None
    try:
        x, y, width, height = (number(value) for value in given)
    except (TypeError, ValueError, OverflowError):
        return None
    return x, y, x + width, y + height


def _key(given: Any) -> Key | None:
    number = whole(given)
    return number if number is not None else given if isinstance(given, str) and given else None


def parse(path: Path, take: Callable[[str, Any], None], progress: Progress | None) -> set[str]:
    """Pass each entry of the wanted lists to `take`, and return which lists the file has. Raises Refusal."""
    text = _text(path)
    found: set[str] = set()
    decode = json.JSONDecoder().raw_decode
    try:
        for row, (part, item, at) in enumerate(_entries(path, text, decode)):
            if progress is not None and row % 500 == 0:
                progress(at / len(text), f"Reading {path.name}")
            if part:
                found.add(part)
            if item is not None:
                take(part, item[0])
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        message = f"{path.name} is broken at {where}: {error.msg[:1].lower()}{error.msg[1:]}."
        raise Refusal(message, advice="Correct it there, or export it again.") from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise Refusal(f"{path.name} is nested too deep or too large to be read.", advice=_NO_COCO) from error
    if not found:
        _refuse_other_format(path, text)
    return found


def _text(path: Path) -> str:
    """Return the text of a JSON file in UTF-8, or in the encoding its first bytes show. Raises Refusal."""
    content = files.content(path, most=MOST_BYTES)
    try:
        text, _ = plain_text.decoded(content)
        text.encode()  # raises for a lone surrogate from UTF-16, which cannot be written to any file
    except UnicodeError as error:
        raise Refusal(f"{path.name} is not text in UTF-8.", advice="Save it in UTF-8, without compression.") from error
    except MemoryError as error:
        raise files.refusal(path, OSError("not enough memory")) from error
    return text


def _refuse_other_format(path: Path, text: str) -> None:
    """Raise a Refusal that names the program, if the JSON file has a known other format."""
    try:
        found = json.loads(text) if len(text) < MOST_ENTRY else None
    except (ValueError, RecursionError, MemoryError):
        return
    if isinstance(found, dict):
        for keys, what in _OTHERS:
            if keys <= found.keys():
                raise Refusal(f"{path.name} is {what}, which is not read as ground truth.", advice=_CONVERT)
    first = next((item for item in found if isinstance(item, dict)), None) if isinstance(found, list) else None
    for keys, what in _LISTS:
        if first is not None and keys <= first.keys():
            raise Refusal(f"{path.name} is {what}, which is not read as ground truth.", advice=_CONVERT)


def _entries(path: Path, text: str, decode: Callable[..., Any]) -> Iterator[tuple[str, tuple[Any] | None, int]]:
    """Walk the outermost object, yielding (list name, (entry,), position), and None for the entry at a list's start."""
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        decode(text, at)
        _refuse_other_format(path, text)
        raise Refusal("This file is not a data set: it is a list or a single value.", advice=_NO_COCO)
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        name, at = decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
        at = _skip(text, at + 1)
        if name in WANTED and text[at : at + 1] == "[":
            yield name, None, at
            at = _skip(text, at + 1)
            while text[at : at + 1] != "]":
                item, at = decode(text, at)
                yield name, (item,), at
                at = _next(text, at, closing="]")
            at += 1
        else:
            _, at = decode(text, at)
        at = _next(text, at, closing="}")
    if (end := _skip(text, at + 1)) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _next(text: str, at: int, *, closing: str) -> int:
    """Return the position of the next entry, or of the closing bracket."""
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        after = _skip(text, at + 1)
        if text[after : after + 1] == closing:
            raise json.JSONDecodeError("Illegal trailing comma before end", text, at)
        return after
    if text[at : at + 1] != closing:
        raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    return at


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
