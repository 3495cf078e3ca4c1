"""The confusion matrix of a detector: which classes are confused with each other and with background.

Matching rule: from the highest score down, each detection takes the free object of any class that it overlaps most, if
the IoU is at least the threshold. A detection that takes none is a false positive, unless it lies in a crowd; an object
that is not taken is a false negative.
"""

from __future__ import annotations

import numpy as np

from models.evaluation.matched import Matched
from models.types import Int


def confusion(matched: Matched, score: float) -> Int:
    """Return counts (C + 1, C + 1): rows are classes of objects, columns classes of detections.

    The last row counts detections on background, the last column objects without a detection.
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
