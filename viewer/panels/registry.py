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
ALL = "all"
WITH_ANSWERS = ("find", "explain", "compare", "evaluate")  # workspaces that show what the model answers


@dataclass(frozen=True)
class PanelEntry:
    """One panel: its `id`, `title`, the name of its `icon`, and its `place`, "module.Class" in this folder.

    `workspace` is the one it belongs to, of those in viewer/window/workspaces.py, "all" for one that serves every work;
    `opened` are the workspaces in which it is open at first. `area` is the dock area, and `height_px` the minimum
    height on opening. A panel with `beside` set also paints over the second model's picture.

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
    workspace: str = ""
    opened: tuple[str, ...] = ()
    area: str = "right"
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
        "detect",
        "Detection",
        "boxes",
        "detection.DetectionPanel",
        workspace="find",
        opened=WITH_ANSWERS,
        needs=("Detects",),
        beside=True,
        asks=_always,
    ),
    PanelEntry(
        "anchors",
        "Anchors",
        "anchors",
        "anchors.AnchorPanel",
        workspace="find",
        opened=("find",),
        needs=("HasAnchors",),
        beside=True,
        asks=lambda document: document.view.anchors in ("here", "density", "all"),
    ),
    PanelEntry("film", "Pictures", "film", "film_strip.FilmPanel", workspace=ALL, area="left"),
    PanelEntry(
        "results", "Results", "list", "results.ResultsPanel", workspace="find", area="bottom", needs=("Detects",)
    ),
    PanelEntry("live", "Live", "play", "live.LivePanel", workspace=ALL, area="bottom"),
    PanelEntry("log", "Log", "info", "log.LogPanel", workspace="model", area="bottom"),
    PanelEntry(
        "lineage",
        "Lineage",
        "lineage",
        "lineage.LineagePanel",
        workspace="find",
        area="bottom",
        height_px=256,
        needs=("Detects", "Traces"),
        asks=lambda document: document.view.lineage or document.view.anchors == "lineage",
    ),
    PanelEntry(
        "missed",
        "Why missed?",
        "missed",
        "why_missed.MissedPanel",
        workspace="find",
        area="bottom",
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
        workspace="evaluate",
        opened=("evaluate",),
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
        workspace="compare",
        opened=("compare",),
        height_px=310,
        needs=("Detects",),
        asks=lambda document: document.pinned is not None,
    ),
    PanelEntry(
        "figures",
        "Figures",
        "figures",
        "figures.FiguresPanel",
        workspace="evaluate",
        opened=("evaluate",),
        area="bottom",
        needs=("Detects",),
        asks=lambda document: document.view.figures != "off",
    ),
    PanelEntry(
        "workbench",
        "Anchor workbench",
        "workbench",
        "anchor_workbench.WorkbenchPanel",
        workspace="find",
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
        workspace="find",
        opened=("find",),
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
        workspace="find",
        opened=("find",),
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
        workspace="explain",
        area="bottom",
        height_px=296,
        inspection="filters",
    ),
    PanelEntry(
        "activations",
        "Activations",
        "activations",
        "activations.ActivationPanel",
        workspace="explain",
        area="bottom",
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
        workspace="explain",
        area="bottom",
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
        workspace="explain",
        opened=WITH_ANSWERS,
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
        workspace="explain",
        opened=("explain",),
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
        workspace="explain",
        area="bottom",
        height_px=300,
        needs=("Explains",),
        asks=lambda document: document.view.layers,
    ),
    PanelEntry(
        "maps",
        "Compare maps",
        "maps",
        "map_comparison.MapsPanel",
        workspace="compare",
        area="bottom",
        height_px=340,
        needs=("Explains",),
        asks=lambda document: document.view.maps,
    ),
    PanelEntry(
        "proof",
        "Proof",
        "proof",
        "proof.ProofPanel",
        workspace="explain",
        area="bottom",
        height_px=320,
        needs=("Explains",),
        asks=lambda document: document.view.proof,
    ),
    PanelEntry(
        "robustness",
        "Robustness",
        "robustness",
        "robustness.RobustnessPanel",
        workspace="explain",
        height_px=340,
        needs=("Classifies", "Explains"),
    ),
    PanelEntry(
        "concepts",
        "Concepts",
        "concepts",
        "concepts.ConceptsPanel",
        workspace="explain",
        height_px=400,
        needs=("Classifies", "Explains"),
    ),
    PanelEntry(
        "influence",
        "Influence",
        "influence",
        "influence.InfluencePanel",
        workspace="explain",
        height_px=400,
        needs=("Classifies", "Explains"),
    ),
    PanelEntry(
        "explore",
        "Explore",
        "explore",
        "latent_code.ExplorePanel",
        workspace="generate",
        opened=("generate", "explain", "compare"),
        height_px=380,
        needs=("Generates",),
        asks=_always,
    ),
    PanelEntry(
        "samples",
        "Samples",
        "samples",
        "samples.SamplesPanel",
        workspace="generate",
        opened=("generate",),
        height_px=260,
        needs=("Generates",),
    ),
    PanelEntry(
        "timeline",
        "Timeline",
        "timeline",
        "timeline.TimelinePanel",
        workspace="generate",
        area="bottom",
        height_px=232,
        needs=("Generates",),
        asks=lambda document: bool(document.latent.keys),
    ),
    PanelEntry(
        "manifold",
        "Manifold",
        "manifold",
        "manifold.ManifoldPanel",
        workspace="generate",
        opened=("generate",),
        height_px=432,
        needs=("Generates",),
    ),
    PanelEntry(
        "directions",
        "Directions",
        "directions",
        "directions.DirectionsPanel",
        workspace="generate",
        height_px=420,
        needs=("Generates",),
    ),
    PanelEntry(
        "arithmetic",
        "Arithmetic",
        "arithmetic",
        "arithmetic.ArithmeticPanel",
        workspace="generate",
        height_px=200,
        needs=("Generates",),
    ),
    PanelEntry(
        "anatomy",
        "Anatomy",
        "anatomy",
        "anatomy.AnatomyPanel",
        workspace="generate",
        opened=("generate",),
        height_px=330,
        needs=("Generates", "Encodes"),
        asks=_always,
    ),
    PanelEntry(
        "inversion",
        "Inversion",
        "inversion",
        "inversion.InversionPanel",
        workspace="generate",
        height_px=300,
        needs=("Generates",),
        asks=lambda document: document.latent.sought is not None,
    ),
    PanelEntry(
        "critic",
        "Discriminator",
        "critic",
        "discriminator.CriticPanel",
        workspace="generate",
        height_px=260,
        needs=("Generates", "Scores"),
    ),
    PanelEntry(
        "neighbours",
        "Nearest real",
        "neighbours",
        "neighbours.NeighboursPanel",
        workspace="generate",
        height_px=260,
        needs=("Generates",),
    ),
    PanelEntry("model", "Model", "model", "model.ModelPanel", workspace="model", opened=("model",), height_px=380),
    PanelEntry(
        "translate",
        "Picture to picture",
        "translation",
        "translation.TranslationPanel",
        workspace="find",
        opened=WITH_ANSWERS,
        height_px=300,
        needs=("Translates",),
        asks=_always,
        described=True,
    ),
    PanelEntry(
        "landmarks",
        "Landmarks",
        "keypoints",
        "landmarks.LandmarkPanel",
        workspace="find",
        opened=WITH_ANSWERS,
        height_px=280,
        needs=("FindsLandmarks",),
        asks=_always,
        described=True,
    ),
    PanelEntry(
        "interpretation",
        "Interpretation",
        "interpretation",
        "interpretation.InterpretationPanel",
        workspace="model",
        opened=("model",),
        height_px=420,
        needs=("Interpreted",),
    ),
    PanelEntry(
        "beside",
        "Two models",
        "beside",
        "second_model.BesidePanel",
        workspace="compare",
        opened=("compare",),
        height_px=340,
        paints=lambda document: bool(document.beside),
    ),
    PanelEntry(
        "segment",
        "Segmentation",
        "segmentation",
        "segmentation.SegmentationPanel",
        workspace="find",
        opened=WITH_ANSWERS,
        height_px=280,
        needs=("SegmentsPicture",),
        asks=_always,
    ),
    PanelEntry(
        "depth",
        "Depth",
        "depth",
        "depth.DepthPanel",
        workspace="find",
        opened=WITH_ANSWERS,
        height_px=220,
        needs=("EstimatesDepth",),
        described=True,
        asks=_always,
    ),
)

ENTRIES = {entry.id: entry for entry in PANELS}
