"""CAM: the map whose mean is the score.

Exact, but only for networks that end in global average pooling and one layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.attributions.attribution import Heatmap, Probe, Verdict, attribution
from models.attributions.linear_heads import Head, head_of
from models.attributions.target import TargetParams
from models.subject import Subject
from models.types import Refusal

CLOSE = 1e-3  # largest relative error of the mean against the score


@dataclass(frozen=True)
class Params(TargetParams):
    """A target."""


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return whether the scores are linear in the spatial mean of a map, verified numerically on this picture."""
    head = _head(subject, stages)
    if head is not None:
        layer = f"{head.call.id}, after ReLU" if head.rectified else head.call.id
        return Verdict(reason=f"The score is the mean of a map made of {layer}, plus a constant.")
    needs = "the mean over a map's places and one linear layer after it, or one mean of a map for each class"
    return Verdict("never", f"Its scores are not {needs}. Grad-CAM is its nearest relative.")


@attribution(
    id="cam",
    title="CAM",
    help="What each place adds to the score, exactly: its mean over places, plus the bias, is the score.",
    cite="Zhou et al. 2016.",
    params=Params,
    verdict=verdict,
    group="Class activation maps",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution (equation 2). Raises Refusal if its mean misses the score."""
    head, target = _head(probe.subject, probe.stages), probe.target
    assert head is not None  # the verdict "never" would have stopped the method
    values, bias = head.plane(target.plus), head.offset(target.plus)
    if target.minus >= 0:
        values, bias = values - head.plane(target.minus), bias - head.offset(target.minus)
    missed = abs(float(values.mean()) + bias - probe.score)
    if missed > CLOSE * max(1.0, float(probe.scores.abs().max())):
        raise Refusal(f"The map's mean misses the score by {missed:.3g}.", advice="Use Grad-CAM.")
    more = {"layer": head.call.id, "bias": bias}
    # The mean plus the bias must equal the score, which was checked above: only rounding is left.
    return Heatmap(values.cpu().numpy(), probe.subject.extent, missed / max(abs(probe.score - bias), 1e-12), more)


def _head(subject: Subject, stages: Any) -> Head | None:
    return stages.run("linear head", lambda: head_of(subject), subject.key)
