"""Interpolate: the images along a path through latent codes, frame by frame, with measures of their quality.

Arrays of the Result: `pictures` (N, H, W, 3) uint8 RGB, `codes` (N, D) float32, `norms` (N,) the lengths of their
normal parts, `segment` (N,) the key that each frame follows, `speed` (N - 1,) or for a loop (N,) the distance in the
chosen features from each frame to the next, `keys` (K, H, W, 3) the images of the keys. Where the model has a
discriminator: `logit` (N,) its score, `score` (N,) the percentage of the model's own samples with a lower one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.capabilities import Encodes, Scores
from models.inspection import Inspection
from models.latent import path_keys as texts
from models.latent import typicality
from models.latent.generative_model import BATCH, colours
from models.latent.path import EASINGS, Path, path
from models.latent.retime import measured, steps, variation
from models.latent.typicality import norm_band
from models.params import param
from models.types import Float, Pixels, Refusal, Result

CODE_HELP = "seed:NUMBER, numbers with commas, or an NPY file of this model's length."
MOST_BYTES = 1 << 30
MOST_PX = 128  # longest side at which images are compared
SPACES = {"pixels": "Pixels", "encoder": "Encoder's means", "discriminator": "Discriminator's last layer but one"}
See = Callable[[Tensor], Tensor]
Double = NDArray[np.float64]


@dataclass(frozen=True)
class Params:
    """The path, and the number of frames."""

    from_: str = param("", "From", f"The first key: {CODE_HELP} Without any key it is seed 0.")
    to: str = param("", "To", f"The last key: {CODE_HELP} Without any key it is seed 1.")
    keys: str = param(
        "", "Keys", "Codes on the way, separated by |, each with path and easing: seed:1 slerp easeInOutQuad | seed:2."
    )
    frames: int = param(60, "Frames", "How many pictures the whole path has.", low=2, high=3600, step=1)
    path: str = param(
        "auto",
        "Path",
        "How to go from key to key unless the key says it. By the prior: slerp for normal numbers, else straight.",
        choices=tuple(texts.PATHS),
        titles=("By the prior", "Slerp", "Lerp", "Variance-preserving"),
    )
    easing: str = param(
        "linear",
        "Easing",
        "How time passes from key to key unless the key says it.",
        choices=tuple(EASINGS),
        titles=("Linear", "Ease in", "Ease out", "Ease in and out", "Slow in", "Slow out", "Slow in and out"),
        only=("retime", False),
    )
    loop: bool = param(False, "Loop", "Go on from the last key to the first.")
    retime: bool = param(False, "Constant speed", "Move along the path so that the picture changes equally fast.")
    features: str = param(
        "pixels",
        "Measured in",
        "The features in which the change of the picture is measured.",
        choices=tuple(SPACES),
        titles=tuple(SPACES.values()),
    )
    fps: int = param(
        30, "Frames per second", "The speed at which the path is played and films are written.", low=1, high=120, step=1
    )


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the frames of a path. Raises Refusal for invalid keys, fewer than two, or too many frames for memory."""
    way = _way(model, params)
    _, height, width = model.shape
    if params.frames * height * width * 3 > MOST_BYTES:
        most = MOST_BYTES // (height * width * 3)
        raise Refusal(f"{params.frames:,} frames of this model take too much memory.", advice=f"Ask for {most:,}.")
    see = _features(model, params.features)
    # The frame rate does not change the frames, so it is left out of the cache key.
    arrays, meta = stages.run("frames", lambda: _made(model, way, see, params, stages), replace(params, fps=1))
    return Result(dict(arrays), {"kind": "latent", **meta, "fps": params.fps, "loop": params.loop})


def _way(model: Any, params: Params) -> Path:
    """Return the path that the parameters describe."""
    stops = [
        *([texts.Stop(params.from_)] if params.from_.strip() else []),
        *texts.read(params.keys),
        *([texts.Stop(params.to)] if params.to.strip() else []),
    ]
    stops = stops or [texts.Stop("seed:0"), texts.Stop("seed:1")]
    codes, segments = texts.keys_of(stops, model.space, path=params.path, easing=params.easing)
    blocks = [(block.kind, block.size) for block in model.space.blocks]
    return path(codes, blocks, segments=segments if params.loop else segments[:-1], loop=params.loop)


def _made(model: Any, way: Path, see: See, params: Params, stages: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arrays of a path, and the meta about it."""
    positions, uneven, probed = way.positions(params.frames), None, 0
    if params.retime:
        speed = measured(lambda at: np.concatenate([f for _, f, _ in _seen(model, way.at(at), see, stages)]), way.span)
        ends = np.append(positions, way.span) if params.loop else positions
        uneven, probed = variation(np.diff(np.interp(ends, *speed.travelled))), len(speed.positions)
        positions = speed.even(params.frames, loop=params.loop)
    codes = way.at(positions)
    pictures, step, logits = _frames(_seen(model, codes, see, stages, scored=_is(model, Scores)), loop=params.loop)
    even = variation(step)
    arrays = {
        "pictures": pictures,
        "codes": codes,
        "norms": model.space.norm(codes),
        "segment": way.local(positions)[0],
        "speed": step.astype(np.float32),
        "keys": model.pictures(way.keys.astype(np.float32)),
    }
    meta: dict[str, Any] = {
        "features": SPACES[params.features],
        "variation": {"before": even if uneven is None else uneven, "after": even},
        "decodes": probed + len(codes),
        "band": list(norm_band(model.space.gaussian)) if model.space.gaussian else [],
    }
    meta["remarks"] = _remarks(arrays["norms"], meta["band"], int(way.off_support(codes).sum()))
    if _is(model, Scores):
        usual = np.sort(typicality.of_samples(model, stages))
        arrays |= {"logit": logits, "score": np.searchsorted(usual, logits).astype(np.float32) * (100 / len(usual))}
        meta["scored"] = f"percentile among {len(usual)} samples of the model"
    return arrays, meta


def _seen(
    model: Any, codes: Float, see: See, stages: Any, *, scored: bool = False
) -> Iterator[tuple[Pixels, Float, Float]]:
    """Yield the images of codes in batches, with their features and, if `scored`, the discriminator's scores."""
    for at in range(0, len(codes), BATCH):
        stages.progress(at / len(codes), "generate")
        made = model.decode(model.tensor(codes[at : at + BATCH]))
        said = model.score(made).cpu().numpy() if scored else np.zeros(0, np.float32)
        yield colours(made), see(made).flatten(1).cpu().numpy(), said


def _frames(batches: Iterable[tuple[Pixels, Float, Float]], *, loop: bool) -> tuple[Pixels, Double, Float]:
    """Return all images, the feature distances between them and all scores; hold one batch of features at a time."""
    pictures, taken, logits = [], [], []
    first = last = np.zeros((0, 0), np.float32)
    for made, features, said in batches:
        rows = np.concatenate([last, features]) if len(last) else features
        taken.append(steps(rows))
        first, last = (first if len(first) else features[:1]), features[-1:]
        pictures.append(made)
        logits.append(said)
    if loop:
        taken.append(steps(np.concatenate([last, first])))
    return np.concatenate(pictures), np.concatenate(taken), np.concatenate(logits)


def _is(model: Any, capability: type) -> bool:
    return isinstance(model, capability)


def _features(model: Any, name: str) -> See:
    """Return a function from images (N, C, H, W) to feature rows (N, F). Raises Refusal if the model lacks the part."""
    if name == "encoder":
        if not _is(model, Encodes):
            raise Refusal(f"{model.card.name} has no encoder to measure with.", advice="Measure in pixels.")
        return lambda pictures: model.encode(pictures)[0]
    if name == "discriminator":
        net = getattr(model.net, "discriminator", None)
        weighted = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d)] if net is not None else []
        if not _is(model, Scores) or not weighted:
            raise Refusal(f"{model.card.name} has no discriminator to measure with.", advice="Measure in pixels.")
        return lambda pictures: _entering(weighted[-1], lambda: model.score(pictures))
    return lambda x: x if max(x.shape[2:]) <= MOST_PX else functional.adaptive_avg_pool2d(x, MOST_PX)


def _entering(module: nn.Module, run: Callable[[], object]) -> Tensor:
    """Return a copy of a module's first input while `run` executes."""
    found: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda _, given: found.append(given[0].clone()))
    try:
        run()
    finally:
        hook.remove()
    return found[0]


def _remarks(norms: Float, band: list[float], mixed: int) -> list[str]:
    found = []
    outside = int(((norms < band[0]) | (norms > band[1])).sum()) if band else 0
    if outside:
        usual = f"{band[0]:.2f} to {band[1]:.2f}"
        found.append(f"{outside:,} of {len(norms):,} frames have a code of unusual length (the prior's: {usual}).")
    if mixed:
        found.append(f"{mixed:,} of {len(norms):,} frames mix two choices, which the model was never trained on.")
    return found


INSPECTION = Inspection(
    id="interpolate",
    title="Path",
    help="The pictures along a path from code to code.",
    needs=("Generates",),
    params=Params,
    answer=answer,
    reads="nothing",
)
