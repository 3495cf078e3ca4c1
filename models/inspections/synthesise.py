"""Class visualization: pictures synthesised for a class, a channel, a single unit, or a detected box's class.

Arrays of the Result: `pictures` (S, h, w, 3) uint8 RGB as the network sees them, `strip` (K, h, w, 3) those on the way
to the first one after `strip_steps` (K,) steps, `objective` (steps + 1, S) its value at each step.

Meta: `target` in words; `objective_kind`; for a class `own`, the probability that the network gives it for each picture
(S,), `start`, that for what it started from, and `halved`, that after the picture was halved in size and enlarged
again, as an adversarial pattern does not survive; `other`, what another opened model sees in each picture: its `name`,
the best `classes` with `probabilities`, and `same`, the probability of the class of the same name, -1 if it has none;
`text`, in words.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.attributions.attribution import probe_of, subject_of
from models.attributions.target import Target, TargetParams
from models.capabilities import provides
from models.features import synthesis
from models.features.synthesis import Made, Recipe
from models.inspection import Inspection
from models.params import param
from models.runtime.context import Context
from models.runtime.forward_passes import INNOCENT, guarded
from models.runtime.stage_cache import Cache, CachedStages
from models.subject import Subject
from models.tracing.layers import call_of, hidden
from models.tracing.tensor_layout import VECTOR
from models.tracing.traced_calls import gradients, recorded
from models.types import Pixels, Refusal, Result

CLASS, CHANNEL, UNIT = "class", "channel", "unit"
NOISE = "noise"
BLANK = np.full((256, 256, 3), 128, np.uint8)  # stands for the picture where none is open


@dataclass(frozen=True)
class Params(TargetParams):
    """What to make large, where to start, and what keeps the picture from becoming noise."""

    objective: str = param(
        CLASS,
        "Make large",
        "The score of a class, the mean of a channel, or one place of a channel.",
        choices=(CLASS, CHANNEL, UNIT),
        titles=("Class", "Channel", "Unit"),
    )
    unit_layer: str = param(
        "", "Layer of the channel", "A call by its id; empty takes the best one.", only=("objective", CHANNEL, UNIT)
    )
    channel: int = param(
        0, "Channel", "The number of the channel.", low=0, high=2**20, step=1, only=("objective", CHANNEL, UNIT)
    )
    row: int = param(-1, "Row", "Of the unit; -1 is the middle.", low=-1, high=2**16, step=1, only=("objective", UNIT))
    column: int = param(
        -1, "Column", "Of the unit; -1 is the middle.", low=-1, high=2**16, step=1, only=("objective", UNIT)
    )
    negative: bool = param(False, "Make small", "Make the value as small as possible instead.")
    start: str = param(
        NOISE,
        "Start from",
        "Grey with a little noise, or the current picture.",
        choices=(NOISE, "picture"),
        titles=("Noise", "This picture"),
    )
    space: str = param(
        "pixels",
        "Change",
        "The pixels, or their spectrum over decorrelated colours, which prefers coarse patterns.",
        choices=("pixels", "fourier"),
        titles=("Pixels", "Fourier spectrum"),
    )
    steps: int = param(64, "Steps of the ascent", "How many steps upwards are made.", low=1, high=2000, step=1)
    rate: float = param(0.05, "Step size", "How far a step goes.", low=0.001, high=2.0, step=0.01)
    optimiser: str = param(
        "gradient",
        "Optimiser",
        "Along the gradient, or by Adam, which enlarges small gradients.",
        choices=("gradient", "adam"),
        titles=("Gradient", "Adam"),
    )
    jitter: float = param(
        0.06, "Jitter", "Shift the picture at random at each step, up to this share of its side.", low=0.0, high=0.5
    )
    blur: float = param(0.0, "Blur", "Blur it every few steps by so much.", low=0.0, high=10.0, step=0.1, unit="px")
    variation: float = param(
        0.0, "Total variation", "Weight of the differences between neighbouring pixels.", low=0.0, high=1e5, step=10.0
    )
    length: float = param(0.0, "L2", "Weight of the distance from grey.", low=0.0, high=1e5, step=10.0)
    starts: int = param(1, "Starts", "How many pictures, each from other noise.", low=1, high=16, step=1)
    kept: int = param(8, "Pictures of the way", "How many steps the strip shows.", low=2, high=64, step=1)
    other: str = param("", "Second model", "Another model, which is asked what it sees in the pictures.")
    seed: int = param(0, "Seed of the picture", "Another number draws other noise.", low=0, high=2**31 - 1)


def lacks(model: Any) -> dict[str, str]:
    """Return why channels and units of layers cannot be chosen, by parameter."""
    told = hidden(model)
    return dict.fromkeys(("objective", "unit_layer", "channel", "row", "column"), told[""]) if told else {}


def answer(model: Any, pixels: Pixels | None, params: Params, stages: Any) -> Result:
    """Return the pictures. Without `pixels` the start is noise, and the class the first unless one is named.

    Raises Refusal for an unknown class, layer or channel, or if no gradient arrives.
    """
    if pixels is None:
        if not provides(model, "Classifies"):
            raise Refusal(f"{model.card.name} needs a picture with a box to be enlarged.", advice="Open a picture.")
        first = params.target or next(iter(model.card.classes), "0")
        pixels, params = BLANK, dataclasses.replace(params, target=first, start=NOISE)
    subject = subject_of(model, pixels, params, stages)
    white = synthesis.values_of(model, subject)
    side = max(subject.size)
    recipe = Recipe(
        params.steps,
        params.rate,
        params.optimiser,
        params.space,
        round(params.jitter * side),
        params.blur,
        params.variation,
        params.length,
        params.seed,
        min(params.kept, params.steps + 1),
    )
    with gradients():
        probe = probe_of(subject, params, stages, pixels)
        about, objective = _objective(subject, probe.target, params, stages)
        key = (subject.key, about, params.negative, params.start, params.starts, recipe)

        def make() -> Made:
            given = subject.input if params.start == "picture" else None
            sign = -1.0 if params.negative else 1.0
            return synthesis.synthesise(
                subject,
                white,
                lambda x: sign * objective(x),
                recipe,
                count=params.starts,
                given=given,
                progress=stages.progress,
            )

        made = stages.run("synthesis", make, *key)
    bgr = getattr(getattr(model, "preprocess", None), "order", "rgb") == "bgr"
    arrays = {
        "pictures": _pixels(made.pictures, bgr=bgr),
        "strip": _pixels(made.way, bgr=bgr),
        "strip_steps": np.array(made.at, np.int64),
        "objective": (made.values * (-1 if params.negative else 1)).numpy().astype(np.float32),
    }
    meta: dict[str, Any] = {
        "kind": "synthesis",
        "target": about,
        "objective_kind": params.objective,
        "negative": params.negative,
        "start_from": params.start,
    }
    if params.objective == CLASS and subject.link != "none" and not params.against and params.part == "score":
        meta |= _seen_by_itself(subject, white, made, probe.target.plus)
    if params.other:
        meta["other"] = _seen_by(params.other, arrays["pictures"], _name(subject, probe.target, params), stages)
    meta["text"] = _words(meta, arrays, model.card.name)
    return Result(arrays, meta)


def _objective(subject: Subject, target: Target, params: Params, stages: Any) -> tuple[str, Callable[[Tensor], Tensor]]:
    """Return what is made large in words, and as a function from inputs (N, 3, h, w) to values (N,)."""
    if params.objective == CLASS:
        return target.title, lambda x: target.of(subject.scores(x))
    call = call_of(subject, params.unit_layer, stages)
    vector = call.layout.name == VECTOR
    if not (call.layout.spatial or vector):
        shape = " x ".join(map(str, call.shape))
        raise Refusal(f"{call.id} ({shape}) has neither channels nor units.", advice="Choose another layer.")
    if params.channel >= call.layout.channels:
        raise Refusal(
            f"{call.id} has {call.layout.channels:,} channels: there is no channel {params.channel:,}.",
            advice=f"They go from 0 to {call.layout.channels - 1:,}.",
        )
    rows, columns = (1, 1) if vector else call.layout.grid
    row = rows // 2 if params.row < 0 else params.row
    column = columns // 2 if params.column < 0 else params.column
    if params.objective == UNIT and (row >= rows or column >= columns):
        raise Refusal(
            f"{call.id} has {rows} rows and {columns} columns: there is no place {row}, {column}.",
            advice="Choose smaller numbers.",
        )

    def value(x: Tensor) -> Tensor:
        with recorded(subject.net, [call.id]) as kept:
            subject.scores(x)
        if call.id not in kept:
            raise Refusal(f"{call.id} is not called for this picture.", advice="Choose another layer.")
        found = kept[call.id].float()
        if vector:
            return found[:, params.channel]
        plane = call.layout.planes(found)[:, params.channel]
        return plane[:, row, column] if params.objective == UNIT else plane.mean((1, 2))

    place = f" at row {row}, column {column}" if params.objective == UNIT and not vector else ""
    return f"channel {params.channel} of {call.id}{place}", value


def _name(subject: Subject, target: Target, params: Params) -> str:
    return subject.classes[target.plus] if params.objective == CLASS and target.plus < len(subject.classes) else ""


def _seen_by_itself(subject: Subject, white: Tensor, made: Made, column: int) -> dict[str, Any]:
    """Return the class's probability for each picture, for the start, and for the pictures halved in size."""
    span = white - subject.black
    small = functional.interpolate(made.pictures, scale_factor=0.5, mode="bilinear", antialias=True)
    halved = functional.interpolate(small, subject.size, mode="bilinear")
    # What is shown is rounded to 8 bits a value.
    parts = (made.pictures, made.way[:1], halved)
    with torch.no_grad():
        found = [subject.probabilities(subject.scores(subject.black + _round(p) * span))[:, column] for p in parts]
    own, start, after = (tuple(float(v) for v in each) for each in found)
    return {"own": own, "start": start[0], "halved": after}


def _seen_by(name: str, pictures: np.ndarray, wanted: str, stages: Any) -> dict[str, Any]:
    """Return what another model sees in pictures (S, h, w, 3), and how much of the `wanted` class."""
    other = stages.model(name)
    behaviour = getattr(other, "behaviour", INNOCENT)
    rows, same = [], []
    for picture in pictures:
        own = CachedStages(Cache(), "synthesised", Context(cancelled=stages.context.cancelled))
        with guarded(other.net, behaviour):
            chances, classes = _chances(other, picture, own)
        known = {title.casefold(): row for row, title in reversed(list(enumerate(classes)))}
        best = int(chances.argmax()) if len(chances) else -1
        rows.append((classes[best], float(chances[best])) if best >= 0 else ("", 0.0))
        row = known.get(wanted.casefold(), -1)
        same.append(float(chances[row]) if row >= 0 and len(chances) else -1.0)
    return {
        "name": other.card.name,
        "classes": tuple(title for title, _ in rows),
        "probabilities": tuple(chance for _, chance in rows),
        "same": tuple(same),
    }


def _chances(other: Any, picture: Pixels, stages: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the probability of each class for a picture: of a detector the best score of each class."""
    classes = other.card.classes
    if provides(other, "Classifies"):
        with torch.inference_mode(False), torch.no_grad():
            subject = other.subject(picture, stages)
            chances = subject.probabilities(subject.scores(subject.input))[0].float().cpu().numpy()
        if subject.link == "none":
            raise Refusal(f"{other.card.name} tells values rather than classes.", advice="Choose a classifier.")
        return chances, classes
    if provides(other, "Detects"):
        found = other.candidates(picture, {}, stages)
        chances = np.zeros(len(classes), np.float32)
        np.maximum.at(chances, found.label, found.score)
        return chances, classes
    raise Refusal(f"{other.card.name} tells no classes.", advice="Choose a classifier or a detector.")


def _round(pictures: Tensor) -> Tensor:
    return (pictures * 255).round() / 255


def _pixels(pictures: Tensor, *, bgr: bool) -> Pixels:
    shown = pictures.flip(1) if bgr else pictures
    whole = (shown * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(whole.permute(0, 2, 3, 1).cpu().numpy())


def _words(meta: dict[str, Any], arrays: dict[str, Any], name: str) -> str:
    first, last = (float(arrays["objective"][row].mean()) for row in (0, -1))
    said = [f"The value of {meta['target']} went from {first:.3g} to {last:.3g}."]
    own = 0.0
    if "own" in meta:
        own, halved = float(np.mean(meta["own"])), float(np.mean(meta["halved"]))
        said.append(f"{name} gives it {own:.1%} now, {meta['start']:.1%} at the start.")
        said.append(f"Halved in size and enlarged again, the picture still gets {halved:.1%}.")
    if other := meta.get("other"):
        best, chance = other["classes"][0], other["probabilities"][0]
        same = [value for value in other["same"] if value >= 0]
        if same:
            seen = float(np.mean(same))
            said.append(f"{other['name']} sees this class at {seen:.1%}, and takes it for {best} ({chance:.1%}).")
            if "own" in meta:
                share = max(0.0, 1 - seen / max(own, 1e-9))
                said.append(f"{share:.0%} of its certainty is its own alone: adversarial, not the class's look.")
        elif best:
            said.append(f"{other['name']}, which has no class of that name, takes it for {best} ({chance:.1%}).")
    elif "own" in meta:
        said.append("Its own certainty proves little: ask a second model what it sees.")
    return " ".join(said)


INSPECTION = Inspection(
    id="synthesise",
    title="Class visualization",
    help="Pictures made by gradient ascent for a class, a channel or a unit, and what another model sees in them.",
    needs=("Explains",),
    params=Params,
    answer=answer,
    spared=True,
    lacks=lacks,
)
