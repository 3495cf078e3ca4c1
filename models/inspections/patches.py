"""Top patches: where in the pictures of a data set a unit of a layer has its largest, median and lowest values.

The source is the data set. One pass serves every unit of every traced layer; what counts of a picture is the unit's
largest value over its places. The answer covers the parts done so far; the meta says `partial` until all are.

Arrays of the Result: `pictures` (K, s, s, 3) uint8 crops to what the unit responds to, for the end that is shown;
`whole` (K, s, s, 3) the pictures with the receptive field as a white frame and the crop as an orange one; `boxes` and
`reaches` (K, 4) both in pixels of the picture; `values` (S,) the unit's value in each picture of the sample; of all C
units of the layer `largest`, `lowest` (C,) and `fires` (C,), the number of pictures in which the value is above 0.

Meta: `patches`, a list of dictionaries with `path`, `value`, `rank`, `end` (top, median, low), `row` and `column` of
the place in the layer, `label` and `prediction`, and `box` and `reach` where they were measured; `layer`, `layers` that
can be asked for, `channel`, `channels`, `shown` the end that is shown, `never`, whether the unit is never above 0,
`constant`, whether its value is the same everywhere, `silent` how many units of the layer never are above 0, `text` in
words, `notes`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from models.dataset_pass.asking import Asked, Listed, forward_of, listed, workers_param
from models.dataset_pass.fingerprint import fingerprint
from models.dataset_pass.forward import Forward, own_stages, takes_pictures
from models.dataset_pass.job import Job, first_readable
from models.dataset_pass.layer_choice import LayerChoice
from models.dataset_pass.products.patches import KEPT, Patches, planes_of
from models.dataset_pass.products.predictions import Predictions
from models.dataset_pass.unit_extremes import Ranked, UnitLayer, UnitValues, layers, unit_values
from models.features.patch_crops import GREY, Responded, crop, framed, responded
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.runtime.context import go_on
from models.tracing.layers import automatic, hidden
from models.tracing.traced_calls import Call
from models.types import Pixels, Refusal, Result, Source

KIND = "top patches of a data set"
SIDE_PX = 96
TOP, MEDIAN, LOW = "top", "median", "low"
ENDS = (TOP, MEDIAN, LOW)


@dataclass(frozen=True)
class Params:
    """A unit, and which of its pictures are shown."""

    layer: str = param("", "Layer", "A call from the list of layers, by its id; empty takes the one of the maps.")
    channel: int = param(
        -1, "Channel", "The unit's number; -1 is the one with the largest value.", low=-1, high=2**20, step=1
    )
    show: str = param(
        TOP,
        "Patches",
        "Those of the largest values, those around the median, or those of the lowest.",
        choices=ENDS,
        titles=("Largest", "Around the median", "Lowest"),
    )
    count: int = param(KEPT, "How many", "How many patches are shown.", low=1, high=KEPT, step=1)
    workers: int = workers_param()


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return the patches of a unit so far. Raises Refusal for an unknown layer or channel."""
    forward, found = forward_of(model, stages), listed(source.path, stages)
    name, made_of = stages.context.made_of()
    names, first = _names(forward, found, stages)
    if params.layer and params.layer not in names:
        raise _unknown(params.layer, names)
    asked = Asked(model, found, forward, LayerChoice("", ""), fingerprint(name, model, made_of), name, params.workers)
    job = asked.job(stages, Patches.of(len(found.data_set)), Predictions())
    go_on(stages, KIND, job)
    there = layers(job.collected)
    if not there:
        return _nothing(asked, job, names)
    layer = _layer(there, params.layer or first)
    if params.channel >= layer.channels:
        raise Refusal(
            f"{layer.id} has {layer.channels:,} channels: there is no channel {params.channel:,}.",
            advice=f"They go from 0 to {layer.channels - 1:,}.",
        )
    units = unit_values(job.collected, layer.id, count=params.count)
    channel = params.channel if params.channel >= 0 else int(units.top.values[0].argmax())
    return _result(_Unit(asked, job, units, layer, channel), params, tuple(each.id for each in there), stages)


@dataclass(frozen=True, eq=False)
class _Unit:
    """The unit that is asked for, with the values of its layer."""

    asked: Asked
    job: Job
    units: UnitValues
    layer: UnitLayer
    channel: int


def _result(unit: _Unit, params: Params, names: tuple[str, ...], stages: Any) -> Result:
    asked, job, units, layer, channel = unit.asked, unit.job, unit.units, unit.layer, unit.channel
    ends = {
        TOP: units.top.of(channel),
        MEDIAN: units.median(channel, params.count),
        LOW: units.low.of(channel),
    }
    shown = ends[params.show]
    never, constant = not units.fires[channel], bool(ends[TOP].values[0] == ends[LOW].values[0])
    alike = constant and units.pictures > 1
    crops = [] if alike else [_patch(unit, shown, rank, stages) for rank in range(len(shown))]
    told = [
        entry | ({"box": list(crops[rank][0].box), "reach": list(crops[rank][0].reach)} if exact else {})
        for end, ranked in ends.items()
        for rank, entry in enumerate(_entries(asked, job, end, ranked))
        for exact in [end == params.show and not alike and crops[rank][0].exact]
    ]
    arrays = {
        "pictures": _stacked([each[1] for each in crops]),
        "whole": _stacked([each[2] for each in crops]),
        "boxes": np.array([each[0].box for each in crops], np.float32).reshape(-1, 4),
        "reaches": np.array([each[0].reach for each in crops], np.float32).reshape(-1, 4),
        "values": np.array(units.sample.values[:, channel], np.float32),
        "largest": units.top.values[0].astype(np.float32),
        "lowest": units.low.values[0].astype(np.float32),
        "fires": units.fires,
    }
    notes = []
    if crops and not all(each[0].exact for each in crops):
        notes.append("What the unit responds to could not be measured, so whole pictures are shown.")
    if len(arrays["values"]) < units.pictures:
        notes.append(f"Median and histogram are those of {len(arrays['values']):,} pictures, taken at even distances.")
    if job.collected.failures:
        notes.append(f"Pictures that could not be used: {len(job.collected.failures):,}.")
    meta = {
        **_about(asked, job),
        "patches": told,
        "layer": layer.id,
        "layers": names,
        "channel": channel,
        "channels": layer.channels,
        "shown": params.show,
        "never": never,
        "constant": constant,
        "silent": int((units.fires == 0).sum()),
        "notes": tuple(notes),
        "text": _text(unit),
    }
    return Result(arrays, meta)


def _text(unit: _Unit) -> str:
    units, channel, of = unit.units, unit.channel, len(unit.asked.data_set)
    largest, lowest = float(units.top.values[0, channel]), float(units.low.values[0, channel])
    told = [f"Channel {channel} of {unit.layer.id} in {units.pictures:,} of {of:,} pictures."]
    fires = int(units.fires[channel])
    if largest == lowest and units.pictures > 1:
        if not fires:
            told.append(f"It never fires in {units.pictures:,} pictures: its largest value is {largest:.3g} in each.")
        else:
            told.append(f"Its largest value is {largest:.3g} in each, so no picture stands out.")
        return " ".join(told)
    if not fires:
        told.append(f"It never rises above 0 in {units.pictures:,} pictures.")
    else:
        told.append(f"It is above 0 in {fires / units.pictures:.0%} of them.")
    middle = float(np.median(units.sample.values[:, channel]))
    told.append(f"Its largest values go from {lowest:.3g} to {largest:.3g}, with the median {middle:.3g}.")
    return " ".join(told)


def _entries(asked: Asked, job: Job, end: str, ranked: Ranked) -> list[dict[str, Any]]:
    data_set, classes = asked.data_set, asked.model.card.classes
    predictions = job.collected.column("prediction", -1, np.int64)
    entries = []
    for rank, picture in enumerate(ranked.rows.tolist()):
        row, column = ranked.cell(rank)
        prediction = int(predictions[picture])
        entries.append(
            {
                "path": data_set.paths[picture],
                "value": float(ranked.values[rank]),
                "rank": rank + 1,
                "end": end,
                "row": row,
                "column": column,
                "label": data_set.label(picture),
                "prediction": classes[prediction] if 0 <= prediction < len(classes) else "",
            }
        )
    return entries


def _patch(unit: _Unit, ranked: Ranked, rank: int, stages: Any) -> tuple[Responded, Pixels, Pixels]:
    """Return what a unit responds to in a picture, the crop, and the picture with frames; kept between questions."""
    asked, layer, channel = unit.asked, unit.layer.id, unit.channel
    picture, cell = int(ranked.rows[rank]), ranked.cell(rank)

    def make() -> tuple[Responded, Pixels, Pixels]:
        try:
            pixels = images.read(asked.data_set.paths[picture]).pixels
        except Refusal:  # it was there when the pass looked at it
            gone = np.full((1, 1, 3), GREY, np.uint8)
            return _whole(gone)
        own = own_stages()
        own.context.cancelled = stages.context.cancelled
        try:
            found = responded(asked.forward.subject(pixels, own), layer, channel, cell, own)
        except Refusal:
            return _whole(pixels)
        return found, crop(pixels, found.box, SIDE_PX), framed(pixels, found, SIDE_PX)

    stages.progress(rank / len(ranked), "crop the patches")
    return stages.run("patch", make, asked.listed.digest, layer, channel, picture, cell)


def _whole(pixels: Pixels) -> tuple[Responded, Pixels, Pixels]:
    box = (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
    found = Responded(box, box, exact=False)
    picture = framed(pixels, found, SIDE_PX)
    return found, picture, picture


def _stacked(pictures: list[Pixels]) -> Pixels:
    return np.stack(pictures) if pictures else np.zeros((0, SIDE_PX, SIDE_PX, 3), np.uint8)


def _layer(there: list[UnitLayer], wanted: str) -> UnitLayer:
    """Return a layer by its id, the last one with several channels for "". Raises Refusal."""
    if not wanted:
        return there[-1]
    found = next((each for each in there if each.id == wanted), None)
    if found is None:
        raise _unknown(wanted, tuple(each.id for each in there))
    return found


def _names(forward: Forward, found: Listed, stages: Any) -> tuple[tuple[str, ...], str]:
    """Return the calls with units in one pass over the first picture that can be read, and the one to begin with.

    That is the layer of the maps, or where there is none the map with the most channels. Raises Refusal.
    """
    key = ("layers with units", id(forward), found.digest)
    if key not in stages.cache:
        stages.progress(None, "look at the first picture")
        pixels = first_readable(found.data_set, images.read)
        forward.settle(pixels)
        seen: dict[str, tuple[bool, int]] = {}

        def see(call: Call, value: Tensor) -> None:
            if planes_of(call, value) is not None and len(value) == 1:
                seen[call.id] = call.layout.spatial, call.layout.channels

        forward.run([forward.prepare(pixels)], see)
        own = own_stages()
        try:
            wanted = automatic(forward.subject(pixels, own), own)
        except Refusal:
            wanted = ""
        if wanted not in seen:
            wanted = max(seen, key=seen.__getitem__, default="")
        stages.cache[key] = tuple(seen), wanted
    return stages.cache[key]


def _unknown(wanted: str, names: tuple[str, ...]) -> Refusal:
    near = difflib.get_close_matches(wanted, names, 3) or names[-1:]
    text = f"{wanted} is no layer with units that every picture of the data set has."
    return Refusal(text, advice=f"Did you mean {' or '.join(near)}?" if near else "Choose another model.")


def _nothing(asked: Asked, job: Job, names: tuple[str, ...]) -> Result:
    """Return the answer before the first part is done. Raises Refusal if there is nothing to come."""
    if job.complete:
        first = next(iter(job.collected.failures.values()), "")
        if job.collected.done:
            raise Refusal("No layer of this network has units.", advice="Choose another model.")
        raise Refusal(f"None of the {len(asked.data_set):,} pictures could be used. The first: {first}")
    text = f"Looked at {job.looked_at:,} of {len(asked.data_set):,} pictures; the first patches follow."
    empty = {"pictures": _stacked([]), "whole": _stacked([]), "values": np.zeros(0, np.float32)}
    return Result(empty, {**_about(asked, job), "patches": [], "layers": names, "notes": (), "text": text})


def _about(asked: Asked, job: Job) -> dict[str, Any]:
    kept = {name: value for name, value in asked.about.items() if name.startswith(("data_set", "set_", "digest"))}
    return {**kept, **job.about, "partial": not job.complete, "complete": job.complete}


def _lacks(model: Any) -> dict[str, str]:
    reason = takes_pictures(model)
    return {"": reason} if reason else hidden(model)


INSPECTION = Inspection(
    id="patches",
    title="Top patches",
    help="Where in the pictures of a data set a unit has its largest, median and lowest values.",
    needs=(),
    params=Params,
    answer=answer,
    reads="folder",
    lacks=_lacks,
)
