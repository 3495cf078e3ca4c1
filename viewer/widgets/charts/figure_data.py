"""Convert a data set's evaluation result into what the charts take: lines, bars and text."""

from __future__ import annotations

from collections.abc import Sequence

from models.evaluation import report
from models.evaluation.funnel import STAGES
from models.evaluation.tide import SPECIAL, TYPES
from models.types import Result
from viewer.translation import tr
from viewer.widgets.charts.bar_chart import Bar
from viewer.widgets.charts.precision_recall import Double, Line

GROUP_TITLES = {
    "all": tr("All objects"),
    "small": tr("Small objects"),
    "medium": tr("Medium objects"),
    "large": tr("Large objects"),
}
STAGE_HELP = {
    "anchors": tr("an anchor overlaps the object enough"),
    "pool": tr("a box of the RPN does, before its suppression"),
    "proposals": tr("a proposal that went on to the box head does"),
    "candidates": tr("a candidate of its class does, at any score"),
    "score": tr("one of them has a higher score than asked for"),
    "nms": tr("one of them survives non-maximum suppression"),
    "maximum": tr("one of them is within the maximum of detections"),
}
ERROR_HELP = {
    "Cls": tr("On an object, but of another class"),
    "Loc": tr("Of the right class, but overlapping its object by 0.1 to 0.5 only"),
    "Both": tr("Of another class, and too far off"),
    "Dupe": tr("On an object that a better detection has found"),
    "Bkg": tr("On nothing"),
    "Miss": tr("Objects on which there is neither a detection nor a Cls or Loc error"),
    "FalsePos": tr("The cost of all wrong detections together"),
    "FalseNeg": tr("The cost of all missed objects together"),
}


def scope(result: Result) -> str:
    """Return of how many pictures the figures are: of all of the data set, or of how many of them."""
    meta = result.meta
    if meta["pictures"] == meta["of"]:
        return tr("All {of:,} pictures", of=meta["of"])
    return tr("{pictures:,} of {of:,} pictures", pictures=meta["pictures"], of=meta["of"])


def state(result: Result) -> tuple[str, str]:
    """Return one line saying what the figures cover, and the details of what is left out."""
    meta = result.meta
    left = meta["of"] - meta["collected"] - meta["failed"]
    objects = int(result.arrays["objects"].sum())
    text = tr(
        "{pictures:,} pictures, {objects:,} objects, IoU {match_iou:.2f}",
        pictures=meta["pictures"],
        objects=objects,
        match_iou=meta["match_iou"],
    )
    if left:
        text = tr(
            "{collected:,} of {of:,} pictures, figures of {pictures:,}",
            collected=meta["collected"],
            of=meta["of"],
            pictures=meta["pictures"],
        )
    details = report.left_out(result)
    if meta["failed"]:
        text += tr(" · {failed:,} cannot be used", failed=meta["failed"])
    if meta["notes"]:
        text += tr(" · not all classes")
    if meta.get("omitted"):
        text += tr(" · {omitted:,} of the ground truth left out", omitted=meta["omitted"])
    return text, "\n".join(details)


def lines(result: Result) -> list[Line]:
    """Return the precision-recall curve of all classes together, then one per class."""
    arrays, meta = result.arrays, result.meta
    names = [tr("All classes"), *report.names(result)]
    labels = [-1, *arrays["labels"].tolist()]
    points = [(meta["all_recall"], meta["all_precision"])]
    points += list(zip(arrays["recall"].tolist(), arrays["precision"].tolist(), strict=True))
    start = arrays["curve_start"].tolist()
    columns = [arrays[f"curve_{name}"] for name in ("recall", "precision", "score")]
    return [
        Line(name, label, *_cut(columns, start[row], start[row + 1]), point)
        for row, (name, label, point) in enumerate(zip(names, labels, points, strict=True))
    ]


def _cut(columns: Sequence[Double], first: int, last: int) -> tuple[Double, Double, Double]:
    recall, precision, score = (column[first:last] for column in columns)
    return recall, precision, score


def funnel_bars(result: Result, group: int) -> list[Bar]:
    """Return a bar per stage of the model: the share of the group's objects that can still be found after it.

    `group` is a row of `report.funnel_rows`: all objects, those of one size, or of one class.
    """
    name, alive, (count,) = report.funnel_rows(result)[group]
    bars, before = [], count
    for stage, number in zip(STAGES, alive, strict=True):
        if number < 0:
            continue
        part = number / count if count else 0.0
        lost = tr(" ({before:,} lost here)", before=before - number) if number < before else ""
        text = f"{100 * part:.1f} %" + (f"  −{before - number:,}" if number < before else "")
        help_text = tr(
            "{number:,} of {count:,} objects ({name}): {stage_help}{lost}",
            number=number,
            count=count,
            name=name,
            stage_help=STAGE_HELP[stage],
            lost=lost,
        )
        bars.append(Bar(report.STAGE_TITLES[stage], part, text, help_text))
        before = number
    return bars


def error_bars(result: Result) -> list[Bar]:
    """Return a bar per TIDE error type: the gain in AP at IoU 0.5 if errors of that type were fixed."""
    gains = [100 * gain for gain in result.arrays["tide"].tolist()]
    counts = result.arrays["tide_count"].tolist()
    most = max(*gains, 1.0)
    bars = []
    for row, (name, gain) in enumerate(zip((*TYPES, *SPECIAL), gains, strict=True)):
        number = f"  {counts[row]:,}" if row < len(counts) else ""
        help_text = tr(
            "{error_help}. Fixing it would gain {gain:.2f} AP at IoU 0.5 (TIDE).",
            error_help=ERROR_HELP[name],
            gain=gain,
        )
        bars.append(
            Bar(
                name,
                gain / most,
                tr("+{gain:.1f} AP{number}", gain=gain, number=number),
                help_text,
                quiet=row >= len(counts),
            )
        )
    return bars
