"""Adapter for Hugging Face's interest points (SuperPoint): places of a picture that are found again in another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from models.adapters.base.hugging_face import named, prepared, settled
from models.adapters.base.scored import Seen
from models.cards.card import Card
from models.loading.heads import VALUES, Head
from models.runtime.forward_passes import through
from models.types import Float, Pixels


class HuggingFaceInterestPoints(Seen):
    """An opened SuperPoint: stages preprocess, points. Attributions explain the height of the highest point."""

    stages: ClassVar[Mapping[str, str]] = {
        "Detects": "{name} finds interest points: it finds no boxes.",
        "Classifies": "{name} finds interest points: it gives no classes.",
    }
    head: Head = Head(VALUES)
    landmark_names: tuple[str, ...] = ()  # every picture has others

    def __init__(self, net: nn.Module, card: Card, preprocess: Any = None) -> None:
        self.card = card
        self.preprocess = prepared(card, preprocess)
        self.net: Any = settled(net, self.preprocess)

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return named(net) == "SuperPointForKeypointDetection"

    @staticmethod
    def class_names(net: Any) -> tuple[str, ...]:
        """Return the name of what attributions explain."""
        return ("interest point",)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        from transformers import SuperPointConfig, SuperPointForKeypointDetection

        torch.manual_seed(0)
        sizes: dict[str, Any] = {"encoder_hidden_sizes": [8, 8, 8, 8], "decoder_hidden_size": 16}
        config = SuperPointConfig(keypoint_decoder_dim=65, descriptor_decoder_dim=16, max_keypoints=20, **sizes)
        return SuperPointForKeypointDetection(config)

    def landmarks(self, pixels: Pixels, stages: Any) -> tuple[Float, Float | None]:
        """Return the points (P, 3) of a picture, x and y in whole pixels as in the library, and score; no heat maps."""
        height, width = pixels.shape[:2]

        def make() -> Tensor:
            with torch.inference_mode(False), torch.no_grad():
                made = self.net(pixel_values=self.preprocess.input(pixels, self.device))
            return torch.cat([made.keypoints[0], made.scores[0][:, None]], 1)[made.mask[0] > 0]

        found = stages.run("points", make).float().cpu()
        x0, y0, x1, y1 = self.preprocess.extent(width, height)
        places = found[:, :2] * torch.tensor([x1 - x0, y1 - y0]) + torch.tensor([x0, y0])
        return np.concatenate([places.to(torch.int32).numpy(), found[:, 2:].numpy()], 1).astype(np.float32), None

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to the height of the highest point (N, 1)."""

        def scores(x: Tensor) -> Tensor:
            decoder = self.net.keypoint_decoder
            seen = self.net.encoder(self.net.extract_one_channel_pixel_values(x), return_dict=True)[0]
            return decoder._get_pixel_scores(seen).flatten(1).amax(1, keepdim=True)

        return through(self.behaviour, scores)


ADAPTER = HuggingFaceInterestPoints
