"""Reads ground truth from the JSON of labelling tools and data sets other than COCO's.

LabelMe, the VGG Image Annotator, Label Studio, Supervisely, CreateML, BDD100K and Scalabel, Cityscapes, Datumaro,
Darwin, VoTT, Labelbox, those of `further_tools`; one JSON a line: Hugging Face's metadata.jsonl, SageMaker's
manifest, CrowdHuman's odgt.
"""

from __future__ import annotations

import base64
import json
import math
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models import files
from models.pictures import images
from models.texts import plain_text
from models.truth import further_tools, via
from models.truth.gather import Gatherer, Progress, Size, number, whole
from models.truth.json_parts import box as _box
from models.truth.json_parts import each as _each
from models.truth.json_parts import first as _first
from models.truth.json_parts import has as _has
from models.truth.json_parts import numbers as _numbers
from models.truth.json_parts import points as _points
from models.truth.json_parts import size as _size
from models.truth.marked import Box, Mark, Marked, around, centred, plain_name, sized, truth
from models.truth.types import Truth
from models.types import Refusal

MOST_BYTES = 256_000_000
MOST_FILES = 100_000
DEPTH = 3
MOST_BITMAP = 64_000_000  # bytes of a PNG
PROBED = 5  # files that are looked into to tell whether a folder has one for each picture
LINES = (".jsonl", ".ndjson", ".manifest", ".odgt")
ADVICE = "Choose the file that holds the boxes, or export it as COCO there."


def read(path: Path, content: Any, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth in a file's parsed `content`, whose kind is known.

    Raises Refusal where it is not laid out as its kind is, and where no picture is found.
    """
    kind = kind_of(content)
    pictures = _pictures(kind, content, path)
    if (
        not any(picture.marks for picture in pictures)
        and kind == "Label Studio"
        and '"choices"' in json.dumps(content[:5])
    ):
        raise Refusal(f"{path.name} has classes of whole pictures, but no boxes.", advice="Open it as a data set.")
    return truth(path.stem, kind, pictures, gather=Gatherer(progress), classes=_classes(content))


def kind_of(content: Any) -> str:
    """Return the name of the format that parsed JSON has, "" if none of these."""
    return next((kind for kind, (is_it, _) in FORMATS.items() if is_it(content)), "")


def is_single(path: Path) -> bool:
    """Return whether a JSON file is about one picture, as a folder of them has one for each."""
    try:
        return kind_of(content_of(path)) in SINGLE
    except Refusal:
        return False


def of_folder(folder: Path, *, progress: Progress | None = None) -> Truth | None:
    """Return the ground truth of a folder that has one JSON file for each picture, None if it has none."""
    gather = Gatherer(progress)
    names = [
        Path(where) / name
        for where in gather.listing.below(str(folder), DEPTH)
        for name in sorted(gather.listing.names(where))
        if name.lower().endswith(".json")
    ][:MOST_FILES]
    if not any(map(is_single, names[:PROBED])):
        return None
    pictures: list[Marked] = []
    kinds: Counter[str] = Counter()
    for row, path in enumerate(names):
        gather.progress(row, len(names), f"Reading {folder.name}")
        try:
            content = content_of(path)
            kind = kind_of(content)
            if kind in SINGLE:
                pictures += _pictures(kind, content, path)
                kinds[kind] += 1
        except Refusal as refusal:
            gather.omit(path.name, f"the file is left out: {refusal}")
    return truth(folder.name, kinds.most_common(1)[0][0], pictures, gather=gather) if pictures else None


def content_of(path: Path) -> Any:
    """Return what a JSON file holds, a list where it has one JSON a line. Raises Refusal."""
    content = files.content(path, most=MOST_BYTES)
    try:
        text, _ = plain_text.decoded(content)
        text.encode()
        if path.suffix.lower() in LINES:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except UnicodeError as error:
        raise Refusal(f"{path.name} is not text in UTF-8.", advice="Save it in UTF-8.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refusal(f"{path.name} is not JSON that can be read ({error}).", advice="Export it again.") from error


def _pictures(kind: str, content: Any, path: Path) -> list[Marked]:
    """Return the pictures of a parsed file. Raises Refusal where it is not laid out as its kind is."""
    try:
        return list(FORMATS[kind][1](content, path))
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError, IndexError, OverflowError) as error:
        text = f"{path.name} looks like a file of {kind}, but is not laid out like one ({type(error).__name__})."
        raise Refusal(text, advice=ADVICE) from error


def _classes(content: Any) -> list[str]:
    """Return Datumaro's list of classes, which its numbers count."""
    labels = content.get("categories", {}) if isinstance(content, dict) else {}
    listed = labels.get("label", {}).get("labels", []) if isinstance(labels, dict) else []
    return [str(each.get("name")) for each in listed if isinstance(each, dict)]


# LabelMe

OUTLINES = (None, "polygon", "mask", "linestrip")


def _labelme(content: Any, path: Path) -> Iterator[Marked]:
    marks: list[Mark] = []
    of_group: dict[tuple[str, str], int] = {}
    for what, shape in _each(content["shapes"]):
        mark = Mark(str(shape.get("label")), _box(lambda s=shape: _labelme_box(s)), what)
        group = whole(shape.get("group_id"))
        # Outlines of one group are the parts of one object.
        if group is not None and not isinstance(mark.box, str) and shape.get("shape_type") in OUTLINES:
            row = of_group.setdefault((mark.name, str(group)), len(marks))
            if row < len(marks):
                marks[row] = replace(marks[row], box=_joined(marks[row].box, mark.box))
                continue
        marks.append(mark)
    own = plain_name(str(content.get("imagePath") or path.stem))
    beside = _beside(path, own)
    yield Marked(beside or own, path, marks, _size(content.get("imageWidth"), content.get("imageHeight")))


def _joined(first: Box | str, second: Box) -> Box | str:
    if isinstance(first, str):
        return second
    return (*map(min, first[:2], second[:2]), *map(max, first[2:], second[2:]))  # type: ignore[return-value]


def _labelme_box(shape: Mapping[str, Any]) -> Box | str:
    points, kind = shape["points"], shape.get("shape_type") or "polygon"
    if kind == "circle":
        (x, y), (u, v) = (_numbers(point) for point in points[:2])
        radius = ((x - u) ** 2 + (y - v) ** 2) ** 0.5
        return x - radius, y - radius, x + radius, y + radius
    if kind in ("point", "points"):
        return "is a point, which has no box"
    return _points(points)


def _beside(path: Path, name: str) -> str:
    """Return a picture's name where the file names one from another machine, but one of its own stem lies beside it."""
    if os.path.isfile(os.path.join(path.parent, name)):
        return name
    suffix = os.path.splitext(name)[1]
    return path.stem + suffix if os.path.isfile(os.path.join(path.parent, path.stem + suffix)) else ""


# The VGG Image Annotator


def _is_via(content: Any) -> bool:
    if _has(content, "_via_img_metadata"):
        return True
    first = next(iter(content.values()), None) if isinstance(content, Mapping) else None
    return _has(first, "filename", "regions")


def _via(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content.get("_via_img_metadata", content).values():
        if _has(entry, "filename"):
            regions = entry.get("regions") or []
            regions = regions.values() if isinstance(regions, Mapping) else regions
            yield Marked(
                str(entry["filename"]), path, [via.mark(one, f"region {n}") for n, one in enumerate(regions, 1)]
            )


# Label Studio

STUDIO = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")


def _is_studio(content: Any) -> bool:
    first = _first(content)
    if _has(first, "data") and ("annotations" in first or "completions" in first):
        return True
    values = [item for value in first.values() if isinstance(value, list) for item in value[:1]]
    return any(isinstance(item, Mapping) and any(key in item for key in STUDIO) for item in values)


def studio_tasks(content: Any, path: Path) -> Iterator[Marked]:
    """Yield the pictures of Label Studio's tasks, whose boxes are in per cent of the sides."""
    for task in content:
        if not isinstance(task, Mapping):
            continue
        data = _inner(task, "data")
        name = next((plain_name(v) for v in data.values() if isinstance(v, str) and _is_picture(v)), "")
        results: list[Any] = []
        if "data" in task:
            done = [a for a in task.get("annotations", task.get("completions")) or () if not a.get("was_cancelled")]
            results = [one for each in done[:1] for one in each.get("result") or ()]
        else:
            results = [o for v in task.values() if isinstance(v, list) for o in v if isinstance(o, Mapping)]
        marks, size = [], (0, 0)
        for what, one in _each(results):
            value = _inner(one, "value")
            labels = next((value[key] for key in STUDIO if value.get(key)), None)
            size = _size(one.get("original_width"), one.get("original_height"))
            if labels:
                marks.append(Mark(str(labels[0]), _box(lambda v=value, s=size: _studio_box(v, s)), what))
            elif "brushlabels" in value:
                marks.append(Mark(str(value["brushlabels"][0]), "is a brush, whose mask is not read", what))
        yield Marked(_without_code(name, path), path, marks, size, shares=True)


def _inner(outer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object at a key, or the outer one where the short form of the export leaves it out."""
    inner = outer.get(key)
    return inner if isinstance(inner, Mapping) else outer


def _studio_rectangle(value: Mapping[str, Any], size: Size) -> Box | str:
    """Return the shares around a rectangle, which is turned clockwise about its near corner, in pixels."""
    x, y, width, height = (value / 100 for value in _numbers([value[key] for key in ("x", "y", "width", "height")]))
    angle = number(value.get("rotation") or 0)
    if not angle:
        return sized(x, y, width, height)
    if min(size) <= 0:
        return "is turned, on a picture of unknown size"
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    wide, high = width * size[0], height * size[1]
    xs = [x + (a * cos - b * sin) / size[0] for a, b in ((0, 0), (wide, 0), (wide, high), (0, high))]
    ys = [y + (a * sin + b * cos) / size[1] for a, b in ((0, 0), (wide, 0), (wide, high), (0, high))]
    return around(xs, ys)


def _studio_box(value: Mapping[str, Any], size: Size) -> Box | str:
    if "points" in value:
        box = _points(value["points"])
    elif "radiusX" in value:
        x, y, rx, ry = _numbers([value[key] for key in ("x", "y", "radiusX", "radiusY")])
        box = x - rx, y - ry, x + rx, y + ry
    else:
        return _studio_rectangle(value, size)
    return box if isinstance(box, str) else (box[0] / 100, box[1] / 100, box[2] / 100, box[3] / 100)


def _is_picture(text: str) -> bool:
    return os.path.splitext(plain_name(text))[1].lower() in (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def _without_code(name: str, path: Path) -> str:
    """Return a picture's name without the code that Label Studio puts before it, where the picture has it no more."""
    folder, _, last = name.rpartition("/")
    code, dash, rest = last.partition("-")
    if not (dash and len(code) == 8 and all(c in "0123456789abcdef" for c in code)):
        return name
    for where in (path.parent, path.parent.parent, *_folders(path.parent)):
        if (where / last).is_file():
            return name
    return f"{folder}/{rest}" if folder else rest


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.is_dir()][:100]


# Supervisely, Cityscapes, Darwin, VoTT: a file for each picture


def _supervisely(content: Any, path: Path) -> Iterator[Marked]:
    marks = []
    for what, one in _each(content["objects"]):
        if (one.get("geometryType") or "") == "bitmap" or "bitmap" in one:
            box: Box | str = _box(lambda o=one: _bitmap_box(o["bitmap"]))
        else:
            box = _box(lambda o=one: _points(o["points"]["exterior"]))
        marks.append(Mark(str(one.get("classTitle")), box, what))
    yield Marked(path.stem, path, marks, _size(content["size"].get("width"), content["size"].get("height")))


def _bitmap_box(bitmap: Mapping[str, Any]) -> Box | str:
    """Return the box around the pixels of a bitmap: a PNG, compressed once more, and the place of its corner."""
    left, top = _numbers(bitmap["origin"])
    unpacked = zlib.decompressobj()
    content = unpacked.decompress(base64.b64decode(str(bitmap["data"]), validate=True), MOST_BITMAP)
    found = images.box_of_mask(content)
    return "is an empty bitmap" if found is None else (left + found[0], top + found[1], left + found[2], top + found[3])


# What Cityscapes labels as surfaces: a box around one says nothing.
SURFACES = frozenset(
    (
        *("road", "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel"),
        *("vegetation", "terrain", "sky", "ground", "static", "dynamic", "polegroup", "unlabeled"),
        *("ego vehicle", "rectification border", "out of roi"),
    )
)


def _cityscapes(content: Any, path: Path) -> Iterator[Marked]:
    marks = []
    for what, one in _each(content["objects"]):
        label = str(one.get("label"))
        box: Box | str = "is a surface, which has no box"
        if label not in SURFACES:
            box = _box(lambda o=one: _points(o["polygon"]))
        marks.append(Mark(label.removesuffix("group"), box, what, label.endswith("group")))
    name = path.stem.removesuffix("_gtFine_polygons").removesuffix("_gtCoarse_polygons")
    name = f"{name}_leftImg8bit.png" if name != path.stem else name
    yield Marked(name, path, marks, _size(content["imgWidth"], content["imgHeight"]))


def _darwin(content: Any, path: Path) -> Iterator[Marked]:
    item = content["item"]
    slot = next(iter(item.get("slots") or ()), {})
    marks = []
    for what, one in _each(content["annotations"]):
        box = _box(lambda o=one: sized(*_numbers([o["bounding_box"][key] for key in "xywh"])))
        marks.append(Mark(str(one.get("name")), box, what))
    yield Marked(str(item.get("name")), path, marks, _size(slot.get("width"), slot.get("height")))


def _vott(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content["assets"].values() if "assets" in content else [content]:
        asset = entry["asset"]
        marks = []
        for what, one in _each(entry.get("regions")):
            sides = ("left", "top", "width", "height")
            box = _box(lambda o=one, s=sides: sized(*_numbers([o["boundingBox"][key] for key in s])))
            marks.append(Mark(str(next(iter(one.get("tags") or ()), "object")), box, what))
        size = asset.get("size") or {}
        yield Marked(plain_name(str(asset.get("name"))), path, marks, _size(size.get("width"), size.get("height")))


# Labelbox: an object a line today, a list before


def _is_labelbox(content: Any) -> bool:
    first = _first(content)
    return _has(first, "data_row", "projects") or (_has(first, "Label") and "Labeled Data" in first)


def _labelbox(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content:
        if not isinstance(entry, Mapping):
            continue
        if "data_row" in entry:
            row, media = entry["data_row"], entry.get("media_attributes") or {}
            labels = [label for each in entry["projects"].values() for label in each.get("labels") or ()]
            objects = [o for label in labels[:1] for o in (label.get("annotations") or {}).get("objects") or ()]
            size = _size(media.get("width"), media.get("height"))
        else:
            row = {"external_id": entry.get("External ID"), "row_data": entry["Labeled Data"]}
            label = entry["Label"] if isinstance(entry["Label"], Mapping) else {}
            objects, size = label.get("objects") or (), (0, 0)
        marks = []
        for what, one in _each(objects):
            name = str(one.get("name") or one.get("title") or one.get("value"))
            marks.append(Mark(name, _box(lambda o=one: _labelbox_box(o)), what))
        name = str(row.get("external_id") or plain_name(str(row.get("row_data"))))
        yield Marked(name, path, marks, size)


def _labelbox_box(one: Mapping[str, Any]) -> Box | str:
    box = one.get("bounding_box") or one.get("bbox")
    if box:
        return sized(*_numbers([box[key] for key in ("left", "top", "width", "height")]))
    if points := one.get("polygon") or one.get("line"):
        return around(_numbers([p["x"] for p in points]), _numbers([p["y"] for p in points]))
    return "is a point, which has no box" if "point" in one else "is a mask, which is not read"


# Lists of pictures


def _createml(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content:
        if isinstance(entry, Mapping):
            marks = []
            for what, one in _each(entry.get("annotations", entry.get("annotation"))):
                sides = ("x", "y", "width", "height")
                box = _box(lambda o=one, s=sides: centred(*_numbers([o["coordinates"][key] for key in s])))
                marks.append(Mark(str(one.get("label")), box, what))
            yield Marked(str(entry.get("image", entry.get("imagefilename"))), path, marks)


def _is_bdd(content: Any) -> bool:
    frames = content.get("frames") if isinstance(content, Mapping) else content
    first = _first(frames)
    return _has(first, "name", "labels") or _has(first, "name", "url") or (_has(content, "name", "frames"))


def _bdd(content: Any, path: Path) -> Iterator[Marked]:
    frames = content["frames"] if isinstance(content, Mapping) else content
    for entry in frames:
        if not isinstance(entry, Mapping):
            continue
        marks = []
        for what, one in _each(entry.get("labels", entry.get("objects"))):
            if isinstance(one.get("box2d"), Mapping):
                box = _box(lambda o=one: _corners([o["box2d"][key] for key in ("x1", "y1", "x2", "y2")]))
                marks.append(Mark(str(one.get("category")), box, what, bool(one.get("crowd"))))
        name = entry.get("name") or (content.get("name") if isinstance(content, Mapping) else "")
        yield Marked(str(name), path, marks)


def _corners(values: Sequence[Any]) -> Box:
    x0, y0, x1, y1 = _numbers(values)
    return x0, y0, x1, y1


def _datumaro(content: Any, path: Path) -> Iterator[Marked]:
    names = _classes(content)
    for item in content["items"]:
        marks = []
        for what, one in _each(item.get("annotations")):
            label = whole(one.get("label_id"))
            name = names[label] if label is not None and 0 <= label < len(names) else "object"
            if one.get("type") == "polygon":
                points = one.get("points") or ()
                box = _box(lambda p=points: around(_numbers(p[::2]), _numbers(p[1::2])))
            elif one.get("type") == "bbox":
                box = _box(lambda o=one: sized(*_numbers(o["bbox"])))
            else:
                continue
            marks.append(Mark(name, box, what))
        image = item.get("image") or {}
        size = image.get("size") or (0, 0)  # height, width
        yield Marked(str(image.get("path") or item.get("id")), path, marks, _size(size[1], size[0]))


# One JSON a line


def _hugging_face(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content:
        objects = entry["objects"]
        labels = next(
            (objects[k] for k in ("categories", "category", "labels", "label", "names") if k in objects), None
        )
        marks = []
        for row, values in enumerate(objects["bbox"]):
            name = str(labels[row]) if labels is not None else "object"
            marks.append(Mark(name, _box(lambda v=values: sized(*_numbers(v))), f"object {row + 1}"))
        yield Marked(str(entry["file_name"]), path, marks, _size(entry.get("width"), entry.get("height")))


def _sagemaker(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content:
        key = next((k for k, v in entry.items() if _has(v, "annotations")), "")
        names = (entry.get(f"{key}-metadata") or {}).get("class-map") or {}
        marks = []
        for what, one in _each(entry[key]["annotations"]):
            sides = ("left", "top", "width", "height")
            box = _box(lambda o=one, s=sides: sized(*_numbers([o[k] for k in s])))
            marks.append(Mark(str(names.get(str(one.get("class_id")), one.get("class_id"))), box, what))
        size = next(iter(entry[key].get("image_size") or ()), {})
        yield Marked(_local(str(entry["source-ref"])), path, marks, _size(size.get("width"), size.get("height")))


def _local(address: str) -> str:
    return "/".join(address.split("/")[3:]) if "://" in address else address


def _crowd_human(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content:
        marks = []
        for what, one in _each(entry["gtboxes"]):
            ignored = one.get("tag") == "mask" or bool((one.get("extra") or {}).get("ignore"))
            name = "person" if one.get("tag") == "mask" else str(one.get("tag"))
            marks.append(Mark(name, _box(lambda o=one: sized(*_numbers(o["fbox"]))), what, ignored))
        yield Marked(str(entry["ID"]), path, marks)


FORMATS: dict[str, further_tools.Format] = {
    "LabelMe": (lambda c: _has(c, "shapes") and isinstance(c["shapes"], list), _labelme),
    "VIA": (_is_via, _via),
    "Supervisely": (lambda c: _has(c, "size", "objects") and isinstance(c["size"], Mapping), _supervisely),
    "Cityscapes": (lambda c: _has(c, "imgWidth", "imgHeight", "objects"), _cityscapes),
    "Darwin": (lambda c: _has(c, "item", "annotations") and isinstance(c["item"], Mapping), _darwin),
    "VoTT": (lambda c: _has(c, "assets") or _has(c, "asset", "regions"), _vott),
    "Labelbox": (_is_labelbox, _labelbox),
    "Datumaro": (lambda c: _has(c, "categories", "items"), _datumaro),
    "Label Studio": (_is_studio, studio_tasks),
    "CreateML": (
        lambda c: _has(_first(c), "image", "annotations") or _has(_first(c), "imagefilename", "annotation"),
        _createml,
    ),
    "BDD100K": (_is_bdd, _bdd),
    "Hugging Face": (
        lambda c: _has(_first(c), "file_name", "objects") and _has(_first(c)["objects"], "bbox"),
        _hugging_face,
    ),
    "SageMaker": (lambda c: _has(_first(c), "source-ref"), _sagemaker),
    "CrowdHuman": (lambda c: _has(_first(c), "ID", "gtboxes"), _crowd_human),
    **further_tools.FORMATS,
}
SINGLE = frozenset({"LabelMe", "Supervisely", "Cityscapes", "Darwin", "VoTT", "BDD100K", *further_tools.SINGLE})
