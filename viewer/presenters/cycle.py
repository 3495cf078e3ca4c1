"""A picture there and back again, as pictures with captions, layers and words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.types import Float, Pixels, Result
from viewer import theme
from viewer.canvas.layers import Heat, Layer, Overlay
from viewer.engine_texts import shown
from viewer.presenters.heatmap import number
from viewer.translation import tr

NAME = "cycle"
TIMES = 5.0  # by which differences are enlarged around grey
DIFFERENCE = "difference"
CAPTIONS = {
    "input": tr("Picture (A)"),
    "made": tr("There (B)"),
    "returned": tr("Back to A"),
    DIFFERENCE: tr("Difference × 5"),
    "details": tr("Details of B × 20"),
    "identity": tr("A by the way back"),
}
CRITICS = {"critic_made": tr("Critic on B"), "critic_input": tr("Critic on A")}
OTHER = {
    "other": tr("World B"),
    "other_made": tr("Back (A)"),
    "other_returned": tr("There again (B)"),
    "other_difference": tr("Difference × 5"),
    "other_identity": tr("B by the way there"),
}
VERDICTS = {
    "steep": tr("A hidden message is likely"),
    "some": tr("Faint details count"),
    "flat": tr("No hidden message found"),
}
TERMS = {
    "cycle": tr("Cycle (weight 10)"),
    "identity": tr("Identity (weight 5)"),
    "adversarial": tr("Critic, least squares"),
    "cycle from there": tr("Cycle from B"),
    "identity from there": tr("Identity of B"),
}
Facts = list[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Part:
    """One picture of the board (h, w, 3), what it is, and what is told of it."""

    name: str
    caption: str
    pixels: Pixels
    told: str = ""


def board(result: Result) -> list[Part]:
    """Return the pictures of the cycle, and of that from the other world, in the order they are shown."""
    parts = []
    for name, caption in {**CAPTIONS, **CRITICS, **OTHER}.items():
        if name not in result.arrays:
            continue
        values = result.arrays[name]
        if name in CRITICS:
            mean = float(values.mean())
            told = tr(
                "{caption}: {mean} on average; 1 is what it takes for real, 0 for made.",
                caption=caption,
                mean=number(mean),
            )
            parts.append(Part(name, f"{caption}: {mean:.2f}", scores(values), told))
        elif values.ndim == 2:
            told = tr(
                "{caption}: the colour that is off most is off by {mean:.2f} of 255 on average, {most:.1f} at most.",
                caption=caption,
                mean=255 * float(np.abs(values).mean()),
                most=255 * float(np.abs(values).max(initial=0.0)),
            )
            parts.append(Part(name, caption, enlarged(values), told))
        else:
            parts.append(Part(name, caption, values, caption))
    return parts


def enlarged(difference: Float) -> Pixels:
    """Return a difference (h, w) from -1 to 1 as a picture, enlarged around grey."""
    grey = (difference * (127.5 * TIMES) + 128).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def scores(values: Float) -> Pixels:
    """Return scores of patches (h, w) as colours: 0 at one end of the scale, 1 at the other."""
    lut = theme.heat_lut("sequential")
    return np.ascontiguousarray(lut[(values.clip(0, 1) * 255).round().astype(np.int64)][..., :3])


def layers(result: Result, name: str) -> list[Layer]:
    """Return one picture of the board as it is painted over the open one; none for those of the other world."""
    if name not in {**CAPTIONS, **CRITICS} or name not in result.arrays:
        return []
    x0, y0, x1, y1 = (float(v) for v in result.meta["extent"])
    extent, values = (x0, y0, x1, y1), result.arrays[name]
    if name == DIFFERENCE:
        end = 1 / TIMES
        return [Heat(NAME, values, extent, -end, end, "diverging", opacity=1.0, smooth=False)]
    if name in CRITICS:
        return [Heat(NAME, values, extent, 0.0, 1.0, smooth=False)]
    return [Overlay(NAME, values, extent)]


def facts(result: Result) -> Facts:
    """Return the errors as rows, in 255ths."""
    meta = result.meta
    rows = []
    names = {
        "cycle": tr("A to B to A"),
        "identity_error": tr("Identity of A"),
        "other_cycle": tr("B to A to B"),
        "other_identity_error": tr("Identity of B"),
    }
    for key, title in names.items():
        if key in meta:
            rows.append((title, tr("off by {error:.2f} of 255", error=255 * float(meta[key]))))
    return rows


def losses(result: Result) -> Facts:
    """Return the terms of CycleGAN's loss on this picture as rows, and their sum."""
    terms = {name: float(value) for name, value in result.meta["losses"].items()}
    whole = sum(terms.values())
    rows = [
        (TERMS[name], tr("{value:.4g} ({share:.0%})", value=value, share=value / max(whole, 1e-12)))
        for name, value in terms.items()
    ]
    return [*rows, (tr("Sum"), f"{whole:.4g}")]


def disturbed(result: Result) -> Facts:
    """Return what rounding, JPEG and blur of the picture made do to the way back, as rows."""
    arrays, rows = result.arrays, []
    for at, kind in enumerate(result.meta["kinds"]):
        if kind == "noise":
            continue
        rows.append(
            (
                shown(str(kind)),
                tr(
                    "error {error:.2f} of 255; {added:.2f} was changed",
                    error=255 * float(arrays["error"][at]),
                    added=255 * float(arrays["added"][at]),
                ),
            )
        )
    return rows


def noise(result: Result) -> tuple[Float, Float, Float, Float]:
    """Return sigma, the error of the cycle, its spread, and what the noise itself changes, in 255ths."""
    rows = [at for at, kind in enumerate(result.meta["kinds"]) if kind == "noise"]
    sigma = result.arrays["sigma"][rows]
    error, spread, added = (255 * result.arrays[name][rows] for name in ("error", "spread", "added"))
    return sigma, error, spread, added
