"""What is said of outputs whose meaning nothing tells: their reading as features, and names for their columns."""

from __future__ import annotations

from models.cards import class_names
from models.cards.card import BACKGROUND, GAP, Card
from models.interpretation import detector_reading
from models.interpretation.network_reading import FEATURES, Reading
from models.loading import architectures
from models.loading.first_pass import Output
from models.loading.returned_tensors import complaint
from models.types import Refusal


def features(card: Card, output: Output) -> Reading:
    """Return the reading of the tensor whose channels are shown: the last map, else the last tensor."""
    tensors = output.tensors
    sound = [i for i, (_, t) in enumerate(tensors) if 2 <= t.ndim <= 4 and len(t) == 1 and t.numel()]
    if not sound:
        text, advice = complaint(output.raw)
        raise Refusal(f"{card.name} {text}.", advice=advice)
    maps = [i for i in sound if tensors[i][1].ndim == 4]
    part = (maps or sound)[-1]
    tensor = tensors[part][1]
    title = f"features: {tensor.shape[-1 if tensor.ndim == 3 else 1]:,} channels"
    evidence = ("Any output can be looked at channel by channel, without a meaning.",)
    return Reading(FEATURES, title, FEATURES, 0.05, evidence, part)


def names(columns: int, serves: str, background: str) -> tuple[str, ...]:
    """Return names for columns of scores, of features or of classes of boxes, by what they serve."""
    if serves == FEATURES:
        return tuple(f"channel {number}" for number in range(columns))
    if serves == "classes":
        return architectures.numbered(columns)
    if background == "first" and columns == len(architectures.COCO):
        return architectures.COCO
    if background == "none" and columns in detector_reading.COCO:
        return class_names.names(detector_reading.COCO[columns])
    names = [f"class {number}" for number in range(columns)]
    if background == "first":
        names[0] = BACKGROUND[0]
    elif background == "last":
        names[-1] = GAP
    return tuple(names)
