"""Adapter for Hugging Face's image classifiers (ViT, Swin, ConvNeXt, ResNet, ...): one score for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.hugging_face import class_names, named, prepared, settled
from models.adapters.base.scored import Scored
from models.cards.card import Card
from models.loading.heads import LOGITS, SIGMOID, VALUES, Head
from models.runtime.forward_passes import through

KINDS = {"multi_label_classification": SIGMOID, "regression": VALUES}


class HuggingFaceClassifier(Scored):
    """An opened classifier: stages preprocess, scores. What its numbers are, its configuration says."""

    stages: ClassVar[Mapping[str, str]] = {"Detects": "{name} is a classifier: it finds no boxes."}

    def __init__(self, net: nn.Module, card: Card, preprocess: Any = None) -> None:
        self.card = card
        self.preprocess = prepared(card, preprocess)
        self.net: Any = settled(net, self.preprocess)
        config = self.net.config
        kind = KINDS.get(config.problem_type or "", VALUES if config.num_labels == 1 else LOGITS)
        self.head = Head(kind, evidence=f"Its configuration says so: {config.problem_type or 'one class of many'}.")

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to scores (N, C) before the link of the `head`."""
        return through(self.behaviour, lambda x: self.net(pixel_values=x).logits)

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return "ForImageClassification" in named(net)

    class_names = staticmethod(class_names)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        from transformers import ViTConfig, ViTForImageClassification

        torch.manual_seed(0)
        sizes: dict[str, Any] = {
            "num_labels": 4,
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        }
        config = ViTConfig(image_size=64, patch_size=16, **sizes)
        return ViTForImageClassification._from_config(config, attn_implementation="eager")


ADAPTER = HuggingFaceClassifier
