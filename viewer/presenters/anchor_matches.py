"""Anchor matching as layers and text: which anchors are matched to which object, and which objects have none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from models.types import Int, Result
from viewer.canvas.layers import CORRECT, FORCED, IGNORED, MISSED, TRUTH, Boxes, Layer, truth_ids
from viewer.translation import tr

OBJECTS = "match objects"
STATES = ("matched", "forced", "ignored")
ROLES = {"matched": CORRECT, "forced": FORCED, "ignored": IGNORED}


@dataclass(frozen=True)
class Texts(Sequence[str]):
    """A sequence of texts, one per row, each created when it is read."""

    size: int
    make: Callable[[int], str]

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        return self.make(int(at)) if not isinstance(at, slice) else [self.make(i) for i in range(self.size)[at]]


def layers(result: Result, *, level: int = -1, chosen: int = -1, labels: bool = True) -> list[Layer]:
    """Return the anchors by their role in training, and the objects; those without an anchor have the colour of a miss.

    `level` -1 stands for every pyramid level. With a `chosen` object only its anchors and its best-fitting one are
    shown.
    """
    arrays, found = result.arrays, []
    for state in ("ignored", "matched", "forced"):
        wanted = arrays["state"] == STATES.index(state)
        if level >= 0:
            wanted &= arrays["level"] == level
        if chosen >= 0:
            wanted &= arrays["truth"] == chosen
        rows = np.flatnonzero(wanted)
        if len(rows):
            found.append(_anchors(result, state, rows))
    found.append(_objects(result, chosen=chosen, labels=labels))
    if 0 <= chosen < len(arrays["truth_box"]):
        text = tr("best anchor, IoU {truth_best:.2f}", truth_best=arrays["truth_best"][chosen])
        role = np.array([CORRECT if arrays["covered"][chosen] else FORCED])
        found.append(Boxes("match best", arrays["truth_box"][[chosen]], role, [text], dashed=True, hoverable=False))
    return found


def without_other_labels(layers: Sequence[Layer]) -> list[Layer]:
    """Return layers in which boxes other than those of the matching have no label, because overlapping labels are
    unreadable.
    """
    own = {layer.id for layer in layers if layer.id.startswith("match")}
    return [
        replace(layer, labelled=False) if isinstance(layer, Boxes) and layer.id not in own else layer
        for layer in layers
    ]


def name(result: Result, row: int) -> str:
    """Return the class of an object."""
    return str(result.meta["classes"][int(result.arrays["truth_labels"][row])])


def summary(result: Result) -> str:
    """Return a sentence with the numbers of anchors and of objects they match."""
    meta, covered = result.meta, result.arrays["covered"]
    if not meta["annotated"]:
        return tr("{anchors:,} anchors. This picture is not in the ground truth.", anchors=meta["anchors"])
    fit = (
        tr("have an anchor") if meta["rule"] == "centre" else tr("have an anchor at IoU {fg:g} or more", fg=meta["fg"])
    )
    left_out = tr("\n{left_out:,} crowd or empty boxes left out", left_out=meta["left_out"]) if meta["left_out"] else ""
    return tr(
        "{sum:,} of {covered:,} objects {fit}\n{anchors:,} anchors{left_out}",
        sum=int(covered.sum()),
        covered=len(covered),
        fit=fit,
        anchors=meta["anchors"],
        left_out=left_out,
    )


def coverage_text(result: Result) -> str:
    """Return in words how well a data set is covered by the model's anchors, and by the proposed ones."""
    meta = result.meta
    text = tr(
        "{share} at IoU {fg:g} or more\nMean best IoU {mean:.3f}",
        share=_share(meta["covered"], meta),
        fg=meta["fg"],
        mean=meta["mean"],
    )
    if "suggested_scales" in meta:
        text += tr(
            "\n\nSuggested (line): {share}"
            "\nMean best IoU {suggested_mean:.3f}"
            "\n{shapes} k-means shapes alone: {clusters_mean:.3f}",
            share=_share(meta["suggested_covered"], meta),
            suggested_mean=meta["suggested_mean"],
            shapes=len(result.arrays["shapes"]),
            clusters_mean=meta["clusters_mean"],
        )
    return text


def parts_text(result: Result) -> str:
    """Return the covered share by size and by class, the worst class first."""
    arrays, meta = result.arrays, result.meta
    sizes = zip(meta["sizes"], arrays["size_covered"], arrays["size_objects"], strict=True)
    lines = [tr("{title}: {a:,} of {b:,}", title=title, a=int(a), b=int(b)) for title, a, b in sizes if b]
    share = arrays["class_covered"] / np.maximum(arrays["class_objects"], 1)
    order = [row for row in np.argsort(share, kind="stable").tolist() if arrays["class_objects"][row]]
    return "\n".join(
        [
            *lines,
            *(
                tr(
                    "{classes}: {class_covered:,} of {class_objects:,}",
                    classes=meta["classes"][r],
                    class_covered=arrays["class_covered"][r],
                    class_objects=arrays["class_objects"][r],
                )
                for r in order
            ),
        ]
    )


def _share(covered: int, meta: Any) -> str:
    return tr(
        "{covered:,} of {objects:,} objects covered ({covered_2:.1f} %)",
        covered=covered,
        objects=meta["objects"],
        covered_2=100 * covered / max(meta["objects"], 1),
    )


def _anchors(result: Result, state: str, rows: Int) -> Boxes:
    arrays = result.arrays

    def text(at: int) -> str:
        row = rows[at]
        owner = int(arrays["truth"][row])
        of = tr(" with {name}", name=name(result, owner)) if owner >= 0 else ""
        return tr(
            "{state}, IoU {iou:.2f}{of}, level {level}",
            state=state,
            iou=arrays["iou"][row],
            of=of,
            level=arrays["level"][row],
        )

    colours, texts = np.full(len(rows), ROLES[state]), Texts(len(rows), text)
    return Boxes(
        f"match {state}", arrays["boxes"][rows], colours, texts, width=1.2, ids=arrays["anchor"][rows], labelled=False
    )


def _objects(result: Result, *, chosen: int, labels: bool) -> Boxes:
    arrays = result.arrays
    covered = arrays["covered"]
    count = len(covered)

    def text(at: int) -> str:
        return tr("{name}, best IoU {truth_best:.2f}", name=name(result, at), truth_best=arrays["truth_best"][at])

    colours = np.where(covered, TRUTH, MISSED)
    ids = truth_ids(np.arange(count))
    return Boxes(OBJECTS, arrays["truth_boxes"], colours, Texts(count, text), selected=chosen, ids=ids, labelled=labels)
