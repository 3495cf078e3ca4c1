"""Find out, by trying, what input a network needs if it does not run on a picture, and say so in one sentence."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.cards.card import Card
from models.types import Refusal

Size = tuple[int, int]
ALONE = "Vitrine gives a network one picture. Build it in a function that fills the rest in, and open that."
FRAMES = (4, 8, 16)
SIDES = (64, 112, 224)
SMALLEST, LARGEST = 8, 1024
STEP = 8  # sides of inputs are nearly always multiples of this
MOST_LONG = 6  # largest ratio of the sides
NEAR = (0, -1, 1, -2, 2, -3, 3)
FURTHER = {2, 4}  # numbers of channels of which one is neither colour nor grey
MOST_TRIED, MOST_TOLD = 60, 5


def check_inputs(net: nn.Module, card: Card) -> None:
    """Raise Refusal for a network that requires more than one input."""
    names = required(net)
    if len(names) > 1:
        text = f"{card.name} wants {len(names)} inputs ({', '.join(names)}), not one picture."
        raise Refusal(text, advice=ALONE)


def of_channels(card: Card, channels: int) -> Refusal:
    """Return the refusal of a network whose number of input channels no picture has."""
    text = f"{card.name} wants inputs of {channels} channels; a picture has 3 (red, green, blue) or 1 (grey)."
    if channels in FURTHER:
        advice = (
            "Say what belongs in the further one: ?beyond=1 after its name for the alpha of an opaque picture (255 "
            "where values are so large), ?beyond=0 for a mask or depth of nothing, ?beyond=grey for the grey picture."
        )
        return Refusal(text, advice=advice, offer=("assume", "beyond", "1", "Open with 1 in the further channel"))
    return Refusal(text, advice="Open a function that builds the network around a first layer which adds the others.")


def size_of(text: str) -> Size:
    """Return (height, width) from a text such as 192x64, which is width x height. Raises Refusal if it is malformed."""
    width, _, height = text.partition("x")
    sides = [int(side) if side.isascii() and side.isdecimal() and len(side) < 6 else 0 for side in (height, width)]
    if not all(0 < side <= 8192 for side in sides):
        raise Refusal(f"{text!r} is not a size.", advice="Write width x height in pixels, such as size=192x64.")
    return sides[0], sides[1]


def refusal(net: nn.Module, card: Card, shape: tuple[int, Size], error: Exception, device: torch.device) -> Refusal:
    """Return the refusal of a network that raised `error` for a blank picture; `shape` is channels and (h, w)."""
    channels, size = shape
    last = _Last(net, channels, size, device)
    convolution = last.module if isinstance(last.module, nn.Conv2d) else None
    if convolution is not None and last.first and convolution.in_channels != last.shape[1]:
        return of_channels(card, convolution.in_channels)
    if other := _other_shape(net, channels, device):
        return Refusal(f"{card.name} wants {other}, not one picture (N, C, H, W).", advice=ALONE)
    if isinstance(last.module, nn.Linear) and last.shape:
        if len(last.shape) == 4:
            count = last.module.in_features
            text = f"{card.name} wants rows of {count:,} numbers, not a picture."
            return Refusal(text, advice="Put torch.nn.Flatten() before its first layer, where a picture is flattened.")
        if fitting := _sizes(net, channels, _pixels(last, size), device):
            names = [f"{width}x{height}" for height, width in fitting[:MOST_TOLD]]
            text = f"{card.name} wants inputs of another size (width x height): {' or '.join(names)} runs through it."
            advice = f"Say which it was trained with: ?size={names[0]} after its name, or a card beside it."
            return Refusal(text, advice=advice, offer=("assume", "size", names[0], f"Open at {names[0]}"))
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = f"{type(error).__name__}{': ' + lines[0] if lines else ''}"[:300]
    tried = f"{channels} x {size[0]} x {size[1]}"
    return Refusal(
        f"{card.name} runs on no blank picture. For {tried} (channels, height, width) it raised {said.rstrip('.')}.",
        advice=f"If it takes another size, add ?size=WIDTHxHEIGHT to its name, or a card beside it ({_example(card)}).",
    )


def square(net: nn.Module, shape: tuple[int, Size], device: torch.device) -> Size | None:
    """Return the square input size that suits a network with a fully connected layer, None if there is none."""
    channels, size = shape
    last = _Last(net, channels, size, device)
    if not isinstance(last.module, nn.Linear) or len(last.shape) == 4 or not last.shape:
        return None
    side = round(math.sqrt(_pixels(last, size)))
    near = [(side + away, side + away) for away in NEAR if SMALLEST <= side + away <= LARGEST]
    return next((size for size in near if runs(net, (1, channels, *size), device)), None)


def _pixels(last: _Last, size: Size) -> float:
    """Return the approximate number of input pixels for which a fully connected layer gets the length it needs."""
    assert isinstance(last.module, nn.Linear)
    return size[0] * size[1] * last.module.in_features / math.prod(last.shape[1:])


def required(net: nn.Module) -> list[str]:
    """Return the names of a network's required inputs."""
    if isinstance(net, torch.jit.ScriptModule):
        schema: Any = getattr(net.forward, "schema", None)
        asked = list(schema.arguments)[1:] if schema is not None else []  # the first is the module itself
        return [a.name for a in asked if not a.has_default_value()]
    try:
        parameters = inspect.signature(net.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in kinds]


def _other_shape(net: nn.Module, channels: int, device: torch.device) -> str:
    """Describe the input shape a network runs on if it is not that of pictures; "" if none of those tried works."""
    for side in SIDES:
        shapes: list[tuple[str, tuple[int, ...]]] = []
        for frames in FRAMES:
            clip = f"clips of five dimensions, here of {frames} pictures"
            shapes.append((f"{clip} (N, T, C, H, W)", (1, frames, channels, side, side)))
            shapes.append((f"{clip} (N, C, T, H, W)", (1, channels, frames, side, side)))
        shapes.append(("inputs of three dimensions, without a batch (C, H, W)", (channels, side, side)))
        for words, shape in shapes:
            if runs(net, shape, device):
                return words
    return ""


def _sizes(net: nn.Module, channels: int, pixels: float, device: torch.device) -> list[Size]:
    """Return the sizes (h, w) of about `pixels` pixels that a network runs on, most square first."""
    tried: list[Size] = []
    for height in range(STEP, LARGEST + 1, STEP):
        width = round(pixels / height / STEP) * STEP
        tried += [(height, width)] if width else []
    likely = [s for s in dict.fromkeys(tried) if min(s) >= SMALLEST and max(s) <= MOST_LONG * min(s)]
    likely.sort(key=lambda size: (max(size) / min(size), size))
    return [size for size in likely[:MOST_TRIED] if runs(net, (1, channels, *size), device)]


def runs(net: nn.Module, shape: Sequence[int], device: torch.device) -> bool:
    """Return whether a network runs on a blank input of a shape."""
    try:
        with torch.no_grad():
            net(torch.zeros(*shape, device=device))
    except Exception:  # any exception means that it does not run
        return False
    return True


class _Last:
    """The last module that a blank picture reached, the `shape` of its input, and whether it was the `first` module."""

    def __init__(self, net: nn.Module, channels: int, size: Size, device: torch.device) -> None:
        self.module: nn.Module | None = None
        self.shape: tuple[int, ...] = ()
        self.first = True
        seen = 0

        def see(module: nn.Module, inputs: Any) -> None:
            nonlocal seen
            if not any(True for _ in module.children()):
                seen += 1
                given = next((value for value in inputs if isinstance(value, Tensor)), None)
                self.module, self.shape = module, tuple(given.shape) if given is not None else ()
                self.first = seen == 1

        hook = nn.modules.module.register_module_forward_pre_hook(see)
        try:
            runs(net, (1, channels, *size), device)
        finally:
            hook.remove()


def _example(card: Card) -> str:
    file = card.weights.name if card.weights else card.name
    return f'{{"name": "mine", "weights": "{file}", "preprocessing": {{"crop": [height, width], "fit": "stretch"}}}}'
