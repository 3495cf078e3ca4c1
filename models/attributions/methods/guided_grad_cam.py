"""Guided Grad-CAM: guided backpropagation, shown only where Grad-CAM is positive for the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.nn import functional

from models.attributions import class_activation, guided_relu
from models.attributions.attribution import Heatmap, LayerParams, Probe, Verdict, attribution
from models.subject import Subject


@dataclass(frozen=True)
class Params(LayerParams):
    """A target and a layer."""


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return the verdict on guided backpropagation. Raises Refusal if the layer has no spatial positions."""
    places = class_activation.verdict(subject, params, stages)
    return places if places.level == "never" else guided_relu.verdict(subject, params, stages)


@attribution(
    id="guided_grad_cam",
    title="Guided Grad-CAM",
    help=f"Guided backpropagation times what Grad-CAM has above zero: detail where it counts. {guided_relu.CAUTION}",
    cite="Selvaraju et al. 2017.",
    params=Params,
    verdict=verdict,
    signed=False,
    group="Guided",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the absolute product (h, w), the maximum over colour channels (section 3.2)."""
    found = class_activation.evidence(probe, params.layer)
    places = class_activation.weighed(found).relu()[None, None]
    places = functional.interpolate(places, probe.subject.size, mode="bilinear", align_corners=False)
    values = (guided_relu.gradient(probe, "guided") * places).abs().amax(1)[0]
    more = {"layer": found.layer, "caution": guided_relu.CAUTION}
    return Heatmap(values.cpu().numpy(), probe.subject.extent, more=more, blank=class_activation.blank(found))
