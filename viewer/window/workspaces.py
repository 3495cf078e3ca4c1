"""The workspaces: which panels belong to each kind of work, and which workspace suits a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.cards.card import task
from models.inspection import Description

FIND, EXPLAIN, COMPARE, EVALUATE, GENERATE, MODEL = "find", "explain", "compare", "evaluate", "generate", "model"


@dataclass(frozen=True)
class Workspace:
    """One kind of work. `opened` are the panels open at first, of those in one place the one in front first."""

    id: str
    title: str
    icon: str
    help: str
    opened: tuple[str, ...]


WORKSPACES = (
    Workspace(
        FIND,
        "Find",
        "boxes",
        "What the model finds in the picture, where, and on the way to what",
        ("detect", "segment", "classify", "anchors", "masks", "keypoints", "film"),
    ),
    Workspace(
        EXPLAIN,
        "Explain",
        "explain",
        "Which parts of the picture an answer rests on, and what the layers respond to",
        ("classify", "detect", "segment", "explore", "attribution", "film"),
    ),
    Workspace(
        COMPARE,
        "Compare",
        "compare",
        "Two models, two settings, or maps of several methods side by side",
        ("detect", "classify", "segment", "explore", "beside", "compare", "maps", "film"),
    ),
    Workspace(
        EVALUATE,
        "Evaluate",
        "figures",
        "Ground truth, and figures of a whole data set",
        ("detect", "classify", "segment", "truth", "figures", "film"),
    ),
    Workspace(
        GENERATE,
        "Generate",
        "explore",
        "The latent space: draw, walk, mix and invert pictures",
        ("explore", "samples", "manifold", "anatomy", "film"),
    ),
    Workspace(
        MODEL,
        "Model",
        "model",
        "What the file holds, how it is read, and what is assumed of it",
        ("model", "detect", "classify", "segment", "explore", "film"),
    ),
)
BY_ID = {workspace.id: workspace for workspace in WORKSPACES}

# The capability that makes a model at home in a workspace, the first that applies.
_BY_CAPABILITY = {
    "Generates": GENERATE,
    "Detects": FIND,
    "SegmentsPicture": FIND,
    "Classifies": EXPLAIN,
    "Explains": EXPLAIN,
}
_BY_TASK = {
    "generation": GENERATE,
    "detection": FIND,
    "segmentation": FIND,
    "classification": EXPLAIN,
    "features": EXPLAIN,
}
# Panels that show a model's answer: they are in several workspaces, and make none of them useful by themselves.
ANSWERS = ("detect", "classify", "segment", "explore", "film", "model", "live", "log")


def fitting(model: str, description: Description | None) -> str:
    """Return the workspace that suits a model; "" while nothing is known of it but a name that tells no task."""
    if description is None:
        return _BY_TASK.get(task(model), "")
    return next((to for need, to in _BY_CAPABILITY.items() if need in description.capabilities), MODEL)


def serves(workspace: str, members: Iterable[str], lacking: Iterable[str]) -> bool:
    """Return whether any of a workspace's panels, `members`, can answer for a model, all but those `lacking`."""
    able = {*members} - {*lacking}
    return workspace in (MODEL, COMPARE) or bool(able - {*ANSWERS}) or {"detect", "segment"} & able != set()
