"""Figures: how well a model does on a whole data set with ground truth, at given thresholds.

The source is the ground truth. The answer covers the pictures measured so far; the others are measured while the engine
is idle, and the meta says `partial` until all are done. The arrays are those of `models.evaluation.figures`. The meta
has their totals, the counts `collected`, `failed` and `of`, and lines of text: `problems` lists pictures that could not
be measured, `notes` classes left out, `told` how the ground truth was read, `omitted` how much of it was not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from models.capabilities import Traces
from models.cards import card
from models.detection import decision
from models.detection.classes import label_ids
from models.detection.decision import check_plain, rpn_settings
from models.evaluation.matched import Setting
from models.evaluation.measure import LEAST_IOU, measure
from models.evaluation.store import Store
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.truth import read
from models.truth.types import Truth
from models.types import Refusal, Result, Source

ONE_PICTURE_BYTES = 1 << 28
WISH = "what figures are collected for"


@dataclass(frozen=True)
class Params(decision.Params):
    """The thresholds of detection, and the overlap at which an object counts as found."""

    match_iou: float = param(
        0.5,
        "Match IoU",
        "A detection finds an object if they overlap by at least this, for all but mAP and error types.",
        low=LEAST_IOU,
        high=1.0,
    )
    collect: bool = param(True, "Collect", "Continue with the pictures that are not measured yet.")


@dataclass
class _Wish:
    """The collection that continues while the engine is idle: that of the newest request, None for none."""

    store: Store | None = None
    model: Any = None
    rpn: Mapping[str, Any] = field(default_factory=dict)
    agnostic: bool = False


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return the figures of the pictures measured so far.

    Raises Refusal for unsupported settings, and if the model knows none of the classes.
    """
    check_plain(params, INSPECTION.title)
    truth = read.truth_at(source, progress=stages.progress)
    ids = truth.label_ids(model.card.classes)
    if not (ids >= 0).any():
        known = ", ".join(model.card.classes[label] for label in card.label_ids(model.card.classes))
        raise Refusal(
            f"{model.card.name} knows none of the classes of {truth.name}: {', '.join(truth.classes)}.",
            advice=f"It knows {known}. Open ground truth with the same names.",
        )
    rpn = rpn_settings(model, params)
    name, key = "pictures of the data set", tuple(rpn.items())
    store: Store = stages.run(name, lambda: Store(truth, ids), *key)
    stages.keep(name, store, *key)  # the store grows: store it again so that the cache counts its new size
    complete = store.missing(agnostic=params.agnostic) is None
    _go_on(stages, _Wish(store, model, rpn, params.agnostic) if params.collect and not complete else _Wish())

    hidden = label_ids(params.hidden, model.card.classes)
    setting = Setting(params.iou, params.agnostic, params.max_detections, params.match_iou, hidden)
    result: Result = stages.time("figures", lambda: store.figures(setting, params.score))
    done, failed = len(store.measured), len(store.failed)
    lines = [f"{Source(truth.pictures[row].path).name}: {why}" for row, why in sorted(store.failed.items())]
    meta = {
        "classes": model.card.classes,
        "truth": truth.name,
        "collected": done,
        "failed": failed,
        "of": len(truth.pictures),
        "problems": lines,
        "notes": _notes(model, truth, ids),
        "told": truth.told,
        "omitted": truth.omitted,
        "partial": params.collect and not complete,
        "complete": complete,
    }
    return Result(result.arrays, {**result.meta, **meta})


def _go_on(stages: Any, wish: _Wish) -> None:
    """Replace the collection that continues in idle time with this one."""
    if WISH not in stages.cache:
        stages.cache[WISH] = _Wish()
    current: _Wish = stages.cache[WISH]
    vars(current).update(vars(wish))
    if wish.store is not None:
        stages.meanwhile(WISH, _collect(current))


def _collect(wish: _Wish) -> Iterator[None]:
    """Measure one picture per slice for as long as a collection is wanted."""
    while wish.store is not None:
        store = wish.store
        row = store.missing(agnostic=wish.agnostic)
        if row is None:
            return
        if row in store.measured:
            store.across(row)
        else:
            _measure(store, row, wish)
        yield


def _measure(store: Store, row: int, wish: _Wish) -> None:
    """Measure a picture, or record why it cannot be measured; drop its pixels and stages afterwards."""
    truth = store.truth.pictures[row]
    try:
        pixels = images.read(truth.path).pixels
        size = (pixels.shape[1], pixels.shape[0])
        if truth.size not in ((0, 0), size):
            raise Refusal(f"is {size[0]} x {size[1]} pixels, but was annotated at {truth.size[0]} x {truth.size[1]}")
        stages = CachedStages(Cache(ONE_PICTURE_BYTES), truth.path, Context())
        if size in store.anchors:
            stages.keep("anchors", store.anchors[size])
        with torch.inference_mode():
            candidates = wish.model.candidates(pixels, wish.rpn, stages)
            evidence = wish.model.evidence(pixels, wish.rpn, stages) if isinstance(wish.model, Traces) else None
        store.add(row, measure(candidates, evidence, truth))
        if evidence is not None and not evidence.anchor_free:
            store.anchors = {size: evidence.origins}
    except Refusal as refusal:
        store.fail(row, str(refusal))
    except Exception as error:  # one failing picture must not block the others
        store.fail(row, f"the model failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}")


def _notes(model: Any, truth: Truth, ids: Any) -> list[str]:
    """Return the classes that the figures leave out, one line each."""
    lines = [
        f"{model.card.name} does not know {name}: {truth.objects[row]:,} objects are left out."
        for row, name in enumerate(truth.classes)
        if ids[row] < 0
    ]
    classes, known = model.card.classes, set(ids.tolist())
    without = [classes[label] for label in card.label_ids(classes) if label not in known]
    if without:
        first = ", ".join(without[:5]) + (f" and {len(without) - 5} more" if len(without) > 5 else "")
        lines.append(f"{truth.name} does not have {first}: detections of these are left out.")
    return lines


INSPECTION = Inspection(
    id="figures",
    title="Figures",
    help="mAP, precision and recall, confusion, recall funnel and error types over a data set with ground truth.",
    needs=("Detects",),
    params=Params,
    answer=answer,
    reads="folder",
)
