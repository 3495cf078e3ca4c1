"""Figures: how well a model does on a whole data set with ground truth, at given thresholds.

The source is the ground truth. The answer covers the pictures measured so far; the others are measured while the engine
is idle, and the meta says `partial` until all are done. The arrays are those of `models.evaluation.figures`. The meta
has their totals, the counts `collected`, `failed` and `of`, and lines of text: `problems` lists pictures that could not
be measured, `notes` classes left out, `resumed` how many pictures had been measured before, by another engine or by
`models.dataset_pass`, `where` who else measures, `truth_notes` how the ground truth was read, `omitted` how much of it
was not.

Where others than this process can do it (worker processes, a cluster), the pictures are measured in parts by
`models.dataset_pass`, whose files stay; else one by one here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from models.cards import card
from models.dataset_pass import lane_choice
from models.dataset_pass.asking import workers_param
from models.dataset_pass.fingerprint import fingerprint
from models.dataset_pass.forward import Forward
from models.dataset_pass.job import SHARD, Job, job_key, parts_folder
from models.dataset_pass.products import measurements
from models.datasets.types import DataSet
from models.detection import decision
from models.detection.classes import label_ids
from models.detection.decision import check_plain, rpn_settings
from models.evaluation import kept
from models.evaluation.kept import Kept
from models.evaluation.matched import Setting
from models.evaluation.measure import LEAST_IOU, Measured
from models.evaluation.store import Store
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.runtime import kept_folder
from models.truth import read
from models.truth.types import Truth
from models.types import Refusal, Result, Source

MOST_LISTED = 1000
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
    cell_row: int = param(-1, "Row of a cell", "Whose pictures are listed; -1 lists none.", low=-1, high=2**20, step=1)
    cell_column: int = param(-1, "Column of a cell", "Of the confusion matrix.", low=-1, high=2**20, step=1)
    collect: bool = param(True, "Collect", "Continue with the pictures that are not measured yet.")
    workers: int = workers_param()


@dataclass
class _Wanted:
    """The collection that continues while the engine is idle: that of the newest request, None for none."""

    store: Store | None = None
    model: Any = None
    rpn: Mapping[str, Any] = field(default_factory=dict)
    agnostic: bool = False
    parts: _Parts | None = None


class _Parts:
    """The pass that measures in parts, while others than this process do it, and what of it the store has."""

    def __init__(self, job: Job, store: Store) -> None:
        self._job, self._store = job, store
        self._taken: set[int] = set()
        self.note = ""
        self.take()

    @property
    def going(self) -> bool:
        """Whether others still measure."""
        return not (self.note or self._job.alone or self._job.complete)

    @property
    def where(self) -> str:
        """Who measures, "" for nobody."""
        return str(self._job.about["where"]) if self.going else ""

    def step(self) -> None:
        """Let others go on, and take in what they have written; note why they cannot."""
        try:
            self._job.step()
        except Refusal as refusal:
            self.note = f"{refusal} {refusal.advice} This process goes on alone."
        if self._job.note:
            self.note = self._job.note
        self.take()

    def stop(self) -> None:
        """End the processes."""
        self._job.stop()

    def take(self) -> None:
        """Take in the parts that are new."""
        for first, part in self._job.collected.parts:
            if first in self._taken:
                continue
            self._taken.add(first)
            for row, one in measurements.unpacked(part):
                if first + row not in self._store.measured:
                    self._store.add(first + row, one, keep=False)
            for row, why in part.errors.items():
                if first + row not in self._store.measured:
                    self._store.fail(first + row, why)


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
    files = kept.opened(kept_folder.current(), model.card.name, _weights(model), source, key)

    def begun() -> Store:
        made = _begun(truth, ids, model, rpn, files)
        made.parts = _parts(made, model, source, rpn=rpn, params=params, stages=stages)
        made.resumed = len(made.measured)
        return made

    store: Store = stages.run(name, begun, *key)
    stages.keep(name, store, *key)  # the store grows: store it again so that the cache counts its new size
    complete = store.missing(agnostic=params.agnostic) is None
    parts = store.parts if isinstance(store.parts, _Parts) else None
    wanted = _Wanted(store, model, rpn, params.agnostic, parts) if params.collect and not complete else _Wanted()
    _continue_with(stages, wanted)

    hidden = label_ids(params.hidden, model.card.classes)
    setting = Setting(params.iou, params.agnostic, params.max_detections, params.match_iou, hidden)
    result: Result = stages.time("figures", lambda: store.figures(setting, params.score))
    done, failed = len(store.measured), len(store.failed)
    lines = [f"{Source(truth.pictures[row].path).name}: {why}" for row, why in sorted(store.failed.items())]
    behind: tuple[tuple[str, int], ...] = ()
    if params.cell_row >= 0:
        pictures, counts = store.pictures_of_cell(setting, params.score, params.cell_row, params.cell_column)
        behind = tuple(zip((truth.pictures[row].path for row in pictures), counts, strict=True))[:MOST_LISTED]
    meta = {
        "cell": (params.cell_row, params.cell_column),
        "cell_pictures": behind,
        "classes": model.card.classes,
        "truth": truth.name,
        "collected": done,
        "failed": failed,
        "of": len(truth.pictures),
        "problems": lines,
        "notes": [*_notes(model, truth, ids), *filter(None, (parts.note if parts else "",))],
        "where": parts.where if parts else "",
        "truth_notes": truth.notes,
        "omitted": truth.omitted,
        "partial": params.collect and not complete,
        "complete": complete,
        "resumed": store.resumed,
    }
    return Result(result.arrays, {**result.meta, **meta})


def _continue_with(stages: Any, wanted: _Wanted) -> None:
    """Replace the collection that continues in idle time with this one."""
    if WISH not in stages.cache:
        stages.cache[WISH] = _Wanted()
    current: _Wanted = stages.cache[WISH]
    vars(current).update(vars(wanted))
    if wanted.store is not None:
        stages.while_idle(WISH, _collect(current))


def _collect(wanted: _Wanted) -> Iterator[None]:
    """Measure one picture per slice for as long as a collection is wanted."""
    parts: _Parts | None = None
    try:
        while wanted.store is not None:
            store = wanted.store
            if parts is not None and parts is not wanted.parts:
                parts.stop()
            parts = wanted.parts
            row = store.missing(agnostic=wanted.agnostic)
            if row is None:
                store.keep()
                return
            if row in store.measured:
                store.across(row)
            elif parts is not None and parts.going:
                parts.step()
            else:
                _measure(store, row, wanted)
            yield
    finally:
        if parts is not None:
            parts.stop()


def _parts(
    store: Store, model: Any, source: Source, *, rpn: Mapping[str, Any], params: Params, stages: Any
) -> _Parts | None:
    """Return the pass in parts, None where only this process can measure and nothing was measured in parts before."""
    name, made_of = stages.context.made_of()
    paths = measurements.paths_of(store.truth)
    if not name or not paths or source.path is None:
        return None
    forward = Forward(model)
    on_cpu = forward.device.type == "cpu"
    count = -(-len(paths) // SHARD)
    weights = fingerprint(name, model, made_of)
    asked = measurements.Measurements(source.path, measurements.digest_of(store.truth), tuple(sorted(rpn.items())))
    others = lane_choice.helps(count, workers=params.workers, on_cpu=on_cpu)
    if not others and not (parts_folder() / job_key(weights, (asked,))[:24]).is_dir():
        return None
    data_set = DataSet(store.truth.name, "truth", "", tuple(paths))
    job = Job(forward, data_set, (asked,), weights, progress=stages.progress)
    found = _Parts(job, store)
    if not others:
        return None
    job.model_name = name
    job.lane = partial(lane_choice.lane, workers=params.workers, on_cpu=on_cpu)
    return found


def _begun(truth: Truth, ids: Any, model: Any, rpn: Mapping[str, Any], files: Kept | None) -> Store:
    """Return a store with what an engine before this one has measured, if that can be relied on."""
    store = Store(truth, ids, files)
    if files is None:
        return store

    def measured(row: int) -> Measured | None:
        trial = Store(truth, ids)
        _measure(trial, row, _Wanted(trial, model, rpn))
        return trial.measured.get(row)

    for row, one in files.resume(len(truth.pictures), measured).items():
        store.add(row, one, keep=False)
    return store


def _weights(model: Any) -> Any:
    """Return what the file of the weights is known by: its path, size and time."""
    own = model.card.weights
    return (str(own), Source.file(own).stamp) if own is not None else ()


def _measure(store: Store, row: int, wanted: _Wanted) -> None:
    """Measure a picture, or record why it cannot be measured; drop its pixels and stages afterwards."""
    truth = store.truth.pictures[row]
    try:
        pixels = images.read(truth.path).pixels
        store.add(row, measurements.measured_of(wanted.model, pixels, truth, wanted.rpn, store.anchors))
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
