"""Networks that make a picture of a code: generators and decoders in exported files and own code.

What they are is told by what they take (`code_inputs`) and by what comes out: a picture, for every code another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from models import model_name
from models.cards.card import Card, recognised
from models.exported import onnx_random
from models.interpretation.picture_codes import MINUS_ONE_ONE, WORDS, ZERO_255, ZERO_ONE
from models.loading.code_inputs import (
    CODE,
    FILLED,
    INDEX,
    LABELS,
    ONE_HOT,
    CodeInput,
    FromCodes,
    inputs_of,
    likely_sizes,
)
from models.loading.filled_inputs import note, offered
from models.loading.layer_chain import side_of
from models.loading.unseen_inputs import Told, words_of
from models.types import Cancelled, Refusal

LEAST_SIDE, LEAST_FLAT = 8, 64
MOST_CLASSES, USUAL_CLASSES = 1000, 10
TRIED = 4  # codes
RANGES = {ZERO_ONE: (0.0, 1.0), MINUS_ONE_ONE: (-1.0, 1.0), ZERO_255: (0.0, 255.0)}
VALUES = {
    "title": "Values",
    "help": "On which scale the network gives its picture.",
    "titles": {key: WORDS[key] for key in RANGES},
}
PRIOR: dict[str, Any] = {
    "title": "Codes",
    "help": "How codes were drawn in training. No number tells it; most networks were trained on normal ones.",
    "choices": ("gaussian", "uniform"),
    "titles": {"gaussian": "normal, spread 1", "uniform": "uniform from -1 to 1"},
}
CLASSES = {"title": "Classes", "help": "How many classes the network's class input knows."}


class Generated(nn.Module):
    """A generator of codes (N, D), with the blocks of its codes and the range of its pictures' values."""

    def __init__(self, generator: FromCodes, latent: list[dict[str, Any]], value_range: tuple[float, float]) -> None:
        super().__init__()
        self.generator, self.latent, self.range = generator, latent, value_range

    def forward(self, codes: Tensor) -> Tensor:
        return self.generator(codes)


def of_program(net: nn.Module, told: Told, card: Card, given: Mapping[str, str]) -> tuple[nn.Module, Card] | None:
    """Return the generator that a network with such inputs is, with its card; None for any other network.

    `net` takes its inputs one by one, in the order of `told`: names, sizes (0 is free) and types. Raises Refusal for
    choices that are not offered.
    """
    inputs = inputs_of(told)
    return _settled(net, inputs, card, given) if inputs is not None else None


def of_module(
    net: nn.Module, names: Sequence[str], card: Card, given: Mapping[str, str]
) -> tuple[nn.Module, Card] | None:
    """Return the generator that a network is of which only the inputs' names are known; None for any other network."""
    if not names or len(names) > 3 or not _takes_codes(net):
        return None
    rows: dict[int, tuple[CodeInput, ...]] = {}  # a one-hot row may be of any length that leaves a code
    said = given.get("classes", "")
    for inputs in _possible(net.eval(), names, int(said) if said.isdecimal() else USUAL_CLASSES):
        row = next((each.size for each in inputs if each.kind == ONE_HOT), 0)
        if row and (row in rows or tried(lambda inputs=inputs: FromCodes(net, inputs).outputs(_codes_of(inputs)))):
            rows.setdefault(row, inputs)
        elif not row and not rows and (found := _settled(net, inputs, card, given)) is not None:
            return found
    if not rows:
        return None
    choices = {"classes": {**CLASSES, "choices": tuple(map(str, rows))}}
    own = {key: value for key, value in given.items() if key != "classes"}
    count = model_name.check({k: v for k, v in given.items() if k == "classes"}, choices, name=card.name)["classes"]
    found = _settled(net, rows[int(count)], card, own)
    if found is None:
        return None
    made, card = found
    items = {**card.about["assumptions"], "classes": {**choices["classes"], "value": count}}
    return made, replace(card, about={**card.about, "assumptions": items})


def _takes_codes(net: nn.Module) -> bool:
    """Return whether a network's first weights may take a code: a linear layer's, or a transposed convolution's."""
    for module in net.modules():
        kind = getattr(module, "original_name", type(module).__name__)
        if kind in ("Linear", "ConvTranspose2d", "Embedding", "Bilinear"):
            return True
        if kind.startswith("Conv") or kind in ("MultiheadAttention", "PatchEmbed"):
            return False
    return False


def _possible(net: nn.Module, names: Sequence[str], classes: int) -> Iterator[tuple[CodeInput, ...]]:
    """Yield what the inputs may be; `classes` is how many there may be."""
    sizes = likely_sizes(net)
    widths = [int(w.shape[1]) for n, w in net.named_parameters() if w.ndim == 2 and "emb" in n.lower()]
    counts = [int(w.shape[0]) for n, w in net.named_parameters() if w.ndim == 2 and "emb" in n.lower()]
    if len(names) == 1:
        yield from ((CodeInput(CODE, sides, size=_product(sides)),) for sides in sizes)
        return
    order = [CODE, INDEX] if not _first_is_class(names) else [INDEX, CODE]
    usual = [classes, *(int(w.shape[1]) for _, w in net.named_parameters() if w.ndim == 2 and w.shape[1] <= 200)]
    for sides in sizes:
        for less in dict.fromkeys((*widths, *counts, *usual, 0)):
            if sides[0] - less < 2:
                continue
            own = CodeInput(CODE, (sides[0] - less, *sides[1:]), size=(sides[0] - less) * _product(sides[1:]))
            rows = [(less,)] if len(sides) == 1 else [(less,), (less, 1, 1)]
            labels = [CodeInput(INDEX, (), torch.int64), *(CodeInput(ONE_HOT, r, size=less) for r in rows if less > 1)]
            labels = labels if less in counts or not counts else labels[:1]
            for label in labels:
                yield tuple(own if kind == CODE else label for kind in order)


def _first_is_class(names: Sequence[str]) -> bool:
    return bool(words_of(names[0]) & LABELS) and not words_of(names[1]) & LABELS


def _product(sides: Sequence[int]) -> int:
    made = 1
    for side in sides:
        made *= side
    return made


def _settled(
    net: nn.Module, inputs: tuple[CodeInput, ...], card: Card, given: Mapping[str, str]
) -> tuple[nn.Module, Card] | None:
    made = FromCodes(net, inputs)
    counted = [at for at, each in enumerate(made.inputs) if each.kind == INDEX]
    choices: dict[str, dict[str, Any]] = {}
    if len(counted) > 1 or (made := _runs(made, counted)) is None:
        return None
    if counted:
        count, why = _count(made, counted[0])
        names = [str(count), *(str(n) for n in (10, 100, 1000, 2) if n != count)]
        choices["classes"] = {**CLASSES, "choices": tuple(names), "evidence": why}
        chosen = int(
            model_name.check({k: v for k, v in given.items() if k == "classes"}, choices, name=card.name)["classes"]
        )
        made = _with_classes(made, counted[0], chosen)
    codes = _codes(made)
    tensors = made.outputs(codes[:1])
    place = picture_of(tensors, codes.shape[1])
    if place is None:
        return None
    made.part, made.shape, made.channels_last = place
    made.alone = not _batched(made, codes)
    with torch.no_grad():
        pictures = made(codes)
    if not pictures.isfinite().all() or float((pictures[0] - pictures[1]).abs().max()) == 0:
        return None
    usual, why = scale_of(pictures)
    order = (usual, *(key for key in RANGES if key != usual))
    choices = {
        "values": {**VALUES, "choices": order, "evidence": why},
        "prior": PRIOR,
        **choices,
        **offered(made),
        **onnx_random.offered(net),
    }
    assumed = model_name.check(given, choices, name=card.name)
    onnx_random.chosen(net, assumed)
    for each in made.inputs:
        if each.filled is not None and each.filled.key in assumed:
            each.filled.filling.meaning = assumed[each.filled.key]
    blocks = [
        {"kind": assumed["prior"], "size": each.size, "name": "code"}
        if each.kind == CODE
        else {"kind": "categorical", "size": each.size, "name": "class"}
        for each in made.inputs
        if each.kind != FILLED
    ]
    items = {key: {**item, "value": assumed[key]} for key, item in choices.items()}
    channels, height, width = pictures.shape[1:]
    numbers = sum(b["size"] for b in blocks if b["kind"] != "categorical")
    known = " and a class" if len(blocks) > 1 else ""
    text = (
        f"It takes a code of {numbers:,} numbers{known} and makes a picture of {channels} × {height} × {width} "
        "(channels, height, width): a generator, or a decoder."
    )
    about = {
        "note": " ".join(
            filter(None, (str(card.about.get("note", "")), text, note(made), onnx_random.note(onnx_random.of(net))))
        ),
        "assumptions": items,
    }
    kind = str(card.about.get("architecture") or getattr(net, "original_name", type(net).__name__))
    card = replace(card, about={k: v for k, v in card.about.items() if k != "input"})
    return Generated(made, blocks, RANGES[assumed["values"]]), recognised(
        card, architecture=kind, task="generation", about=about
    )


def _runs(made: FromCodes, counted: Sequence[int]) -> FromCodes | None:
    """Return the network if it runs on a code, with a first class where it takes one."""
    trial = _with_classes(made, counted[0], 2) if counted else made
    return trial if tried(lambda: trial.outputs(_codes(trial)[:1])) is not None else None


def tried(run: Callable[[], Any]) -> Any:
    """Return what a run without gradients returns, None if it raises."""
    try:
        with torch.no_grad():
            return run()
    except (Refusal, Cancelled):
        raise
    except Exception:  # a network may raise anything for what it does not take
        return None


def _with_classes(made: FromCodes, at: int, count: int) -> FromCodes:
    inputs = [replace(each, size=count) if place == at else each for place, each in enumerate(made.inputs)]
    return FromCodes(made.net, inputs, alone=made.alone)


def _codes(made: FromCodes) -> Tensor:
    """Return codes (TRIED, D), each of the first class, on a network's device."""
    tensor = next(iter(made.net.parameters()), None)
    return _codes_of(made.inputs).to(tensor.device if tensor is not None else "cpu")


def _codes_of(inputs: Sequence[CodeInput]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    parts = []
    for each in inputs:
        if each.kind == CODE:
            parts.append(torch.randn(TRIED, each.size, generator=generator))
        elif each.size:
            parts.append(torch.eye(each.size)[:1].expand(TRIED, -1))
    return torch.cat(parts, 1)


def _count(made: FromCodes, at: int) -> tuple[int, str]:
    """Return how many classes a class input knows, found by asking for higher and higher ones, and why."""

    def takes(number: int) -> Tensor | None:
        trial = _with_classes(made, at, number + 1)
        codes = _codes(trial)[:1]
        start = sum(each.size for each in trial.inputs[:at])
        codes[:, start : start + number + 1] = 0
        codes[:, start + number] = 1
        found = tried(lambda: trial.outputs(codes))
        return found[0] if found else None

    if takes(MOST_CLASSES) is not None:
        return USUAL_CLASSES, "It takes any number for a class: ten is the usual count."
    low, high = 0, MOST_CLASSES  # takes low, not high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if takes(middle) is not None else (low, middle)
    return low + 1, f"It takes classes up to {low}, and none above."


def picture_of(tensors: Sequence[Tensor], size: int) -> tuple[int, tuple[int, ...], bool] | None:
    """Return which output is a picture, its shape behind the batch, and whether channels come last; None for none."""
    found: list[tuple[int, int, tuple[int, ...], bool]] = []
    for part, tensor in enumerate(tensors):
        if not tensor.is_floating_point() and tensor.dtype != torch.uint8:
            continue
        shape, last = tuple(int(n) for n in tensor.shape[1:]), False
        if tensor.ndim == 4 and shape[2] in (1, 3) and shape[0] not in (1, 3):
            last = True
        elif tensor.ndim == 3 and min(shape) >= LEAST_SIDE:
            shape = (1, *shape)
        elif tensor.ndim == 2 and shape[0] >= LEAST_FLAT and shape[0] > 2 * size and (side := side_of(shape[0])):
            limited = float(tensor.min()) >= -1.001 and float(tensor.max()) <= 1.001
            shape = (shape[0] // (side * side), side, side) if limited else ()
        elif tensor.ndim != 4 or shape[0] not in (1, 3):
            continue
        sides = shape[:2] if last else shape[1:]
        if len(shape) == 3 and min(sides) >= LEAST_SIDE:
            found.append((min(sides), -part, shape, last))
    if not found:
        return None
    _, part, shape, last = max(found, key=lambda one: one[:2])
    return -part, shape, last


def _batched(made: FromCodes, codes: Tensor) -> bool:
    """Return whether codes together give the pictures that they give alone."""
    both = tried(lambda: made(codes[:2]))
    if both is None or len(both) != 2:
        return False
    alone = torch.cat([made(codes[at : at + 1]) for at in (0, 1)])
    return bool(torch.allclose(both, alone, atol=1e-4 * float(alone.abs().max().clamp_min(1e-6)), rtol=1e-3))


def scale_of(pictures: Tensor) -> tuple[str, str]:
    """Return the scale of values that pictures are on, and why."""
    low, high = float(pictures.min()), float(pictures.max())
    words = f"Its values lie between {low:.3g} and {high:.3g}."
    if low >= -1e-3 and high <= 1 + 1e-3:
        return ZERO_ONE, words
    return (ZERO_255 if high > 20 and low > -60 else MINUS_ONE_ONE), words
