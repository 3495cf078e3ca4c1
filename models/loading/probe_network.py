"""Determine the purpose of a network of an unknown family by running it on photographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, overload

import torch
from torch import Tensor, nn

from models import model_name
from models.cards.card import GAP, PHOTOS, Card, recognised
from models.detection import anchor_sets, box_rows
from models.detection.box_rows import Boxes
from models.exported import onnx_random
from models.exported.operation_budget import after_first_run
from models.interpretation import (
    box_extras,
    detector_reading,
    final_rows,
    grids,
    network_reading,
    pixel_readings,
    point_codes,
    spatial_reading,
    vector_readings,
)
from models.interpretation import examine as examine_detector
from models.interpretation.colour_codes import ColourCode
from models.interpretation.examine import may_detect
from models.interpretation.layout import DetectorLayout
from models.interpretation.network_reading import Reading
from models.interpretation.origins import Origins, origins_of
from models.loading import (
    box_pairs,
    colouring,
    filled_inputs,
    first_pass,
    heads,
    pair_preparation,
    pass_behaviour,
    preprocess_presets,
    score_vectors,
    unread_outputs,
)
from models.loading.asked_passes import AskedPasses
from models.loading.first_pass import Output, all_tensors, device_of, in_channels
from models.loading.heads import Head
from models.loading.preprocess import Preprocess
from models.loading.returned_tensors import numbers, parts, tensors_of
from models.loading.wanted_inputs import Size
from models.pictures import images
from models.types import Refusal

PICTURE, OTHER_PICTURE = PHOTOS / "astronaut.jpg", PHOTOS / "coffee.jpg"
CLASSES, BOXES, OFFSETS, CELLS, FEATURES = "classes", "boxes", box_rows.OFFSETS, "cells", "features"
TASKS = {
    CLASSES: "classification",
    **dict.fromkeys((BOXES, OFFSETS, CELLS), "detection"),
    FEATURES: "features",
    network_reading.SEGMENTS: "segmentation",
    network_reading.PICTURE: "picture to picture",
    network_reading.DEPTH: "depth",
    network_reading.POINTS: "landmarks",
    network_reading.LIKELIHOOD: "likelihood",
}
SPATIAL = (network_reading.SEGMENTS, network_reading.PICTURE, network_reading.DEPTH, network_reading.POINTS)
PIXEL_SIDES = {1: 28, 3: 32}  # of pictures whose pixels are modelled, by their channels, where a network takes any
DECODED = Boxes(1, box_rows.CORNERS, box_rows.PIXELS, box_rows.PROBABILITIES, box_rows.NONE)
UNREAD = Reading(FEATURES, FEATURES, network_reading.FEATURES)


@dataclass(frozen=True)
class Found:
    """The findings on a network of an unknown family.

    It `serves` to return "classes", "boxes", "offsets" from anchors, boxes of the "cells" of a grid, or "features".
    `preprocess` is applied to pictures; `channels` is 1 if the network takes grey pictures, 3 if it takes colours, and
    with 2 or 4 there is one more, which `beyond` says how to fill. `part` is the index
    of its scores, or features, among the tensors it returns; `plain` says that it returns nothing else. `head` says
    what scores of classes are, `boxes` what its boxes are, `layout` how the outputs of a detector are read. `readings`
    are all that the outputs may be taken for, the likeliest first, `reading` is the one in force, and `question` is a
    sentence where only the user can tell. `queries` says that each row of boxes is trained to be an object of its own.
    `batches` is what was seen of pictures asked together, as in AskedPasses.
    """

    serves: str
    preprocess: Preprocess
    channels: int
    part: int
    plain: bool
    head: Head = field(default_factory=Head)
    boxes: Boxes | None = None
    layout: DetectorLayout | None = None
    readings: tuple[Reading, ...] = ()
    reading: Reading = UNREAD
    question: str = ""
    beyond: str = ""
    queries: bool = False
    batches: str = ""

    def outputs(self, net: nn.Module) -> Callable[[Tensor], list[tuple[str, Tensor]]]:
        """Return a function from inputs (N, 3, h, w) to every tensor that the network returns, by name."""
        return lambda x: all_tensors(net(self.input(x)))

    @property
    def input_key(self) -> str:
        """What the reading in force wants as its input, "" for the picture as it was prepared."""
        return self.reading.how.lightness if isinstance(self.reading.how, ColourCode) else ""

    def input(self, x: Tensor) -> Tensor:
        """Return what the network gets for prepared pictures (N, 3, h, w)."""
        if isinstance(self.reading.how, ColourCode):
            return self.reading.how.input(x, self.preprocess, self.channels)
        return in_channels(x, self.channels, self.beyond)

    @cached_property
    def origins(self) -> Origins | None:
        """Where a recognised detector's rows come from, None for rows that lie nowhere."""
        return origins_of(self.layout, self.preprocess.size) if self.layout is not None else None

    def runner(self, net: Callable[[Tensor], Any]) -> Callable[[Tensor], list[Tensor]]:
        """Return a function from inputs (N, 3, h, w) to the tensors that the network returns.

        For a detector whose layout was recognised, the tensors are its scores (N, R, C) and boxes (N, R, 4), decoded,
        its objectness (N, R) where it has one, and its extras; rows are in the order of its `origins`.
        """

        order = self.origins.order if self.origins is not None else None

        def run(x: Tensor) -> list[Tensor]:
            made = net(self.input(x))
            if self.layout is None and self.serves in (CLASSES, BOXES, OFFSETS, FEATURES):
                return [tensor for _, tensor in tensors_of(made, len(x))]
            if self.layout is None:
                return numbers(all_tensors(made))
            outputs = [tensor for _, tensor in all_tensors(made)]
            boxes, scores = self.layout.decode(outputs, self.preprocess.size)
            factor = self.layout.factor(outputs)
            more = box_extras.extras(self.layout, outputs, boxes, self.preprocess.size)
            found = [scores, boxes, *([factor] if factor is not None else []), *more.tensors]
            if order is None:
                return found
            return [t if t is more.prototypes else t[:, order.to(t.device)] for t in found]

        return run


def examine(net: nn.Module, card: Card, given: Mapping[str, str]) -> tuple[Found, Card]:
    """Return the findings on a network, and its card with the assumptions, as changed by the user's choices.

    The card's `preprocessing` takes precedence, and so does `input`: channels, height and width, 0 for any. Raises
    Refusal for a network that runs on no picture, and for choices that are not offered.
    """
    wanted, given = _wanted(given)
    first = first_pass.run(net, card, given)
    asked = AskedPasses(net)
    asked.keep(first.x, first.output.raw)
    about: dict[str, Any] = {"offered": dict(first.offered), "beyond": first.beyond}
    seen = _Seen(net, asked, card, given, wanted, first.output, first.size, first.channels, **about)
    made = first.made
    with after_first_run():
        found, card = (
            _pixel_by_pixel(seen)
            or _detector(seen)
            or _rows_of_boxes(seen)
            or _vector(seen, made)
            or _spatial(seen, made)
            or _features_alone(seen)
        )
        if found.preprocess.size == seen.size:
            found = replace(found, batches=seen.together())
    if told := f"{filled_inputs.note(net)} {onnx_random.note(onnx_random.of(net))}".strip():
        card = replace(card, about={**card.about, "note": f"{card.about.get('note', '')} {told}".strip()})
    return found, card


@dataclass(frozen=True)
class _Seen:
    """What is known of a network when its outputs are read: its first output, its input, and the user's choices."""

    net: nn.Module
    asked: AskedPasses
    card: Card
    given: Mapping[str, str]
    wanted: str | None
    output: Output
    size: Size
    channels: int
    offered: dict[str, dict[str, Any]]
    beyond: str = ""

    def checked(self, offered: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Return every assumption in force of those offered. Raises Refusal for choices that are not offered."""
        own = {**self.given, **({network_reading.KEY: self.wanted} if self.wanted else {})}
        return model_name.check(own, offered, name=self.card.name)

    def prepared(self, usual: str = "", *, boxes: bool) -> tuple[Preprocess, dict[str, dict[str, Any]]]:
        """Return how pictures are prepared, and the assumptions in it; `usual` is a preset of values."""
        more: dict[str, Any] = {"size": self.size, "channels": self.channels, "boxes": boxes, "usual": usual}
        return preprocess_presets.propose(self.net, self.card, self.given, **more)

    def run(self, x: Tensor) -> list[tuple[str, Tensor]]:
        """Return every tensor of the network's output for inputs (1, 3, h, w) on any device, by name."""
        with torch.no_grad():
            return all_tensors(self.asked(in_channels(x.to(device_of(self.net)), self.channels, self.beyond)))

    def together(self) -> str:
        """Return what is to be seen of pictures asked together, by a pass on two where no pass has told yet."""
        other = examine_detector.PROBE.preprocess(self.size).input(images.bundled(OTHER_PICTURE), device_of(self.net))
        with torch.no_grad():
            return self.asked.settled(in_channels(other, self.channels, self.beyond))

    @overload
    def features(self) -> Reading: ...
    @overload
    def features(self, *, spare: bool) -> Reading | None: ...
    def features(self, *, spare: bool = False) -> Reading | None:
        """Return the reading of outputs as features. Raises Refusal for no features, unless it can be spared."""
        try:
            return unread_outputs.features(self.card, self.output)
        except Refusal:
            if spare:
                return None
            raise


def _wanted(given: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """Return the id of the reading that is asked for, None for the likeliest, and the other assumptions.

    Earlier versions wrote `layout` and `output` in its place; a kind of scores says by itself how they are read.
    """
    rest = dict(given)
    wanted, layout, output = rest.pop(network_reading.KEY, None), rest.pop("layout", None), rest.pop("output", None)
    old = layout.replace(" ", "-") if layout else output if output == FEATURES else None
    wanted = wanted or old
    if wanted in heads.MANY:
        rest.setdefault(heads.KEY, wanted)
    return wanted, rest


def _pixel_by_pixel(seen: _Seen) -> tuple[Found, Card] | None:
    """Return the findings on a network that gives each pixel a distribution, None for any other.

    It is one if no output depends on what comes after its pixel, or hardly any does; a user may also say so.
    """
    net, wanted = seen.net, seen.wanted == network_reading.LIKELIHOOD
    if seen.channels not in PIXEL_SIDES or (seen.wanted is not None and not wanted):
        return None
    size, offered = seen.size, dict(seen.offered)
    tensors = numbers(all_tensors(seen.output.raw))
    if not any(True for part, t in enumerate(tensors) for _ in pixel_readings.codes(t, part, seen.channels, size)):
        return None
    if "size" in offered and "size" not in seen.given:
        side = PIXEL_SIDES[seen.channels]
        first = f"{side}x{side}"
        size = (side, side)
        kept = (each for each in offered["size"]["choices"] if each != first)
        offered["size"] = {**offered["size"], "choices": (first, *kept)}

    def run(x: Tensor) -> list[Tensor]:
        return numbers(all_tensors(seen.asked(x.to(device_of(net)))))

    with pass_behaviour.kept(net), torch.no_grad():
        tensors = run(torch.zeros(1, seen.channels, *size))
        found = [
            each
            for part, tensor in enumerate(tensors)
            if (each := pixel_readings.reading(lambda x, at=part: run(x)[at], tensor, part, seen.channels, size))
        ]
    readings = network_reading.ranked(found)
    if not readings or not (wanted or readings[0].fit > network_reading.SURE):
        return None
    reading = readings[0]
    features = seen.features(spare=True)
    readings = (reading, *([features] if features is not None else []))
    own = replace(seen, size=size)
    preprocess, more = own.prepared("zero_one", boxes=True)
    offered |= {network_reading.KEY: network_reading.offered(readings), **more}
    serves: dict[str, Any] = {"readings": readings, "reading": reading}
    made = Found(network_reading.LIKELIHOOD, preprocess, seen.channels, reading.part, plain=False, **serves)
    assumed = seen.checked(offered)
    assumptions = {key: {**item, "value": assumed[key]} for key, item in offered.items()}
    about = {"preprocessing": preprocess.about, "assumptions": assumptions, "note": _note(reading)}
    kind = str(seen.card.about.get("architecture") or type(net).__name__)
    task = TASKS[network_reading.LIKELIHOOD]
    return made, recognised(replace(seen.card, classes=()), architecture=kind, task=task, about=about)


def _detector(seen: _Seen) -> tuple[Found, Card] | None:
    """Return the findings on a detector whose layout is recognised on photos, None if it is not recognised."""
    tensors, card, net = all_tensors(seen.output.raw), seen.card, seen.net
    pair = len(tensors) == 2 and any(
        box_pairs.boxes_of(tensors, part) >= 0 for part in (0, 1) if tensors[part][1].ndim == 3
    )
    if pair or not may_detect(tensors, seen.size):
        return None
    own = Preprocess.of(card.about["preprocessing"]) if "preprocessing" in card.about else None

    def run(x: Tensor) -> list[tuple[str, Tensor]]:
        return all_tensors(seen.asked(in_channels(x, seen.channels, seen.beyond)))

    # Several passes: what they change must not reach what is looked at next.
    with pass_behaviour.kept(net):
        # What undoes the preparation by the picture's size alone knows of no padding.
        stretched = {"fit": "stretch"} if filled_inputs.sized(net) else {}
        about: dict[str, Any] = {
            "given": {**stretched, **seen.given},
            "wanted": seen.wanted,
            "preprocess": own,
            "card": card,
        }
        about["first"] = tensors
        read = detector_reading.read(run, seen.size, device_of(net), **about)
    if read is None:
        return None
    features = seen.features(spare=True)
    readings = (*read.readings, *([features] if features is not None else []))
    reading = network_reading.chosen(readings, seen.wanted, name=card.name)
    if reading.kind == network_reading.FEATURES:
        return _features_alone(seen, readings)
    offered = {**seen.offered, network_reading.KEY: network_reading.offered(readings), **read.offered}
    assumed = seen.checked(offered)
    layout: DetectorLayout = reading.how
    more: dict[str, Any] = {"layout": layout, "readings": readings, "reading": reading}
    found = Found(BOXES, read.preprocess, seen.channels, 0, plain=False, beyond=seen.beyond, boxes=DECODED, **more)
    found = replace(found, question=read.question)
    if found.origins is not None:
        found = replace(found, serves=OFFSETS if found.origins.anchored else CELLS)
    assumptions = {k: {**v, "value": assumed[k]} for k, v in offered.items()}
    about = {"preprocessing": read.preprocess.about, "assumptions": assumptions, "note": read.note}
    kind = str(card.about.get("architecture") or type(net).__name__)
    classes = detector_reading.classes_of(layout, card)
    return found, recognised(card, architecture=kind, task=TASKS[BOXES], classes=classes, about=about)


def _rows_of_boxes(seen: _Seen) -> tuple[Found, Card] | None:
    """Return the findings on a network that returns scores (1, R, K) with boxes (1, R, 4), None for any other."""
    pairs = box_pairs.pairs(seen.output.tensors)
    if not pairs or seen.wanted == FEATURES:
        return None
    preprocess, more, unsure = _prepared_pair(seen, *pairs[0][:2])
    readings: list[Reading] = []
    asked: dict[str, dict[str, dict[str, Any]]] = {}
    for number, (part, place, fit) in enumerate(pairs):
        trial = Found(BOXES, preprocess, seen.channels, part, plain=False, beyond=seen.beyond)
        sets = _anchors(seen, part)
        own = box_rows.propose(*_on_picture(seen, trial, place), sets)
        how = Boxes.of(place, {key: item["choices"][0] for key, item in own.items()}, sets)
        readings.append(_pair_reading(seen, (part, place), how, fit, other=bool(number)))
        asked[readings[-1].id] = own
    readings.append(seen.features())
    reading = network_reading.chosen(readings, seen.wanted, name=seen.card.name)
    if reading.kind == network_reading.FEATURES:
        return _features_alone(seen, tuple(readings))
    part, place = reading.part, reading.how.part
    more |= asked[reading.id]
    rows, sets = seen.output.tensors[part][1], _anchors(seen, part)
    offered = {**seen.offered, network_reading.KEY: network_reading.offered(readings), **more}
    assumed = seen.checked(offered)
    boxes = Boxes.of(place, assumed, sets)
    centred = boxes.form == box_rows.CENTRE and boxes.unit == box_rows.SHARE
    pyramid = any(len(grid.strides) > 1 for grid in grids.fitting(rows.shape[1], seen.size))
    queries = centred and not pyramid and rows.shape[1] <= final_rows.MOST_ROWS
    own = replace(reading, how=boxes)
    serves = OFFSETS if assumed["boxes"] == OFFSETS else BOXES
    asks = spatial_reading.question(readings) or unsure
    found = Found(serves, preprocess, seen.channels, part, plain=False, beyond=seen.beyond, question=asks)
    every = tuple(own if each.id == own.id else each for each in readings)
    found = replace(found, boxes=boxes, queries=queries, readings=every, reading=own)
    return found, _with_findings(seen, found, rows, offered, assumed)


def _prepared_pair(seen: _Seen, part: int, place: int) -> tuple[Preprocess, dict[str, dict[str, Any]], str]:
    """Return how pictures are prepared for scores and boxes as two outputs, the assumptions in it, and a question."""
    preprocess, more = seen.prepared(boxes=True)
    told = "input" not in more or "input" in seen.given or seen.channels != 3
    if told or seen.prepared("imagenet", boxes=True)[0] == preprocess:  # what norms keep tells it
        return preprocess, more, ""
    count = seen.output.tensors[part][1].shape[1]
    pyramid = any(len(grid.strides) > 1 for grid in grids.fitting(count, seen.size))
    pair = pair_preparation.Pair(part, place, _anchors(seen, part), seen.size)
    run = Found(BOXES, preprocess, seen.channels, part, plain=False, beyond=seen.beyond).runner(seen.asked)
    queries = not pyramid and count <= final_rows.MOST_ROWS

    def prepared(name: str) -> Preprocess:
        return seen.prepared(name, boxes=True)[0]

    with pass_behaviour.kept(seen.net):
        name, asks = pair_preparation.chosen(run, pair, prepared, device_of(seen.net), queries=queries)
    return *seen.prepared(name, boxes=True), asks


def _anchors(seen: _Seen, part: int) -> Mapping[str, Any]:
    return anchor_sets.fitting(seen.output.tensors[part][1].shape[1], seen.size, seen.card.about.get("anchors"))


def _pair_reading(seen: _Seen, places: tuple[int, int], how: Boxes, fit: float, *, other: bool) -> Reading:
    """Return the reading of two outputs as scores and boxes, which are at `places`."""
    (name, scores), (boxes, _) = (seen.output.tensors[place] for place in places)
    title = f"{scores.shape[1]:,} boxes with {scores.shape[2]:,} scores each, as two outputs"
    evidence = "One output has four columns, another has as many rows: boxes and their scores."
    if scores.shape[2] == 4:
        title = (
            f"boxes in {boxes or 'output ' + str(places[1] + 1)}, scores in {name or 'output ' + str(places[0] + 1)}"
        )
        evidence = "Both outputs have four columns, and either could be the boxes."
    return Reading("boxes-other" if other else "boxes", title, network_reading.BOXES, fit, (evidence,), places[0], how)


def _vector(seen: _Seen, made: Mapping[int, tuple[str, int]]) -> tuple[Found, Card] | None:
    """Return the findings on a network that returns a vector of numbers, None for any other."""
    tensors, card, net = seen.output.tensors, seen.card, seen.net
    part, rows = score_vectors.scores_of(seen.output, size=seen.size, made=made)
    if part < 0:
        return None
    offered = dict(seen.offered)
    if len(rows) > 1:
        offered["part"] = parts(tensors, rows, part)
        own = {k: v for k, v in seen.given.items() if k == "part"}
        part = int(model_name.check(own, offered, name=card.name).get("part", part + 1)) - 1
    preprocess, more = seen.prepared(boxes=False)
    plain = isinstance(seen.output.raw, Tensor) and seen.output.raw.ndim == 2 and seen.output.raw.dtype == torch.float32
    found = Found(CLASSES, preprocess, seen.channels, part, plain, beyond=seen.beyond)
    scores = tensors[part][1]
    known = scores.flatten(1).shape[1], made.get(id(scores), ("", 0))[0]
    head = heads.recognised(found.runner(seen.asked), part, preprocess, device_of(net), card.about, known=known)
    name = score_vectors.name_of(all_tensors(seen.output.raw), part, str(card.about.get("output name", "")))
    told = "" if heads.KEY in card.about else score_vectors.told_by_name(name)
    points = _points(seen, found, head, named=told == network_reading.POINTS)
    head, readings = vector_readings.named(head, part, seen.features(), points, told=told, name=name)
    if head.kind == heads.EMBEDDING:
        head = replace(head, kind=heads.VALUES)
    scores = seen.given.get(heads.KEY, "")
    wanted = scores if any(each.id == scores for each in readings) else seen.wanted
    reading = network_reading.chosen(readings, wanted, name=card.name)
    offered[network_reading.KEY] = network_reading.offered(readings)
    asked = spatial_reading.question(readings)
    found = replace(found, head=head, readings=readings, reading=reading, question=asked)
    if reading.kind in (network_reading.FEATURES, network_reading.POINTS):
        offered |= more
        found = replace(found, serves=reading.kind, part=reading.part)
        return found, _with_findings(seen, found, tensors[reading.part][1], offered, seen.checked(offered))
    known = heads.KEY in card.about
    offered |= more | {heads.KEY: heads.offered(head.kind, head.count, head.evidence, known=known)}
    assumed = seen.checked(offered)
    head = head.taken_for(assumed[heads.KEY])
    found = replace(found, head=head, reading=replace(reading, how=head))
    return found, _with_findings(seen, found, tensors[part][1], offered, {**assumed, network_reading.KEY: reading.id})


def _points(seen: _Seen, found: Found, head: Head, *, named: bool) -> list[Reading]:
    """Return the readings of a vector as coordinates; two photos tell whether they hardly differ, as landmarks do.

    Where it is `named` as points, such as landmarks, lying in the picture suffices.
    """
    if head.kind != heads.LOGITS or not point_codes.widths(head.count):
        return []
    way, run = found.preprocess, found.runner(seen.asked)
    first = seen.output.tensors[found.part][1].flatten(1).float().cpu()
    if named:
        return point_codes.of_vector(first, found.part, seen.size, named=True)
    if not point_codes.may_be(first, seen.size):
        return point_codes.of_vector(first, found.part, seen.size)
    rows = []
    for path in (PICTURE, OTHER_PICTURE):
        with torch.no_grad():
            made = run(way.input(images.bundled(path), device_of(seen.net)))[found.part]
        rows.append(made.flatten(1).float().cpu())
        if not point_codes.may_be(rows[0], seen.size, sure=True):
            break
    return point_codes.of_vector(torch.cat(rows), found.part, seen.size)


def _spatial(seen: _Seen, made: Mapping[int, tuple[str, int]]) -> tuple[Found, Card] | None:
    """Return the findings on a network whose outputs lie in the picture, such as maps; None for any other."""
    outputs = all_tensors(seen.output.raw)
    coloured = colouring.may_be(seen.output, seen.size)
    if not coloured and not spatial_reading.may_be(outputs, seen.size):
        return None
    features = seen.features(spare=True)
    origins = [made.get(id(t), ("", 0))[0] for _, t in outputs if t.is_floating_point()]

    def prepare(usual: str) -> tuple[Preprocess, dict[str, dict[str, Any]]]:
        return seen.prepared(usual, boxes=True)

    with pass_behaviour.kept(seen.net):
        way, _ = prepare("zero_one")
        about: dict[str, Any] = {"channels": seen.channels, "way": way, "name": seen.card.name}
        colours = colouring.read(seen.net, seen.output, origins, **about) if coloured else None
        read = spatial_reading.read(seen.run, outputs, origins, features, prepare, colours=colours)
    if read is None:
        return None
    reading = network_reading.chosen(read.readings, seen.wanted, name=seen.card.name)
    if reading.kind in (network_reading.FEATURES, network_reading.TEXT):
        return _features_alone(seen, read.readings, reading)
    offered = {**seen.offered, network_reading.KEY: network_reading.offered(read.readings), **read.offered}
    way = read.preprocess
    if isinstance(reading.how, ColourCode):
        one = partial(prepare, "zero_one")
        reading, way, more = colouring.chosen(reading, seen.given, one, name=seen.card.name)
        offered = {**seen.offered, network_reading.KEY: offered[network_reading.KEY], **more}
    readings = tuple(reading if each.id == reading.id else each for each in read.readings)
    own: dict[str, Any] = {"readings": readings, "reading": reading, "question": read.question}
    found = Found(reading.kind, way, seen.channels, reading.part, plain=False, beyond=seen.beyond, **own)
    tensor = numbers(outputs)[reading.part]
    return found, _with_findings(seen, found, tensor, offered, seen.checked(offered))


def _features_alone(
    seen: _Seen, readings: tuple[Reading, ...] = (), reading: Reading | None = None
) -> tuple[Found, Card]:
    """Return the findings on a network whose outputs are taken for features, or are said to be text."""
    reading = reading or seen.features()
    readings = readings or (reading,)
    network_reading.chosen(readings, seen.wanted, name=seen.card.name)
    preprocess, more = seen.prepared(boxes=False)
    offered = {**seen.offered, **more}
    if len(readings) > 1 or seen.wanted:
        offered[network_reading.KEY] = network_reading.offered(readings)
    found = Found(
        FEATURES, preprocess, seen.channels, reading.part, False, beyond=seen.beyond, readings=readings, reading=reading
    )
    return found, _with_findings(seen, found, seen.output.tensors[reading.part][1], offered, seen.checked(offered))


def _on_picture(seen: _Seen, found: Found, boxes: int) -> tuple[Tensor, Tensor]:
    """Return the scores (R, K) and boxes (R, 4) of a bundled photo, which says more than a blank picture."""
    with torch.no_grad():
        x = found.preprocess.input(images.bundled(PICTURE), device_of(seen.net))
        tensors = found.runner(seen.asked)(x)
    return tensors[found.part][0].float().cpu(), tensors[boxes][0].float().cpu()


def _readings(found: Found, offered: Mapping[str, Any]) -> str:
    """Return in a sentence under which ways to scale values a picture's answer is listed, "" where there is one way."""
    ways = preprocess_presets.others(found.preprocess, offered["choices"] if found.channels == 3 else ())
    named = [f"{offered['titles'][name]}, {order.upper()}" for name, order in ways]
    if not named:
        return ""
    return (
        "How values are scaled is assumed, and no picture can tell RGB from BGR. With a picture's answer stands what "
        f"it would be under each way: {'; '.join(named)}. Values and Colours choose another."
    )


def _with_findings(
    seen: _Seen, found: Found, scores: Tensor, offered: Mapping[str, Mapping[str, Any]], assumed: Mapping[str, str]
) -> Card:
    """Return the card with the findings."""
    card, net = seen.card, seen.net
    assumptions = {key: {**item, "value": assumed[key]} for key, item in offered.items()}
    columns = found.head.count if found.serves == CLASSES else scores.shape[-1 if scores.ndim == 3 else 1]
    if found.serves in SPATIAL:
        names = spatial_reading.names(found.reading, all_tensors(seen.output.raw), seen.size, card.classes)
        about = {"preprocessing": found.preprocess.about, "assumptions": assumptions, "note": _note(found.reading)}
        about |= {"question": found.question} if found.question else {}
        kind = str(card.about.get("architecture") or type(net).__name__)
        card = replace(card, classes=())
        return recognised(card, architecture=kind, task=TASKS[found.serves], classes=names, about=about)
    background = found.boxes.background if found.boxes else "none"
    names = unread_outputs.names(columns, found.serves, background)
    given = card.classes
    if given and len(given) == columns - 1 and background != "none":
        given = ("__background__", *given) if background == "first" else (*given, GAP)
    if found.serves == CLASSES:
        names = found.head.names(given, names)
        given = () if found.head.single else given
    note = f"Of no family that Vitrine knows; it gives {_what(found, scores, columns)}."
    about = {"preprocessing": found.preprocess.about, "assumptions": assumptions, "note": note}
    kind = str(card.about.get("architecture") or type(net).__name__)
    task = TASKS[found.serves]
    found_card = recognised(replace(card, classes=given), architecture=kind, task=task, classes=names, about=about)
    if found.serves == CLASSES and "input" in assumptions:
        readings = _readings(found, assumptions["input"])
        found_card = replace(found_card, about={**found_card.about, "readings": readings})
    return found_card


def _note(reading: Reading) -> str:
    """Return in words what the outputs are taken for, and why."""
    return f"Of no family that Vitrine knows; its output is taken for {reading.title}. {' '.join(reading.evidence)}"


def _what(found: Found, scores: Tensor, columns: int) -> str:
    """Return in words what a network returns."""
    if found.serves in (BOXES, OFFSETS):
        return f"{scores.shape[1]:,} boxes with {columns:,} scores each"
    if found.serves == FEATURES:
        why = f". {found.head.evidence.rstrip('.')}" if found.head.evidence else ""
        return f"{columns:,} channels of features{why}"
    count = "one number" if columns == 1 else f"{columns:,} numbers"
    if found.head.kind != heads.VALUES and columns > 1:
        count = f"one score for each of {columns:,} classes"
    return f"{count}. {found.head.evidence.rstrip('.')}"
