"""Adapter for torchvision's FCOS: one stage, anchor-free, boxes as distances from the cells of a pyramid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator

from models.adapters.base.dense_head import Dense


class FcosAdapter(Dense):
    """An opened FCOS (Tian et al. 2019). Its origins are grid cells: squares with the side of their level's stride."""

    stages: ClassVar[Mapping[str, str]] = {
        **Dense.stages,
        "HasAnchors": "{name} is anchor-free: each cell of its grids gives one box.",
    }
    anchor_free: ClassVar[bool] = True

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, FCOS)

    @classmethod
    def tiny(cls) -> FCOS:
        """Return a random-weight miniature for contract tests."""
        from models.bundled.pyramid import Pyramid

        torch.manual_seed(0)
        cells = AnchorGenerator(((8,), (16,), (32,)), ((1.0,),) * 3)
        sizes: Any = {"min_size": 96, "max_size": 160, "score_thresh": 0.2, "topk_candidates": 60}
        # FCOS's head uses GroupNorm with 32 groups, so the channels must be a multiple of 32.
        net = FCOS(Pyramid(out_channels=32), 4, anchor_generator=cells, **sizes)
        heads: Any = net.head
        nn.init.zeros_(heads.classification_head.cls_logits.bias)
        nn.init.constant_(heads.regression_head.bbox_reg.bias, 2.0)
        return net

    def scores_of(self, output: Mapping[str, Tensor]) -> Tensor:
        """Return the geometric mean of class probability and centre-ness."""
        return torch.sqrt(torch.sigmoid(output["cls_logits"]) * torch.sigmoid(output["bbox_ctrness"]))

    def boxes_of(self, output: Mapping[str, Tensor], origins: Tensor) -> Tensor:
        """Return the boxes from the cells' centres and the regressed distances to the four sides."""
        return self.net.box_coder.decode(output["bbox_regression"], origins)


ADAPTER = FcosAdapter
