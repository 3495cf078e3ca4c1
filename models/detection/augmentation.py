"""Pictures varied for training, with the boxes that result and the share of each that is left in sight.

Crops, colours, MixUp and CutMix are drawn and applied by torchvision's v2 transforms. Mosaic, which torchvision does
not have, is that of YOLOv4 (Bochkovskiy et al. 2020): four pictures around a random centre on a canvas of twice the
size, of which the middle is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from models.types import Float, Int, Pixels

GREY = 114  # where no picture lies, as in YOLO
LEAST_SHARE = 0.1
LEAST_SIDE_PX = 2.0


def _nowhere() -> Float:
    return np.zeros((0, 5), np.float32)


@dataclass(frozen=True)
class Labelled:
    """A picture (H, W, 3) with boxes (N, 4) in its pixels and labels (N,)."""

    pixels: Pixels
    boxes: Float
    labels: Int


@dataclass(frozen=True)
class Varied:
    """A picture made of others, with what is left of their boxes.

    Of the N boxes: `boxes` (N, 4) where they are now, clipped, `labels` (N,), `share` (N,) of their area that is in
    sight, `weight` (N,) that the loss gives them, `origin` (N,) the picture they come from, and `row` (N,) there. Boxes
    in `dropped`, (picture, row) each, are not learnt. `where` (K, 5) are rectangles of the pictures: number, box.
    """

    pixels: Pixels
    boxes: Float
    labels: Int
    share: Float
    weight: Float
    origin: Int
    row: Int
    dropped: tuple[tuple[int, int], ...] = ()
    where: Float = field(default_factory=_nowhere)
    mixed: float = 1.0


def area(boxes: Float) -> Float:
    """Return the areas (N,) of boxes (N, 4)."""
    return (boxes[:, 2] - boxes[:, 0]).clip(min=0) * (boxes[:, 3] - boxes[:, 1]).clip(min=0)


def clipped(boxes: Float, window: Sequence[float]) -> tuple[Float, Float]:
    """Return boxes (N, 4) inside a window x0, y0, x1, y1, and the share (N,) of each that lies inside."""
    x0, y0, x1, y1 = window
    inside = np.stack(
        [
            boxes[:, 0].clip(x0, x1),
            boxes[:, 1].clip(y0, y1),
            boxes[:, 2].clip(x0, x1),
            boxes[:, 3].clip(y0, y1),
        ],
        1,
    ).astype(np.float32)
    return inside, (area(inside) / np.maximum(area(boxes), 1e-9)).astype(np.float32)


def _kept(boxes: Float, share: Float) -> np.ndarray:
    """Return which boxes are learnt: not those nearly out of sight, nor slivers."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return (share >= LEAST_SHARE) & (sides >= LEAST_SIDE_PX).all(1)


def _gathered(pixels: Pixels, parts: Sequence[tuple[int, Labelled, Float, Float]], **more: object) -> Varied:
    """Join what is left of several pictures: number, picture, boxes now, share."""
    keep = [_kept(boxes, share) for _, _, boxes, share in parts]
    dropped = [(n, int(row)) for (n, *_), mask in zip(parts, keep, strict=True) for row in np.flatnonzero(~mask)]
    rows = [np.flatnonzero(mask) for mask in keep]
    return Varied(
        pixels,
        np.concatenate([boxes[r] for (_, _, boxes, _), r in zip(parts, rows, strict=True)]).astype(np.float32),
        np.concatenate([given.labels[r] for (_, given, _, _), r in zip(parts, rows, strict=True)]),
        np.concatenate([share[r] for (_, _, _, share), r in zip(parts, rows, strict=True)]).astype(np.float32),
        np.concatenate([np.ones(len(r), np.float32) for r in rows]),
        np.concatenate([np.full(len(r), n) for (n, *_), r in zip(parts, rows, strict=True)]),
        np.concatenate(rows),
        tuple(dropped),
        **more,  # type: ignore[arg-type]
    )


def mosaic(pictures: Sequence[Labelled], side: int, centre: tuple[int, int], *, crop: bool = True) -> Varied:
    """Return four pictures around a centre x, y of a canvas of twice `side`, of which the middle is kept with `crop`.

    Each is resized so that its longer side is `side`, and lies with one corner at the centre.
    """
    canvas = np.full((2 * side, 2 * side, 3), GREY, np.uint8)
    window = (side / 2, side / 2, side * 1.5, side * 1.5) if crop else (0.0, 0.0, 2.0 * side, 2.0 * side)
    left, top = (int(window[0]), int(window[1]))
    parts, where = [], []
    for number, given in enumerate(pictures[:4]):
        scale = side / max(given.pixels.shape[:2])
        wide, high = (max(1, round(n * scale)) for n in given.pixels.shape[1::-1])
        small = np.asarray(cv2.resize(given.pixels, (wide, high), interpolation=cv2.INTER_AREA), np.uint8)
        x = centre[0] - wide if number % 2 == 0 else centre[0]
        y = centre[1] - high if number < 2 else centre[1]
        at = (max(x, 0), max(y, 0), min(x + wide, 2 * side), min(y + high, 2 * side))
        canvas[at[1] : at[3], at[0] : at[2]] = small[at[1] - y : at[3] - y, at[0] - x : at[2] - x]
        moved = given.boxes * np.float32(scale) + np.array([x, y, x, y], np.float32)
        seen = (max(at[0], window[0]), max(at[1], window[1]), min(at[2], window[2]), min(at[3], window[3]))
        empty = seen[2] <= seen[0] or seen[3] <= seen[1]
        inside, share = clipped(moved, (seen[0], seen[1], max(seen[2], seen[0]), max(seen[3], seen[1])))
        parts.append((number, given, inside - np.array([left, top, left, top], np.float32), share))
        if not empty:
            where.append([number, seen[0] - left, seen[1] - top, seen[2] - left, seen[3] - top])
    pixels = canvas[top : top + int(window[3] - window[1]), left : left + int(window[2] - window[0])]
    return _gathered(
        np.ascontiguousarray(pixels), parts, where=np.array(where, np.float32).reshape(-1, 5), mixed=float(len(where))
    )


def fitted(given: Labelled, shape: tuple[int, int]) -> Labelled:
    """Return a picture resized to (height, width), with its boxes."""
    height, width = given.pixels.shape[:2]
    resized = np.asarray(cv2.resize(given.pixels, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    scale = np.array([shape[1] / width, shape[0] / height] * 2, np.float32)
    return Labelled(resized, given.boxes * scale, given.labels)


def mixup(one: Labelled, other: Labelled, alpha: float) -> Varied:
    """Return a blend of two pictures by torchvision's MixUp; every box of both stays, weighed by its picture's share.

    For boxes this is a convention: MixUp is defined for classes.
    """
    other = fitted(other, (one.pixels.shape[0], one.pixels.shape[1]))
    transform = v2.MixUp(alpha=max(alpha, 1e-3), num_classes=2)
    blend, targets = transform(_batch(one, other), torch.tensor([0, 1]))
    mixed = float(targets[0, 0])
    parts = [(n, given, given.boxes, np.ones(len(given.boxes), np.float32)) for n, given in enumerate((one, other))]
    found = _gathered(_bytes(blend[0]), parts, mixed=mixed)
    weight = np.where(found.origin == 0, mixed, 1 - mixed).astype(np.float32)
    return Varied(**{**vars(found), "weight": weight})


def cutmix(one: Labelled, other: Labelled, alpha: float) -> Varied:
    """Return a picture with a rectangle of another one, by torchvision's CutMix; boxes count as far as they are seen.

    `mixed` is the share of the first picture after the rectangle was clipped. For boxes this is a convention: CutMix is
    defined for classes.
    """
    height, width = one.pixels.shape[:2]
    other = fitted(other, (height, width))
    transform = v2.CutMix(alpha=max(alpha, 1e-3), num_classes=2)
    batch = _batch(one, other)
    drawn = transform.make_params([batch])
    x0, y0, x1, y1 = (float(v) for v in drawn["box"])
    pixels = _bytes(transform.transform(batch, {**drawn, "labels": None, "batch_size": 2})[0])
    hidden = clipped(one.boxes, (x0, y0, x1, y1))[1]
    inside, share = clipped(other.boxes, (x0, y0, x1, y1))
    where = np.array([[1, x0, y0, x1, y1]], np.float32) if x1 > x0 and y1 > y0 else np.zeros((0, 5), np.float32)
    covered = max(x1 - x0, 0) * max(y1 - y0, 0) / (height * width)
    return _gathered(
        pixels, [(0, one, one.boxes, 1 - hidden), (1, other, inside, share)], where=where, mixed=1 - covered
    )


def flipped(given: Labelled, *, vertical: bool = False) -> Varied:
    """Return a mirrored picture."""
    height, width = given.pixels.shape[:2]
    pixels, boxes = given.pixels[::-1] if vertical else given.pixels[:, ::-1], given.boxes.copy()
    axes, end = ((1, 3), height) if vertical else ((0, 2), width)
    boxes[:, axes[0]], boxes[:, axes[1]] = end - given.boxes[:, axes[1]], end - given.boxes[:, axes[0]]
    return _gathered(np.ascontiguousarray(pixels), [(0, given, boxes, np.ones(len(boxes), np.float32))])


def coloured(given: Labelled, strength: float) -> Varied:
    """Return a picture whose brightness, contrast, saturation and hue are changed at random, by torchvision."""
    jitter = v2.ColorJitter(strength, strength, strength, min(strength / 2, 0.5))
    pixels = _bytes(jitter(_tensor(given)))
    return _gathered(pixels, [(0, given, given.boxes, np.ones(len(given.boxes), np.float32))])


def cropped(given: Labelled, smallest: float) -> Varied:
    """Return a random part of a picture, of at least the share `smallest` of its area, at the picture's own size."""
    height, width = given.pixels.shape[:2]
    transform = v2.RandomResizedCrop((height, width), scale=(min(max(smallest, 0.02), 1.0), 1.0))
    image = _tensor(given)
    part = transform.make_params([image])
    pixels = _bytes(transform.transform(image, part))
    x0, y0 = float(part["left"]), float(part["top"])
    x1, y1 = x0 + float(part["width"]), y0 + float(part["height"])
    inside, share = clipped(given.boxes, (x0, y0, x1, y1))
    scale = np.array([width / (x1 - x0), height / (y1 - y0)] * 2, np.float32)
    boxes = (inside - np.array([x0, y0, x0, y0], np.float32)) * scale
    return _gathered(pixels, [(0, given, boxes, share)])


def against(pixels: Pixels, slope: Tensor, epsilon: float) -> Pixels:
    """Return a picture (H, W, 3) after a step of `epsilon` (0 to 255) against the sign of a slope (3, H, W)."""
    step = epsilon * slope.sign().permute(1, 2, 0).cpu().numpy()
    return (pixels.astype(np.float32) - step).round().clip(0, 255).astype(np.uint8)


def _tensor(given: Labelled) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(given.pixels)).permute(2, 0, 1)


def _batch(one: Labelled, other: Labelled) -> Tensor:
    return torch.stack([_tensor(one), _tensor(other)]).float()


def _bytes(image: Tensor) -> Pixels:
    return np.ascontiguousarray(image.float().round().clamp(0, 255).byte().permute(1, 2, 0).numpy())
