"""The vectors of a data set's pictures and their neighbours among each other, kept between questions."""

from __future__ import annotations

from typing import Any

from models.capabilities import Encodes
from models.dataset_pass.asking import Asked
from models.dataset_pass.job import Job
from models.dataset_pass.products.embeddings import array_name
from models.datasets.nearest import EUCLIDEAN, Vectors
from models.datasets.neighbour_graph import Graph
from models.params import Value
from models.runtime.context import go_on

GRAPH = "compare a data set"


def own_metric(model: Any) -> dict[str, Value]:
    """Return the distance that suits a model's vectors where it is not the usual one: codes have a length."""
    return {"metric": EUCLIDEAN} if isinstance(model, Encodes) else {}


def vectors_of(job: Job, asked: Asked, stages: Any) -> Vectors:
    """Return the vectors of the pictures looked at so far."""
    parts = len(job.collected.parts)
    key = ("vectors", id(job), parts)
    if key not in stages.cache:
        stages.cache.discard(("vectors", id(job), parts - 1))
        stages.cache[key] = job, Vectors.of(job.collected.chunks(array_name(0)), len(asked.data_set))
    kept = stages.cache.get(key)
    return kept[1] if kept else Vectors.of(job.collected.chunks(array_name(0)), len(asked.data_set))


def graph_of(
    job: Job, asked: Asked, metric: str, stages: Any, *, other: tuple[Job, Asked] | None = None
) -> tuple[Graph, Vectors]:
    """Return the neighbours of every picture, and the vectors.

    The graph is completed while the engine is idle once the pass is through. With `other`, neighbours are those in
    another data set.
    """
    vectors = vectors_of(job, asked, stages)
    among = vectors_of(*other, stages) if other is not None else None
    key = ("graph", id(job), len(job.collected.parts), metric, id(other[0]) if other is not None else 0)
    if key not in stages.cache:
        stages.cache[key] = vectors, Graph(vectors, metric=metric, among=among)
    kept = stages.cache.get(key)
    graph = kept[1] if kept else Graph(vectors, metric=metric, among=among)
    if job.complete and (other is None or other[0].complete):
        go_on(stages, GRAPH, graph)
    return graph, vectors
