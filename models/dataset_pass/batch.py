"""The pictures of one pass over a data set, with what the pass gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from models.subject import Rect
from models.types import Candidates, Pixels


@dataclass(frozen=True, eq=False)
class Batch:
    """The B pictures of one pass, in the order of the data set.

    `pixels` are the pictures and `paths` where they lie. `inputs` (B, C, h, w) are the network's, None for a detector,
    which gets one picture at a time. `sizes` are (width, height) of the pictures, `extents` the inputs' places in
    pixels of them. `scores` (B, K) are those before the link
    of a classifier, or features, None for others; `code` (B, D) are a VAE's means; `candidates` those of a detector.
    """

    sizes: Sequence[tuple[int, int]]
    extents: Sequence[Rect]
    inputs: Tensor | None = None
    scores: Tensor | None = None
    code: Tensor | None = None
    candidates: Sequence[Candidates] = ()
    pixels: Sequence[Pixels] = ()
    paths: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.sizes)
