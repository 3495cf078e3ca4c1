"""Which of a network's outputs are boxes (1, R, 4), and which are their scores (1, R, K)."""

from __future__ import annotations

from torch import Tensor

SCORED, BOXED = ("label", "logit", "score", "class", "cls", "prob", "conf"), ("box", "det", "coord", "loc", "reg")


def boxes_of(tensors: list[tuple[str, Tensor]], scores: int) -> int:
    """Return the index of the boxes (1, R, 4) that belong to scores (1, R, K), -1 if there are none."""
    wanted = tensors[scores][1].shape[:2]
    found = [i for i, (_, t) in enumerate(tensors) if i != scores and t.shape == (*wanted, 4) and t.shape[1] > 1]
    return found[0] if found else -1


def pairs(tensors: list[tuple[str, Tensor]]) -> list[tuple[int, int, float]]:
    """Return where scores (1, R, K) and boxes (1, R, 4) may be, with how well that fits, the likeliest first.

    Two outputs of four columns may be either way round. Names tell it, then numbers: scores before a sigmoid or softmax
    go far below 0, boxes hardly. Where neither does, both fit alike.
    """
    found = [(i, boxes_of(tensors, i)) for i, (_, t) in enumerate(tensors) if t.ndim == 3 and t.shape[2] != 4]
    if sure := [(part, place, 0.9) for part, place in found if place >= 0]:
        return sure[:1]
    part = next((i for i, (_, t) in enumerate(tensors) if t.ndim == 3 and boxes_of(tensors, i) >= 0), -1)
    if part < 0:
        return []
    place = boxes_of(tensors, part)
    first = _scores_of_two(tensors[part], tensors[place])
    if first is None:
        return [(part, place, 0.55), (place, part, 0.55)]
    scores, boxes = (part, place) if first else (place, part)
    return [(scores, boxes, 0.9), (boxes, scores, 0.3)]


def _scores_of_two(own: tuple[str, Tensor], other: tuple[str, Tensor]) -> bool | None:
    """Return whether of two outputs (1, R, 4) the first holds scores, None where neither names nor numbers tell."""
    named = [
        any(word in name.lower() for word in SCORED) - any(word in name.lower() for word in BOXED)
        for name, _ in (own, other)
    ]
    if named[0] != named[1]:
        return named[0] > named[1]
    low = [float(tensor.min()) < -1 for _, tensor in (own, other)]
    return low[0] if low[0] != low[1] else None
