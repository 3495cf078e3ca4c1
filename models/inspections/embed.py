"""Embed: one pass of the model over a data set, which gives every picture a vector and a prediction.

The source is the data set. The answer covers the pictures looked at so far; the others follow while the engine is idle,
and the meta says `partial` until all are done. Arrays of the Result, one row per picture in the order of the data set:
`state` (0 waiting, 1 done, 2 failed), `label` (row of `set_classes`, -1 for none), `prediction` (row of the model's
`classes`, -1 for none), `confidence` (0 where unknown), `right` (1 right, 0 wrong, -1 unknown), `detections` (-1 where
unknown), `width` and `height` (0 where unknown). Meta: `data_set`, `data_set_kind`, `digest`, `set_classes`, `classes`,
`set_notes` how the data set was read, `problems` one line per failed picture, `layer` with `layer_title`, `pooling` and
`why_layer`, `dimensions` of the vectors, `folder` of the part files and `parts`, the first row and the key of each;
`collected`, `failed`, `of`, and `accuracy` of those with a label that the model knows (-1 if none).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.dataset_pass.asking import KIND, Asked, LayerParams, ask
from models.dataset_pass.forward import lacks
from models.dataset_pass.products.embeddings import array_name
from models.datasets.collected import Collected, lines
from models.inspection import Inspection
from models.params import param
from models.runtime.context import go_on
from models.types import Refusal, Result, Source


@dataclass(frozen=True)
class Params(LayerParams):
    """The layer that becomes the vector, and whether the pass goes on."""

    collect: bool = param(True, "Collect", "Continue with the pictures that are not looked at yet.")
    retry: bool = param(False, "Again", "Look again at the pictures that failed.")


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return what is known of the pictures so far. Raises Refusal, such as for a folder without pictures."""
    asked = ask(model, source.path, stages, params)
    job = asked.standard(stages, params.at, retry=params.retry)
    if params.collect:
        go_on(stages, KIND, job)
    elif job.failure is not None:
        failure, job.failure = job.failure, None
        raise failure
    found = job.collected
    arrays = table(found, asked)
    partial = params.collect and not job.complete
    if not partial and not found.done and job.complete:
        first = next(iter(found.failures.values()), "")
        raise Refusal(f"None of the {len(asked.data_set):,} pictures could be used. The first: {first}")
    right = arrays["right"]
    known = right >= 0
    pieces = found.chunks(array_name(0))
    meta = {
        **asked.about,
        **job.about,
        "classes": model.card.classes,
        "problems": tuple(lines(found.failures, asked.data_set)),
        "dimensions": int(pieces[0][1].shape[1]) if pieces else 0,
        "folder": str(job.folder),
        "parts": tuple(job.done_parts),
        "accuracy": float(right[known].mean()) if known.any() else -1.0,
        "judged": int(known.sum()),
        "partial": partial,
        "complete": job.complete,
    }
    return Result(arrays, meta)


def table(found: Collected, asked: Asked) -> dict[str, np.ndarray]:
    """Return the columns of what was found, as described above."""
    data_set = asked.data_set
    prediction = found.column("prediction", -1, np.int64)
    ids = data_set.label_ids(asked.model.card.classes)
    wanted = np.where(data_set.labels >= 0, ids[data_set.labels], -1) if len(ids) else np.full(len(data_set), -1)
    judged = asked.forward.classifies & (wanted >= 0) & (prediction >= 0)
    return {
        "state": found.state,
        "label": data_set.labels,
        "prediction": prediction,
        "confidence": found.column("confidence", 0.0, np.float32),
        "right": np.where(judged, prediction == wanted, -1).astype(np.int8),
        "detections": found.column("detections", -1, np.int64),
        "width": found.column("width", 0, np.int64),
        "height": found.column("height", 0, np.int64),
    }


INSPECTION = Inspection(
    id="embed",
    title="Data set",
    help="Every picture of a data set: its vector in a layer and what the model says of it.",
    needs=(),
    params=Params,
    answer=answer,
    reads="folder",
    lacks=lacks,
)
