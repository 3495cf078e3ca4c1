"""What a network of no known family is for, told by running it on a blank picture. It knows no file and no adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from models import architectures, assume, images, preset
from models.cards import BACKGROUND, GAP, PHOTOS, Card, recognised
from models.detection import decoded, offsets
from models.detection.decoded import Boxes
from models.preprocess import Preprocess
from models.types import Refusal

SIDES = (224, 32, 28, 64, 96, 128, 256, 299, 300, 320, 384, 416, 448, 512, 640)
NAMED = ("logits", "scores", "out", "output", "probabilities", "probs")
PICTURE = PHOTOS / "astronaut.jpg"
IMAGENET = 1000
GREY = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow's "L"
DEEP = 3
CLASSES, BOXES, OFFSETS, FEATURES = "classes", "boxes", decoded.OFFSETS, "features"
TASKS = {CLASSES: "classification", BOXES: "detection", OFFSETS: "detection", FEATURES: "features"}
LOGITS, PROBABILITIES = "logits", "probabilities"
OUTPUT = {"title": "Output", "help": "What the network's output is taken for."}
SCORES = {"title": "Scores", "help": "Whether a softmax is still to come, or the network has made probabilities."}
SIZE = {"title": "Input size", "help": "Width x height in pixels, of a network that takes any."}
Size = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """A network of no known family: it `serves` to tell "classes", "boxes", "offsets" from anchors, or "features".

    `preprocess` is what is done to a picture, `channels` 1 where the network wants shades of grey, else 3. `part` is
    the place of its scores, or features, among the tensors it returns, `plain` that it returns nothing else.
    `probabilities` tells that its scores have been through a softmax, `boxes` what its boxes are.
    """

    serves: str
    preprocess: Preprocess
    channels: int
    part: int
    plain: bool
    probabilities: bool = False
    boxes: Boxes | None = None

    def runner(self, net: nn.Module) -> Callable[[Tensor], list[Tensor]]:
        """Return what takes inputs (N, 3, h, w) to the tensors that the network returns."""

        def run(x: Tensor) -> list[Tensor]:
            if self.channels == 1:
                x = (x * x.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
            return [tensor for _, tensor in tensors_of(net(x))]

        return run


def examine(net: nn.Module, card: Card, given: Mapping[str, str]) -> tuple[Found, Card]:
    """Return what a network is found to be, and its card with what is assumed of it, by what the user chose.

    What the card says under `preprocessing` counts, and under `input`: channels, height and width, 0 where any will do.
    Raises Refusal for a network that no picture runs through, and for assumptions that are not offered.
    """
    channels, sizes = _inputs(net, card)
    offered: dict[str, dict[str, Any]] = {}
    if len(sizes) > 1:
        chosen = [size for size in sizes if _text(size) == given.get("size")]
        channels, size, output = _first(net, card, channels, chosen or sizes)
        names = [_text(one) for one in (size, *(s for s in sizes if s != size))]
        offered["size"] = {**SIZE, "choices": tuple(names)}
    else:
        channels, size, output = _first(net, card, channels, sizes)
    tensors = tensors_of(output)
    place, sets = -1, {}
    serves, part = _purpose(tensors, card)
    if serves != FEATURES:
        offered["output"] = {**OUTPUT, "choices": (serves, FEATURES)}
        if given.get("output") == FEATURES:
            serves, part = FEATURES, _features(tensors, card)
    preprocess, more = preset.propose(net, card, given, size=size, channels=channels, boxes=serves == BOXES)
    offered |= more
    plain = isinstance(output, Tensor) and output.ndim == 2
    found = Found(serves, preprocess, channels, part, plain)
    if serves == CLASSES:
        made = _distribution(tensors[part][1])
        offered["scores"] = {**SCORES, "choices": (PROBABILITIES, LOGITS) if made else (LOGITS, PROBABILITIES)}
    elif serves == BOXES:
        place = _boxes(tensors, part)
        sets = offsets.fitting(tensors[part][1].shape[1], size, card.about.get("anchors"))
        offered |= decoded.propose(*_on_picture(net, found, place), sets)
    assumed = assume.check(given, offered, name=card.name)
    if serves == CLASSES:
        found = replace(found, probabilities=assumed["scores"] == PROBABILITIES)
    elif serves == BOXES:
        found = replace(found, boxes=Boxes.of(place, assumed, sets))
        found = replace(found, serves=OFFSETS if assumed["boxes"] == OFFSETS else BOXES)
    return found, _told(card, net, found, tensors[part][1], {k: {**v, "value": assumed[k]} for k, v in offered.items()})


def tensors_of(output: Any, name: str = "", depth: int = 0) -> list[tuple[str, Tensor]]:
    """Return the floating-point tensors of what a network returned, with their names, in order."""
    if isinstance(output, Tensor):
        return [(name, output)] if output.is_floating_point() else []
    if depth > DEEP:
        return []
    items: Any = ()
    if isinstance(output, Mapping):
        items = output.items()
    elif isinstance(output, list | tuple):
        items = enumerate(output)
    return [found for key, value in items for found in tensors_of(value, f"{name}.{key}".strip("."), depth + 1)]


def device_of(net: nn.Module) -> torch.device:
    """Return where a network is; one without any tensor is on the processor."""
    tensor = next((t for tensors in (net.parameters(), net.buffers()) for t in tensors), None)
    return torch.device("cpu") if tensor is None else tensor.device


def _inputs(net: nn.Module, card: Card) -> tuple[tuple[int, ...], list[Size]]:
    """Return the numbers of channels and the sizes to try, likely ones first."""
    told, height, width = (int(v) for v in card.about.get("input", (0, 0, 0)))
    kernel = next((p for p in net.parameters() if p.ndim == 4), None)
    first = told or (kernel.shape[1] if kernel is not None else 3)
    channels = (told,) if told else tuple(dict.fromkeys((1 if first == 1 else 3, 3, 1)))
    if "preprocessing" in card.about:
        return channels, [Preprocess.of(card.about["preprocessing"]).size]
    return channels, [(height or width or s, width or height or s) for s in SIDES[: 1 if height and width else None]]


def _first(net: nn.Module, card: Card, channels: Sequence[int], sizes: Sequence[Size]) -> tuple[int, Size, Any]:
    """Return the first channels and size that the network takes, with what it returns for a blank picture."""
    failure: tuple[str, Exception] | None = None
    for count in channels if set(channels) <= {1, 3} else ():
        for size in sizes:
            try:
                with torch.no_grad():
                    return count, size, net(torch.zeros(1, count, *size, device=device_of(net)))
            except Exception as error:
                failure = failure or (f"{count} x {size[0]} x {size[1]}", error)
    if failure is None:
        raise Refusal(f"{card.name} takes {channels[0]} channels: no picture.", advice="Pictures have 1 channel or 3.")
    lines = [line for line in str(failure[1]).splitlines() if line.strip()]
    said = f"{type(failure[1]).__name__}{': ' + lines[0] if lines else ''}"
    raise Refusal(
        f"{card.name} runs on no blank picture. For {failure[0]} (channels, height, width) it raised {said[:300]}",
        advice=f"If it takes another size, tell it in a card beside it ({_example(card)}).",
    ) from failure[1]


def _example(card: Card) -> str:
    file = card.weights.name if card.weights else card.name
    return f'{{"name": "mine", "weights": "{file}", "preprocessing": {{"crop": [height, width], "fit": "stretch"}}}}'


def _purpose(tensors: list[tuple[str, Tensor]], card: Card) -> tuple[str, int]:
    """Return what the tensors of one picture are taken for, and the place of its scores or features."""
    for part, (_, scores) in enumerate(tensors):
        if scores.ndim == 3 and _boxes(tensors, part) >= 0:
            return BOXES, part
    vectors = [
        i for i, (_, t) in enumerate(tensors) if len(t) == 1 and t.numel() == t.shape[1] > 1 and t.ndim in (2, 4)
    ]
    named = [i for i in vectors if tensors[i][0].rpartition(".")[2] in NAMED]
    if len(vectors) == 1 or named:
        return CLASSES, (named or vectors)[0]
    return FEATURES, _features(tensors, card)


def _boxes(tensors: list[tuple[str, Tensor]], scores: int) -> int:
    """Return the place of the boxes (1, R, 4) that belong to scores (1, R, K), -1 where there are none."""
    wanted = tensors[scores][1].shape[:2]
    found = [i for i, (_, t) in enumerate(tensors) if i != scores and t.shape == (*wanted, 4) and t.shape[1] > 1]
    if found and tensors[scores][1].shape[2] == 4:  # both could be boxes: names tell, else the first is the scores
        own, other = tensors[scores][0], tensors[found[0]][0]
        return found[0] if "box" not in own and ("box" in other or scores < found[0]) else -1
    return found[0] if found else -1


def _features(tensors: list[tuple[str, Tensor]], card: Card) -> int:
    """Return the place of the tensor whose channels are looked at: the last map, else the last of all."""
    sound = [i for i, (_, t) in enumerate(tensors) if 2 <= t.ndim <= 4 and len(t) == 1 and t.numel()]
    if not sound:
        shapes = ", ".join(" x ".join(map(str, t.shape)) for _, t in tensors) or "none"
        raise Refusal(
            f"{card.name} gives nothing that belongs to one picture (tensors: {shapes}).",
            advice="It should return (N, classes), scores (N, R, K) and boxes (N, R, 4), or maps (N, C, h, w).",
        )
    maps = [i for i in sound if tensors[i][1].ndim == 4]
    return (maps or sound)[-1]


def _distribution(scores: Tensor) -> bool:
    flat = scores.flatten(1)
    return bool((flat >= 0).all() and ((flat.sum(1) - 1).abs() < 1e-3).all())


def _on_picture(net: nn.Module, found: Found, boxes: int) -> tuple[Tensor, Tensor]:
    """Return the scores (R, K) and boxes (R, 4) of a picture that comes with Vitrine: a blank one says little."""
    pixels = images.read(PICTURE).pixels
    with torch.no_grad():
        tensors = found.runner(net)(found.preprocess.input(pixels, device_of(net)))
    return tensors[found.part][0].float().cpu(), tensors[boxes][0].float().cpu()


def _told(card: Card, net: nn.Module, found: Found, scores: Tensor, assumptions: Mapping[str, Any]) -> Card:
    """Return the card with what was found."""
    columns = scores.shape[-1 if scores.ndim == 3 else 1]
    background = found.boxes.background if found.boxes else "none"
    names = _names(columns, found.serves, background)
    given = card.classes
    if given and len(given) == columns - 1 and background != "none":
        given = ("__background__", *given) if background == "first" else (*given, GAP)
    rows = f"{scores.shape[1]:,} boxes with {columns:,} scores each"
    what = {CLASSES: f"one score for each of {columns:,} classes", FEATURES: f"{columns:,} channels of features"}
    what = {**what, BOXES: rows, OFFSETS: rows}[found.serves]
    note = f"Of no family that Vitrine knows; it gives {what}."
    about = {"preprocessing": found.preprocess.about, "assumptions": assumptions, "note": note}
    kind = str(card.about.get("architecture") or type(net).__name__)
    task = TASKS[found.serves]
    return recognised(replace(card, classes=given), architecture=kind, task=task, classes=names, about=about)


def _names(columns: int, serves: str, background: str) -> tuple[str, ...]:
    if serves == FEATURES:
        return tuple(f"channel {number}" for number in range(columns))
    if serves == CLASSES and columns == IMAGENET:
        return architectures.classifier_about("resnet18")["classes"]
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
