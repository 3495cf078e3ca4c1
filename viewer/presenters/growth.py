"""A growing generator and its critic at one stage, as pictures with captions and words."""

from __future__ import annotations

import numpy as np

from models.types import Float, Pixels, Result
from viewer.presenters.cycle import Part
from viewer.presenters.translation import Choice
from viewer.translation import tr

Facts = list[tuple[str, str]]


def pixels_of(picture: Float) -> Pixels:
    """Return a picture (H, W, 1 or 3) from 0 to 1 as (H, W, 3) uint8."""
    whole = (picture.clip(0, 1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(whole, (*whole.shape[:2], 3)))


def branches(result: Result) -> list[Part]:
    """Return the two branches, their mixture, and what the critic's other branch gets."""
    meta, arrays = result.meta, result.arrays
    alpha, side = float(meta["alpha"]), int(meta["side"])
    mixture = tr("Mixture: {side} px", side=side)
    if int(meta["level"]) == 0 or alpha == 1:
        return [Part("picture", tr("Complete: {side} px", side=side), pixels_of(arrays["picture"]), str(meta["text"]))]
    before, own = 1 - alpha, alpha
    difference = (arrays["difference"] * 127.5 + 128).clip(0, 255).astype(np.uint8)
    return [
        Part(
            "before",
            tr("From {side} px: {share:.0%}", side=side // 2, share=before),
            pixels_of(arrays["before"]),
            tr("The picture of the level before, each pixel repeated"),
        ),
        Part("picture", mixture, pixels_of(arrays["picture"]), str(meta["text"])),
        Part(
            "own",
            tr("Own branch: {share:.0%}", share=own),
            pixels_of(arrays["own"]),
            tr("The picture of the level that is faded in"),
        ),
        Part(
            "difference",
            tr("Own less before"),
            np.repeat(difference[..., None], 3, 2),
            tr("What the level adds: grey is nothing, white what became lighter"),
        ),
        Part(
            "halved",
            tr("Halved, for the critic"),
            pixels_of(arrays["halved"]),
            tr("What the critic's branch of the level before gets"),
        ),
    ]


def film(result: Result) -> list[Choice]:
    """Return the complete levels of the same code; the one that is shown is marked."""
    meta = result.meta
    return [
        Choice(
            pixels_of(result.arrays[f"film_{side}"]),
            tr("{side} px", side=side),
            tr("The complete level of {side} px: the critic's score is {score:.3f}", side=side, score=score),
            float(meta["position"]) == at,
        )
        for at, (side, score) in enumerate(zip(meta["sides"], meta["scores"], strict=True))
    ]


def facts(result: Result) -> Facts:
    """Return what the critic says, and how far each level goes from the one before."""
    meta = result.meta
    rows = [(tr("Alpha"), f"{float(meta['alpha']):.2f}"), (tr("Critic at this stage"), f"{float(meta['score']):.3f}")]
    if int(meta["level"]) and float(meta["alpha"]) < 1:
        rows.append((tr("Its branch of the level before"), f"{float(meta['score_before']):.3f}"))
        rows.append((tr("Its branch of this level"), f"{float(meta['score_own']):.3f}"))
    for at, step in enumerate(meta["steps"]):
        small, large = meta["sides"][at], meta["sides"][at + 1]
        name = tr("{small} to {large} px", small=small, large=large)
        rows.append((name, tr("changes by {step:.4f} of 0 to 1", step=float(step))))
    return rows
