"""What an adapter can answer. An inspection asks for these, never for a class of adapter. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from models.cards.card import Card
from models.detection.evidence import Evidence
from models.params import Value
from models.types import Anchors, Candidates, Float, Int, Pixels

if TYPE_CHECKING:
    from torch import Tensor

    from models.latent.space import Space
    from models.subject import Rect, Subject

T = TypeVar("T")


class Stages(Protocol):
    """Runs the stages of one model on one picture: each is timed, cached by name and key, and may be cancelled."""

    def run(self, name: str, make: Callable[[], T], *key: object) -> T:
        """Return the cached value of the stage, or make it."""
        ...

    def progress(self, fraction: float | None, text: str) -> None:
        """Report how much of a long stage is done, None for unknown. Raises Cancelled when it was called off."""
        ...

    def time(self, name: str, make: Callable[[], T]) -> T:
        """Make a value that is quicker to make than to keep, timed like a stage."""
        ...


@runtime_checkable
class Detects(Protocol):
    """Finds boxes in a picture, stage by stage."""

    card: Card

    @property
    def defaults(self) -> Mapping[str, Value]:
        """The model's own thresholds: score, iou, max_detections; with two stages rpn_score, rpn_iou, rpn_top_n."""
        ...

    @property
    def floor(self) -> float:
        """The lowest score that candidates are kept for."""
        ...

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Stages) -> Candidates:
        """Return all candidates above the floor; `settings` may hold the rpn_ parameters."""
        ...


@runtime_checkable
class HasAnchors(Protocol):
    """Decodes its boxes from anchors."""

    def anchors(self, pixels: Pixels, stages: Stages) -> Anchors:
        """Return the anchors for a picture, in its own pixels."""
        ...


@runtime_checkable
class Proposes(Protocol):
    """Has a first stage of region proposals (RPN)."""

    proposes: bool


@runtime_checkable
class Traces(Protocol):
    """Can show what every stage held of a picture, also of boxes that came to nothing."""

    def evidence(self, pixels: Pixels, settings: Mapping[str, Any], stages: Stages) -> Evidence:
        """Return what the stages held; `settings` may hold the rpn_ parameters."""
        ...


@runtime_checkable
class Segments(Protocol):
    """Gives each detection a mask."""

    def masks(self, pixels: Pixels, boxes: Float, labels: Int, stages: Stages) -> Float:
        """Return probabilities (K, h, w) within each of the boxes (K, 4), given in network pixels, for its label."""
        ...


@runtime_checkable
class FindsKeyPoints(Protocol):
    """Finds named points on each detection."""

    @property
    def point_names(self) -> tuple[str, ...]:
        """The names of the P points, in order."""
        ...

    def key_points(self, pixels: Pixels, boxes: Float, stages: Stages) -> tuple[Float, Float, Float]:
        """Return the points of boxes (K, 4), given in network pixels.

        (K, P, 3) x and y in pixels of the original and torchvision's visibility; (K, P) their scores, which are heights
        in the maps and no probabilities; (K, P, h, w) the maps they were found in, each stretched over its box.
        """
        ...


@runtime_checkable
class Classifies(Protocol):
    """Gives each class a score, for the picture as a whole."""

    def logits(self, pixels: Pixels, stages: Stages) -> Float:
        """Return the scores (C,) before the softmax."""
        ...


@runtime_checkable
class SegmentsPicture(Protocol):
    """Gives each pixel of a picture a class (semantic segmentation)."""

    def class_maps(self, pixels: Pixels, stages: Stages) -> Float:
        """Return the scores (C, h, w) before the softmax, for the pixels of the network's input."""
        ...


@runtime_checkable
class Explains(Protocol):
    """Its scores can be followed back through the network to the picture."""

    def subject(self, pixels: Pixels, stages: Stages, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions look into: of a detector one box, by its id (-1 the best) or a drawn region."""
        ...


@runtime_checkable
class Generates(Protocol):
    """Makes pictures of latent codes."""

    space: Space

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a picture."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Return pictures (N, C, H, W) from 0 to 1 of codes (N, D), C 1 or 3; gradients pass."""
        ...

    def pictures(self, codes: Float) -> Pixels:
        """Return pictures (N, H, W, 3) uint8 RGB of codes (N, D)."""
        ...

    def input(self, pixels: Pixels) -> tuple[Tensor, str]:
        """Return a picture (H, W, 3) uint8 RGB as (1, C, h, w) from 0 to 1, and what was done to it in words."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Tells the distribution of codes that a picture stands for."""

    likelihood: str
    sigma: float

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance (N, D) of pictures (N, C, H, W) from 0 to 1."""
        ...


@runtime_checkable
class Scores(Protocol):
    """Has a discriminator, which tells real pictures from made ones."""

    def score(self, pictures: Tensor) -> Tensor:
        """Return its number (N,) before the sigmoid for pictures (N, C, H, W) from 0 to 1: larger is more real."""
        ...


CAPABILITIES: dict[str, type] = {
    "Detects": Detects,
    "HasAnchors": HasAnchors,
    "Proposes": Proposes,
    "Traces": Traces,
    "Segments": Segments,
    "FindsKeyPoints": FindsKeyPoints,
    "Classifies": Classifies,
    "SegmentsPicture": SegmentsPicture,
    "Explains": Explains,
    "Generates": Generates,
    "Encodes": Encodes,
    "Scores": Scores,
}

# What is said of a model that does not have a capability.
LACKS = {
    "HasAnchors": "has no anchors",
    "Detects": "finds no boxes",
    "Proposes": "makes no proposals",
    "Traces": "does not show its stages",
    "Segments": "makes no masks",
    "FindsKeyPoints": "finds no key points",
    "Classifies": "tells no classes of a picture as a whole",
    "SegmentsPicture": "gives single pixels no class",
    "Explains": "does not show what its scores rest on",
    "Generates": "makes no pictures",
    "Encodes": "has no encoder",
    "Scores": "has no discriminator",
}


def lacks(capabilities: Sequence[str]) -> str:
    """Return in words what a model without some capabilities does not do, to follow its name."""
    return " and ".join(LACKS.get(name, f"lacks {name}") for name in capabilities)
