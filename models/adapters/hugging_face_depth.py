"""Adapter for Hugging Face's depth networks (Depth Anything, DPT, GLPN): a distance for each pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adapters.base.hugging_face import named, prepared, settled
from models.cards.card import Card
from models.loading.heads import VALUES, Head
from models.runtime.forward_passes import INNOCENT, Behaviour, through
from models.subject import Rect, Subject
from models.types import Float, Pixels, Refusal

MOST_PIXELS = 1 << 24  # of a map at the picture's own size
METRIC = ("glpn", "zoedepth")  # families that tell metres
NEARER_SMALLER, NEARER_LARGER = "metres", "nearness"


class HuggingFaceDepth:
    """An opened depth network: stages preprocess, depth."""

    stages: ClassVar[Mapping[str, str]] = {
        "Detects": "{name} measures depth: it finds no boxes.",
        "Classifies": "{name} measures depth: it gives no classes.",
    }
    head = Head(VALUES)
    behaviour: Behaviour = INNOCENT

    def __init__(self, net: nn.Module, card: Card, preprocess: Any = None) -> None:
        self.card = card
        self.preprocess = prepared(card, preprocess)
        self.net: Any = settled(net, self.preprocess)

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return next(self.net.parameters()).device

    @property
    def depth_kind(self) -> str:
        """What the values are: "metres", or "nearness" without a unit, which is larger for what is nearer."""
        config = self.net.config
        metric = getattr(config, "depth_estimation_type", "") == "metric" or config.model_type in METRIC
        return NEARER_SMALLER if metric else NEARER_LARGER

    def depth(self, pixels: Pixels, stages: Any) -> Float:
        """Return the values (H, W) for the picture's pixels, interpolated as the library's post-processing does.

        For a very large picture they are those of the network's own map (h, w).
        """
        height, width = pixels.shape[:2]

        def make() -> Tensor:
            with torch.inference_mode(False), torch.no_grad():
                return self._map(self.preprocess.input(pixels, self.device))

        coarse = stages.run("depth", make)
        if height * width > MOST_PIXELS:
            return coarse[0].float().cpu().numpy()
        fine = functional.interpolate(coarse[:, None].float(), (height, width), mode="bicubic", align_corners=False)
        return fine[0, 0].cpu().numpy()

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: the mean value over the picture, or over a `region` of it."""

        def make() -> Subject:
            height, width = pixels.shape[:2]
            with torch.inference_mode(False):
                return Subject(
                    net=self.net,
                    input=self.preprocess.input(pixels, self.device),
                    scores=lambda x: _mean(run(x), region, (width, height)),
                    classes=(self.depth_kind,),
                    extent=self.preprocess.extent(width, height),
                    black=self.preprocess.black(self.device),
                    link="none",
                    key=region or (),
                    about="the rectangle" if region else "",
                    label=0,
                    **self.behaviour.about,
                )

        run = through(self.behaviour, self._map)
        return stages.run("subject", make, region or ())

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return named(net).endswith("ForDepthEstimation")

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        from transformers import GLPNConfig, GLPNForDepthEstimation

        torch.manual_seed(0)
        sizes: dict[str, Any] = {
            "hidden_sizes": [8, 8, 16, 16],
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 1, 2, 2],
            "mlp_ratios": [2, 2, 2, 2],
            "decoder_hidden_size": 8,
        }
        return GLPNForDepthEstimation._from_config(GLPNConfig(**sizes), attn_implementation="eager")

    def _map(self, x: Tensor) -> Tensor:
        """Return the network's own map (N, h, w)."""
        return self.net(pixel_values=x).predicted_depth


def _mean(maps: Tensor, region: Rect | None, size: tuple[int, int]) -> Tensor:
    """Return the mean (N, 1) of maps (N, h, w) over a region in pixels of a picture of `size` (width, height)."""
    if region is not None:
        rows, columns = maps.shape[-2:]
        x0, x1 = (round(x / size[0] * columns) for x in region[::2])
        y0, y1 = (round(y / size[1] * rows) for y in region[1::2])
        maps = maps[:, max(y0, 0) : max(y1, y0 + 1, 0), max(x0, 0) : max(x1, x0 + 1, 0)]
        if not maps.numel():
            raise Refusal("The rectangle lies outside the picture.", advice="Draw it on the picture.")
    return maps.mean((1, 2))[:, None]


ADAPTER = HuggingFaceDepth
