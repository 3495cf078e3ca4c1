"""Choose the Korean particles of filled texts: 은(는), 이(가), 을(를), 과(와) and (으)로, by the sound before them."""

from __future__ import annotations

import re

# The particle after a consonant, and after a vowel.
PAIRS = {
    "은(는)": ("은", "는"),
    "이(가)": ("이", "가"),
    "을(를)": ("을", "를"),
    "과(와)": ("과", "와"),
    "(이)나": ("이나", "나"),
    "(이)라": ("이라", "라"),
    "(으)로": ("으로", "로"),
}
WRITTEN = re.compile("|".join(re.escape(pair) for pair in PAIRS))
QUOTES = "\"'”’」』]}>.… \xa0"  # what stands between a word and its particle without being read
FIRST, LAST, FINALS, RIEUL = 0xAC00, 0xD7A3, 28, 8
NO_FINAL, WITH_RIEUL, WITH_FINAL = range(3)
# How the digits and single letters of the alphabet end when read in Korean: 영 일 이 삼 …, 에이 비 … 엘 엠 엔 … 알.
ENDINGS = {**dict.fromkeys("178lrLR", WITH_RIEUL), **dict.fromkeys("036mnMN", WITH_FINAL)}


def particles(text: str) -> str:
    """Return a text with each written pair, such as 은(는), replaced by the one that fits the word before it."""
    if "(" not in text:
        return text
    return WRITTEN.sub(lambda found: _fitting(found, text), text)


def _fitting(found: re.Match[str], text: str) -> str:
    before = text[: found.start()].rstrip(QUOTES)
    ending = _ending(re.sub(r"\s*\([^()]*\)$", "", before).rstrip(QUOTES + ")") or before)
    after_consonant, after_vowel = PAIRS[found[0]]
    if ending == NO_FINAL or (ending == WITH_RIEUL and found[0] == "(으)로"):
        return after_vowel
    return after_consonant


def _ending(word: str) -> int:
    """Return how a word ends when it is read aloud."""
    if not word:
        return NO_FINAL
    last = word[-1]
    if FIRST <= ord(last) <= LAST:
        final = (ord(last) - FIRST) % FINALS
        return NO_FINAL if not final else WITH_RIEUL if final == RIEUL else WITH_FINAL
    return ENDINGS.get(last, NO_FINAL)
