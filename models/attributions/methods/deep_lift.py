"""DeepLIFT: differences from a baseline, handed back through the network by the rescale rule of each activation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from models.attributions import gradients
from models.attributions.attribution import Heatmap, Probe, Verdict, attribution
from models.attributions.perturbation import BASELINES, baseline
from models.attributions.rescale_rule import Differs, Rescaled, mixing
from models.attributions.target import TargetParams
from models.params import param
from models.subject import Subject
from models.tracing.backward_pass import INSTEAD, arriving, back
from models.types import Refusal

DIFFERS = "The network calls other activation functions for the picture than for the baseline"
HIDDEN = "Its activation functions are called inside compiled code, where the rule cannot reach them"


@dataclass(frozen=True)
class Params(TargetParams):
    """A target and the baseline."""

    baseline: str = param(
        "mean",
        "Baseline",
        "The input that stands for no picture, whose activations are the reference.",
        choices=BASELINES,
        titles=("Black", "Mean colour", "Blurred picture"),
    )


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return how much of the network the rule covers, from one pass that records its calls."""
    way = gradients.way(subject, stages)
    if way.missing:
        return Verdict("never", way.missing)
    counted, covered = stages.run("rescale rule's calls", lambda: _counted(subject), subject.key)
    there = way.rectifiers + sum(way.others.values())
    if there and not covered:
        return Verdict("never", f"{HIDDEN}. {INSTEAD}")
    parts = [f"{name}{f' ({count})' if count > 1 else ''}" for name, count in sorted(counted.items())]
    if covered < there:
        parts.append(f"{there - covered} of {there} activation functions")
    if not parts:
        return Verdict()
    said = ", ".join(parts)
    return Verdict("partial", f"The rule does not cover {said}: these get the plain gradient. Watch completeness.")


@attribution(
    id="deep_lift",
    title="DeepLIFT",
    help="What each pixel's difference from a baseline adds to the score, by the rescale rule of its activations.",
    cite="Shrikumar et al. 2017.",
    params=Params,
    verdict=verdict,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w), summed over colour channels, with its completeness error."""
    subject, start = probe.subject, baseline(probe.subject, params.baseline)
    with arriving():
        before, reference = _recorded(probe.subject, start)
        x = subject.input.detach().clone().requires_grad_()
        try:
            with Rescaled(reference) as mode:
                probe.stages.progress(0.5, "DeepLIFT")
                value = probe.of(x.clone()).sum()
            if not mode.finished:
                raise Differs
        except Differs:
            raise Refusal(f"{DIFFERS}.", advice="Take another baseline, or integrated gradients.") from None
    multiplier = back(value, x)
    promised = probe.score - float(probe.target.of(before.detach())[0])
    found = (multiplier * (subject.input - start)).sum(1)[0]
    delta = abs(float(found.sum()) - promised) / max(abs(promised), 1e-12)
    more = {"baseline": params.baseline, "promised": promised}
    return Heatmap(found.float().cpu().numpy(), subject.extent, delta, more)


def _recorded(subject: Subject, start: Tensor) -> tuple[Tensor, Rescaled]:
    """Return the scores (1, C) for a baseline, and the record of the activations called for it."""
    x = start.detach().clone().requires_grad_()
    with Rescaled() as mode:
        scores = subject.scores(x.clone())
    return scores, mode


def _counted(subject: Subject) -> tuple[Counter[str], int]:
    """Return what the rule does not cover, by name, and how many activations it covers."""
    x = subject.input.detach().clone().requires_grad_()
    with Rescaled() as mode:
        scores = subject.scores(x.clone())
    covered = [seen for seen in mode.seen if seen.indices is None]
    return mixing(scores, x, mode.marks), len(covered)
