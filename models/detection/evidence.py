"""Evidence: what every stage of a detector held of one picture, for lineage and for misses. Numbers only, no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.types import Anchors, Float, Int


@dataclass(frozen=True)
class Evidence:
    """What the stages of one picture held. Boxes are in network pixels (the resized picture) unless said otherwise.

    `origins`: the N anchors, or the cells of an anchor-free detector (`anchor_free`), in pixels of the original.
    `source` (M,): the origin of each of M scored things: the proposals of two stages, every origin of one stage.
    `scores(rows)` (k, C): probabilities of some of the M; the column is the label id, and column 0 is background where
    `has_background`. `decoded(rows)` (k, C, 4): their boxes for each label, clipped to the picture.
    `drawn(boxes)`: boxes (n, 4) in pixels of the original picture.

    With two stages, else None: `objectness` (N,) of every anchor in 0..1; `regions` (N, 4) its decoded box, clipped;
    `pool` (P,) the anchors that the RPN took up before its suppression; `proposals` (M,) rows of `pool` that went on.
    """

    origins: Anchors
    anchor_free: bool
    source: Int
    scores: Callable[[Int], Float]
    decoded: Callable[[Int], Float]
    drawn: Callable[[Float], Float]
    has_background: bool
    objectness: Float | None = None
    regions: Float | None = None
    pool: Int | None = None
    proposals: Int | None = None

    @property
    def nbytes(self) -> int:
        """The size of the columns; what the functions look into is counted where it is cached."""
        columns = (self.source, self.objectness, self.regions, self.pool, self.proposals)
        return self.origins.nbytes + sum(column.nbytes for column in columns if column is not None)
