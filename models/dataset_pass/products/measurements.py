"""Measurements: a detector's candidates of every picture against its ground truth, from which all figures follow.

Of the R pictures of a part the arrays `measured_count` (R, 3), how many candidates, objects and pairs each has, and
merged, one picture after the other, `measured.NAME` for each column of `models.evaluation.measure.Measured`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from models.capabilities import Traces
from models.dataset_pass.batch import Batch
from models.dataset_pass.forward import ONE_PICTURE_BYTES, Forward
from models.dataset_pass.product import Array, Collecting
from models.datasets.part_files import Part
from models.evaluation.measure import Measured, measure
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.truth import read
from models.truth.types import Annotated, Truth
from models.types import Anchors, Pixels, Refusal, Source

COUNT = "measured_count"
COLUMNS = tuple(Measured.__dataclass_fields__)
LAST = ("pair", "reach")  # columns that have a picture's rows along their second axis
ROWS = {"boxes": 0, "score": 0, "label": 0, "survives": 0, "reach": 1, "pair": 2, "iou": 2}  # which of the counts
AnchorsBySize = dict[tuple[int, int], Anchors]


@dataclass(frozen=True)
class Measurements:
    """Of the ground truth at a path, which has this `digest`, with the proposal stage's settings as (name, value)."""

    truth: str = ""
    digest: str = ""
    rpn: tuple[tuple[str, Any], ...] = ()
    name: ClassVar[str] = "measurements"
    version: ClassVar[int] = 1
    own_pass: ClassVar[bool] = True  # the pass of other products has other settings

    @property
    def wants_inputs(self) -> tuple[str, ...]:
        """No module's inputs."""
        return ()

    def collector(self, forward: Forward) -> Collecting:
        """Return a collector. Raises Refusal if the ground truth is another one now."""
        truth = read.truth_at(Source.file(self.truth))
        if digest_of(truth) != self.digest:
            raise Refusal("The ground truth has changed meanwhile.", advice="Ask for the figures again.")
        return _Measuring(forward.model, truth, dict(self.rpn))


class _Measuring(Collecting):
    def __init__(self, model: Any, truth: Truth, rpn: Mapping[str, Any]) -> None:
        super().__init__()
        self._model, self._truth, self._rpn = model, truth, rpn
        self._anchors: AnchorsBySize = {}
        self._seen: list[Measured] = []
        self._found: list[Measured] = []

    def forget(self) -> None:
        """Drop what was measured of the batch that failed."""
        self._seen = []

    def check(self, batch: Batch) -> None:
        """Measure the pictures of a batch. Raises Refusal for one that was annotated at another size."""
        self._seen = []
        for path, pixels in zip(batch.paths, batch.pixels, strict=True):
            annotated = self._truth.of(path)
            if annotated is None:
                raise Refusal("The ground truth does not have this picture any more.")
            self._seen.append(measured_of(self._model, pixels, annotated, self._rpn, self._anchors))

    def add(self, batch: Batch) -> None:
        """Keep what was measured."""
        self._found += self._seen
        counts = [(len(one.score), one.reach.shape[1], len(one.iou)) for one in self._seen]
        self.array(COUNT, np.array(counts, np.int64).reshape(-1, 3))
        self._seen = []

    def merged(self) -> Mapping[str, Array]:
        """Return the columns of all pictures, one after the other, in the order of the part."""
        order = np.argsort(self.rows, kind="stable").tolist()
        found = [self._found[at] for at in order]
        return {
            f"measured.{name}": np.concatenate([getattr(one, name) for one in found], axis=int(name in LAST))
            for name in COLUMNS
            if found
        }


def measured_of(
    model: Any, pixels: Pixels, truth: Annotated, rpn: Mapping[str, Any], anchors: AnchorsBySize
) -> Measured:
    """Measure a picture with an opened detector; `anchors` keeps the last ones. Raises Refusal, and what it raises."""
    size = (pixels.shape[1], pixels.shape[0])
    if truth.size not in ((0, 0), size):
        raise Refusal(f"is {size[0]} x {size[1]} pixels, but was annotated at {truth.size[0]} x {truth.size[1]}")
    stages = CachedStages(Cache(ONE_PICTURE_BYTES), truth.path, Context())
    if size in anchors:
        stages.keep("anchors", anchors[size])
    with torch.inference_mode():
        candidates = model.candidates(pixels, rpn, stages)
        evidence = model.evidence(pixels, rpn, stages) if isinstance(model, Traces) else None
    found = measure(candidates, evidence, truth)
    if evidence is not None and not evidence.anchor_free:
        anchors.clear()
        anchors[size] = evidence.origins
    return found


def unpacked(part: Part) -> Iterator[tuple[int, Measured]]:
    """Yield the measured pictures of a part by their row in it."""
    counts: Any = part.arrays.get(COUNT)
    if counts is None or any(f"measured.{name}" not in part.merged for name in COLUMNS):
        return
    start = np.concatenate([np.zeros((1, 3), np.int64), np.cumsum(counts, 0)])
    for row in range(len(part.paths)):
        if row in part.errors:
            continue
        columns = []
        for name in COLUMNS:
            first, last = start[row : row + 2, ROWS[name]].tolist()
            whole = part.merged[f"measured.{name}"]
            columns.append(np.array(whole[:, first:last] if name in LAST else whole[first:last]))
        yield row, Measured(*columns)


def digest_of(truth: Truth) -> str:
    """Return a SHA-256 of all annotations that measurements depend on."""
    digest = hashlib.sha256()
    for one in truth.pictures:
        digest.update(f"{one.path}\0{one.size}\0".encode("utf-8", "surrogateescape"))
        for values in (one.boxes, one.crowd):
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def paths_of(truth: Truth) -> Sequence[str]:
    """Return the paths of a ground truth's pictures, () if one of them stands in it twice."""
    return tuple(one.path for one in truth.pictures) if truth.distinct else ()
