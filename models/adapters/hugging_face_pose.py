"""Adapter for Hugging Face's pose networks (ViTPose): a heat map for each point of the figure in a box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from models.adapters.base.hugging_face import named, prepared
from models.adapters.base.scored import Seen
from models.cards.card import Card
from models.hugging_face import configuration, pose
from models.hugging_face.pose import PoseCrop
from models.loading.heads import VALUES, Head
from models.runtime.forward_passes import through
from models.subject import Rect
from models.types import Float, Pixels


class HuggingFacePose(Seen):
    """An opened pose network: stages preprocess, heat maps. Attributions explain the height of a point's heat map."""

    stages: ClassVar[Mapping[str, str]] = {
        "Detects": "{name} finds the points of one figure: it finds no boxes.",
        "Classifies": "{name} finds points of a figure: it gives no classes.",
    }
    head: Head = Head(VALUES)

    def __init__(self, net: nn.Module, card: Card, preprocess: Any = None) -> None:
        self.card = card
        self.preprocess = prepared(card, preprocess)
        self.net: Any = net.eval()
        with torch.inference_mode(False), torch.no_grad():  # in its first pass it installs hooks for its own heads
            self._maps(torch.zeros(1, 3, *self._size, device=self.device))

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return named(net).endswith("ForPoseEstimation")

    @staticmethod
    def class_names(net: Any) -> tuple[str, ...]:
        """Return the names of the points: the configuration's, COCO's for 17, else numbers."""
        return configuration.points(net.config)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

        torch.manual_seed(0)
        sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}
        sizes |= {"image_size": [64, 64], "patch_size": [16, 16], "out_features": ["stage2"]}
        labels: dict[str, Any] = {"num_labels": 4}
        config = VitPoseConfig(backbone_config=VitPoseBackboneConfig(**sizes), **labels)
        return VitPoseForPoseEstimation._from_config(config, attn_implementation="eager")

    @property
    def in_regions(self) -> bool:
        """Whether it can be asked about the figure in a region."""
        return isinstance(self.preprocess, PoseCrop)

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """The names of the P points, in order."""
        return self.card.classes

    def landmarks(self, pixels: Pixels, stages: Any, *, region: Rect | None = None) -> tuple[Float, Float | None]:
        """Return the points (P, 3) of the figure in a region, x and y in pixels and score, and heat maps (P, h, w)."""
        height, width = pixels.shape[:2]
        way: Any = self.preprocess
        own: dict[str, Any] = {"region": region} if isinstance(way, PoseCrop) else {}

        def make() -> Tensor:
            with torch.inference_mode(False), torch.no_grad():
                return self._maps(way.input(pixels, self.device, **own))

        maps = stages.run("heat maps", make, region or ())
        if isinstance(way, PoseCrop):
            centre, sides = way.crop(region or (0.0, 0.0, float(width), float(height)))
            found = pose.decoded(way.processor, maps, centre, sides)
        else:
            x0, y0, x1, y1 = way.extent(width, height)
            centre, sides = (np.array(v, np.float32) for v in (((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0, y1 - y0)))
            found = pose.decoded(pose.usual(), maps, centre, sides)
        return found, maps[0].float().cpu().numpy()

    def landmarks_extent(self, width: int, height: int, region: Rect | None) -> Rect:
        """Return where the heat maps lie in a picture of this size, x0 y0 x1 y1."""
        own: Any = self.preprocess
        return own.extent(width, height, region) if isinstance(own, PoseCrop) else own.extent(width, height)

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to the height of each point's heat map (N, P)."""
        run = through(self.behaviour, self._maps)
        return lambda x: run(x).flatten(2).amax(2)

    @property
    def _size(self) -> tuple[int, int]:
        height, width = self.net.config.backbone_config.image_size
        return int(height), int(width)

    def _maps(self, x: Tensor) -> Tensor:
        """Return the heat maps (N, P, h, w); a mixture of experts is asked as on its first data set."""
        several = int(getattr(self.net.config.backbone_config, "num_experts", 1) or 1) > 1
        more = {"dataset_index": torch.zeros(len(x), dtype=torch.long, device=x.device)} if several else {}
        return self.net(pixel_values=x, **more).heatmaps


ADAPTER = HuggingFacePose
