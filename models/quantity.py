"""What the numbers are that a network gives for a picture: probabilities or plain values; and as they are written.

No torch, no Qt: both processes speak of them.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from models.types import Result

PROBABILITY, SCORE, VALUE = "probability", "score", "value"
TITLES = {PROBABILITY: "Probability", SCORE: "Score", VALUE: "Value"}
LEAST_SHOWN = 1e-4


def of(result: Result) -> str:
    """Return what the numbers of a classification are: PROBABILITY or VALUE."""
    return str(result.meta.get("quantity", PROBABILITY))


def numbers(result: Result) -> NDArray[Any]:
    """Return the numbers (K,) of a classification: probabilities, or values where they are none."""
    return result.arrays["probabilities" if of(result) == PROBABILITY else "scores"]


def shared(result: Result) -> bool:
    """Tell whether the numbers of a classification are the shares of one whole, which sum to 1 over all classes."""
    return of(result) == PROBABILITY and bool(result.meta.get("distribution", True))


def short(value: float, quantity: str) -> str:
    """Return a number as it stands in a sentence: a probability in per cent, a value in four digits that count."""
    return f"{value:.1%}" if quantity == PROBABILITY else in_digits(value)


def column(value: float, quantity: str) -> str:
    """Return a number as it stands in a list: a probability to four places, a value in four digits that count."""
    if quantity != PROBABILITY:
        return in_digits(value)
    return f"{value:.4f}" if value >= LEAST_SHOWN or value == 0 else f"<{LEAST_SHOWN:.4f}"


def in_digits(value: float) -> str:
    """Return a value in four digits that count; whole thousands are written out."""
    size = abs(value)
    if size >= 1e6 or size < 1:
        return f"{value:.4g}"
    return f"{value:,.{max(0, 4 - len(str(int(size))))}f}"
