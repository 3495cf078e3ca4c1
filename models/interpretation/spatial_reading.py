"""The readings of a network whose outputs lie in the picture: maps of any kind, points, and sequences of symbols.

It runs the network on two photographs, prepared as the likeliest reading wants them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.cards import class_names
from models.cards.card import PHOTOS
from models.detection.skeleton import COCO_POINTS
from models.interpretation import map_codes, map_readings, point_codes, sequence_readings
from models.interpretation.colour_readings import Colours
from models.interpretation.map_codes import SegmentCode
from models.interpretation.map_readings import Shown
from models.interpretation.network_reading import PICTURE, SEGMENTS, SURE, Reading, ranked
from models.interpretation.picture_codes import DIRECT, INPUT, PictureCode, resized
from models.interpretation.point_codes import PointCode
from models.loading.preprocess import Preprocess
from models.loading.preprocess_presets import PRESETS
from models.loading.returned_tensors import numbers
from models.pictures import images

PICTURES = ("astronaut", "coffee")
Named = Sequence[tuple[str, Tensor]]
Prepare = Callable[[str], tuple[Preprocess, dict[str, dict[str, Any]]]]
COLOURS, VALUE = ("red", "green", "blue"), ("value",)
FEATURES_FIT = 0.45  # from which a reading comes before that of features
OTHER_SCALES, NEARLY_ALL = ("imagenet", "zero_one", "minus_one_one", "zero_255"), 0.999
FEWEST_GREYS, LIKE_THE_PHOTO = 65, 0.5
CLOSE = 0.15  # difference of two readings' fits that no number decides


@dataclass(frozen=True)
class SpatialReading:
    """Readings of a network's outputs, the best first, how pictures are prepared, and what is offered about that."""

    readings: tuple[Reading, ...]
    preprocess: Preprocess
    offered: dict[str, dict[str, Any]]
    question: str = ""


def may_be(outputs: Named, size: tuple[int, int]) -> bool:
    """Return whether any output for one picture on an input of `size` (h, w) has the shape of maps, points or text."""
    floats = numbers(outputs)
    if any(True for t in floats for _ in map_readings.orders(t, size)):
        return True
    return bool(point_codes.by_shape(floats, size) or sequence_readings.by_shape(floats, size))


def read(
    run: Callable[[Tensor], Named],
    outputs: Named,
    origins: Sequence[str],
    features: Reading | None,
    prepare: Prepare,
    *,
    colours: Colours | None = None,
) -> SpatialReading | None:
    """Return the readings of outputs that lie in the picture, None where there are none.

    `outputs` are those of one picture, `origins` the operations that made its numbers. `prepare` returns how pictures
    are prepared where a preset of values is usual, and the assumptions in it. `colours` is the reading as colours of a
    grey picture, if there is one.
    """
    floats = numbers(outputs)
    whole = not any(t.is_floating_point() for _, t in outputs)
    maps = [t for t in floats if t.ndim == 4]
    usual = "zero_one" if any(t.shape[1] in (1, 3) or t.shape[3] in (1, 3) for t in maps) else "imagenet"
    preprocess, offered = prepare(usual)
    shown = _shown(run, preprocess)
    device = shown[0].x.device

    def again(x: Tensor) -> list[Tensor]:
        with torch.no_grad():
            return [t.cpu() for t in numbers(run(x.to(device)))]

    if whole:
        found = _of_labels(shown) or _of_whole_pictures(shown, again, preprocess)
    else:
        found = [*map_readings.readings(shown, again, origins, preprocess)]
    if not whole:
        size = preprocess.size
        found += [*point_codes.readings(shown[0].floats, size), *sequence_readings.by_shape(shown[0].floats, size)]
    found += [colours.reading] if colours is not None else []
    if not found:
        return None
    best = ranked(found)[0]
    # Whole numbers come out from 0 to 255 however values go in.
    if not whole and isinstance(best.how, PictureCode) and (scale := _other_scale(best, preprocess, offered)):
        preprocess, offered = prepare(scale)
        shown = _shown(run, preprocess)
        found = [*map_readings.readings(shown, again, origins, preprocess)]
        found += [colours.reading] if colours is not None else []
    if features is not None:
        found.append(
            Reading(features.id, features.title, features.kind, FEATURES_FIT, features.evidence, features.part)
        )
    readings = ranked(found)
    asks = question(readings) or (colours.question if colours and readings[0] == colours.reading else "")
    if not asks and readings[0].kind == SEGMENTS and "input" in offered:
        asks = _of_nothing(readings[0].how, shown, offered, lambda name: prepare(name)[0], run)
    return SpatialReading(readings, preprocess, offered, asks)


def question(readings: Sequence[Reading]) -> str:
    """Return a sentence that asks where the two best readings fit alike, "" else."""
    if len(readings) < 2 or readings[0].fit - readings[1].fit > CLOSE:
        return ""
    first, second = readings[:2]
    return f"The numbers do not tell which it is: {first.title}, or {second.title}. Choose by a picture of yours."


def _shown(run: Callable[[Tensor], Named], preprocess: Preprocess) -> list[Shown]:
    """Return what the network makes of the photographs."""
    found = []
    for name in PICTURES:
        pixels = images.bundled(PHOTOS / f"{name}.jpg")
        x = preprocess.input(pixels, torch.device("cpu"))
        with torch.no_grad():
            made = numbers(run(x))
        found.append(Shown(x, preprocess.plain(x), [t.detach().cpu() for t in made]))
    return found


def _other_scale(best: Reading, preprocess: Preprocess, offered: dict[str, dict[str, Any]]) -> str:
    """Return the preset of values on whose scale a picture comes out, "" where it goes in so already, or is known."""
    how: PictureCode = best.how
    if how.way != DIRECT or how.scale == INPUT or "input" not in offered or best.fit < SURE:
        return ""
    wanted, own = PRESETS[how.scale], {name: getattr(preprocess, name) for name in ("mean", "std", "range")}
    same = all(own[name] == wanted.get(name, 1.0) for name in own)
    return "" if same else how.scale


def _of_nothing(
    how: SegmentCode,
    shown: Sequence[Shown],
    offered: dict[str, dict[str, Any]],
    prepared: Callable[[str], Preprocess],
    run: Callable[[Tensor], Named],
) -> str:
    """Return a question where a network sees one class in all of two photographs, "" where it sees more."""
    if not _uniform(how, shown):
        return ""
    titles, own = offered["input"]["titles"], offered["input"]["choices"][0]
    for name in OTHER_SCALES:
        if name in offered["input"]["choices"] and name != own and not _uniform(how, _shown(run, prepared(name))):
            return (
                f"With values {titles[own]} it sees nothing in two photographs, with {titles[name]} it does. How "
                "values are scaled no file tells: choose by a picture of yours."
            )
    return (
        f"With values {titles[own]} it sees nothing in two photographs. If it was trained on other values, such as "
        "each picture less its own mean, by its own deviation, as nnU-Net does, its answers are not those to expect."
    )


def _uniform(how: SegmentCode, shown: Sequence[Shown]) -> bool:
    """Return whether nearly all cells of photographs have one class, the same in all of them."""
    labels = torch.cat([how.scores(each.floats).argmax(1).flatten() for each in shown])
    return float(labels.bincount().max()) > NEARLY_ALL * len(labels)


def _of_labels(shown: Sequence[Shown]) -> list[Reading]:
    """Return the readings of whole numbers: each is the class of a pixel."""
    found = []
    for part, tensor in enumerate(shown[0].floats):
        size = (int(shown[0].x.shape[-2]), int(shown[0].x.shape[-1]))
        for last in map_readings.orders(tensor, size):
            if map_codes.as_maps(tensor, channels_last=last).shape[1] != 1 or _grey(shown, part):
                continue
            count = int(max(float(each.floats[part].max()) for each in shown)) + 1
            code = SegmentCode(part, map_codes.LABELS, channels_last=last, classes=max(count, 2))
            evidence = (f"Whole numbers from 0 to {count - 1}, as argmax gives: no scores are left to explain.",)
            title = "segmentation: the class of each pixel"
            found.append(Reading("segments-labels", title, SEGMENTS, 0.9, evidence, part, code))
    return found


def _grey(shown: Sequence[Shown], part: int) -> bool:
    """Return whether whole numbers of one channel are grey values, not classes: many, and like the photograph."""
    values = shown[0].floats[part].reshape(1, 1, *[n for n in shown[0].floats[part].shape if n != 1])
    if len(values.unique()) < FEWEST_GREYS:
        return False
    photo = resized(shown[0].plain, (int(values.shape[-2]), int(values.shape[-1]))).mean(1, keepdim=True)
    both = torch.stack([values.flatten(), photo.flatten()]).double()
    return bool(torch.corrcoef(both)[0, 1].abs() > LIKE_THE_PHOTO)


def _of_whole_pictures(shown: Sequence[Shown], run: Callable[[Tensor], list[Tensor]], way: Preprocess) -> list[Reading]:
    """Return the readings of whole numbers from 0 to 255 as pictures."""
    found = map_readings.readings(shown, run, [""] * len(shown[0].floats), way)
    return [each for each in found if each.kind == PICTURE]


def names(reading: Reading, outputs: Named, size: tuple[int, int], given: Sequence[str]) -> tuple[str, ...]:
    """Return names for what a reading finds: `given` if their number fits, those of a known data set, else numbers.

    Classes of pixels and points are named; of a picture its colours, of depth one value.
    """
    how, floats = reading.how, numbers(outputs)
    if isinstance(how, SegmentCode):
        count = int(how.scores(floats).shape[1])
        if len(given) == count - how.rest:
            return ("none", *given) if how.rest else tuple(given)
        if count == 2 and how.rest:
            return "background", "mask"
        known = class_names.names("voc-21") if count == 21 and not how.rest else ()
        return known or (*(["none"] if how.rest else []), *(f"class {place}" for place in range(count - how.rest)))
    if isinstance(how, PointCode):
        count = int(how.points(floats, size).shape[1])
        numbered = tuple(f"point {place}" for place in range(1, count + 1))
        return tuple(given) if len(given) == count else COCO_POINTS if count == len(COCO_POINTS) else numbered
    own = COLOURS if reading.kind == PICTURE else VALUE
    return tuple(given) if len(given) == len(own) else own
