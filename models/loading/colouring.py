"""Networks that colour grey pictures: whether outputs are colours, and the assumptions in that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from models import model_name
from models.interpretation import colour_codes, colour_readings
from models.interpretation.colour_codes import ColourCode
from models.interpretation.network_reading import Reading
from models.loading.first_pass import Output, all_tensors, device_of
from models.loading.preprocess import Preprocess
from models.loading.returned_tensors import numbers
from models.loading.wanted_inputs import Size

Offered = dict[str, dict[str, Any]]
OF_GREY_VALUES = ("input", "colours")


def may_be(output: Output, size: Size) -> bool:
    """Return whether any tensor for one picture on an input of `size` (h, w) has the shape of colours."""
    return any(colour_readings.maps_of(tensor, size) for tensor in numbers(all_tensors(output.raw)))


def read(
    net: nn.Module, output: Output, origins: Sequence[str], *, channels: int, way: Preprocess, name: str
) -> colour_readings.Colours | None:
    """Return the reading of a network's maps as colours of a grey picture, None where they are none.

    `way` is how pictures are prepared, `name` that of the model.
    """
    tensors = all_tensors(output.raw)
    names, device = [*(each for each, _ in tensors), name, type(net).__name__], device_of(net)

    def run(x: Tensor) -> list[Tensor]:
        return numbers(all_tensors(net(x.to(device))))

    return colour_readings.read(colour_readings.Asked(run, channels, way), numbers(tensors), names, origins)


def chosen(
    reading: Reading, given: Mapping[str, str], prepare: Callable[[], tuple[Preprocess, Offered]], *, name: str
) -> tuple[Reading, Preprocess, Offered]:
    """Return a reading as colours under the user's choices, how pictures are prepared, and what is offered.

    Values of the picture can be chosen where it goes in as plain grey, not where its lightness does. Raises Refusal.
    """
    code: ColourCode = reading.how
    code = replace(code, lightness=colour_codes.GREY) if "input" in given else code
    offered = colour_codes.offered(code)
    own = {key: value for key, value in given.items() if key in offered}
    code = colour_codes.assumed(code, model_name.check(own, offered, name=name))
    way, more = prepare()
    if code.lightness != colour_codes.GREY:
        more = {key: item for key, item in more.items() if key not in OF_GREY_VALUES}
    return replace(reading, how=code), way, {**offered, **more}
