"""What segmentation networks share: a score for each class on a coarse grid, interpolated to the network's input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.cards.card import BACKGROUND, Card
from models.loading.preprocess import Preprocess
from models.subject import Rect, Subject
from models.types import Float, Pixels, Refusal


class ClassMaps:
    """An opened segmentation network: stages preprocess, scores. A subclass gives the coarse scores.

    `body` is the path prefix of the layers that are maps of the picture.
    """

    stages: Mapping[str, str] = {}
    net: Any
    card: Card
    preprocess: Preprocess
    body = ""

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return next(self.net.parameters()).device

    def class_maps(self, pixels: Pixels, stages: Any) -> Float:
        """Return the scores (C, h, w) before the softmax, for the pixels of the network's input.

        The network computes them at a fraction of that size; they are interpolated as in its own forward pass.
        """
        image, coarse = self._seen(pixels, stages)

        def make() -> Tensor:
            with torch.inference_mode(False), torch.no_grad():
                return _blended(coarse, image)

        return stages.time("blend", make)[0].cpu().numpy()

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: each class's mean score over the pixels labelled with it.

        A class without pixels is averaged over the whole image; with a `region`, all classes are averaged over that.
        The pixels stay fixed while the input is changed. Raises Refusal for a region outside the image.
        """
        image, coarse = self._seen(pixels, stages)
        height, width = pixels.shape[:2]

        def make() -> Subject:
            with torch.inference_mode(False), torch.enable_grad():
                masks, label = _masks(coarse, image, region, (width, height), self.card.classes)
                shares = _shares(coarse, image, masks)

                def scores(x: Tensor) -> Tensor:
                    return torch.einsum("nchw,chw->nc", self._coarse(x), shares)

                return Subject(
                    net=self.net,
                    input=image,
                    scores=scores,
                    classes=self.card.classes,
                    extent=self.preprocess.extent(width, height),
                    black=self.preprocess.black(self.device),
                    key=region or (),
                    body=self.body,
                    about="the rectangle" if region else "",
                    label=label,
                )

        return stages.run("subject", make, region or ())

    def _seen(self, pixels: Pixels, stages: Any) -> tuple[Tensor, Tensor]:
        """Return the network's input (1, 3, h, w) and its scores (1, C, h', w') before interpolation."""

        def image() -> Tensor:
            with torch.inference_mode(False):
                return self.preprocess.input(pixels, self.device)

        seen = stages.run("preprocess", image)

        def make() -> Tensor:
            with torch.inference_mode(False), torch.no_grad():
                return self._coarse(seen)

        return seen, stages.run("scores", make)

    def _coarse(self, x: Tensor) -> Tensor:
        """Return the scores (N, C, h', w') for inputs (N, 3, h, w), at the network's own coarse resolution."""
        raise NotImplementedError


def _blended(coarse: Tensor, image: Tensor) -> Tensor:
    return functional.interpolate(coarse, size=image.shape[-2:], mode="bilinear", align_corners=False)


def _masks(
    coarse: Tensor, image: Tensor, region: Rect | None, size: tuple[int, int], classes: tuple[str, ...]
) -> tuple[Tensor, int]:
    """Return each class's pixels (C, h, w) of the input, and the foreground class with most pixels, -1 for none."""
    count, (rows, columns) = coarse.shape[1], image.shape[-2:]
    if region is not None:
        x0, x1 = (round(x / size[0] * columns) for x in region[::2])
        y0, y1 = (round(y / size[1] * rows) for y in region[1::2])
        mask = torch.zeros(rows, columns, device=image.device)
        mask[max(y0, 0) : max(y1, y0 + 1, 0), max(x0, 0) : max(x1, x0 + 1, 0)] = 1.0
        if not mask.any():
            raise Refusal("The rectangle lies outside the picture.", advice="Draw it on the picture.")
        return mask.expand(count, -1, -1), -1
    labels = _blended(coarse, image).argmax(1)[0]
    masks = functional.one_hot(labels, count).permute(2, 0, 1).float()
    pixels = masks.sum((1, 2)).cpu().numpy()
    masks[torch.from_numpy(pixels == 0).to(masks.device)] = 1.0
    own = np.array([i for i, name in enumerate(classes) if i < count and (i or name not in BACKGROUND)])
    best = int(own[pixels[own].argmax()]) if len(own) and pixels[own].any() else -1
    return masks, best


def _shares(coarse: Tensor, image: Tensor, masks: Tensor) -> Tensor:
    """Return the weight of each coarse score (C, h', w') in the mean of the interpolated scores over `masks` (C, h, w).

    Interpolation is linear, so the weights are its adjoint applied to the masks, computed here as a gradient.
    """
    free = torch.zeros_like(coarse, requires_grad=True)
    means = (_blended(free, image)[0] * masks).sum((1, 2)) / masks.sum((1, 2))
    (shares,) = torch.autograd.grad(means.sum(), free)
    return shares[0].detach()
