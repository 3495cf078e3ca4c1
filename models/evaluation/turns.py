"""Who gets which object: detections in order of rank, each takes the best free one. For all pictures at once."""

from __future__ import annotations

import numpy as np

from models.types import Bool, Int


def take_turns(candidate: Int, item: Int, *, candidates: int, items: int) -> Int:
    """Return the rows of the pairs in which the candidate gets the object.

    The pairs (P,) are in order of rank of their candidates, each candidate's best object first. It is one candidate's
    turn after the other, but a candidate need not wait for those that want nothing of what it wants: in each round all
    are served that come first at the best object left to them.
    """
    left = np.arange(len(candidate))
    first_at = np.empty(items, np.intp)
    served: Bool = np.zeros(candidates, np.bool_)
    gone: Bool = np.zeros(items, np.bool_)
    taken = [left[:0]]
    while len(left):
        who, what = candidate[left], item[left]
        rows = np.arange(len(left))
        first_at[what[::-1]] = rows[::-1]  # numpy lets the last of repeated writes stand
        now = first_at[what] == rows
        now[1:] &= who[1:] != who[:-1]
        taken.append(left[now])
        served[who[now]] = True
        gone[what[now]] = True
        left = left[~(served[who] | gone[what])]
    return np.concatenate(taken)
