"""Reads ground truth from the JSON of further tools: FiftyOne, VIA 3, SuperAnnotate, Prodigy, Vertex AI, Azure ML.

And of programs' own lists: Detectron2's and MMDetection's, one object a record, and objects by the picture's name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.truth.gather import number, whole
from models.truth.json_parts import box, each, first, has, numbers, size
from models.truth.marked import SUFFIXES, Box, Mark, Marked, around, sized

Format = tuple[Callable[[Any], bool], Callable[[Any, Path], Iterator[Marked]]]
NAME_KEYS = (
    "label",
    "class",
    "name",
    "category",
    "class_name",
    "category_name",
    "category_id",
    "bbox_label",
    "label_id",
)
CORNER_KEYS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"))
PICTURE_KEYS = ("image", "filename", "file_name", "image_path", "img_path", "path", "file", "image_id", "img")
ABSOLUTE, SIZED = 0, 1  # of Detectron2's BoxMode


def _corners(values: Sequence[Any]) -> Box:
    x0, y0, x1, y1 = numbers(values)
    return x0, y0, x1, y1


def _named(one: Mapping[str, Any], names: Sequence[Any] = ()) -> str:
    found = next((one[key] for key in NAME_KEYS if one.get(key) not in (None, "")), "object")
    row = whole(found)
    return str(names[row]) if row is not None and 0 <= row < len(names) else str(found)


def _place(address: Any) -> str:
    """Return the path in an address of a cloud's store."""
    text = str(address)
    return "/".join(text.split("/")[3:]) if "://" in text else text


# FiftyOne: shares of the sides


def _is_fiftyone(content: Any) -> bool:
    labels = content.get("labels") if isinstance(content, Mapping) else None
    if not isinstance(labels, Mapping) or "classes" not in content:
        return False
    some = next((one for objects in labels.values() if objects for one in objects[:1]), None)
    return some is None or has(some, "label", "bounding_box")


def _fiftyone(content: Any, path: Path) -> Iterator[Marked]:
    names = content.get("classes") or ()
    for name, objects in content["labels"].items():
        marks = [
            Mark(_named(o, names), box(lambda o=o: sized(*numbers(o["bounding_box"]))), w) for w, o in each(objects)
        ]
        yield Marked(str(name), path, marks, shares=True)


def _is_samples(content: Any) -> bool:
    samples = content.get("samples") if isinstance(content, Mapping) else None
    return has(first(samples), "filepath")


def _samples(content: Any, path: Path) -> Iterator[Marked]:
    fields = [key for one in content["samples"][:100] for key, value in one.items() if _is_detections(value)]
    field = next((key for key in fields if key in ("ground_truth", "gt")), fields[0] if fields else "")
    for sample in content["samples"]:
        found = (sample.get(field) or {}).get("detections") if field else ()
        marks = [Mark(_named(o), box(lambda o=o: sized(*numbers(o["bounding_box"]))), w) for w, o in each(found)]
        about = sample.get("metadata") or {}
        yield Marked(str(sample["filepath"]), path, marks, size(about.get("width"), about.get("height")), shares=True)


def _is_detections(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("detections"), list)


# The VGG Image Annotator's third version: a shape is its number (2 rectangle, 3 circle, 4 ellipse, …) and coordinates


def _is_via3(content: Any) -> bool:
    return has(content, "metadata", "file", "view") and isinstance(content["metadata"], Mapping)


def _via3(content: Any, path: Path) -> Iterator[Marked]:
    attributes = content.get("attribute") or {}
    files = {view: str(found) for view, one in content["view"].items() for found in (one.get("fid_list") or ())[:1]}
    marks: dict[str, list[Mark]] = {view: [] for view in files}
    for key, one in content["metadata"].items():
        if str(one.get("vid")) in marks and one.get("xy"):
            marks[str(one["vid"])].append(Mark(_via3_name(one, attributes), box(lambda o=one: _via3_box(o["xy"])), key))
    for view, file in files.items():
        entry = content["file"][file]
        yield Marked(str(entry.get("fname") or entry.get("src")), path, marks[view])


def _via3_name(one: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    for key, value in (one.get("av") or {}).items():
        options = (attributes.get(key) or {}).get("options") or {}
        if str(value).strip():
            return str(options.get(str(value), value)).strip()
    return "object"


def _via3_box(shape: Sequence[Any]) -> Box | str:
    kind, values = whole(shape[0]), numbers(shape[1:])
    match kind:
        case 2:
            return sized(*values)
        case 3 | 4:
            rx, ry = (values[2], values[-1])
            return values[0] - rx, values[1] - ry, values[0] + rx, values[1] + ry
        case 5 | 6 | 7 | 8 | 9:
            return around(values[::2], values[1::2])
    return "is a point, which has no box"


# One JSON a line: Google's Vertex AI, Azure ML, Prodigy


def _vertex(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content:
        marks = []
        for what, one in each(entry.get("boundingBoxAnnotations")):
            found = box(lambda o=one: _corners([o.get(k, 0) for k in ("xMin", "yMin", "xMax", "yMax")]))
            marks.append(Mark(str(one.get("displayName")), found, what))
        yield Marked(_place(entry["imageGcsUri"]), path, marks, shares=True)


def _azure(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content:
        labels, marks = entry.get("label"), []
        for what, one in each(labels if isinstance(labels, list) else ()):
            found = box(lambda o=one: _corners([o[key] for key in ("topX", "topY", "bottomX", "bottomY")]))
            marks.append(Mark(str(one.get("label")), found, what, whole(one.get("isCrowd")) == 1))
        yield Marked(_place(entry["image_url"]), path, marks, shares=True)


def _prodigy(content: Any, path: Path) -> Iterator[Marked]:
    for entry in content:
        if entry.get("answer", "accept") != "accept":
            continue
        marks = []
        for what, one in each(entry.get("spans")):
            found = box(lambda o=one: around(*(numbers([p[at] for p in o["points"]]) for at in (0, 1))))
            marks.append(Mark(str(one.get("label")), found, what))
        yield Marked(
            str(entry.get("path") or entry["image"]), path, marks, size(entry.get("width"), entry.get("height"))
        )


# SuperAnnotate: a file for each picture


def _super(content: Any, path: Path) -> Iterator[Marked]:
    about, marks = content["metadata"], []
    for what, one in each(content["instances"]):
        marks.append(Mark(str(one.get("className") or one.get("classId")), box(lambda o=one: _super_box(o)), what))
    yield Marked(str(about.get("name")), path, marks, size(about.get("width"), about.get("height")))


def _super_box(one: Mapping[str, Any]) -> Box | str:
    points = one.get("points")
    if one.get("type") in ("bbox", "rbbox") and isinstance(points, Mapping):
        corners = {key: number(value) for key, value in points.items()}
        return around([v for k, v in corners.items() if k[0] == "x"], [v for k, v in corners.items() if k[0] == "y"])
    if one.get("type") == "ellipse":
        x, y, rx, ry = numbers([one[key] for key in ("cx", "cy", "rx", "ry")])
        return x - rx, y - ry, x + rx, y + ry
    if isinstance(points, list):
        return around(numbers(points[::2]), numbers(points[1::2]))
    return f"is a {str(one.get('type'))[:20]}, which has no box"


# Programs' own lists


def _is_detectron(content: Any) -> bool:
    one = first(content)
    return has(one, "file_name", "annotations") and isinstance(one["annotations"], list)


def _detectron(content: Any, path: Path) -> Iterator[Marked]:
    names = _classes_beside(path)
    for entry in content:
        marks = []
        for what, one in each(entry.get("annotations")):
            mode = whole(one.get("bbox_mode"))
            reader = _corners if mode == ABSOLUTE else lambda values: sized(*numbers(values))
            found = (
                box(lambda o=one, r=reader: r(o["bbox"])) if mode in (ABSOLUTE, SIZED) else "has no known kind of box"
            )
            marks.append(Mark(_named(one, names), found, what, whole(one.get("iscrowd")) == 1))
        yield Marked(str(entry["file_name"]), path, marks, size(entry.get("width"), entry.get("height")))


def _is_mmdet(content: Any) -> bool:
    one = first(content)
    return has(one, "filename", "ann") and isinstance(one["ann"], Mapping)


def _mmdet(content: Any, path: Path) -> Iterator[Marked]:
    names = _classes_beside(path)
    for entry in content:
        given, marks = entry["ann"], []
        for suffix, ignored in (("", False), ("_ignore", True)):
            labels = given.get(f"labels{suffix}") or ()
            for row, values in enumerate(given.get(f"bboxes{suffix}") or ()):
                label = {"label": labels[row]} if row < len(labels) else {}
                marks.append(
                    Mark(_named(label, names), box(lambda v=values: _corners(v)), f"object {row + 1}", ignored)
                )
        yield Marked(str(entry["filename"]), path, marks, size(entry.get("width"), entry.get("height")))


def _is_mmdet3(content: Any) -> bool:
    return has(content, "metainfo", "data_list") and has(first(content["data_list"]), "img_path")


def _mmdet3(content: Any, path: Path) -> Iterator[Marked]:
    about = content["metainfo"] or {}
    names = about.get("classes") or about.get("CLASSES") or ()
    for entry in content["data_list"]:
        marks = []
        for what, one in each(entry.get("instances")):
            ignored = whole(one.get("ignore_flag")) == 1
            marks.append(Mark(_named(one, names), box(lambda o=one: _corners(o["bbox"])), what, ignored))
        yield Marked(str(entry["img_path"]), path, marks, size(entry.get("width"), entry.get("height")))


def _classes_beside(path: Path) -> tuple[str, ...]:
    """Return the names in classes.txt beside a file, whose numbers count them; none where there is none."""
    place = path.parent / "classes.txt"
    if not place.is_file() or place.stat().st_size > 1 << 20:
        return ()
    return tuple(line.strip() for line in place.read_text("utf-8", "replace").splitlines() if line.strip())


def _record_box(one: Mapping[str, Any]) -> Callable[[], Box | str] | None:
    """Return the reader of an object with named corners, or with a near corner and a size."""
    plain = {str(key).casefold(): value for key, value in one.items()}
    for keys in CORNER_KEYS:
        if all(key in plain for key in keys):
            return lambda: _corners([plain[key] for key in keys])
    if all(key in plain for key in ("x", "y", "width", "height")):
        return lambda: sized(*numbers([plain[key] for key in ("x", "y", "width", "height")]))
    return None


def _is_records(content: Any) -> bool:
    one = first(content)
    return any(isinstance(one.get(key), str) for key in PICTURE_KEYS) and _record_box(one) is not None


def _records(content: Any, path: Path) -> Iterator[Marked]:
    found: dict[str, Marked] = {}
    for what, one in each(content):
        name = next((str(one[key]) for key in PICTURE_KEYS if isinstance(one.get(key), str)), "")
        reader = _record_box(one)
        mark = Mark(_named(one), box(reader) if reader is not None else "has no box of four numbers", what)
        found.setdefault(name, Marked(name, path)).marks.append(mark)
    return iter(found.values())


def _is_by_name(content: Any) -> bool:
    if not isinstance(content, Mapping) or not content:
        return False
    names = list(content)[:20]
    some = [one for name in names if isinstance(content[name], list) for one in content[name][:1]]
    pictures = all(os.path.splitext(str(name))[1] in SUFFIXES for name in names)
    return pictures and bool(some) and all(has(one, "bbox") or _of_corners(one) for one in some)


def _of_corners(one: Any) -> bool:
    return isinstance(one, Mapping) and _record_box(one) is not None


def _by_name(content: Any, path: Path) -> Iterator[Marked]:
    listed = [one for objects in content.values() if isinstance(objects, list) for one in objects if has(one, "bbox")]
    # As in most programs' own files, a plain list of four is x0 y0 x1 y1 unless one of them would have no area.
    corners = all(len(one["bbox"]) == 4 and _ordered(one["bbox"]) for one in listed)
    for name, objects in content.items():
        marks = []
        for what, one in each(objects if isinstance(objects, list) else ()):
            reader = _record_box(one)
            if "bbox" in one:
                plain = (lambda v=one["bbox"]: _corners(v)) if corners else (lambda v=one["bbox"]: sized(*numbers(v)))
                marks.append(Mark(_named(one), box(plain), what))
            elif reader is not None:
                marks.append(Mark(_named(one), box(reader), what))
        yield Marked(str(name), path, marks)


def _ordered(values: Sequence[Any]) -> bool:
    try:
        x0, y0, x1, y1 = numbers(values)
    except (TypeError, ValueError, OverflowError):
        return False
    return x1 > x0 and y1 > y0


FORMATS: dict[str, Format] = {
    "FiftyOne": (_is_fiftyone, _fiftyone),
    "FiftyOne's samples": (_is_samples, _samples),
    "VIA 3": (_is_via3, _via3),
    "SuperAnnotate": (lambda c: has(c, "metadata", "instances") and isinstance(c["metadata"], Mapping), _super),
    "Vertex AI": (lambda c: has(first(c), "imageGcsUri", "boundingBoxAnnotations"), _vertex),
    "Azure ML": (lambda c: has(first(c), "image_url", "label"), _azure),
    "Prodigy": (lambda c: has(first(c), "image", "spans"), _prodigy),
    "Detectron2": (_is_detectron, _detectron),
    "MMDetection's list": (_is_mmdet, _mmdet),
    "MMDetection": (_is_mmdet3, _mmdet3),
    "records": (_is_records, _records),
    "objects by picture": (_is_by_name, _by_name),
}
SINGLE = frozenset({"SuperAnnotate"})
