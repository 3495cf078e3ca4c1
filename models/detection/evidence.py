"""Evidence: the values of every detector stage for one image, from which lineage and misses are explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.types import Anchors, Float, Int


@dataclass(frozen=True)
class Evidence:
    """The values of the stages for one image. Boxes are in network pixels (the resized image) unless stated otherwise.

    `origins`: the N anchors, or the cells of an anchor-free detector (`anchor_free`), in pixels of the original image.
    `source` (M,): the origin of each of the M scored boxes. With two stages these are the proposals, with one stage all
    origins. `scores(rows)` (k, C): probabilities of some of the M; the column is the label id, and column 0 is
    background where `has_background`. `decoded(rows)` (k, C, 4): their boxes for each label, clipped to the image.
    `drawn(boxes)`: boxes (n, 4) converted to pixels of the original image.

    Two stages only, else None: `objectness` (N,) of every anchor in 0..1; `regions` (N, 4) its decoded box, clipped;
    `pool` (P,) the anchors that enter the RPN's suppression; `proposals` (M,) the rows of `pool` that became proposals.

    One stage whose score is made of two factors: `factor` (N,) the objectness of every origin in 0..1, and `combine`,
    how it and the score of a class make a score, "product" or "root of the product". With `queries` a box comes from no
    place: origins are the boxes themselves. `absent` says by title why stages of other detectors are not there.
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
    factor: Float | None = None
    combine: str = "product"
    queries: bool = False
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What a box comes from: "anchor", "cell" or "query"."""
        return "query" if self.queries else "cell" if self.anchor_free else "anchor"

    def class_alone(self, score: float, origin: int) -> float | None:
        """Return the score of a class without the objectness of its origin, None without one or where it is 0."""
        if self.factor is None or not self.factor[origin] > 0:
            return None
        made = score * score if self.combine != "product" else score
        return min(1.0, made / float(self.factor[origin]))

    @property
    def nbytes(self) -> int:
        """The size of the columns in bytes; tensors that the functions hold are counted where they are cached."""
        columns = (self.source, self.objectness, self.regions, self.pool, self.proposals, self.factor)
        return self.origins.nbytes + sum(column.nbytes for column in columns if column is not None)
