"""Find the tokens of a transformer that have no position, such as class tokens.

They are the ones whose values, before any attention, are the same for two different pictures.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from models.subject import Subject
from models.tracing.traced_calls import BEFORE, Call, Trace, traced


class _SeenEnoughError(Exception):
    pass


def settled(subject: Subject, trace: Trace) -> Trace:
    """Return a trace whose layouts say correctly whether tokens without a position precede or follow the positions.

    Sequences are compared at the first call that has their length, before attention mixes the tokens. The result is
    remembered for each network.
    """
    rows = {c.shape[1]: c for c in reversed(trace.calls) if c.layout.before + c.layout.after and c.shape[0] == 1}
    known = BEFORE.setdefault(subject.net, {})
    if not rows.keys() - known.keys():
        return trace
    found = [_rows(subject, x, {c.id for c in rows.values()}) for x in (subject.input, 0.5 * subject.input + 0.3)]
    for tokens, call in rows.items():
        one, other = (each.get(call.id) for each in found)
        more = call.layout.before + call.layout.after
        before = more
        if one is not None and other is not None and one.shape == other.shape:
            same = (one == other).all(-1)[0].tolist()
            lead = next((i for i, each in enumerate(same) if not each), len(same))
            if sum(same) == more and all(same[len(same) - (more - lead) :]):
                before = lead
        known[tokens] = before
    for row, call in enumerate(trace.calls):
        layout = call.layout
        if layout.before + layout.after and call.shape[0] == 1 and known.get(call.shape[1]) != layout.before:
            more, first = layout.before + layout.after, known[call.shape[1]]
            moved = dataclasses.replace(layout, before=first, after=more - first)
            trace.calls[row] = dataclasses.replace(call, layout=moved)
    return trace


def _rows(subject: Subject, x: Tensor, ids: set[str]) -> dict[str, Tensor]:
    """Return the outputs of some calls, in a pass that stops after the last of them."""
    kept: dict[str, Tensor] = {}

    def see(call: Call, value: Tensor) -> None:
        if call.id in ids:
            kept[call.id] = value.detach().clone()
            if len(kept) == len(ids):
                raise _SeenEnoughError

    try:
        with torch.inference_mode(False), torch.no_grad(), traced(subject.net, size=subject.size, see=see):
            subject.scores(x.detach().clone())
    except _SeenEnoughError:
        pass
    return kept
