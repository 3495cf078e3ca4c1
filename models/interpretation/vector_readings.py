"""Readings of a vector of numbers for the whole picture: classes, labels, plain numbers, or an embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.interpretation.network_reading import CLASSES, FEATURES, VALUES, Reading, ranked
from models.loading import heads
from models.loading.heads import Head

SURE, LIKELY, POSSIBLE = 0.9, 0.6, 0.2


def readings(head: Head, part: int, features: Reading, points: Sequence[Reading] = ()) -> tuple[Reading, ...]:
    """Return what the numbers of a head may be, the kind that was recognised first.

    `features` is the reading of the same network as features, which comes first for an embedding. `points` are the
    readings as coordinates.
    """
    kinds = heads.ALONE if head.count == 1 else heads.MANY
    embedding = head.kind == heads.EMBEDDING
    found = [] if embedding else [_of(head, head.kind, part, SURE if _settled(head) else LIKELY)]
    if embedding:
        title = f"embedding: a vector of length 1 with {head.count:,} numbers"
        found.append(Reading(features.id, title, features.kind, SURE, (head.evidence,), features.part))
    found += [_of(head, kind, part, POSSIBLE) for kind in kinds if embedding or kind != head.kind]
    return ranked([*found, *([] if embedding or _settled(head) else points), features])


def named(
    head: Head, part: int, features: Reading, points: Sequence[Reading], *, told: str, name: str
) -> tuple[Head, tuple[Reading, ...]]:
    """Return the head and its readings where an output's `name` tells its kind, as far as the numbers leave it open."""
    if told and head.kind == heads.LOGITS:
        evidence = f"Nothing in its numbers tells what they are, but the output is named {name}."
        if told == VALUES:
            head = replace(head, kind=heads.VALUES, evidence=evidence)
        elif told == FEATURES:
            own = Reading(features.id, features.title, features.kind, SURE, (evidence,), features.part)
            return head, ranked([own, *readings(head, part, features, points)])
        elif points:
            points = [replace(each, evidence=(*each.evidence, evidence)) for each in points]
    return head, readings(head, part, features, points)


def _of(head: Head, kind: str, part: int, fit: float) -> Reading:
    title = heads.OFFER["titles"][kind]
    evidence = (head.evidence,) if kind == head.kind else ()
    what = VALUES if kind == heads.VALUES else CLASSES
    return Reading(kind, title, what, fit, evidence, part, Head(kind, head.count, head.evidence))


def _settled(head: Head) -> bool:
    """Return whether the numbers alone tell what they are: what a softmax, a sigmoid or a logarithm made."""
    return head.kind in (heads.PROBABILITIES, heads.INDEPENDENT, heads.LOG_PROBABILITIES)
