"""Reads ground truth of the Caltech-UCSD birds and data sets laid out like it, such as NABirds.

Lists beside the folder of pictures: images.txt (id, path), bounding_boxes.txt (id, x, y, width, height),
image_class_labels.txt (id, class) and classes.txt (class, name).
"""

from __future__ import annotations

from pathlib import Path

from models import files
from models.texts import plain_text
from models.truth.gather import Gatherer, Progress, number
from models.truth.marked import Box, Mark, Marked, sized, truth
from models.truth.types import Truth

BOXES, PICTURES, LABELS, CLASSES = "bounding_boxes.txt", "images.txt", "image_class_labels.txt", "classes.txt"
MOST_BYTES = 200_000_000


def is_it(folder: Path) -> bool:
    """Return whether a folder has the lists of boxes and of pictures."""
    return (folder / BOXES).is_file() and (folder / PICTURES).is_file()


def read(folder: Path, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth in a folder's lists. Raises Refusal where no picture is found."""
    gather = Gatherer(progress)
    labels, names = _list(folder / LABELS), _list(folder / CLASSES)
    marks: dict[str, list[Mark]] = {}
    for key, given in _list(folder / BOXES).items():
        try:
            x, y, width, height = (number(word) for word in given.split())
            box: Box | str = sized(x, y, width, height)
        except (TypeError, ValueError, OverflowError):
            box = "has no box of four numbers"
        label = labels.get(key, "")
        marks.setdefault(key, []).append(Mark(names.get(label, label) or "object", box, f"picture {key}"))
    listed = _list(folder / PICTURES).items()
    pictures = [Marked(name, folder / BOXES, marks.get(key, [])) for key, name in listed]
    return truth(folder.name, "CUB", pictures, gather=gather)


def _list(path: Path) -> dict[str, str]:
    """Return what the lines of a list say behind their first word, none where there is no list."""
    if not path.is_file():
        return {}
    text, _ = plain_text.decoded(files.content(path, most=MOST_BYTES))
    rows = (line.split(maxsplit=1) for line in text.splitlines())
    return {row[0]: row[1].strip() for row in rows if len(row) == 2}
