"""Shapley value sampling: what each superpixel adds when they are shown one by one, averaged over random orders.

captum's. For any number of orders the values sum exactly to the score's fall from the whole picture to none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.captum_passes import drawing, forward
from models.attributions.gradients import batch_of
from models.attributions.perturbation import baseline
from models.attributions.superpixels import PartParams, parts_of
from models.params import param


@dataclass(frozen=True)
class Params(PartParams):
    """A target, the parts, and the number of orders."""

    samples: int = param(
        10, "Orders", "Random orders in which the parts are shown, each with a pass for every part.", low=1, high=1000
    )
    seed: int = param(0, "Seed", "Another number draws other orders.", low=0, high=2**31 - 1, step=1)


@attribution(
    id="shapley_sampling",
    title="Shapley value sampling",
    help="What each superpixel adds when it joins those already seen, averaged over random orders; adds up exactly.",
    cite="Castro et al. 2009; Štrumbelj and Kononenko 2010.",
    params=Params,
    group="Perturbations",
    gradient=False,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) in network pixels of each part's Shapley value, estimated from the orders."""
    import captum.attr

    subject = probe.subject
    parts = parts_of(subject, probe.pixels, params.segments, probe.stages)
    filling = baseline(subject, params.baseline)
    labels = torch.from_numpy(parts.labels).to(subject.input.device)[None, None]
    total = params.samples * parts.count + 1

    def make() -> Tensor:
        with drawing(params.seed):
            words = f"Shapley values: {total:,} passes"
            method: Any = captum.attr.ShapleyValueSampling(forward(probe, words, total=total))
            return method.attribute(
                subject.input,
                baselines=filling,
                feature_mask=labels,
                n_samples=params.samples,
                perturbations_per_eval=min(parts.count, batch_of(subject)),
            )

    target, given = (probe.target.plus, probe.target.minus), (params.segments, params.baseline, params.samples)
    found = probe.stages.run("shapley values", make, subject.key, *target, *given, params.seed)
    map_ = found[0, 0].float().cpu().numpy()
    values = np.zeros(parts.count)
    values[parts.labels.ravel()] = map_.ravel()
    nothing = float(probe.of(filling)[0])
    promised = probe.score - nothing
    delta = abs(float(values.sum()) - promised) / max(abs(promised), 1e-12)
    more = {"without": nothing, "orders": params.samples, "promised": promised}
    return Heatmap(map_, subject.extent, delta, more, arrays={"segments": parts.labels})
