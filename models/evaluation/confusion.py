"""The confusion matrix: which classes are taken for which, and for background.

Rule: from the highest score down, each detection takes the free object that it overlaps most, of whatever class, if
the IoU is at least the threshold. What takes none is a false alarm unless it lies in a crowd, what is not taken is
missed.
"""

from __future__ import annotations

import numpy as np

from models.evaluation.matched import Matched
from models.types import Int


def confusion(matched: Matched, score: float) -> Int:
    """Return (C + 1, C + 1) counts: the row is the class of the object, the column that of the detection.

    The last row counts detections on background, the last column objects that nothing was found on.
    """
    table, classes = matched.table, len(matched.positives)
    counted = np.flatnonzero(matched.counted)
    finder = matched.finder[counted]
    found = np.flatnonzero(finder >= 0)
    found = found[table.score[finder[found]] > np.float32(score)]
    row = table.truth_kind[counted].astype(np.int64)
    column = np.full(len(counted), classes)
    column[found] = table.kind[finder[found]]
    matrix = np.bincount(row * (classes + 1) + column, minlength=(classes + 1) ** 2).reshape(classes + 1, classes + 1)
    stray = ~(matched.taken | matched.excused) & (matched.score > np.float32(score))
    matrix[classes, :classes] = np.bincount(matched.kind[stray], minlength=classes)
    return matrix
