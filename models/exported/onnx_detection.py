"""ONNX operators of detectors and of sampling: suppression, regions of interest, deformable convolution, grids."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor
from torchvision import ops

from models.exported.onnx_node import Build, UnsupportedError

MODES = {"linear": "bilinear", "cubic": "bicubic"}


def suppress(b: Build) -> Any:
    """Return the rows that survive suppression (NonMaxSuppression)."""
    return b.call(suppressed, *b.inputs, centred=bool(b.get("center_point_box", 0)))


def suppressed(
    boxes: Tensor, scores: Tensor, most: Any = None, overlap: Any = None, least: Any = None, *, centred: bool = False
) -> Tensor:
    """Return (K, 3) picture, class and row of boxes (N, R, 4) that greedy suppression keeps, scores being (N, C, R)."""
    limit = int(most) if most is not None else 0
    iou = float(overlap) if overlap is not None else 0.0
    if centred:
        corners = torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)
    else:
        corners = torch.cat([boxes[..., :2].minimum(boxes[..., 2:]), boxes[..., :2].maximum(boxes[..., 2:])], -1)
    found = [boxes.new_zeros((0, 3), dtype=torch.int64)]
    for picture in range(len(boxes) if limit > 0 else 0):
        for label in range(scores.shape[1]):
            own = scores[picture, label]
            rows = (own > float(least)).nonzero()[:, 0] if least is not None else torch.arange(len(own)).to(own.device)
            if not len(rows):
                continue
            rows = rows[ops.nms(corners[picture, rows].float(), own[rows].float(), iou)][:limit]
            head = rows.new_tensor([picture, label]).expand(len(rows), 2)
            found.append(torch.cat([head, rows[:, None]], 1))
    return torch.cat(found)


def roi_align(b: Build) -> Any:
    """Return regions of maps, pooled bilinearly to one size (RoiAlign)."""
    if b.get("mode", "avg") != "avg":
        raise UnsupportedError("RoiAlign by the maximum")
    place = b.get("coordinate_transformation_mode", "half_pixel" if b.opset >= 16 else "output_half_pixel")
    size = (b.get("output_height", 1), b.get("output_width", 1))
    more = {"scale": b.get("spatial_scale", 1.0), "samples": b.get("sampling_ratio", 0), "half": place == "half_pixel"}
    return b.call(aligned, *b.inputs[:3], size=size, **more)


def aligned(
    x: Tensor, rois: Tensor, picture: Tensor, *, size: tuple[int, int], scale: float, samples: int, half: bool
) -> Tensor:
    """Return the regions `rois` (K, 4) of the maps that `picture` (K,) names, as (K, C, h, w)."""
    rows = torch.cat([picture.to(rois)[:, None], rois], 1)
    return ops.roi_align(x, rows, list(size), scale, samples or -1, half)


def roi_pool(b: Build) -> Any:
    """Return regions of maps, pooled by the largest to one size (MaxRoiPool)."""
    return b.call(ops.roi_pool, b.at(0), b.at(1), tuple(b.get("pooled_shape")), b.get("spatial_scale", 1.0))


def deform_conv(b: Build) -> Any:
    """Return a convolution at displaced places (DeformConv)."""
    pads, rank = b.get("pads", [0, 0, 0, 0]), 2
    if len(pads) != 2 * rank or pads[:rank] != pads[rank:]:
        raise UnsupportedError("DeformConv with padding of unequal sides, or not of two dimensions")
    more = {"stride": tuple(b.get("strides", [1, 1])), "dilation": tuple(b.get("dilations", [1, 1]))}
    return b.call(displaced, b.at(0), b.at(1), b.at(2), b.at(3), b.at(4), padding=tuple(pads[:rank]), **more)


def displaced(
    x: Tensor, weight: Tensor, offset: Tensor, bias: Tensor | None = None, mask: Tensor | None = None, **settings: Any
) -> Tensor:
    """Return a deformable convolution."""
    return ops.deform_conv2d(x, offset, weight, bias, mask=mask, **settings)


def grid_sample(b: Build) -> Any:
    """Return maps sampled at places from -1 to 1 (GridSample)."""
    mode, padding = b.get("mode", "bilinear"), b.get("padding_mode", "zeros")
    corners = bool(b.get("align_corners", 0))
    return b.call(F.grid_sample, b.at(0), b.at(1), MODES.get(mode, mode), padding, corners)


def affine_grid(b: Build) -> Any:
    """Return the grid of an affine transformation (AffineGrid)."""
    return b.call(_affine_grid, b.at(0), b.sides(1, "size"), corners=bool(b.get("align_corners", 0)))


def _affine_grid(theta: Tensor, size: Any, *, corners: bool) -> Tensor:
    sides = [int(v) for v in (size.tolist() if isinstance(size, Tensor) else size)]
    return F.affine_grid(theta, sides, align_corners=corners)


BUILDERS = {
    "NonMaxSuppression": suppress,
    "RoiAlign": roi_align,
    "MaxRoiPool": roi_pool,
    "DeformConv": deform_conv,
    "GridSample": grid_sample,
    "AffineGrid": affine_grid,
}
