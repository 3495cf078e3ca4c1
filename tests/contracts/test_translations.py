"""The files of translations belong to the code, are whole, and keep the places of texts; nothing is left out."""

from __future__ import annotations

import ast
import json
import os
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest

from docs import engine_texts, translations
from viewer import translation

ROOT = translations.ROOT
CODES = [code for code in translation.NAMES if code != translation.ENGLISH]
# Methods and classes that show the text they are given.
SHOWING = {"setText", "setToolTip", "setStatusTip", "setWindowTitle", "setPlaceholderText", "setAccessibleName", "tell"}
SHOWING |= {"setAccessibleDescription", "setInformativeText", "addTab", "setTabText", "setTitle", "WrappedLabel"}
SHOWING |= {"QLabel", "QPushButton", "QCheckBox", "QAction", "addAction", "show_message", "getOpenFileName"}
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}|^[A-Z][a-z]{3,}")
NAMES = {"Vitrine", "Grad-CAM", "DIoU-NMS"}
# What a window shows that no translation changes: files, models, layers, keys, numbers with units, colour maps, code.
KEYS = re.compile(
    r"\(?\b(?:(?:Ctrl|Alt|Shift)\+)*(?:Ctrl|Alt|Shift|Esc|Del|Space|Left|Right|Up|Down|[A-Z0-9,.=+-])(?!\w)\)?"
)
IDS = re.compile(r"\S*[\w\]][-._/:][\w.\-/]*\S*|\S*\d\S*")
UNCHANGED = {
    *(
        "NMS",
        "UMAP",
        "PaCMAP",
        "IoU",
        "mAP",
        "English",
        "Vitrine",
        "board",
        "ruled",
        "paper",
        "slate",
        "squared",
        "cpu",
        "thread",
        "CAM",
        "LIME",
    ),
    *("MIT", "SSD", "samples", "safetensors", "SHA"),
    *("Viridis", "Inferno", "Magma", "Plasma", "Cividis", "rgb", "bgr", "SSIM", "PSNR", "digits", "ssd", "precision"),
    *(
        "PNG",
        "ReLU",
        "GELU",
        "SiLU",
        "ELU",
        "Mish",
        "Hardswish",
        "LeakyReLU",
        "Tanh",
        "Sigmoid",
        "Softplus",
        "Identity",
    ),
}
# Parts of the window that are code, the engine's names of stages and calls, or another library's and Qt's own.
OTHERS = (
    "LevelHistogram",
    "qt_dock",
    "ScrollLeftButton",
    "ScrollRightButton",
    "_Key",
    "alphaGroup",
    "GradientsPanel",
    "CallTree",
    "QHeaderView/Cells",
)
OTHERS += ("QTabWidget", "QLabel/QStatusBar", "Activity")


def places(text: str) -> list[str]:
    """Return the names and conversions of a text's places, sorted."""
    return sorted(f"{name}!{how or ''}" for _, name, _, how in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("code", CODES)
def test_the_file_is_that_of_the_code_and_every_text_of_the_window_is_translated(code: str) -> None:
    content = translations.file_of(code).read_text(encoding="utf-8")
    assert content == translations.current(code), "run python -m docs.translations"
    window = content[: content.index(f"<name>{translation.ENGINE}</name>")]
    assert 'type="unfinished"' not in window, f"translate what is unfinished in {code}.ts"


@pytest.mark.parametrize("code", CODES)
def test_everything_that_forms_say_is_translated(code: str) -> None:
    known = translation.read(translations.file_of(code))[translation.ENGINE]
    assert not sorted(engine_texts.form_texts() - {*known})


@pytest.mark.parametrize("code", CODES)
def test_what_the_bundled_cards_say_is_translated(code: str) -> None:
    """Title, what the model knows, notes, and the figures that the Model panel lists with their pictures."""
    known, found = translation.read(translations.file_of(code))[translation.ENGINE], set[str]()
    for path in engine_texts.card_files():
        card = json.loads(path.read_text(encoding="utf-8"))
        assert card["title"] and card["knows"], path
        found |= {str(card[key]) for key in engine_texts.CARD_KEYS if card.get(key)}
        found |= set(engine_texts.figure_texts(card["figures"]))
    assert len(found) > 40 and not sorted(text for text in found if not known.get(text))


@pytest.mark.parametrize("code", CODES)
def test_translations_keep_the_places_of_their_texts(code: str) -> None:
    for texts in translation.read(translations.file_of(code)).values():
        for source, given in texts.items():
            for form in given if isinstance(given, tuple) else (given,):
                if "{" in source:
                    assert places(form) == places(source), source
                assert form.startswith(" ") <= source.startswith(" "), source


def test_no_file_shows_a_text_that_is_not_translated() -> None:
    """Texts written right where they are shown; the next test finds the others."""
    found = []
    for path in (ROOT / "viewer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for given in node.args if name in SHOWING else ():
                fixed = _fixed(given)
                if SENTENCE.search(fixed) and fixed.strip(" \0") not in NAMES:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {fixed!r}")
    assert not found, "wrap these in tr, as viewer/translation.py says"


def _fixed(node: ast.AST) -> str:
    """Return the fixed words of a string that is written out, "" for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "\0".join(_fixed(part) if isinstance(part, ast.Constant) else "" for part in node.values)
    return ""


def test_nothing_that_a_window_shows_is_untranslated(tmp_path: Path) -> None:
    """Every panel and workspace of a detector, the menus, palette, shortcuts and zoo, translations marked."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.stories.translated_window", "pseudo", "digits-ssd"],
        cwd=ROOT,
        env={**os.environ, "VITRINE_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    left = {}
    for text, place in seen.items():
        rest = text
        for _ in range(5):
            rest = re.sub("⟦[^⟦⟧]*⟧", " ", rest)
        rest = IDS.sub(" ", KEYS.sub(" ", rest))
        words = [word for word in re.findall(r"[A-Za-z]{3,}", rest) if word not in UNCHANGED]
        if words and not any(part in place for part in OTHERS):
            left[text] = place
    assert not left
