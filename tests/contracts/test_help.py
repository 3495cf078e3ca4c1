"""Help, over everything registered: each panel has two sentences, a drawing, and a place in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray
from PySide6.QtGui import QColor
from PySide6.QtSvg import QSvgRenderer

from viewer import theme
from viewer.help import drawing, glossary, panel_help
from viewer.help.linked_text import linked
from viewer.panels.registry import PANELS

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROLES = ("muted", "accent", "warning", "error", "success")
# Panels about no method have no paper.
WITHOUT_PAPER = {"film", "results", "live", "log"}
NAMED = ["NMS", "anchor", "IoU", "ELBO", "receptive field", "logits", "Grad-CAM", "latent space", "prior", "precision"]
NAMED += ["recall", "mAP", "stride", "letterbox", "RoI", "FPN", "softmax"]


@pytest.mark.parametrize("entry", PANELS, ids=lambda entry: entry.id)
def test_every_panel_has_help(entry: object) -> None:
    name = entry.id  # type: ignore[attr-defined]
    told = panel_help.of(name)
    assert told is not None, f"give {name} its two sentences in viewer/help/panel_help.py"
    assert len(re.findall(r"[.?](?= |$)", told.text)) == 2, told.text
    assert len(told.text.split()) <= panel_help.WORDS_MOST
    assert bool(told.paper) == bool(told.address) == (name not in WITHOUT_PAPER)
    assert not told.paper or re.match(r"https://\S+$", told.address)
    assert not told.paper or re.search(r"\b(19|20)\d\d\b", told.paper)


@pytest.mark.parametrize("entry", PANELS, ids=lambda entry: entry.id)
def test_every_panel_is_in_the_documentation(entry: object) -> None:
    told = panel_help.of(entry.id)  # type: ignore[attr-defined]
    assert told is not None
    text = (DOCS / told.page).read_text(encoding="utf-8")
    headed = re.search(rf"^#+ {re.escape(told.part)}", text, re.MULTILINE)
    assert headed or f"**{told.part}" in text or f"**{told.part.rstrip('.')}" in text, (told.page, told.part)


@pytest.mark.parametrize("entry", PANELS, ids=lambda entry: entry.id)
def test_every_panel_has_a_drawing_in_colours_of_the_theme(entry: object) -> None:
    file = drawing.path(entry.id)  # type: ignore[attr-defined]
    assert file.is_file(), f"draw {file.name}: 240 x 96, in currentColor and the colours of the dark theme"
    text = file.read_text(encoding="utf-8")
    assert QSvgRenderer(QByteArray(text.encode())).isValid()
    known = {getattr(theme.DARK, role).name() for role in ROLES}
    assert {each.lower() for each in re.findall(r"#[0-9a-fA-F]{6}", text)} <= known, "a colour that no theme has"
    words = re.findall(r"<text[^>]*>([^<]*)<", text)
    assert not [word for word in words if re.search(r"[A-Za-z]{4,}", word)], "a word that nobody could translate"


def test_no_help_is_left_of_a_panel_that_is_gone() -> None:
    ids = {entry.id for entry in PANELS}
    assert {*panel_help.table()} <= ids
    assert {file.stem for file in drawing.FOLDER.glob("*.svg")} <= ids


def test_drawings_can_be_seen_in_both_themes() -> None:
    for scheme in (theme.DARK, theme.LIGHT):
        for role in ROLES:
            assert theme.contrast(QColor(getattr(scheme, role)), scheme.panel) >= 3, role


def test_the_glossary_has_the_words_of_the_field() -> None:
    terms = glossary.terms()
    assert 60 <= len(terms) <= 120
    assert len({term.id for term in terms}) == len({term.title for term in terms}) == len(terms)
    for word in NAMED:
        assert glossary.find(word) is not None, word
    for term in terms:
        assert term.text.endswith(".") and len(term.text.split()) <= 60, term.id
        assert re.fullmatch(r"[a-z0-9-]+", term.id)


def test_a_name_stands_for_one_term_and_is_found() -> None:
    owners: dict[str, str] = {}
    for term in glossary.terms():
        for name in term.names:
            assert owners.setdefault(name.casefold(), term.id) == term.id, name
            found = glossary.find(f"The {name} of it")
            assert found is not None and found.id == term.id, (name, found)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("NMS IoU", ["nms", "iou"]),
        ("the map of a sea", []),
        ("mAP at 0.5", ["map"]),
        ("Anchors: at this place", ["anchor"]),
        ("receptive fields, strides", ["receptive-field", "stride"]),
        ("Soft-NMS sigma", ["soft-nms"]),
        ("region proposal network", ["rpn"]),
        ("non maximum suppression", ["nms"]),
        ("scores and softmaxing", ["score"]),
        ("a classroom", []),
    ],
)
def test_terms_are_found_as_whole_words(text: str, ids: list[str]) -> None:
    assert [hit.term.id for hit in glossary.in_text(text)] == ids


def test_terms_in_a_text_are_links_and_the_rest_is_literal() -> None:
    text = linked("Score < 1 & more score", but="")
    assert text == '<a href="term:score">Score</a> &lt; 1 &amp; more score'
    assert linked("Score", but="score") == "Score"
