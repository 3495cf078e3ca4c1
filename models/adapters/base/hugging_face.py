"""What the adapters of Hugging Face's networks share: which networks are theirs, and how pictures are prepared."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.cards.card import Card
from models.hugging_face import configuration
from models.loading.preprocess import Preprocess

TINY = Preprocess(resize=64, crop=64, fit="stretch")  # of the miniatures on which the contract tests run
ANY_SIZE_PX = 224  # of the first pass, for networks that take pictures of any size


def named(net: nn.Module) -> str:
    """Return the name of a network's class if it is one of `transformers`, else ""."""
    kind = type(net)
    return kind.__name__ if kind.__module__.startswith("transformers.models.") else ""


def class_names(net: Any) -> tuple[str, ...]:
    """Return the names that a network's configuration gives its classes."""
    return configuration.classes(net.config, int(getattr(net.config, "num_labels", 0) or 0))


def settled(net: Any, preprocess: Any) -> Any:
    """Return a network in evaluation mode that has made one pass over a black picture, which no later pass changes.

    In its first pass such a network installs hooks, with which it collects its layers' outputs for its own heads.
    """
    net = net.eval()
    device = next(net.parameters()).device
    with torch.inference_mode(False), torch.no_grad():
        if isinstance(preprocess, Preprocess):
            inputs = preprocess.input(np.zeros((*preprocess.size, 3), np.uint8), device)
        else:
            inputs = torch.zeros(1, 3, ANY_SIZE_PX, ANY_SIZE_PX, device=device)
        net(pixel_values=inputs)
    return net


def prepared(card: Card, given: Any) -> Any:
    """Return the preparation of pictures: the card's, else the `given` one of the folder's processor."""
    own = card.about.get("preprocessing")
    return Preprocess.of(own) if own else given or TINY


def inside(preprocess: Any, width: int, height: int) -> tuple[int, int]:
    """Return the height and width of what is not padding, in the input for a picture of this size."""
    return preprocess.inside(width, height) if hasattr(preprocess, "inside") else preprocess.size


def corners(boxes: Tensor) -> Tensor:
    """Return boxes (..., 4) given by centre, width and height as x0, y0, x1, y1."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)
