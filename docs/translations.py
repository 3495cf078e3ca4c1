"""Enter the texts of the code into the files of translations, and say which are still to be translated.

Run: python -m docs.translations. It reads every call of `tr` and `trn` in viewer/ and the texts of models/
(docs/engine_texts.py), keeps what is translated, enters what is new as unfinished, and drops what is gone. A test fails
when a file is no longer that of the code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from docs.engine_texts import engine_texts
from models.output_files import write_whole
from viewer import translation

ROOT = Path(__file__).resolve().parents[1]
VIEWER = ROOT / "viewer"
REGIONS = {"ko": "ko_KR"}
Form = str | tuple[str, ...]


def texts(folder: Path = VIEWER) -> dict[str, bool]:
    """Return the texts of the window in order, and whether each has forms for one and many.

    Raises ValueError for a call whose text is not written out in it.
    """
    found: dict[str, bool] = {}
    for path in sorted(folder.rglob("*.py")):
        for text, numbered in _calls(path):
            found[text] = numbered or found.get(text, False)
    return dict(sorted(found.items()))


def _calls(path: Path) -> Iterator[tuple[str, bool]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in ("tr", "trn"):
            continue
        numbered = node.func.id == "trn"
        if len(node.args) != (3 if numbered else 1):
            raise ValueError(f"{path.name}, line {node.lineno}: {node.func.id} has {len(node.args)} texts and numbers.")
        given = node.args[1 if numbered else 0]
        if not isinstance(given, ast.Constant) or not isinstance(given.value, str):
            raise ValueError(f"{path.name}, line {node.lineno}: the text to be translated is not written out.")
        yield given.value, numbered


def document(code: str, wanted: Mapping[str, Mapping[str, bool]], kept: Mapping[str, Mapping[str, Form]]) -> str:
    """Return a language's file: each context's texts in order, with the translations that are kept."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>"]
    lines.append(f'<TS version="2.1" language="{REGIONS.get(code, code)}" sourcelanguage="en">')
    for context, sources in wanted.items():
        lines += ["<context>", f"    <name>{context}</name>"]
        for source, numbered in sources.items():
            lines += _message(source, numbered, kept.get(context, {}).get(source))
        lines.append("</context>")
    return "\n".join([*lines, "</TS>", ""])


def _message(source: str, numbered: bool, given: Form | None) -> list[str]:
    lines = ['    <message numerus="yes">' if numbered else "    <message>", f"        <source>{_xml(source)}</source>"]
    forms = given if isinstance(given, tuple) else (given or "",)
    state = "" if given and isinstance(given, tuple) == numbered else ' type="unfinished"'
    inside = "".join(f"<numerusform>{_xml(form)}</numerusform>" for form in forms) if numbered else _xml(forms[0])
    return [*lines, f"        <translation{state}>{inside}</translation>", "    </message>"]


def _xml(text: str) -> str:
    return escape(text, {"\n": "&#10;", "\t": "&#9;", "\xa0": "&#160;"})


def file_of(code: str) -> Path:
    """Return a language's file."""
    return translation.FOLDER / f"{code}.ts"


def current(code: str) -> str:
    """Return what a language's file should be."""
    path = file_of(code)
    kept = translation.read(path) if path.exists() else {}
    return document(code, {translation.WINDOW: texts(), translation.ENGINE: engine_texts()}, kept)


def main() -> None:
    """Bring the files of every language up to date."""
    for code in translation.NAMES:
        if code == translation.ENGLISH:
            continue
        translation.read.cache_clear()
        content = current(code)
        write_whole(file_of(code), content)
        print(f"{file_of(code).name}: {content.count('type=' + chr(34) + 'unfinished')} texts to be translated")


if __name__ == "__main__":
    main()
