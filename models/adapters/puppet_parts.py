"""Adapter for the bundled network of puppets: boxes with masks, classes of pixels, and parts with charts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adapters.base.known_rows import KnownRows
from models.adapters.base.yolo_layout import yolo_layout
from models.bundled.puppet_parts import CLASSES, MEAN, PARTS, PROTOTYPES, SEMANTIC, SIZE_PX, STD, STUFF, PuppetsParts
from models.bundled.yolo import STRIDES
from models.cards.card import Card
from models.detection.charts import Charts
from models.loading.preprocess import Preprocess
from models.runtime.forward_passes import through
from models.types import Float, Pixels

OWN = Preprocess(resize=min(SIZE_PX), crop=SIZE_PX, mean=MEAN, std=STD, fit="pad")
# The class of a box is the first of pixels too.
ORDER = (*range(len(STUFF), len(SEMANTIC)), *range(len(STUFF)))


class PuppetPartsAdapter(KnownRows):
    """An opened network of rows and maps: stages network, maps, decode."""

    classes: ClassVar[tuple[str, ...]] = CLASSES
    pixel_classes: ClassVar[tuple[str, ...]] = tuple(SEMANTIC[row] for row in ORDER)
    stuff: ClassVar[tuple[str, ...]] = STUFF
    part_names: ClassVar[tuple[str, ...]] = PARTS

    def __init__(self, net: PuppetsParts, card: Card) -> None:
        given = card.about.get("preprocessing")
        preprocess = Preprocess.of(given) if given and "fit" in given else OWN
        how = yolo_layout(net.classes, preprocess.size, strides=STRIDES, prototypes=PROTOTYPES, raw=net.raw)
        super().__init__(net, replace(card, classes=card.classes or CLASSES), how, preprocess)

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, PuppetsParts)

    @staticmethod
    def class_names(net: nn.Module) -> tuple[str, ...]:
        """Return the class of boxes of a network that no card names."""
        return CLASSES

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        net = PuppetsParts(width=8, depth=1)
        with torch.no_grad():
            for head in net.heads:
                head.bias[4] = 0.0  # pyright: ignore[reportIndexIssue] - so that something is found without training
        return net

    def class_maps(self, pixels: Pixels, stages: Any) -> Float:
        """Return the scores (C, h, w) of `pixel_classes`, interpolated to the pixels of the network's input."""
        made = self._maps(pixels, stages)["semantic"][:, ORDER]
        return _full(made)[0].cpu().numpy()

    def charts(self, pixels: Pixels, stages: Any) -> Charts:
        """Return parts and charts for the pixels of the network's input.

        The logits of parts are interpolated, and so are u and v; each part has channels of its own, so that the charts
        of neighbouring parts do not mix.
        """
        made = self._maps(pixels, stages)

        def make() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            logits = _full(made["parts"])[0]
            best = logits.softmax(0).max(0)
            own = (best.indices - 1).clamp_min(0)
            every = _full(made["chart"])[0].unflatten(0, (len(PARTS), 2))
            chosen = every.gather(0, own[None, None].expand(1, 2, -1, -1))[0]
            return best.indices.cpu().numpy(), best.values.cpu().numpy(), chosen.cpu().numpy()

        part, sure, chart = stages.time("charts", make)
        return Charts(part, sure, chart, self.preprocess.extent(pixels.shape[1], pixels.shape[0]))

    def _maps(self, pixels: Pixels, stages: Any) -> dict[str, Tensor]:
        """Return the maps of the network at half the size of its input."""

        def make() -> dict[str, Tensor]:
            with torch.inference_mode(False), torch.no_grad():
                made = through(self.behaviour, self.net)(self.preprocess.input(pixels, self.device))
            return {name: made[name].float() for name in ("semantic", "parts", "chart")}

        return stages.run("maps", make)


def _full(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)


ADAPTER = PuppetPartsAdapter
