"""The picture that a network makes of the picture, as layers and words."""

from __future__ import annotations

import numpy as np

from models.types import Result
from viewer.canvas.layers import Heat, Layer, Overlay

NAME = "translation"
SPLIT, OUTPUT, DIFFERENCE, INPUT = "split", "output", "difference", "input"
TITLES = {
    SPLIT: "Before and after",
    OUTPUT: "After",
    DIFFERENCE: "Difference",
    INPUT: "Before, as the network got it",
}
EQUAL_DB = 1000.0
LEAST_END = 1e-6
Facts = list[tuple[str, str]]


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
    difference = result.arrays["difference"]
    larger = f", {meta['times']:g} times the sides" if meta["times"] != 1 else ""
    told = [
        ("Gives", str(meta["way_title"])),
        ("Output", f"{wide:,} × {high:,} px{larger}"),
        ("Changed", f"by {float(np.abs(difference).mean()):.4f} on average, {end_of(result):.3f} at most, of 0 to 1"),
    ]
    if meta["beyond"] > 0:
        told.append(("Cut", f"{meta['beyond']:.2%} of the values were below black or above white"))
    if meta["tiles"] > 1:
        told.append(("Tiles", f"{meta['tiles']:,}; the largest step where two meet is {meta['seam']:.4f} of 0 to 1"))
    return told


def quality(result: Result) -> Facts:
    """Return how near input and output are to the reference, [] without one."""
    meta = result.meta
    if "psnr" not in meta:
        return []
    told = [
        ("Reference", str(meta["reference"])),
        ("PSNR", f"{decibel(meta['psnr_before'])} before, {decibel(meta['psnr'])} after"),
        ("SSIM", f"{meta['ssim_before']:.4f} before, {meta['ssim']:.4f} after"),
    ]
    return [*told, *([("Note", str(meta["reference_note"]))] if meta["reference_note"] else [])]


def decibel(value: float) -> str:
    """Return a PSNR in words: equal pictures have an infinite one."""
    return "equal (∞ dB)" if value >= EQUAL_DB else f"{value:.2f} dB"


def as_text(result: Result) -> str:
    """Return everything as text for the clipboard."""
    return "".join(f"{name}\t{value}\n" for name, value in [*facts(result), *quality(result)])
