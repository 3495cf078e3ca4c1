"""Lay out the anchors of a torchvision detector on an image; feature map sizes come from a meta-device copy."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList

from models.detection.anchor_design import Design, Groups
from models.detection.grid_anchors import GridAnchors
from models.types import Refusal

Size = tuple[int, int]

_twins: WeakKeyDictionary[nn.Module, tuple[nn.Module, dict[Size, list[Size]]]] = WeakKeyDictionary()


def owner(model: Any) -> Any:
    """Return what holds the transform and anchor generator: a torchvision network, else the adapter's `net`."""
    return model if hasattr(model, "anchor_generator") else model.net


def parts(net: Any) -> tuple[Any, Any]:
    """Return an owner's anchor generator and its matcher, which is None for FCOS."""
    held = getattr(net, "rpn", net)
    return held.anchor_generator, getattr(held, "proposal_matcher", None)


def reason_unmatched(model: Any) -> str:
    """Return why objects are not matched to anchors (or FCOS cells) in this model, "" if they are."""
    held = owner(model)
    return (
        ""
        if hasattr(getattr(held, "rpn", held), "anchor_generator")
        else f"{model.card.name} matches no anchors to objects."
    )


def own_design(generator: Any) -> Design:
    """Return the design of a generator. Raises Refusal for a type other than torchvision's two."""
    if isinstance(generator, AnchorGenerator):
        return Design(_groups(generator.sizes), _groups(generator.aspect_ratios))
    if isinstance(generator, DefaultBoxGenerator):
        return Design(tuple((float(s),) for s in generator.scales), _groups(generator.aspect_ratios), fractions=True)
    raise Refusal(
        f"Anchors made by {type(generator).__name__} are not known here.",
        advice="Vitrine knows those of torchvision's AnchorGenerator and DefaultBoxGenerator.",
    )


def generator_of(design: Design, like: Any) -> nn.Module:
    """Return a torchvision generator for a design; steps, strides and clipping come from the generator `like`."""
    if isinstance(like, GridAnchors):
        return like.with_design(design.scales, design.ratios)
    if not design.fractions:
        return AnchorGenerator(design.scales, design.ratios)
    ratios: list[Any] = [list(group) for group in design.ratios]
    scales = [group[0] for group in design.scales]
    return DefaultBoxGenerator(ratios, scales=scales, steps=like.steps, clip=like.clip)


def network_size(transform: Any, height: int, width: int) -> Size:
    """Return (height, width) of an image after torchvision's resizing, before padding."""
    if transform.fixed_size is not None:
        return int(transform.fixed_size[1]), int(transform.fixed_size[0])
    scale = min(transform.min_size[-1] / min(height, width), transform.max_size / max(height, width))
    return math.floor(height * scale), math.floor(width * scale)


def padded_size(transform: Any, size: Size) -> Size:
    """Return (height, width) after padding, for a batch of one image."""
    step = transform.size_divisible
    return math.ceil(size[0] / step) * step, math.ceil(size[1] / step) * step


def grids(net: Any, padded: Size) -> list[Size]:
    """Return (rows, columns) of each feature map for an input size, from a run of the backbone on the meta device."""
    if isinstance(generator := getattr(net, "anchor_generator", None), GridAnchors):
        return generator.grids(padded)
    if net not in _twins:
        _twins[net] = (_weightless(net.backbone), {})  # type: ignore[arg-type]
    twin, known = _twins[net]
    if padded not in known:
        output: Any = twin(torch.empty((1, 3, *padded), device="meta"))
        maps = OrderedDict(output if isinstance(output, dict) else {"0": output})
        known[padded] = [(int(m.shape[-2]), int(m.shape[-1])) for m in maps.values()]
    return known[padded]


def lay_out(generator: Any, padded: Size, cells: list[Size]) -> Tensor:
    """Return the anchors (N, 4) in network pixels, ordered by level, row, column, anchor of the cell."""
    one = torch.zeros(1)
    images = ImageList(one.expand(1, 3, *padded), [padded])
    return generator(images, [one.expand(1, 1, *size) for size in cells])[0]


def _weightless(module: nn.Module) -> nn.Module:
    """Return a copy of a module on the meta device, without allocating its weights."""
    empty: dict[int, Any] = {
        id(p): nn.Parameter(torch.empty_like(p, device="meta"), requires_grad=False) for p in module.parameters()
    }
    empty |= {id(b): torch.empty_like(b, device="meta") for b in module.buffers()}
    return copy.deepcopy(module, empty)


def _groups(values: Any) -> Groups:
    return tuple(tuple(float(v) for v in group) for group in values)
