"""Reads class names from the files that people keep them in.

A name a line, also with its number before or behind it; JSON and YAML: lists, names by number, numbers by name, a
Hugging Face configuration, COCO's categories, a YOLO set's description; TensorFlow's label maps (.pbtxt); tables
(.csv); ImageNet's lists with synsets; CVAT's and Pascal VOC's label maps with colours.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.texts import plain_text
from models.texts.bounded_yaml import loaded
from models.types import Refusal

MOST_BYTES = 4_000_000
ADVICE = "Give a text with one name a line, in the order of the network's outputs."
NAME_KEYS = ("name", "display_name", "title", "label", "class", "class_name", "classname", "category", "label_name")
ID_KEYS = ("id", "index", "idx", "class_id", "classid", "label_id", "category_id", "number", "value")
LIST_KEYS = ("id2label", "names", "categories", "classes", "labels", "class_names", "label2id", "class_to_idx")
_COLOURS = re.compile(r"^([^:]+):(?:\d+,\s*\d+,\s*\d+)?:[^:]*:?.*$")
_NUMBER_FIRST = re.compile(r"^(\d{1,6})\s*[:,;=.)\t ]\s*(\S.*)$")
_NUMBER_LAST = re.compile(r"^(.*\S)\s*[:,;=\t ]\s*(\d{1,6})$")
_SYNSET = re.compile(r"^n\d{8}[\s,:]+(\S.*)$")
_ITEM = re.compile(r"\bitem\s*:?\s*\{(.*?)\}", re.S)
_FIELD = re.compile(r"""(\w+)\s*:\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w.+-]+)""")


def read(path: Path) -> tuple[str, ...]:
    """Return the class names in a file, in label order. Raises Refusal if it holds none that can be told."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Refusal(f"{path.name} is too long for class names.", advice=ADVICE)
        text, _ = plain_text.decoded(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refusal(f"{path.name} cannot be read as text ({error}).", advice=ADVICE) from error
    if any(c < " " and c not in "\t\r\n\f" for c in text) or text.lstrip()[:1] == "<":
        raise Refusal(f"{path.name} is no list of class names.", advice=ADVICE)
    found = _named(path, text)
    if found is None:
        raise Refusal(f"{path.name} has no class names that can be told.", advice=ADVICE)
    return found


def _named(path: Path, text: str) -> tuple[str, ...] | None:
    suffix, plain = path.suffix.lower(), text.strip()
    if suffix == ".pbtxt" or re.match(r"item\s*:?\s*\{", plain):
        return _items(plain)
    if suffix in (".json", ".yaml", ".yml") or plain[:1] in ("[", "{"):
        return _of_value(_value(plain))
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if suffix in (".csv", ".tsv") and (found := _table(text, "\t" if suffix == ".tsv" else "")) is not None:
        return found
    return _lines(lines)


def _value(text: str) -> Any:
    """Return what JSON or YAML holds, also Python's lists and dictionaries of names, which YAML reads."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        import yaml  # here, because a plain list needs none

        try:
            return loaded(text)
        except (ValueError, RecursionError, yaml.YAMLError):
            return None


def _of_value(value: Any, depth: int = 0) -> tuple[str, ...] | None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _of_list(value)
    if not isinstance(value, Mapping) or depth > 2:
        return None
    for key in LIST_KEYS:
        if key in value and (found := _of_value(value[key], depth + 1)) is not None:
            return found
    numbers = [_whole(key) for key in value]
    if numbers and None not in numbers:
        names = [_name(each) for each in value.values()]
        return _placed(zip(numbers, names, strict=True)) if None not in names else None
    numbers = [_whole(each) for each in value.values()]
    if numbers and None not in numbers:
        return _placed(zip(numbers, map(str, value), strict=True))
    return None


def _of_list(value: Sequence[Any]) -> tuple[str, ...] | None:
    names = [_name(each) for each in value]
    if not names or None in names:
        return None
    ids = [next((_whole(each[k]) for k in ID_KEYS if k in each), None) for each in value if isinstance(each, Mapping)]
    if len(ids) == len(names) and None not in ids:
        return _placed(zip(ids, names, strict=True))
    return tuple(str(name) for name in names)


def _name(value: Any) -> str | None:
    """Return a name: a text, an object's, or the last of ImageNet's synset and name."""
    if isinstance(value, Mapping):
        return next((str(value[key]) for key in NAME_KEYS if isinstance(value.get(key), str | int)), None)
    if isinstance(value, list | tuple):
        return str(value[-1]) if value and all(isinstance(each, str) for each in value) else None
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 1 << 40 else None
    return int(value) if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10 else None


def _placed(pairs: Any) -> tuple[str, ...] | None:
    """Return names in the order of their numbers; a gap in numbers from 0 keeps its place, as its number."""
    found: dict[int, str] = {}
    for number, name in pairs:
        if number in found:
            return None
        found[number] = str(name)
    most = max(found)
    if 0 in found and most < 4 * len(found) + 16:
        return tuple(found.get(number, str(number)) for number in range(most + 1))
    return tuple(name for _, name in sorted(found.items()))


def _items(text: str) -> tuple[str, ...] | None:
    pairs = []
    for row, item in enumerate(_ITEM.findall(text)):
        fields = {key: value.strip("\"'") for key, value in _FIELD.findall(item)}
        name = fields.get("display_name", fields.get("name", ""))
        number = _whole(fields.get("id", str(row)))
        if not name or number is None:
            return None
        pairs.append((number, name))
    return _placed(pairs) if pairs else None


def _table(text: str, delimiter: str) -> tuple[str, ...] | None:
    """Return the names in a table with a column of numbers, or with a header that tells the column of names."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = delimiter or max(",;\t", key=head.count)
    if delimiter not in head:
        return None
    try:
        rows = [[c.strip() for c in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)]
    except csv.Error:
        return None
    first = [cell.casefold().replace(" ", "_") for cell in rows[0]]
    name_at = next((first.index(key) for key in NAME_KEYS if key in first), -1)
    id_at = next((first.index(key) for key in ID_KEYS if key in first), -1)
    header = name_at >= 0
    body = [row for row in rows[header:] if len(row) > max(name_at, id_at)]
    if not header:
        counted = [at for at in range(len(rows[0])) if all(at < len(r) and _whole(r[at]) is not None for r in rows)]
        named = [at for at in range(len(rows[0])) if at not in counted and all(at < len(r) and r[at] for r in rows)]
        if not (counted and named):
            return None
        id_at, name_at = counted[0], named[0]
    numbers = [_whole(row[id_at]) for row in body] if id_at >= 0 else [None]
    if body and None not in numbers:
        return _placed((number, row[name_at]) for number, row in zip(numbers, body, strict=True))
    return tuple(row[name_at] for row in body) if body and header else None


def _lines(lines: list[str]) -> tuple[str, ...]:
    """Return the names of a list with one a line, without numbers, synsets, colours, quotes and remarks around them."""
    while len(lines) > 1 and lines[0].startswith("#"):
        lines = lines[1:]
    filled = [line for line in lines if line]
    if len(filled) == 1 and filled[0].count(",") > 1:
        return tuple(name.strip().strip("\"'") for name in filled[0].strip(",").split(","))
    if len(filled) < 2:
        return tuple(filled)
    quoted = [line.rstrip(", ") for line in filled]
    if all(len(line) > 1 and line[0] == line[-1] and line[0] in "\"'" for line in quoted):
        return tuple(line[1:-1] for line in quoted)
    ways: tuple[Callable[[list[str]], tuple[str, ...] | None], ...] = (_synsets, _coloured, _counted)
    return next((found for way in ways if (found := way(filled)) is not None), tuple(lines))


def _synsets(lines: list[str]) -> tuple[str, ...] | None:
    found = [_SYNSET.match(line) for line in lines]
    return tuple(match[1] for match in found if match) if all(found) else None


def _coloured(lines: list[str]) -> tuple[str, ...] | None:
    found = [_COLOURS.match(line) for line in lines]
    return tuple(match[1].strip() for match in found if match) if all(found) and all("::" in e for e in lines) else None


def _counted(lines: list[str]) -> tuple[str, ...] | None:
    """Return the names of lines that are all numbered, from 0 or 1 on and each number once."""
    for pattern, number, name in ((_NUMBER_FIRST, 1, 2), (_NUMBER_LAST, 2, 1)):
        found = [match for line in lines if (match := pattern.match(line))]
        numbers = sorted(int(match[number]) for match in found)
        if len(found) == len(lines) and numbers[0] < 2 and numbers[-1] < 2 * len(lines) + 1:
            return _placed((int(match[number]), match[name].strip().strip("\"'")) for match in found)
    return None
