"""Adapter for Hugging Face's backbones (DINOv2, the picture side of CLIP and SigLIP, ...): features without classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.hugging_face import named, prepared, settled
from models.adapters.base.scored import Seen
from models.cards.card import Card
from models.loading.heads import VALUES, Head
from models.runtime.forward_passes import through
from models.subject import Rect, Subject
from models.types import Pixels

ENDS = ("Model", "VisionModel", "VisionModelWithProjection", "Backbone")
NOTE = "{name} ends in features: "


class HuggingFaceFeatures(Seen):
    """An opened backbone: stage preprocess. Its features take the place of a classifier's classes.

    They are the picture's embedding where there is one, else the class token, else the mean over positions.
    """

    stages: ClassVar[Mapping[str, str]] = {
        "Detects": NOTE + "it finds no boxes.",
        "Classifies": NOTE + "it gives no classes.",
    }
    head = Head(VALUES)
    first = False

    def __init__(self, net: nn.Module, card: Card, preprocess: Any = None) -> None:
        self.card = card
        self.preprocess = prepared(card, preprocess)
        self.net: Any = settled(net, self.preprocess)

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to features (N, C)."""
        return through(self.behaviour, lambda x: _features(self.net(pixel_values=x), self._token))

    @property
    def _token(self) -> bool:
        """Whether the first token is the picture's, which has no position."""
        return any(
            name.rpartition(".")[2] in ("cls_token", "class_embedding") for name, _ in self.net.named_parameters()
        )

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain; such a network has no boxes, so `box` and `region` are ignored."""

        def make() -> Subject:
            height, width = pixels.shape[:2]
            with torch.inference_mode(False), torch.no_grad():
                image = self.preprocess.input(pixels, self.device)
                count = self.scores(image).shape[1]
                return Subject(
                    net=self.net,
                    input=image,
                    scores=self.scores,
                    classes=tuple(f"feature {number}" for number in range(count)),
                    extent=self.preprocess.extent(width, height),
                    black=self.preprocess.black(self.device),
                    **self.behaviour.about,
                )

        return stages.run("preprocess", make)

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return named(net).endswith(ENDS) and not hasattr(net, "text_model")

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

        torch.manual_seed(0)
        sizes: dict[str, Any] = {"hidden_size": 16, "mlp_ratio": 2, "num_hidden_layers": 2, "num_attention_heads": 2}
        config = Dinov2WithRegistersConfig(image_size=64, patch_size=16, num_register_tokens=4, **sizes)
        return Dinov2WithRegistersModel._from_config(config, attn_implementation="eager")


def _features(output: Any, token: bool) -> Tensor:
    """Return the features (N, C) in a backbone's output."""
    embedding = getattr(output, "image_embeds", None)
    if embedding is not None:
        return embedding
    maps = getattr(output, "feature_maps", None)
    last = maps[-1] if maps else output.last_hidden_state
    if last.ndim == 4:
        return last.flatten(2).mean(2)
    return last[:, 0] if token else last.mean(1)


ADAPTER = HuggingFaceFeatures
