"""Write docs/what-opens.md, the table of what opens and how, from the rows that tests stand for, in tests/opens.

Run: python -m docs.what_opens. A test fails when the page is no longer that of the rows, or a row names no test.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "tests" / "opens"
PAGE = ROOT / "docs" / "what-opens.md"
HEAD = """# What opens, and how

[Back to the README](../README.md). `python -m docs.what_opens` writes this page from `tests/opens`: each row is held by
the test that it names.

Drop a file on the window, or name it with `--model`. *By itself* means that nothing needs to be said; *one flip* that
one press in the Interpretation panel, or one `?name=value` after the file's name, may be needed; *asks* that Vitrine
says what it cannot tell and waits for you. [Your own model](own-model.md) goes through one file from start to end.
"""


@dataclass(frozen=True)
class Row:
    """What is opened, how, what can be done with it then, and the tests, "path::function", that show it."""

    what: str
    how: str
    then: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Rows under a title, with a sentence about them."""

    title: str
    about: str
    rows: tuple[Row, ...]


def groups() -> list[Group]:
    """Return the groups of rows, in the order of their files' names."""
    found = []
    for path in sorted(ROWS.glob("*.toml")):
        read = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = tuple(Row(one["what"], one["how"], one["then"], tuple(one["tests"])) for one in read["opens"])
        found.append(Group(read["title"], read["about"], rows))
    return found


def page() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for group in groups():
        lines = [f"## {group.title}", "", group.about, "", "| what | how it opens | what works then |", "|---|---|---|"]
        lines += [f"| {' | '.join(map(_cell, (row.what, row.how, row.then)))} |" for row in group.rows]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
