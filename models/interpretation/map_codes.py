"""How maps stand for classes of pixels or for one number of each pixel; each code also tells what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.interpretation.finds import Finds, name_of
from models.quantity import in_digits

SOFTMAX, SIGMOID, PROBABILITIES, INDEPENDENT, LABELS = "softmax", "sigmoid", "probabilities", "independent", "labels"
LEAST = 1e-12
MOST_TOLD = 3


def as_maps(tensor: Tensor, *, channels_last: bool = False) -> Tensor:
    """Return an output as maps (N, C, h, w): (N, C, h, w), (N, h, w), (h, w) or, with `channels_last`, (N, h, w, C)."""
    tensor = tensor[None] if tensor.ndim == 2 else tensor
    if tensor.ndim == 3:
        return tensor[:, None]
    return tensor.permute(0, 3, 1, 2) if channels_last else tensor


@dataclass(frozen=True)
class SegmentCode:
    """Maps of output `part` as classes of pixels: `form` is what the numbers are.

    With one map, or labels that stand by themselves, a class of no label comes first.
    """

    part: int
    form: str
    channels_last: bool = False
    classes: int = 0

    @property
    def rest(self) -> bool:
        """Whether the first class is that of none of the maps."""
        return self.form in (SIGMOID, INDEPENDENT)

    def scores(self, floats: Sequence[Tensor]) -> Tensor:
        """Return scores before a softmax (N, C, h, w) of a network's outputs, in their own cells."""
        maps = as_maps(floats[self.part], channels_last=self.channels_last)
        match self.form:
            case "labels":
                hot = functional.one_hot(maps[:, 0].round().long().clamp(0, self.classes - 1), self.classes)
                return (hot.permute(0, 3, 1, 2).float() + LEAST).log()
            case "probabilities":
                return maps.clamp_min(LEAST).log()
            case "independent" | "sigmoid":
                logits = maps if self.form == SIGMOID else torch.logit(maps, eps=1e-6)
                if logits.shape[1] == 1:
                    return torch.cat([torch.zeros_like(logits), logits], 1)
                chances = logits.sigmoid()
                none = 1 - chances.amax(1, keepdim=True)
                return torch.cat([none, chances], 1).clamp_min(LEAST).log()
        return maps

    def finds(self, floats: Sequence[Tensor], x: Tensor, **more: Any) -> Finds:
        """Return the class of each cell, and the classes with the largest shares."""
        labels = self.scores(floats)[0].argmax(0)
        count = labels.flatten().bincount().float()
        best = count.topk(min(MOST_TOLD, len(count)))
        pairs = [(int(label), float(n) / labels.numel()) for n, label in zip(best.values, best.indices, strict=True)]
        shares = ", ".join(f"{name_of(more['classes'], label)} {share:.0%}" for label, share in pairs if share > 0)
        kind = torch.uint8 if len(count) <= 256 else torch.int16
        return Finds(shares, "labels", {"labels": labels.to(kind).numpy()})


@dataclass(frozen=True)
class DepthCode:
    """The map of output `part` as one number for each pixel, such as depth, in no unit that the file tells."""

    part: int
    channels_last: bool = False

    def values(self, floats: Sequence[Tensor]) -> Tensor:
        """Return the numbers (N, 1, h, w) of a network's outputs."""
        return as_maps(floats[self.part], channels_last=self.channels_last)[:, :1]

    def finds(self, floats: Sequence[Tensor], x: Tensor, **more: Any) -> Finds:
        """Return the map and its range."""
        values = self.values(floats)[0, 0]
        text = f"from {in_digits(float(values.min()))} to {in_digits(float(values.max()))}"
        return Finds(text, "map", {"map": values.float().numpy()})
