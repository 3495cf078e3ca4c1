"""Networks of TorchScript and own code that want more than a picture: the other inputs are filled in by their meaning.

Such a network states names and sometimes types of its inputs, no shapes: those are found by trying.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.cards.card import Card
from models.loading import wanted_inputs
from models.loading.filled_inputs import FilledInput
from models.loading.first_pass import SIDES, device_of
from models.loading.unseen_inputs import POINTS, TEXT, words_of
from models.types import Cancelled, Refusal

MOST_INPUTS, MOST_TRIED = 5, 400
PICTURES = {"x", "image", "images", "img", "imgs", "input", "inputs", "pixel", "picture", "pictures", "photo", "tensor"}
Form = tuple[tuple[int, ...], torch.dtype]
WHOLE, FLOAT, LOGICAL = torch.int64, torch.float32, torch.bool
MASKS: tuple[Form, ...] = (
    ((0, 0, 0), LOGICAL),
    ((0, 0, 0), FLOAT),
    ((0, 1, 0, 0), FLOAT),
    ((0, 1, 0, 0), LOGICAL),
    ((0, 0, 0), WHOLE),
)
PAIRS: tuple[Form, ...] = (((0, 2), WHOLE), ((0, 2), FLOAT), ((2,), WHOLE), ((2,), FLOAT))
NUMBERS: tuple[Form, ...] = (((), FLOAT), ((1,), FLOAT), ((0, 1), FLOAT), ((), WHOLE), ((1,), WHOLE))
FOUR: tuple[Form, ...] = (((0, 4), FLOAT), ((0, 4), WHOLE))
THREE: tuple[Form, ...] = (((0, 3), FLOAT), ((3,), FLOAT))
TYPED = {"float": FLOAT, "int": WHOLE, "bool": LOGICAL}


class WithFilledInputs(nn.Module):
    """Runs a network on pictures, whose place among its inputs is `at`; the others are filled in.

    `plain` are the places of inputs that are numbers of Python, not tensors.
    """

    def __init__(self, net: nn.Module, at: int, filled: Sequence[FilledInput], plain: Sequence[int] = ()) -> None:
        super().__init__()
        self.net, self.at, self.plain = net, at, tuple(plain)
        self.filled = nn.ModuleList(filled)

    def forward(self, x: Tensor) -> Any:
        """Return what the network makes of pictures (N, C, h, w)."""
        given: list[Any] = [each(x) for each in self.filled]
        given.insert(self.at, x)
        return self.net(*(each.item() if place in self.plain else each for place, each in enumerate(given)))


def wrapped(net: nn.Module, card: Card) -> nn.Module:
    """Return the network itself if it takes a picture alone, else one that does.

    Raises Refusal for inputs of which nothing is known, or that no usual value fits.
    """
    names = wanted_inputs.required(net)
    if len(names) < 2:
        return net
    if len(names) > MOST_INPUTS or any(words_of(name) & (TEXT | POINTS) for name in names):
        return net
    at = next((place for place, name in enumerate(names) if words_of(name) & PICTURES), 0)
    others = [name for place, name in enumerate(names) if place != at]
    typed = _types(net)
    forms = [_forms(name, typed.get(name, "")) for name in others]
    if unknown := [name for name, own in zip(others, forms, strict=True) if not own]:
        raise _unknown(card, unknown)
    places = [place for place in range(len(names)) if place != at]
    plain = [place for place, name in zip(places, others, strict=True) if typed.get(name, "") in TYPED]
    device, net = device_of(net), net.eval()
    for filled in _combined(others, forms):
        made = WithFilledInputs(net, at, filled, plain)
        if any(_runs(made, channels, side, device) for side in _sides(card) for channels in _channels(net)):
            return made
    raise Refusal(
        f"{card.name} wants more than a picture ({', '.join(others)}), and runs with no usual value of that.",
        advice="Write a function around it that fills the rest in, and open that.",
    )


def _unknown(card: Card, names: Sequence[str]) -> Refusal:
    return Refusal(
        f"{card.name} wants more than a picture: of its input {', '.join(names)} it is not known what belongs there.",
        advice="Write a function around it that fills the rest in, and open that.",
    )


def _types(net: nn.Module) -> dict[str, str]:
    """Return the types that a network states for its inputs, by name."""
    if isinstance(net, torch.jit.ScriptModule):
        schema: Any = getattr(net.forward, "schema", None)
        return {a.name: str(a.type) for a in schema.arguments} if schema is not None else {}
    try:
        found = inspect.signature(net.forward).parameters
    except (TypeError, ValueError):
        return {}
    return {name: str(getattr(each.annotation, "__name__", each.annotation)) for name, each in found.items()}


def _forms(name: str, kind: str) -> tuple[Form, ...]:
    """Return the shapes and types to try for an input, the usual ones first; empty where its name tells nothing."""
    low = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if kind in TYPED:
        return (((), TYPED[kind]),) if FilledInput(low, (), TYPED[kind], 2).choices else ()
    if re.search("mask|valid|padding", low):
        return MASKS
    if re.search("im_?info", low):
        return THREE
    if re.search(r"size|shape|dims|\bhw\b|\bwh\b|_hw|_wh|resolution", low):
        return (*PAIRS, *FOUR, *THREE)
    if re.search("scale|ratio|factor", low):
        return (*PAIRS[1:2], *PAIRS[3:], *NUMBERS)
    return NUMBERS if FilledInput(low, (), FLOAT, 2).choices else ()


def _combined(names: Sequence[str], forms: Sequence[Sequence[Form]]) -> Iterator[list[FilledInput]]:
    for chosen in itertools.islice(itertools.product(*forms), MOST_TRIED):
        pairs = zip(names, chosen, strict=True)
        made = [FilledInput(name, shape, dtype, number) for number, (name, (shape, dtype)) in enumerate(pairs, 2)]
        if all(each.choices for each in made):
            yield made


def _sides(card: Card) -> tuple[int, ...]:
    stated = [int(side) for side in card.about.get("input", ())[1:] if side]
    return tuple(stated[:1]) or tuple(side for side in SIDES if side in (224, 32, 28, 64, 320, 640))


def _channels(net: nn.Module) -> tuple[int, ...]:
    first = next((int(p.shape[1]) for p in net.parameters() if p.ndim == 4), 3)
    return (1, 3) if first == 1 else (3, 1)


def _runs(net: nn.Module, channels: int, side: int, device: torch.device) -> bool:
    try:
        with torch.no_grad():
            net(torch.rand(1, channels, side, side, device=device))
    except (Refusal, Cancelled):
        raise
    except Exception:  # a network may raise anything for what it does not take
        return False
    return True
