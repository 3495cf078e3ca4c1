"""Selective search: superpixels (Felzenszwalb and Huttenlocher 2004) merged by likeness (Uijlings et al. 2013).

OpenCV has it in its contrib packages only, and scikit-image only the superpixels.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import cv2
import numpy as np

from models.types import Float, Int, Pixels

SIDE_PX = 224  # larger pictures are segmented at this size
COLOUR_BINS, TEXTURE_BINS, DIRECTIONS = 25, 10, 8
PARTS = ("colour", "texture", "size", "fill")


@dataclass(frozen=True)
class Hierarchy:
    """R superpixels and what they merge into. Regions are numbered as they come about: superpixels first.

    `labels` (h, w) are the superpixels; `boxes` (2R - 1, 4) those of all regions in cells of `labels`; `merged`
    (R - 1, 2) the two regions that became region R + row, `likeness` (R - 1, 4) by colour, texture, size and fill.
    """

    labels: Int
    boxes: Float
    merged: Int
    likeness: Float

    @property
    def count(self) -> int:
        """The number of superpixels."""
        return len(self.boxes) - len(self.merged)

    @property
    def nbytes(self) -> int:
        """The size of all arrays in bytes."""
        return self.labels.nbytes + self.boxes.nbytes + self.merged.nbytes + self.likeness.nbytes

    def cut(self, left: int) -> Int:
        """Return the region (R,) that each superpixel belongs to while `left` regions are left."""
        region = np.arange(self.count)
        for row, (one, other) in enumerate(self.merged[: max(self.count - left, 0)].tolist()):
            region[(region == one) | (region == other)] = self.count + row
        return region

    def proposals(self) -> Int:
        """Return the regions in the order of proposals, the last merged first, without boxes that came before."""
        order = np.arange(len(self.boxes))[::-1]
        _, first = np.unique(self.boxes[order], axis=0, return_index=True)
        return order[np.sort(first)]


def search(pixels: Pixels, *, scale: float, sigma: float, smallest: int, parts: tuple[str, ...] = PARTS) -> Hierarchy:
    """Return the hierarchy of a picture (H, W, 3); `scale` is Felzenszwalb's k, `smallest` in pixels of the small one.

    `parts` are the likenesses that count. Boxes are in pixels of the picture, reduced to at most 224 px a side.
    """
    small = reduced(pixels)
    labels = superpixels(small, scale=scale, sigma=sigma, smallest=smallest)
    return merge(labels, small, parts)


def reduced(pixels: Pixels) -> Pixels:
    """Return a picture at the size at which it is segmented."""
    height, width = pixels.shape[:2]
    shrink = min(1.0, SIDE_PX / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def superpixels(pixels: Pixels, *, scale: float, sigma: float, smallest: int) -> Int:
    """Segment a picture (h, w, 3) by the graph of its pixels. Labels (h, w) from 0.

    Two components join along an edge no heavier than either one's inner difference plus `scale` over its size.
    """
    height, width = pixels.shape[:2]
    smooth = pixels.astype(np.float32)
    if sigma > 0:
        smooth = np.asarray(cv2.GaussianBlur(smooth, (0, 0), sigma), np.float32)
    weights, ends = _edges(smooth)
    order = np.argsort(weights, kind="stable")
    parent = list(range(height * width))
    size, inner = [1] * (height * width), [scale] * (height * width)

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(one: int, other: int) -> int:
        one, other = (one, other) if size[one] >= size[other] else (other, one)
        parent[other] = one
        size[one] += size[other]
        return one

    pairs, heavy = ends[order].tolist(), weights[order].tolist()
    for (a, b), weight in zip(pairs, heavy, strict=True):
        one, other = root(a), root(b)
        if one != other and weight <= inner[one] and weight <= inner[other]:
            kept = join(one, other)
            inner[kept] = weight + scale / size[kept]
    for a, b in pairs:
        one, other = root(a), root(b)
        if one != other and min(size[one], size[other]) < smallest:
            join(one, other)
    roots = np.array([root(node) for node in range(height * width)])
    return np.unique(roots, return_inverse=True)[1].reshape(height, width).astype(np.int64)


def _edges(smooth: Float) -> tuple[Float, Int]:
    """Return weights (E,) and the two pixels (E, 2) of the edges to the right, below and on both diagonals."""
    height, width = smooth.shape[:2]
    number = np.arange(height * width).reshape(height, width)
    weights, ends = [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, height - dy), slice(max(-dx, 0), width - max(dx, 0)))
        there = (slice(dy, height), slice(max(dx, 0), width - max(-dx, 0)))
        weights.append(np.sqrt(((smooth[here] - smooth[there]) ** 2).sum(2)).ravel())
        ends.append(np.stack([number[here].ravel(), number[there].ravel()], 1))
    return np.concatenate(weights).astype(np.float32), np.concatenate(ends)


def merge(labels: Int, pixels: Pixels, parts: tuple[str, ...] = PARTS) -> Hierarchy:
    """Merge superpixels (h, w), the most alike neighbours first, until one region is left."""
    count, total = int(labels.max()) + 1, labels.size
    size = list(np.bincount(labels.ravel(), minlength=count).astype(float))
    boxes = _boxes(labels, count)
    colour, texture = (list(of) for of in (_colours(labels, pixels, count), _textures(labels, pixels, count)))
    near: list[set[int]] = [set() for _ in range(count)]
    for one, other in _neighbours(labels):
        near[one].add(other)
        near[other].add(one)

    def likeness(a: int, b: int) -> tuple[float, ...]:
        whole = _around(boxes[a], boxes[b])
        empty = (whole[2] - whole[0]) * (whole[3] - whole[1]) - size[a] - size[b]
        found = {
            "colour": float(np.minimum(colour[a], colour[b]).sum()),
            "texture": float(np.minimum(texture[a], texture[b]).sum()),
            "size": 1 - (size[a] + size[b]) / total,
            "fill": 1 - empty / total,
        }
        return tuple(found[part] if part in parts else 0.0 for part in PARTS)

    queue = [(-sum(s := likeness(a, b)), a, b, s) for a in range(count) for b in near[a] if a < b]
    heapq.heapify(queue)
    alive, merged, likenesses = [True] * count, [], []
    while queue:
        _, a, b, alike = heapq.heappop(queue)
        if not (alive[a] and alive[b]):
            continue
        alive[a] = alive[b] = False
        new, both = len(boxes), size[a] + size[b]
        boxes.append(_around(boxes[a], boxes[b]))
        colour.append((size[a] * colour[a] + size[b] * colour[b]) / both)
        texture.append((size[a] * texture[a] + size[b] * texture[b]) / both)
        size.append(both)
        alive.append(True)
        near.append({n for n in near[a] | near[b] if alive[n]})
        for n in near[new]:
            near[n].add(new)
            s = likeness(n, new)
            heapq.heappush(queue, (-sum(s), n, new, s))
        merged.append((a, b))
        likenesses.append(alike)
    return Hierarchy(
        labels,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(merged, np.int64).reshape(-1, 2),
        np.array(likenesses, np.float32).reshape(-1, 4),
    )


def recall(boxes: Float, truth: Float, counts: Int, *, least: float = 0.5) -> Float:
    """Return the share of objects (M, 4) that one of the first boxes reaches at an IoU of `least`, by their count."""
    from models.detection.iou import iou

    if not len(truth):
        return np.zeros(len(counts), np.float32)
    first = np.full(len(truth), np.inf)
    for row, object_ in enumerate(truth):
        reached = np.flatnonzero(iou(boxes, object_[None]) >= least) if len(boxes) else np.zeros(0, int)
        first[row] = reached[0] if len(reached) else np.inf
    return (first[None] < np.asarray(counts)[:, None]).mean(1).astype(np.float32)


def _boxes(labels: Int, count: int) -> list[tuple[float, ...]]:
    y, x = np.indices(labels.shape)
    ends = []
    for values, start in ((x, 1 << 30), (y, 1 << 30)):
        low, high = np.full(count, start), np.full(count, -1)
        np.minimum.at(low, labels.ravel(), values.ravel())
        np.maximum.at(high, labels.ravel(), values.ravel())
        ends.append((low, high + 1))
    (x0, x1), (y0, y1) = ends
    return [tuple(float(v) for v in row) for row in np.stack([x0, y0, x1, y1], 1)]


def _colours(labels: Int, pixels: Pixels, count: int) -> Float:
    """Return the colour histograms (R, 75) in HSV, each summing to 1."""
    hsv = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV_FULL))
    return _histograms(labels, (hsv / 256).astype(np.float32), COLOUR_BINS, count)


def _textures(labels: Int, pixels: Pixels, count: int) -> Float:
    """Return histograms (R, 240) of the gradient in eight directions of each channel, each summing to 1."""
    grey = pixels.astype(np.float32) / 255
    down, across = (np.asarray(cv2.Sobel(grey, cv2.CV_32F, dx, dy, ksize=3)) / 4 for dx, dy in ((0, 1), (1, 0)))
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    along = [np.maximum(np.cos(a) * across + np.sin(a) * down, 0) for a in angles]
    return _histograms(labels, np.concatenate(along, 2).clip(0, 0.999).astype(np.float32), TEXTURE_BINS, count)


def _histograms(labels: Int, planes: Float, bins: int, count: int) -> Float:
    depth, found = planes.shape[2], []
    for plane in np.moveaxis(planes, 2, 0):
        at = labels.ravel() * bins + (plane.ravel() * bins).astype(np.int64)
        found.append(np.bincount(at, minlength=count * bins).reshape(count, bins))
    whole = np.concatenate(found, 1).astype(np.float32)
    return whole / np.maximum(whole.sum(1, keepdims=True), 1) if depth else whole


def _neighbours(labels: Int) -> list[tuple[int, int]]:
    pairs = [
        np.stack([a.ravel(), b.ravel()], 1) for a, b in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1]))
    ]
    both = np.sort(np.concatenate(pairs), 1)
    return [(int(a), int(b)) for a, b in np.unique(both[both[:, 0] != both[:, 1]], axis=0)]


def _around(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    return (min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3]))
