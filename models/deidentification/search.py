"""The search over a data set: what the model finds in every picture, kept in part files, so that it can be resumed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.dataset_pass.job import parts_folder
from models.dataset_pass.shard import Shard, Stamp, sentence
from models.datasets import kept_parts, part_files
from models.datasets.part_files import ERROR, Part
from models.datasets.types import DataSet
from models.deidentification.obscuring import upright
from models.detection import decision, instances, mask_outlines
from models.detection.classes import label_ids
from models.pictures import images
from models.runtime.context import Context
from models.runtime.failures import out_of_memory
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Cancelled, Float, Int, Pixels, Refusal

FORMAT = 1  # raise it when the same settings give other boxes
SHARD = 16  # pictures; what a killed program loses at most
ONE_PICTURE_BYTES = 1 << 28
FOUND = "found"
Rings = list[list[list[float]]]


@dataclass(frozen=True, eq=False)
class Found:
    """What a model found in a picture of `size` (width, height), best first: `boxes` (K, 4) xyxy in pixels of the
    upright picture, `scores` (K,), `labels` (K,), and the `rings` of each one's mask, none without masks.

    `cut` boxes more were above the score, but beyond the greatest number. `error` says why there is nothing.
    """

    size: tuple[int, int] = (0, 0)
    boxes: Float = dataclasses.field(default_factory=lambda: np.zeros((0, 4), np.float32))
    scores: Float = dataclasses.field(default_factory=lambda: np.zeros(0, np.float32))
    labels: Int = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    rings: tuple[Rings, ...] = ()
    cut: int = 0
    error: str = ""

    def as_plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        columns = {name: getattr(self, name).tolist() for name in ("boxes", "scores", "labels")}
        return {**columns, "size": list(self.size), "rings": list(self.rings), "cut": self.cut}

    @classmethod
    def of_plain(cls, given: Any, error: str) -> Found:
        """Return it from what `as_plain` gave, or from the reason why a picture has nothing."""
        if error or given is None:
            return cls(error=error or "It was not looked at.")
        boxes = np.array(given["boxes"], np.float32).reshape(-1, 4)
        scores, labels = np.array(given["scores"], np.float32), np.array(given["labels"], np.int64)
        width, height = given["size"]
        return cls((int(width), int(height)), boxes, scores, labels, tuple(given["rings"]), int(given["cut"]))


def found_in(model: Any, pixels: Pixels, params: Any, stages: Any, *, masks: bool) -> Found:
    """Return what the model finds in a picture (H, W, 3) at the settings of detection, of the chosen classes.

    `params.classes` names them, "" for all; with `masks` their outlines come too. Raises Refusal.
    """
    chosen = label_ids(params.classes, model.card.classes)
    candidates, shown, ids = instances.shown(model, pixels, params, stages)
    at = np.flatnonzero(np.isin(candidates.label[shown.rows], sorted(chosen)) if chosen else shown.rows >= 0)
    rows, drawn = shown.rows[at], shown.drawn[at]
    if hasattr(model, "box_extras") and "angles" in (extras := model.box_extras(pixels, stages)):
        drawn = upright(drawn, extras["angles"][candidates.anchor[rows]])
    rings: tuple[Rings, ...] = ()
    if masks and len(at):
        more = {"ids": ids[at]} if getattr(model, "masks_by_id", False) else {}
        made = model.masks(pixels, shown.boxes[at], candidates.label[rows], stages, **more)
        rings = tuple(_rings(made, drawn))
    height, width = pixels.shape[:2]
    return Found((width, height), drawn, shown.scores[at], candidates.label[rows], rings, shown.cut)


def _rings(masks: Float, drawn: Float) -> list[Rings]:
    """Return the rings of masks (K, h, h) of boxes (K, 4) in pixels of the picture, to a tenth of one."""
    places = mask_outlines.placed(drawn, side=masks.shape[-1])
    made = [mask_outlines.outline(mask, place) for mask, place in zip(masks, places, strict=True)]
    return [[np.round(ring.astype(np.float64), 1).tolist() for ring in rings] for rings in made]


class Search:
    """Looks through a data set picture by picture. It fits `models.runtime.context.Work`.

    `weights` is the model's fingerprint, `stamps` are size and time of each file. Parts that lie in `folder` from an
    earlier search with the same settings are taken as they are.
    """

    def __init__(
        self,
        model: Any,
        data_set: DataSet,
        stamps: Sequence[Stamp],
        params: Any,
        weights: str,
        *,
        masks: bool,
        folder: str | Path | None = None,
    ) -> None:
        """Raises Refusal for a class that the model does not know."""
        label_ids(params.classes, model.card.classes)
        self.model, self.data_set, self.stamps, self.params, self.masks = model, data_set, stamps, params, masks
        key = job_key(weights, params, masks=masks)
        root = Path(folder) if folder is not None else parts_folder()
        self.folder = root / key[:24]
        kept_parts.use(self.folder)
        kept_parts.prune(root, self.folder)
        self.failure: Exception | None = None
        self.found: list[Found] = []
        self._key = key
        self._waiting: list[Found] = []
        self._again = False  # whether one of those that wait failed in a way that may pass
        self._take()

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""
        return 1000 * len(self.data_set)

    @property
    def complete(self) -> bool:
        """Whether every picture was looked at."""
        return len(self.found) == len(self.data_set)

    def step(self) -> None:
        """Look at the next picture; write a part when its last one was looked at. Raises Refusal for a full disk."""
        if self.complete:
            return
        self._waiting.append(self._look(self.data_set.paths[len(self.found)]))
        self.found.append(self._waiting[-1])
        if len(self._waiting) == SHARD or self.complete:
            waiting, self._waiting = self._waiting, []
            if not self._again:
                self._write(len(self.found) - len(waiting), waiting)
            self._again = False
            self._take()

    def _shard(self, first: int) -> Shard:
        return Shard.of(self.data_set.paths[first : first + SHARD], self.stamps[first : first + SHARD], self._key)

    def _take(self) -> None:
        """Take the parts that are there, from the next picture on."""
        while not self.complete and len(self.found) % SHARD == 0:
            shard = self._shard(len(self.found))
            part = part_files.read(self.folder, shard.key)
            if part is None or part.paths != shard.paths or FOUND not in part.columns:
                return
            try:
                taken = [
                    Found.of_plain(part.columns[FOUND][row], part.errors.get(row, "")) for row in range(len(part.paths))
                ]
            except (KeyError, TypeError, ValueError):
                return
            self.found += taken

    def _write(self, first: int, found: Sequence[Found]) -> None:
        shard = self._shard(first)
        columns = {
            FOUND: [None if each.error else each.as_plain() for each in found],
            ERROR: [each.error for each in found],
        }
        part_files.write(self.folder, shard.key, Part(shard.paths, columns))

    def _look(self, path: str) -> Found:
        """Return what is found in a picture, or why it cannot be looked at."""
        try:
            pixels = images.read(path).pixels
            stages = CachedStages(Cache(ONE_PICTURE_BYTES), path, Context())
            with torch.inference_mode():
                return found_in(self.model, pixels, self.params, stages, masks=self.masks)
        except Cancelled:
            raise
        except Refusal as refusal:
            return Found(error=sentence(refusal))
        except Exception as error:  # one failing picture must not block the others
            self._again = True
            if out_of_memory(error):
                return Found(error="There is not enough memory for this picture.")
            first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            return Found(error=f"The model failed: {first}")


def job_key(weights: str, params: Any, *, masks: bool) -> str:
    """Return the key of what is found, without the pictures: the model's fingerprint, the settings and the classes."""
    names = [field.name for field in dataclasses.fields(decision.Params) if field.name != "suppressed"]
    asked = {name: getattr(params, name) for name in (*names, "classes")}
    told = json.dumps(["deidentification", FORMAT, weights, asked, masks], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
