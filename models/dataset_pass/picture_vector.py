"""The vector of one picture, or of a region of it, as the pass over a data set computes those of the set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from models.dataset_pass.asking import Asked
from models.dataset_pass.layer_choice import INPUT
from models.dataset_pass.pooling import within
from models.dataset_pass.products.embeddings import Embeddings, array_name
from models.subject import Rect
from models.types import Float, Pixels, Refusal


def vector_of(asked: Asked, pixels: Pixels, region: Rect | None, at: tuple[float, float]) -> Float:
    """Return the vector (D,) of a picture, or of a region of it. Raises Refusal."""
    forward, layer = asked.forward, asked.layer
    collector = Embeddings.of(layer, place=at).collector(forward)
    seen: dict[str, Tensor] = {}
    extent = forward.extent(pixels) if region is not None else None

    def see(call: Any, value: Tensor) -> None:
        if region is None:
            collector.see(call, value)
        elif call.id == layer.layer and extent is not None:
            seen[call.id] = within(value, call.layout, layer.pooling, region, extent)

    modules = (layer.layer.removesuffix(INPUT),) if layer.layer.endswith(INPUT) else ()
    batch = forward.run([forward.prepare(pixels)], see, inputs=modules, see_input=collector.see_input)
    if region is not None:
        if layer.layer not in seen:
            raise Refusal(f"The layer {layer.layer} is not called for this picture.", advice="Choose another layer.")
        return seen[layer.layer][0].float().cpu().numpy()
    collector.check(batch)
    collector.add(batch)
    return collector.arrays[array_name(0)][0][0]


def own_row(asked: Asked, path: str) -> int:
    """Return the row of a picture in the data set, -1 if it is not there."""
    data_set = asked.data_set
    if not path:
        return -1
    if path in data_set.row_of:
        return data_set.row_of[path]
    name, place = os.sep + Path(path).name, os.path.realpath(path)
    alike = (row for row, other in enumerate(data_set.paths) if other.endswith(name))
    return next((row for row in alike if os.path.realpath(data_set.paths[row]) == place), -1)
