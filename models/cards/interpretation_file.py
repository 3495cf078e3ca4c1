"""Adapter files that say how a network's outputs are read: a few lines of Python beside the file they are about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

LINE = 100
PLAIN = re.compile(r"class \d+")  # how classes are numbered that have no names


class Interpretation:
    """How a file is read: which `file` (beside this one), what to `assume` of it, and the names of its `classes`.

    A complete adapter file, as the Interpretation panel exports it:

        from vitrine import Interpretation

        class Detector(Interpretation):
            file = "yolox_nano.onnx"
            assume = {"reading": "yolox-objectness-1.6-85", "input": "zero_255", "colours": "bgr"}

        ADAPTER = Detector

    What is not assumed is found out as without this file. Without `classes` they keep the names they have.
    """

    file: ClassVar[str] = ""
    title: ClassVar[str] = ""
    assume: ClassVar[Mapping[str, str]] = {}
    classes: ClassVar[Sequence[str]] = ()


def text(file: str, *, title: str, assume: Mapping[str, str], classes: Sequence[str] = ()) -> str:
    """Return an adapter file for `file`, a name or path relative to it, as Python source."""
    names = named(classes)
    head = f'"""An adapter file for Vitrine: how the outputs of {_plain(file)} are read. Change what is wrong in it."""'
    lines = [head, "", "from vitrine import Interpretation", "", "", "class Adapter(Interpretation):"]
    lines += [f"    file = {_quoted(file)}", f"    title = {_quoted(title)}"]
    lines += ["    assume = {", *(f"        {_quoted(k)}: {_quoted(str(v))}," for k, v in assume.items()), "    }"]
    short = f"    classes = ({', '.join(map(_quoted, names))}{',' if len(names) == 1 else ''})"
    if names and len(short) <= LINE:
        lines.append(short)
    elif names:
        lines += ["    classes = (", *(f"        {line}" for line in _wrapped(names)), "    )"]
    return "\n".join([*lines, "", "", "ADAPTER = Adapter", ""])


def _wrapped(names: Sequence[str]) -> list[str]:
    """Return names as Python, with commas, in lines of at most LINE characters where they fit."""
    lines = [""]
    for name in names:
        part = f"{_quoted(name)},"
        if lines[-1] and len(lines[-1]) + len(part) > LINE - 8:
            lines.append("")
        lines[-1] = f"{lines[-1]} {part}".strip()
    return lines


def named(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes, () where they are only numbered."""
    return () if all(PLAIN.fullmatch(name) for name in classes) else tuple(classes)


def _quoted(text: str) -> str:
    """Return a text as a Python literal in double quotes."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")


def _plain(name: str) -> str:
    """Return a name as it may stand in a docstring."""
    return re.sub(r'[\\"\x00-\x1f\x7f]', "_", name)
