"""The lineage of a box and the loss of an object, as layers and text, for the screen and exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.inspection import Description
from models.types import Result
from viewer.canvas.layers import CORRECT, MISSED, NO_CLASS, Boxes, Layer, Links
from viewer.session.document import Document
from viewer.translation import tr, trn

ANCHOR, PROPOSAL, BOX, REMOVED, REMOVER = (
    f"lineage {part}" for part in ("anchor", "proposal", "box", "removed", "remover")
)
REGION, LOST, TAKER, HIDDEN = "region", "missed best", "missed remover", "hidden region"
ANCHOR_COLOUR, PROPOSAL_COLOUR = 1, 2
MOST_LABELLED = 2
QUERY = "query"
ORIGINS = {"anchor": tr("Anchor"), "cell": tr("Grid cell"), QUERY: tr("Row of the output")}
Facts = list[tuple[str, str]]
FATES = {
    "low": tr("Below the score"),
    "suppressed": tr("Removed by NMS"),
    "hidden": tr("Class hidden"),
    "cut": tr("Beyond the maximum"),
    "no proposal": tr("Not proposed"),
    "no candidate": tr("Not a candidate"),
}


def lineage_layers(result: Result, *, alone: bool = False) -> list[Layer]:
    """Return a box's lineage: anchor dashed, proposal thin, the boxes it removed and that removed it, linked, with IoU.

    The box itself is included only if the detections do not show it, or are not shown (`alone`).
    """
    finding, arrays, classes = result.meta["finding"], result.arrays, result.meta["classes"]
    label, ending, box = int(finding["label"]), finding["end"], arrays["box"]
    colour = np.array([label])
    layers: list[Layer] = []
    if len(box) and len(arrays["removed_boxes"]):
        removed = arrays["removed_boxes"]
        texts = [
            f"{classes[k]} {s:.2f} · IoU {iou:.2f}"
            for k, s, iou in zip(arrays["removed_labels"], arrays["removed_scores"], arrays["removed_iou"], strict=True)
        ]
        layers.append(
            Boxes(
                REMOVED,
                removed,
                arrays["removed_labels"],
                texts,
                dashed=True,
                width=1.2,
                opacity=0.75,
                ids=arrays["removed_ids"],
                labelled=len(removed) <= MOST_LABELLED,
            )
        )
        layers.append(_links("lineage links", removed, box, arrays["removed_labels"]))
    if len(box) and len(arrays["remover"]):
        by = ending["remover"]
        name, at = f"{classes[by['label']]} {by['score']:.2f}", np.array([by["label"]])
        text = f"{name} · IoU {by['iou']:.2f}"
        layers.append(Boxes(REMOVER, arrays["remover"], at, [text], ids=np.array([by["id"]])))
        layers.append(_links("lineage link", box, arrays["remover"], colour))
    if finding["origin"]["kind"] != QUERY:
        text = tr("{kind}, level {level}", kind=finding["origin"]["kind"], level=finding["origin"]["level"])
        origin = Boxes(ANCHOR, arrays["origin"], np.array([ANCHOR_COLOUR]), [text], dashed=True, hoverable=False)
        layers.append(origin)
    if len(arrays["proposal"]):
        text = tr("proposal {value:.2f}", value=finding["objectness"]["value"])
        proposal = Boxes(PROPOSAL, arrays["proposal"], np.array([PROPOSAL_COLOUR]), [text], width=1.2, hoverable=False)
        layers.append(proposal)
    shown = ending["fate"] == "shown"
    if len(box) and (alone or not shown):
        name = f"{finding['name']} {finding['class']['score']:.2f}"
        fate = "" if shown else FATES[ending["fate"]]
        text = name if shown else f"{name} · {fate[0].lower()}{fate[1:]}"
        layers.append(Boxes(BOX, box, colour, [text], dashed=not shown, ids=np.array([finding["id"]])))
    return layers


def origin_facts(finding: Mapping[str, Any], box: np.ndarray) -> Facts:
    """Describe the anchor, cell or query; rows and columns count from 0, sizes are also given in network pixels."""
    origin = finding["origin"]
    if origin["kind"] == QUERY:
        return [
            (tr("Number"), tr("{column:,} of {columns:,}", column=origin["column"], columns=origin["columns"])),
            (tr("Box"), box_text(box)),
        ]
    facts = [
        (
            tr("Level"),
            tr(
                "{level} ({rows:,} × {columns:,} cells)",
                level=origin["level"],
                rows=origin["rows"],
                columns=origin["columns"],
            ),
        ),
        (tr("Cell"), tr("row {row:,}, column {column:,}", row=origin["row"], column=origin["column"])),
    ]
    if origin["per_cell"] > 1:
        facts.append(
            (
                tr("In the cell"),
                tr("{of_cell} of {per_cell}", of_cell=origin["of_cell"] + 1, per_cell=origin["per_cell"]),
            )
        )
    facts += [
        (tr("Box"), box_text(box)),
        (tr("Scale"), _both(f"{origin['scale']:.1f}", f"{origin['scale_network']:.1f}", unit=" px")),
        (tr("Ratio w/h"), _both(f"{origin['ratio']:.2f}", f"{origin['ratio_network']:.2f}")),
    ]
    return facts


def proposal_facts(finding: Mapping[str, Any], box: np.ndarray) -> Facts:
    """Describe the first stage; [] if there is none."""
    found = finding["objectness"]
    if found is None:
        return []
    if "pool_rank" not in found:
        return _factor_facts(found)
    pool = (
        tr("{pool_rank:,} of {pool_of:,}", pool_rank=found["pool_rank"], pool_of=found["pool_of"])
        if found["pool_rank"]
        else tr("not among the best of its level")
    )
    stopped = {
        "": tr(
            "{proposal_rank:,} of {proposals:,}",
            proposal_rank=found["proposal_rank"] or 0,
            proposals=found["proposals"],
        ),
        "pool": tr("not reached"),
        "score": tr("below Proposal score"),
        "nms": tr("removed by a better one, IoU {removed_iou:.2f}", removed_iou=found.get("removed_iou", 0.0)),
        "top_n": tr("beyond Proposals kept"),
    }
    return [
        (tr("Objectness"), f"{found['value']:.4f}"),
        (tr("Of all anchors"), tr("{rank:,} of {of:,}", rank=found["rank"], of=found["of"])),
        (
            tr("Of its level"),
            tr("{level_rank:,} of {level_of:,}", level_rank=found["level_rank"], level_of=found["level_of"]),
        ),
        (tr("Of the pool"), pool),
        (tr("Of proposals"), stopped[found["stopped"]]),
        (tr("Box"), box_text(box)),
    ]


def _factor_facts(found: Mapping[str, Any]) -> Facts:
    """Describe the objectness of a one-stage detector, a factor of its scores."""
    facts = [
        (tr("Objectness"), f"{found['value']:.4f}"),
        (tr("Of all"), tr("{rank:,} of {of:,}", rank=found["rank"], of=found["of"])),
        (
            tr("Of its level"),
            tr("{level_rank:,} of {level_of:,}", level_rank=found["level_rank"], level_of=found["level_of"]),
        ),
    ]
    if found["alone"] is not None:
        facts.append((tr("Class alone"), f"{found['alone']:.4f}"))
    return [
        *facts,
        (tr("Score"), tr("√(objectness × class)") if found["combine"] != "product" else tr("objectness × class")),
    ]


def origin_title(finding: Mapping[str, Any]) -> str:
    """Return the title of the facts about where a box comes from."""
    return ORIGINS[finding["origin"]["kind"]]


def proposal_title(finding: Mapping[str, Any]) -> str:
    """Return the title of the facts that follow the origin."""
    return tr("Proposal") if finding["objectness"] is None or "pool_rank" in finding["objectness"] else tr("Objectness")


def absent_text(finding: Mapping[str, Any]) -> str:
    """Return why there is no objectness and no proposal, or only no proposal, a line each."""
    absent = finding["absent"]
    if not absent:
        return tr("One stage:\nno objectness,\nno proposals.")
    return "\n".join(f"{title}: {reason[0].lower()}{reason[1:]}" for title, reason in absent.items())


def ending_text(finding: Mapping[str, Any]) -> str:
    """Return what became of the box: "7 of 23 shown"."""
    end = finding["end"]
    match end["fate"]:
        case "shown":
            return tr("{rank:,} of {shown:,} shown", rank=end["rank"], shown=end["shown"])
        case "cut":
            return tr("Number {rank:,}: beyond the maximum of {shown:,}", rank=end["rank"], shown=end["shown"])
        case "low":
            return tr("Below the score of {threshold:g}", threshold=end["threshold"])
    return FATES[end["fate"]]


def headline(finding: Mapping[str, Any], box: np.ndarray) -> str:
    """Return in one line what the box is and what became of it: "3 0.9312 · 7 of 23 shown · best of 10 classes"."""
    score = finding["class"]
    if score is None or not len(box):
        return f"{finding['name']} · {ending_text(finding)}"
    place = tr("best") if score["rank"] == 1 else tr("number {rank}", rank=score["rank"])
    parts = [f"{finding['name']} {score['score']:.4f}", ending_text(finding)]
    return " · ".join([*parts, tr("{place} of {of} classes", place=place, of=score["of"]), box_text(box)])


def suppression_text(finding: Mapping[str, Any], removed: int) -> str:
    """Return what suppression did to the box, or what the box suppressed, as the title of a list of boxes."""
    if "remover" in finding["end"]:
        return tr("Removed by")
    return trn("Removed {n:,} box", "Removed {n:,} boxes", removed) if removed else tr("Removed no box")


def below_text(finding: Mapping[str, Any]) -> str:
    """Return how many boxes below the score threshold it also suppressed, "" for none."""
    below = finding["end"]["removed_below"]
    return tr("and {below:,} below the score", below=below) if below else ""


def lineage_text(result: Result) -> str:
    """Return the whole lineage as lines of text for the clipboard."""
    finding, arrays, classes = result.meta["finding"], result.arrays, result.meta["classes"]
    end = finding["end"]
    lines = [headline(finding, arrays["box"])]
    lines += [tr("  Corners: {what}", what=", ".join(f"{float(v):.2f}" for v in box)) for box in arrays["box"]]
    lines += [origin_title(finding)]
    lines += _indented(origin_facts(finding, arrays["origin"]))
    proposal = proposal_facts(finding, arrays["proposal"])
    if proposal:
        lines += [proposal_title(finding), *_indented(proposal)]
    else:
        lines += (
            absent_text(finding).split("\n") if finding["absent"] else [tr("One stage: no objectness, no proposals")]
        )
    if len(arrays["class_scores"]):
        lines += [tr("Class scores"), *_indented([(n, f"{s:.6f}") for _, n, s in class_scores(result)])]
    suppression = suppression_text(finding, len(arrays["removed_ids"])), below_text(finding)
    lines.append(" ".join(part for part in suppression if part))
    if "remover" in end:
        by = end["remover"]
        lines.append(
            tr(
                "  {classes} {score:.4f} at IoU {iou:.4f}",
                classes=classes[by["label"]],
                score=by["score"],
                iou=by["iou"],
            )
        )
    columns = (arrays["removed_labels"], arrays["removed_scores"], arrays["removed_iou"])
    lines += [
        tr("  {classes} {s:.4f} at IoU {iou:.4f}", classes=classes[k], s=s, iou=iou)
        for k, s, iou in zip(*columns, strict=True)
    ]
    return "\n".join(lines)


def class_scores(result: Result) -> list[tuple[int, str, float]]:
    """Return (label, name, score) of every class, highest score first; the background has the label of no class."""
    scores, classes = result.arrays["class_scores"], result.meta["classes"]
    background = 0 if result.meta["has_background"] else -1
    names = [(NO_CLASS, "background") if at == background else (at, name) for at, name in enumerate(classes)]
    order = np.argsort(-scores, kind="stable").tolist()
    return [(*names[at], float(scores[at])) for at in order]


def missed_layers(region: tuple[float, ...], result: Result | None) -> list[Layer]:
    """Return an object's rectangle and, once known, its best box where it was lost and the box that took its place."""
    found = result is not None and result.meta["finding"]["stage"] == "shown"
    colour = CORRECT if found else MISSED
    frame = Boxes(REGION, np.array([region]), np.array([colour]), dashed=True, width=2.5, hoverable=False)
    if result is None or found:
        return [frame]
    finding, arrays = result.meta["finding"], result.arrays
    best, layers = finding["best"], []
    title = next((step["title"] for step in finding["stages"] if step["id"] == finding["stage"]), "")
    if len(arrays["best"]):
        label = best["label"] if best else NO_CLASS
        text = f"{best['name']} {best['score']:.2f} · {title}" if best else tr("nearest box")
        layers.append(Boxes(LOST, arrays["best"], np.array([label]), [text], dashed=True, width=1.5))
    if len(arrays["remover"]):
        taker = finding["taker"]
        at = np.array([taker["label"]])
        layers.append(Boxes(TAKER, arrays["remover"], at, [f"{taker['name']} · IoU {taker['iou']:.2f}"], width=1.5))
        layers.append(_links("missed link", arrays["best"], arrays["remover"], at))
    return [*layers, frame]


def hidden_layers(document: Document, description: Description | None) -> list[Layer]:
    """Return the frame of a rectangle drawn for a model without boxes, where it marks the region to be hidden."""
    if document.region is None or description is None or "Detects" in description.capabilities:
        return []
    box, colour = np.array([document.region], np.float32), np.array([NO_CLASS])
    return [Boxes(HIDDEN, box, colour, dashed=True, width=2.0, hoverable=False)]


def missed_text(result: Result) -> str:
    """Return why an object was missed, as lines of text for the clipboard."""
    finding = result.meta["finding"]
    lines = [" ".join(part for part in (finding["verdict"], finding["remark"]) if part)]
    lines += [f"{step['title']}: {step['state']}. {step['text']}".rstrip(". ") for step in finding["stages"]]
    return "\n".join([*lines, *(remedy_text(remedy) for remedy in finding["remedies"])])


def remedy_text(remedy: Mapping[str, Any]) -> str:
    """Return the effect of a change as a button's text: "Set Score to 0.37 (+2 other boxes)"."""
    others, lost = remedy["others"], remedy["lost"]
    parts = [trn("+{n:,} other box", "+{n:,} other boxes", others)] if others else []
    if lost:
        parts += [tr("{n:,} fewer", n=lost) if others else trn("{n:,} box fewer", "{n:,} boxes fewer", lost)]
    return remedy["text"] + (f" ({', '.join(parts)})" if parts else "")


def box_text(boxes: np.ndarray) -> str:
    """Return size and position of the first of some boxes, "" for none."""
    if not len(boxes):
        return ""
    x0, y0, x1, y1 = (float(v) for v in boxes[0])
    return tr("{x1:.0f}\u00a0×\u00a0{y1:.0f} at {x0:.0f},\u00a0{y0:.0f}", x1=x1 - x0, y1=y1 - y0, x0=x0, y0=y0)


def _both(value: str, within: str, *, unit: str = "") -> str:
    """Return a length in the picture, and in the network's input if it differs there."""
    return (
        value + unit
        if value == within
        else tr("{value}{unit} (network {within})", value=value, unit=unit, within=within)
    )


def _links(name: str, ends: np.ndarray, keepers: np.ndarray, colours: np.ndarray) -> Links:
    """Return lines from corner to corner; the dot is at the box that was kept."""
    starts = ends[:, :2]
    return Links(name, np.concatenate([starts, np.broadcast_to(keepers[:, :2], starts.shape)], 1), colours, width=1.0)


def _indented(facts: Facts) -> list[str]:
    return [f"  {name}: {value}" for name, value in facts]
