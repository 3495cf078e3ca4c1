"""The line under the picture: what the model knows, why not to ask it about this picture, and which would suit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import model_name
from models.cards import card as cards
from models.cards import knowledge
from models.cards.knowledge import Offer
from models.inspection import Description
from models.types import Pixels, Result
from viewer.session.document import Document
from viewer.translation import tr

COLOURED = 12.0  # mean distance of a pixel's largest and smallest value, of 255, from which a picture is in colour
STEP = 8  # of pixels looked at
FAR_SMALLER = 4  # times smaller than the network's input
CAPABLE = {
    "Detects": "detection",
    "Classifies": "classification",
    "SegmentsPicture": "segmentation",
    "Generates": "generation",
    "EstimatesLikelihood": "likelihood",
}
OTHERS = tr("For everyday photographs choose another model:")
OTHER_THINGS = tr("Anything else is taken for one of them; others know more:")


@dataclass(frozen=True)
class Line:
    """What is said: the model's knowledge, remarks about the picture, models that may suit it better."""

    knows: str
    remarks: tuple[str, ...] = ()
    lead: str = ""
    offers: tuple[Offer, ...] = ()


def line(
    document: Document,
    description: Description | None,
    pixels: Pixels | None,
    results: Mapping[str, tuple[Any, Result]],
    there: Collection[str] = (),
) -> Line | None:
    """Return what to say of the document's model and picture (H, W, 3), None before the model is described.

    `there` are the published models that are downloaded.
    """
    if description is None:
        return None
    about = description.about
    task = next((kind for need, kind in CAPABLE.items() if need in description.capabilities), "")
    knows = knowledge.sentence(document.model, task, description.classes, about)
    makes = "Generates" in description.capabilities and "Encodes" not in description.capabilities
    if pixels is None or document.source is None or makes:
        return Line(knows)  # of a picture that it is not asked about, there is nothing to say
    colours = _colours(about, pixels)
    remarks = tuple(filter(None, (colours, _small(about, pixels), _outside(results))))
    domain, own = knowledge.domain(about), model_name.split(document.model)[0]
    foreign = cards.samples(document.model) not in Path(document.source.path).parents
    if not (domain or colours) or not (foreign or remarks) or len(description.classes) >= 1000:
        return Line(knows, remarks)
    like = task if task in ("detection", "classification", "segmentation") else "classification"
    offers = knowledge.for_photographs(like, but=(own,), there=there)
    return Line(knows, remarks, OTHER_THINGS if domain == knowledge.PHOTOGRAPHS else OTHERS, tuple(offers))


def _colours(about: Mapping[str, Any], pixels: Pixels) -> str:
    """Return that a picture in colour meets a model for grey ones."""
    sides = about.get("input")
    one = about.get("channels") == 1 or (isinstance(sides, list | tuple) and len(sides) == 3 and sides[0] == 1)
    if not one and about.get("colours") != "grey":
        return ""
    few = pixels[::STEP, ::STEP].astype(np.int16)
    if float((few.max(-1) - few.min(-1)).mean()) < COLOURED:
        return ""
    return tr("This picture is in colour, and the model was made for grey ones.")


def _small(about: Mapping[str, Any], pixels: Pixels) -> str:
    """Return that a picture is far smaller than the network's input."""
    side = _input_side(about)
    height, width = pixels.shape[:2]
    if not side or max(height, width) * FAR_SMALLER > side:
        return ""
    return tr(
        "This picture has {width} × {height} pixels and is enlarged {side:.0f} times "
        "for the network: there is little in it to see.",
        width=width,
        height=height,
        side=side / max(height, width),
    )


def _input_side(about: Mapping[str, Any]) -> int:
    """Return the longer side of the network's input in pixels, 0 if it is not known."""
    given = about.get("preprocessing")
    sides = [about.get("input")]
    if isinstance(given, Mapping):
        sides = [given.get("crop"), given.get("size_px"), *sides]
    for found in sides:
        if isinstance(found, int):
            return found
        if isinstance(found, list | tuple) and found:
            return max(int(side) for side in found[-2:])
    return 0


def _outside(results: Mapping[str, tuple[Any, Result]]) -> str:
    """Return how unlike its own pictures an autoencoder finds this one, "" for nothing unusual."""
    meta = results["anatomy"][1].meta if "anatomy" in results else {}
    if not meta.get("outside"):
        return ""
    return " ".join(filter(None, (tr("This picture is unlike those the model was made for."), meta.get("typical", ""))))
