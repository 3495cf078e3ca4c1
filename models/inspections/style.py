"""Style: a picture with the content of one picture and the style of another, as a network's layers see them.

Arrays of the Result: `picture` (h, w, 3) uint8 RGB, the picture so far; `content` and `style`, those it is made from,
Arrays of the Result: `picture` (h, w, 3) uint8 RGB, what is made so far; `content` and `style`, what it is made from,
at each step, in the order of `terms`; for style layer number i `gram_wanted_i`, `gram_content_i`, `gram_now_i` (c, c),
the Gram matrices of style, content and picture, divided by the number of places, of the up to 96 channels with the
most energy, in the order `gram_channels_i`; at the end `gradient_content` and `gradient_style` (h, w), how strongly the
two parts of the loss still pull at each pixel (largest absolute gradient of a colour).

Meta: `terms`, of each the `layer`, `kind`, `weight`, `share` of the present loss, `loss`, before its weight, and
`same_weight`, by convention the weight that gives the same loss; `step` of `steps`; `partial` until the last; `size`,
and `extent`, where it lies in pixels of the open picture; `usable`, the ids of all calls that can be chosen; `notes`
and `text`, in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.attributions.attribution import subject_of
from models.attributions.target import TargetParams
from models.features import style_losses
from models.features.style_losses import Descent, Wanted, Weights
from models.inspection import Inspection
from models.interpretation.map_readings import as_input
from models.params import param
from models.pictures import images
from models.runtime.context import go_on
from models.runtime.failures import out_of_memory
from models.subject import Subject
from models.tracing.layers import call_of, hidden, on_picture, trace_of
from models.tracing.traced_calls import Call
from models.types import Cancelled, Pixels, Refusal, Result

FIXED = ("convention", "start", "rate", "optimiser", "size", "style_scale", "seed")  # for all steps
STYLES = 5
MOST_LAYERS = 12
MOST_CHANNELS = 96
ACTIVATIONS = ("ReLU", "ReLU6", "SiLU", "GELU", "Hardswish", "LeakyReLU", "Mish", "PReLU", "ELU")
SHOWN = 12  # pictures of the way
LEAST_PX = 64
TOKENS = "Its layers are tokens of patches, so the style shows their grid and textures are weaker than in convolutions."
SMALL = "The first layers of such networks need pictures of at least 64 px for a style to show."


@dataclass(frozen=True)
class Params:
    """The style picture, the layers of both losses, their weights, and how the picture is made."""

    style: str = param("", "Style picture", "A picture file whose style is taken.")
    content_layers: str = param("", "Content layers", "Calls by their ids, with commas; empty takes a deep one.")
    style_layers: str = param("", "Style layers", "Calls by their ids, with commas; empty takes one of each scale.")
    convention: str = param(
        style_losses.RELATIVE,
        "Convention",
        "What the weights multiply: losses relative to their aims, those of Gatys, or those of the fast nets.",
        choices=style_losses.CONVENTIONS,
        titles=("Relative", "Gatys", "Fast nets"),
    )
    content_weight: float = param(1.0, "Content weight", "Weight of the content's loss.", low=0.0, high=1e9, step=0.1)
    style_weight: float = param(10.0, "Style weight", "Weight of the style's loss.", low=0.0, high=1e12, step=1.0)
    variation: float = param(
        0.0, "Total variation", "Weight of the differences between neighbouring pixels.", low=0.0, high=1e9, step=1.0
    )
    layer_weights: str = param(
        "", "Weights of the style layers", "Numbers with commas, one for each style layer; empty for 1 each."
    )
    changes: str = param(
        "",
        "Changes on the way",
        "Weights from a step on, as in “40 style_weight=100 w1=0; 60 content_weight=2”; w1 is the first style layer's.",
    )
    start: str = param(
        style_losses.CONTENT,
        "Start from",
        "The picture, noise, or the style picture.",
        choices=style_losses.STARTS,
        titles=("This picture", "Noise", "Style picture"),
    )
    steps: int = param(120, "Steps of the descent", "How many steps are made.", low=1, high=2000, step=10)
    rate: float = param(0.02, "Step size", "How far a step of Adam goes, of 0 to 1.", low=1e-4, high=1.0, step=0.01)
    optimiser: str = param(
        style_losses.ADAM, "Optimiser", "Adam, or L-BFGS, which Gatys used.", choices=style_losses.OPTIMISERS,
        titles=("Adam", "L-BFGS"),
    )  # fmt: skip
    size: int = param(
        256, "Longest side", "Of the picture that is made; 0 for the network's own input.", low=0, high=2048, step=32,
        unit="px",
    )  # fmt: skip
    style_scale: float = param(
        1.0, "Scale of the style", "The style picture's longest side against the picture's.", low=0.25, high=4.0
    )
    seed: int = param(0, "Seed of the noise", "Another number draws other noise.", low=0, high=2**31 - 1)


def lacks(model: Any) -> dict[str, str]:
    """Return why a style cannot be taken with a model."""
    if told := hidden(model):
        return told
    if getattr(model, "preprocess", None) is None:
        return {"": f"How {model.card.name} prepares a picture is not known, so no other picture can be made for it."}
    return {}


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the picture so far, while the rest is made in idle time. Raises Refusal for what cannot be."""
    if not params.style:
        raise Refusal("No style picture was chosen.", advice="Choose a picture whose style is taken: style=FILE.")
    subject = subject_of(model, pixels, TargetParams(), stages)
    trace = trace_of(subject, stages)
    usable = [c for c in trace.calls if on_picture(subject, c) and not c.same]
    content, styles = _chosen(subject, usable, params, stages)
    weights = _weights(params, len(styles))
    path = Path(params.style)
    read = images.read(path).pixels
    key = (
        (str(path), path.stat().st_mtime_ns),
        (tuple(c.id for c in content), tuple(c.id for c in styles)),
        tuple(getattr(params, name) for name in FIXED),
    )

    def make() -> _Run:
        with torch.inference_mode(False):
            made = _Run.of((model, subject), (pixels, read), (content, styles), params, weights)
            made.usable = tuple(c.id for c in usable)
            return made

    run: _Run = stages.run("style", make, subject.key, *key)
    descent = run.descent
    descent.follow(weights, params.steps)
    if descent.failure is None and not descent.complete:
        stages.progress(descent.state.step / (params.steps + 1), f"step {descent.state.step:,} of {params.steps:,}")
        descent.step()
    go_on(stages, "style", descent)
    if descent.complete:
        stages.progress(1.0, "gradients")
    descent.keep()
    whole = (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
    extent = subject.extent if run.own_size else whole
    return run.result(params, model, weights(min(descent.state.step, params.steps - 1)), extent)


@dataclass
class _Run:
    """A descent with what it is made from."""

    descent: Descent
    calls: tuple[Call, ...]
    content: Tensor
    style: Tensor
    grams: dict[str, Tensor]
    notes: tuple[str, ...]
    usable: tuple[str, ...]
    own_size: bool  # the picture is the network's own input, which may be a part of the open one

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return (
            self.descent.nbytes + self.content.nbytes + self.style.nbytes + sum(g.nbytes for g in self.grams.values())
        )

    @classmethod
    def of(
        cls,
        asked: tuple[Any, Subject],
        pictures: tuple[Pixels, Pixels],
        layers: tuple[Sequence[Call], Sequence[Call]],
        params: Params,
        weights: Callable[[int], Weights],
    ) -> _Run:
        """Prepare both pictures, and begin. Raises Refusal if the network takes no picture of the size."""
        (model, subject), (pixels, read), (content, styles) = asked, pictures, layers
        way = model.preprocess
        calls = tuple(dict.fromkeys([*content, *styles]))
        tokens = any("token" in call.layout.name for call in calls)
        notes = [TOKENS] if tokens else []
        side = 0 if tokens else params.size
        if tokens and params.size:
            notes.append("The picture has the size of the network's own input, which its tokens are bound to.")

        def both(side: int) -> tuple[Tensor, Tensor]:
            if side:
                other = max(16, round(side * params.style_scale))
                place = subject.input.device
                return _fitted(pixels, side).to(place), _fitted(read, other).to(place)
            own = way.plain(subject.input).clamp(0, 1).detach()
            return own, way.plain(way.input(read, subject.input.device)).clamp(0, 1)

        def features(x: Tensor) -> dict[str, Tensor]:
            return style_losses.maps_of(subject, calls, as_input(x, way))

        plain, other = both(side)
        try:
            with torch.no_grad():
                of_content, of_style = features(plain), features(other)
        except (Refusal, Cancelled):
            raise
        except Exception as error:
            if out_of_memory(error) or not side:
                raise
            notes.append(
                f"{model.card.name} takes no pictures of {plain.shape[-1]} x {plain.shape[-2]} px: they have the size "
                "of its own input."
            )
            side = 0
            plain, other = both(side)
            with torch.no_grad():
                of_content, of_style = features(plain), features(other)
        if max(plain.shape[-2:]) < LEAST_PX:
            notes.append(SMALL)
        aims = style_losses.wanted(
            {c.id: of_content[c.id] for c in content}, {c.id: of_style[c.id] for c in styles}, params.convention
        )
        begin = style_losses.started(params.start, plain, other, params.seed)
        descent = Descent(
            features, aims, begin, weights, steps=params.steps, rate=params.rate, optimiser=params.optimiser
        )
        grams = {c.id: style_losses.gram(of_content[c.id]) for c in styles}
        return cls(descent, calls, plain, other, grams, tuple(notes), (), not side)

    def result(self, params: Params, model: Any, weights: Weights, extent: tuple[float, ...]) -> Result:
        """Return what there is so far."""
        descent, aims = self.descent, self.descent.aims
        state = descent.state
        with torch.inference_mode(False), torch.no_grad():
            now = descent.features(state.picture)
            content, pulled = style_losses.terms(now, aims)
            parts = style_losses.weighted(content, pulled, state.picture, weights)
            grams = {name: style_losses.gram(now[name]) for name in aims.style}
        every = -(-params.steps // (SHOWN * style_losses.FILM_EVERY)) * style_losses.FILM_EVERY
        film = {step: frame for step, frame in state.film.items() if step % every == 0 and step != state.step}
        film[state.step] = style_losses.frame(state.picture)
        arrays = {
            "picture": _pixels(state.picture)[0],
            "content": _pixels(self.content)[0],
            "style": _pixels(self.style)[0],
            "film": torch.cat([*film.values()]).permute(0, 2, 3, 1).contiguous().numpy(),
            "film_steps": np.array(list(film), np.int64),
            "losses": torch.stack([*state.losses[: state.step], parts]).cpu().numpy().astype(np.float32),
        }
        for number, name in enumerate(aims.style):
            arrays |= _grams(number, aims.style[name][0], self.grams[name][0], grams[name][0])
        if descent.complete:
            for name, gradient in zip(("content", "style"), descent.gradients(), strict=True):
                arrays[f"gradient_{name}"] = gradient[0].abs().amax(0).cpu().numpy()
        terms = _terms(aims, now, torch.cat([content, pulled]), parts, weights)
        meta: dict[str, Any] = {
            "terms": terms,
            "step": state.step,
            "steps": params.steps,
            "partial": not descent.complete,
            "collected": state.step,
            "of": params.steps,
            "unit": "steps",
            "size": (int(state.picture.shape[-1]), int(state.picture.shape[-2])),
            "extent": extent,
            "convention": params.convention,
            "content_layers": tuple(aims.content),
            "style_layers": tuple(aims.style),
            "usable": self.usable,
            "notes": self.notes,
        }
        meta["text"] = _words(meta, arrays["losses"], model.card.name)
        return Result(arrays, meta)


def _chosen(subject: Subject, usable: Sequence[Call], params: Params, stages: Any) -> tuple[list[Call], list[Call]]:
    """Return the calls of both losses. Raises Refusal for one that has no map of the picture."""
    if not usable:
        raise Refusal("No layer of this network has a map of the picture.", advice="Take another model.")
    content, styles = automatic(usable)
    found = []
    for text, own in ((params.content_layers, content), (params.style_layers, styles)):
        names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if len(names) > MOST_LAYERS:
            raise Refusal(f"{len(names)} layers are too many.", advice=f"Choose up to {MOST_LAYERS}.")
        found.append([call_of(subject, name, stages, spatial=True) for name in names] or own)
    return found[0], found[1]


def automatic(usable: Sequence[Call]) -> tuple[list[Call], list[Call]]:
    """Return the content layers and the style layers that are usual for a network's calls with maps.

    Style: the first activation of each scale, as Gatys' relu1_1 to relu5_1, and more of each where there are few
    scales. Content: the last activation of the last scale but one.
    """
    active = [c for c in usable if c.kind in ACTIVATIONS] or list(usable)
    scales: dict[tuple[int, int], list[Call]] = {}
    for call in active:
        scales.setdefault(call.layout.grid, []).append(call)
    groups = list(scales.values())[:STYLES]
    each = -(-STYLES // len(groups))
    styles = [g[round(k * (len(g) - 1) / each)] for g in groups for k in range(min(each, len(g)))]
    styles = list(dict.fromkeys(styles))[:STYLES]
    return [groups[max(0, len(groups) - 2)][-1]], styles


def _weights(params: Params, layers: int) -> Callable[[int], Weights]:
    """Return the weights of each step. Raises Refusal for a text that is not understood."""
    try:
        own = tuple(float(part) for part in params.layer_weights.split(",") if part.strip()) or (1.0,) * layers
    except ValueError:
        own = ()
    if len(own) != layers or not all(0 <= w < 1e12 for w in own):
        raise Refusal(
            f"The weights of the style layers cannot be {params.layer_weights!r}.",
            advice=f"They are {layers} numbers of at least 0, with commas.",
        )
    changes: list[tuple[int, Weights]] = []
    now = Weights(params.content_weight, params.style_weight, params.variation, own)
    changes.append((0, now))
    for part in params.changes.split(";"):
        words = part.split()
        if not words:
            continue
        try:
            step = int(words[0])
            for word in words[1:]:
                name, _, value = word.partition("=")
                number = float(value)
                if not 0 <= number < 1e13:
                    raise ValueError
                now = now.changed(name.removesuffix("_weight"), number)
        except (ValueError, KeyError):
            raise Refusal(
                f"The change {part.strip()!r} is not understood.",
                advice="Write a step and weights: 40 style_weight=100 w1=0.",
            ) from None
        if step < changes[-1][0]:
            raise Refusal("The changes on the way are not in the order of their steps.", advice="Sort them.")
        changes.append((step, now))
    return lambda step: next(weights for at, weights in reversed(changes) if at <= max(0, step))


def _terms(
    aims: Wanted, now: Mapping[str, Tensor], before: Tensor, parts: Tensor, weights: Weights
) -> list[dict[str, Any]]:
    """Return a row for each term of the loss."""
    total = max(float(parts.sum()), style_losses.LEAST)
    losses, rows = before.tolist(), []
    kinds = [("content", name) for name in aims.content] + [("style", name) for name in aims.style]
    for number, (kind, name) in enumerate(kinds):
        if kind == "content":
            own, weight = aims.content_factors[name], weights.content / len(aims.content)
            factors = {c: style_losses.content_factor(c, aims.content[name]) for c in style_losses.CONVENTIONS}
        else:
            at = number - len(aims.content)
            own, weight = aims.style_factors[name], weights.style * weights.layers[at] / len(aims.style)
            factors = {c: style_losses.style_factor(c, aims.style[name]) for c in style_losses.CONVENTIONS}
        same = {c: weight * own / factor for c, factor in factors.items()}
        row = {"layer": name, "kind": kind, "weight": weight, "loss": losses[number], "same_weight": same}
        rows.append({**row, "share": float(parts[number]) / total, "channels": int(now[name].shape[1])})
    if weights.variation:
        rows.append(
            {
                "layer": "",
                "kind": "variation",
                "weight": weights.variation,
                "loss": float(parts[-1]) / weights.variation,
            }
            | {"same_weight": {}, "share": float(parts[-1]) / total, "channels": 0}
        )
    return rows


def _grams(number: int, aim: Tensor, before: Tensor, now: Tensor) -> dict[str, np.ndarray]:
    """Return the Gram matrices of a layer, of its most energetic channels, those side by side that go together."""
    most = aim.diagonal().argsort(descending=True)[:MOST_CHANNELS]
    order = most[style_losses.by_likeness(aim[most][:, most])]
    cut = {"wanted": aim, "content": before, "now": now}
    found = {f"gram_{k}_{number}": v[order][:, order].cpu().numpy().astype(np.float32) for k, v in cut.items()}
    return found | {f"gram_channels_{number}": order.cpu().numpy()}


def _words(meta: dict[str, Any], losses: np.ndarray, name: str) -> str:
    """Return what was made, in words."""
    before, after = float(losses[0].sum()), float(losses[-1].sum())
    styled = sum(row["share"] for row in meta["terms"] if row["kind"] == "style")
    done, total, now, then = meta["step"], meta["steps"], f"{after:.4g}", f"{before:.4g}"
    said = f"After {done:,} of {total:,} steps the loss of {name} is {now}, from {then}."
    part = f"The style makes {styled:.0%} of that loss."
    return " ".join([said, part, *meta["notes"]])


def _fitted(pixels: Pixels, side: int) -> Tensor:
    """Return pixels (H, W, 3) as a picture (1, 3, h, w) from 0 to 1 whose longest side is `side` px."""
    picture = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
    share = side / max(picture.shape[-2:])
    size = [max(8, round(s * share)) for s in picture.shape[-2:]]
    return functional.interpolate(picture, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def _pixels(pictures: Tensor) -> np.ndarray:
    """Return pictures (N, 3, h, w) as pixels (N, h, w, 3) uint8, cut at black and white for this alone."""
    made = (pictures.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    return made.permute(0, 2, 3, 1).contiguous().cpu().numpy()


INSPECTION = Inspection(
    id="style",
    title="Style",
    help="A picture with the content of this one and the style of another, by the model's layers and Gram matrices.",
    needs=("Explains",),
    params=Params,
    answer=answer,
    lacks=lacks,
)
