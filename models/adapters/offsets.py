"""Adapter for detectors of no known family that output offsets from anchors of a known set or of their card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from models.adapters.base.detector import anchor_table
from models.adapters.base.row_outputs import Rows
from models.detection.anchor_sets import KNOWN, AnchorSet
from models.detection.box_rows import FIRST
from models.detection.evidence import Evidence
from models.types import Anchors, Float, Int, Pixels


class OffsetsAdapter(Rows):
    """An opened one-stage detector whose anchors are known separately from the network."""

    serves: ClassVar[str] = "offsets"
    stages: Mapping[str, str] = {"rpn": "{name} is a one-stage detector: it has no region proposals."}

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests, with the anchors of a known set."""
        torch.manual_seed(0)
        return _Tiny(KNOWN["retinaface"])

    def anchors(self, pixels: Pixels, stages: Any) -> Anchors:
        """Return the anchors in pixels of the original image."""
        known, size = self._set, self.preprocess.size

        def make() -> Anchors:
            centred = known.centred(size)
            half = centred[:, 2:] / 2
            boxes = torch.cat([centred[:, :2] - half, centred[:, :2] + half], 1).numpy()
            return anchor_table(self.mapping(pixels)(boxes), known.grids(size), [len(sizes) for sizes in known.sizes])

        return stages.run("anchors", make)

    def evidence(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Evidence:
        """Return the network's scores and boxes of every anchor."""
        output = self.output(pixels, stages)
        height, width = self.preprocess.size
        most = np.array((width, height) * 2, np.float32)

        def scores(wanted: Int) -> Float:
            return self.kind.probabilities(output.scores[torch.from_numpy(wanted)]).cpu().numpy()

        def decoded(wanted: Int) -> Float:
            boxes = output.boxes[torch.from_numpy(wanted)].cpu().numpy().clip(0, most)
            return np.broadcast_to(boxes[:, None], (len(wanted), output.scores.shape[1], 4))

        return Evidence(
            origins=self.anchors(pixels, stages),
            anchor_free=False,
            source=np.arange(len(output.boxes)),
            scores=scores,
            decoded=decoded,
            drawn=self.mapping(pixels),
            has_background=self.kind.background == FIRST,
        )

    @property
    def _set(self) -> AnchorSet:
        assert self.kind.anchors is not None
        return self.kind.anchors


class _Tiny(nn.Module):
    """A miniature with scores and offsets of two anchors in every cell of three levels."""

    def __init__(self, anchors: AnchorSet) -> None:
        super().__init__()
        self.anchors = anchors
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.ReLU())
        self.heads = nn.ModuleList(nn.Conv2d(8, 2 * 8, 3, padding=1) for _ in anchors.strides)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.body(x)
        grids = self.anchors.grids((int(x.shape[-2]), int(x.shape[-1])))
        made = [
            head(nn.functional.adaptive_avg_pool2d(maps, grid)) for head, grid in zip(self.heads, grids, strict=True)
        ]
        rows = torch.cat([one.permute(0, 2, 3, 1).reshape(len(x), -1, 8) for one in made], 1)
        return rows[..., :4].softmax(-1), rows[..., 4:]


ADAPTER = OffsetsAdapter
