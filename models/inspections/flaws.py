"""Flaws: pictures of a data set that are worth a look: labels that disagree, near duplicates, outliers.

Pictures are compared with each other in a layer; near duplicates also with those of another set, such as the training
pictures of a test set. The answer covers the pictures compared so far; the meta says `partial` until all are.

Arrays of the Result: `disagree` (D,) rows whose neighbours agree on another label, the likeliest errors first, with
`instead` (D,) rows of `set_classes` and `share` (D,); `pairs` (P, 2) rows of near duplicates, nearest first, the second
of the other set if there is one, with `pair_distances` (P,) and `identical` (P,) whether the files are the same;
`outliers` (O,) rows farthest from their neighbours, with `outlier_ratios` (O,) over the usual distance. The meta lists
the same with paths in `disagreements`, `duplicates` and `far`, and has `text`, `typical`, `compared` and `of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.dataset_pass.asking import FOLDER_HELP, KIND, Asked, LayerParams, ask
from models.dataset_pass.comparison import graph_of, own_metric
from models.dataset_pass.forward import lacks
from models.dataset_pass.job import Job
from models.datasets.nearest import COSINE, METRICS
from models.datasets.neighbour_graph import COPY, LEAST_FAR, Graph, disagreements, near_duplicates, outliers
from models.inspection import Inspection
from models.params import param
from models.runtime.context import go_on
from models.types import Int, Result, Source


@dataclass(frozen=True)
class Params(LayerParams):
    """What is compared, and how much is listed."""

    other: str = param("", "Other data set", f"Where copies are sought instead of in the set itself. {FOLDER_HELP}")
    metric: str = param(
        COSINE,
        "Distance",
        "Cosine compares directions only; Euclidean compares lengths too.",
        choices=METRICS,
        titles=("Cosine", "Euclidean"),
    )
    copy: float = param(
        COPY, "Copies nearer than", "Of the typical distance to the nearest picture: nearer ones are listed as copies."
    )
    share: float = param(
        0.5, "Neighbours that agree", "A label is doubted if at least this share of the neighbours has another one."
    )
    most: int = param(200, "Listed", "How many of each are listed.", low=1, high=10000, step=1)


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return what is found so far. Raises Refusal."""
    asked = ask(model, source.path, stages, params)
    job = asked.standard(stages, params.at)
    other = None
    if params.other.strip():
        second = ask(model, params.other, stages, params)
        other = second.standard(stages, params.at), second
    going = job if not job.complete or other is None else other[0]
    go_on(stages, KIND, going)
    graph, _ = graph_of(job, asked, params.metric, stages)
    between = graph
    if other is not None and graph.complete:
        between, _ = graph_of(job, asked, params.metric, stages, other=other)
    done = job.complete and graph.complete and (other is None or (other[0].complete and between.complete))
    found = _found(asked, (graph, between), params)
    second_set = other or (job, asked)
    found["identical"] = _identical(found["pairs"], job, second_set[0])
    return Result(found, {**_meta(asked, second_set[1], graph, found), **job.about, "partial": not done})


def _found(asked: Asked, graphs: tuple[Graph, Graph], params: Params) -> dict[str, np.ndarray]:
    graph, between = graphs
    doubted = disagreements(graph, asked.data_set.labels, least=params.share)
    pairs, distances = near_duplicates(between, ratio=params.copy, typical=graph.typical)
    far, ratios = outliers(graph, most=params.most)
    most = params.most
    return {
        "disagree": doubted.rows[:most],
        "instead": doubted.instead[:most],
        "share": doubted.share[:most],
        "pairs": pairs[:most],
        "pair_distances": distances[:most],
        "outliers": far,
        "outlier_ratios": ratios,
    }


def _identical(pairs: Int, job: Job, other: Job) -> np.ndarray:
    """Return which pairs (P, 2) are files of the same content."""
    one, two = job.collected.column("sha256", ""), other.collected.column("sha256", "")
    return np.array([bool(one[a]) and one[a] == two[b] for a, b in pairs.tolist()], np.bool_)


def _meta(asked: Asked, other: Asked, graph: Graph, found: dict[str, np.ndarray]) -> dict[str, Any]:
    data_set, second = asked.data_set, other.data_set
    typical = max(graph.typical, LEAST_FAR)
    compared = int(graph.compared.sum())
    rows = zip(found["disagree"].tolist(), found["instead"].tolist(), found["share"].tolist(), strict=True)
    doubted = [
        {"path": data_set.paths[row], "label": data_set.label(row), "instead": data_set.classes[label], "share": share}
        for row, label, share in rows
    ]
    pairs = zip(found["pairs"].tolist(), found["pair_distances"].tolist(), found["identical"].tolist(), strict=True)
    copies = [
        {
            "path": data_set.paths[one],
            "other": second.paths[two],
            "distance": far,
            "ratio": far / typical,
            "identical": same,
        }
        for (one, two), far, same in pairs
    ]
    far = [
        {"path": data_set.paths[row], "ratio": ratio}
        for row, ratio in zip(found["outliers"].tolist(), found["outlier_ratios"].tolist(), strict=True)
    ]
    counts = f"{len(doubted):,} labels disagree with their neighbours, {len(copies):,} pairs are near copies"
    return {
        **asked.about,
        "classes": asked.model.card.classes,
        "other": second.name,
        "disagreements": doubted,
        "duplicates": copies,
        "far": far,
        "typical": graph.typical,
        "compared": compared,
        "text": f"Of {compared:,} pictures compared in {asked.layer.title}, {counts}.",
    }


INSPECTION = Inspection(
    id="flaws",
    title="Flaws of a data set",
    help="Labels that disagree with their neighbours, near duplicates (also between two sets), and outliers.",
    needs=(),
    params=Params,
    answer=answer,
    reads="folder",
    own=own_metric,
    lacks=lacks,
)
