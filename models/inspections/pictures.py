"""Pictures: what a data set holds, without asking the model anything.

The source is the data set. Arrays of the Result, one row per picture: `label` (row of `classes_of_set`, -1 for none),
`objects` (annotated boxes, -1 where there is no ground truth). Meta: `paths` in order, `shown` relative to `root`,
`classes_of_set`, `counts` pictures per class, `splits` by picture or empty, `data_set`, `data_set_kind`, `root`,
`digest`, `set_notes` how it was read, `text` in a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.dataset_pass.asking import listed
from models.inspection import Inspection
from models.types import Int, Result, Source

SLICE = 1000


@dataclass(frozen=True)
class Params:
    """Nothing can be set."""


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return the pictures of a data set. Raises Refusal, such as for a folder without any."""
    stages.progress(None, "list the pictures")
    found = listed(source.path, stages).data_set
    stages.progress(None, "read the labels")
    shown: list[str] = []
    for first in range(0, len(found), SLICE):
        stages.progress(first / len(found), f"{first:,} of {len(found):,} pictures")
        shown += [found.shown(row) for row in range(first, min(first + SLICE, len(found)))]
    stages.progress(1.0, "count the classes")
    objects: Int = found.objects if len(found.objects) else np.full(len(found), -1, np.int64)
    meta = {
        "paths": found.paths,
        "shown": tuple(shown),
        "classes_of_set": found.classes,
        "counts": tuple(int(count) for count in found.counts),
        "splits": found.splits,
        "data_set": found.name,
        "data_set_kind": found.kind,
        "root": found.root,
        "digest": found.digest,
        "set_notes": found.notes,
        "text": f"{len(found):,} pictures in {len(found.classes):,} classes.",
    }
    return Result({"label": found.labels, "objects": objects}, meta)


INSPECTION = Inspection(
    id="pictures",
    title="Pictures of a data set",
    help="What a data set holds: its pictures, their labels, and what was left out.",
    needs=(),
    params=Params,
    answer=answer,
    reads="folder",
)
