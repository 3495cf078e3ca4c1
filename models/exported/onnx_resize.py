"""ONNX's Resize and Upsample in every mode: by PyTorch where that is the same, else by a matrix for each axis."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from models.exported import onnx_functions as fn
from models.exported.onnx_node import Build, UnsupportedError

HALF = ("half_pixel", "pytorch_half_pixel")
PLACES = (*HALF, "asymmetric", "align_corners", "tf_crop_and_resize", "half_pixel_symmetric", "tf_half_pixel_for_nn")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
CUBIC = -0.75


def resize(b: Build) -> Any:
    """Return a resizing of maps."""
    newer = b.kind == "Resize" and b.opset > 10
    mode = b.get("mode", "nearest")
    place = b.get("coordinate_transformation_mode", "half_pixel" if newer else "asymmetric")
    rounding = b.get("nearest_mode", "round_prefer_floor" if newer else "floor")
    if mode not in ("nearest", "linear", "cubic") or place not in PLACES or rounding not in ROUNDINGS:
        raise UnsupportedError(f"{b.kind} by {mode}, {place}, {rounding}")
    first = 2 if newer else 1
    scales, sizes = b.at(first), b.at(first + 1)
    scales = b.get("scales") if scales is None else scales
    if isinstance(scales, Tensor):
        scales = None if not scales.numel() else scales.tolist()
    sizes = (
        fn.ints(sizes) if isinstance(sizes, Tensor) and sizes.numel() else None if isinstance(sizes, Tensor) else sizes
    )
    more: dict[str, Any] = {"mode": mode, "place": place, "rounding": rounding, "axes": b.get("axes")}
    more |= {"cubic": b.get("cubic_coeff_a", CUBIC), "outside": bool(b.get("exclude_outside", 0))}
    more |= {"beyond": b.get("extrapolation_value", 0.0), "smooth": bool(b.get("antialias", 0))}
    more["policy"] = b.get("keep_aspect_ratio_policy", "stretch")
    roi = b.at(1) if place == "tf_crop_and_resize" else None
    return b.call(resized, b.inputs[0], scales, sizes, roi, **more)


def resized(
    x: Tensor,
    scales: Any,
    sizes: Any,
    roi: Any = None,
    *,
    mode: str,
    place: str,
    rounding: str,
    axes: Any,
    cubic: float,
    outside: bool,
    beyond: float,
    smooth: bool,
    policy: str,
) -> Tensor:
    """Resize a tensor to the given sizes, or by scales (Resize)."""
    along = [a % x.ndim for a in axes] if axes else list(range(x.ndim))
    factors, lengths = _targets(x, along, scales, sizes, policy)
    if x.ndim == 4 and not smooth and policy == "stretch" and lengths[:2] == list(x.shape[:2]):
        way = _fast(x, lengths, mode, place, rounding, cubic=cubic, outside=outside)
        if way:
            return _by_pytorch(x, lengths, factors, way, sizes is not None, corners=place == "align_corners")
    region = [float(v) for v in roi.tolist()] if isinstance(roi, Tensor) else []
    kind, found = x.dtype, x if x.is_floating_point() else x.float()
    for axis in range(x.ndim):
        same = lengths[axis] == x.shape[axis] and factors[axis] == 1
        if same and place != "tf_crop_and_resize":
            continue
        edge = (0.0, 1.0)
        if region:
            number = along.index(axis) if axis in along else -1
            edge = (region[number], region[number + len(along)]) if number >= 0 else edge
        where = _places(x.shape[axis], lengths[axis], factors[axis], place, edge)
        more = {"cubic": cubic, "outside": outside, "shrink": min(1.0, factors[axis]) if smooth else 1.0}
        weights = _weights(where, x.shape[axis], mode, rounding, **more).to(found)
        found = (found.movedim(axis, -1) @ weights.T).movedim(-1, axis)
        if place == "tf_crop_and_resize":
            off = ((where < 0) | (where > x.shape[axis] - 1)).to(found.device)
            shape = [1] * x.ndim
            shape[axis] = -1
            found = torch.where(off.reshape(shape), found.new_tensor(beyond), found)
    return found if kind.is_floating_point else found.round().to(kind)


def _targets(x: Tensor, along: list[int], scales: Any, sizes: Any, policy: str) -> tuple[list[float], list[int]]:
    """Return for every axis the scale and the length of the result."""
    factors, lengths = [1.0] * x.ndim, list(x.shape)
    if sizes is not None:
        given = fn.ints(sizes)
        if policy != "stretch":
            choose = min if policy == "not_larger" else max
            common = choose(wanted / x.shape[axis] for axis, wanted in zip(along, given, strict=True))
            given = [math.floor(common * x.shape[axis] + 0.5) for axis in along]
            factors = [common if axis in along else 1.0 for axis in range(x.ndim)]
        for axis, wanted in zip(along, given, strict=True):
            lengths[axis] = wanted
            factors[axis] = wanted / x.shape[axis] if policy == "stretch" else factors[axis]
        return factors, lengths
    values = scales.tolist() if isinstance(scales, Tensor) else scales
    for axis, factor in zip(along, values, strict=True):
        factors[axis] = float(factor)
        lengths[axis] = math.floor(x.shape[axis] * float(factor) + 1e-6)
    return factors, lengths


def _fast(x: Tensor, lengths: list[int], mode: str, place: str, rounding: str, *, cubic: float, outside: bool) -> str:
    """Return the mode of PyTorch's that does the same, "" if there is none."""
    if not x.is_floating_point():
        return ""
    if mode == "nearest":
        if place == "asymmetric" and rounding == "floor":
            return "nearest"
        grows = all(n % s == 0 and (n // s) % 2 == 0 for n, s in zip(lengths[2:], x.shape[2:], strict=True))
        if place in HALF and (rounding == "round_prefer_ceil" or (rounding == "round_prefer_floor" and grows)):
            return "nearest-exact"
        return ""
    single = place == "pytorch_half_pixel" and 1 in lengths[2:]
    if (place not in HALF and place != "align_corners") or single:
        return ""
    if mode == "cubic":
        return "bicubic" if cubic == CUBIC and not outside else ""
    return "bilinear"


def _by_pytorch(x: Tensor, lengths: list[int], factors: list[float], way: str, sized: bool, *, corners: bool) -> Tensor:
    align = {"align_corners": corners} if way in ("bilinear", "bicubic") else {}
    if sized or corners or any(int(n * f) != wanted for n, f, wanted in zip(x.shape, factors, lengths, strict=True)):
        return F.interpolate(x, size=lengths[2:], mode=way, **align)
    return F.interpolate(x, scale_factor=factors[2:], mode=way, **align)


def _places(size: int, length: int, scale: float, place: str, edge: tuple[float, float]) -> Tensor:
    """Return the coordinate in the input (length,) of each place of the output, rounded as in single precision."""
    at, factor = torch.arange(length).float(), torch.tensor(scale)
    match place:
        case "asymmetric":
            return at / factor
        case "align_corners":
            return at * (size - 1) / (length - 1) if length > 1 else at * 0
        case "tf_half_pixel_for_nn":
            return (at + 0.5) / factor
        case "tf_crop_and_resize":
            begin, end = edge
            if length > 1:
                return begin * (size - 1) + at * (end - begin) * (size - 1) / (length - 1)
            return at + 0.5 * (begin + end) * (size - 1)
        case "pytorch_half_pixel" if length == 1:
            return at * 0
        case "half_pixel_symmetric":
            centre = size / 2 * (1 - length / (scale * size))
            return centre + (at + 0.5) / factor - 0.5
    return (at + 0.5) / factor - 0.5


def _weights(
    where: Tensor, size: int, mode: str, rounding: str, *, cubic: float, outside: bool, shrink: float
) -> Tensor:
    """Return the matrix (length, size) that takes values at places to values at coordinates `where` (length,)."""
    if mode == "nearest":
        rounded = {
            "floor": torch.floor(where),
            "ceil": torch.ceil(where),
            "round_prefer_floor": torch.ceil(where - 0.5),
            "round_prefer_ceil": torch.floor(where + 0.5),
        }[rounding]
        return F.one_hot(rounded.long().clamp(0, size - 1), size).double()
    reach = math.ceil((1 if mode == "linear" else 2) / shrink)
    where = where.double()
    taps = torch.arange(-reach + 1, reach + 1)
    places = torch.floor(where)[:, None].long() + taps
    away = (where[:, None] - places).abs() * shrink
    if mode == "linear":
        share = (1 - away).clamp_min(0)
    else:
        near = ((cubic + 2) * away - (cubic + 3)) * away**2 + 1
        far = cubic * (((away - 5) * away + 8) * away - 4)
        share = torch.where(away <= 1, near, torch.where(away < 2, far, torch.zeros_like(away)))
    within = (places >= 0) & (places < size)
    if outside or shrink < 1:
        share = share * within if outside else share
        share = share / share.sum(1, keepdim=True)
    matrix = torch.zeros(len(where), size, dtype=torch.float64)
    return matrix.scatter_add(1, places.clamp(0, size - 1), share)
