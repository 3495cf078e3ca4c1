"""What inspections of data sets share: the data set, the chosen layer and the job of a question, kept between
questions.

An inspection gets its job so:

    @dataclass(frozen=True)
    class Params(LayerParams):
        folder: str = param("", "Data set", FOLDER_HELP)

    def answer(model, source, params, stages):
        asked = ask(model, params.folder, stages, params)          # data set, layer, fingerprint
        job = asked.job(stages, Embeddings.of(asked.layer), Predictions(), ...)
        go_on(stages, KIND, job)                                   # continues while the engine is idle
        ...job.collected.column("prediction", -1), job.collected.array("vector.0")...
        return Result(arrays, {**asked.about, **job.about, "partial": not job.complete})
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.dataset_pass import lane_choice, layer_choice
from models.dataset_pass.fingerprint import fingerprint
from models.dataset_pass.forward import Forward, Prepared
from models.dataset_pass.job import Job, first_readable, stamps_of
from models.dataset_pass.layer_choice import LayerChoice
from models.dataset_pass.pooling import AUTOMATIC, POOLINGS, POSITION, TITLES
from models.dataset_pass.product import Product
from models.dataset_pass.products.embeddings import Embeddings
from models.dataset_pass.products.predictions import Predictions
from models.datasets.opening import data_set_at
from models.datasets.types import DataSet
from models.params import param
from models.pictures import images
from models.types import Pixels, Refusal

KIND = "pass over a data set"
FOLDER_HELP = (
    "A folder with pictures (subfolders may be classes), ground truth (COCO, VOC, YOLO), a table with paths and labels "
    "(.csv, .parquet), or patterns such as photos/**/*.jpg."
)
MOST_WORKERS = 256
LOOK_AGAIN_S = 2.0
LOOK_AGAIN_TIMES = 20  # a listing is repeated after so many times the time that it took


def workers_param() -> Any:
    """Declare how many processes go over a data set."""
    return param(
        0,
        "Worker processes",
        "How many processes go over the data set: 1 is the models' own; 0 takes as many as suit the machine.",
        low=0,
        high=MOST_WORKERS,
        step=1,
        titles=("automatic",),
    )


@dataclass(frozen=True)
class LayerParams:
    """The layer that pictures are compared in, and how its values become one vector."""

    layer: str = param(
        "",
        "Layer",
        "A call from the list of layers, by its id, output, or MODULE:input; empty takes what the model decides from.",
    )
    pooling: str = param(
        AUTOMATIC,
        "Vector",
        "How places or tokens become one vector. By itself the class token where there is one, else the mean.",
        choices=POOLINGS,
        titles=TITLES,
    )
    place: str = param(
        "0.5,0.5", "Place", "x,y of the one place, as shares of what the network sees.", only=("pooling", POSITION)
    )
    workers: int = workers_param()

    @property
    def at(self) -> tuple[float, float]:
        """The place. Raises Refusal if it is not two numbers from 0 to 1."""
        try:
            x, y = (float(each) for each in self.place.split(","))
        except ValueError:
            x = y = -1.0
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise Refusal(f"{self.place} is no place.", advice="Give x,y as shares from 0 to 1, such as 0.5,0.5.")
        return x, y


@dataclass(eq=False)
class Listed:
    """A data set as it was listed last, with size and time of its files."""

    data_set: DataSet
    stamps: tuple[tuple[int, int], ...]
    digest: str
    when: float
    took_s: float

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""
        return self.data_set.nbytes + 100 * len(self.stamps)


@dataclass(eq=False)
class Asked:
    """A question about a data set: the listing, the model's forward pass, the layer, the model's fingerprint.

    `name` is the model's full name, by which other processes open it, "" if they cannot; `workers` how many of them.
    """

    model: Any
    listed: Listed
    forward: Forward
    layer: LayerChoice
    weights: str
    name: str = ""
    workers: int = 0

    @property
    def data_set(self) -> DataSet:
        """The data set."""
        return self.listed.data_set

    @property
    def about(self) -> dict[str, Any]:
        """What a Result's meta tells of it."""
        found = self.data_set
        return {
            "data_set": found.name,
            "data_set_kind": found.kind,
            "digest": found.digest,
            "set_classes": found.classes,
            "set_notes": found.notes,
            "layer": self.layer.layer,
            "layer_title": self.layer.title,
            "pooling": self.layer.pooling,
            "why_layer": self.layer.why,
        }

    def job(self, stages: Any, *products: Product, retry: bool = False) -> Job:
        """Return the job of some products, the one from before if nothing has changed."""
        key = ("job", id(self.model), self.weights, self.listed.digest, products)
        made = stages.cache.get(key) or Job(
            self.forward,
            self.data_set,
            products,
            self.weights,
            stamps=self.listed.stamps,
            progress=stages.progress,
        )
        if retry and not made.retried:
            made.retry()
        made.retried = retry
        made.model_name = self.name
        made.lane = partial(lane_choice.lane, workers=self.workers, on_cpu=self.forward.device.type == "cpu")
        stages.cache[key] = made
        return made

    def standard(self, stages: Any, at: tuple[float, float] = (0.5, 0.5), *, retry: bool = False) -> Job:
        """Return the job that embeds in the layer and predicts: the one that most inspections share."""
        return self.job(stages, Embeddings.of(self.layer, place=at), Predictions(), retry=retry)


def ask(
    model: Any, given: str, stages: Any, params: LayerParams, *, pixels: Pixels | None = None, regional: bool = False
) -> Asked:
    """Return a question about the data set that `given` names.

    The layer is chosen with a pass over `pixels`, or over the first picture of the set that can be read; with
    `regional` it is one with places. Raises Refusal.
    """
    forward = forward_of(model, stages)
    found = listed(given, stages)
    name, made_of = stages.context.made_of()
    key = ("layer choice", id(model), params.layer, params.pooling, regional)
    if key not in stages.cache:
        seen = pixels if pixels is not None else first_readable(found.data_set, images.read)
        stages.progress(None, "choose the layer")
        forward.settle(seen)
        chosen = _chosen(forward, forward.prepare(seen), params, regional=regional)
        stages.cache[key] = chosen
    elif pixels is not None:
        forward.settle(pixels)
    return Asked(model, found, forward, stages.cache[key], fingerprint(name, model, made_of), name, params.workers)


def forward_of(model: Any, stages: Any) -> Forward:
    """Return the forward pass of an opened model, the same for as long as it is open. Raises Refusal."""
    key = ("forward", id(model))
    if key not in stages.cache:
        stages.cache[key] = Forward(model)
    found: Forward = stages.cache[key]
    return found if found.model is model else Forward(model)


def listed(given: str, stages: Any) -> Listed:
    """Return a data set, listed again if that was a while ago. The same object as before if nothing has changed."""
    if not given.strip():
        raise Refusal("No data set is chosen.", advice="Choose a folder of pictures with folder=.")
    text = given if any(mark in given for mark in ";\n*?") else str(Path(given).expanduser().absolute())
    key = ("data set", text)
    known: Listed | None = stages.cache.get(key)
    if known is not None and time.monotonic() - known.when < max(LOOK_AGAIN_S, LOOK_AGAIN_TIMES * known.took_s):
        return known
    began = time.monotonic()
    data_set = data_set_at(text, progress=stages.progress)
    stamps = stamps_of(data_set, progress=stages.progress)
    digest = hashlib.sha256(data_set.digest.encode() + np.array(stamps, np.int64).tobytes()).hexdigest()
    took = time.monotonic() - began
    if known is not None and known.digest == digest:
        known.when, known.took_s = time.monotonic(), took
        return known
    stages.cache[key] = Listed(data_set, stamps, digest, time.monotonic(), took)
    return stages.cache[key]


def _chosen(forward: Forward, seen: Prepared, params: LayerParams, *, regional: bool) -> LayerChoice:
    if regional:
        return layer_choice.spatial(forward, seen, params.layer, params.pooling)
    return layer_choice.choose(forward, seen, params.layer, params.pooling)
