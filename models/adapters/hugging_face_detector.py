"""Adapter for Hugging Face's detectors: DETR, Conditional, Deformable and DAB-DETR, RT-DETR, YOLOS, D-FINE, ..."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.adapters.base.hugging_face import class_names, named
from models.adapters.base.queries import QueryRows, Scoring
from models.cards.card import Card
from models.types import Pixels

# By kind of configuration, as each family's own post-processing reads its scores.
SCORINGS = {
    **dict.fromkeys(("detr", "yolos", "table-transformer"), Scoring(softmax=True)),
    **dict.fromkeys(("conditional_detr", "deformable_detr", "dab-detr", "lw_detr"), Scoring(best=100)),
    **dict.fromkeys(("rt_detr", "rt_detr_v2", "d_fine", "deimv2", "rf_detr"), Scoring()),
}


class HuggingFaceDetector(QueryRows):
    """An opened detector of `transformers`."""

    def __init__(self, net: nn.Module, card: Card, preprocess: Any = None) -> None:
        super().__init__(net, card, preprocess)
        self.scoring = SCORINGS[self.net.config.model_type]

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return named(net).endswith("ForObjectDetection") and getattr(net.config, "model_type", "") in SCORINGS

    class_names = staticmethod(class_names)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        from transformers import YolosConfig, YolosForObjectDetection

        torch.manual_seed(0)
        sizes: dict[str, Any] = {
            "num_labels": 4,
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        }
        config = YolosConfig(image_size=[64, 64], patch_size=16, num_detection_tokens=6, **sizes)
        return YolosForObjectDetection._from_config(config, attn_implementation="eager")

    def outputs(self, x: Tensor, pixels: Pixels) -> tuple[Tensor, Tensor]:
        """Return scores (N, Q, K) before softmax or sigmoid, and boxes (N, Q, 4) as centre and size in shares."""
        mask = self.preprocess.mask(pixels) if hasattr(self.preprocess, "mask") else None
        more = {} if mask is None else {"pixel_mask": mask.to(x.device).expand(len(x), -1, -1)}
        made = self.net(pixel_values=x, **more)
        return made.logits, made.pred_boxes


ADAPTER = HuggingFaceDetector
