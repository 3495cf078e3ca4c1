"""A YOLO data set's description, data.yaml or obj.data: class names, pictures, and whether lines hold key points.

YAML is read by models.texts.bounded_yaml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from models import files
from models.cards import class_list
from models.texts import plain_text
from models.texts.bounded_yaml import TooMuchError, loaded
from models.truth.gather import clean, whole
from models.types import Refusal

SHEETS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
# Lists of names by other programs: Roboflow's for Darknet, Label Studio's beside its export.
OTHER_LISTS = ("_darknet.labels", "notes.json", "classes.json", "labels.txt")
SPLITS = ("train", "val", "valid", "test")
MOST_BYTES = 1_000_000
MOST_LIST_BYTES = 64_000_000
MOST_CLASSES = 10_000


@dataclass(frozen=True)
class Sheet:
    """The description of a data set: class `names`, `splits` as written, by name, and their `root` folder.

    `pose` means that a line is a box followed by key points. `problem` says why the file could not be read.
    """

    file: Path | None = None
    names: tuple[str, ...] = ()
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    root: Path | None = None
    pose: bool = False
    problem: str = ""


def read(folder: Path, given: Path | None) -> Sheet:
    """Return the description in the `given` file, else in a folder; an empty Sheet if there is none."""
    if given is not None and given.suffix.lower() == ".data":
        return _data(given)
    found = [given] if given is not None and given.suffix.lower() in (".yaml", ".yml") else []
    found += [place for name in SHEETS if (place := folder / name).exists() and place not in found]
    best = Sheet()
    for place in found:
        sheet = _yaml(place)
        if sheet.names or (sheet.splits and not best.splits) or (sheet.problem and best.file is None):
            best = sheet
        if best.names:
            return best
    names = _names(folder)
    if not names and best.file is None:
        darknet = sorted(folder.glob("*.data"))
        return _data(darknet[0]) if darknet else best
    return Sheet(best.file, names, best.splits, best.root, best.pose, best.problem)


def lines_of(path: Path) -> list[str]:
    """Return the non-blank lines of a text file. Raises Refusal, or ValueError if it is not UTF-8."""
    content = files.content(path, most=MOST_LIST_BYTES)
    text, _ = plain_text.decoded(content)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _yaml(place: Path) -> Sheet:
    try:
        content = files.content(place, most=MOST_BYTES)
        if not content.strip():
            return Sheet(place)
        table = _table(plain_text.decoded(content)[0])
    except Refusal as refusal:
        return Sheet(place, problem=str(refusal))
    except (yaml.YAMLError, ValueError, RecursionError, MemoryError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        why = getattr(error, "problem", None) or (str(error) if isinstance(error, TooMuchError) else "")
        return Sheet(place, problem=clean(f"{place.name} cannot be read as YAML{where}{f': {why}' if why else ''}"))
    splits = {name: _places(table[name]) for name in SPLITS if table.get(name)}
    base = table.get("path")
    root = place.parent
    if isinstance(base, str) and base.strip():
        root = Path(base.strip().replace("\\", "/")).expanduser() if "\0" not in base else root
        root = root if root.is_absolute() else place.parent / root
    return Sheet(place, tuple(_classes(table.get("names"))), splits, root, "kpt_shape" in table)


def _table(text: str) -> dict[str, Any]:
    """Return the outermost mapping of a YAML text. Raises ValueError or YAMLError."""
    found = loaded(text)
    if not isinstance(found, dict):
        raise TooMuchError("it is not a mapping")
    return found


def _places(value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    return tuple(item.strip().replace("\\", "/") for item in given if isinstance(item, str) and item.strip())


def _classes(value: Any) -> list[str]:
    """Return the names in a list, or in a mapping by number."""
    if isinstance(value, list):
        numbered = dict(enumerate(value[:MOST_CLASSES]))
    elif isinstance(value, dict):
        numbered = {row: name for key, name in value.items() if (row := whole(key)) is not None}
    else:
        return []
    plain = {row: clean(name) for row, name in numbered.items() if isinstance(name, str) and 0 <= row < MOST_CLASSES}
    return [plain.get(row) or str(row) for row in range(max(plain, default=-1) + 1)]


def _names(folder: Path) -> tuple[str, ...]:
    """Return the names in a plain list, one per line."""
    lists = [folder / "classes.txt", folder / "labels" / "classes.txt", *sorted(folder.glob("*.names"))]
    lists += [folder / name for name in OTHER_LISTS]
    for each in lists:
        try:
            names = _listed(each)[:MOST_CLASSES] if each.is_file() else []
        except (Refusal, ValueError):
            continue
        if names:
            return tuple(clean(name) for name in names)
    return ()


def _listed(place: Path) -> Sequence[str]:
    """Return the names in a list. Raises Refusal or ValueError."""
    return lines_of(place) if place.suffix.lower() in (".txt", ".names") else class_list.read(place)


def _data(place: Path) -> Sheet:
    """Return the description in darknet's obj.data: lines of `key = value`."""
    try:
        lines = lines_of(place)
    except (Refusal, ValueError) as error:
        text = str(error) if isinstance(error, Refusal) else f"{place.name} is not text in UTF-8"
        return Sheet(place, problem=text)
    table = {key.strip().lower(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    names: tuple[str, ...] = ()
    for each in (place.parent / Path(table.get("names", "")).name, place.parent / table.get("names", "")):
        try:
            names = names or tuple(clean(name) for name in lines_of(each)[:MOST_CLASSES])
        except (Refusal, ValueError):
            continue
    splits = {name: _places(table[name]) for name in SPLITS if table.get(name)}
    return Sheet(place, names or _names(place.parent), splits, place.parent)
