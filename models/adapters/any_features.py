"""Adapter for networks that output neither classes nor boxes but feature maps or embeddings, seen by channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.interpreted import Interpreted
from models.adapters.base.scored import Seen
from models.loading.heads import VALUES, Head
from models.runtime.forward_passes import through


class AnyFeaturesAdapter(Interpreted, Seen):
    """An opened network whose output channels are inspected; attributions explain a channel's mean."""

    serves: ClassVar[str] = "features"
    head: Head = Head(VALUES)
    first = False
    stages: ClassVar[Mapping[str, str]] = {
        "Detects": "{name} gives features: it finds no boxes.",
        "Classifies": "{name} gives features: it gives no classes.",
    }

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests, whose output is a map of four channels."""
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.ReLU(), nn.Conv2d(6, 4, 3, stride=4))

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to the mean of each output channel (N, C) over its positions."""
        found = self._found
        run = through(self.behaviour, found.runner(self.net))

        def scores(x: Tensor) -> Tensor:
            made = run(x)[found.part]
            made = made.float()
            return made.mean(1) if made.ndim == 3 else made.flatten(2).mean(2) if made.ndim == 4 else made

        return scores


ADAPTER = AnyFeaturesAdapter
