"""Attribution: the methods a model offers, the requests for the document's target, and the results in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.inspection import Description, Offer
from models.quantity import TITLES
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Boxes, Layer
from viewer.presenters.detections import detection_texts
from viewer.presenters.heatmap import number
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.lookup import row_of
from viewer.translation import tr

FIRST = "grad_cam"
GROUPS = (
    tr("Class activation maps"),
    tr("Gradients"),
    tr("Guided"),
    tr("Layers"),
    tr("Perturbations"),
)  # in display order; others follow
WITHIN = tr("What is explained is now the class, or the colour, within the rectangle. Esc clears the rectangle.")
HIDES = tr("Feature ablation hides the rectangle and says what that costs. Esc clears the rectangle.")
ABOUT = ("target", "against", "part", "box", "region", "layer")  # set in the window, not in a method's form
PARTS = {
    "score": tr("Class score"),
    "x0": tr("Left edge"),
    "y0": tr("Upper edge"),
    "x1": tr("Right edge"),
    "y1": tr("Lower edge"),
}
SMALL_DELTA = 0.05
EXPLAINED = "explained"
BOX = re.compile(r"\bbox (\d+)$")
CAUTION = tr(
    "Looks sharp and proves little: guided maps hardly change when the weights are made random (Adebayo et al. 2018)."
)
GUIDED = ("guided_backprop", "deconvnet", "guided_grad_cam")


@dataclass(frozen=True)
class Judgement:
    """The verdict on a method before it runs; level "" means not known yet."""

    level: str = ""
    reason: str = ""


def methods(description: Description | None) -> list[Offer]:
    """Return the attribution methods, group by group."""
    offers = [offer for offer in description.offers.values() if offer.group] if description else []
    groups = list(dict.fromkeys((*GROUPS, *(offer.group for offer in offers))))
    return sorted(offers, key=lambda offer: groups.index(offer.group))


def layered(offer: Offer) -> bool:
    """Return whether a method works on a layer."""
    return any(parameter.name == "layer" for parameter in offer.parameters)


def verdicts(document: Document, description: Description | None) -> Request | None:
    """Return the request for which methods are valid, while they are listed or one of them is shown."""
    if not (document.view.explaining or document.method):
        return None
    return request_plan.explain("verdicts", document, description)


def layers(document: Document, description: Description | None) -> Request | None:
    """Return the request for the network's calls, while they are listed; of the target they depend only on the box."""
    asked = request_plan.explain("layers", document, description) if document.view.layers else None
    if asked is None:
        return None
    about = {name: value for name, value in asked.params if name in ("box", "region")}
    return Request.make(asked.inspection, asked.model, asked.source, about)


def attribution(document: Document, description: Description | None) -> Request | None:
    """Return the request for the map of the chosen method, once it is known to be valid there."""
    if not document.method or document.method in document.view.unfit:
        return None
    asked = request_plan.explain("verdicts", document, description)
    if asked is None or asked != document.view.judged:
        return None
    return request_plan.explain(document.method, document, description)


def judged(document: Document, request: Request, result: Result) -> Document:
    """Return the document with the methods that turned out to be invalid."""
    unfit = tuple(m["id"] for m in result.meta["methods"] if m["level"] == "never")
    return document.with_view(judged=request, unfit=unfit)


def judgements(result: Result | None) -> dict[str, Judgement]:
    """Return the verdict on each method, by its id."""
    listed: Sequence[Mapping[str, Any]] = result.meta["methods"] if result is not None else ()
    return {m["id"]: Judgement(m["level"], m["reason"]) for m in listed}


def stepped(document: Document, description: Description | None, by: int) -> str:
    """Return the valid method `by` positions after the chosen one, "" if there is none."""
    offered = methods(description)
    names = [offer.id for offer in offered]
    fit = {offer.id for offer in offered if not offer.reason} - set(document.view.unfit)
    if not fit:
        return ""
    at = names.index(document.method) if document.method in names else min(-by, 0)
    return next(name for step in range(1, len(names) + 1) if (name := names[(at + by * step) % len(names)]) in fit)


def begun(document: Document, description: Description | None) -> Document:
    """Return the document with a method chosen: the current one, or the default."""
    offered = [offer.id for offer in methods(description)]
    if document.method or not offered:
        return document
    return document.explaining(method=FIRST if FIRST in offered else offered[0])


def with_target(document: Document, name: str) -> Document:
    """Return the document with a class to explain, "" for the highest-scoring one.

    With a region, the region's class.
    """
    against = "" if name and name == document.against else document.against
    document = document.explaining(target=name, against=against)
    return document.with_region(document.region, name) if document.region else document


def target_of(document: Document) -> str:
    """Return the chosen class, "" for none; that of a drawn region takes precedence."""
    return (document.region_label if document.region else "") or document.target


def subject(document: Document, texts: Mapping[int, str]) -> str:
    """Return which box of a detector the map explains, in words; `texts` name detections by their ids."""
    if document.region:
        x0, y0, x1, y1 = document.region
        return tr(
            "Rectangle at x {x0:.0f} to {x1:.0f}, y {y0:.0f} to {y1:.0f}: an object that was missed",
            x0=x0,
            x1=x1,
            y0=y0,
            y1=y1,
        )
    if document.selected >= 0:
        return texts.get(document.selected, tr("Selected box"))
    return tr("Best box; click another to choose it")


def facts(result: Result, texts: Mapping[int, str]) -> list[tuple[str, str]]:
    """Return the numbers that belong to a map; `texts` name detections by their ids."""
    meta = result.meta
    target = BOX.sub(lambda box: tr("box {box}", box=texts.get(int(box[1]), box[1])), str(meta["target"]))
    found = [(tr("Explains"), target), (TITLES[meta["quantity"]], number(meta["score"]))]
    if meta["probability"] is not None:
        found[-1] = (
            tr("Score"),
            tr("{score}, probability {probability:.4f}", score=number(meta["score"]), probability=meta["probability"]),
        )
    if meta.get("layer"):
        found.append((tr("Layer"), str(meta["layer"])))
    height, width = result.arrays["map"].shape
    found.append((tr("Map"), tr("{width} × {height} cells", width=width, height=height)))
    if meta["delta"] is not None:
        delta = abs(float(meta["delta"]))
        small = tr("small: the map adds up to the score") if delta <= SMALL_DELTA else tr("large: read it with care")
        found.append((tr("Completeness"), tr("off by {delta:.2%}, {small}", delta=delta, small=small)))
    return found


def explained_layers(result: Result, found: Result | None) -> list[Layer]:
    """Return the mark of the detection that a map explains; none for a class, a region, or before it is detected."""
    box = BOX.search(str(result.meta["target"]))
    row = row_of(found, int(box[1])) if box is not None and found is not None else -1
    if found is None or row < 0:
        return []
    text = tr("Explained: {detection_texts}", detection_texts=detection_texts(found)[row])
    boxes, labels = found.arrays["boxes"][[row]], found.arrays["labels"][[row]]
    return [Boxes(EXPLAINED, boxes, labels, [text], dashed=True, width=3.0, selected=0, hoverable=False)]
