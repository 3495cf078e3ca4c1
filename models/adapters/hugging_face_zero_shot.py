"""Adapter for networks that compare pictures with texts (CLIP, SigLIP): one score for each text that the user wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.hugging_face import prepared, settled
from models.adapters.base.scored import Scored
from models.cards.card import Card
from models.hugging_face.zero_shot import ZeroShot
from models.loading.heads import LOGITS, SIGMOID, Head
from models.runtime.forward_passes import through


class HuggingFaceZeroShot(Scored):
    """An opened pair of picture and text sides: stages preprocess, scores."""

    stages: ClassVar[Mapping[str, str]] = {"Detects": "{name} compares whole pictures with texts: it finds no boxes."}

    def __init__(self, net: Any, card: Card, preprocess: Any = None) -> None:
        count = len(net.texts)
        names = card.classes if len(card.classes) == count else tuple(f"text {n}" for n in range(1, count + 1))
        self.card = replace(card, classes=names)
        self.preprocess = prepared(card, preprocess)
        self.net: Any = settled(net, self.preprocess)
        told = "A picture fits one of the texts." if self.net.one_of_many else "Each text fits a picture or does not."
        self.head = Head(LOGITS if self.net.one_of_many else SIGMOID, evidence=told)

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to scores (N, K) before the link of the `head`."""
        return through(self.behaviour, lambda x: self.net(pixel_values=x))

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, ZeroShot)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        from transformers import CLIPConfig, CLIPModel

        torch.manual_seed(0)
        sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
        sizes["num_attention_heads"] = 2
        text = {**sizes, "vocab_size": 30, "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1}
        vision = {"image_size": 64, "patch_size": 16, **sizes}
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
        net = CLIPModel._from_config(config, attn_implementation="eager")
        texts = torch.randn(4, 12)
        return ZeroShot(net, texts / texts.norm(dim=1, keepdim=True))


ADAPTER = HuggingFaceZeroShot
