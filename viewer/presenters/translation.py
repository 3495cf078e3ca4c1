"""The picture that a network makes of the picture, as layers and words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.types import Pixels, Result
from viewer.canvas.layers import Heat, Layer, Overlay
from viewer.engine_texts import shown
from viewer.translation import tr

NAME = "translation"
SPLIT, OUTPUT, DIFFERENCE, INPUT = "split", "output", "difference", "input"
TITLES = {
    SPLIT: tr("Before and after"),
    OUTPUT: tr("After"),
    DIFFERENCE: tr("Difference"),
    INPUT: tr("Before, as the network got it"),
}
EQUAL_DB = 1000.0
LEAST_END = 1e-6
Facts = list[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Choice:
    """A picture (h, w, 3) uint8 with a caption, what is told of it, and whether it is the one taken now."""

    pixels: Pixels
    caption: str
    told: str
    own: bool


def layers(result: Result, shown: str, split: float) -> list[Layer]:
    """Return what is drawn over the picture; `split` is the share of its width on whose right the output is shown."""
    x0, y0, x1, y1 = (float(v) for v in result.meta["extent"])
    extent = (x0, y0, x1, y1)
    if shown == DIFFERENCE:
        end = end_of(result)
        return [Heat(NAME, result.arrays["difference"], extent, -end, end, "diverging", opacity=1.0, smooth=False)]
    if shown == INPUT:
        return [Overlay(NAME, result.arrays["input"], extent)]
    width = float(result.meta["size"][0])
    return [Overlay(NAME, result.arrays["output"], extent, begin=width * split if shown == SPLIT else None)]


def end_of(result: Result) -> float:
    """Return where the scale of the difference ends: its largest value, however it points."""
    return max(float(np.abs(result.arrays["difference"]).max(initial=0.0)), LEAST_END)


def facts(result: Result) -> Facts:
    """Return what is known of the output, as (name, value) pairs."""
    meta, (high, wide) = result.meta, result.arrays["output"].shape[:2]
    mean, most = (float(value) for value in meta["changed"])
    larger = tr(", {times:g} times the sides", times=meta["times"]) if meta["times"] != 1 else ""
    lines = [
        (tr("Gives"), str(meta["way_title"])),
        (tr("Output"), f"{wide:,} × {high:,} px{larger}"),
        (
            tr("Changed"),
            tr(
                "by {difference:.4f} on average, {most:.3f} at most, of 0 to 1",
                difference=mean,
                most=most,
            ),
        ),
    ]
    if meta["beyond"] > 0:
        lines.append(
            (tr("Cut"), tr("{beyond:.2%} of the values were below black or above white", beyond=meta["beyond"]))
        )
    if meta["tiles"] > 1:
        lines.append(
            (
                tr("Tiles"),
                tr(
                    "{tiles:,}; the largest step where two meet is {seam:.4f} of 0 to 1",
                    tiles=meta["tiles"],
                    seam=meta["seam"],
                ),
            )
        )
    if "colourfulness" in meta:
        before, after = (float(value) for value in meta["colourfulness"])
        lines.append(
            (tr("Colourfulness"), tr("{before:.1f} before, {after:.1f} after, of 255", before=before, after=after))
        )
    if meta.get("seen"):
        names = ", ".join(shown(str(name)) for name in meta["seen"])
        lines.append((tr("Its critic sees"), names))
    if meta.get("condition"):
        lines.append((tr("Condition"), ", ".join(shown(str(name)) for name in meta["condition"])))
    return lines


def alternatives(result: Result) -> list[Choice]:
    """Return the pictures of other directions and of single changes of labels, [] if there are none."""
    if "alternatives" not in result.arrays:
        return []
    meta, made = result.meta, []
    rows = zip(meta["alternatives"], meta["alternative_kinds"], meta["alternative_values"], strict=True)
    for at, (name, kind, value) in enumerate(rows):
        title = shown(str(name))
        if kind != "direction" and name not in str(value).split(", "):
            title = tr("Without {label}", label=title)
        colours = tr("colourfulness {value:.1f}", value=float(meta["alternative_colours"][at]))
        told = tr(
            "{title}: {colours} of 255, off the picture by {change:.4f} of 0 to 1",
            title=title,
            colours=colours,
            change=float(meta["alternative_changes"][at]),
        )
        caption = f"{title}\n{colours}" if kind == "direction" else title
        made.append(Choice(result.arrays["alternatives"][at], caption, told, bool(meta["own"][at])))
    return made


def notes(result: Result) -> str:
    """Return what else there is to know of the output, in sentences."""
    return " ".join(shown(str(note)) for note in result.meta.get("notes", ()))


def quality(result: Result) -> Facts:
    """Return how near input and output are to the reference, [] without one."""
    meta = result.meta
    if "psnr" not in meta:
        return []
    lines = [
        (tr("Reference"), str(meta["reference"])),
        (
            "PSNR",
            tr(
                "{decibel} before, {decibel_2} after",
                decibel=decibel(meta["psnr_before"]),
                decibel_2=decibel(meta["psnr"]),
            ),
        ),
        ("SSIM", tr("{ssim_before:.4f} before, {ssim:.4f} after", ssim_before=meta["ssim_before"], ssim=meta["ssim"])),
    ]
    return [*lines, *([(tr("Note"), str(meta["reference_note"]))] if meta["reference_note"] else [])]


def decibel(value: float) -> str:
    """Return a PSNR in words: equal pictures have an infinite one."""
    return tr("equal (∞ dB)") if value >= EQUAL_DB else tr("{value:.2f} dB", value=value)


def as_text(result: Result) -> str:
    """Return everything as text for the clipboard."""
    told = "".join(f"{name}\t{value}\n" for name, value in [*facts(result), *quality(result)])
    return f"{told}{notes(result)}\n" if notes(result) else told
