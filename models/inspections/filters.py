"""Filters: the kernels of a convolution as small images, their strength, and which are dead or duplicates.

Arrays of the Result, in channel order: `tiles` (N, h, w), in colour (N, h, w, 3), raw weights; `share` (N,) the share
of the filter's squared weights that its tile shows; `norms` (N,); `strength` (N,) the norm times the gain of a batch
normalisation that follows directly; `similarity` (N,) the cosine to the nearest other filter and `nearest` (N,) its
index, -1 for none; `dead` and `duplicate` (N,) flags; `order` (N,) the rows in the requested order. With a `channel`,
`tiles` and `share` are of that filter's planes. `meta["scale"]` is the largest absolute weight among the tiles,
`meta["layers"]` the layers that have kernels.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from models.capabilities import Explains
from models.features import filters
from models.inspection import Inspection
from models.params import param
from models.subject import Subject
from models.tracing.layers import hidden, trace_of
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params:
    """The layer, and how to show its kernels."""

    layer: str = param("", "Layer", "A layer with kernels, by its path or its call; empty is the first convolution.")
    mode: str = param(
        "auto",
        "Show",
        "Colours if there are three inputs, otherwise the plane of one input or the principal component of all.",
        choices=filters.MODES,
        titles=("As fits", "Colours", "One input", "Principal component", "Weight of each input"),
    )
    plane: int = param(
        0, "Input", "The input whose plane is shown.", low=0, high=65535, step=1, only=("mode", "planes")
    )
    sort: str = param(
        "none",
        "Order",
        "The strongest first, or those most like another first.",
        choices=("none", "norm", "similarity"),
        titles=("As they are", "Norm", "Similarity"),
    )
    channel: int = param(-1, "Filter", "All planes of this filter alone; -1 is all.", low=-1, high=65535, step=1)


def answer(model: Any, pixels: Pixels | None, params: Params, stages: Any) -> Result:
    """Return the kernels of a layer. Raises Refusal for a layer without kernels.

    A picture only tells in which order the layers run, and so which normalisation follows a layer.
    """
    layers = filters.with_kernels(model.net)
    if not layers:
        raise Refusal(f"{model.card.name} has no convolution: there are no kernels to show.")
    calls = _calls(model, pixels, stages)
    path = _path(params.layer, model.net, layers, calls)
    module = dict(layers)[path]
    kernels = filters.kernels_of(module)
    assert kernels is not None
    mode = kernels.mode if params.mode == "auto" else params.mode
    if params.channel >= 0:
        mode = "inputs" if kernels.mode == "inputs" else "planes"
    tiles, share = filters.tiles(kernels, mode=mode, channel=params.channel, plane=params.plane)

    def alike() -> filters.Likeness:
        return filters.likeness(kernels, check=lambda part: stages.progress(part, "similarity"))

    sizes = filters.norms(kernels.weight)
    likeness = stages.run("similarity", alike, path)
    follower = _follower(path, model.net, calls)
    gain = filters.gains(follower, len(sizes))
    strength = sizes if gain is None else sizes * gain
    dead = filters.dead(strength)
    if not np.isfinite(tiles).all():
        raise Refusal(f"The weights of {path} are not numbers (NaN or infinite).", advice="Look at the weights file.")
    arrays = {
        "tiles": tiles,
        "share": share,
        "norms": sizes,
        "strength": strength,
        "similarity": likeness.cosine,
        "nearest": likeness.nearest,
        "dead": dead,
        "duplicate": likeness.duplicate & ~dead,
        "order": filters.order(params.sort, sizes, likeness),
    }
    meta = {
        "layer": path,
        "kind": type(module).__name__,
        "mode": mode,
        "shape": tuple(kernels.weight.shape),
        "groups": kernels.groups,
        "stride": kernels.stride,
        "padding": kernels.padding,
        "dilation": kernels.dilation,
        "channel": params.channel,
        "plane": params.plane,
        "folded": gain is not None,
        "scale": float(np.abs(tiles).max()),
        "dead_count": int(dead.sum()),
        "duplicate_count": int(arrays["duplicate"].sum()),
        "called": path in calls or not calls,
        "layers": [{"id": name, "kind": type(one).__name__, "shape": filters.shape_of(one)} for name, one in layers],
    }
    return Result(arrays, meta)


def _calls(model: Any, pixels: Pixels | None, stages: Any) -> list[str]:
    """Return the layers in the order in which they run; [] without a picture or where none runs."""
    if pixels is None or not isinstance(model, Explains):
        return []
    return [call.module for call in trace_of(_subject(model, pixels, stages), stages).calls]


def _lacks(model: Any) -> dict[str, str]:
    """Return why there are no kernels to show."""
    if found := hidden(model):
        return found
    return {} if filters.with_kernels(model.net) else {"": f"{model.card.name} has no layer with kernels to show."}


def _subject(model: Any, pixels: Pixels, stages: Any) -> Subject:
    """Return a subject independent of detections: for a detector, the anchor nearest to the whole image."""
    height, width = pixels.shape[:2]
    whole = (0.0, 0.0, float(width), float(height)) if hasattr(model, "candidates") else None
    return model.subject(pixels, stages, region=whole)


def _path(layer: str, net: nn.Module, layers: Any, calls: list[str]) -> str:
    """Return the path of the named layer. Raises Refusal that suggests layers with kernels."""
    paths = [name for name, _ in layers]
    if not layer:
        return next((name for name in calls if name in paths), paths[0])
    path = layer.partition(":")[0].partition("#")[0]
    if path in paths:
        return path
    near = difflib.get_close_matches(path, paths, 3) or [name for name in paths if name.startswith(f"{path}.")][:3]
    advice = f"Layers with kernels: {', '.join([*near, *(p for p in paths if p not in near)][:5])}."
    known = dict(net.named_modules())
    if path in known:
        raise Refusal(f"{path} ({type(known[path]).__name__}) has no kernels.", advice=advice)
    raise Refusal(f"There is no layer {layer!r}.", advice=advice)


def _follower(path: str, net: nn.Module, calls: list[str]) -> nn.Module | None:
    """Return the module called right after the layer, None if the layer is not called exactly once."""
    if calls.count(path) != 1 or calls.index(path) + 1 == len(calls):
        return None
    return dict(net.named_modules())[calls[calls.index(path) + 1]]


INSPECTION = Inspection(
    id="filters",
    title="Filters",
    help="The kernels of a convolution: what each looks for, how strong it is, which are dead or duplicates.",
    needs=(),
    params=Params,
    answer=answer,
    lacks=_lacks,
    spared=True,
)
