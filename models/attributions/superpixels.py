"""Superpixels of the network's input picture, and inputs with some of them hidden.

SLIC (Achanta et al. 2012) in about forty lines on top of OpenCV; each pixel chooses among the nine nearest cluster
centres of the initial grid. scikit-image has it too, but would add six packages to every installation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from models.attributions.perturbation import baseline_param
from models.attributions.target import TargetParams
from models.params import param
from models.subject import Subject
from models.types import Bool, Float, Int, Pixels

COMPACTNESS = 10.0  # distance in Lab that weighs as much as the spacing of the clusters
TURNS = 10
SIDE_PX = 256  # larger inputs are segmented at this size


@dataclass(frozen=True)
class PartParams(TargetParams):
    """A target, and the number of parts of the picture."""

    segments: int = param(50, "Superpixels", "Into about how many parts the picture is cut.", low=2, high=1000, step=1)
    baseline: str = baseline_param()


@dataclass(frozen=True)
class Parts:
    """The segmentation of an input: `labels` (h, w), 0 to `count` - 1."""

    labels: Int
    count: int

    def paint(self, values: Float) -> Float:
        """Return a map (h, w) with each part's value (M,) at its pixels."""
        return values.astype(np.float32)[self.labels]

    def spans(self, rows: Int) -> tuple[Int, Int, Int, Int]:
        """Return the bounding boxes y0, y1, x0, x1 (n,) of some parts."""
        found = []
        for axis in (1, 0):
            there = np.stack([(self.labels == row).any(axis) for row in rows])
            found += [there.argmax(1), there.shape[1] - there[:, ::-1].argmax(1)]
        y0, y1, x0, x1 = found
        return y0, y1, x0, x1

    def inputs(self, subject: Subject, filling: Tensor, shown: Bool) -> Tensor:
        """Return the inputs (n, 3, h, w) in which only the parts marked in `shown` (n, M) are visible."""
        device = subject.input.device
        seen = torch.from_numpy(shown).to(device)[:, torch.from_numpy(self.labels).to(device)]
        return torch.where(seen[:, None], subject.input, filling)


def parts_of(subject: Subject, pixels: Pixels, count: int, stages: Any) -> Parts:
    """Return about `count` superpixels of the part of the picture that the subject sees."""

    def make() -> Parts:
        labels = superpixels(seen(subject, pixels), count)
        return Parts(labels, int(labels.max()) + 1)

    return stages.run("superpixels", make, subject.key, count)


def seen(subject: Subject, pixels: Pixels) -> Pixels:
    """Return the picture as the network sees it, at input size, before normalisation.

    Edge pixels are repeated outside.
    """
    x0, y0, x1, y1 = (round(v) for v in subject.extent)
    height, width = pixels.shape[:2]
    rows = np.arange(y0, max(y1, y0 + 1)).clip(0, height - 1)
    columns = np.arange(x0, max(x1, x0 + 1)).clip(0, width - 1)
    resized = cv2.resize(pixels[rows][:, columns], subject.size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def superpixels(picture: Pixels, count: int) -> Int:
    """Segment a picture (H, W, 3) uint8 RGB into about `count` connected parts of similar colour.

    Labels (H, W) from 0.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE_PX / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrunk = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(shrunk, cv2.COLOR_RGB2LAB)).astype(np.float32)
    cut = _connected(_clusters(lab, count))
    labels: Any = cv2.resize(cut.astype(np.int32), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.unique(labels, return_inverse=True)[1].reshape(height, width).astype(np.int64)


def _clusters(lab: Float, count: int) -> Int:
    """Return the cluster (h, w) of each pixel."""
    h, w = lab.shape[:2]
    rows = min(h, max(1, round((count * h / w) ** 0.5)))
    columns = min(w, max(1, round(count / rows)))
    y, x = np.mgrid[:h, :w]
    cell_y, cell_x = y * rows // h, x * columns // w
    nearness = COMPACTNESS / (h * w / (rows * columns)) ** 0.5
    features = np.dstack([lab, nearness * y, nearness * x]).astype(np.float32)
    labels = cell_y * columns + cell_x
    for _ in range(TURNS):
        sizes = np.bincount(labels.ravel(), minlength=rows * columns)
        sums = [np.bincount(labels.ravel(), plane.ravel(), rows * columns) for plane in np.moveaxis(features, 2, 0)]
        # A cluster without pixels gets an infinite centre, so that no pixel chooses it again.
        centres = np.where(sizes, np.array(sums) / np.maximum(sizes, 1), np.inf).T.astype(np.float32)
        least = np.full((h, w), np.inf, np.float32)
        chosen = labels.copy()
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                near = (cell_y + dy).clip(0, rows - 1) * columns + (cell_x + dx).clip(0, columns - 1)
                far = ((features - centres[near]) ** 2).sum(2)
                closer = far < least
                least[closer], chosen[closer] = far[closer], near[closer]
        labels = chosen
    return labels


def _connected(labels: Int) -> Int:
    """Merge each piece that is cut off from the largest piece of its cluster into a neighbour."""
    whole = np.full(labels.shape, -1, np.int64)
    for label in np.unique(labels):
        _, pieces, stats, _ = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8), connectivity=4)
        whole[pieces == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()] = label
    while (whole < 0).any():
        padded = np.pad(whole, 1, constant_values=-1)
        for near in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
            whole = np.where(whole < 0, near, whole)
    return whole
