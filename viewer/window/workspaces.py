"""The workspaces: kinds of work, each with panels and a layout of its own. Which panels is said in their entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.cards.card import task
from models.inspection import Description
from viewer.panels.registry import PanelEntry
from viewer.translation import tr


@dataclass(frozen=True)
class Workspace:
    """One kind of work."""

    id: str
    title: str
    icon: str
    help: str


WORKSPACES = (
    Workspace("find", tr("Find"), "boxes", tr("What the model finds in the picture, and how")),
    Workspace(
        "explain",
        tr("Explain"),
        "explain",
        tr("Which parts of the picture an answer rests on, and what layers respond to"),
    ),
    Workspace("compare", tr("Compare"), "compare", tr("Two models, two settings, or the maps of several methods")),
    Workspace("evaluate", tr("Evaluate"), "figures", tr("Ground truth, and the figures of a whole data set")),
    Workspace(
        "generate",
        tr("Generate"),
        "explore",
        tr("The latent space: draw pictures, walk from one to another, invert them"),
    ),
    Workspace("model", tr("Model"), "model", tr("What the file holds, how it is read, and what is assumed about it")),
)
BY_ID = {workspace.id: workspace for workspace in WORKSPACES}

# Capabilities by the workspace that suits a model with them; the first that applies counts.
_BY_CAPABILITY = {
    "Generates": "generate",
    "EstimatesLikelihood": "generate",
    "Detects": "find",
    "SegmentsPicture": "find",
    "Translates": "find",
    "FindsLandmarks": "find",
    "EstimatesDepth": "find",
    "Classifies": "explain",
    "Explains": "explain",
}
_BY_TASK = {
    "generation": "generate",
    "likelihood": "generate",
    "detection": "find",
    "segmentation": "find",
    "classification": "explain",
    "features": "explain",
    "picture to picture": "find",
    "landmarks": "find",
}


def fitting(model: str, description: Description | None) -> str:
    """Return the workspace that suits a model, "" while its task is unknown."""
    if description is None:
        return _BY_TASK.get(task(model), "")
    return next((found for need, found in _BY_CAPABILITY.items() if need in description.capabilities), "model")


def serves(workspace: str, entries: Iterable[PanelEntry], lacking: Iterable[str]) -> bool:
    """Return whether a panel that belongs to a workspace can answer for a model; those in `lacking` cannot."""
    missing = {*lacking}
    return any(entry.workspace == workspace and entry.id not in missing for entry in entries)
