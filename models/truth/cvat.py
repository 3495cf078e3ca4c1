"""Reads ground truth from XML of many pictures: CVAT's (of images, and of a video's tracks) and dlib's."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from models.truth import voc
from models.truth.gather import Gatherer, Progress, number, whole
from models.truth.marked import Box, Mark, Marked, around, centred, sized, truth
from models.truth.types import Truth

FRAME = "frame_{:06d}"  # as CVAT names a video's frames


def read(path: Path, tree: Element, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth in a parsed file of either kind. Raises Refusal where no picture is found."""
    gather = Gatherer(progress)
    if tree.tag == "dataset":
        return truth(path.stem, "dlib", list(_dlib(path, tree)), gather=gather)
    names = [(name.text or "").strip() for name in tree.findall("./meta//labels/label/name")]
    pictures = [*_images(path, tree), *_tracks(path, tree)]
    return truth(path.stem, "CVAT", pictures, gather=gather, classes=[name for name in names if name])


def is_it(tree: Element) -> bool:
    """Return whether a parsed XML file is of many pictures."""
    if tree.tag == "dataset":
        return tree.find("./images/image/box") is not None
    return tree.tag == "annotations" and (tree.find("image") is not None or tree.find("track") is not None)


def of_file(path: Path) -> Element | None:
    """Return a file's tree if it is of many pictures, else None; None too where it cannot be read."""
    found = voc.tree(Gatherer(None), path)
    return found if found is not None and is_it(found) else None


def _images(path: Path, tree: Element) -> Iterator[Marked]:
    for image in tree.findall("image"):
        size = whole(image.get("width")) or 0, whole(image.get("height")) or 0
        marks = [
            Mark(one.get("label") or "object", _box(one), f"object {row}")
            for row, one in enumerate(image, 1)
            if one.tag in ("box", "polygon", "polyline", "ellipse", "mask", "points")
        ]
        yield Marked(image.get("name") or "", path, marks, (max(size[0], 0), max(size[1], 0)))


def _tracks(path: Path, tree: Element) -> Iterator[Marked]:
    """Yield the frames of a video's tracks, as the pictures that CVAT exports them to."""
    frames: dict[int, list[Mark]] = {}
    for track in tree.findall("track"):
        for one in track:
            frame = whole(one.get("frame"))
            if frame is not None and one.get("outside") not in ("1", "true", "True"):
                what = f"track {track.get('id')} in frame {frame}"
                frames.setdefault(frame, []).append(Mark(track.get("label") or "object", _box(one), what))
    for frame, marks in sorted(frames.items()):
        yield Marked(FRAME.format(frame), path, marks)


def _box(one: Element) -> Box | str:
    get = lambda *names: [number(one.get(name)) for name in names]  # noqa: E731
    try:
        match one.tag:
            case "box":
                x0, y0, x1, y1 = get("xtl", "ytl", "xbr", "ybr")
                return _turned(x0, y0, x1, y1, number(one.get("rotation") or 0))
            case "ellipse":
                x, y, rx, ry = get("cx", "cy", "rx", "ry")
                return x - rx, y - ry, x + rx, y + ry
            case "mask":
                left, top, width, height = get("left", "top", "width", "height")
                return sized(left, top, width, height)
            case "points":
                return "is points, which have no box"
        points = [point.split(",") for point in (one.get("points") or "").split(";") if point]
        return around([number(p[0]) for p in points], [number(p[1]) for p in points])
    except (TypeError, ValueError, IndexError, OverflowError):
        return "has no box of four numbers"


def _turned(x0: float, y0: float, x1: float, y1: float, degrees: float) -> Box:
    """Return the box around one that is turned about its centre."""
    if not degrees:
        return x0, y0, x1, y1
    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    wide, high = (x1 - x0) * cos + (y1 - y0) * sin, (x1 - x0) * sin + (y1 - y0) * cos
    return centred((x0 + x1) / 2, (y0 + y1) / 2, wide, high)


def _dlib(path: Path, tree: Element) -> Iterator[Marked]:
    for image in tree.findall("./images/image"):
        marks = []
        for row, one in enumerate(image.findall("box"), 1):
            try:
                left, top, width, height = (number(one.get(name)) for name in ("left", "top", "width", "height"))
                box: Box | str = sized(left, top, width, height)
            except (TypeError, ValueError, OverflowError):
                box = "has no box of four numbers"
            label = (one.findtext("label") or "object").strip()
            marks.append(Mark(label, box, f"object {row}", one.get("ignore") == "1"))
        yield Marked((image.get("file") or "").replace("\\", os.sep), path, marks)
