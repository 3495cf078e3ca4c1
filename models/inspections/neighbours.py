"""Neighbours: the pictures of a data set that are nearest to the picture, or to a box or region of it, in a layer.

The answer covers the pictures of the data set looked at so far; the meta says `partial` until all are. The picture
itself is left out where the data set has it, and copies of it are not. Arrays of the Result, nearest first: `rows` (K,)
in the data set, `distances` (K,), `ratios` (K,) over the typical distance of a picture of the set to its own nearest
neighbour, `labels` (K,) rows of `set_classes`, `predictions` (K,) rows of `classes`, `hubs` (K,) how often each is
among the 10 nearest of the pictures compared, `pictures` (K, s, s, 3) uint8 thumbnails.

Meta: `neighbours`, a dictionary each with `path`, `distance`, `rank` and more; `typical`, the distance that ratios
refer to; `metric`; `layer`, `layer_title`, `pooling`, `why_layer`; `votes`, the labels among the neighbours with their
counts; `agreement`, the share of labelled neighbours with the label of the picture, -1 if that is unknown;
`hub_typical`, how often a picture is a neighbour on average; `text`, the finding in words; `compared`, how many
pictures typical distances and hubs are from; `notes`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from models import files
from models.dataset_pass.asking import FOLDER_HELP, KIND, Asked, LayerParams, ask
from models.dataset_pass.comparison import graph_of, own_metric
from models.dataset_pass.forward import lacks
from models.dataset_pass.job import Job
from models.dataset_pass.picture_vector import own_row, vector_of
from models.datasets.nearest import COSINE, METRICS, nearest
from models.datasets.neighbour_graph import Graph, agreement
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.runtime.context import go_on
from models.subject import Rect
from models.types import Pixels, Refusal, Result

THUMBNAIL_PX = 96


@dataclass(frozen=True)
class Params(LayerParams):
    """The data set, what is compared, and how many neighbours are listed."""

    folder: str = param("", "Data set", FOLDER_HELP)
    count: int = param(6, "Nearest", "How many pictures are listed.", low=1, high=1000, step=1)
    metric: str = param(
        COSINE,
        "Distance",
        "Cosine compares directions only; Euclidean compares lengths too.",
        choices=METRICS,
        titles=("Cosine", "Euclidean"),
    )
    box: int = param(
        -1,
        "Box",
        "Compare a detection's box, by its id, instead of the picture; -1 is the whole picture.",
        low=-1,
        high=2**31 - 1,
        step=1,
        needs="Detects",
    )
    region: str = param("", "Region", "x0,y0,x1,y1 in pixels of the picture: compare this part of it.")
    itself: bool = param(False, "The picture too", "List the picture itself where the data set has it.")


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the nearest pictures of the data set so far. Raises Refusal."""
    region = _region(model, pixels, params, stages)
    asked = ask(model, params.folder, stages, params, pixels=pixels, regional=region is not None)
    query = vector_of(asked, pixels, region, params.at)
    job = asked.standard(stages, params.at)
    go_on(stages, KIND, job)
    graph, vectors = graph_of(job, asked, params.metric, stages)
    own = -1 if params.itself else own_row(asked, stages.source.path if stages.source else "")
    if vectors.width and vectors.width != len(query):
        raise Refusal(
            f"{asked.layer.title} has {len(query)} values for this picture and {vectors.width} for the data set.",
            advice="Choose a layer whose size does not depend on the picture, or the mean over its places.",
        )
    rows, distances = nearest(query[None], vectors, count=params.count, metric=params.metric, without=np.array([own]))
    found = np.flatnonzero(rows[0] >= 0) if rows.size else np.zeros(0, np.int64)
    rows, distances = rows[0][found] if rows.size else found, distances[0][found] if rows.size else np.zeros(0)
    if region is None and stages.source is not None and len(rows):
        # A copy's vector differs in the last digits where it went through the network in another batch.
        copies = job.collected.column("sha256", "")[rows] == files.sha256(stages.source.path)
        distances = np.where(copies, 0.0, distances)
        order = np.lexsort((rows, distances))
        rows, distances = rows[order], distances[order]
    return _result(asked, job, graph, params, (rows, distances, own))


def _result(asked: Asked, job: Job, graph: Graph, params: Params, found: tuple[np.ndarray, np.ndarray, int]) -> Result:
    rows, distances, own = found
    data_set, typical = asked.data_set, graph.typical
    labels = data_set.labels[rows]
    predictions = job.collected.column("prediction", -1, np.int64)[rows]
    occurrences = graph.occurrences()[rows] if graph.count else np.zeros(len(rows), np.int64)
    ratios = distances / typical if typical > 0 else np.full(len(rows), -1.0)
    listed = [
        {
            "path": data_set.paths[row],
            "distance": float(distances[rank]),
            "rank": rank + 1,
            "ratio": float(ratios[rank]) if typical > 0 else None,
            "label": data_set.label(row),
            "prediction": _name(asked.model.card.classes, int(predictions[rank])),
            "neighbour_of": int(occurrences[rank]),
        }
        for rank, row in enumerate(rows.tolist())
    ]
    own_label = int(data_set.labels[own]) if own >= 0 else -1
    agreed = agreement(rows, data_set.labels, own_label)
    votes = Counter(data_set.label(row) for row in rows.tolist() if data_set.labels[row] >= 0)
    arrays = {
        "rows": rows.astype(np.int64),
        "distances": distances.astype(np.float64),
        "ratios": ratios.astype(np.float64),
        "labels": labels.astype(np.int64),
        "predictions": predictions,
        "hubs": occurrences,
        "pictures": _thumbnails([data_set.paths[row] for row in rows.tolist()]),
    }
    compared = int(graph.compared.sum())
    meta = {
        **asked.about,
        **job.about,
        "neighbours": listed,
        "metric": params.metric,
        "typical": typical,
        "compared": compared,
        "hub_typical": graph.count * compared / max(job.collected.done, 1),
        "votes": votes.most_common(),
        "own_label": data_set.label(own) if own >= 0 else "",
        "agreement": -1.0 if np.isnan(agreed) else agreed,
        "classes": asked.model.card.classes,
        "notes": tuple(_notes(asked, job, graph, params, rows)),
        "text": _text(asked, job, (votes, ratios)),
        "partial": not job.complete or (not graph.complete and len(data_set) <= MOST_AT_ONCE),
        "complete": job.complete,
    }
    return Result(arrays, meta)


def _text(asked: Asked, job: Job, found: tuple[Counter[str], np.ndarray]) -> str:
    """Return the finding in sentences."""
    votes, ratios = found
    done, of = job.collected.done, len(asked.data_set)
    told = [f"Compared with {done:,} of {of:,} pictures in {asked.layer.title}."]
    if len(ratios) and ratios[0] >= 0:
        told.append(f"The nearest is {ratios[0]:.2f} times as far as pictures of this set usually are from theirs.")
    if votes:
        label, count = votes.most_common(1)[0]
        told.append(f"Of {sum(votes.values()):,} labelled neighbours {count:,} are {label}.")
    return " ".join(told)


MOST_AT_ONCE = 3000  # pictures; above, the answer does not wait until all are compared with each other


def _notes(asked: Asked, job: Job, graph: Graph, params: Params, rows: np.ndarray) -> list[str]:
    """Return what somebody who reads the answer has to know."""
    found, done = [], job.collected.done
    if len(rows) < params.count and job.complete:
        found.append(f"The data set has {done:,} pictures that can be compared, fewer than the {params.count:,} asked.")
    if graph.count and graph.complete and graph.typical == 0:
        found.append("Most pictures have exactly the same vector in this layer: distances tell nothing.")
    if failed := len(job.collected.failures):
        found.append(f"Pictures that could not be compared: {failed:,}.")
    return found


def _region(model: Any, pixels: Pixels, params: Params, stages: Any) -> Rect | None:
    """Return the part of the picture that is compared, None for all of it. Raises Refusal."""
    height, width = pixels.shape[:2]
    if params.region:
        try:
            x0, y0, x1, y1 = (float(each) for each in params.region.split(","))
        except ValueError:
            raise Refusal(
                f"{params.region} is no region.", advice="Give x0,y0,x1,y1 in pixels of the picture."
            ) from None
        x0, x1 = sorted(min(max(v, 0.0), float(width)) for v in (x0, x1))
        y0, y1 = sorted(min(max(v, 0.0), float(height)) for v in (y0, y1))
        if x1 - x0 < 1e-6 or y1 - y0 < 1e-6:
            raise Refusal(
                f"The region {params.region} has no area inside the picture, which is {width} x {height} pixels.",
                advice="Draw it inside the picture.",
            )
        return x0, y0, x1, y1
    if params.box < 0:
        return None
    found = model.candidates(pixels, {}, stages)
    anchor, label = divmod(params.box, len(model.card.classes))
    rows = np.flatnonzero((found.anchor == anchor) & (found.label == label))
    if not len(rows):
        raise Refusal(f"There is no box {params.box} in this picture.", advice="Click a detection to choose it.")
    x0, y0, x1, y1 = (float(v) for v in found.drawn[rows[0]])
    return x0, y0, x1, y1


def _thumbnails(paths: list[str]) -> Pixels:
    """Return small pictures (K, s, s, 3), each in the middle of a square; grey where a picture is gone by now."""
    made = np.full((len(paths), THUMBNAIL_PX, THUMBNAIL_PX, 3), 128, np.uint8)
    for row, path in enumerate(paths):
        try:
            small = images.thumbnail(images.Source.file(path), side=THUMBNAIL_PX)
        except Refusal:
            continue
        times = max(1, THUMBNAIL_PX // max(small.shape[:2]))
        small = small.repeat(times, 0).repeat(times, 1)
        height, width = small.shape[:2]
        top, left = (THUMBNAIL_PX - height) // 2, (THUMBNAIL_PX - width) // 2
        made[row, top : top + height, left : left + width] = small
    return made


def _name(classes: tuple[str, ...], row: int) -> str:
    return classes[row] if 0 <= row < len(classes) else ""


INSPECTION = Inspection(
    id="neighbours",
    title="Nearest neighbours",
    help="The pictures of a data set that a layer takes for most alike, with their distances.",
    needs=(),
    params=Params,
    answer=answer,
    own=own_metric,
    lacks=lacks,
)
