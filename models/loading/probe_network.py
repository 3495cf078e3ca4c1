"""Determine the purpose of a network of an unknown family by running it on a blank picture and on photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, overload

import torch
from torch import Tensor, nn

from models import model_name
from models.cards.card import BACKGROUND, GAP, PHOTOS, Card, recognised
from models.detection import anchor_sets, box_rows
from models.detection.box_rows import Boxes
from models.interpretation import (
    box_extras,
    detector_reading,
    network_reading,
    point_codes,
    spatial_reading,
    vector_readings,
)
from models.interpretation.examine import may_detect
from models.interpretation.layout import DetectorLayout
from models.interpretation.network_reading import Reading
from models.interpretation.origins import Origins, origins_of
from models.loading import architectures, heads, pass_behaviour, preprocess_presets, wanted_inputs
from models.loading.heads import Head
from models.loading.preprocess import Preprocess
from models.loading.returned_tensors import complaint, is_vector, leaves, numbers, tensors_of
from models.loading.wanted_inputs import Size, size_of
from models.pictures import images
from models.runtime.failures import out_of_memory
from models.types import Cancelled, Refusal

SIDES = (224, 32, 28, 64, 96, 128, 256, 299, 300, 320, 384, 416, 448, 512, 640)
NAMED = ("logits", "scores", "out", "output", "probabilities", "probs")
PICTURE = PHOTOS / "astronaut.jpg"
GREY = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow's "L"
CLASSES, BOXES, OFFSETS, CELLS, FEATURES = "classes", "boxes", box_rows.OFFSETS, "cells", "features"
TASKS = {
    CLASSES: "classification",
    **dict.fromkeys((BOXES, OFFSETS, CELLS), "detection"),
    FEATURES: "features",
    network_reading.SEGMENTS: "segmentation",
    network_reading.PICTURE: "picture to picture",
    network_reading.DEPTH: "depth",
    network_reading.POINTS: "landmarks",
}
SPATIAL = (network_reading.SEGMENTS, network_reading.PICTURE, network_reading.DEPTH, network_reading.POINTS)
DECODED = Boxes(1, box_rows.CORNERS, box_rows.PIXELS, box_rows.PROBABILITIES, box_rows.NONE)
PART = {"title": "Part of the output", "help": "Which of the rows of numbers that the network returns is looked at."}
UNREAD = Reading(FEATURES, FEATURES, network_reading.FEATURES)
SIZE = {"title": "Input size", "help": "Width x height in pixels, of a network that takes any."}


@dataclass(frozen=True, eq=False)
class Output:
    """A network's output for one picture: as returned, and its tensors with their names."""

    raw: Any
    tensors: list[tuple[str, Tensor]]

    @classmethod
    def of(cls, raw: Any) -> Output:
        """Return the Output for a network's return value."""
        return cls(raw, tensors_of(raw))


@dataclass(frozen=True)
class Found:
    """The findings on a network of an unknown family.

    It `serves` to return "classes", "boxes", "offsets" from anchors, boxes of the "cells" of a grid, or "features".
    `preprocess` is applied to pictures; `channels` is 1 if the network takes grey pictures, else 3. `part` is the index
    of its scores, or features, among the tensors it returns; `plain` says that it returns nothing else. `head` says
    what scores of classes are, `boxes` what its boxes are, `layout` how the outputs of a detector are read. `readings`
    are all that the outputs may be taken for, the likeliest first, `reading` is the one in force, and `question` is a
    sentence where only the user can tell.
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

    def outputs(self, net: nn.Module) -> Callable[[Tensor], list[tuple[str, Tensor]]]:
        """Return a function from inputs (N, 3, h, w) to every tensor that the network returns, by name."""
        return lambda x: all_tensors(net(in_channels(x, self.channels)))

    @cached_property
    def origins(self) -> Origins | None:
        """Where a recognised detector's rows come from, None for rows that lie nowhere."""
        return origins_of(self.layout, self.preprocess.size) if self.layout is not None else None

    def runner(self, net: nn.Module) -> Callable[[Tensor], list[Tensor]]:
        """Return a function from inputs (N, 3, h, w) to the tensors that the network returns.

        For a detector whose layout was recognised, the tensors are its scores (N, R, C) and boxes (N, R, 4), decoded,
        its objectness (N, R) where it has one, and its extras; rows are in the order of its `origins`.
        """

        order = self.origins.order if self.origins is not None else None

        def run(x: Tensor) -> list[Tensor]:
            made = net(in_channels(x, self.channels))
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
    options, sizes = _inputs(net, card)
    offered: dict[str, dict[str, Any]] = {}
    chosen = size_of(given["size"]) if len(sizes) > 1 and "size" in given else None
    try:
        channels, size, output, made = _first(net, card, options, sizes)
    except Refusal:
        if chosen is None:
            raise
        channels, size, output, made = _first(net, card, options, [chosen])
    if len(sizes) > 1:
        names = [_text(one) for one in dict.fromkeys((size, *([chosen] if chosen else ()), *sizes))]
        offered["size"] = {**SIZE, "choices": tuple(names)}
    if chosen is not None and chosen != size:
        channels, size, output, made = _first(net, card, options, [chosen])
    seen = _Seen(net, card, given, wanted, output, size, channels, offered)
    return (
        _detector(seen) or _rows_of_boxes(seen) or _vector(seen, made) or _spatial(seen, made) or _features_alone(seen)
    )


@dataclass(frozen=True)
class _Seen:
    """What is known of a network when its outputs are read: its first output, its input, and the user's choices."""

    net: nn.Module
    card: Card
    given: Mapping[str, str]
    wanted: str | None
    output: Output
    size: Size
    channels: int
    offered: dict[str, dict[str, Any]]

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
            return all_tensors(self.net(in_channels(x.to(device_of(self.net)), self.channels)))

    @overload
    def features(self) -> Reading: ...
    @overload
    def features(self, *, spare: bool) -> Reading | None: ...
    def features(self, *, spare: bool = False) -> Reading | None:
        """Return the reading of outputs as features. Raises Refusal for no features, unless it can be spared."""
        try:
            return _reading_of_features(self.card, self.output)
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


def _detector(seen: _Seen) -> tuple[Found, Card] | None:
    """Return the findings on a detector whose layout is recognised on photos, None if it is not recognised."""
    tensors, card, net = all_tensors(seen.output.raw), seen.card, seen.net
    pair = len(tensors) == 2 and any(_boxes(tensors, part) >= 0 for part in (0, 1) if tensors[part][1].ndim == 3)
    if pair or not may_detect(tensors, seen.size):
        return None
    own = Preprocess.of(card.about["preprocessing"]) if "preprocessing" in card.about else None

    def run(x: Tensor) -> list[tuple[str, Tensor]]:
        return all_tensors(net(in_channels(x, seen.channels)))

    with pass_behaviour.kept(net):  # many passes: what they change must not reach what is looked at next
        about = {"given": seen.given, "wanted": seen.wanted, "preprocess": own, "card": card}
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
    found = Found(BOXES, read.preprocess, seen.channels, 0, plain=False, boxes=DECODED, **more)
    if found.origins is not None:
        found = replace(found, serves=OFFSETS if found.origins.anchored else CELLS)
    assumptions = {k: {**v, "value": assumed[k]} for k, v in offered.items()}
    about = {"preprocessing": read.preprocess.about, "assumptions": assumptions, "note": read.note}
    kind = str(card.about.get("architecture") or type(net).__name__)
    classes = detector_reading.classes_of(layout, card)
    return found, recognised(card, architecture=kind, task=TASKS[BOXES], classes=classes, about=about)


def _rows_of_boxes(seen: _Seen) -> tuple[Found, Card] | None:
    """Return the findings on a network that returns scores (1, R, K) with boxes (1, R, 4), None for any other."""
    tensors = seen.output.tensors
    pairs = [(part, _boxes(tensors, part)) for part, (_, scores) in enumerate(tensors) if scores.ndim == 3]
    part, place = next(((part, place) for part, place in pairs if place >= 0), (-1, -1))
    if place < 0 or seen.wanted == FEATURES:
        return None
    preprocess, more = seen.prepared(boxes=True)
    found = Found(BOXES, preprocess, seen.channels, part, plain=False)
    sets = anchor_sets.fitting(tensors[part][1].shape[1], seen.size, seen.card.about.get("anchors"))
    more |= box_rows.propose(*_on_picture(seen.net, found, place), sets)
    rows = tensors[part][1]
    title = f"{rows.shape[1]:,} boxes with {rows.shape[2]:,} scores each, as two outputs"
    evidence = ("One output has four columns, another has as many rows: boxes and their scores.",)
    own = Reading("boxes", title, network_reading.BOXES, 0.9, evidence, part)
    readings = (own, seen.features())
    offered = {**seen.offered, network_reading.KEY: network_reading.offered(readings), **more}
    assumed = seen.checked(offered)
    boxes = Boxes.of(place, assumed, sets)
    own = replace(own, how=boxes)
    serves = OFFSETS if assumed["boxes"] == OFFSETS else BOXES
    found = replace(found, boxes=boxes, serves=serves, readings=(own, *readings[1:]), reading=own)
    return found, _told(seen, found, rows, offered, assumed)


def _vector(seen: _Seen, made: Mapping[int, tuple[str, int]]) -> tuple[Found, Card] | None:
    """Return the findings on a network that returns a vector of numbers, None for any other."""
    tensors, card, net = seen.output.tensors, seen.card, seen.net
    part, rows = _scores(seen.output, size=seen.size, made=made)
    if part < 0:
        return None
    offered = dict(seen.offered)
    if len(rows) > 1:
        offered["part"] = _parts(tensors, rows, part)
        own = {k: v for k, v in seen.given.items() if k == "part"}
        part = int(model_name.check(own, offered, name=card.name).get("part", part + 1)) - 1
    preprocess, more = seen.prepared(boxes=False)
    plain = isinstance(seen.output.raw, Tensor) and seen.output.raw.ndim == 2 and seen.output.raw.dtype == torch.float32
    found = Found(CLASSES, preprocess, seen.channels, part, plain)
    head = heads.recognised(found.runner(net), part, preprocess, device_of(net), card.about)
    readings = vector_readings.readings(head, part, seen.features(), _points(seen, found, head))
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
        return found, _told(seen, found, tensors[reading.part][1], offered, seen.checked(offered))
    known = heads.KEY in card.about
    offered |= more | {heads.KEY: heads.offered(head.kind, head.count, head.evidence, known=known)}
    assumed = seen.checked(offered)
    head = head.taken_for(assumed[heads.KEY])
    found = replace(found, head=head, reading=replace(reading, how=head))
    return found, _told(seen, found, tensors[part][1], offered, {**assumed, network_reading.KEY: reading.id})


def _points(seen: _Seen, found: Found, head: Head) -> list[Reading]:
    """Return the readings of a vector as coordinates; two photos tell whether they hardly differ, as landmarks do."""
    if head.kind != heads.LOGITS or head.count // 2 not in point_codes.KNOWN_COUNTS:
        return []
    way, run = found.preprocess, found.runner(seen.net)
    pixels = [images.read(PHOTOS / f"{name}.jpg").pixels for name in ("astronaut", "coffee")]
    with torch.no_grad():
        rows = [run(way.input(each, device_of(seen.net)))[found.part].flatten(1).float().cpu() for each in pixels]
    return point_codes.of_vector(torch.cat(rows), found.part, seen.size)


def _spatial(seen: _Seen, made: Mapping[int, tuple[str, int]]) -> tuple[Found, Card] | None:
    """Return the findings on a network whose outputs lie in the picture, such as maps; None for any other."""
    outputs = all_tensors(seen.output.raw)
    if not spatial_reading.may_be(outputs, seen.size):
        return None
    features = seen.features(spare=True)
    origins = [made.get(id(t), ("", 0))[0] for _, t in outputs if t.is_floating_point()]
    with pass_behaviour.kept(seen.net):
        read = spatial_reading.read(
            seen.run, outputs, origins, features, lambda usual: seen.prepared(usual, boxes=True)
        )
    if read is None:
        return None
    reading = network_reading.chosen(read.readings, seen.wanted, name=seen.card.name)
    if reading.kind in (network_reading.FEATURES, network_reading.TEXT):
        return _features_alone(seen, read.readings, reading)
    offered = {**seen.offered, network_reading.KEY: network_reading.offered(read.readings), **read.offered}
    more: dict[str, Any] = {"readings": read.readings, "reading": reading, "question": read.question}
    found = Found(reading.kind, read.preprocess, seen.channels, reading.part, plain=False, **more)
    tensor = numbers(outputs)[reading.part]
    return found, _told(seen, found, tensor, offered, seen.checked(offered))


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
    found = Found(FEATURES, preprocess, seen.channels, reading.part, False, readings=readings, reading=reading)
    return found, _told(seen, found, seen.output.tensors[reading.part][1], offered, seen.checked(offered))


def in_channels(x: Tensor, channels: int) -> Tensor:
    """Return inputs (N, 3, h, w) converted to grey if the network takes one channel."""
    return (x * x.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True) if channels == 1 else x


def all_tensors(output: Any) -> list[tuple[str, Tensor]]:
    """Return every tensor that a network returned for a picture, including integer ones, with names, in order."""
    return [(name, value) for name, value in leaves(output) if isinstance(value, Tensor)]


def device_of(net: nn.Module) -> torch.device:
    """Return the device of a network; the CPU if it has no tensors."""
    tensor = next((t for tensors in (net.parameters(), net.buffers()) for t in tensors), None)
    return torch.device("cpu") if tensor is None else tensor.device


def _inputs(net: nn.Module, card: Card) -> tuple[tuple[int, ...], list[Size]]:
    """Return the numbers of channels and the input sizes to try, likely ones first."""
    told, height, width = (int(v) for v in card.about.get("input", (0, 0, 0)))
    kernel = next((p for p in net.parameters() if p.ndim == 4), None)
    first = told or (kernel.shape[1] if kernel is not None else 3)
    channels = (told,) if told else tuple(dict.fromkeys((1 if first == 1 else 3, 3, 1)))
    if "preprocessing" in card.about:
        return channels, [Preprocess.of(card.about["preprocessing"]).size]
    return channels, [(height or width or s, width or height or s) for s in SIDES[: 1 if height and width else None]]


def _first(
    net: nn.Module, card: Card, channels: Sequence[int], sizes: Sequence[Size]
) -> tuple[int, Size, Output, dict[int, tuple[str, int]]]:
    """Return the first number of channels and size that the network accepts, with its output for a blank picture.

    The last result gives, by the tensor's id, the operation that computed each tensor and its position in the run.
    """
    wanted_inputs.check_inputs(net, card)
    failure: tuple[tuple[int, Size], Exception] | None = None
    for count in channels if set(channels) <= {1, 3} else ():
        for size in sizes:
            blank = torch.zeros(1, count, *size, device=device_of(net))
            try:
                with torch.no_grad():
                    return count, size, *heads.followed(lambda blank=blank: Output.of(net(blank)))
            except (Refusal, Cancelled):
                raise
            except Exception as error:
                if out_of_memory(error):
                    raise
                failure = failure or ((count, size), error)
    if failure is None:
        raise wanted_inputs.of_channels(card, channels[0])
    if len(sizes) > 1 and (found := wanted_inputs.square(net, failure[0], device_of(net))):
        return _first(net, card, channels, [found])
    raise wanted_inputs.refusal(net, card, failure[0], failure[1], device_of(net)) from failure[1]


def _scores(output: Output, *, size: Size, made: Mapping[int, tuple[str, int]]) -> tuple[int, list[int]]:
    """Return the index of the scores among the tensors of one picture, -1 if there are none, and those of all vectors.

    Among several vectors, one with a telling name is chosen, else the one computed last, because the others led to it.
    """
    tensors = output.tensors
    rows = [i for i, (_, t) in enumerate(tensors) if is_vector(t)]
    named = [i for i in rows if tensors[i][0].rpartition(".")[2] in NAMED]
    redrawn = any(t.ndim == 4 and t.shape[2:] == size and t.shape[1] in (1, 3) for _, t in tensors)
    if named or (rows and (len(rows) == 1 or not redrawn)):
        main = [i for i in rows if not _aside(tensors[i][0])] or rows
        return (named or [max(main, key=lambda i: (made.get(id(tensors[i][1]), ("", 0))[1], i))])[0], rows
    return -1, rows


def _aside(name: str) -> bool:
    """Return whether a part of the output has an auxiliary head's name."""
    return name.rpartition(".")[2].lower().startswith("aux")


def _parts(tensors: list[tuple[str, Tensor]], rows: Sequence[int], first: int) -> dict[str, Any]:
    """Return the assumption on which of several vectors to use; choices show position, name and length."""
    titles = {
        str(i + 1): f"{i + 1}: {f'{name}, ' if name and not name.isdigit() else ''}{t.numel():,} numbers"
        for i, (name, t) in enumerate(tensors)
        if i in rows
    }
    return {**PART, "choices": (str(first + 1), *(c for c in titles if c != str(first + 1))), "titles": titles}


def _boxes(tensors: list[tuple[str, Tensor]], scores: int) -> int:
    """Return the index of the boxes (1, R, 4) that belong to scores (1, R, K), -1 if there are none."""
    wanted = tensors[scores][1].shape[:2]
    found = [i for i, (_, t) in enumerate(tensors) if i != scores and t.shape == (*wanted, 4) and t.shape[1] > 1]
    if found and tensors[scores][1].shape[2] == 4:  # both could be boxes: decide by name, else the first is the scores
        own, other = tensors[scores][0], tensors[found[0]][0]
        return found[0] if "box" not in own and ("box" in other or scores < found[0]) else -1
    return found[0] if found else -1


def _reading_of_features(card: Card, output: Output) -> Reading:
    """Return the reading of the tensor whose channels are shown: the last map, else the last tensor."""
    tensors = output.tensors
    sound = [i for i, (_, t) in enumerate(tensors) if 2 <= t.ndim <= 4 and len(t) == 1 and t.numel()]
    if not sound:
        text, advice = complaint(output.raw)
        raise Refusal(f"{card.name} {text}.", advice=advice)
    maps = [i for i in sound if tensors[i][1].ndim == 4]
    part = (maps or sound)[-1]
    tensor = tensors[part][1]
    title = f"features: {tensor.shape[-1 if tensor.ndim == 3 else 1]:,} channels"
    evidence = ("Any output can be looked at channel by channel, without a meaning.",)
    return Reading(FEATURES, title, network_reading.FEATURES, 0.05, evidence, part)


def _on_picture(net: nn.Module, found: Found, boxes: int) -> tuple[Tensor, Tensor]:
    """Return the scores (R, K) and boxes (R, 4) of a bundled photo, which says more than a blank picture."""
    pixels = images.read(PICTURE).pixels
    with torch.no_grad():
        tensors = found.runner(net)(found.preprocess.input(pixels, device_of(net)))
    return tensors[found.part][0].float().cpu(), tensors[boxes][0].float().cpu()


def _readings(net: nn.Module, found: Found, classes: Sequence[str], offered: Mapping[str, Any]) -> str:
    """Return in a sentence what a picture that comes with Vitrine is taken for under each way to scale its values."""
    pixels, run = images.read(PICTURE).pixels, found.runner(net)
    said = []
    ways = preprocess_presets.others(found.preprocess, offered["choices"] if found.channels == 3 else ())
    for (name, order), way in ways.items():
        with torch.no_grad():
            scores = found.head.scores(run(way.input(pixels, device_of(net)))[found.part].flatten(1).float())
        if not scores.isfinite().all():
            continue
        said.append(f"{offered['titles'][name]}, {order.upper()}: {heads.reading(scores[0], found.head, classes)}")
    if not said:
        return ""
    return (
        f"How values are scaled is assumed, and no picture can tell RGB from BGR. Under each way {PICTURE.name} gives: "
        f"{'; '.join(said)}. Values and Colours choose another."
    )


def _told(
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
    names = _names(columns, found.serves, background)
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
    told = recognised(replace(card, classes=given), architecture=kind, task=task, classes=names, about=about)
    if found.serves == CLASSES and "input" in assumptions:
        readings = _readings(net, found, told.classes, assumptions["input"])
        told = replace(told, about={**told.about, "readings": readings})
    return told


def _note(reading: Reading) -> str:
    """Return in words what the outputs are taken for, and why."""
    return f"Of no family that Vitrine knows; its output is taken for {reading.title}. {' '.join(reading.evidence)}"


def _what(found: Found, scores: Tensor, columns: int) -> str:
    """Return in words what a network returns."""
    if found.serves in (BOXES, OFFSETS):
        return f"{scores.shape[1]:,} boxes with {columns:,} scores each"
    if found.serves == FEATURES:
        told = f". {found.head.evidence.rstrip('.')}" if found.head.evidence else ""
        return f"{columns:,} channels of features{told}"
    count = "one number" if columns == 1 else f"{columns:,} numbers"
    if found.head.kind != heads.VALUES and columns > 1:
        count = f"one score for each of {columns:,} classes"
    return f"{count}. {found.head.evidence.rstrip('.')}"


def _names(columns: int, serves: str, background: str) -> tuple[str, ...]:
    if serves == FEATURES:
        return tuple(f"channel {number}" for number in range(columns))
    if serves == CLASSES:
        return architectures.numbered(columns)
    if background == "first" and columns == len(architectures.COCO):
        return architectures.COCO
    names = [f"class {number}" for number in range(columns)]
    if background == "first":
        names[0] = BACKGROUND[0]
    elif background == "last":
        names[-1] = GAP
    return tuple(names)


def _text(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
