"""The case of one missed object at given settings: where its boxes were lost, and which boxes took their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from models.detection.classes import label_ids
from models.detection.evidence import Evidence
from models.detection.first_stage import FirstStage
from models.detection.missed import STAGES, Matches, Rect, overlap, rows_of
from models.types import Float, Int

if TYPE_CHECKING:
    from models.detection.decision import Decision

POOL, HEAD, SHOWN = "pool", "head", "shown"


@dataclass(frozen=True, eq=False)
class MissedCase:
    """An object at `region` (original pixels) with everything known about it at some `settings`.

    `names` are the class names by label. With two stages, `evidence` and `first` cover the whole pool. `matching` are
    the boxes over the object, `end` their last stages as indices of STAGES. `foreground` is the IoU from which training
    assigns an anchor to an object, None where the family has no such rule. `nearness(stage)` is how far the stage's
    control is from letting a box through.
    """

    region: Rect
    settings: Any
    names: Sequence[str]
    evidence: Evidence
    decision: Decision
    matching: Matches
    end: Int
    foreground: float | None = None
    first: FirstStage | None = None
    nearness: Callable[[str], float] = lambda stage: 0.0

    @cached_property
    def stage(self) -> str:
        """Where the object was lost: one of STAGES; POOL or HEAD where no box of the last stage overlaps it enough.

        Normally this is the furthest stage that boxes above the score reached. If other boxes got further and failed
        only by their score, it is whichever of the two stages is nearer to letting a box through.
        """
        if not len(self.matching):
            inside, outside = self.regions_over
            return POOL if outside and not inside else HEAD
        furthest = STAGES[int(self.end.max())]
        good = self.end[self.matching.score > self.settings.score]
        last = STAGES[int(good.max())] if len(good) else furthest
        return min((furthest, last), key=self.nearness)

    @cached_property
    def left(self) -> int:
        """The row of the best match stopped by the score, if the object was lost at an earlier stage; -1 for none."""
        at = STAGES.index("score")
        return self.matching.best(self.end == at) if self.stage in STAGES[:at] else -1

    @cached_property
    def best(self) -> int:
        """The row of the match that came closest to passing the stage it ended at, -1 for none.

        Matches above the score take precedence. The first stage compares objectness or IoU, the others the score.
        """
        if self.stage not in STAGES:
            return -1
        among = self.end == STAGES.index(self.stage)
        good = among & (self.matching.score > self.settings.score)
        among = good if good.any() else among
        if self.stage in ("rpn_score", "rpn_top_n") and self.evidence.objectness is not None:
            rows = np.flatnonzero(among)
            return int(rows[self.evidence.objectness[self.matching.anchor[rows]].argmax()])
        if self.stage == "rpn_iou" and self.first is not None and self.evidence.pool is not None:
            rows = np.flatnonzero(among)
            return int(rows[self.first.iou[rows_of(self.matching.anchor[rows], self.evidence.pool)].argmin()])
        return self.matching.best(among)

    @property
    def is_shown(self) -> bool:
        """Whether a box of the object is shown."""
        return bool((self.end == STAGES.index(SHOWN)).any())

    @cached_property
    def description(self) -> dict[str, Any] | None:
        """The best match in numbers: `id`, `label`, `name`, `score`, `iou` with the object; None without a match."""
        row, found = self.best, self.matching
        if row < 0:
            return None
        label = int(found.label[row])
        facts = {"id": int(found.ids(len(self.names))[row]), "label": label, "name": self.names[label]}
        return {**facts, "score": float(found.score[row]), "iou": float(found.iou[row])}

    @cached_property
    def regions_over(self) -> tuple[int, int]:
        """The number of RPN regions that overlap the object enough: inside the pool, and outside it."""
        if self.evidence.regions is None or self.evidence.pool is None:
            return 0, 0
        over = self.region_iou >= self.settings.match_iou
        inside = int(over[self.evidence.pool].sum())
        return inside, int(over.sum()) - inside

    @cached_property
    def region_iou(self) -> Float:
        """The IoU (N,) of every anchor's region with the object; empty with one stage."""
        regions = self.evidence.regions
        return overlap(self.evidence.drawn(regions), self.region) if regions is not None else np.zeros(0, np.float32)

    @cached_property
    def anchor_iou(self) -> float:
        """The best IoU of an anchor with the object."""
        return float(overlap(self.evidence.origins.boxes, self.region).max(initial=0.0))

    @cached_property
    def nearest(self) -> tuple[float, Float]:
        """The greatest IoU with the object of any region or final box, and that box (n, 4), n 0 or 1."""
        if self.region_iou.max(initial=0.0) > self.matching.nearest_iou and self.evidence.regions is not None:
            at = int(self.region_iou.argmax())
            return float(self.region_iou[at]), self.evidence.drawn(self.evidence.regions[[at]])
        return self.matching.nearest_iou, self.matching.nearest

    @cached_property
    def pool_row(self) -> int:
        """The row of the pool that the best match came from, -1 for none."""
        if self.evidence.pool is None or self.best < 0:
            return -1
        at = np.flatnonzero(self.evidence.pool == self.matching.anchor[self.best])
        return int(at[0]) if len(at) else -1

    @cached_property
    def remover(self) -> dict[str, Any] | None:
        """The box that suppressed the best match: `id`, `label`, `score`, `iou`, `box` (1, 4); None for none."""
        found, suppression = self.decision.candidates, self.decision.suppression
        row = self._candidate
        if self.stage != "iou" or row < 0 or suppression is None or suppression.removed_by[row] < 0:
            return None
        by = int(suppression.removed_by[row])
        return {
            "id": int(found.anchor[by] * len(self.names) + found.label[by]),
            "label": int(found.label[by]),
            "score": float(found.score[by]),
            "iou": float(suppression.removed_iou[row]),
            "box": found.drawn[by : by + 1],
        }

    @cached_property
    def rival(self) -> dict[str, Any] | None:
        """The proposal that suppressed the best match's in the RPN: `objectness`, `iou`, `box`; None for none."""
        first, pool, row = self.first, self.evidence.pool, self.pool_row
        if self.stage != "rpn_iou" or first is None or pool is None or row < 0 or first.by[row] < 0:
            return None
        assert self.evidence.regions is not None and self.evidence.objectness is not None
        by = pool[[first.by[row]]]
        return {
            "objectness": float(self.evidence.objectness[by[0]]),
            "iou": float(first.iou[row]),
            "box": self.evidence.drawn(self.evidence.regions[by]),
        }

    @cached_property
    def place(self) -> int:
        """The rank, from 1, of the best match among the boxes above the score and not hidden; 0 for none."""
        found, row = self.decision.candidates, self._candidate
        if row < 0:
            return 0
        labels = list(label_ids(self.settings.hidden, tuple(self.names)))
        visible = self.decision.kept[found.score[self.decision.kept] > self.settings.score]
        at = np.flatnonzero(visible[~np.isin(found.label[visible], labels)] == row)
        return int(at[0]) + 1 if len(at) else 0

    @cached_property
    def taken_for(self) -> tuple[int, float] | None:
        """Label and score of the best box shown over the object whose label was not asked for; None for none."""
        found = self.decision.candidates
        rows = self.decision.shown.rows
        over = rows[overlap(found.drawn[rows], self.region) >= self.settings.match_iou]
        over = over[~np.isin(found.label[over], self.matching.label)]
        return (int(found.label[over[0]]), float(found.score[over[0]])) if len(over) else None

    def alive(self, stage: str) -> tuple[int, int]:
        """Return how many origins' matching boxes reached a stage of STAGES, and how many passed it."""
        at = STAGES.index(stage)
        came, went = (np.unique(self.matching.anchor[self.end >= at + later]) for later in (0, 1))
        return len(came), len(went)

    @cached_property
    def _candidate(self) -> int:
        """The best match's row among the candidates, -1 for none."""
        if self.best < 0:
            return -1
        found, classes = self.decision.candidates, len(self.names)
        at = np.flatnonzero(found.anchor * classes + found.label == self.matching.ids(classes)[self.best])
        return int(at[0]) if len(at) else -1
