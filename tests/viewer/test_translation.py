"""The translation of the window: places, plural forms, particles, languages of the system, and Qt's own tools."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTranslator

from docs import translations
from viewer import korean, translation
from viewer.session.preferences import Settings, chosen_language
from viewer.translation import tr, trn

KOREAN = {
    "Open pictures…": "사진 열기…",
    "{name} in {folder}": "{folder}의 {name}을(를)",
    "{n:,} boxes": ("상자 {n:,}개",),
}


@pytest.fixture
def speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Korean of three texts in force; its file."""
    wanted = {translation.WINDOW: {text: isinstance(given, tuple) for text, given in KOREAN.items()}}
    file = tmp_path / "ko.ts"
    file.write_text(translations.document("ko", wanted, {translation.WINDOW: KOREAN}), encoding="utf-8")
    monkeypatch.setattr(translation, "FOLDER", tmp_path)
    translation.read.cache_clear()
    assert translation.use("ko") == "ko"
    yield file
    translation.read.cache_clear()
    translation.use("en")


def test_english_is_the_text_itself_with_its_places_filled() -> None:
    assert translation.language() == "en"
    assert tr("100 % of {braces}") == "100 % of {braces}"
    assert tr("{a:,} of {b:.2f} {c!r}", a=1234, b=0.5, c="x") == "1,234 of 0.50 'x'"
    assert [trn("{n:,} box of {what}", "{n:,} boxes of {what}", n, what="a") for n in (0, 1, 2345)] == [
        "0 boxes of a",
        "1 box of a",
        "2,345 boxes of a",
    ]


def test_another_language_has_its_own_order_and_forms(speaks: Path) -> None:
    assert tr("Open pictures…") == "사진 열기…"
    assert tr("{name} in {folder}", name="고양이", folder="/a") == "/a의 고양이를"
    assert [trn("{n:,} box", "{n:,} boxes", n) for n in (1, 1234)] == ["상자 1개", "상자 1,234개"]
    assert tr("Unknown {what}", what=3) == "Unknown 3"


def test_numbers_have_the_signs_of_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation._now, "code", "de")
    assert tr("{n:,} at {x:.2f}, {name}", n=12345, x=0.5, name="a.png") == "12.345 at 0,50, a.png"


def test_pseudo_marks_what_is_translated() -> None:
    translation.use("pseudo")
    try:
        assert tr("Open {what}", what=tr("pictures")) == "⟦Open ⟦pictures⟧⟧"
        assert trn("{n} box", "{n} boxes", 1) == "⟦1 box⟧"
    finally:
        translation.use("en")


@pytest.mark.parametrize(
    "written, said",
    [
        ("모델은(는)", "모델은"),
        ("지도이(가)", "지도가"),
        ("“cat.png”을(를)", "“cat.png”를"),
        ("파일(으)로, 집(으)로, 위(으)로", "파일로, 집으로, 위로"),
        ("3과(와) 4과(와)", "3과 4와"),
        ("재현율 (0.5)은(는)", "재현율 (0.5)은"),
        ("비최대 억제(NMS)을(를)", "비최대 억제(NMS)를"),
        ("은(는)", "는"),
        ("값(0)", "값(0)"),
    ],
)
def test_particles_follow_the_sound_before_them(written: str, said: str) -> None:
    assert korean.particles(written) == said


def test_the_systems_language_is_taken_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    assert translation.system() == "en"
    for values, code in (
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8", "LANGUAGE": "de:ko:en"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
    ):
        with monkeypatch.context() as one:
            for name, value in values.items():
                one.setenv(name, value)
            assert translation.system() == code, values
    assert translation.use("xx") == "en"


def test_the_language_is_a_preference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    assert chosen_language() == ""
    settings = Settings.load()
    settings.language = "ko"
    assert settings.save()
    assert chosen_language() == "ko" and Settings.load().language == "ko"
    (tmp_path / "settings.json").write_text('{"language": "klingon"}', encoding="utf-8")
    dropped = Settings.load()
    assert dropped.language == "" and "klingon" in dropped.notes[0]


def test_qt_reads_the_same_from_the_files(speaks: Path, tmp_path: Path) -> None:
    """What lrelease makes of a file and QTranslator finds in it is what the window says."""
    release = shutil.which("pyside6-lrelease", path=str(Path(sys.executable).parent))
    if release is None:
        pytest.skip("lrelease is not installed")
    for file in (speaks, *sorted((Path(translations.ROOT) / "assets" / "translations").glob("*.ts"))):
        compiled = tmp_path / f"{file.stem}.qm"
        done = subprocess.run([release, file, "-qm", compiled], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "warning" not in (done.stdout + done.stderr).lower(), done.stderr
        qt = QTranslator()
        assert qt.load(str(compiled))
        for context, texts in translation.read(file).items():
            for source, given in texts.items():
                forms = given if isinstance(given, tuple) else (given,)
                found = qt.translate(context, source, None, 1 if isinstance(given, tuple) else -1)
                assert found == forms[0], source
