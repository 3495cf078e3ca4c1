"""The first pass of a network of an unknown family: the input it runs on, found by trying, and what it returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.cards.card import Card
from models.exported import onnx_random
from models.exported.onnx_graph import fill_batches
from models.exported.operation_budget import after_first_run
from models.interpretation.examine import may_detect, probe
from models.loading import filled_inputs, heads, pass_behaviour, wanted_inputs
from models.loading.preprocess import Preprocess
from models.loading.returned_tensors import leaves, tensors_of
from models.loading.wanted_inputs import Size, size_of
from models.runtime.failures import out_of_memory
from models.types import Cancelled, Refusal

SIDES = (224, 32, 28, 64, 96, 128, 256, 299, 300, 320, 384, 416, 448, 512, 640)
GREY = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow's "L"
BEYOND_KEY = "beyond"
BEYOND: dict[str, Any] = {
    "title": "Further channel",
    "help": "What the network's channel besides the colours is given: an opaque picture's alpha is 1, or 255.",
    "titles": {"1": "1 everywhere", "255": "255 everywhere", "0": "0 everywhere", "grey": "the picture in grey"},
}
DETECTOR_PX, TINY_PX = 640, 64
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


@dataclass(frozen=True, eq=False)
class FirstPass:
    """What a network ran on: `channels`, `size` (h, w), what is `beyond` the colours; its `output` for a photograph.

    `x` is the input. `made` gives, by the tensor's id, the operation that computed each tensor and its position in the
    run. `offered` are the assumptions on the input.
    """

    channels: int
    size: Size
    x: Tensor
    output: Output
    made: dict[int, tuple[str, int]]
    beyond: str
    offered: dict[str, dict[str, Any]]


def run(net: nn.Module, card: Card, given: Mapping[str, str]) -> FirstPass:
    """Return the first pass of a network under the user's choices. Raises Refusal for one that sees no picture."""
    options, sizes = _inputs(net, card)
    offered: dict[str, dict[str, Any]] = {}
    beyond = given.get(BEYOND_KEY, "")
    fixed = filled_inputs.chosen(net, given)
    onnx_random.chosen(net, given)
    chosen = size_of(given["size"]) if len(sizes) > 1 and "size" in given else None
    try:
        channels, size, output, made = _first(net, card, options, sizes, beyond)
    except Refusal:
        if chosen is None:
            raise
        channels, size, output, made = _first(net, card, options, [chosen], beyond)
    if larger := _larger(net, card, output, size, sizes):
        sizes = [*larger, *(each for each in sizes if each not in larger)]
        chosen = size_of(given["size"]) if "size" in given else None
        if chosen is None:
            channels, size, output, made = _first(net, card, [channels], sizes, beyond)
    if len(sizes) > 1:
        names = [_text(one) for one in dict.fromkeys((size, *([chosen] if chosen else ()), *sizes))]
        offered["size"] = {**SIZE, "choices": tuple(names)}
    if chosen is not None and chosen != size:
        channels, size, output, made = _first(net, card, options, [chosen], beyond)
    if _settled(net, size, channels, beyond, fixed):
        channels, size, output, made = _first(net, card, [channels], [size], beyond)
    offered |= filled_inputs.offered(net) | onnx_random.offered(net)
    if channels in wanted_inputs.FURTHER:
        offered[BEYOND_KEY] = {**BEYOND, "choices": (beyond, *(c for c in BEYOND["titles"] if c != beyond))}
    x = in_channels(probe(size, device_of(net)), channels, beyond)
    return FirstPass(channels, size, x, output, made, beyond, offered)


def _settled(net: nn.Module, size: Size, channels: int, beyond: str, fixed: set[str]) -> bool:
    """Find out what a network's inputs besides the picture mean; return whether one is filled in otherwise now."""
    if not filled_inputs.of(net):
        return False
    x = in_channels(probe(size, device_of(net)), channels, beyond)
    with pass_behaviour.kept(net), after_first_run(), torch.no_grad():
        return filled_inputs.settle(net, lambda: all_tensors(net(x)), fixed)


def _larger(net: nn.Module, card: Card, output: Output, size: Size, sizes: Sequence[Size]) -> list[Size]:
    """Return the usual size of detectors where outputs look like a detector's and the file does not bind the size.

    A size is free where the file leaves it open, or states one so small that its maps hardly have cells, although the
    network runs on a larger one: exporters write any size into a file whose network takes all.
    """
    outputs = all_tensors(output.raw)
    if "preprocessing" in card.about or not may_detect(outputs, size):
        return []
    maps = [t for _, t in outputs if t.ndim == 4]
    tiny = max(size) <= TINY_PX and len(maps) >= 2 and len(maps) == len(outputs)
    if len(sizes) == 1 and not tiny:
        return []
    side = DETECTOR_PX
    with pass_behaviour.kept(net):
        runs = max(size) < side and wanted_inputs.runs(net, (1, _channels(net), side, side), device_of(net))
    return [(side, side)] if runs else []


def _channels(net: nn.Module) -> int:
    return next((int(p.shape[1]) for p in net.parameters() if p.ndim == 4), 3)


def in_channels(x: Tensor, channels: int, beyond: str = "") -> Tensor:
    """Return inputs (N, 3, h, w) with the channels that a network takes: 1 is grey, 2 and 4 have one more `beyond`."""
    if channels == 3:
        return x
    grey = (x * x.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if channels == 1:
        return grey
    more = grey if beyond == "grey" else torch.full_like(grey, float(beyond or 1))
    return torch.cat([grey if channels == 2 else x, more], 1)


def all_tensors(output: Any) -> list[tuple[str, Tensor]]:
    """Return every tensor that a network returned for a picture, including integer ones, with names, in order."""
    return [(name, value) for name, value in leaves(output) if isinstance(value, Tensor)]


def device_of(net: nn.Module) -> torch.device:
    """Return the device of a network; the CPU if it has no tensors."""
    tensor = next((t for tensors in (net.parameters(), net.buffers()) for t in tensors), None)
    return torch.device("cpu") if tensor is None else tensor.device


def _inputs(net: nn.Module, card: Card) -> tuple[tuple[int, ...], list[Size]]:
    """Return the numbers of channels and the input sizes to try, likely ones first."""
    stated, height, width = (int(v) for v in card.about.get("input", (0, 0, 0)))
    kernel = next((p for p in net.parameters() if p.ndim == 4), None)
    first = stated or (kernel.shape[1] if kernel is not None else 3)
    channels = (stated,) if stated else tuple(dict.fromkeys((1 if first == 1 else 3, 3, 1)))
    if "preprocessing" in card.about:
        return channels, [Preprocess.of(card.about["preprocessing"]).size]
    return channels, [(height or width or s, width or height or s) for s in SIDES[: 1 if height and width else None]]


def _first(
    net: nn.Module, card: Card, channels: Sequence[int], sizes: Sequence[Size], beyond: str = ""
) -> tuple[int, Size, Output, dict[int, tuple[str, int]]]:
    """Return the first number of channels and size that the network accepts, with its output for a photograph.

    The last result gives, by the tensor's id, the operation that computed each tensor and its position in the run.
    """
    wanted_inputs.check_inputs(net, card)
    failure: tuple[tuple[int, Size], Exception] | None = None
    fits = set(channels) <= {1, 3} or (beyond and set(channels) <= wanted_inputs.FURTHER)
    for count in channels if fits else ():
        for size in sizes:
            try:
                with after_first_run():  # the photograph is no part of what is measured
                    x = in_channels(probe(size, device_of(net)), count, beyond)
                with torch.no_grad():
                    return count, size, *heads.followed(lambda x=x: Output.of(net(x.clone())))
            except (Refusal, Cancelled):
                raise
            except Exception as error:
                if out_of_memory(error):
                    raise
                failure = failure or ((count, size), error)
    if failure is None:
        raise wanted_inputs.of_channels(card, channels[0])
    if fill_batches(net):
        return _first(net, card, channels, sizes, beyond)
    if len(sizes) > 1 and (found := wanted_inputs.square(net, failure[0], device_of(net))):
        return _first(net, card, channels, [found], beyond)
    raise wanted_inputs.refusal(net, card, failure[0], failure[1], device_of(net)) from failure[1]


def _text(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
