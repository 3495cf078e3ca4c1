"""What a network's numbers for an image are (probabilities or plain values), and how they are written.

Both processes use it.
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
    """Return the numbers (K,) of a classification: probabilities, or else plain values."""
    return result.arrays["probabilities" if of(result) == PROBABILITY else "scores"]


def shared(result: Result) -> bool:
    """Return whether the numbers of a classification are probabilities that sum to 1 over all classes."""
    return of(result) == PROBABILITY and bool(result.meta.get("distribution", True))


def short(value: float, quantity: str) -> str:
    """Format a number for a sentence: a probability in per cent, a value with four significant digits."""
    return f"{value:.1%}" if quantity == PROBABILITY else in_digits(value)


def column(value: float, quantity: str) -> str:
    """Format a number for a list: a probability to four decimal places, a value with four significant digits."""
    if quantity != PROBABILITY:
        return in_digits(value)
    return f"{value:.4f}" if value >= LEAST_SHOWN or value == 0 else f"<{LEAST_SHOWN:.4f}"


def in_digits(value: float) -> str:
    """Format a value with four significant digits; thousands are written out."""
    size = abs(value)
    if size >= 1e6 or size < 1:
        return f"{value:.4g}"
    return f"{value:,.{max(0, 4 - len(str(int(size))))}f}"
