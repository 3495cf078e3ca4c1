"""Guided Grad-CAM: guided backpropagation, shown only where Grad-CAM speaks for the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.nn import functional

from models import cam, guided
from models.attribution import Heatmap, LayerParams, Probe, Verdict, attribution
from models.subject import Subject


@dataclass(frozen=True)
class Params(LayerParams):
    """A target and a layer."""


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return the verdict on guided backpropagation, where the layer has places. Raises Refusal where it has none."""
    places = cam.verdict(subject, params, stages)
    return places if places.level == "never" else guided.verdict(subject, params, stages)


@attribution(
    id="guided_grad_cam",
    title="Guided Grad-CAM",
    help=f"Guided backpropagation times what Grad-CAM has above zero: detail where it counts. {guided.CAUTION}",
    cite="Selvaraju et al. 2017.",
    params=Params,
    verdict=verdict,
    signed=False,
    group="Guided",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the absolute product (h, w), the largest over colours (section 3.2)."""
    found = cam.evidence(probe, params.layer)
    places = cam.weighed(found).relu()[None, None]
    places = functional.interpolate(places, probe.subject.size, mode="bilinear", align_corners=False)
    values = (guided.gradient(probe, "guided") * places).abs().amax(1)[0]
    more = {"layer": found.layer, "caution": guided.CAUTION}
    return Heatmap(values.cpu().numpy(), probe.subject.extent, more=more, blank=cam.blank(found))
