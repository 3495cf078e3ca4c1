"""Every panel of the window, in the order of their shortcuts, with what the window knows of it before importing it.

To add a panel, write its module in this folder and add an entry here: dock, menu entry, shortcut and requests follow.
A panel's module is imported when the panel comes into view, is asked for its requests, or has something to paint, so
that panels that are not used cost nothing at start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.capabilities import lacks
from models.inspection import Description
from viewer.session import request_plan
from viewer.session.document import Document

Condition = Callable[[Document], bool]


@dataclass(frozen=True)
class PanelEntry:
    """One panel: its `id`, `title`, the name of its `icon`, and its `place`, "module.Class" in this folder.

    `area` is the dock area, `opened` whether the panel is open at first, and `height_px` its minimum height on opening.
    A panel with `beside` set also paints over the second model's picture.

    `needs` are the capabilities a model must have, unless it has one of those in `suffices`; `inspection` names an
    inspection that must apply to it as well. `asks` says whether the panel may have requests for a document; by
    default it may while it is in view, as the document records in `view.inside` (see `Panel.seen`). `paints` says
    whether the document holds something that the panel paints even if it was never opened. One with `described` set has
    no requests before the model is described.
    """

    id: str
    title: str
    icon: str
    place: str
    area: str = "right"
    opened: bool = True
    height_px: int = 0
    needs: tuple[str, ...] = ()
    suffices: tuple[str, ...] = ()
    inspection: str = ""
    beside: bool = False
    described: bool = False
    asks: Condition | None = None
    paints: Condition | None = None

    def may_ask(self, document: Document) -> bool:
        """Return whether the panel may have requests for a document."""
        return self.asks(document) if self.asks is not None else self.id in document.view.inside

    def may_paint(self, document: Document) -> bool:
        """Return whether the panel paints something for a document even if it was never opened."""
        return self.paints is not None and self.paints(document)

    def lacking(self, description: Description) -> str:
        """Return why the panel cannot be used with a model, "" if it can."""
        if {*self.suffices} & {*description.capabilities}:
            return ""
        missing = [need for need in self.needs if need not in description.capabilities]
        reasons = [description.stages[need] for need in missing if need in description.stages]
        if missing:
            return reasons[0] if reasons else f"{description.name} {lacks(missing)}."
        return request_plan.reason(self.inspection, description) if self.inspection else ""


def _always(document: Document) -> bool:
    return True


PANELS: tuple[PanelEntry, ...] = (
    PanelEntry(
        "detect", "Detection", "boxes", "detection.DetectionPanel", needs=("Detects",), beside=True, asks=_always
    ),
    PanelEntry(
        "anchors",
        "Anchors",
        "anchors",
        "anchors.AnchorPanel",
        needs=("HasAnchors",),
        beside=True,
        asks=lambda document: document.view.anchors in ("here", "density", "all"),
    ),
    PanelEntry("film", "Pictures", "film", "film_strip.FilmPanel", area="left"),
    PanelEntry("results", "Results", "list", "results.ResultsPanel", area="bottom", opened=False, needs=("Detects",)),
    PanelEntry("live", "Live", "play", "live.LivePanel", area="bottom", opened=False),
    PanelEntry("log", "Log", "info", "log.LogPanel", area="bottom", opened=False),
    PanelEntry(
        "lineage",
        "Lineage",
        "lineage",
        "lineage.LineagePanel",
        area="bottom",
        opened=False,
        height_px=256,
        needs=("Detects", "Traces"),
        asks=lambda document: document.view.lineage or document.view.anchors == "lineage",
    ),
    PanelEntry(
        "missed",
        "Why missed?",
        "missed",
        "why_missed.MissedPanel",
        area="bottom",
        opened=False,
        height_px=248,
        needs=("Detects", "Traces"),
        asks=lambda document: document.view.missed and document.region is not None,
        paints=lambda document: document.region is not None,
    ),
    PanelEntry(
        "truth",
        "Ground truth",
        "truth",
        "truth.TruthPanel",
        opened=False,
        height_px=300,
        needs=("Detects",),
        beside=True,
        paints=lambda document: document.truth is not None,
    ),
    PanelEntry(
        "compare",
        "Compare settings",
        "compare",
        "settings_comparison.ComparePanel",
        opened=False,
        height_px=310,
        needs=("Detects",),
        asks=lambda document: document.pinned is not None,
    ),
    PanelEntry(
        "figures",
        "Figures",
        "figures",
        "figures.FiguresPanel",
        area="bottom",
        opened=False,
        needs=("Detects",),
        asks=lambda document: document.view.figures != "off",
    ),
    PanelEntry(
        "workbench",
        "Anchor workbench",
        "workbench",
        "anchor_workbench.WorkbenchPanel",
        opened=False,
        height_px=420,
        needs=("Detects",),
        inspection="match",
        asks=lambda document: document.view.anchors == "match",
        paints=lambda document: document.truth is not None,
    ),
    PanelEntry(
        "masks",
        "Masks",
        "masks",
        "masks.MaskPanel",
        opened=False,
        needs=("Segments",),
        beside=True,
        described=True,
        asks=lambda document: document.view.masks or document.view.mask_values,
    ),
    PanelEntry(
        "keypoints",
        "Key points",
        "keypoints",
        "keypoints.KeyPointPanel",
        opened=False,
        needs=("FindsKeyPoints",),
        beside=True,
        described=True,
        asks=lambda document: document.view.points or document.view.heat_point >= 0,
    ),
    PanelEntry(
        "filters",
        "Filters",
        "filters",
        "filters.FilterPanel",
        area="bottom",
        opened=False,
        height_px=296,
        needs=("Explains",),
    ),
    PanelEntry(
        "activations",
        "Activations",
        "activations",
        "activations.ActivationPanel",
        area="bottom",
        opened=False,
        height_px=280,
        needs=("Explains",),
        suffices=("Generates",),
        beside=True,
    ),
    PanelEntry(
        "attention",
        "Attention",
        "attention",
        "attention.AttentionPanel",
        area="bottom",
        opened=False,
        height_px=280,
        needs=("Explains",),
        inspection="attention",
        beside=True,
    ),
    PanelEntry(
        "classify",
        "Classification",
        "classes",
        "classification.ClassificationPanel",
        height_px=280,
        needs=("Classifies",),
        beside=True,
        asks=_always,
    ),
    PanelEntry(
        "attribution",
        "Attribution",
        "explain",
        "attribution.AttributionPanel",
        opened=False,
        height_px=380,
        needs=("Explains",),
        beside=True,
        asks=lambda document: document.view.explaining or bool(document.method),
    ),
    PanelEntry(
        "layers",
        "Layers",
        "layers",
        "layers.LayersPanel",
        area="bottom",
        opened=False,
        height_px=300,
        needs=("Explains",),
        asks=lambda document: document.view.layers,
    ),
    PanelEntry(
        "maps",
        "Compare maps",
        "maps",
        "map_comparison.MapsPanel",
        area="bottom",
        opened=False,
        height_px=340,
        needs=("Explains",),
        asks=lambda document: document.view.maps,
    ),
    PanelEntry(
        "proof",
        "Proof",
        "proof",
        "proof.ProofPanel",
        area="bottom",
        opened=False,
        height_px=320,
        needs=("Explains",),
        asks=lambda document: document.view.proof,
    ),
    PanelEntry(
        "explore", "Explore", "explore", "latent_code.ExplorePanel", height_px=380, needs=("Generates",), asks=_always
    ),
    PanelEntry("samples", "Samples", "samples", "samples.SamplesPanel", height_px=260, needs=("Generates",)),
    PanelEntry(
        "timeline",
        "Timeline",
        "timeline",
        "timeline.TimelinePanel",
        area="bottom",
        opened=False,
        height_px=232,
        needs=("Generates",),
        asks=lambda document: bool(document.latent.keys),
    ),
    PanelEntry("manifold", "Manifold", "manifold", "manifold.ManifoldPanel", height_px=432, needs=("Generates",)),
    PanelEntry(
        "directions",
        "Directions",
        "directions",
        "directions.DirectionsPanel",
        opened=False,
        height_px=420,
        needs=("Generates",),
    ),
    PanelEntry(
        "arithmetic",
        "Arithmetic",
        "arithmetic",
        "arithmetic.ArithmeticPanel",
        opened=False,
        height_px=200,
        needs=("Generates",),
    ),
    PanelEntry(
        "anatomy",
        "Anatomy",
        "anatomy",
        "anatomy.AnatomyPanel",
        height_px=330,
        needs=("Generates", "Encodes"),
        asks=_always,
    ),
    PanelEntry(
        "inversion",
        "Inversion",
        "inversion",
        "inversion.InversionPanel",
        opened=False,
        height_px=300,
        needs=("Generates",),
        asks=lambda document: document.latent.sought is not None,
    ),
    PanelEntry(
        "critic",
        "Discriminator",
        "critic",
        "discriminator.CriticPanel",
        opened=False,
        height_px=260,
        needs=("Generates", "Scores"),
    ),
    PanelEntry(
        "neighbours",
        "Nearest real",
        "neighbours",
        "neighbours.NeighboursPanel",
        opened=False,
        height_px=260,
        needs=("Generates",),
    ),
    PanelEntry("model", "Model", "model", "model.ModelPanel", opened=False, height_px=380),
    PanelEntry(
        "beside",
        "Two models",
        "beside",
        "second_model.BesidePanel",
        opened=False,
        height_px=340,
        paints=lambda document: bool(document.beside),
    ),
    PanelEntry(
        "segment",
        "Segmentation",
        "segmentation",
        "segmentation.SegmentationPanel",
        height_px=280,
        needs=("SegmentsPicture",),
        asks=_always,
    ),
    PanelEntry(
        "depth",
        "Depth",
        "depth",
        "depth.DepthPanel",
        height_px=220,
        needs=("MeasuresDepth",),
        described=True,
        asks=_always,
    ),
)

ENTRIES = {entry.id: entry for entry in PANELS}
