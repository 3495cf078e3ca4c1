"""The page of what opens: written from its rows, and each row held by tests that exist."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from docs import what_opens

ROOT = Path(__file__).resolve().parents[2]
ROWS = [row for group in what_opens.groups() for row in group.rows]


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_the_page_is_what_the_script_writes() -> None:
    assert what_opens.PAGE.read_text(encoding="utf-8") == what_opens.page(), "run: python -m docs.what_opens"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what[:40])
def test_every_row_is_held_by_a_test(row: what_opens.Row) -> None:
    assert row.tests
    for test in row.tests:
        path, _, name = test.partition("::")
        assert name.startswith("test_") and name in functions(path), test
