"""The reading of outputs that are sequences of symbols, as of networks that read text. It is said, not decoded."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from models.interpretation.network_reading import TEXT, Reading

FEWEST_SYMBOLS, FEWEST_STEPS = 11, 8
SUM_OFF = 1e-3


def by_shape(floats: Sequence[Tensor], size: tuple[int, int]) -> list[Reading]:
    """Return the readings of outputs (1, T, V) or (T, 1, V) whose V numbers are a distribution at each of T steps."""
    found = []
    for part, tensor in enumerate(floats):
        if tensor.ndim != 3 or 1 not in tensor.shape[:2]:
            continue
        steps, symbols = max(tensor.shape[:2]), tensor.shape[2]
        if symbols < FEWEST_SYMBOLS or steps < FEWEST_STEPS or steps > max(size):
            continue
        rows = tensor.reshape(steps, symbols).double()
        chance = rows.min() >= 0 and ((rows.sum(1) - 1).abs() < SUM_OFF).all()
        logarithm = rows.max() <= SUM_OFF and ((rows.exp().sum(1) - 1).abs() < SUM_OFF).all()
        first = tensor.shape[1] == 1 and size[1] % steps == 0  # steps before pictures, as CTC's loss wants them
        if chance or logarithm or first:
            evidence = f"At each of {steps} steps a distribution over {symbols} symbols: text, which is not read here."
            title = f"text: {steps} steps over {symbols:,} symbols"
            found.append(Reading("text", title, TEXT, 0.9 if chance or logarithm else 0.6, (evidence,), part))
    return found
