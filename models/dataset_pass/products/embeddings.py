"""Embeddings: the vector of every picture in some layers, as arrays `vector.0`, `vector.1`, ... of the parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from models.dataset_pass.batch import Batch
from models.dataset_pass.forward import Forward
from models.dataset_pass.layer_choice import CODES, INPUT, OUTPUT, LayerChoice
from models.dataset_pass.pooling import pooled
from models.dataset_pass.product import Collecting
from models.runtime.forward_passes import repetition
from models.tracing.tensor_layout import VECTOR, Layout
from models.tracing.traced_calls import Call
from models.types import Float, Refusal

WHOLE = Layout(VECTOR)


@dataclass(frozen=True)
class Embeddings:
    """The vectors of `layers`, each with its pooling; `place` is the position of the pooling "position"."""

    name: ClassVar[str] = "embeddings"
    version: ClassVar[int] = 1
    layers: tuple[tuple[str, str], ...]
    place: tuple[float, float] = (0.5, 0.5)

    @classmethod
    def of(cls, *choices: LayerChoice, place: tuple[float, float] = (0.5, 0.5)) -> Embeddings:
        """Return the product for some chosen layers."""
        return cls(tuple((choice.layer, choice.pooling) for choice in choices), place)

    @property
    def wants_inputs(self) -> tuple[str, ...]:
        """The modules whose inputs are compared."""
        return tuple(layer.removesuffix(INPUT) for layer, _ in self.layers if layer.endswith(INPUT))

    def collector(self, forward: Forward) -> _Vectors:
        """Return a collector."""
        return _Vectors(self)


def array_name(number: int) -> str:
    """Return the name of the array with the vectors of a product's layer `number`."""
    return f"vector.{number}"


class _Vectors(Collecting):
    def __init__(self, product: Embeddings) -> None:
        super().__init__()
        self.product = product
        self._row = {layer: number for number, (layer, _) in enumerate(product.layers)}
        self._seen: dict[str, tuple[Tensor, int]] = {}
        self._found: list[Float] = []

    def see(self, call: Call, value: Tensor) -> None:
        """Pool the value of a wanted layer."""
        number = self._row.get(call.id)
        if number is not None:
            self._take(call.id, pooled(value, call.layout, self.product.layers[number][1], self.product.place))

    def see_input(self, module: str, value: Tensor) -> None:
        """Pool the input of a wanted module."""
        name = module + INPUT
        if name in self._row:
            self._take(name, pooled(value, WHOLE, "mean"))

    def forget(self) -> None:
        """Drop the vectors of a pass that failed."""
        self._seen.clear()
        self._found = []

    def check(self, batch: Batch) -> None:
        """Raise Refusal if a layer gave no vector for each picture, or numbers that are not finite."""
        self._found = []
        for name in self._row:
            whole = batch.scores if name == OUTPUT else batch.code if name == CODES else None
            value, count = (whole, 1) if whole is not None else self._seen.get(name, (None, 1))
            if value is None:
                raise Refusal(f"The layer {name} is not called for this picture.", advice="Choose another layer.")
            if len(value) != len(batch):
                raise Refusal(f"The layer {name} gives no vector for each picture.", advice="Choose another layer.")
            made = (value / count).flatten(1).float().cpu()
            if not bool(torch.isfinite(made).all()):
                raise Refusal(f"The values of {name} are not numbers (NaN or infinite).", advice="Look at its weights.")
            self._found.append(made.numpy())

    def add(self, batch: Batch) -> None:
        """Keep the vectors of a batch."""
        for number, vectors in enumerate(self._found):
            self.array(array_name(number), vectors)
        self.forget()

    def _take(self, name: str, value: Tensor) -> None:
        """Take a value in; those of averaged passes are averaged, and a later call of a module replaces an earlier."""
        value = value.detach().clone()
        if repetition() and name in self._seen:
            total, count = self._seen[name]
            self._seen[name] = total + value, count + 1
        else:
            self._seen[name] = value, 1
