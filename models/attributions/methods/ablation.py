"""Feature ablation: the fall of the score when one superpixel, or one drawn region, is removed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.perturbation import Sweep, baseline, progress_of, swept
from models.attributions.superpixels import PartParams, Parts, parts_of
from models.attributions.target import region_of
from models.params import param
from models.subject import Subject
from models.types import Bool, Float, Int, Refusal

FIRST = 5  # every fifth part makes the coarse map
UNIT = "parts"


@dataclass(frozen=True)
class Params(PartParams):
    """A target, and what is removed."""

    mask: str = param(
        "", "Hidden region", "x0,y0,x1,y1 in pixels of the picture: take this away rather than superpixels."
    )


@attribution(
    id="ablation",
    title="Feature ablation",
    help="How much the score falls when a superpixel, or the region drawn, is taken away.",
    cite="Kokhlikyan et al. 2020.",
    params=Params,
    group="Perturbations",
    gradient=False,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) in network pixels.

    The fall of the score when the part that contains the pixel is removed.
    """
    subject = probe.subject
    region = region_of(params.mask)
    parts = _region(subject, region) if region else parts_of(subject, probe.pixels, params.segments, probe.stages)
    count = 1 if region else parts.count
    filling, columns = baseline(subject, params.baseline), probe.scores.shape[1]

    def make() -> Sweep:
        def hidden(rows: Int) -> Tensor:
            return parts.inputs(subject, filling, np.arange(parts.count) != rows[:, None])

        # Superpixels are numbered row by row, so every fifth one gives an even coarse cover of the picture.
        order = np.argsort(np.arange(count) % FIRST, kind="stable")
        return Sweep(subject, hidden, order, columns=columns, boxes=parts.spans)

    key = (subject.key, params.mask or params.segments, params.baseline)
    sweep = swept(probe.stages, "ablation", make, *key, first=-(-count // FIRST), unit=UNIT)
    fall = probe.score - sweep.of_target(probe.target)
    if not sweep.complete:
        fall = _nearest(parts, fall, sweep.known)
    more = progress_of(sweep, UNIT) | ({"effect": float(fall[0])} if region else {})
    values = np.append(fall, 0.0) if region else fall
    arrays = {"segments": parts.labels}
    return Heatmap(parts.paint(values), subject.extent, more=more, arrays=arrays, partial=not sweep.complete)


def _region(subject: Subject, region: tuple[float, float, float, float]) -> Parts:
    """Return the region as part 0 and the rest as part 1.

    Raises Refusal if the region lies outside the network's input.
    """
    (left, top, right, bottom), (h, w) = subject.extent, subject.size
    x0, x1 = (round((x - left) / (right - left) * w) for x in region[::2])
    y0, y1 = (round((y - top) / (bottom - top) * h) for y in region[1::2])
    labels = np.ones((h, w), np.int64)
    labels[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 0
    if labels.all():
        raise Refusal(
            "The network sees nothing of the region drawn.",
            advice=f"It sees x {left:.0f} to {right:.0f}, y {top:.0f} to {bottom:.0f} of the picture.",
        )
    return Parts(labels, 2)


def _nearest(parts: Parts, fall: Float, known: Bool) -> Float:
    """Return the values (M,) of all parts; a part not known yet gets the value of the nearest known part."""
    y, x = np.divmod(np.arange(parts.labels.size), parts.labels.shape[1])
    sizes = np.bincount(parts.labels.ravel())
    centre = np.stack([np.bincount(parts.labels.ravel(), along) / sizes for along in (y, x)], 1)
    rows = np.flatnonzero(known)
    far = ((centre[:, None] - centre[rows]) ** 2).sum(2)
    return fall[rows[far.argmin(1)]]
