"""Adapter for Hugging Face's semantic segmentation networks (SegFormer, UperNet, BEiT, DPT): a class for each pixel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.adapters.base.class_maps import ClassMaps
from models.adapters.base.hugging_face import class_names, named, prepared, settled
from models.cards.card import Card


class HuggingFaceSegmenter(ClassMaps):
    """An opened segmentation network: stages preprocess, scores."""

    def __init__(self, net: nn.Module, card: Card, preprocess: Any = None) -> None:
        self.card = card
        self.preprocess = prepared(card, preprocess)
        self.net: Any = settled(net, self.preprocess)

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return named(net).endswith("ForSemanticSegmentation")

    class_names = staticmethod(class_names)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        torch.manual_seed(0)
        sizes: dict[str, Any] = {
            "num_labels": 4,
            "depths": [1, 1],
            "num_encoder_blocks": 2,
            "sr_ratios": [2, 1],
            "hidden_sizes": [8, 16],
            "patch_sizes": [7, 3],
            "strides": [4, 2],
            "num_attention_heads": [1, 2],
            "mlp_ratios": [2, 2],
            "decoder_hidden_size": 16,
        }
        config = SegformerConfig(**sizes)
        return SegformerForSemanticSegmentation._from_config(config, attn_implementation="eager")

    def _coarse(self, x: Tensor) -> Tensor:
        """Return the scores (N, C, h', w') for inputs (N, 3, h, w), at the network's own coarse resolution."""
        return self.net(pixel_values=x).logits


ADAPTER = HuggingFaceSegmenter
