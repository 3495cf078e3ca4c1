"""Greedy matching: in order of rank, each detection takes the best free object, vectorised over all pictures."""

from __future__ import annotations

import numpy as np

from models.types import Bool, Int


def take_turns(candidate: Int, item: Int, *, candidates: int, items: int) -> Int:
    """Return the rows of the pairs in which the candidate gets the object.

    The pairs (P,) are sorted by the rank of their candidates, each candidate's best object first. Candidates are served
    in order of rank, but one need not wait for others that compete for different objects: each round serves every
    candidate that comes first at the best object left to it.
    """
    left = np.arange(len(candidate))
    first_at = np.empty(items, np.intp)
    served: Bool = np.zeros(candidates, np.bool_)
    gone: Bool = np.zeros(items, np.bool_)
    taken = [left[:0]]
    while len(left):
        who, what = candidate[left], item[left]
        rows = np.arange(len(left))
        first_at[what[::-1]] = rows[::-1]  # numpy keeps the last of repeated writes: the first row
        now = first_at[what] == rows
        now[1:] &= who[1:] != who[:-1]
        taken.append(left[now])
        served[who[now]] = True
        gone[what[now]] = True
        left = left[~(served[who] | gone[what])]
    return np.concatenate(taken)
