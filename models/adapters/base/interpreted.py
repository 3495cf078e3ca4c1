"""What adapters share whose networks are of no known family: their outputs as returned, and the readings of these."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from models.cards.card import Card
from models.interpretation.network_reading import Reading
from models.loading.preprocess import Preprocess
from models.loading.probe_network import Found, device_of
from models.loading.returned_tensors import numbers
from models.runtime.forward_passes import INNOCENT, Behaviour, through
from models.types import Pixels


@dataclass(frozen=True)
class RawOutputs:
    """The input (1, 3, h, w) that a network was given for a picture, and its outputs by name as it returned them."""

    input: Tensor
    tensors: tuple[tuple[str, Tensor], ...]

    @property
    def nbytes(self) -> int:
        """The size of all tensors in bytes."""
        return self.input.nbytes + sum(tensor.nbytes for _, tensor in self.tensors)


class Interpreted:
    """An opened network whose outputs were interpreted by their values: stage outputs."""

    net: Any
    card: Card
    preprocess: Preprocess
    behaviour: Behaviour = INNOCENT
    _found: Found

    def __init__(self, net: nn.Module, card: Card, found: Found) -> None:
        self.net = net.eval()
        self.card = card
        self.preprocess = found.preprocess
        self._found = found

    @property
    def device(self) -> torch.device:
        """The device of the network; the CPU if it has no tensors."""
        return device_of(self.net)

    @property
    def interpretation(self) -> Found:
        """What was found out about the network, with every reading of its outputs."""
        return self._found

    def raw_outputs(
        self, pixels: Pixels, stages: Any, preprocess: Preprocess | None = None, reading: Reading | None = None
    ) -> RawOutputs:
        """Return the network's outputs for a picture (H, W, 3) uint8 RGB, prepared as assumed or in another way.

        `reading` is another one than that in force, which may want other inputs.
        """
        way = preprocess or self.preprocess
        found = replace(self._found, preprocess=way, reading=reading or self._found.reading)

        def make() -> RawOutputs:
            names: list[str] = []

            def run(x: Tensor) -> list[Tensor]:
                made = found.outputs(self.net)(x)
                names[:] = [name for name, _ in made]
                return [tensor for _, tensor in made]

            with torch.inference_mode(False), torch.no_grad():
                x = way.input(pixels, device_of(self.net))
                tensors = through(self.behaviour, run)(x)
            return RawOutputs(x, tuple(zip(names, tensors, strict=True)))

        return stages.run("outputs", make, way, found.input_key)

    def numbers(self, pixels: Pixels, stages: Any) -> list[Tensor]:
        """Return the outputs that readings count, as numbers."""
        return [tensor.float() for tensor in numbers(self.raw_outputs(pixels, stages).tensors)]
