"""Texts of models/ in the language of the window: recognised by templates, sentence by sentence, else left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import translations
from models.params import Parameter
from models.types import Failure, Result
from viewer import engine_texts, translation
from viewer.engine_texts import shown

TEXTS = {
    "{path} cannot be read: {error}.": "{path}을(를) 읽을 수 없습니다: {error}.",
    "Choose another.": "다른 것을 고르세요.",
    "{name} has no {what}": "{name}에 {what}이(가) 없음",
    "anchors": "앵커",
    "Score": "점수",
    "Boxes with a higher score are shown.": "점수가 더 높은 상자를 표시합니다.",
    "100 % {{of}} {count} rows": "{count}행의 100 % {{전부}}",
    "{name} finds no boxes.": "{name}은(는) 상자를 찾지 않습니다.",
    "{count} boxes: {what} take part.": "상자 {count}개 중 {what}개가 쓰입니다.",
}


@pytest.fixture
def speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    file = tmp_path / "ko.ts"
    content = translations.document(
        "ko", {translation.ENGINE: dict.fromkeys(TEXTS, False)}, {translation.ENGINE: TEXTS}
    )
    file.write_text(content, encoding="utf-8")
    monkeypatch.setattr(translation, "FOLDER", tmp_path)
    caches = (translation.read.cache_clear, engine_texts._matcher.cache_clear, engine_texts._shown.cache_clear)
    for clear in caches:
        clear()
    translation.use("ko")
    yield
    for clear in caches:
        clear()
    translation.use("en")


def test_in_english_every_text_and_answer_stays_as_it_is() -> None:
    failure, result = Failure("There is no class 11.", "Choose another."), Result({}, {"text": "Score"})
    assert shown("a.png cannot be read: no permission.") == "a.png cannot be read: no permission."
    assert engine_texts.arrived(failure) is failure and engine_texts.arrived(result) is result


@pytest.mark.parametrize(
    "english, korean",
    [
        ("Score", "점수"),
        ("a.png cannot be read: it is gone.", "a.png를 읽을 수 없습니다: it is gone."),
        (
            "a.png cannot be read: it is gone. Choose another.",
            "a.png를 읽을 수 없습니다: it is gone. 다른 것을 고르세요.",
        ),
        ("digits-ssd has no anchors", "digits-ssd에 앵커가 없음"),
        ("100 % {of} 12 rows", "12행의 100 % {전부}"),
        ("Nobody wrote this. Choose another.", "Nobody wrote this. 다른 것을 고르세요."),
        ("Nobody wrote this.", "Nobody wrote this."),
        ("손글씨: a.png cannot be read: x.", "손글씨: a.png를 읽을 수 없습니다: x."),
        ("", ""),
        # A place at the beginning of a sentence leaves the sentence before it alone; lists are translated one by one.
        ("Choose another. 12 boxes: 3 take part.", "다른 것을 고르세요. 상자 12개 중 3개가 쓰입니다."),
        ("Net has no 2 × anchors, 3 × Score", "Net에 2 × 앵커, 3 × 점수가 없음"),
    ],
)
@pytest.mark.usefixtures("speaks")
def test_texts_are_recognised_by_their_fixed_words(english: str, korean: str) -> None:
    assert shown(english) == korean


@pytest.mark.usefixtures("speaks")
def test_failures_and_parameters_change_their_sentences_and_keep_their_values() -> None:
    found = engine_texts.arrived(Failure("m finds no boxes.", "Choose another.", "trace", offer=("model", "x", "y")))
    assert found == Failure("m은 상자를 찾지 않습니다.", "다른 것을 고르세요.", "trace", offer=("model", "x", "y"))
    given = Parameter(
        "score", "Score", "choice", "anchors", help="Boxes with a higher score are shown.", choices=("anchors",)
    )
    named = engine_texts.named(given)
    assert (named.title, named.help) == ("점수", "점수가 더 높은 상자를 표시합니다.")
    assert (named.name, named.default, named.choices) == ("score", "anchors", ("anchors",))


def test_the_texts_of_the_code_are_found() -> None:
    """Sentences with places, titles and cards; no names, keys, patterns or documentation."""
    found = translations.engine_texts()
    for text in (
        "Score",
        "Boxes with a higher score are shown.",
        "Finds handwritten digits, 0 to 9.",
        "{name} finds no boxes.",
    ):
        assert text in found
    for text in ("Detects", "scores", "utf-8", "ValueError"):
        assert text not in found
    assert any(text.startswith("There is no class {") for text in found)
