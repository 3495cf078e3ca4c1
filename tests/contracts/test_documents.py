"""The documents: a short README, links that lead somewhere, pictures that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import rooms

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_readme_is_short_and_names_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    for page in PAGES[1:]:
        assert str(page.relative_to(ROOT).as_posix()) in text, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_of_a_page_exist(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    for target in targets:
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_picture_of_the_documents_is_shown() -> None:
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for picture in (ROOT / "docs" / "images").glob("*.png"):
        assert f"images/{picture.name}" in shown, picture.name


def test_the_rooms_are_drawn_as_they_are() -> None:
    assert rooms.DRAWING.read_text(encoding="utf-8") == rooms.drawing(), "run: python -m docs.rooms"


def test_files_that_the_architecture_page_names_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:models|viewer|docs|tests)/[\w/.]+)`", page))
    assert len(named) > 15
    for name in named:
        assert (ROOT / name).exists(), name
