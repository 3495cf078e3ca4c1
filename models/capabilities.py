"""Capabilities: the interfaces through which inspections use an adapter, independent of its class.

A minimal adapter is a file of `models/adapters`; the base `Scored` provides the capabilities Classifies and Explains:

    class SquaresAdapter(Scored):
        stages: ClassVar[Mapping[str, str]] = {"Detects": "{name} is a classifier: it finds no boxes."}

        def __init__(self, net: nn.Module, card: Card) -> None:
            self.net, self.card, self.preprocess = net.eval(), card, Preprocess(resize=32, crop=28)

        @staticmethod
        def match(net: nn.Module) -> bool:
            return isinstance(net, SquaresNet)

        @classmethod
        def tiny(cls) -> nn.Module:
            return SquaresNet(width=4)

    ADAPTER = SquaresAdapter

`stages` gives, by capability or stage, the reason why the model lacks it. `tiny` returns a random-weight miniature on
which the contract tests run. Without a base, a class implements the methods of its capabilities itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from models.cards.card import Card
from models.detection.evidence import Evidence
from models.params import Value
from models.types import Anchors, Candidates, Float, Growth, Int, Pixels, Translation

if TYPE_CHECKING:
    from torch import Tensor

    from models.detection.charts import Charts
    from models.detection.panoptic import Fusion
    from models.detection.peaks import HeatMaps
    from models.detection.prototypes import Prototypes
    from models.latent.space import Space
    from models.subject import Rect, Subject

T = TypeVar("T")


class Stages(Protocol):
    """Runs the stages of one model on one image: each is timed, cached by name and key, and can be cancelled."""

    def run(self, name: str, make: Callable[[], T], *key: object) -> T:
        """Return the cached value of the stage, or compute and store it."""
        ...

    def progress(self, fraction: float | None, text: str) -> None:
        """Report the fraction done of a long stage, None if unknown. Raises Cancelled."""
        ...

    def time(self, name: str, make: Callable[[], T]) -> T:
        """Compute a value that is cheaper to compute than to store, timed like a stage."""
        ...


@runtime_checkable
class Detects(Protocol):
    """Finds boxes in an image, stage by stage."""

    card: Card

    @property
    def defaults(self) -> Mapping[str, Value]:
        """The model's own thresholds: score, iou, max_detections; with two stages rpn_score, rpn_iou, rpn_top_n."""
        ...

    @property
    def floor(self) -> float:
        """The lowest score of a candidate."""
        ...

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Stages) -> Candidates:
        """Return all candidates above the floor; `settings` may hold the rpn_ parameters."""
        ...


@runtime_checkable
class HasAnchors(Protocol):
    """Decodes its boxes from anchors."""

    def anchors(self, pixels: Pixels, stages: Stages) -> Anchors:
        """Return the anchors for an image, in pixels of the original image."""
        ...


@runtime_checkable
class Proposes(Protocol):
    """Has a first stage of region proposals (RPN)."""

    proposes: bool


@runtime_checkable
class Traces(Protocol):
    """Can return the values of every stage for an image, including boxes that were discarded."""

    def evidence(self, pixels: Pixels, settings: Mapping[str, Any], stages: Stages) -> Evidence:
        """Return the values of the stages; `settings` may hold the rpn_ parameters."""
        ...


@runtime_checkable
class Segments(Protocol):
    """Predicts a mask for each detection."""

    def masks(self, pixels: Pixels, boxes: Float, labels: Int, stages: Stages) -> Float:
        """Return probabilities (K, h, w) within each of the boxes (K, 4), in network pixels, for its label.

        A model with `masks_by_id` set is also given `ids` (K,) of the detections, for boxes that are the same.
        """
        ...


@runtime_checkable
class FindsKeyPoints(Protocol):
    """Finds named points on each detection."""

    @property
    def point_names(self) -> tuple[str, ...]:
        """The names of the P points, in order."""
        ...

    def key_points(self, pixels: Pixels, boxes: Float, stages: Stages) -> tuple[Float, Float, Float]:
        """Return the key points of boxes (K, 4), given in network pixels.

        (K, P, 3) x and y in pixels of the original image, and torchvision's visibility; (K, P) their scores, which are
        peak heights in the maps rather than probabilities; (K, P, h, w) the maps, each stretched over its box.
        """
        ...


@runtime_checkable
class Classifies(Protocol):
    """Scores each class for the image as a whole."""

    def logits(self, pixels: Pixels, stages: Stages) -> Float:
        """Return the scores (C,) before the softmax."""
        ...


@runtime_checkable
class SegmentsPicture(Protocol):
    """Assigns a class to each pixel (semantic segmentation)."""

    def class_maps(self, pixels: Pixels, stages: Stages) -> Float:
        """Return the scores (C, h, w) before the softmax, for the pixels of the network's input."""
        ...


@runtime_checkable
class FusesSegments(Protocol):
    """Gives panoptic segments: each pixel has at most one."""

    def panoptic(self, pixels: Pixels, stages: Stages, *, score: float, mask: float, overlap: float) -> Fusion:
        """Return the segments at some thresholds, at the resolution of the masks over the network's input."""
        ...


@runtime_checkable
class Explains(Protocol):
    """Has scores that can be traced back through the network to the image, for attributions."""

    def subject(self, pixels: Pixels, stages: Stages, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: for a detector one box, by its id (-1 the best) or a drawn region."""
        ...


@runtime_checkable
class Generates(Protocol):
    """Generates images from latent codes."""

    space: Space

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a generated image."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Return images (N, C, H, W) in 0..1 for codes (N, D), with C 1 or 3; differentiable."""
        ...

    def pictures(self, codes: Float) -> Pixels:
        """Return images (N, H, W, 3) uint8 RGB for codes (N, D)."""
        ...

    def input(self, pixels: Pixels) -> tuple[Tensor, str]:
        """Convert an image (H, W, 3) uint8 RGB to (1, C, h, w) in 0..1; also describe in words how it was changed."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Encodes an image to a normal distribution of latent codes."""

    likelihood: str
    sigma: float

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance (N, D) for images (N, C, H, W) in 0..1."""
        ...


@runtime_checkable
class EstimatesLikelihood(Protocol):
    """Gives each value of a picture a distribution, given the values before it in an order.

    `shape` (C, H, W) is that of its pictures, `levels` the number K of values, and `ranks` (C, H, W) their order.
    """

    shape: tuple[int, int, int]
    levels: int
    ranks: Int
    order_title: str

    def pixel_logits(self, values: Tensor) -> Tensor:
        """Return the logits (N, K, C, H, W) of each value's levels, for values (N, C, H, W) from 0 to K - 1."""
        ...

    def values(self, pixels: Pixels) -> tuple[Int, str]:
        """Return an image (H, W, 3) uint8 RGB as values (C, H, W); also describe in words how it was changed."""
        ...


@runtime_checkable
class FindsCodes(Protocol):
    """Encodes an image to a latent code, with or without a variance."""

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return code and log variance (N, D), which is very low for a point, for images (N, C, H, W) in 0..1."""
        ...


@runtime_checkable
class JudgesCodes(Protocol):
    """Has a critic that tells codes of images from samples of a prior (adversarial autoencoder)."""

    prior: str

    def judge(self, codes: Tensor) -> Tensor:
        """Return its scores (N,) before the sigmoid for codes (N, D), above 0 for codes taken for the prior's."""
        ...


@runtime_checkable
class Scores(Protocol):
    """Has a discriminator, which distinguishes real images from generated ones."""

    def score(self, pictures: Tensor) -> Tensor:
        """Return its scores (N,) before the sigmoid for images (N, C, H, W) in 0..1; higher means more likely real."""
        ...


@runtime_checkable
class Grows(Protocol):
    """Generates pictures at levels, each of twice the `sides` of the one before, which fade into one another."""

    sides: tuple[int, ...]

    def grown(self, codes: Float, position: float) -> Growth:
        """Return the stage of growth at a position for one code (1, D): whole numbers are levels, from 0."""
        ...


@runtime_checkable
class Translates(Protocol):
    """Turns a picture into a picture; `code` says how its outputs stand for one."""

    code: Any

    def translated(self, pixels: Pixels, stages: Stages, *, tile: int, overlap: int) -> Translation:
        """Return the picture made of an image, above `tile` px a side in tiles that see `overlap` px around them."""
        ...


@runtime_checkable
class FindsLandmarks(Protocol):
    """Finds named points of the image as a whole."""

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """The names of the P points, in order; empty where every picture has others."""
        ...

    def landmarks(self, pixels: Pixels, stages: Stages) -> tuple[Float, Float | None]:
        """Return points (P, 3), x and y in pixels of the image and score, and their heat maps (P, h, w) if any."""
        ...


@runtime_checkable
class DetectsPeaks(Protocol):
    """Finds objects as peaks of heat maps."""

    def heat_maps(self, pixels: Pixels, stages: Stages) -> HeatMaps:
        """Return the heat maps of an image with what an object at each cell would have."""
        ...


@runtime_checkable
class CombinesPrototypes(Protocol):
    """Makes the mask of each detection as a weighted sum of prototypes that all of them share."""

    def prototypes(self, pixels: Pixels, boxes: Float, stages: Stages) -> Prototypes:
        """Return the prototypes of an image and the coefficients of boxes (K, 4), given in network pixels."""
        ...


@runtime_checkable
class MapsSurface(Protocol):
    """Says for each pixel which part of a surface it shows, and where on the part's chart it lies (DensePose)."""

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names of the P parts, in order."""
        ...

    def charts(self, pixels: Pixels, stages: Stages) -> Charts:
        """Return the part of each cell of the network's input and its place on the part's chart."""
        ...


@runtime_checkable
class EstimatesDepth(Protocol):
    """Gives one number for each pixel, such as depth."""

    def depth(self, pixels: Pixels, stages: Stages) -> Float:
        """Return the numbers (h, w) for cells of the network's input."""
        ...


@runtime_checkable
class Interpreted(Protocol):
    """Is of no known family: its outputs were interpreted by their values, and may be read in other ways."""

    @property
    def interpretation(self) -> Any:
        """What was found out about the network, with every reading of its outputs."""
        ...

    def raw_outputs(self, pixels: Pixels, stages: Stages, preprocess: Any = None) -> Any:
        """Return the network's input and its outputs by name for an image; `preprocess` prepares it in another way."""
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
    "FusesSegments": FusesSegments,
    "Explains": Explains,
    "Generates": Generates,
    "Encodes": Encodes,
    "EstimatesLikelihood": EstimatesLikelihood,
    "FindsCodes": FindsCodes,
    "JudgesCodes": JudgesCodes,
    "Scores": Scores,
    "Grows": Grows,
    "Translates": Translates,
    "FindsLandmarks": FindsLandmarks,
    "DetectsPeaks": DetectsPeaks,
    "CombinesPrototypes": CombinesPrototypes,
    "MapsSurface": MapsSurface,
    "EstimatesDepth": EstimatesDepth,
    "Interpreted": Interpreted,
}


def provides(model: Any, name: str) -> bool:
    """Return whether a model has the capability called `name`."""
    return isinstance(model, CAPABILITIES[name])


# What the interface says about a model without a capability, after the model's name.
LACKS = {
    "HasAnchors": "has no anchors",
    "Detects": "finds no boxes",
    "Proposes": "makes no proposals",
    "Traces": "does not show its stages",
    "Segments": "makes no masks",
    "FindsKeyPoints": "finds no key points",
    "Classifies": "tells no classes of a picture as a whole",
    "SegmentsPicture": "does not classify pixels",
    "FusesSegments": "gives no panoptic segments",
    "Explains": "does not explain its scores",
    "Generates": "makes no pictures",
    "Encodes": "has no encoder",
    "EstimatesLikelihood": "gives no likelihood pixel by pixel",
    "FindsCodes": "has no encoder",
    "JudgesCodes": "has no critic of codes",
    "Scores": "has no discriminator",
    "Grows": "does not grow level by level",
    "Translates": "makes no picture of a picture",
    "FindsLandmarks": "finds no landmarks",
    "DetectsPeaks": "has no heat maps of objects",
    "CombinesPrototypes": "makes no masks of prototypes",
    "MapsSurface": "maps no pixels to charts of a surface",
    "EstimatesDepth": "gives no depth",
    "Interpreted": "is of a known family, so its outputs need no interpretation",
}


def lacks(capabilities: Sequence[str]) -> str:
    """Return in words what a model without some capabilities does not do, to follow its name."""
    return " and ".join(LACKS.get(name, f"lacks {name}") for name in capabilities)
