"""The passes of a network while it is opened: of a graph that keeps no state, each input is asked once.

The first pass on a second picture is made together with the one before it, which also tells whether pictures may be
asked together; so what is found out later about batches has been paid for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.exported.pure_graph import batch_of
from models.loading.returned_tensors import leaves
from models.types import Cancelled, Refusal

TOGETHER, APART, DIFFERS = "together", "apart", "differs"
TOLERANCE = {"cpu": 1e-4}  # of the largest number: kernels for other batch sizes and layouts round differently
TOLERANCE_ELSEWHERE = 5e-3  # GPUs may round to 10 bits (TF32)


class AskedPasses:
    """Ask a network about inputs (1, C, h, w); call it as the network.

    `batches` is what was seen of two pictures asked together: "together" where each gets the answer that it gets alone,
    "differs" where not, "apart" where the network takes one at a time, "" where that was not tried.
    """

    def __init__(self, net: nn.Module) -> None:
        self._net, self._kept = net, []
        pure = batch_of(net)
        self._pure, self.batches = pure is not None, "" if pure == 0 else APART

    def __call__(self, x: Tensor) -> Any:
        """Return what the network returns for an input."""
        if not self._pure or len(x) != 1:
            return self._net(x)
        for known, made in self._kept:
            if known.shape == x.shape and torch.equal(known, x):
                return made
        made = self._beside(x)
        return self.keep(x, self._net(x) if made is None else made)

    def keep(self, x: Tensor, made: Any) -> Any:
        """Remember what the network returned for an input; return that."""
        if self._pure:
            self._kept.append((x, made))
        return made

    def settled(self, x: Tensor) -> str:
        """Return whether pictures may be asked together; `x` is what is asked where nothing has told yet."""
        if self._pure and not self.batches:
            self(x)
        return self.batches

    def _beside(self, x: Tensor) -> Any:
        """Return the answer for an input from a pass together with one before it, None where that tells nothing."""
        before = next(((known, made) for known, made in self._kept if known.shape == x.shape), None)
        if self.batches or before is None:
            return None
        self.batches, made = beside(self._net, *before, x)
        return made


def beside(net: Any, known: Tensor, alone: Any, x: Tensor) -> tuple[str, Any]:
    """Return whether an input gets the same answer with another beside it, and if so the answer for that other.

    `alone` is what the network returned for the input `known`.
    """
    try:
        both = net(torch.cat([known, x]))
    except (Refusal, Cancelled):
        raise
    except Exception:  # a graph exported for one picture at a time may raise anything
        return APART, None
    ones, twos = ([value for _, value in leaves(made) if isinstance(value, Tensor)] for made in (alone, both))
    if len(ones) != len(twos) or not all(_first_of_both(one, two) for one, two in zip(ones, twos, strict=True)):
        return DIFFERS, None
    return TOGETHER, _second(both)


def _first_of_both(one: Tensor, two: Tensor) -> bool:
    return bool(one.ndim) and (len(one), len(two)) == (1, 2) and close(one.float(), two[:1].float())


def _second(made: Any) -> Any:
    """Return what a network returned for two inputs with the second's rows alone; None for unknown containers."""
    if isinstance(made, Tensor):
        return made[1:2]
    if type(made) is dict:
        parts = {name: _second(value) for name, value in made.items()}
        return None if any(part is None for part in parts.values()) else parts
    if type(made) in (list, tuple):
        rows = [_second(value) for value in made]
        return None if any(row is None for row in rows) else type(made)(rows)
    return None


def close(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are equal but for rounding; what is not finite must be so in both."""
    if a.shape != b.shape:
        return False
    finite = torch.where(a.isfinite() & b.isfinite(), (a - b).abs(), torch.zeros_like(a))
    if not torch.equal(a.isfinite(), b.isfinite()):
        return False
    largest = torch.where(a.isfinite(), a.abs(), torch.zeros_like(a)).max() if a.numel() else a.new_zeros(())
    tolerance = TOLERANCE.get(a.device.type, TOLERANCE_ELSEWHERE)
    return bool((finite <= tolerance * largest).all())
