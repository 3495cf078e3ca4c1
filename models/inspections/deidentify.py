"""De-identify: what a detector finds in the pictures of a folder, and how it is hidden in copies of them.

The source is a data set, or one picture file for a preview. The answer covers the pictures looked at so far; the meta
says `partial` until all are. No file is written here: `models.deidentification.output` writes the copies into a folder
that is named only when it is asked to.

Arrays of the Result: `boxes` (M, 4) xyxy in pixels of the upright pictures, `scores` (M,), `labels` (M,), `of_picture`
(M,) the row of each one's picture; `sizes` (N, 2) width and height, 0 for a picture that failed or waits; `stamps`
(N, 2) of the files as they were listed; `state` (N,) 1 for one looked at, 0 for one that waits, -1 for one that
failed; `cut` (N,) boxes beyond the greatest number. With masks, `outline` (T, 2), `ring_start` (R + 1,) and `ring_of`
(R,) as in masks. For one picture `picture` (H, W, 3), the preview, and `hidden` (M, 4) the areas in whole pixels.
Meta: `paths`, `shown` relative to `root`, `kind_of_set`, `errors` by row, `way`, `margin`, `masks`, `empty`, `format`,
`notes`, `text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import files
from models.capabilities import Segments
from models.dataset_pass.asking import Listed, listed
from models.dataset_pass.fingerprint import fingerprint
from models.datasets.types import DataSet
from models.deidentification import output, report
from models.deidentification.obscuring import COLOURS, FILL, WAYS, Way
from models.deidentification.search import Found, Search, found_in
from models.detection import decision, mask_outlines
from models.detection.classes import label_ids
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.runtime.context import go_on
from models.types import Result, Source

KIND = "search for what is to be hidden"
MOST = 1000
NOTHING_HERE = "Nothing was found in this picture, so it stays as it is. Lower the score if somebody is in it."
TOLD_EVERY = 1000


@dataclass(frozen=True)
class Params(decision.Params):
    """The thresholds of detection, what is hidden of it, and how."""

    classes: str = param(
        "", "Hide classes", "Names of the classes that are hidden, separated by commas; empty for every class."
    )
    shape: str = param(
        "box",
        "Shape",
        "What is hidden of a detection: its box, or its mask where the model has masks.",
        choices=("box", "mask"),
        titles=("Box", "Mask"),
    )
    margin: float = param(
        0.15, "Margin", "By how much an area is enlarged on each side, as a share of the box's longer side.", high=2.0
    )
    way: str = param(
        FILL,
        "Way",
        "How it is hidden. Only filling removes what was there; a blur or blocks can be undone in part.",
        choices=tuple(WAYS),
        titles=tuple(WAYS.values()),
    )
    colour: str = param(
        "black",
        "Fill colour",
        "What areas are filled with.",
        choices=tuple(COLOURS),
        titles=("Black", "Grey", "White"),
        only=("way", FILL),
    )
    strength: float = param(
        0.25,
        "Size of blocks or blur",
        "The size of a block, or the standard deviation of the blur, as a share of the area's longer side, so that it "
        "grows with the face; 8 px at least.",
        low=0.05,
        only=("way", "pixelate", "blur"),
    )
    empty: str = param(
        "copy",
        "Without a find",
        "What becomes of pictures in which nothing is found: they are copied as they are, or left out.",
        choices=("copy", "leave_out"),
        titles=("Copy them", "Leave them out"),
    )
    format: str = param(
        "kept",
        "File format",
        "JPEG stays JPEG and the others become PNG; or all become PNG, which changes no pixel outside the areas.",
        choices=("kept", "png"),
        titles=("Kept", "PNG"),
    )
    collect: bool = param(True, "Collect", "Continue with the pictures that are not looked at yet.")


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return what is found so far. Raises Refusal for settings that cannot be, and for a folder without pictures."""
    label_ids(params.classes, model.card.classes)
    masks = params.shape == "mask" and isinstance(model, Segments)
    if _is_picture(source):
        return _preview(model, source, params, stages, masks=masks)
    stages.progress(None, "list the pictures")
    found = listed(source.path, stages)
    stages.progress(None, "look what is known of them")
    search = _search(model, found, params, stages, masks=masks)
    go_on(stages, KIND, search if params.collect or search.complete else _Nothing())
    data_set = found.data_set
    for first in range(0, len(data_set), TOLD_EVERY):
        stages.progress(first / len(data_set), f"{first:,} of {len(data_set):,} pictures")
    stages.progress(1.0, "put together what is known")
    looked, failed = len(search.found), sum(bool(each.error) for each in search.found)
    meta = {
        **_about(model, data_set, params, masks=masks),
        "errors": {row: each.error for row, each in enumerate(search.found) if each.error},
        "collected": looked - failed,
        "failed": failed,
        "of": len(data_set),
        "set_notes": data_set.notes,
        "complete": search.complete,
        "partial": params.collect and not search.complete,
        "text": _text(search.found, len(data_set)),
    }
    return Result(_arrays(search.found, found.stamps, masks=masks), meta)


class _Nothing:
    """Work of which nothing is left: in the place of a search that was stopped."""

    failure: Exception | None = None
    complete = True

    def step(self) -> None:
        """Do nothing."""


def _is_picture(source: Source) -> bool:
    path = Path(source.path)
    try:
        return path.is_file() and files.kind(path).endswith("picture")
    except OSError:
        return False


def _search(model: Any, found: Listed, params: Params, stages: Any, *, masks: bool) -> Search:
    """Return the search of these settings, the one from before if nothing has changed."""
    name, made_of = stages.context.made_of()
    weights = fingerprint(name, model, made_of)
    asked = tuple(getattr(params, name) for name in decision.Params.__dataclass_fields__ if name != "suppressed")
    key = ("deidentification", id(model), weights, found.digest, asked, params.classes, masks)
    known: Search | None = stages.cache.get(key)
    if known is None or known.model is not model:
        known = Search(model, found.data_set, found.stamps, params, weights, masks=masks)
        stages.cache[key] = known
    return known


def _preview(model: Any, source: Source, params: Params, stages: Any, *, masks: bool) -> Result:
    """Return the finding of one picture and the picture as its copy will look."""
    picture = stages.run("picture to hide in", lambda: images.read(source))
    found = found_in(model, picture.pixels, params, stages, masks=masks)
    path = source.path
    data_set = DataSet(source.name, "picture", str(Path(path).parent), (path,))
    meta = {
        **_about(model, data_set, params, masks=masks),
        "errors": {},
        "collected": 1,
        "failed": 0,
        "of": 1,
        "set_notes": (),
        "complete": True,
        "partial": False,
        "text": f"{len(found.boxes):,} areas to hide in this picture." if len(found.boxes) else NOTHING_HERE,
    }
    result = Result(_arrays([found], (source.stamp,), masks=masks), meta)
    hidden = output.hidden_in(output.Plan.of(result), 0, picture.pixels)
    return Result({**result.arrays, "picture": hidden.pixels, "hidden": hidden.areas}, meta)


def _arrays(found: Sequence[Found], stamps: Sequence[tuple[int, int]], *, masks: bool) -> dict[str, np.ndarray]:
    count, looked = len(stamps), len(found)
    sizes, state, cut = np.zeros((count, 2), np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64)
    sizes[:looked] = [each.size for each in found] or sizes[:0]
    state[:looked] = [-1 if each.error else 1 for each in found]
    cut[:looked] = [each.cut for each in found]
    arrays = {
        "boxes": np.concatenate([np.zeros((0, 4), np.float32), *(each.boxes for each in found)]),
        "scores": np.concatenate([np.zeros(0, np.float32), *(each.scores for each in found)]),
        "labels": np.concatenate([np.zeros(0, np.int64), *(each.labels for each in found)]),
        "of_picture": np.repeat(np.arange(looked), [len(each.boxes) for each in found]).astype(np.int64),
        "sizes": sizes,
        "stamps": np.array(stamps, np.int64).reshape(-1, 2),
        "state": state,
        "cut": cut,
    }
    if masks:
        rings = [[np.array(ring, np.float32) for ring in own] for each in found for own in each.rings]
        arrays["outline"], arrays["ring_start"], arrays["ring_of"] = mask_outlines.joined(rings)
    return arrays


def _about(model: Any, data_set: DataSet, params: Params, *, masks: bool) -> dict[str, Any]:
    return {
        "classes": model.card.classes,
        "model_name": model.card.name,
        "data_set": data_set.name,
        "kind_of_set": data_set.kind,
        "root": data_set.root,
        "paths": data_set.paths,
        "shown": tuple(data_set.shown(row) for row in range(len(data_set))),
        "way": Way(params.way, params.colour, params.strength),
        "margin": params.margin,
        "masks": masks,
        "empty": params.empty,
        "format": params.format,
        "notes": report.notes(params.way),
    }


def _text(found: Sequence[Found], of: int) -> str:
    """Return in a sentence what was found so far."""
    failed = sum(bool(each.error) for each in found)
    without = sum(not each.error and not len(each.boxes) for each in found)
    areas = sum(len(each.boxes) for each in found)
    cut = sum(each.cut for each in found)
    text = f"{len(found):,} of {of:,} pictures looked at: {areas:,} areas to hide, nothing found in {without:,}."
    text += f" {failed:,} could not be read." if failed else ""
    return text + (f" {cut:,} boxes more exceed the greatest number and stay visible." if cut else "")


def _own(model: Any) -> dict[str, Any]:
    """Return the own value that differs from detection's: nobody is left out for being one too many."""
    return {"max_detections": MOST}


def _lacks(model: Any) -> dict[str, str]:
    """Return why the shape cannot be chosen: a model without masks."""
    if isinstance(model, Segments):
        return {}
    return {"shape": f"{model.card.name} has no masks, so boxes are hidden."}


INSPECTION = Inspection(
    id="deidentify",
    title="De-identify",
    help="Faces, or whatever a detector finds, filled, pixelated or blurred in copies of a folder's pictures.",
    needs=("Detects",),
    params=Params,
    answer=answer,
    reads="folder",
    own=_own,
    lacks=_lacks,
)
