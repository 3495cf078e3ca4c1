"""Find the tokens of a transformer that have no position, such as class tokens.

They are the ones whose values, before any attention, are the same for two different pictures.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from models.subject import Subject
from models.tracing.traced_calls import BEFORE, Call, Trace, traced

COMPARED = 3  # calls of one length: the first may be a table of positions, which no picture changes


class _SeenEnoughError(Exception):
    pass


def settled(subject: Subject, trace: Trace) -> Trace:
    """Return a trace whose layouts say correctly whether tokens without a position precede or follow the positions.

    Sequences are compared at the first calls that have their length, before attention mixes the tokens. The result is
    remembered for each network.
    """
    rows: dict[int, list[Call]] = {}
    for call in trace.calls:
        if call.layout.before + call.layout.after and call.shape[0] == 1:
            rows.setdefault(call.shape[1], []).append(call)
    known = BEFORE.setdefault(subject.net, {})
    if not rows.keys() - known.keys():
        return trace
    ids = {call.id for calls in rows.values() for call in calls[:COMPARED]}
    found = [_rows(subject, x, ids) for x in (subject.input, 0.5 * subject.input + 0.3)]
    for tokens, calls in rows.items():
        counts = (_lead(call, *(each.get(call.id) for each in found)) for call in calls[:COMPARED])
        layout = calls[0].layout
        known[tokens] = next((lead for lead in counts if lead is not None), layout.before + layout.after)
    for row, call in enumerate(trace.calls):
        layout = call.layout
        if layout.before + layout.after and call.shape[0] == 1 and known.get(call.shape[1]) != layout.before:
            more, first = layout.before + layout.after, known[call.shape[1]]
            moved = dataclasses.replace(layout, before=first, after=more - first)
            trace.calls[row] = dataclasses.replace(call, layout=moved)
    return trace


def _lead(call: Call, one: Tensor | None, other: Tensor | None) -> int | None:
    """Return how many tokens without a position precede the others, None if two values of a call do not tell."""
    if one is None or other is None or one.shape != other.shape:
        return None
    same = (one == other).all(-1)[0].tolist()
    more = call.layout.before + call.layout.after
    lead = next((i for i, each in enumerate(same) if not each), len(same))
    return lead if sum(same) == more and all(same[len(same) - (more - lead) :]) else None


def _rows(subject: Subject, x: Tensor, ids: set[str]) -> dict[str, Tensor]:
    """Return the outputs of some calls, in a pass that stops after the last of them."""
    kept: dict[str, Tensor] = {}

    def see(call: Call, value: Tensor) -> None:
        if call.id in ids:
            kept[call.id] = value.detach().float().clone()
            if len(kept) == len(ids):
                raise _SeenEnoughError

    try:
        with torch.inference_mode(False), torch.no_grad(), traced(subject.net, size=subject.size, see=see):
            subject.scores(x.detach().clone())
    except _SeenEnoughError:
        pass
    return kept
